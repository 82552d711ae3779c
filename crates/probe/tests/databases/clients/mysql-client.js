// mysql2 (text, prepared; one of its connections compressed) and the mariadb driver (pipelined).
const mysql = require('mysql2/promise')
const mariadb = require('mariadb')
const { host, mark, now, say, ready, run } = require('./truth.js')
const U = { USER: 'ann', DB: 'shop', RESP: 1 }
const D = { host, user: 'ann', password: 'secret', database: 'shop' }

const rows = r => Array.isArray(r) ? r.length : r.affectedRows
const message = e => (e.sqlMessage || e.message).replace(/^\(conn[^)]*\) /, '')

// One statement; `send` gives it to the driver.
async function ask (sql, values, params, send) {
  const m = mark()
  const began = now()
  const text = sql.replace('MARK', m)
  const facts = { SQL: text, ...U }
  if (values) facts.PARAMS = params.replace('MARK', m)
  try {
    const r = await send(text, values && values.map(v => v === 'MARK' ? m : v))
    say(m, began, { ...facts, ROWS: rows(r), RET_CODE: 0, ERR: '' })
  } catch (e) {
    if (!e.errno) throw e
    say(m, began, { ...facts, RET_CODE: e.errno, ERR: message(e) })
  }
}

run(async () => {
  const dbs = []
  for (let i = 0; i < 4; i++) dbs.push(await mysql.createConnection({ ...D, compress: i === 3 }))
  const piped = await mariadb.createConnection({ ...D, pipelining: true, connectTimeout: 20000 })
  await ready()
  const query = db => async (sql) => (await db.query(sql))[0]
  await ask('drop table if exists j -- MARK', null, null, query(dbs[0]))
  await ask('create table j (id int primary key, name varchar(80)) -- MARK', null, null, query(dbs[0]))
  await ask("insert into j select seq, concat('row ', seq) from seq_1_to_100 -- MARK", null, null, query(dbs[0]))
  await Promise.all(dbs.map(async db => {
    const prepared = new Set()
    const execute = async (sql, values) => {
      if (!prepared.has(sql)) say('', now(), { SQL: sql })
      prepared.add(sql)
      return (await db.execute(sql, values))[0]
    }
    for (let i = 0; i < 60; i++) {
      await ask(`select name from j where id <= ${i} -- MARK`, null, null, query(db))
      await ask('select name from j where id <= ? and name <> ?', [i, 'MARK'], `${i}, 'MARK'`, execute)
      if (i % 10 === 0) {
        await ask('selec 1 -- MARK', null, null, query(db))
        await ask('insert into j values (?, ?)', [1, 'MARK'], "1, 'MARK'", execute)
        await ask('select ? as a, ? as b', ['MARK', 'x'], "'MARK', 'x'", execute)
        await ask('select ? as a, ? as b, ? as c', [null, 'MARK', null], "NULL, 'MARK', NULL", execute)
        await ask("select repeat('w', 3000) from j -- MARK", null, null, query(db))
      }
    }
    await Promise.all([1, 2, 3, 4, 5].map(i => ask(`select ${i} -- MARK`, null, null, query(db))))
  }))
  // A mix as of an application: statements that return rows, that do not, and mistakes.
  const mix = [
    i => `select name from j where id <= ${i} -- MARK`,
    i => `update j set name = 'a row' where id = ${i} -- MARK`,
    i => `select id, name from j where id = ${i} -- MARK`,
    i => `insert into j values (${i}, 'again') -- MARK`,
    i => `do ${i} -- MARK`,
    i => `oops ${i} -- MARK`
  ]
  for (let batch = 0; batch < 40; batch++) {
    await Promise.all(Array.from({ length: 8 }, (_, i) =>
      ask(mix[(batch * 5 + i * i * 3 + batch * i) % 7 % 6](i + 1), null, null, sql => piped.query(sql))))
  }
  await Promise.all(dbs.map(db => db.end()))
  await piped.end()
})
