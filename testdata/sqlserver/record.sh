#!/usr/bin/env bash
# Records the SQL Server captures: the clients are real (FreeTDS' tsql, python-tds, Node's tedious), the server is a stand-in that
# plays MS-TDS (server.py). PYTHON (default: python3) must have python-tds, NODE_PATH tedious.
# `ONLY=case testdata/sqlserver/record.sh` records one anew. Then: UPDATE=1 cargo test -p mfnano --test golden
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
network
python=${PYTHON:-python3}
serve $S python3 "$here/server.py" 10.7.2.2 1433
wait_port 1433
export TDSVER=7.4

record freetds "FreeTDS: statements with rows of many types (in many packets, too), an error, a database chosen, a statement with no rows.
A login that fails has a record of its own. The server is a stand-in, see server.py." <<'DO'
printf 'select rows 3\ngo\nselect * from nowhere\ngo\nuse shop\ngo\nupdate t set a = 1\ngo\nselect rows 120\ngo\nexit\n' |
    $C tsql -H 10.7.2.2 -p 1433 -U ann -P secret || true
printf 'select 1\ngo\n' | $C tsql -H 10.7.2.2 -p 1433 -U eve -P secret || true
DO

derive gap freetds "The capture \`freetds\` without one segment of the large answer: that statement is told with QUALITY gap and without
what cannot be known then; the failed login behind it is right." '
big = [i for i, f in enumerate(frames) if server(f) and data(f) > 1000]
del frames[big[2]]
'

record python-tds "python-tds: values bound (sp_executesql), an error, transactions. PARAMS of each. The server is a stand-in, see server.py." <<'DO'
$C "$python" - <<'PY'
import datetime, decimal, pytds, uuid
with pytds.connect(dsn='10.7.2.2', port=1433, database='shop', user='ann', password='secret', autocommit=False) as c:
    with c.cursor() as k:
        k.execute('select rows 2 where a = %s and b = %s and c = %s', (7, "it's", None)); k.fetchall()
        k.execute('insert into t values (%s, %s, %s, %s)', (decimal.Decimal('12.50'), datetime.datetime(2024, 2, 29, 1, 2, 3), b'\x01\x02', True))
        try: k.execute('select * from nowhere where a = %s', (2.5,))
        except Exception as e: print(e)
    c.commit()
PY
DO

record tedious "Node's tedious: a batch, values of many types, a statement prepared and executed twice, a transaction, a bulk load, a request that is
cancelled. The server is a stand-in, see server.py." <<'DO'
$C node - <<'JS'
const { Connection, Request, TYPES } = require('tedious');
const c = new Connection({ server: '10.7.2.2', authentication: { type: 'default', options: { userName: 'ann', password: 'secret' } },
    options: { port: 1433, encrypt: false, trustServerCertificate: true, database: 'shop', cancelTimeout: 2000 } });
const step = (f) => new Promise((done) => f((e) => { if (e) console.log(e.message); done(); }));
const sql = (text, add, how = 'execSql') => step((done) => { const r = new Request(text, done); if (add) add(r); c[how](r); });
c.connect(async (e) => {
    if (e) { console.log(e); process.exit(1); }
    await sql('select rows 3', null, 'execSqlBatch');
    await sql('select rows 2 where a = @a and b = @b and c = @c and d = @d and e = @e and f = @f', (r) => {
        r.addParameter('a', TYPES.Int, 7); r.addParameter('b', TYPES.NVarChar, "it's"); r.addParameter('c', TYPES.Bit, true);
        r.addParameter('d', TYPES.DateTime2, new Date(Date.UTC(2024, 1, 29, 1, 2, 3))); r.addParameter('e', TYPES.Decimal, 12.5, { precision: 10, scale: 2 });
        r.addParameter('f', TYPES.UniqueIdentifier, '00112233-4455-6677-8899-aabbccddeeff'); });
    await sql('select * from nowhere where a = @a', (r) => r.addParameter('a', TYPES.Float, 2.5));
    const p = new Request('update t set a = @a', () => {});
    p.addParameter('a', TYPES.Int);
    await new Promise((done) => { p.on('prepared', done); c.prepare(p); });
    for (const a of [1, 2]) await new Promise((done) => { p.callback = done; p.userCallback = done; p.once('requestCompleted', done); c.execute(p, { a }); });
    await step((done) => c.beginTransaction(done, 't1'));
    await step((done) => c.commitTransaction(done));
    await new Promise((done) => { const b = c.newBulkLoad('goods', (e, n) => done());
        b.addColumn('a', TYPES.Int, { nullable: true }); c.execBulkLoad(b, [[1], [2]]); });
    await step((done) => { const r = new Request('wait for it', done); c.execSqlBatch(r); setTimeout(() => c.cancel(), 200); });
    await sql('select 1', null, 'execSqlBatch');
    c.close();
});
setTimeout(() => process.exit(0), 8000).unref();
JS
DO
