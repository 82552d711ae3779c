// pg: text, unnamed and named prepared statements, several connections, errors.
const { Client } = require('pg')
const { host, mark, now, say, ready, run } = require('./truth.js')
const U = { USER: 'ann', DB: 'postgres', RESP: 1 }

async function ask (db, sql, values, params, rows, name) {
  const m = mark()
  const began = now()
  const text = sql.replace('MARK', m)
  const facts = { SQL: text, ...U }
  if (params) facts.PARAMS = params.replace('MARK', m)
  try {
    const r = await db.query({ text, values: values && values.map(v => v === 'MARK' ? m : v), name })
    if (rows !== null && r.rowCount !== rows) throw new Error(`${text}: ${r.rowCount}`)
    say(m, began, { ...facts, ROWS: rows || 0, RET_CODE: 0, ERR: '' })
  } catch (e) {
    if (!e.code) throw e
    // The driver rejects at the error; the answer ends when the server is ready for more.
    if (!db.readyForQuery) await new Promise(resolve => db.once('drain', resolve))
    say(m, began, { ...facts, RET_CODE: e.code, ERR: e.message })
  }
}

run(async () => {
  const clients = []
  for (let i = 0; i < 4; i++) {
    const db = new Client({ host, user: 'ann', password: 'secret', database: 'postgres' })
    await db.connect()
    clients.push(db)
  }
  await ready()
  const one = clients[0]
  await ask(one, 'drop table if exists j -- MARK', null, null, null)
  await ask(one, 'create table j(id int primary key, s text) -- MARK', null, null, null)
  await ask(one, "insert into j select g, 'row '||g from generate_series(1, 100) g -- MARK", null, null, 100)
  await Promise.all(clients.map(async (db, n) => {
    for (let i = 0; i < 60; i++) {
      await ask(db, `select s from j where id <= ${i} -- MARK`, null, null, i)
      await ask(db, 'select s from j where id <= $1 and s <> $2', [i, 'MARK'], `'${i}', 'MARK'`, i, i % 2 ? 'named' : undefined)
      if (i % 10 === 0) {
        await ask(db, 'selec 1 -- MARK', null, null, 0)
        // What cannot be prepared is told without values: the server never bound them.
        await ask(db, 'select s from nothing where s = $1 -- MARK', ['x'], null, 0)
        await ask(db, 'insert into j values ($1, $2)', [1, 'MARK'], "'1', 'MARK'", 0)
        await ask(db, 'select $1::text, $2::int', ['MARK', null], "'MARK', NULL", 1)
        await ask(db, "select repeat('w', 3000) from j -- MARK", null, null, 100)
      }
    }
    // Asked at once; the driver sends them one after the other.
    await Promise.all([1, 2, 3, 4, 5].map(i => ask(db, `select ${i} -- MARK`, null, null, 1)))
  }))
  await Promise.all(clients.map(db => db.end()))
})
