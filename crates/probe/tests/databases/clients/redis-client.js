// ioredis (many under way on one connection) and node-redis (RESP3 off and pipelined), errors.
const Redis = require('ioredis')
const { createClient } = require('redis')
const { host, mark, now, say, ready, run } = require('./truth.js')

async function ask (send, args, err) {
  const m = mark()
  const began = now()
  args = args.map(a => String(a).replace('MARK', m))
  const facts = { REQ: args.join(' '), RESP: 1 }
  try {
    const r = await send(args)
    say(m, began, { ...facts, RES: r === null ? '(nil)' : String(r) })
  } catch (e) {
    if (!err) throw e
    say(m, began, { ...facts, ERR: e.message })
  }
}

run(async () => {
  const io = new Redis({ host, enableReadyCheck: false })
  await io.flushall()
  const node = createClient({ socket: { host } })
  await node.connect()
  await ready()
  for (const send of [args => io.call(...args), args => node.sendCommand(args)]) {
    for (let i = 0; i < 80; i++) {
      await ask(send, ['SET', 'k:MARK', `value ${i}`])
      await ask(send, ['GET', 'no:MARK'])
      await ask(send, ['LPUSH', 'l:MARK', i])
      if (i % 10 === 0) {
        await ask(send, ['ECHO', 'MARK ' + 'e'.repeat(900)])
        await ask(send, ['INCRBY', 'i:MARK', 'nonsense'], true)
        await ask(send, ['NONSENSE', 'MARK'], true)
      }
    }
    for (let batch = 0; batch < 15; batch++) {
      await Promise.all(Array.from({ length: 16 }, (_, i) => ask(send, ['ECHO', `MARK.${i}`])))
    }
  }
  io.disconnect()
  await node.quit()
})
