"""psycopg2 (text), psycopg 3 (extended, prepared, pipelined), both over a refused TLS."""
import io
import psycopg, psycopg2
from truth import host, mark, now, say, ready, done

D = dict(host=host, user='ann', password='secret', dbname='postgres', sslmode='prefer', connect_timeout=30)
U = dict(USER='ann', DB='postgres', RESP=1)


def text(k, sql, rows, **more):
    m, began = mark(), now()
    sql = sql.replace('MARK', m)
    try:
        k.execute(sql)
        if k.description:
            assert len(k.fetchall()) == rows, sql
        say(m, began, SQL=sql, ROWS=rows, RET_CODE=0, ERR='', **U, **more)
    except psycopg2.Error as e:
        say(m, began, SQL=sql, RET_CODE=e.pgcode, ERR=e.diag.message_primary, **U)


a = psycopg2.connect(**D)
a.autocommit = True
k = a.cursor()
b = psycopg.connect(**D, autocommit=True)
ready()
text(k, "drop table if exists t /* MARK */", 0)
text(k, "create table t(id int primary key, s text) /* MARK */", 0)
text(k, "insert into t select g, 'row '||g from generate_series(1, 200) g /* MARK */", 200)
for i in range(150):
    text(k, f"select s from t where id <= {i} and s <> 'MARK'", i)
for i in range(20):
    text(k, f"update t set s = 'MARK it''s' where id < {i}", max(0, i - 1))
for i in range(5):
    text(k, "select 'MARK', repeat('x', 1000) from generate_series(1, 300)", 300)
text(k, "select 'MARK', '" + 'y' * 9000 + "'", 1)
for i in range(10):
    text(k, "select nope from t where s = 'MARK'", 0)
    text(k, "selec 'MARK'", 0)
    text(k, "select 1 / 0 as MARK", 0)
    text(k, "insert into t values (1, 'MARK')", 0)
    text(k, "select 'MARK' as fine", 1)
m, began = mark(), now()
sql = f'copy t to stdout -- {m}'
k.copy_expert(sql, io.StringIO())
say(m, began, SQL=sql, ROWS=200, RET_CODE=0, **U)


def extended(sql, values, params, rows, code=0, err='', **more):
    began = now()
    m = next(v for v in values if str(v).startswith('mk'))
    told = sql
    for i in range(len(values)):
        told = told.replace('%s', f'${i + 1}', 1)
    try:
        c = b.execute(sql, values, **more)
        if c.description:
            assert len(c.fetchall()) == rows, sql
        assert code == 0
        say(m, began, SQL=told, PARAMS=params, ROWS=rows, RET_CODE=0, ERR='', **U)
    except psycopg.Error as e:
        say(m, began, SQL=told, PARAMS=params, RET_CODE=e.sqlstate, ERR=e.diag.message_primary, **U)


for i in range(60):
    m = mark()
    extended('select s from t where id <= %s and s <> %s', (i, m), f"{i}, '{m}'", i, prepare=i % 2 == 0)
for i in range(10):
    m = mark()
    extended('select %s::int, %s::text, %s::float8, %s::text, %s', (i, m, 1.5, None, True), f"{i}, '{m}', 1.5, NULL, true", 1)
    m = mark()
    extended('insert into t values (%s, %s)', (1, m), f"1, '{m}'", 0, code=23505)
    m = mark()
    extended('select %s::text, 1 / %s', (m, 0), f"'{m}', 0", 0, code=22012)
    m = mark()
    extended("select repeat('z', 2000), %s::text from t", (m,), f"'{m}'", 200)
for batch in range(10):
    began = now()
    marks = [mark() for _ in range(12)]
    with b.pipeline():
        for i, m in enumerate(marks):
            b.execute('insert into t values (%s, %s)', (1000 + batch * 100 + i, m))
    for i, m in enumerate(marks):
        say(m, began, SQL='insert into t values ($1, $2)', PARAMS=f"{1000 + batch * 100 + i}, '{m}'", ROWS=1, RET_CODE=0, ERR='', **U)
# An error in a pipeline: what comes after it is skipped by the server, or not sent any more when it came in time.
for batch in range(5):
    began = now()
    marks = [mark() for _ in range(4)]
    keys = [5000 + batch * 10, 1, 5001 + batch * 10, 5002 + batch * 10]
    try:
        with b.pipeline():
            for key, m in zip(keys, marks):
                b.execute('insert into t values (%s, %s)', (key, m))
        raise SystemExit('no error')
    except psycopg.Error as e:
        assert e.sqlstate == '23505'
    for i, (key, m) in enumerate(zip(keys, marks)):
        facts = [dict(ROWS=1, RET_CODE=0, RESP=1), dict(RET_CODE='23505', RESP=1), dict(RESP=0, maybe=1)][min(i, 2)]
        say(m, began, SQL='insert into t values ($1, $2)', PARAMS=f"{key}, '{m}'", **{**U, **facts})
a.close()
b.close()
done()
