//! Whole dialogues.

use super::wire::{FULL, com};
use super::{Session, fuzz_mysql, probe};
use crate::harness::{C, Harness, Outcome, Row, S, Script, cut_every_way, mutations, slices};
use crate::session::{Limits, Transport, Verdict};

fn new() -> Harness<Session> {
    Harness::new(Session::new(Transport::Tcp)).ports([40000, 3306])
}

/// A packet.
fn p(seq: u8, payload: &[u8]) -> Vec<u8> {
    let [a, b, c, _] = (payload.len() as u32).to_le_bytes();
    [&[a, b, c, seq][..], payload].concat()
}

/// Packets numbered from `seq` on.
fn ps(seq: u8, payloads: &[&[u8]]) -> Vec<u8> {
    payloads.iter().enumerate().flat_map(|(i, b)| p(seq.wrapping_add(i as u8), b)).collect()
}

fn greeting() -> Vec<u8> {
    let mut g = b"\x0a8.0.29\0\x3b\0\0\0IZ\x086Ceh\x13\0".to_vec();
    g.extend(b"\xff\xff\xff\x02\0\xff\xff\x15\0\0\0\0\0\0\0\0\0\0ABCDEFGHIJKL\0caching_sha2_password\0");
    p(0, &g)
}

fn login(caps: u32) -> Vec<u8> {
    let mut l = (caps | 0x0028_8209).to_le_bytes().to_vec();
    l.extend([0, 0, 0, 1, 255]);
    l.extend([0; 23]);
    l.extend(b"ann\0\x04\x01\x02\x03\x04shop\0caching_sha2_password\0");
    p(1, &l)
}

const DEPRECATE_EOF: u32 = 1 << 24;
const ATTRIBUTES: u32 = 1 << 27;
const COMPRESS: u32 = 1 << 5;
const ZSTD: u32 = 1 << 26;

const OK: &[u8] = &[0, 0, 0, 2, 0, 0, 0];
const EOF: &[u8] = &[0xfe, 0, 0, 2, 0];
/// OK in place of EOF.
const END: &[u8] = &[0xfe, 0, 0, 2, 0, 0, 0];
const COLUMN: &[u8] = b"\x03def\0\0\0\x01a\0\x0c\x3f\0\x01\0\0\0\x08\x81\0\0\0\0";
const ERR: &[u8] = b"\xff\x7a\x04#42S02Table 'x' doesn't exist";

fn logged_in(caps: u32) -> Script {
    vec![(S, greeting()), (C, login(caps)), (S, p(2, &[1, 3])), (S, p(3, OK))]
}

fn command(c: u8, body: &[u8]) -> Vec<u8> {
    p(0, &[&[c][..], body].concat())
}

fn query(text: &str) -> Vec<u8> {
    command(com::QUERY, text.as_bytes())
}

fn run(script: &Script) -> Vec<Row> {
    cut_every_way(new, &slices(script))
}

/// SQL, RET_CODE, ROWS and QUALITY.
fn short(rows: &[Row]) -> Vec<String> {
    rows.iter()
        .map(|r| format!("{}|{}|{}|{}", r.get("SQL"), r.get("RET_CODE"), r.get("ROWS"), r.quality()))
        .collect()
}

#[test]
fn a_login_and_queries_with_and_without_eof() {
    let mut with = logged_in(0);
    with.push((C, query("select a from t")));
    with.push((S, ps(1, &[&[1], COLUMN, EOF, b"\x011", b"\x012", b"\xfb", EOF])));
    with.push((C, query("select a from t where 0")));
    with.push((S, ps(1, &[&[1], COLUMN, EOF, EOF])));
    with.push((C, query("insert into t values (1),(2)")));
    with.push((S, p(1, &[0, 2, 0, 2, 0, 0, 0])));
    with.push((C, query("select * from x")));
    with.push((S, p(1, ERR)));
    with.push((C, command(com::QUIT, b"")));
    let rows = run(&with);
    let want = [
        "select a from t|0|3|",
        "select a from t where 0|0|0|",
        "insert into t values (1),(2)|0|2|",
        "select * from x|1146||",
    ];
    assert_eq!(short(&rows), want);
    assert_eq!((rows[0].get("USER"), rows[0].get("DB"), rows[0].get("ERR")), ("ann", "shop", ""));
    assert_eq!(rows[3].get("ERR"), "Table 'x' doesn't exist");
    assert_eq!(rows[0].get("RESP"), "", "the engine's");
    // Times: the query is the 5th packet.
    assert_eq!((rows[0].begin, rows[0].asked, rows[0].answering, rows[0].end), (5, 5, Some(6), 6));

    let mut without = logged_in(DEPRECATE_EOF);
    without.push((C, query("select a from t")));
    without.push((S, ps(1, &[&[1], COLUMN, b"\x011", b"\x012", b"\xfb", END])));
    without.push((C, query("select a from t where 0")));
    without.push((S, ps(1, &[&[1], COLUMN, END])));
    without.extend(with.into_iter().skip(8));
    assert_eq!(short(&run(&without)), want);
}

#[test]
fn results_of_several_statements_are_one_answer() {
    let mut s = logged_in(DEPRECATE_EOF);
    s.push((C, query("select 1; update t set a = 1; select 2")));
    let more: &[u8] = &[0xfe, 0, 0, 0x0a, 0, 0, 0];
    s.push((S, ps(1, &[&[1], COLUMN, b"\x011", more])));
    s.push((S, ps(5, &[&[0, 4, 0, 0x0a, 0, 0, 0], &[1], COLUMN, b"\x012", END])));
    s.push((C, query("select 3; oops")));
    s.push((S, ps(1, &[&[1], COLUMN, b"\x011", more, ERR])));
    s.push((C, query("do 1")));
    s.push((S, p(1, OK)));
    let want = ["select 1; update t set a = 1; select 2|0|6|", "select 3; oops|1146||", "do 1|0|0|"];
    assert_eq!(short(&run(&s)), want);
}

