"""What the clients of record.sh say: client.py PORT CASE."""
import datetime, decimal, io, ipaddress, sys, uuid
import psycopg, psycopg2

port, case = sys.argv[1:]
D = dict(host="127.0.0.1", port=port, user="postgres", password="only-for-tests", dbname="postgres", sslmode="disable")


def wrong(f, *a):
    try:
        f(*a)
    except (psycopg.Error, psycopg2.Error):
        return
    raise SystemExit("no error")


if case == "simple":
    c = psycopg2.connect(**D); c.autocommit = True; k = c.cursor()
    k.execute("create table t(id int primary key, s text)")
    k.execute("insert into t select g, 'row '||g from generate_series(1, 20) g")
    k.execute("select * from t where id < %s and s <> %s", (10, "it's"))
    k.execute("select 1; select 2; update t set s = 'x' where id < 5")
    k.execute("do $$begin raise notice 'a note'; end$$")
    k.execute("listen ch"); k.execute("notify ch, 'hello'")
    k.execute("show server_version"); k.execute("explain select * from t")
    k.execute("discard all"); c.close()
if case == "extended":
    c = psycopg.connect(**D, autocommit=True)
    c.execute("create table u(id int primary key, s text)")
    c.execute("select %s::int, %s::text, %s", (1, "it's", None))
    c.execute("select %b, %b, %b, %b, %b, %b", (5, 1.25, decimal.Decimal("-12.340"), True, "text", b"\0\xff"))
    c.execute("select %b, %b, %b, %b", (datetime.date(2026, 11, 21), datetime.datetime(2026, 11, 21, 1, 2, 3, 400000),
              datetime.timedelta(days=3, seconds=5), uuid.UUID(int=5)))
    c.execute("select %b, %b, %b", ([1, 2, 3], ["a", "b c", None], ipaddress.ip_address("10.1.2.3")))
    for i in range(4):
        c.execute("select s from u where id = %s", (i,), prepare=True)
    with c.pipeline():
        for i in range(5):
            c.execute("insert into u values (%s, %s)", (i, f"p{i}"))
    p = c.pgconn
    p.prepare(b"never", b"select 'never executed'")
    p.prepare(b"later", b"select $1::int"); p.describe_prepared(b"later")
    p.exec_prepared(b"later", [b"\0\0\0\7"], param_formats=[1])
    with c.transaction(), c.cursor(name="cur") as k:
        k.execute("select * from u"); k.fetchmany(2); k.fetchmany(2)
    c.close()
if case == "errors":
    c = psycopg.connect(**D, autocommit=True)
    c.execute("create table v(id int primary key)")
    wrong(c.execute, "select nope")
    wrong(c.execute, "select %s / 0", (1,))
    wrong(c.execute, "select 1; select 1/0; select 3")

    def skipped():
        with c.pipeline():
            for i in (1, 2, 2, 3):
                c.execute("insert into v values (%s)", (i,))
    wrong(skipped)
    c.execute("select 'fine again'"); c.close()
if case == "copy":
    c = psycopg2.connect(**D); c.autocommit = True; k = c.cursor()
    k.execute("create table w(id int, s text)")
    k.copy_expert("copy w from stdin", io.StringIO("".join(f"{i}\tcopied\n" for i in range(300))))
    k.copy_expert("copy w to stdout", io.StringIO())
    wrong(k.copy_expert, "copy w from stdin", io.StringIO("bad\tx\n")); c.close()
    c = psycopg.connect(**D, autocommit=True); p = c.pgconn
    p.exec_params(b"copy w from stdin", []); p.put_copy_data(b"7\tseven\n"); p.put_copy_end()
    while p.get_result():
        pass
    c.execute("select count(*) from w"); c.close()
if case == "login":
    wrong(lambda: psycopg2.connect(**{**D, "password": "wrong"}))
    wrong(lambda: psycopg2.connect(**{**D, "dbname": "nosuch"}))
    c = psycopg2.connect(**{**D, "sslmode": "prefer"}); c.cursor().execute("select 'TLS was refused'"); c.close()
