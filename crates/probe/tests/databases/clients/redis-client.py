"""redis-py: single commands in RESP2 and RESP3, pipelines, MULTI, errors, large answers."""
import redis
from truth import host, mark, now, say, ready, done

D = dict(host=host, decode_responses=True)
two = redis.Redis(**D, protocol=2, single_connection_client=True)
three = redis.Redis(**D, protocol=3, single_connection_client=True)
two.flushall()
three.ping()
ready()


def ask(r, *args, res=None):
    m, began = mark(), now()
    args = [str(a).replace('MARK', m) for a in args]
    try:
        got = r.execute_command(*args)
        if res is not None:
            say(m, began, REQ=' '.join(args), RES=res.replace('MARK', m), RESP=1)
        else:
            say(m, began, REQ=' '.join(args), RES='(nil)' if got is None else got, RESP=1)
    except redis.ResponseError as e:
        # The driver takes the first word of some errors off.
        say(m, began, REQ=' '.join(args), RESP=1, **({} if res is None else {'ERR': res}))
        assert res is not None, e


for r in (two, three):
    for i in range(100):
        ask(r, 'SET', 'k:MARK', f'value {i}', res='OK')
        ask(r, 'GET', 'no:MARK')
        ask(r, 'INCRBY', 'n:MARK', i)
        if i % 10 == 0:
            ask(r, 'ECHO', 'MARK ' + 'e' * 900)
            ask(r, 'RPUSH', 'list', 'MARK', i)
            m, began = mark(), now()
            r.set('text', 'x')
            try:
                r.execute_command('LPUSH', 'text', m)
            except redis.ResponseError as e:
                say(m, began, REQ=f'LPUSH text {m}', RESP=1, ERR='WRONGTYPE Operation against a key holding the wrong kind of value')
            m, began = mark(), now()
            r.execute_command('APPEND', f'big:{m}', 'x' * 50000)
            say(m, began, REQ=f'APPEND big:{m} ' + 'x' * 2000, RES=50000, RESP=1)
            n, began = mark(), now()
            r.execute_command('EVAL', f"return redis.call('get', KEYS[1]) --{n}", 1, 'big:' + m.replace('z', 'y'))
            say(n, began, RESP=1)
            began, n = now(), mark()
            r.execute_command('SET', f'copy:{n}', 'y' * 3000)
            say(n, began, RES='OK', RESP=1)
    # Each is answered by what was set for it: a pair that is wrong would show.
    for batch in range(15):
        marks, began = [mark() for _ in range(16)], now()
        p = r.pipeline(transaction=False)
        for i, m in enumerate(marks):
            p.execute_command('ECHO', f'{m}.{i}')
        assert p.execute() == [f'{m}.{i}' for i, m in enumerate(marks)]
        for i, m in enumerate(marks):
            say(m, began, REQ=f'ECHO {m}.{i}', RES=f'{m}.{i}', RESP=1)
    for batch in range(5):
        m, n, began = mark(), mark(), now()
        p = r.pipeline(transaction=True)
        p.execute_command('ECHO', m)
        p.execute_command('INCR', n)
        p.execute()
        say(m, began, REQ=f'ECHO {m}', RES='QUEUED', RESP=1)
        say(n, began, REQ=f'INCR {n}', RES='QUEUED', RESP=1)
two.close()
three.close()
done()