/// The answer to a preparation.
fn prepared(id: u8, columns: u8, params: u8) -> Vec<u8> {
    vec![0, id, 0, 0, 0, columns, 0, params, 0, 0, 0, 0]
}

fn execute(id: u8, tail: &[u8]) -> Vec<u8> {
    command(com::STMT_EXECUTE, &[&[id, 0, 0, 0, 0, 1, 0, 0, 0][..], tail].concat())
}

/// Prepared, executed twice, with long data, reset, closed, executed by mistake.
fn statements(eofs: bool) -> Script {
    let mut s = logged_in(if eofs { 0 } else { DEPRECATE_EOF });
    s.push((C, command(com::STMT_PREPARE, b"select a from t where a = ? and b = ?")));
    let ok = prepared(7, 1, 2);
    s.push((
        S,
        match eofs {
            true => ps(1, &[&ok, COLUMN, COLUMN, EOF, COLUMN, EOF]),
            false => ps(1, &[&ok, COLUMN, COLUMN, COLUMN]),
        },
    ));
    s.push((C, execute(7, b"\x00\x01\x03\x00\xfd\x00\x05\x00\x00\x00\x02it")));
    s.push((
        S,
        match eofs {
            true => ps(1, &[&[1], COLUMN, EOF, b"\0\0\x01\0\0\0", EOF]),
            false => ps(1, &[&[1], COLUMN, b"\0\0\x01\0\0\0", END]),
        },
    ));
    let long = command(com::STMT_SEND_LONG_DATA, b"\x07\0\0\0\x01\0big");
    let again = execute(7, b"\x01\x00");
    s.push((C, [long, again].concat()));
    s.push((S, p(1, ERR)));
    s.push((C, command(com::STMT_RESET, &[7, 0, 0, 0])));
    s.push((S, p(1, OK)));
    let close = command(com::STMT_CLOSE, &[7, 0, 0, 0]);
    s.push((C, [close, execute(7, b"\0\0")].concat()));
    s.push((S, p(1, b"\xff\xdb\x04#HY000Unknown prepared statement handler")));
    s.push((C, command(com::STMT_PREPARE, b"selec 1")));
    s.push((S, p(1, b"\xff\x28\x04#42000You have an error")));
    s
}

#[test]
fn prepared_statements_with_their_values() {
    for eofs in [true, false] {
        let rows = run(&statements(eofs));
        let text = "select a from t where a = ? and b = ?";
        let want = [
            format!("{text}|0||"),
            format!("{text}|0|1|"),
            format!("{text}|1146||"),
            "|1243||".to_owned(),
            "selec 1|1064||".to_owned(),
        ];
        assert_eq!(short(&rows), want);
        let params: Vec<_> = rows.iter().map(|r| r.has("PARAMS").then(|| r.get("PARAMS"))).collect();
        assert_eq!(params, [None, Some("5, 'it'"), Some("NULL, 'big'"), None, None]);
    }
}

#[test]
fn mariadb_prepares_and_executes_at_once() {
    let mut s = logged_in(DEPRECATE_EOF);
    let prepare = command(com::STMT_PREPARE, b"insert into t values (?)");
    let execute = command(com::STMT_EXECUTE, b"\xff\xff\xff\xff\x00\x01\0\0\0\x00\x01\x03\x00\x09\0\0\0");
    s.push((C, [prepare, execute].concat()));
    s.push((S, [ps(1, &[&prepared(3, 0, 1), COLUMN]), p(1, &[0, 1, 0, 2, 0, 0, 0])].concat()));
    // A bulk: types sent, two rows.
    s.push((C, command(com::STMT_BULK_EXECUTE, b"\x03\0\0\0\x80\0\x03\0\0\x01\0\0\0\x01")));
    s.push((S, p(1, &[0, 2, 0, 2, 0, 0, 0])));
    let rows = run(&s);
    let text = "insert into t values (?)";
    assert_eq!(short(&rows), [format!("{text}|0||"), format!("{text}|0|1|"), format!("{text}|0|2|")]);
    assert_eq!((rows[1].get("PARAMS"), rows[2].get("PARAMS")), ("9", "(1), (NULL)"));
}

#[test]
fn cursors_are_fetched_untold() {
    let mut s = logged_in(0);
    s.push((C, command(com::STMT_PREPARE, b"select a from t")));
    s.push((S, ps(1, &[&prepared(1, 1, 0), COLUMN, EOF])));
    s.push((C, command(com::STMT_EXECUTE, &[1, 0, 0, 0, 1, 1, 0, 0, 0])));
    s.push((S, ps(1, &[&[1], COLUMN, &[0xfe, 0, 0, 0x42, 0]])));
    s.push((C, command(com::STMT_FETCH, &[1, 0, 0, 0, 2, 0, 0, 0])));
    s.push((S, ps(1, &[b"\0\0\x01\0\0\0", b"\0\0\x02\0\0\0", &[0xfe, 0, 0, 0x42, 0]])));
    s.push((C, query("do 1")));
    s.push((S, p(1, OK)));
    let want = ["select a from t|0||", "select a from t|0||", "do 1|0|0|"];
    assert_eq!(short(&run(&s)), want);
}

