"""PyMySQL (text) and mysql-connector-python (prepared, compressed; it would speak TLS, but the server does not)."""
import datetime
import pymysql, mysql.connector
from truth import host, mark, now, say, ready, done

D = dict(host=host, user='ann', password='secret', database='shop', autocommit=True)
U = dict(USER='ann', DB='shop', RESP=1)


def text(k, sql, rows):
    m, began = mark(), now()
    sql = sql.replace('MARK', m)
    try:
        n = k.execute(sql)
        assert rows is None or n == rows, (sql, n)
        say(m, began, SQL=sql, ROWS=n, RET_CODE=0, ERR='', **U)
    except pymysql.Error as e:
        say(m, began, SQL=sql, RET_CODE=e.args[0], ERR=e.args[1], **U)


a = pymysql.connect(**D)
k = a.cursor()
b = mysql.connector.connect(**D, use_pure=True, compress=True)
c = b.cursor(prepared=True)
ready()
text(k, 'drop table if exists t /* MARK */', 0)
text(k, 'create table t (id int primary key auto_increment, name varchar(80), price decimal(10,2)) /* MARK */', 0)
text(k, "insert into t (name, price) select concat('row ', seq), seq from seq_1_to_200 /* MARK */", 200)
for i in range(150):
    text(k, f"select name from t where id <= {i} and name <> 'MARK'", i)
for i in range(1, 20):
    text(k, f"update t set name = 'MARK it''s' where id < {i}", i - 1)
for i in range(5):
    text(k, "select 'MARK', repeat('x', 1000) from seq_1_to_300", 300)
text(k, "select 'MARK', '" + 'y' * 9000 + "'", 1)
for i in range(10):
    text(k, "select nope from t where name = 'MARK'", 0)
    text(k, "selec 'MARK'", 0)
    text(k, "select * from nothing where a = 'MARK'", 0)
    text(k, "insert into t (id, name) values (1, 'MARK')", 0)
    text(k, "select 'MARK' as fine", 1)


prepared = None


def execute(sql, values, params, rows, code=0):
    """The connector prepares anew when the text is another one than before."""
    global prepared
    began = now()
    m = next(v for v in values if str(v).startswith('mk'))
    if sql != prepared:
        say('', began, SQL=sql)
        prepared = sql
    try:
        c.execute(sql, values)
        if sql.startswith('select'):
            assert len(c.fetchall()) == rows, sql
        assert code == 0, sql
        say(m, began, SQL=sql, PARAMS=params, ROWS=rows, RET_CODE=0, ERR='', **U)
    except mysql.connector.Error as e:
        assert e.errno == code, e
        say(m, began, SQL=sql, PARAMS=params, RET_CODE=e.errno, ERR=e.msg, **U)


for i in range(60):
    m = mark()
    execute('select name from t where id <= ? and name <> ?', (i, m), f"{i}, '{m}'", i)
for i in range(10):
    m = mark()
    execute('insert into t (id, name) values (?, ?)', (1, m), f"1, '{m}'", 0, code=1062)
    m = mark()
    execute('insert into t (name, price) values (?, ?)', (m, None), f"'{m}', NULL", 1)
    m = mark()
    day = datetime.datetime(2024, 2, 29, 12, 30, 45)
    execute('select ?, ?, ?', (m, 1.5, day), f"'{m}', 1.5, '2024-02-29 12:30:45'", 1)
    m = mark()
    execute("select repeat('z', 2000), ? from seq_1_to_200", (m,), f"'{m}'", 200)
a.close()
b.close()
done()
