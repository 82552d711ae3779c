// What ioredis and node-redis can do: `client.js HOST PORT`. Many commands are under way on one connection at a time;
// every GET k<i> is answered v<i>.
const Redis = require('ioredis');
const { createClient } = require('redis');
const [host, port] = [process.argv[2], Number(process.argv[3])];

(async () => {
  const r = new Redis({ host, port });
  let next = 0;
  const worker = async () => {
    while (next < 60) {
      const i = next++;
      if ((await r.get(`k${i}`)) !== `v${i}`) throw new Error(`k${i}`);
      await new Promise((f) => setTimeout(f, i % 3));
    }
  };
  await Promise.all(Array.from({ length: 4 }, worker));
  await r.multi().get('k1').incr('n').exec();
  const s = new Redis({ host, port });
  await s.subscribe('n1', 'n2');
  await r.publish('n1', 'hello');
  await s.unsubscribe('n1');
  s.disconnect();
  await r.quit();
  const c = createClient({ socket: { host, port }, RESP: 3 });
  await c.connect();
  await Promise.all(Array.from({ length: 40 }, (_, i) => c.get(`k${i}`)));
  await c.hGetAll('h');
  await c.close();
})().catch((e) => { console.error(e); process.exit(1); });
