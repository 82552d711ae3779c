#!/usr/bin/env bash
# Records the MySQL captures: a MariaDB server; the mariadb command line, PyMySQL, mysql-connector-python and the Node drivers
# mysql2 and mariadb as clients. PYTHON (default: python3) must have the first two, NODE_PATH the other two.
# `ONLY=case testdata/mysql/record.sh` records one anew. Then: UPDATE=1 cargo test -p mfnano --test golden
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
network
python=${PYTHON:-python3}

openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=db.example -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
mariadb-install-db --no-defaults --user=root --datadir="$work/data" --auth-root-authentication-method=normal >"$work/install" 2>&1
serve $S mariadbd --no-defaults --user=root --datadir="$work/data" --socket="$work/sock" --bind-address=10.7.2.2 --port=3306 \
    --local-infile=1 --ssl-cert="$work/cert.pem" --ssl-key="$work/key.pem" --skip-name-resolve --performance-schema=0 \
    --innodb-buffer-pool-size=16M --max-connections=20 --session-track-schema=ON --log-bin --server-id=1
for _ in $(seq 100); do [ -S "$work/sock" ] && break; sleep 0.2; done
mariadb --no-defaults -S "$work/sock" <<'SQL'
create database shop; create database other;
create user ann@'%' identified by 'secret'; grant all on *.* to ann@'%';
use shop;
create table goods (id int primary key auto_increment, name varchar(80), price decimal(10,2), bits longblob, made datetime(6));
insert into goods (name, price) values ('pen', 1.50), ('ink', 2.25), ('it''s', null);
create table mixed (a tinyint, b smallint unsigned, c int, d bigint unsigned, e float, f double, g date, h time(6), i datetime, j varchar(20), k blob);
delimiter //
create procedure two(in n int) begin select n; select n + 1 as m; end//
SQL
cli="$C mariadb --no-defaults -h 10.7.2.2 -u ann -psecret --skip-ssl -t"

record cli "The command line: a statement, a database chosen by COM_INIT_DB and by USE, an error, several results of a procedure, an
empty result, rows affected. USER and DB of each; the statements that the client sends on its own account are there too." <<'DO'
$cli -f <<'SQL'
select count(*) from shop.goods;
use shop
select name, price from goods where price > 1;
select * from nothing;
call two(7);
select * from goods where id = 99;
update goods set price = price + 1 where price is not null;
status
use other
select database();
SQL
DO

record compressed "The compressed protocol: a small statement goes as it is, a large one and large answers in zlib, over many compressed packets." <<'DO'
$cli -f --compress shop <<SQL
select 1;
select '$(printf 'x%.0s' $(seq 3000))' as big;
select seq, repeat('row', 20) from seq_1_to_2000;
select * from nowhere;
SQL
DO

record login "Logins that fail: a wrong password, an unknown user, a database that is not there. One record each, without a statement and
without the password. One that does not fail has no record of its own." <<'DO'
for who in "-u ann -pwrong" "-u eve -psecret" "-u ann -psecret -D nowhere"; do
    $C mariadb --no-defaults -h 10.7.2.2 --skip-ssl $who -e 'select 1' || true
done
$C mariadb --no-defaults -h 10.7.2.2 --skip-ssl -u ann -psecret -e 'select 2'
DO

record tls "The client asks for TLS: nothing of it is told but that it did (anomaly mysql-tls)." <<'DO'
$C mariadb --no-defaults -h 10.7.2.2 --ssl -u ann -psecret -e 'select 1'
DO

record text-python "PyMySQL: text statements, an error, two statements in one, a file by LOAD DATA LOCAL, a ping, another database, a large answer." <<'DO'
printf 'a,1\nb,2\nc,3\n' >"$work/goods.csv"
$C "$python" - "$work/goods.csv" <<'PY'
import pymysql, sys
from pymysql.constants import CLIENT
db = pymysql.connect(host='10.7.2.2', user='ann', password='secret', database='shop', local_infile=True,
                     client_flag=CLIENT.MULTI_STATEMENTS, ssl_disabled=True, autocommit=True)
c = db.cursor()
c.execute('select id, name from goods where name = %s', ("it's",))
c.execute('insert into goods (name, price) values (%s, %s)', ('cap', 3))
try: c.execute('selec 1')
except pymysql.Error: pass
c.execute('select 1; update goods set price = 9 where name = "cap"; select 2, 3')
while c.nextset(): pass
c.execute("load data local infile '%s' into table goods fields terminated by ',' (name, price)" % sys.argv[1])
db.ping()
db.select_db('other')
c.execute('select database()')
c.execute('select repeat("y", 100) from shop.seq_1_to_300'.replace('shop.', ''))
c.execute('insert into shop.goods (name, bits) values ("b", %s)', (b'\x00\xff\x27\\' * 10,))
db.close()
PY
DO