#[test]
fn of_a_default_database_and_of_fetching_rows_only_errors_are_told() {
    let mut s = vec![
        (C, command(com::INIT_DB, b"shop")),
        (S, p(1, OK)),
        (C, command(com::STMT_PREPARE, b"select a from t")),
        (S, ps(1, &[&prepared(1, 1, 0), COLUMN, EOF])),
        (C, command(com::INIT_DB, b"nope")),
        (S, p(1, b"\xff\x19\x04#42000Unknown database 'nope'")),
    ];
    let fetch = command(com::STMT_FETCH, &[1, 0, 0, 0, 2, 0, 0, 0]);
    s.push((C, fetch.clone()));
    s.push((S, ps(1, &[b"\0\0\x01\0\0\0", &[0xfe, 0, 0, 0x42, 0]])));
    s.push((C, fetch.clone()));
    s.push((S, p(1, b"\0\0\x02\0\0\0")));
    s.push((S, p(2, b"\xff\x25\x05#70100Query execution was interrupted")));
    s.push((C, fetch));
    let mut h = new().midstream();
    for (d, b) in &s {
        h.feed(*d, b);
    }
    h.finish();
    let rows = h.rows();
    assert_eq!(short(rows), ["select a from t|0||midstream", "|1049||", "select a from t|1317||"]);
    assert_eq!((rows[1].get("DB"), rows[1].get("ERR")), ("nope", "Unknown database 'nope'"));
    let fetched = &rows[2];
    assert_eq!((fetched.get("DB"), fetched.get("ERR")), ("shop", "Query execution was interrupted"));
    assert_eq!((fetched.begin, fetched.asked, fetched.answering, fetched.end), (9, 9, Some(10), 11));
    run(&s);
}

#[test]
fn attributes_of_queries_are_not_their_text() {
    let mut s = logged_in(DEPRECATE_EOF | ATTRIBUTES);
    s.push((C, command(com::QUERY, b"\0\x01select 1")));
    s.push((S, p(1, OK)));
    let two = b"\x02\x01\x00\x01\xfe\x00\x02n1\xfe\x00\x02n2\x02v1\x02v2select now()";
    s.push((C, command(com::QUERY, two)));
    s.push((S, p(1, OK)));
    assert_eq!(short(&run(&s)), ["select 1|0|0|", "select now()|0|0|"]);
}

#[test]
fn attributes_of_any_length_are_passed_over() {
    let attributed = |names: &[&[u8]], values: &[Vec<u8>], text: &str| {
        let mut all = vec![names.len() as u8, 1, 0, 1];
        for name in names {
            all.extend([&[0xfe, 0, 0xfc][..], &(name.len() as u16).to_le_bytes(), name].concat());
        }
        for value in values {
            all.extend([&[0xfd][..], &(value.len() as u32).to_le_bytes()[..3], value].concat());
        }
        command(com::QUERY, &[&all, text.as_bytes()].concat())
    };
    let value = |n: usize| vec![b'v'; n];
    let bulk = format!("insert into t values ('{}')", "x".repeat(9000));
    let mut s = logged_in(DEPRECATE_EOF | ATTRIBUTES);
    for command in [
        attributed(&[b"n"], &[value(6000)], "select 1"),
        attributed(&[b"n", b"m", b"o"], &[value(5108), value(1), value(30_000)], "select 2"),
        attributed(&[b"n", b"m"], &[value(9), value(8)], &bulk),
        // Where the values begin is not known.
        attributed(&[&[b'n'; 6000]], &[value(1)], "select 4"),
        // There is no end to the value.
        command(com::QUERY, &[&b"\x01\x01\x00\x01\xfe\x00\x01n\xfd\xff\xff\xff"[..], &value(6000)].concat()),
        command(com::QUERY, b"\x01\x01\x00\x01\xfe\x00\x01n\x09value"),
    ] {
        s.extend([(C, command), (S, p(1, OK))]);
    }
    let want = [
        "select 1|0|0|".to_owned(),
        "select 2|0|0|".to_owned(),
        format!("{}|0|0|", &bulk[..1024]),
        "|0|0|truncated".to_owned(),
        "|0|0|truncated".to_owned(),
        "|0|0|truncated".to_owned(),
    ];
    assert_eq!(short(&run(&s)), want);
}

#[test]
fn a_file_is_no_command() {
    let mut s = logged_in(DEPRECATE_EOF);
    s.push((C, query("load data local infile 'f' into table t")));
    s.push((S, p(1, b"\xfb/tmp/f")));
    // Numbers go round; at 0 stands what looks like a command.
    let file: Vec<u8> = (2..=258u16).flat_map(|n| p(n as u8, b"\x03select 1\n")).collect();
    s.push((C, [file, p(3, b"")].concat()));
    s.push((S, p(4, &[0, 0xfc, 1, 1, 0, 2, 0, 0, 0])));
    s.push((C, query("do 1")));
    s.push((S, p(1, OK)));
    assert_eq!(short(&run(&s)), ["load data local infile 'f' into table t|0|257|", "do 1|0|0|"]);
}

#[test]
fn the_database_changes_in_every_way() {
    let mut s = logged_in(DEPRECATE_EOF);
    s.push((C, command(com::INIT_DB, b"one")));
    s.push((S, p(1, OK)));
    s.push((C, query("use two")));
    s.push((S, p(1, OK)));
    s.push((C, query("call hop()")));
    s.push((S, p(1, b"\0\0\0\x02\x40\0\0\0\x08\x01\x06\x05three")));
    s.push((C, query("do 1")));
    s.push((S, p(1, OK)));
    s.push((C, command(com::INIT_DB, b"nope")));
    s.push((S, p(1, b"\xff\x19\x04#42000Unknown database 'nope'")));
    s.push((C, command(com::CHANGE_USER, b"bob\0\x02xyfour\0\xff\0mysql_native_password\0")));
    s.push((S, p(1, b"\xfemysql_native_password\0ABCDEFGHIJ\0")));
    s.push((C, p(2, b"secret secret secret")));
    s.push((S, p(3, OK)));
    s.push((C, query("do 2")));
    s.push((S, p(1, OK)));
    let rows = run(&s);
    let got: Vec<_> = rows.iter().map(|r| (r.get("SQL"), r.get("USER"), r.get("DB"))).collect();
    let want = [
        ("use two", "ann", "one"),
        ("call hop()", "ann", "two"),
        ("do 1", "ann", "three"),
        ("", "ann", "nope"),
        ("do 2", "bob", "four"),
    ];
    assert_eq!(got, want);
}

/// What session tracking tells of the default database.
fn tracked(schema: &str, status: u8) -> Vec<u8> {
    let n = schema.len() as u8;
    [&[0, 0, 0, status, 0x40, 0, 0, 0, n + 3, 1, n + 1, n][..], schema.as_bytes()].concat()
}

