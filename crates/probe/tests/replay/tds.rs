//! Scripts of SQL Server's protocol.

use super::Case;
use testkit::Sender::{Client, Server};
use testkit::replay::{Answer, Call, Login, Tds, Value};

const ANN: Login<'static> =
    Login { user: "ann", password: "Pa55-geheim", db: "shop", app: "orders", host: "ws1" };
/// Numbers of procedures, 2.2.6.6.
const CURSOR_OPEN: u16 = 2;
const CURSOR_FETCH: u16 = 7;
const CURSOR_CLOSE: u16 = 9;
const EXECUTE_SQL: u16 = 10;
const EXECUTE: u16 = 12;
const PREP_EXEC: u16 = 13;
const UNPREPARE: u16 = 15;

fn connection(size: usize) -> Tds {
    Tds::new("10.0.0.1:40000", "10.0.0.2:1433", size)
}

fn logged_in(size: usize) -> Tds {
    let mut t = connection(size);
    t.prelogin(2, 2, false);
    t.login(&ANN);
    t.accept();
    t
}

fn goods(n: i32, text: usize) -> Answer {
    let name = |i: i32| Value::nvarchar(&format!("thing {i} ").repeat(text));
    let columns = [("id", Value::int(0)), ("name", Value::nvarchar("")), ("price", Value::money(0, ""))];
    (0..n).fold(Answer::new().columns(&columns), |a, i| {
        if i % 3 == 2 {
            a.row_with_nulls(&[Some(Value::int(i)), None, Some(Value::money(i64::from(i), ""))])
        } else {
            a.row(&[Value::int(i), name(i), Value::money(10_000, "").null()])
        }
    })
}

pub(super) fn cases() -> Vec<Case> {
    let case = |name, script: Tds, mss, shows| Case {
        name,
        script: script.script(),
        mss,
        shows,
        needs: if name.contains("tls-login") { 8 } else { 0 },
    };
    vec![
        case(
            "sqlserver/spec-batches",
            batches(),
            1460,
            "Batches: results, counts, errors and messages (number, severity, state), several statements in a batch,\na database chosen, a transaction, a long statement and a large result in many packets.",
        ),
        case(
            "sqlserver/spec-values",
            values(),
            1460,
            "sp_executesql with values of the common types, NULLs, and MAX types in chunks.",
        ),
        case(
            "sqlserver/spec-calls",
            calls(),
            1460,
            "Statements prepared and executed by handle, a cursor opened and fetched from, procedures with\na return status and output parameters, several calls in one message.",
        ),
        case(
            "sqlserver/spec-attention",
            attention(),
            1460,
            "Requests that the client cancels: before the answer, within rows, and too late.",
        ),
        case(
            "sqlserver/spec-mars",
            mars(),
            1460,
            "Two sessions multiplexed on one connection (MARS), their requests and the packets of their answers mixed.",
        ),
        case(
            "sqlserver/spec-refused",
            refused(),
            1460,
            "A login that fails: one record, without a statement, with the error.",
        ),
        case(
            "sqlserver/spec-tls-login",
            tls_login(),
            1460,
            "TLS for the login alone (encryption off on both sides): statements behind it are told; user and database are not known.",
        ),
        case(
            "sqlserver/spec-tls",
            tls(),
            1460,
            "Encryption on: nothing is told but the flow, and that it was encrypted (ANOMALIES).",
        ),
    ]
}

