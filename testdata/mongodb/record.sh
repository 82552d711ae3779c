#!/usr/bin/env bash
# Records the MongoDB captures: mongo-java-server, and a proxy before it that compresses; pymongo and the driver for Node.js as
# clients. CLASSPATH has the server (tests/live/mongodb/pom.xml), PYTHON (default: python3) must have pymongo, python-snappy and
# zstandard, NODE_PATH mongodb. `ONLY=case testdata/mongodb/record.sh` records one anew. Then: UPDATE=1 cargo test -p mfnano --test golden
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
network
python=${PYTHON:-python3}
live=$here/../../tests/live/mongodb

serve $S java "$live/Server.java" 27017 10.7.2.2
serve $S "$python" "$live/proxy.py" 28001 27017 snappy 10.7.2.2
serve $S "$python" "$live/proxy.py" 28003 27017 zstd 10.7.2.2
wait_port 27017
wait_port 28001
wait_port 28003
cat >"$work/begin.py" <<'PY'
import bson, datetime, pymongo, sys
from pymongo.errors import PyMongoError
def connect(port=27017, **more):
    return pymongo.MongoClient('10.7.2.2', port, serverSelectionTimeoutMS=5000, **more)
def wrong(call):
    try:
        call()
    except PyMongoError as e:
        print(e)
PY
py() { (cat "$work/begin.py" -; echo 'client.close()') >"$work/client.py"; timeout 30 $C "$python" "$work/client.py"; }

record pymongo "Commands of pymongo: documents in a sequence behind the command, types of values, a cursor read in batches, writes that
fail and a command that is not there, a write that wants no answer. The old OP_QUERY with which a driver greets is there too." <<'DO'
py <<'PY'
client = connect()
items = client.shop.items
items.insert_many([{'_id': i, 'name': f'item {i}', 'price': i * 1.5} for i in range(25)])
items.insert_one({'_id': 'types', 'oid': bson.ObjectId('65f000000000000000000001'), 'when': datetime.datetime(2026, 1, 2, 3, 4, 5, 678000),
    'binary': b'\0\1\2', 'regex': bson.Regex('^a', 'i'), 'long': bson.Int64(2**40), 'dec': bson.Decimal128('1.50'),
    'stamp': bson.Timestamp(5, 1), 'code': bson.Code('f()'), 'min': bson.MinKey(), 'none': None, 'deep': {'a': [1, {'c': True}]},
    'inf': float('inf'), 'quote': 'he said "no"\n\u00e9'})
list(items.find({'price': {'$gt': 3}}, {'name': 1}).batch_size(10))
items.update_many({'_id': {'$in': [1, 2]}}, {'$set': {'cheap': True}})
items.delete_one({'_id': 3})
list(items.aggregate([{'$match': {'cheap': True}}, {'$group': {'_id': None, 'n': {'$sum': 1}}}]))
items.distinct('cheap')
wrong(lambda: items.insert_one({'_id': 1}))
wrong(lambda: client.shop.command('noSuchCommand'))
wrong(lambda: list(items.find({'$bad': 1})))
items.with_options(write_concern=pymongo.WriteConcern(w=0)).insert_one({'_id': 'unacknowledged'})
items.count_documents({})
PY
DO

record node "The driver for Node.js: ten requests at a time over several connections, a cursor, an error." <<'DO'
cat >"$work/client.js" <<'JS'
const { MongoClient } = require('mongodb')
const client = new MongoClient('mongodb://10.7.2.2:27017', { maxPoolSize: 3 })
async function main () {
  const items = client.db('yard').collection('items')
  await items.insertMany(Array.from({ length: 30 }, (_, i) => ({ _id: i, name: `item ${i}`, tags: ['a', { b: i }] })))
  await Promise.all(Array.from({ length: 10 }, (_, i) => items.findOne({ _id: i })))
  await items.find({}).batchSize(12).toArray()
  await items.insertOne({ _id: 5 }).catch(e => console.log(e.message))
  await client.close()
}
main()
JS
timeout 30 $C node "$work/client.js"
DO

for name in snappy zstd; do
    port=$([ $name = snappy ] && echo 28001 || echo 28003)
    record $name "OP_COMPRESSED with $name, both ways: packed by the library of that name. What is told is what lies in it." <<DO
py <<'PY'
client = connect($port, compressors='$name')
items = client.$name.items
items.insert_many([{'_id': i, 'name': f'item {i}', 'note': 'again and ' * 5} for i in range(100)])
list(items.find({'_id': {'\$lt': 60}}).batch_size(40))
wrong(lambda: items.insert_one({'_id': 1}))
PY
DO
done

derive gap pymongo "A segment of the server was not captured, and one of the client: each costs one command." '
big = [i for i, f in enumerate(frames) if server(f) and data(f) > 200]
asks = [i for i, f in enumerate(frames) if not server(f) and data(f) > 60]
for i in sorted({big[len(big) // 2], asks[-4]}, reverse=True):
    del frames[i]'

derive midstream pymongo "The connection stood before the capture: it begins between commands." '
asks = [i for i, f in enumerate(frames) if not server(f) and data(f) > 60]
del frames[:asks[len(asks) // 2]]'