#[test]
fn the_database_changes_in_one_of_several_statements() {
    let more: &[u8] = &[0, 0, 0, 0x0a, 0, 0, 0];
    let mut s = logged_in(DEPRECATE_EOF);
    let mut ask = |text: &str, answer: &[&[u8]]| s.extend([(C, query(text)), (S, ps(1, answer))]);
    ask("do 1; use three; do 2", &[more, &tracked("three", 0x0a), OK]);
    ask("use four; call hop()", &[&tracked("four", 0x0a), &tracked("five", 2)]);
    ask("/* x */ use two", &[OK]);
    ask("do 1; use six; do 2", &[more, more, OK]);
    // Refused before anything was done; behind something.
    ask("use seven; do 1", &[ERR]);
    ask("do 1; use eight; do 2", &[more, ERR]);
    ask("use nine", &[OK]);
    ask("do 3", &[OK]);
    s.push((C, [query("use ten"), query("do 4")].concat()));
    s.push((S, [p(1, OK), p(1, OK)].concat()));
    s.push((C, query("do 5")));
    s.push((S, p(1, OK)));
    let rows = run(&s);
    let got: Vec<_> = rows.iter().map(|r| r.get("DB")).collect();
    assert_eq!(got, ["shop", "three", "five", "two", "six", "six", "", "nine", "nine", "", "ten"]);
    // Whether it was chosen was lost.
    let mut h = new();
    for (d, b) in logged_in(0) {
        h.feed(d, &b);
    }
    h.feed(C, &query("use two"));
    h.gap(S, 11);
    h.feed(C, &query("do 1"));
    h.feed(S, &p(1, OK));
    assert_eq!(h.rows().iter().map(|r| r.get("DB")).collect::<Vec<_>>(), ["shop", ""]);
}

#[test]
fn failed_logins_are_told() {
    let denied = b"\xff\x15\x04#28000Access denied for user 'ann'";
    let s = vec![(S, greeting()), (C, login(0)), (S, p(2, denied))];
    let rows = run(&s);
    assert_eq!(short(&rows), ["|1045||"]);
    let r = &rows[0];
    assert_eq!((r.get("USER"), r.get("DB"), r.get("ERR")), ("ann", "shop", "Access denied for user 'ann'"));
    assert_eq!((r.begin, r.answering), (2, Some(3)));
    // Before the greeting, without a SQLSTATE.
    let rows = run(&vec![(S, p(0, b"\xff\x10\x04Too many connections"))]);
    assert_eq!((short(&rows), rows[0].get("ERR")), (vec!["|1040||".to_owned()], "Too many connections"));
    let mut s = logged_in(0);
    s.push((C, command(com::CHANGE_USER, b"bob\0\x02xy\0")));
    s.push((S, p(1, denied)));
    assert_eq!(run(&s)[0].get("USER"), "bob");
}

#[test]
fn a_proxy_says_whom_it_speaks_for() {
    let line = b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 3306\r\n";
    assert_eq!(probe(Transport::Tcp, C, line), Verdict::More, "the server tells");
    let mut h = new();
    h.feed(C, line);
    for (d, b) in logged_in(0) {
        h.feed(d, &b);
    }
    h.feed(C, &query("do 1"));
    h.feed(S, &p(1, OK));
    assert_eq!((short(h.rows()), h.rows()[0].get("USER")), (vec!["do 1|0|0|".to_owned()], "ann"));
}

#[test]
fn the_switch_to_tls_is_told_and_no_record() {
    let mut ask = 0x0000_8a09u32.to_le_bytes().to_vec();
    ask.extend([0, 0, 0, 1, 255]);
    ask.extend([0; 23]);
    let mut h = new();
    h.feed(S, &greeting());
    h.feed(C, &[p(1, &ask), b"\x16\x03\x01\x02\x00\x01".to_vec()].concat());
    assert_eq!((h.outcome(), h.anomalies(), h.rows().len()), (Outcome::Done, &["mysql-tls"][..], 0));
}

#[test]
fn a_replica_is_not_followed() {
    let mut h = new();
    for (d, b) in logged_in(0) {
        h.feed(d, &b);
    }
    h.feed(C, &command(com::BINLOG_DUMP, b"\x04\0\0\0\0\0\x01\0\0\0binlog.1"));
    assert_eq!((h.outcome(), h.anomalies()), (Outcome::Done, &["mysql-replication"][..]));
}

#[test]
fn progress_reports_are_no_errors() {
    let mut s = logged_in(0);
    s.push((C, query("alter table t add b int")));
    s.push((S, p(1, b"\xff\xff\xff\x01\x01\x02\x10\x00\x00\x05stage")));
    s.push((S, p(2, OK)));
    let rows = run(&s);
    assert_eq!(short(&rows), ["alter table t add b int|0|0|"]);
    assert_eq!(rows[0].answering, Some(7), "only the OK is the answer");
}

#[test]
fn commands_that_are_not_told_keep_the_order() {
    let mut s = logged_in(0);
    s.push((C, command(com::PING, b"")));
    s.push((S, p(1, OK)));
    s.push((C, command(com::STATISTICS, b"")));
    s.push((S, p(1, b"Uptime: 12  Threads: 1")));
    s.push((C, command(com::FIELD_LIST, b"t\0")));
    s.push((S, ps(1, &[COLUMN, COLUMN, EOF])));
    s.push((C, command(com::SET_OPTION, &[0, 0])));
    s.push((S, p(1, EOF)));
    s.push((C, command(com::PROCESS_INFO, b"")));
    s.push((S, ps(1, &[&[1], COLUMN, EOF, b"\x011", EOF])));
    s.push((C, command(com::RESET_CONNECTION, b"")));
    s.push((S, p(1, OK)));
    s.push((C, query("do 1")));
    s.push((S, p(1, OK)));
    assert_eq!(short(&run(&s)), ["do 1|0|0|"]);
}

