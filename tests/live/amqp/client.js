// What amqplib can do: `node client.js HOST PORT [MESSAGES [BYTES]]`. Publishes are confirmed many at a time.
const amqp = require('amqplib')
const [host, port, messages = 200, bytes = 30000] = process.argv.slice(2)

async function main () {
  const c = await amqp.connect(`amqp://guest:guest@${host}:${port}/?frameMax=8192`)
  c.on('error', () => {})
  const ch = await c.createConfirmChannel()
  await ch.assertExchange('events', 'fanout', { durable: false })
  const { queue } = await ch.assertQueue('', { exclusive: true })
  await ch.bindQueue(queue, 'events', '')
  await ch.assertExchange('behind', 'direct', { durable: false })
  await ch.bindExchange('behind', 'events', 'k')
  await ch.unbindExchange('behind', 'events', 'k')
  await ch.prefetch(20)
  let got = 0
  const all = new Promise(resolve => ch.consume(queue, m => { ch.ack(m); if (++got === +messages + 5) resolve() }))
  for (let i = 0; i < +messages; i++) ch.publish('events', '', Buffer.from(JSON.stringify({ n: i })), { contentType: 'application/json' })
  for (let i = 0; i < 5; i++) ch.publish('events', '', Buffer.alloc(+bytes, 'x'), { contentType: 'text/plain', headers: { i } })
  await ch.waitForConfirms()
  await all
  const other = await c.createChannel()
  other.on('error', () => {})
  await other.checkQueue('nope').catch(() => {})
  await ch.deleteExchange('behind')
  await ch.deleteExchange('events')
  await ch.close()
  await c.close()
  await amqp.connect(`amqp://guest:wrong@${host}:${port}/`).then(() => process.exit(1), () => {})
}
main()
