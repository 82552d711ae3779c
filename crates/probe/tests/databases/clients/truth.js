// What every Node.js client here does; see truth.py.
const fs = require('fs')
const [host, out] = process.argv.slice(2)
const lines = []
let count = 0
let early = true

exports.host = host
exports.now = () => performance.now()
exports.mark = () => `mk${String(++count).padStart(5, '0')}z`
exports.say = (word, began, facts) => {
  const line = { mark: word, ms: performance.now() - began, ...facts }
  if (early) line.early = 1
  lines.push(line)
}
exports.ready = async () => {
  fs.writeFileSync(out + '.ready', '')
  while (!fs.existsSync(out + '.go')) await new Promise(resolve => setTimeout(resolve, 10))
  early = false
}
exports.done = () => fs.writeFileSync(out, lines.map(l => JSON.stringify(l) + '\n').join(''))
exports.run = main => main().then(() => { exports.done(); process.exit(0) }, e => { console.error(e); process.exit(1) })