/// A compressed packet: as it is, or in zlib.
fn c(seq: u8, plain: &[u8], pack: bool) -> Vec<u8> {
    let packed = miniz_oxide::deflate::compress_to_vec_zlib(plain, 6);
    let (size, body) = if pack { (plain.len() as u32, &packed[..]) } else { (0, plain) };
    let [a, b, c, _] = (body.len() as u32).to_le_bytes();
    let [x, y, z, _] = size.to_le_bytes();
    [&[a, b, c, seq, x, y, z][..], body].concat()
}

/// A result of one column.
fn result(rows: &[&[u8]]) -> Vec<u8> {
    let mut all: Vec<&[u8]> = vec![&[1], COLUMN];
    all.extend(rows);
    all.push(END);
    ps(1, &all)
}

#[test]
fn compressed_packets_hold_packets_cut_anywhere() {
    let mut s = logged_in(COMPRESS | DEPRECATE_EOF);
    s.push((C, c(0, &query("select a from t"), false)));
    let row: &[u8] = &[&[0xfc, 200, 0][..], &[b'x'; 200]].concat();
    let answer = result(&[row; 300]);
    let (a, b) = answer.split_at(30_002);
    s.push((S, [c(1, a, true), c(2, b, true)].concat()));
    s.push((C, c(0, &query(&format!("insert into t values ('{}')", "y".repeat(900))), true)));
    s.push((S, c(1, &p(1, ERR), false)));
    let rows = run(&s);
    assert_eq!((rows.len(), rows[0].get("ROWS"), rows[1].get("RET_CODE")), (2, "300", "1146"));
    assert_eq!(rows[1].get("SQL").len(), 925);
}

#[test]
fn zstd_too() {
    // A frame of one raw block, single segment, size in one byte.
    let zstd = |plain: &[u8]| {
        let mut out = vec![0x28, 0xb5, 0x2f, 0xfd, 0x20, plain.len() as u8];
        out.extend(&((plain.len() as u32) << 3 | 1).to_le_bytes()[..3]);
        out.extend(plain);
        out
    };
    let pack = |seq: u8, plain: &[u8]| {
        let body = zstd(plain);
        [&[body.len() as u8, 0, 0, seq, plain.len() as u8, 0, 0][..], &body].concat()
    };
    let mut s = logged_in(ZSTD | DEPRECATE_EOF);
    s.push((C, pack(0, &query("select a from t"))));
    s.push((S, pack(1, &ps(1, &[&[1], COLUMN, b"\x011", END]))));
    assert_eq!(short(&run(&s)), ["select a from t|0|1|"]);
}

/// Frames of the program zstd 1.5.4, each of one compressed block with Huffman codes (one stream, four streams) and
/// sequences: a query, and an answer of 200 rows.
#[test]
fn zstd_with_huffman_codes_and_sequences() {
    let text = "select customer.name, customer.city, orders.id, orders.placed, sum(lines.amount * products.price) as \
     total from customer join orders on orders.customer = customer.id join lines on lines.orders = \
     orders.id join products on products.id = lines.product where orders.placed between '2026-01-01' and \
     '2026-03-31' and customer.country in ('CH', 'DE', 'FR', 'IT', 'AT', 'LI') and products.kind <> 'gift \
     voucher' and not exists (select 1 from returns where returns.line = lines.id) group by \
     customer.name, customer.city, orders.id, orders.placed having total > 1000 order by total desc, \
     customer.name limit 50";
    let pack = |seq: u8, frame: &[u8], size: u16| {
        let ([a, b], [x, y]) = ((frame.len() as u16).to_le_bytes(), size.to_le_bytes());
        [&[a, b, 0, seq, x, y, 0][..], frame].concat()
    };
    let asked = pack(0, include_bytes!("../../tests/zstd/query.zst"), text.len() as u16 + 5);
    let answer = pack(1, include_bytes!("../../tests/zstd/answer.zst"), 4025);
    let mut s = logged_in(ZSTD | DEPRECATE_EOF);
    s.extend([(C, asked), (S, answer), (C, c(0, &query("do 1"), false)), (S, c(1, &p(1, ERR), false))]);
    assert_eq!(short(&run(&s)), [format!("{text}|0|200|"), "do 1|1146||".to_owned()]);
    // Joined in the middle.
    let mut h = new().midstream();
    for (d, b) in &s[4..] {
        h.feed(*d, b);
    }
    assert_eq!(short(h.rows()), [format!("{text}|0|200|midstream"), "do 1|1146||".to_owned()]);
}

#[test]
fn what_grows_too_large_is_not_unpacked_and_costs_one_transaction() {
    let mut h = new().limits(Limits { inflated: 10_000, ..Limits::default() });
    for (d, b) in logged_in(COMPRESS | DEPRECATE_EOF) {
        h.feed(d, &b);
    }
    h.feed(C, &c(0, &query("select a from t"), false));
    let row: &[u8] = &[&[0xfc, 200, 0][..], &[b'x'; 200]].concat();
    let answer = result(&[row; 100]);
    h.feed(S, &c(1, &answer, true));
    h.feed(C, &c(0, &query("do 1"), false));
    h.feed(S, &c(1, &p(1, OK), false));
    h.finish();
    assert_eq!(short(h.rows()), ["select a from t|||gap", "do 1|0|0|"]);
    assert_eq!(h.anomalies(), ["mysql-compression"]);
}

