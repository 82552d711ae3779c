// What the driver for Node.js asks, and what it says it asked: `client.js PORT LOG [compressor]`; see client.py.
const fs = require('fs')
const { MongoClient } = require('mongodb')
const [port, log, compressor] = process.argv.slice(2)
const options = { monitorCommands: true, serverSelectionTimeoutMS: 5000 }
if (compressor) options.compressors = [compressor]
const client = new MongoClient(`mongodb://127.0.0.1:${port}`, options)
const name = 'yard' + port
const asked = {}
const tell = (e, code, rows) => fs.appendFileSync(log, JSON.stringify([...asked[e.requestId], code, rows]) + '\n')
client.on('commandStarted', e => {
  const what = e.commandName === 'getMore' ? e.command.collection : e.command[e.commandName]
  asked[e.requestId] = [e.commandName, e.databaseName, typeof what === 'string' ? what : '']
})
client.on('commandSucceeded', e => {
  const r = e.reply || {}
  const batch = r.cursor && (r.cursor.firstBatch || r.cursor.nextBatch) || r.values
  tell(e, r.writeErrors ? r.writeErrors[0].code : 0, batch ? batch.length : r.n === undefined ? null : r.n)
})
client.on('commandFailed', e => tell(e, e.failure.code, null))

async function main () {
  fs.writeFileSync(log, '')
  const items = client.db(name).collection('items')
  await items.insertMany(Array.from({ length: 500 }, (_, i) => ({ _id: i, name: `item ${i}`, tags: ['a', { b: i }] })))
  // Ten at a time, over several connections.
  for (let round = 0; round < 10; round++) {
    await Promise.all(Array.from({ length: 10 }, (_, i) => items.findOne({ _id: round * 10 + i })))
  }
  await items.find({}).batchSize(77).toArray()
  await items.updateOne({ _id: 5 }, { $set: { name: 'five' } })
  await items.deleteOne({ _id: 6 })
  await items.countDocuments({ _id: { $lt: 100 } })
  await items.insertOne({ _id: 5 }).catch(e => console.error('expected:', e.message))
  await client.db(name).command({ noSuchCommand: 1 }).catch(e => console.error('expected:', e.message))
  await client.close()
}
main().catch(e => { console.error(e); process.exit(1) })
