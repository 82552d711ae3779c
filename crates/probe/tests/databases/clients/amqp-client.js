// amqplib: publishes confirmed many at a time, delivered to a consumer; calls; refusals.
const amqp = require('amqplib')
const { host, mark, now, say, ready, run } = require('./truth.js')
const U = { USER: 'guest', HOST: '/' }

run(async () => {
  const c = await amqp.connect(`amqp://guest:guest@${host}:5672/`)
  c.on('error', () => {})
  const ch = await c.createConfirmChannel()
  await ready()
  for (let i = 0; i < 20; i++) {
    const m = mark()
    let began = now()
    await ch.assertQueue(m, { exclusive: true })
    say(`queue.declare:${m}`, began, { QUEUE: m, RET_CODE: 0, RESP: 1, ...U })
    began = now()
    await ch.deleteQueue(m)
    say(`queue.delete:${m}`, began, { QUEUE: m, RET_CODE: 0, RESP: 1, ...U })
  }
  await ch.assertQueue('events', { exclusive: true })
  const came = {}
  await ch.consume('events', m => { came[m.content.toString().split(' ')[0]] = now() }, { noAck: true })
  for (let batch = 0; batch < 20; batch++) {
    const began = now()
    const marks = Array.from({ length: 10 }, mark)
    for (const m of marks) ch.publish('', 'events', Buffer.from(m + ' happened'))
    await ch.waitForConfirms()
    for (const m of marks) say(`basic.publish:${m}`, began, { ROUTING_KEY: 'events', TEXT: m + ' happened', RET_CODE: 0, RESP: 1, ...U })
    while (!marks.every(m => came[m])) await new Promise(resolve => setTimeout(resolve, 5))
    for (const m of marks) say(`basic.deliver:${m}`, began, { QUEUE: 'events', TEXT: m + ' happened', RESP: 1, ...U })
  }
  for (let i = 0; i < 5; i++) {
    const m = mark()
    const began = now()
    const bad = await c.createChannel()
    const closed = new Promise(resolve => bad.on('error', resolve))
    await bad.checkQueue(m).catch(() => {})
    const e = await closed
    say(`queue.declare:${m}`, began, { QUEUE: m, RET_CODE: e.code, RESP: 1, ...U })
  }
  await c.close()
})
