"""pymongo: inserts, queries, updates, aggregations, large answers, errors."""
import pymongo
from pymongo.errors import PyMongoError
from truth import host, mark, now, say, ready, done

client = pymongo.MongoClient(host, maxPoolSize=2, serverSelectionTimeoutMS=30000)
db = client['shop']
db.command('ping')
ready()
items = db.items
items.drop()


def ask(command, f, rows, code=0, collection='items'):
    m, began = mark(), now()
    try:
        f(m)
        assert code == 0
    except PyMongoError as e:
        assert e.code == code, e
    facts = {} if rows is None or code else {'ROWS': rows}
    say(m, began, COMMAND=command, COLLECTION=collection, DB='shop', RET_CODE=code, RESP=1, **facts)


for i in range(100):
    ask('insert', lambda m: items.insert_one({'_id': i, 'name': m}), 1)
    ask('find', lambda m: list(items.find({'_id': {'$lte': i}, 'name': {'$ne': m}}, batch_size=1000)), i + 1)
    ask('update', lambda m: items.update_many({'_id': {'$lt': i}}, {'$set': {'last': m}}), i)
    if i % 10 == 0:
        ask('insert', lambda m: items.insert_one({'_id': i, 'again': m}), 0, code=11000)
        ask('find', lambda m: list(items.find({'$bad': m})), None, code=2)
        ask('aggregate', lambda m: list(items.aggregate([{'$match': {'name': {'$ne': m}}}, {'$limit': 1}])), 1)
        ask('delete', lambda m: items.delete_many({'name': m}), 0)
        ask('insert', lambda m: db.large.insert_many([{'mark': m, 'text': 'x' * 2000} for _ in range(1)]), 1, collection='large')
db.large.drop()
client.close()
done()
