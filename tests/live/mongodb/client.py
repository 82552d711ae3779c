"""What pymongo asks, and what it says it asked: `client.py PORT LOG [compressor]`. One line of JSON a
command: name, database, collection, code of the error, documents returned."""
import datetime, json, sys
import bson, pymongo
from pymongo import monitoring
from pymongo.errors import PyMongoError

port, log = int(sys.argv[1]), open(sys.argv[2], 'w')
options = {'compressors': sys.argv[3]} if len(sys.argv) > 3 else {}


class Log(monitoring.CommandListener):
    asked = {}

    def started(self, e):
        command = e.command if e.command else {}
        what = command.get('collection') if e.command_name == 'getMore' else command.get(e.command_name)
        self.asked[e.request_id] = (e.command_name, e.database_name, what if isinstance(what, str) else '')

    def tell(self, e, code, rows):
        name, db, collection = self.asked.pop(e.request_id)
        print(json.dumps([name, db, collection, code, rows]), file=log, flush=True)

    def succeeded(self, e):
        reply = e.reply or {}
        cursor = reply.get('cursor', {})
        rows = len(cursor.get('firstBatch', cursor.get('nextBatch', []))) if cursor else reply.get('n')
        if 'values' in reply:
            rows = len(reply['values'])
        errors = reply.get('writeErrors')
        self.tell(e, errors[0]['code'] if errors else 0, rows)

    def failed(self, e):
        self.tell(e, e.failure.get('code', -1), None)


client = pymongo.MongoClient('127.0.0.1', port, event_listeners=[Log()], serverSelectionTimeoutMS=5000,
                             connectTimeoutMS=5000, socketTimeoutMS=20000, **options)
db = client['shop' + str(port)]
items = db.items
items.insert_many([{'_id': i, 'name': f'item {i}', 'price': i * 1.5, 'note': 'x' * 10} for i in range(1000)])
# Each by itself: a type that a server does not know may cost the connection.
for value in (bson.ObjectId('65f000000000000000000001'), datetime.datetime(2026, 1, 2, 3, 4, 5, 678000), b'\0\1\2',
              bson.Regex('^a', 'i'), bson.Int64(2**40), bson.Decimal128('1.50'), bson.Timestamp(5, 1),
              bson.Code('f()'), bson.Code('f()', {'x': 1}), bson.MinKey(), bson.MaxKey(), None,
              {'a': {'b': [1, {'c': True}]}}, 'he said "no"\n\u00e9', bson.DBRef('c', 1), float('inf')):
    try:
        items.insert_one({'value': value})
    except PyMongoError as e:
        print('expected:', value, e, file=sys.stderr)
list(items.find({'price': {'$gt': 3}}, {'name': 1}).sort('name', 1).limit(7))
list(items.find().batch_size(100))
items.update_many({'_id': {'$lt': 10}}, {'$set': {'cheap': True}})
items.delete_many({'_id': {'$gte': 990}})
items.count_documents({})
items.estimated_document_count()
items.distinct('cheap')
items.create_index('name')
list(items.aggregate([{'$match': {'cheap': True}}, {'$group': {'_id': None, 'n': {'$sum': 1}}}]))
items.find_one_and_update({'_id': 1}, {'$inc': {'price': 1}})
for bad in (lambda: items.insert_one({'_id': 1}), lambda: db.command('noSuchCommand'),
            lambda: list(items.find({'$bad': 1})), lambda: list(items.aggregate([{'$nonsense': 1}]))):
    try:
        bad()
    except PyMongoError as e:
        print('expected:', e, file=sys.stderr)
client.list_database_names()
db.list_collection_names()
items.with_options(write_concern=pymongo.WriteConcern(w=0)).insert_one({'_id': 'unacknowledged'})
items.find_one({'_id': 2})
client.close()