fn batches() -> Tds {
    let mut t = logged_in(4096);
    t.batch("select id, name, price from goods where id < 5");
    t.answer(goods(5, 1).done(5, false));
    t.batch("update goods set price = price * 2 where id > 3");
    t.answer(Answer::new().done(17, false));
    t.batch("select * from nowhere");
    t.answer(Answer::new().error(208, 1, 16, "Invalid object name 'nowhere'.").done_failed());
    t.batch("print 'hello'");
    t.answer(Answer::new().info(0, "hello").done_without_count());
    t.batch("insert into t values (1); insert into t values (2), (3); select id from t");
    t.answer(
        Answer::new()
            .done(1, true)
            .done(2, true)
            .columns(&[("id", Value::int(0))])
            .row(&[Value::int(1)])
            .done(1, false),
    );
    t.batch("raiserror('first', 16, 2); raiserror('second', 11, 1)");
    t.answer(Answer::new().error(50_000, 2, 16, "first").error(50_001, 1, 11, "second").done_failed());
    t.batch("use stock");
    t.answer(
        Answer::new()
            .database("stock", "shop")
            .info(5701, "Changed database context to 'stock'.")
            .done_without_count(),
    );
    t.batch("delete from shelf where empty = 1");
    t.answer(Answer::new().done(0, false));
    t.commit();
    t.answer(Answer::new().done_without_count());
    t.batch(&format!("select '{}' as long_text", "abcdefghij ".repeat(700)));
    t.answer(goods(1, 1).done(1, false));
    t.batch("select * from everything");
    t.answer(goods(90, 8).done(90, false));
    t.batch("select 'the last of them'");
    t.answer(goods(1, 1).done(1, false));
    t
}

fn values() -> Tds {
    let mut t = logged_in(4096);
    let text = |s: &str| Value::nvarchar(s);
    let one = |t: &mut Tds, n: usize, name: &str, kind: &str, v: Value| {
        let sql = format!("update t set c{n} = {name}");
        let declared = text(&format!("{name} {kind}"));
        t.call(Call::numbered(EXECUTE_SQL, &sql).with(text(&sql)).with(declared).bind(name, v));
        t.answer(Answer::new().done_in_proc(n as u64).done_proc(0, false));
    };
    let all = vec![
        ("tinyint", Value::tinyint(255)),
        ("smallint", Value::smallint(-32768)),
        ("int", Value::int(-7)),
        ("bigint", Value::bigint(i64::MAX)),
        ("bit", Value::bit(true)),
        ("nvarchar(40)", Value::nvarchar("it's Grüße \u{1f600}")),
        ("nvarchar(40)", Value::nvarchar("")),
        ("varchar(40)", Value::varchar("O'Brien")),
        (
            "decimal(38,4)",
            Value::decimal(-1_234_567_890_123_456_789_012_345_678, 4, "-123456789012345678901234.5678"),
        ),
        ("decimal(38,2)", Value::decimal(5, 2, "0.05")),
        ("money", Value::money(-12_345_678_901_234, "-1234567890.1234")),
        ("smallmoney", Value::smallmoney(12_500, "1.2500")),
        ("real", Value::real(2.5, "2.5")),
        ("float", Value::float(-0.1, "-0.1")),
        ("date", Value::date(2024, 2, 29)),
        ("date", Value::date(1, 1, 1)),
        ("date", Value::date(9999, 12, 31)),
        ("time(7)", Value::time(23, 59, 59, 9_999_999)),
        ("datetime2(3)", Value::datetime2((1969, 12, 31), (12, 34, 56), 789)),
        ("datetime", Value::datetime((1899, 12, 31), (1, 2, 3), 50)),
        ("datetime", Value::datetime((2100, 3, 1), (0, 0, 0), 0)),
        ("uniqueidentifier", Value::guid("00112233-4455-6677-8899-aabbccddeeff")),
        ("varbinary(20)", Value::varbinary(&[0, 0x27, 0xff])),
        ("varbinary(20)", Value::varbinary(&[])),
        ("nvarchar(max)", Value::nvarchar_max(&"max ".repeat(50), 64)),
        ("varchar(max)", Value::varchar_max("abc", 2)),
        ("varbinary(max)", Value::varbinary_max(&[1, 2, 3, 4, 5], 2)),
    ];
    for (n, (kind, v)) in all.iter().enumerate() {
        one(&mut t, n, "@v", kind, v.clone());
    }
    for (n, (kind, v)) in all.iter().enumerate() {
        one(&mut t, 100 + n, "@null", kind, v.clone().null());
    }
    let sql = "insert into t select @a, @b, @c";
    let call = Call::numbered(EXECUTE_SQL, sql).with(text(sql)).with(text("@a int, @b nvarchar(9), @c bit"));
    t.call(call.bind("@a", Value::int(1)).bind("@b", text("x").null()).bind("@c", Value::bit(false)));
    t.answer(Answer::new().done_in_proc(1).done_proc(0, false));
    // More than fits a packet, and a name instead of the number.
    let sql = "insert into notes values (@text, @n)";
    let call =
        Call::named("sp_executesql").told_as(sql).with(text(sql)).with(text("@text nvarchar(max), @n int"));
    t.call(
        call.bind("@text", Value::nvarchar_max(&"0123456789".repeat(600), 4000)).bind("@n", Value::int(9)),
    );
    t.answer(Answer::new().done_in_proc(1).done_proc(0, false));
    t
}