#[test]
fn the_middle_of_a_connection_is_understood() {
    for eofs in [true, false] {
        // All of it but the login.
        let s: Vec<_> = statements(eofs).into_iter().skip(4).collect();
        let mut h = new().midstream();
        for (d, b) in &s {
            h.feed(*d, b);
        }
        h.feed(C, &command(com::QUERY, b"\0\x01select 1"));
        h.feed(S, &p(1, OK));
        h.finish();
        let text = "select a from t where a = ? and b = ?";
        let want = [
            format!("{text}|0||midstream"),
            format!("{text}|0|1|"),
            format!("{text}|1146||"),
            "|1243||".to_owned(),
            "selec 1|1064||".to_owned(),
            "select 1|0|0|".to_owned(),
        ];
        assert_eq!(short(h.rows()), want);
        assert_eq!(h.rows()[1].get("PARAMS"), "5, 'it'");
    }
    // In the middle of an answer.
    let mut h = new().midstream();
    h.feed(S, b"ws that began before\x04\0\0\x09\x03abc\x05\0\0\x0a\xfe\0\0\x02\0");
    h.feed(C, &query("do 1"));
    h.feed(S, &p(1, OK));
    h.feed(C, &query("do 2"));
    h.feed(S, &p(1, ERR));
    assert_eq!(short(h.rows()), ["do 1|0|0|midstream", "do 2|1146||"]);
    // Compressed.
    let mut h = new().midstream();
    h.feed(C, &c(0, &query("select a from t"), false));
    h.feed(S, &c(1, &ps(1, &[&[1], COLUMN, EOF, b"\x011", EOF]), false));
    assert_eq!(short(h.rows()), ["select a from t|0|1|midstream"]);
}

/// A preparation and a query sent at once, first thing that is seen of a connection with EOF packets.
#[test]
fn the_eof_behind_a_preparation_is_no_answer() {
    let asked = [command(com::STMT_PREPARE, b"select a from t"), query("select * from x")].concat();
    let end = ps(1, &[&prepared(7, 1, 0), COLUMN, EOF]);
    let want = ["select a from t|0||", "select * from x|1146||"];
    for packed in [true, false] {
        let wrap = |seq: u8, bytes: &[u8]| if packed { c(seq, bytes, false) } else { bytes.to_vec() };
        let mut h = new().midstream();
        for _ in 0..4 {
            h.feed(C, &wrap(0, &asked));
            h.feed(S, &wrap(1, &[&end[..], &p(1, ERR)].concat()));
        }
        // In a piece of its own, numbered otherwise.
        h.feed(C, &wrap(0, &asked));
        h.feed(S, &wrap(1, &end[..end.len() - 9]));
        h.feed(S, &wrap(2, &if packed { p(2, EOF) } else { p(3, EOF) }));
        h.feed(S, &wrap(3, &p(1, ERR)));
        let got: Vec<_> = short(h.rows()).iter().map(|r| r.replace("midstream", "")).collect();
        assert_eq!(got, want.repeat(5), "packed: {packed}");
    }
    // The client could do without, its server was not heard.
    let mut h = new();
    for (d, b) in &logged_in(DEPRECATE_EOF)[1..] {
        h.feed(*d, b);
    }
    h.feed(C, &asked);
    h.feed(S, &[&end[..], &p(1, ERR)].concat());
    assert_eq!(short(h.rows()), want);
}

#[test]
fn a_gap_costs_one_transaction() {
    let answer = ps(1, &[&[1], COLUMN, EOF, b"\x031st", b"\x032nd", EOF]);
    // Within a row: the next packet is where it was.
    let mut h = new();
    for (d, b) in logged_in(0) {
        h.feed(d, &b);
    }
    h.feed(C, &query("select a from t"));
    let at = answer.len() - 9 - 3;
    h.feed(S, &answer[..at]);
    h.gap(S, 2);
    h.feed(S, &answer[at + 2..]);
    h.feed(C, &query("do 1"));
    h.feed(S, &p(1, OK));
    assert_eq!(short(h.rows()), ["select a from t|0|2|gap", "do 1|0|0|"]);
    // Over packets: told when the client goes on.
    h.feed(C, &query("select b from t"));
    h.feed(S, &answer[..20]);
    h.gap(S, (answer.len() - 40) as u64);
    h.feed(S, &answer[answer.len() - 20..]);
    h.feed(C, &query("do 2"));
    h.feed(S, &p(1, ERR));
    assert_eq!(short(&h.rows()[2..]), ["select b from t|||gap", "do 2|1146||"]);
    assert_eq!(h.rows()[2].answering, Some(11));
    // A command: its answer is nobody's. That the client goes on only when it has it is known by now.
    for _ in 0..8 {
        h.feed(C, &command(com::PING, b""));
        h.feed(S, &p(1, OK));
    }
    h.gap(C, 20);
    h.feed(S, &answer);
    h.feed(C, &query("do 3"));
    h.feed(S, &p(1, OK));
    assert_eq!(short(&h.rows()[4..]), ["do 3|0|0|"]);
    // Within a command.
    let q = query("select 'a long text of many words'");
    h.feed(C, &q[..15]);
    h.gap(C, 5);
    h.feed(C, &q[20..]);
    h.feed(S, &answer);
    assert_eq!(short(&h.rows()[5..]), ["select 'a |0|2|gap"]);
    // All of an answer.
    h.feed(C, &query("do 4"));
    h.gap(S, 11);
    h.feed(C, &query("do 5"));
    h.feed(S, &p(1, OK));
    assert_eq!(short(&h.rows()[6..]), ["do 4|||gap,no-response", "do 5|0|0|"]);
}

#[test]
fn large_packets_are_not_held() {
    let mut h = new().limits(Limits { text: 20, ..Limits::default() });
    for (d, b) in logged_in(0) {
        h.feed(d, &b);
    }
    let full = FULL as usize;
    let mut text = b"\x03insert into t values ('".to_vec();
    text.resize(full, b'x');
    h.feed(C, &p(0, &text));
    h.feed(C, &p(1, &[b'y'; 1000]));
    h.feed(S, &p(2, OK));
    h.feed(C, &query("select big"));
    h.feed(S, &ps(1, &[&[1], COLUMN, EOF]));
    // A row that begins like an EOF, of twice the length of a packet.
    let mut row = vec![0xfe];
    row.resize(full, 0);
    for chunk in [ps(4, &[&row, &row]), ps(6, &[b"", b"\x01z", EOF])].concat().chunks(60_000) {
        h.feed(S, chunk);
        assert!(crate::session::Parser::held(h.session()) < 100_000);
    }
    assert_eq!(short(h.rows()), ["insert into t values|0|0|", "select big|0|2|"]);
}