record connector "mysql-connector-python: prepared statements with values of many types, NULL, one that was sent ahead (long data), one that
fails, and the same one executed again. PARAMS of each." <<'DO'
$C "$python" - <<'PY'
import datetime, decimal, mysql.connector as m
db = m.connect(host='10.7.2.2', user='ann', password='secret', database='shop', ssl_disabled=True, use_pure=True, autocommit=True)
c = db.cursor(prepared=True)
q = 'insert into mixed (a, b, c, d, f, g, h, i, j, k) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'
c.execute(q, (-1, 65535, -70000, 2**63 + 1, 1.5, datetime.date(2024, 2, 29), datetime.timedelta(hours=-30, microseconds=5),
              datetime.datetime(2024, 2, 29, 12, 30, 45), "it's", b'\x00\x01\xfe'))
c.execute(q, (None, 1, None, 2, -0.25, None, datetime.timedelta(0), None, None, None))
c.execute('select a, j from mixed where j = ? or a = ?', ("it's", decimal.Decimal('1.25')))
c.fetchall()
c.execute('insert into goods (name, bits) values (?, ?)', ('long', b'L' * 9000))
try: c.execute('select * from nothing where a = ?', (1,))
except m.Error: pass
c.close()
db.cmd_reset_connection()
db.cmd_change_user('ann', 'secret', 'other')
k = db.cursor()
k.execute('select database()')
k.fetchall()
db.close()
PY
DO

record mysql2 "mysql2 of Node: prepared statements, executed again, closed; a value too many; several statements; compressed." <<'DO'
$C node - <<'JS'
const mysql = require('mysql2/promise');
(async () => {
  for (const compress of [false, true]) {
    const db = await mysql.createConnection({host: '10.7.2.2', user: 'ann', password: 'secret', database: 'shop', compress, multipleStatements: true});
    await db.execute('select * from goods where id > ? and name <> ?', [1, 'x']);
    await db.execute('select * from goods where id > ? and name <> ?', [2, null]);
    await db.execute('select ? as a, ? as b', [1.5, new Date(Date.UTC(2024, 1, 29))]);
    await db.query('select 1; select 2');
    await db.execute('insert into nothing values (?)', [1]).catch(() => {});
    db.unprepare('select ? as a, ? as b');
    await db.query('select name from goods limit 2');
    await Promise.all([db.query('do 1'), db.query('do 2'), db.query('do 3')]);
    await db.end();
  }
})();
JS
DO

record mariadb-node "The mariadb driver of Node: preparation and execution sent together, a batch in one COM_STMT_BULK_EXECUTE, pipelined statements." <<'DO'
$C node - <<'JS'
const mariadb = require('mariadb');
(async () => {
  const db = await mariadb.createConnection({host: '10.7.2.2', user: 'ann', password: 'secret', database: 'shop', pipelining: true});
  await db.execute('select * from goods where id > ? and name <> ?', [1, 'x']);
  await db.execute('select * from goods where id > ? and name <> ?', [2, 'y']);
  await db.batch('insert into goods (name, price) values (?, ?)', [['b1', 1], ['b2', null], ["b'3", 3.5]]);
  await db.execute('insert into nothing values (?)', [1]).catch(() => {});
  await Promise.all([db.query('do 1'), db.query('select 2'), db.query('oops').catch(() => {}), db.query('do 3')]);
  await db.end();
})();
JS
DO

record replica "A client of the binary log: it is left alone from COM_BINLOG_DUMP on; what it asked before is told." <<'DO'
$C timeout 10 mariadb-binlog --no-defaults -h 10.7.2.2 -u ann -psecret --skip-ssl --read-from-remote-server "$(mariadb --no-defaults -S "$work/sock" -N -e 'show master status' | cut -f1)" >/dev/null
DO

derive gap compressed "The capture \`compressed\` without some segments of the large answer: that statement is told with QUALITY gap, the next is right." '
sent = [i for i, f in enumerate(frames) if server(f) and data(f) > 1000]
for i in reversed(sent[1:2]): del frames[i]'
derive midstream connector "The capture \`connector\` from the first execution on: a statement that was prepared before has no text, but PARAMS where
types come with them." '
def command(f): return f[1][-data(f):][4:5]
del frames[:next(i for i, f in enumerate(frames) if not server(f) and data(f) > 5 and command(f) == bytes([0x17]))]'
