// The driver for Node.js: several under way over a pool, large answers, errors.
const { MongoClient } = require('mongodb')
const { host, mark, now, say, ready, run } = require('./truth.js')

async function ask (command, f, rows, code = 0) {
  const m = mark()
  const began = now()
  try {
    await f(m)
    if (code) throw new Error('no error')
  } catch (e) {
    if (e.code !== code) throw e
  }
  const facts = rows === null || code ? {} : { ROWS: rows }
  say(m, began, { COMMAND: command, COLLECTION: 'things', DB: 'yard', RET_CODE: code, RESP: 1, ...facts })
}

run(async () => {
  const client = new MongoClient(`mongodb://${host}:27017`, { maxPoolSize: 4, serverSelectionTimeoutMS: 30000 })
  await client.connect()
  const things = client.db('yard').collection('things')
  await client.db('yard').command({ ping: 1 })
  await ready()
  await things.drop().catch(() => {})
  await ask('insert', m => things.insertMany(Array.from({ length: 100 }, (_, i) => ({ _id: i, first: i ? '' : m, text: 'x'.repeat(300) }))), 100)
  for (let round = 0; round < 25; round++) {
    await Promise.all(Array.from({ length: 8 }, (_, i) =>
      ask('find', m => things.find({ _id: { $lt: round + i }, name: { $ne: m } }, { batchSize: 1000 }).toArray(), round + i)))
    await ask('update', m => things.updateOne({ _id: round }, { $set: { name: m } }), 1)
    await ask('insert', m => things.insertOne({ _id: round, again: m }), 0, 11000)
  }
  await client.close()
})