#[test]
fn pipelines_are_paired_and_capped() {
    let mut s = logged_in(DEPRECATE_EOF);
    s.push((C, [query("do 1"), query("select 2"), query("do 3")].concat()));
    s.push((S, [p(1, OK), ps(1, &[&[1], COLUMN, b"\x011", END]), p(1, ERR)].concat()));
    s.push((C, query("do 4")));
    assert_eq!(short(&run(&s)), ["do 1|0|0|", "select 2|0|1|", "do 3|1146||", "do 4|||no-response"]);
    let mut h = new().limits(Limits { pipeline: 4, ..Limits::default() });
    for (d, b) in logged_in(0) {
        h.feed(d, &b);
    }
    for n in 1..=9 {
        h.feed(C, &query(&format!("do {n}")));
    }
    assert_eq!((h.rows().len(), h.anomalies().len()), (5, 5));
    for _ in 0..8 {
        h.feed(S, &p(1, OK));
    }
    h.feed(S, &p(1, ERR));
    assert_eq!(
        short(&h.rows()[5..]),
        ["do 6|0|0|", "do 7|0|0|", "do 8|0|0|", "do 9|1146||"],
        "those that were told had theirs"
    );
    for _ in 0..100 {
        h.feed(C, &query("do 1"));
    }
    assert!(
        crate::session::Parser::held(h.session()) < 40_000,
        "{}",
        crate::session::Parser::held(h.session())
    );
}

/// Says it until it is known of the client that it sends commands ahead.
fn piping() -> Harness<Session> {
    let mut h = new();
    for (d, b) in logged_in(DEPRECATE_EOF) {
        h.feed(d, &b);
    }
    h.feed(C, &[command(com::PING, b""), command(com::PING, b"")].concat());
    h.feed(S, &[p(1, OK), p(1, OK)].concat());
    h
}

#[test]
fn a_lost_answer_among_several_is_made_out_where_nothing_else_can_be() {
    let mut h = piping();
    for n in 1..=4 {
        h.feed(C, &query(&format!("select {n}")));
    }
    // One answer at least is lost, and the next is for one of three.
    h.gap(S, 60);
    h.feed(S, &result(&[b"\x012"]));
    h.feed(S, &result(&[b"\x013"]));
    // This could be no other's: there are no more commands.
    h.feed(S, &result(&[b"\x014"]));
    let lost = |n: u8| format!("select {n}|||gap,no-response");
    assert_eq!(short(h.rows()), [lost(1), lost(2), lost(3), "select 4|0|1|".to_owned()]);
    // And all is certain again.
    h.feed(C, &[query("select 5"), query("select 6")].concat());
    h.feed(S, &[p(1, ERR), result(&[])].concat());
    assert_eq!(short(&h.rows()[4..]), ["select 5|1146||", "select 6|0|0|"]);
}

#[test]
fn two_lost_answers_are_made_out_by_what_answers_are() {
    let mut h = piping();
    for n in 1..=4 {
        h.feed(C, &query(&format!("select {n}")));
    }
    h.gap(S, 120);
    h.feed(S, &result(&[b"\x013"]));
    h.feed(S, &result(&[b"\x014"]));
    // None is under way, or the last of the four; time does not tell.
    h.feed(C, &query("select 5"));
    h.feed(S, &result(&[b"\x015"]));
    h.feed(C, &query("update t set a = 6"));
    // It is to an update, so it is to the latter.
    h.feed(S, &p(1, OK));
    h.feed(C, &query("select 7"));
    h.feed(S, &result(&[]));
    let rows = short(h.rows());
    assert_eq!(rows.len(), 7, "{rows:?}");
    assert!(rows[..5].iter().all(|r| r.ends_with("|||gap,no-response")), "{rows:?}");
    assert_eq!(rows[5..], ["update t set a = 6|0|0|", "select 7|0|0|"]);
}

#[test]
fn a_lost_command_among_several_takes_an_answer() {
    let mut h = piping();
    h.feed(C, &query("do 1"));
    h.gap(C, 20);
    h.feed(C, &[query("do 3"), query("select 4")].concat());
    // The first came before the loss.
    h.feed(S, &p(1, ERR));
    assert_eq!(short(h.rows()), ["do 1|1146||"]);
    // Up to four commands were lost: this is to one of them, or to the third.
    h.feed(S, &p(1, OK));
    h.feed(S, &p(1, OK));
    h.feed(S, &result(&[]));
    assert!(h.rows().iter().all(|r| r.get("RET_CODE").is_empty() || r.get("SQL") == "do 1"));
    // The third is answered otherwise.
    h.feed(C, &query("select 5"));
    h.feed(S, &result(&[]));
    let rows = short(h.rows());
    assert_eq!(rows[1..], ["do 3|||gap,no-response", "select 4|||gap,no-response", "select 5|0|0|"]);
}

#[test]
fn who_is_known_to_be_answered_next_has_not_been_heard_before() {
    let mut h = piping();
    h.gap(C, 7);
    h.feed(C, &query("select 1"));
    h.feed(C, &query("oops"));
    // Rows need a longer command than may have been lost: that was the first's, though it is told to nobody.
    h.feed(S, &result(&[]));
    h.feed(C, &query("do 3"));
    h.feed(S, &p(1, ERR));
    h.feed(S, &p(1, OK));
    assert_eq!(short(h.rows()), ["select 1|||gap,no-response", "oops|1146||", "do 3|0|0|"]);
}

#[test]
fn the_first_of_a_batch_is_lost_behind_single_ones() {
    // So far the client looks like one that waits for each answer.
    let mut h = new();
    logged_in(DEPRECATE_EOF).iter().for_each(|(d, b)| h.feed(*d, b));
    for n in 0..12 {
        h.feed(C, &query(&format!("do {n}")));
        h.feed(S, &p(1, OK));
    }
    h.gap(C, 23);
    h.feed(C, &query("select 2"));
    h.feed(C, &query("do 3"));
    h.feed(C, &query("oops"));
    for answer in [p(1, ERR), result(&[]), p(1, OK), p(1, ERR)] {
        h.feed(S, &answer);
    }
    let rows = short(h.rows());
    let outcome = |r: &&String| r.contains("oops|0") || r.contains("do 3|0|1") || r.contains("select 2|1146");
    assert_eq!(rows.iter().find(outcome), None, "{rows:?}");
    assert!(rows[12..].iter().all(|r| r.ends_with("gap,no-response") || r.ends_with('|')), "{rows:?}");
}