fn calls() -> Tds {
    let mut t = logged_in(4096);
    let text = |s: &str| Value::nvarchar(s);
    let handle = |n: i32| Value::int(n);
    let sql = "select name from goods where id = @P1";
    let call =
        Call::numbered(PREP_EXEC, sql).with_output(handle(0).null()).with(text("@P1 int")).with(text(sql));
    t.call(call.bind("", Value::int(1)));
    t.answer(goods(1, 1).done_in_proc(1).output(0, "", &handle(7)).done_proc(0, false));
    for i in 2..5 {
        t.call(Call::numbered(EXECUTE, sql).by_handle().with(handle(7)).bind("", Value::int(i)));
        t.answer(goods(i, 2).done_in_proc(i as u64).done_proc(0, false));
    }
    t.call(Call::numbered(EXECUTE, sql).by_handle().with(handle(7)).bind("", Value::int(99)));
    t.answer(Answer::new().error(1205, 45, 13, "Transaction was deadlocked.").done_proc(-6, false));
    t.call(Call::numbered(UNPREPARE, "").silent().with(handle(7)));
    t.answer(Answer::new().done_proc(0, false));
    // A cursor: its statement once, then its fetches as the calls that they are.
    let sql = "select id from goods order by id";
    let open = Call::numbered(CURSOR_OPEN, sql).with_output(handle(0).null()).with(text(sql));
    t.call(open.with_output(handle(8)).with_output(handle(1)).with_output(handle(0)));
    t.answer(
        Answer::new()
            .columns(&[("id", Value::int(0))])
            .done_in_proc(0)
            .output(0, "", &handle(180_150_003))
            .output(4, "", &handle(-1))
            .done_proc(0, false),
    );
    for first in [1, 11] {
        let fetch = Call::numbered(CURSOR_FETCH, "sp_cursorfetch").bind("", handle(180_150_003));
        t.call(fetch.bind("", handle(2)).bind("", handle(first)).bind("", handle(10)));
        let rows =
            (0..10).fold(Answer::new().columns(&[("id", Value::int(0))]), |a, i| a.row(&[Value::int(i)]));
        t.answer(rows.done_in_proc(10).done_proc(0, false));
    }
    t.call(Call::numbered(CURSOR_CLOSE, "").silent().with(handle(180_150_003)));
    t.answer(Answer::new().done_proc(0, false));
    // A procedure with a return status and what it gives out.
    let named = Call::named("shop.dbo.take_stock").bind("@shelf", Value::smallint(3));
    t.call(named.bind("@at", Value::date(2024, 5, 1).null()).bind_output("@count", Value::int(0).null()));
    t.answer(goods(2, 1).done_in_proc(2).output(2, "@count", &Value::int(2)).done_proc(4, false));
    t.call(Call::named("sp_who"));
    t.answer(Answer::new().error(15_007, 1, 16, "'x' is not a valid login.").done_proc(1, false));
    // Three calls in one message: the second fails.
    let insert = |i: i32| {
        let sql = format!("insert into batch{i} values (@P1)");
        let call = Call::numbered(EXECUTE_SQL, &sql).with(text(&sql)).with(text("@P1 int"));
        call.bind("@P1", Value::int(i))
    };
    t.calls(&[insert(1), insert(2), insert(3)]);
    t.answer_all(vec![
        Answer::new().done_in_proc(1).done_proc(0, true),
        Answer::new().error(2627, 1, 14, "Violation of PRIMARY KEY constraint 'pk'.").done_proc(1, true),
        Answer::new().done_in_proc(3).done_proc(0, false),
    ]);
    t.batch("select 'behind it all'");
    t.answer(goods(1, 1).done(1, false));
    t
}

