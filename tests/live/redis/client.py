#!/usr/bin/env python3
"""What redis-py can do: `client.py HOST PORT [CASE...]`; without cases, all of them. Every GET k<i> is answered v<i>, so
that a wrong pair is seen by its record alone."""
import sys
import time
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

HOST, PORT = sys.argv[1], int(sys.argv[2])
GETS = 60


def connect(**more):
    return redis.Redis(HOST, PORT, **{'protocol': 2, 'retry': Retry(NoBackoff(), 0), **more})


def fill(r):
    with r.pipeline(transaction=False) as p:
        for i in range(100):
            p.set(f'k{i}', f'v{i}')
        p.execute()


def commands(**more):
    r = connect(client_name='single', **more)
    fill(connect())
    for i in range(GETS):
        assert r.get(f'k{i}') == f'v{i}'.encode()
    r.hset('h', mapping={'a': 1, 'b': 'two words'})
    r.hgetall('h')
    r.zadd('z', {'m': 1.5})
    r.zrange('z', 0, -1, withscores=True)
    r.sadd('s', 'x')
    r.smembers('s')
    r.get('nothing')
    try:
        r.lpush('h', 'x')
    except redis.ResponseError:
        pass
    script = r.register_script("return {1, {2, 'a'}, ARGV[1]}")
    script(args=['q'])
    script(args=['r'])
    r.blpop('empty', timeout=0.1)
    with r.pipeline(transaction=True) as p:
        p.get('k1').incr('n').get('k2')
        p.execute()
    r.set('large', 'x' * 6000)
    r.get('large')
    r.get('k5')


def resp3():
    commands(protocol=3)


def pipelines():
    r = connect()
    for b in range(5):
        with r.pipeline(transaction=False) as p:
            for i in range(b * 16, b * 16 + 16):
                p.get(f'k{i}')
            assert p.execute() == [f'v{i}'.encode() for i in range(b * 16, b * 16 + 16)]


def pubsub(**more):
    r, p = connect(**more), connect(**more).pubsub()
    p.subscribe('a', 'b')
    p.psubscribe('c*')
    for i in range(3):
        r.publish('a', f'm{i}')
        r.publish('cx', 'y')
    until = time.time() + 0.3
    while time.time() < until:
        p.get_message(timeout=0.05)
    p.ping()
    p.unsubscribe()
    p.punsubscribe()
    until = time.time() + 0.2
    while time.time() < until:
        p.get_message(timeout=0.05)
    p.close()


def push():
    pubsub(protocol=3)


def secrets():
    r = connect()
    for command in (['AUTH', 'hunter2'], ['AUTH', 'default', 'hunter2'], ['HELLO', '3', 'AUTH', 'ann', 'hunter2'],
                    ['ACL', 'SETUSER', 'ann', 'on', '>hunter2', '~*', '+@all'], ['HELLO', '2', 'AUTH', 'ann', 'hunter2'],
                    ['ACL', 'LIST'], ['CONFIG', 'SET', 'masterauth', 'hunter2'], ['CONFIG', 'GET', 'master*'],
                    ['ACL', 'SETUSER', 'ann', '#hunter2'], ['CONFIG', 'SET', 'masterauth', ''], ['ACL', 'DELUSER', 'ann']):
        try:
            r.execute_command(*command)
        except redis.RedisError:
            pass


CASES = {f.__name__: f for f in (commands, resp3, pipelines, pubsub, push, secrets)}
for name in sys.argv[3:] or CASES:
    CASES[name]()