#[test]
fn what_waits_behind_those_in_question_is_nobodys_yet() {
    let mut h = piping();
    h.feed(C, &[query("do 1"), query("do 2"), query("do 3")].concat());
    h.gap(S, 20);
    h.feed(S, &result(&[]));
    // Any number may be under way now; as many answers as commands come.
    let many = 1000;
    for n in 0..many {
        h.feed(C, &query(&format!("do {n}")));
    }
    h.feed(S, &p(1, OK).repeat(many));
    h.finish();
    assert_eq!(h.rows().len(), 3 + many);
    assert!(h.rows().iter().all(|r| r.quality() == "gap,no-response"));
}

#[test]
fn an_answer_is_sought_for_few_of_those_that_wait() {
    // The server was not heard yet. The last command, of two packets, is answered with number 2.
    let long = [p(0, &[com::QUERY; FULL as usize]), p(1, b"")].concat();
    for (pings, found) in [(3, None), (200, Some(false))] {
        let mut h = new().midstream();
        h.feed(C, &command(com::PING, b"").repeat(pings));
        h.feed(C, &long);
        assert_eq!(h.session().search(S, &p(1, OK)[..7]), None);
        assert_eq!(h.session().search(S, &p(2, OK)[..7]), found, "{pings}");
    }
}

#[test]
fn what_no_command_can_have_been_answered_with_loses_all_pairs() {
    let mut h = piping();
    h.feed(C, &[query("do 1"), query("do 2"), query("do 3")].concat());
    h.gap(S, 20);
    h.feed(S, &result(&[]));
    assert_eq!(h.anomalies(), ["mysql-pairs-lost"]);
    assert!(h.rows().iter().all(|r| r.quality() == "gap,no-response") && h.rows().len() == 3);
    // However much is lost, there is an end to what is kept.
    for _ in 0..1000 {
        h.feed(C, &query("do 4"));
        h.gap(C, 1000);
        h.gap(S, 1000);
    }
    assert!(crate::session::Parser::held(h.session()) < 100_000);
}

#[test]
fn others_are_not_mistaken_for_it() {
    let v = |d, b: &[u8]| probe(Transport::Tcp, d, b);
    assert_eq!(v(S, &greeting()), Verdict::Yes);
    assert_eq!(v(S, &greeting()[..20]), Verdict::More);
    assert_eq!(v(C, &login(0)), Verdict::Yes);
    assert_eq!(v(C, &query("SELECT 1")), Verdict::Yes);
    assert_eq!(v(C, &query("/* c */ SELECT 1")), Verdict::Yes);
    assert_eq!(v(C, &query("gibberish")), Verdict::More);
    assert_eq!(v(C, &command(com::PING, b"")), Verdict::More);
    assert_eq!(v(C, &execute(7, b"\0\0")), Verdict::Yes);
    assert_eq!(v(C, &c(0, &query("select 1"), false)), Verdict::Yes);
    assert_eq!(v(S, &p(1, ERR)), Verdict::Yes);
    assert_eq!(v(S, &p(1, OK)), Verdict::More);
    assert_eq!(v(S, &ps(1, &[&[1], COLUMN])), Verdict::Yes);
    let others: &[&[u8]] = &[
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\0\0\0\x08\x04\xd2\x16\x2f",
        b"R\0\0\0\x08\0\0\0\0",
        b"*1\r\n$4\r\nPING\r\n",
        b"+PONG\r\n",
        b"AMQP\0\0\x09\x01",
        b"\x10\x10\0\x04MQTT\x04\x02\0\x3c\0\x04abcd",
        b"\x04\0\0\0\x05\0\0\0\0",
        b"\x84\0\0\0\x06\0\0\0\0",
        b"\x12\x01\0\x2f\0\0\x01\0",
        // MongoDB: length, request, response, opcode.
        b"\x3a\0\0\0\x03\0\0\0\0\0\0\0\xdd\x07\0\0\0\0\0\0\0\x25\0\0\0\x01hello\0",
        b"\0\x1d\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\0\0\x01\0\x01",
        b"220 mail ESMTP\r\n",
    ];
    for other in others {
        assert_ne!(v(C, other), Verdict::Yes, "{other:?}");
        assert_ne!(v(S, other), Verdict::Yes, "{other:?}");
        assert!(v(C, other) == Verdict::No || v(S, other) == Verdict::No, "{other:?}");
    }
    // A simple query of PostgreSQL whose length is the number of a command.
    assert_ne!(v(C, b"Q\0\0\0\x16select 1 from abc\0"), Verdict::Yes);
    assert_eq!(probe(Transport::Udp, C, &query("select 1")), Verdict::No);
    let mut h = new();
    for _ in 0..20 {
        h.feed(C, b"GET / HTTP/1.1\r\n\r\n");
    }
    assert_eq!(h.outcome(), Outcome::Lost);
}

#[test]
fn any_bytes_are_borne() {
    let mut packed = logged_in(COMPRESS | DEPRECATE_EOF);
    packed.push((C, c(0, &query("select a from t"), false)));
    packed.push((S, c(1, &ps(1, &[&[1], COLUMN, b"\x011", END]), true)));
    packed.push((C, c(0, &query("select b from t"), true)));
    packed.push((S, c(1, &p(1, ERR), true)));
    let scripts = [statements(true), statements(false), packed];
    let seeds = scripts.each_ref().map(|s| slices(s));
    mutations(&seeds.each_ref().map(Vec::as_slice), 800, fuzz_mysql);
}