fn attention() -> Tds {
    let mut t = logged_in(512);
    t.batch("waitfor delay '00:10:00'");
    t.attention();
    t.answer(Answer::new().done_cancelled());
    t.batch("select 1 as behind_the_first");
    t.answer(goods(1, 1).done(1, false));
    t.batch("select * from huge");
    t.attention();
    t.answer(goods(30, 2).done(30, true).done_cancelled());
    t.batch("select 2 as behind_the_second");
    t.answer(goods(2, 1).done(2, false));
    // It was done when the server heard of it: the answer, then one of its own for the attention.
    t.batch("update t set a = 1 where too_late = 1");
    t.attention();
    t.answer(Answer::new().done(3, false));
    t.answer_to_nothing(Answer::new().done_cancelled());
    t.batch("select 3 as behind_the_third");
    t.answer(goods(3, 1).done(3, false));
    t
}

fn mars() -> Tds {
    let mut t = connection(512);
    t.prelogin(2, 2, true);
    t.login(&ANN);
    t.accept();
    t.open(0);
    t.batch("select id from first_session");
    t.answer(goods(3, 1).done(3, false));
    t.open(1);
    t.batch("select * from second_session");
    t.on(0);
    t.batch("select * from first_session where slow = 1");
    t.answers(&[(1, vec![goods(12, 2).done(12, false)]), (0, vec![goods(9, 3).done(9, false)])]);
    t.on(1);
    t.acknowledge(Client);
    t.batch("update second_session set n = 1");
    t.on(0);
    t.batch("update first_session set n = 1");
    t.on(1);
    t.answer(Answer::new().error(547, 1, 16, "The UPDATE statement conflicted.").done_failed());
    t.on(0);
    t.answer(Answer::new().done(6, false));
    t.on(1);
    t.finish();
    t.on(0);
    t.batch("select 'still here'");
    t.answer(goods(1, 1).done(1, false));
    t
}

fn refused() -> Tds {
    let mut t = connection(4096);
    t.prelogin(2, 2, false);
    t.login(&Login { user: "eve", ..ANN });
    t.refuse(18_456, "Login failed for user 'eve'.");
    t
}

/// A record of TLS: type, version, bytes that say nothing.
fn record(kind: u8, len: usize) -> Vec<u8> {
    let noise = (0..len).map(|i| (i * 151 + 17) as u8);
    [kind, 3, 3].into_iter().chain((len as u16).to_be_bytes()).chain(noise).collect()
}

fn handshake(t: &mut Tds) {
    t.handshake(Client, &record(0x16, 190));
    t.handshake(Server, &record(0x16, 900));
    t.handshake(Client, &[record(0x16, 70), record(0x14, 1), record(0x16, 40)].concat());
    t.handshake(Server, &[record(0x14, 1), record(0x16, 40)].concat());
}

fn tls_login() -> Tds {
    let mut t = connection(4096);
    t.prelogin(0, 0, false);
    handshake(&mut t);
    t.raw(Client, &record(0x17, 320));
    t.hidden_login("", "shop");
    t.accept();
    t.batch("select 1 as behind_tls");
    t.answer(goods(1, 1).done(1, false));
    t.batch("select 2 as behind_tls");
    t.answer(Answer::new().error(229, 5, 14, "Permission denied.").done_failed());
    t.batch("select * from goods -- behind TLS");
    t.answer(goods(12, 3).done(12, false));
    t.batch("update goods set price = 3");
    t.answer(Answer::new().done(12, false));
    t.batch("select 'the last of them'");
    t.answer(goods(1, 1).done(1, false));
    t
}

fn tls() -> Tds {
    let mut t = connection(4096);
    t.prelogin(1, 1, false);
    handshake(&mut t);
    for n in [320, 90, 400] {
        t.raw(Client, &record(0x17, n));
        t.raw(Server, &record(0x17, n * 2));
    }
    t
}
