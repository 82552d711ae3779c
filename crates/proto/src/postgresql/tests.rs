//! Whole conversations.

use super::{Session, fuzz_postgresql, probe};
use crate::harness::{C, Harness, Outcome, Row, S, cut_every_way, mutations, slices};
use crate::session::{Limits, Parser, Transport, Verdict};
use base::Direction;

/// A message: type, length, body.
fn m(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    [&[kind][..], &(body.len() as u32 + 4).to_be_bytes(), &body].concat()
}

fn join(messages: &[Vec<u8>]) -> Vec<u8> {
    messages.concat()
}

fn startup() -> Vec<u8> {
    let body = b"\0\x03\0\0user\0bob\0database\0shop\0application_name\0x\0\0";
    [&(body.len() as u32 + 4).to_be_bytes()[..], body].concat()
}

fn query(sql: &str) -> Vec<u8> {
    m(b'Q', &[sql.as_bytes(), b"\0"])
}

fn parse(name: &str, sql: &str, types: &[u32]) -> Vec<u8> {
    let types: Vec<u8> = types.iter().flat_map(|t| t.to_be_bytes()).collect();
    m(b'P', &[name.as_bytes(), b"\0", sql.as_bytes(), b"\0", &(types.len() as u16 / 4).to_be_bytes(), &types])
}

/// All values as text.
fn bind(portal: &str, name: &str, values: &[&str]) -> Vec<u8> {
    let all: Vec<u8> =
        values.iter().flat_map(|v| [&(v.len() as u32).to_be_bytes()[..], v.as_bytes()].concat()).collect();
    let count = (values.len() as u16).to_be_bytes();
    m(b'B', &[portal.as_bytes(), b"\0", name.as_bytes(), b"\0\0\0", &count, &all, b"\0\0"])
}

fn execute(portal: &str, limit: u32) -> Vec<u8> {
    m(b'E', &[portal.as_bytes(), b"\0", &limit.to_be_bytes()])
}

fn sync() -> Vec<u8> {
    m(b'S', &[])
}

fn done(tag: &str) -> Vec<u8> {
    m(b'C', &[tag.as_bytes(), b"\0"])
}

fn ready(status: u8) -> Vec<u8> {
    m(b'Z', &[&[status]])
}

fn error(severity: &str, code: &str, text: &str) -> Vec<u8> {
    m(b'E', &[format!("S{severity}\0V{severity}\0C{code}\0M{text}\0Fx.c\0L1\0\0").as_bytes()])
}

fn row(value: &str) -> Vec<u8> {
    m(b'D', &[&[0, 1], &(value.len() as u32).to_be_bytes(), value.as_bytes()])
}

fn columns() -> Vec<u8> {
    // One column `a` of type int4 (oid 23, 4 bytes), text.
    m(b'T', &[b"\0\x01a\0", &[0; 6], &[0, 0, 0, 23, 0, 4, 0xff, 0xff, 0xff, 0xff, 0, 0]])
}

/// Types of the parameters of a statement.
fn described(types: &[u32]) -> Vec<u8> {
    let oids: Vec<u8> = types.iter().flat_map(|t| t.to_be_bytes()).collect();
    m(b't', &[&(types.len() as u16).to_be_bytes(), &oids])
}

const PARSED: &[u8] = b"1\0\0\0\x04";
const BOUND: &[u8] = b"2\0\0\0\x04";
const CLOSED: &[u8] = b"3\0\0\0\x04";

/// The server's side of a login with SCRAM.
fn welcome() -> Vec<u8> {
    join(&[
        m(b'R', &[b"\0\0\0\0"]),
        m(b'S', &[b"server_version\x0015.3\0"]),
        m(b'S', &[b"session_authorization\0bob\0"]),
        m(b'K', &[&[0, 0, 0, 1, 0, 0, 0, 2]]),
        ready(b'I'),
    ])
}

fn tcp() -> Harness<Session> {
    Harness::new(Session::new(Transport::Tcp)).ports([40000, 5432])
}

/// A session that has logged in.
fn open() -> Harness<Session> {
    let mut h = tcp();
    h.feed(C, &startup());
    h.feed(S, &welcome());
    h
}

/// SQL, PARAMS, ERR, RET_CODE, ROWS, QUALITY of the rows.
fn told(rows: &[Row]) -> Vec<String> {
    let keys = ["SQL", "PARAMS", "ERR", "RET_CODE", "ROWS"];
    rows.iter().map(|r| format!("{}|{}", keys.map(|k| r.get(k)).join("|"), r.quality())).collect()
}

/// The rows of a conversation behind a login, fed in every way.
fn talk(script: &[(Direction, Vec<u8>)]) -> Vec<String> {
    let mut all = vec![(C, startup()), (S, welcome())];
    all.extend_from_slice(script);
    let rows = cut_every_way(tcp, &slices(&all));
    assert!(rows.iter().all(|r| r.get("USER") == "bob" && r.get("DB") == "shop"));
    told(&rows)
}

#[test]
fn simple_queries_of_one_and_more_statements() {
    let got = talk(&[
        (C, query("select 1")),
        (S, join(&[columns(), row("1"), done("SELECT 1"), ready(b'I')])),
        (C, query("insert into t values (1); update t set a = 2; show x")),
        (S, join(&[done("INSERT 0 1"), m(b'N', &[b"SNOTICE\0C00000\0Mhm\0\0"]), done("UPDATE 3")])),
        (S, join(&[columns(), row("on"), done("SHOW"), ready(b'I')])),
        (C, query("select 1; selec 2; select 3")),
        (S, join(&[columns(), row("1"), done("SELECT 1"), error("ERROR", "42601", "syntax")])),
        (S, ready(b'I')),
        (C, query("")),
        (S, join(&[m(b'I', &[]), m(b'A', &[b"\0\0\0\x01ch\0hello\0"]), ready(b'I')])),
        (C, m(b'X', &[])),
    ]);
    assert_eq!(
        got,
        [
            "select 1|||0|1|",
            "insert into t values (1); update t set a = 2; show x|||0|5|",
            "select 1; selec 2; select 3||syntax|42601|1|",
            "|||0|0|",
        ]
    );
}

#[test]
fn times_are_those_of_the_packets() {
    let mut h = open();
    let q = query("select 1");
    h.feed(C, &q[..7]); // 3
    h.feed(C, &q[7..]); // 4
    h.feed(S, &columns()); // 5
    h.feed(S, &join(&[row("1"), done("SELECT 1")])); // 6
    h.feed(S, &ready(b'I')); // 7
    let r = &h.rows()[0];
    assert_eq!((r.begin, r.asked, r.answering, r.end), (3, 4, Some(5), 7));
    h.feed(C, &parse("", "select $1", &[23])); // 8
    h.feed(C, &join(&[bind("", "", &["5"]), execute("", 0), sync()])); // 9
    h.feed(S, PARSED); // 10
    h.feed(S, &join(&[BOUND.to_vec(), row("5"), done("SELECT 1")])); // 11
    h.feed(S, &ready(b'I')); // 12
    let r = &h.rows()[1];
    assert_eq!((r.begin, r.asked, r.answering, r.end), (8, 9, Some(10), 11));
}

#[test]
fn secrets_of_the_login_are_in_no_record_and_a_failure_is() {
    let script = [
        (C, startup()),
        (S, m(b'R', &[b"\0\0\0\x0aSCRAM-SHA-256\0\0"])),
        (C, m(b'p', &[b"SCRAM-SHA-256\0\0\0\0\x06n,,n=,"])),
        (S, m(b'R', &[b"\0\0\0\x0br=abc"])),
        (C, m(b'p', &[b"c=biws,p=secret"])),
        (S, error("FATAL", "28P01", "password authentication failed for user \"bob\"")),
    ];
    let rows = cut_every_way(tcp, &slices(&script));
    assert_eq!(told(&rows), ["||password authentication failed for user \"bob\"|28P01||"]);
    assert_eq!((rows[0].get("USER"), rows[0].get("DB")), ("bob", "shop"));
    assert_eq!((rows[0].begin, rows[0].asked, rows[0].end), (1, 1, 6));
    // A login that is given up in the middle is none.
    let mut h = tcp();
    h.feed(C, &startup());
    h.feed(S, &m(b'R', &[b"\0\0\0\x03"]));
    h.finish();
    assert!(h.rows().is_empty());
}

#[test]
fn encryption_is_refused_or_taken() {
    let ask_tls = b"\0\0\0\x08\x04\xd2\x16\x2f";
    let ask_gss = b"\0\0\0\x08\x04\xd2\x16\x30";
    let (login, hello, q) = (startup(), welcome(), query("select 1"));
    let answer = join(&[done("SELECT 0"), ready(b'I')]);
    let script: &[(Direction, &[u8])] =
        &[(C, ask_gss), (S, b"N"), (C, ask_tls), (S, b"N"), (C, &login), (S, &hello), (C, &q), (S, &answer)];
    assert_eq!(told(&cut_every_way(tcp, script)), ["select 1|||0|0|"]);
    for (ask, answer, what, outcome) in [
        (ask_tls, &b"S"[..], "postgresql-tls", Outcome::Upgraded),
        (ask_gss, &b"G"[..], "postgresql-gss", Outcome::Done),
    ] {
        let mut h = tcp();
        h.feed(C, ask);
        h.feed(S, answer);
        assert_eq!(
            (h.outcome(), h.anomalies(), h.left(S).len()),
            (outcome, &[what][..], usize::from(what == "postgresql-gss"))
        );
    }
    let mut h = tcp();
    h.feed(C, b"\0\0\0\x10\x04\xd2\x16\x2eaaaabbbb");
    assert_eq!((h.outcome(), h.rows().len()), (Outcome::Done, 0), "cancel");
}

#[test]
fn prepared_statements_and_their_values() {
    let got = talk(&[
        // Prepared and described first: the types come from the server.
        (C, join(&[parse("s1", "select $1, $2", &[]), m(b'D', &[b"Ss1\0"]), sync()])),
        (S, join(&[PARSED.to_vec(), described(&[23, 25]), columns(), ready(b'I')])),
        (C, join(&[bind("", "s1", &["1", "a"]), m(b'D', &[b"P\0"]), execute("", 0), sync()])),
        (S, join(&[BOUND.to_vec(), columns(), row("1"), done("SELECT 1"), ready(b'I')])),
        (C, join(&[bind("", "s1", &["2", "b"]), execute("", 0), sync()])),
        (S, join(&[BOUND.to_vec(), done("SELECT 0"), ready(b'I')])),
        // Never executed, then closed.
        (C, join(&[parse("s2", "select 'idle'", &[]), sync()])),
        (S, join(&[PARSED.to_vec(), ready(b'I')])),
        (C, join(&[m(b'C', &[b"Ss2\0"]), sync()])),
        (S, join(&[CLOSED.to_vec(), ready(b'I')])),
        // Parse, Bind and Execute that wait for one another.
        (C, join(&[parse("", "select 3", &[]), m(b'H', &[])])),
        (S, PARSED.to_vec()),
        (C, join(&[bind("", "", &[]), m(b'H', &[])])),
        (S, BOUND.to_vec()),
        (C, join(&[execute("", 0), sync()])),
        (S, join(&[row("3"), done("SELECT 1"), ready(b'I')])),
        (C, query("discard all")),
        (S, join(&[done("DISCARD ALL"), ready(b'I')])),
        (C, join(&[bind("", "s1", &["9"]), execute("", 0), sync()])),
        (S, join(&[error("ERROR", "26000", "no s1"), ready(b'I')])),
    ]);
    assert_eq!(
        got,
        [
            "select $1, $2|1, 'a'||0|1|",
            "select $1, $2|2, 'b'||0|0|",
            "select 'idle'|||0||",
            "select 3|||0|1|",
            "discard all|||0|0|",
            "|'9'|no s1|26000|0|",
        ]
    );
}

#[test]
fn a_portal_is_executed_in_parts() {
    let part = join(&[row("1"), row("2"), m(b's', &[]), ready(b'T')]);
    let got = talk(&[
        (C, query("begin")),
        (S, join(&[done("BEGIN"), ready(b'T')])),
        (
            C,
            join(&[
                parse("", "select * from t where a > $1", &[23]),
                bind("c1", "", &["5"]),
                execute("c1", 2),
                sync(),
            ]),
        ),
        (S, join(&[PARSED.to_vec(), BOUND.to_vec(), part.clone()])),
        (C, join(&[execute("c1", 2), sync()])),
        (S, part),
        (C, join(&[execute("c1", 2), sync()])),
        (S, join(&[done("SELECT 0"), ready(b'T')])),
    ]);
    let sql = "select * from t where a > $1|5||0|";
    assert_eq!(got, ["begin|||0|0|".to_owned(), format!("{sql}2|"), format!("{sql}2|"), format!("{sql}0|")]);
}

#[test]
fn an_error_costs_the_rest_of_its_pipeline() {
    let one = |sql: &str| join(&[parse("", sql, &[]), bind("", "", &[]), execute("", 0)]);
    let fine = |tag: &str| join(&[PARSED.to_vec(), BOUND.to_vec(), done(tag)]);
    let got = talk(&[
        (C, join(&[one("insert 1"), one("insert 2"), one("insert 3"), sync(), one("insert 4"), sync()])),
        (S, join(&[fine("INSERT 0 1"), PARSED.to_vec(), BOUND.to_vec(), error("ERROR", "23505", "dup")])),
        (S, join(&[ready(b'I'), fine("INSERT 0 1"), ready(b'I')])),
        // A Parse that fails; the statement of that name stands as before.
        (C, join(&[parse("s", "select 'old'", &[]), sync()])),
        (S, join(&[PARSED.to_vec(), ready(b'I')])),
        (C, join(&[parse("s", "select 'new'", &[]), bind("", "s", &[]), execute("", 0), sync()])),
        (S, join(&[error("ERROR", "42P05", "exists"), ready(b'I')])),
        (C, join(&[bind("", "s", &[]), execute("", 0), sync()])),
        (S, join(&[BOUND.to_vec(), done("SELECT 1"), ready(b'I')])),
        // A statement is described that another session has.
        (C, join(&[m(b'D', &[b"Snope\0"]), sync()])),
        (S, join(&[error("ERROR", "26000", "no such"), ready(b'I')])),
        // An error before the client's Sync: what is sent meanwhile is skipped too.
        (C, join(&[parse("", "selec", &[]), m(b'H', &[])])),
        (S, error("ERROR", "42601", "syntax")),
        (C, join(&[bind("", "", &[]), execute("", 0), sync()])),
        (S, ready(b'I')),
        // A constraint that is checked at the end.
        (C, join(&[one("insert late"), sync()])),
        (S, join(&[fine("INSERT 0 1"), error("ERROR", "23505", "late"), ready(b'I')])),
        (C, query("select 1")),
        (S, join(&[done("SELECT 1"), ready(b'I')])),
    ]);
    assert_eq!(
        got,
        [
            "insert 1|||0|1|",
            "insert 2||dup|23505|0|",
            "insert 3|||||no-response",
            "insert 4|||0|1|",
            "select 'new'||exists|42P05|0|",
            "select 'old'|||0|1|",
            "||no such|26000|0|",
            "selec||syntax|42601|0|",
            "insert late||late|23505|1|",
            "select 1|||0|1|",
        ]
    );
}

#[test]
fn copy_both_ways() {
    let data = m(b'd', &[&[b'x'; 3000]]);
    let got = talk(&[
        (C, query("copy t from stdin")),
        (S, m(b'G', &[b"\0\0\x01\0\0"])),
        (C, join(&[data.clone(), data.clone(), m(b'c', &[])])),
        (S, join(&[done("COPY 2"), ready(b'I')])),
        (C, query("copy t to stdout")),
        (S, join(&[m(b'H', &[b"\0\0\x01\0\0"]), data.clone(), data.clone(), m(b'c', &[])])),
        (S, join(&[done("COPY 2"), ready(b'I')])),
        // As a prepared statement: the Sync before the data is not answered.
        (C, join(&[parse("", "copy u from stdin", &[]), bind("", "", &[]), execute("", 0), sync()])),
        (S, join(&[PARSED.to_vec(), BOUND.to_vec(), m(b'G', &[b"\0\0\x01\0\0"])])),
        (C, join(&[data.clone(), m(b'c', &[]), sync()])),
        (S, join(&[done("COPY 1"), ready(b'I')])),
        (C, query("copy t from stdin")),
        (S, m(b'G', &[b"\0\0\x01\0\0"])),
        (C, join(&[data, m(b'f', &[b"no more\0"])])),
        (S, join(&[error("ERROR", "57014", "COPY failed: no more"), ready(b'I')])),
    ]);
    assert_eq!(
        got,
        [
            "copy t from stdin|||0|2|",
            "copy t to stdout|||0|2|",
            "copy u from stdin|||0|1|",
            "copy t from stdin||COPY failed: no more|57014|0|",
        ]
    );
}

#[test]
fn function_calls_and_replication() {
    // Function 957, one format (binary), one value, result binary.
    let call = m(b'F', &[b"\0\0\x03\xbd\0\x01\0\x01\0\x01\0\0\0\x02\x01\x02\0\x01"]);
    let got = talk(&[(C, call), (S, join(&[m(b'V', &[b"\0\0\0\x01a"]), ready(b'I')]))]);
    assert_eq!(got, ["FUNCTION CALL 957|'\\x0102'||0|0|"]);
    let mut h = open();
    h.feed(C, &query("START_REPLICATION 0/1"));
    h.feed(S, &m(b'W', &[b"\0\0\0"]));
    assert_eq!((h.outcome(), h.anomalies()), (Outcome::Done, &["postgresql-replication"][..]));
    assert_eq!(told(h.rows()), ["START_REPLICATION 0/1|||0|0|"]);
}

#[test]
fn joined_in_the_middle() {
    let ask = join(&[bind("", "S_1", &["7"]), execute("", 0), sync()]);
    let answer = join(&[BOUND.to_vec(), row("1"), done("SELECT 1"), ready(b'I')]);
    for server_first in [false, true] {
        let mut h = tcp().midstream();
        if server_first {
            h.feed(S, &join(&[row("9"), done("SELECT 1"), ready(b'I')]));
        }
        h.feed(C, &ask);
        h.feed(S, &answer);
        h.feed(C, &query("select 2"));
        h.feed(S, &join(&[done("SELECT 1"), ready(b'I')]));
        h.finish();
        assert_eq!(told(h.rows()), ["|'7'||0|1|midstream", "select 2|||0|1|"], "{server_first}");
    }
}

#[test]
fn lost_answers_cost_one_statement() {
    let mut h = open();
    h.feed(C, &query("select 1"));
    h.feed(S, &columns());
    h.gap(S, 1000);
    h.feed(S, &join(&[b"tail of a row".to_vec(), ready(b'I')]));
    h.feed(C, &query("select 2"));
    h.feed(S, &join(&[done("SELECT 1"), ready(b'I')]));
    // The whole answer is lost, and told of after the next statement was sent and answered.
    h.feed(C, &query("select 3"));
    h.wait(5);
    h.feed(C, &query("select 4"));
    h.gap(S, 100);
    h.feed(S, &join(&[columns(), done("SELECT 4"), ready(b'I')]));
    h.finish();
    assert_eq!(
        told(h.rows()),
        ["select 1|||||gap", "select 2|||0|1|", "select 3|||||gap,no-response", "select 4|||0||gap"]
    );
}

#[test]
fn lost_requests_get_nobody_elses_answer() {
    let mut h = open();
    h.gap(C, 50);
    // The answer to what was lost.
    h.feed(S, &join(&[columns(), done("SELECT 1"), ready(b'I')]));
    h.feed(C, &query("select 2"));
    h.feed(S, &join(&[done("SELECT 2"), ready(b'I')]));
    // In the middle of a message: behind the next Sync a message begins.
    h.gap(C, 50);
    h.feed(C, &join(&[b"rest of a bind".to_vec(), sync()]));
    h.feed(S, &join(&[BOUND.to_vec(), done("SELECT 9"), ready(b'I')]));
    h.feed(C, &query("select 3"));
    h.feed(S, &join(&[done("SELECT 3"), ready(b'I')]));
    h.finish();
    assert_eq!(told(h.rows()), ["select 2|||0|2|", "select 3|||0|3|"]);
}

/// One prepared execution, without its Sync.
fn run(sql: &str) -> Vec<u8> {
    join(&[parse("", sql, &[]), bind("", "", &[]), execute("", 0)])
}

fn ran(n: u32) -> Vec<u8> {
    join(&[PARSED.to_vec(), BOUND.to_vec(), done(&format!("SELECT {n}"))])
}

#[test]
fn a_loss_inside_a_pipeline_leaves_the_rest_of_it_unpaired() {
    let mut h = open();
    h.feed(C, &join(&[run("a"), parse("", "b", &[]), bind("", "", &[])]));
    h.wait(1);
    h.gap(C, 200);
    h.feed(C, &join(&[run("d"), sync()]));
    // Of a, of b whose Execute was lost, of c that was lost, of d. An error of c would look like one of d.
    h.feed(S, &join(&[ran(1), ran(2), ran(3), error("ERROR", "22012", "division by zero"), ready(b'I')]));
    h.wait(1);
    h.feed(C, &join(&[run("e"), sync()]));
    h.feed(S, &join(&[ran(5), ready(b'I')]));
    h.finish();
    assert_eq!(told(h.rows()), ["d|||||gap,no-response", "a|||0|1|", "b|||||gap", "e|||0|5|"]);
}

#[test]
fn a_pipeline_lost_as_a_whole_costs_nothing_else() {
    let mut h = open();
    h.feed(C, &join(&[run("a"), sync()]));
    h.feed(S, &join(&[ran(1), ready(b'I')]));
    h.wait(1);
    h.gap(C, 100);
    h.feed(S, &join(&[ran(2), ready(b'I')]));
    h.wait(1);
    h.feed(C, &join(&[run("c"), sync()]));
    h.feed(S, &join(&[ran(3), ready(b'I')]));
    // The end of one is lost: the server says that it was there.
    h.wait(1);
    h.feed(C, &run("d"));
    h.gap(C, 5);
    h.feed(S, &join(&[ran(4), ready(b'I')]));
    h.wait(1);
    h.feed(C, &join(&[run("e"), sync()]));
    h.feed(S, &join(&[ran(5), ready(b'I')]));
    h.finish();
    assert_eq!(told(h.rows()), ["a|||0|1|", "c|||0|3|", "d|||0|4|", "e|||0|5|"]);
}

#[test]
fn a_lost_parse_leaves_no_text_and_that_is_said() {
    let mut h = open();
    h.gap(C, 40);
    h.feed(C, &join(&[bind("", "s1", &["7"]), execute("", 0), sync()]));
    h.feed(S, &join(&[BOUND.to_vec(), done("SELECT 1"), ready(b'I')]));
    h.wait(1);
    h.feed(C, &join(&[bind("", "s1", &["8"]), execute("", 0), sync()]));
    h.feed(S, &join(&[BOUND.to_vec(), done("SELECT 2"), ready(b'I')]));
    h.finish();
    assert_eq!(told(h.rows()), ["|'7'||||gap,no-response", "|'8'||0|2|gap"]);
}

#[test]
fn what_is_asked_behind_lost_answers_of_its_pipeline_is_unpaired() {
    let mut h = open();
    h.feed(C, &join(&[run("a"), run("b")]));
    h.wait(1);
    h.gap(S, 20);
    h.feed(S, &done("SELECT 1"));
    h.wait(1);
    h.feed(C, &join(&[run("c"), sync()]));
    h.feed(S, &join(&[ran(2), ran(3), ready(b'I')]));
    h.wait(1);
    h.feed(C, &join(&[run("d"), sync()]));
    h.feed(S, &join(&[ran(4), ready(b'I')]));
    h.finish();
    let lost = |q: &str| format!("{q}|||||gap,no-response");
    assert_eq!(told(h.rows()), [lost("a"), lost("b"), lost("c"), "d|||0|4|".to_owned()]);
}

#[test]
fn after_a_loss_a_pipeline_is_paired_when_it_has_drained() {
    let mut h = open();
    let answer = |n: u32| join(&[done(&format!("SELECT {n}")), ready(b'I')]);
    h.feed(C, &join(&[query("a"), query("b"), query("c")]));
    h.feed(S, &answer(1));
    h.gap(S, 10);
    h.feed(C, &query("d"));
    // Two of three answers came: one is owed still, as far as one can know.
    h.feed(S, &join(&[answer(3), answer(4)]));
    h.feed(C, &query("e"));
    h.feed(S, &answer(5));
    h.wait(2000);
    h.feed(C, &query("f"));
    h.feed(S, &answer(6));
    h.finish();
    let lost = |q: &str| format!("{q}|||||gap,no-response");
    let want = ["a|||0|1|".to_owned(), lost("b"), lost("c"), lost("d"), lost("e"), "f|||0|6|".to_owned()];
    assert_eq!(told(h.rows()), want);
}

#[test]
fn what_is_long_is_cut_and_not_held() {
    let limits = Limits { text: 8, stream: 8192, ..Limits::default() };
    let mut h = open().limits(limits);
    let long = format!("select '{}'", "x".repeat(100_000));
    for chunk in query(&long).chunks(1000) {
        h.feed(C, chunk);
        assert!(h.left(C).len() <= 8192);
    }
    for chunk in join(&[columns(), row(&long), done("SELECT 1"), ready(b'I')]).chunks(1000) {
        h.feed(S, chunk);
        assert!(h.left(S).len() <= 1000);
    }
    let r = &h.rows()[0];
    assert_eq!((r.get("SQL"), r.get("ROWS"), r.quality()), ("select '", "1", String::new()));
    assert_eq!(r.asked, 2 + 101, "the last packet of the request");
    let ask = join(&[parse("", "select $1", &[25]), bind("", "", &[&long]), execute("", 0), sync()]);
    ask.chunks(1000).for_each(|c| h.feed(C, c));
    h.feed(S, &join(&[PARSED.to_vec(), BOUND.to_vec(), done("SELECT 1"), ready(b'I')]));
    assert_eq!((h.rows()[1].get("SQL"), h.rows()[1].get("RET_CODE")), ("select $", "0"));
}

#[test]
fn what_waits_and_what_is_kept_is_capped() {
    let mut h = open().limits(Limits { pipeline: 4, ..Limits::default() });
    for _ in 0..100 {
        h.feed(C, &query("select 1"));
    }
    assert!(h.session().held() < 40_000, "{}", h.session().held());
    assert_eq!(h.anomalies()[0], "postgresql-pipeline");
    h.finish();
    assert_eq!(h.rows().len(), 100);
    let mut h = open();
    for i in 0..2000 {
        h.feed(C, &join(&[parse(&format!("s{i}"), "select 1", &[]), sync()]));
        h.feed(S, &join(&[PARSED.to_vec(), ready(b'I')]));
    }
    assert!(h.session().held() < 1 << 20, "{}", h.session().held());
    h.finish();
    assert_eq!(h.rows().len(), 2000);
}

#[test]
fn losses_one_after_the_other_do_not_pile_up() {
    let mut h = open();
    for _ in 0..5000 {
        h.feed(C, &parse("", "select 1", &[]));
        h.gap(C, 100);
    }
    assert!(h.session().held() < 16_000, "{}", h.session().held());
}

#[test]
fn what_is_held_is_counted_as_it_comes_and_goes() {
    let mut h = open().limits(Limits { pipeline: 4, ..Limits::default() });
    let mut most = 0;
    for round in 0..60 {
        let ask = [parse("s", "select $1", &[23]), bind("", "s", &["7"]), execute("", 0), sync()];
        let answer = match round % 5 {
            0 => vec![PARSED.to_vec(), BOUND.to_vec(), done("SELECT 1"), ready(b'I')],
            1 => vec![PARSED.to_vec(), error("ERROR", "22P02", "no"), ready(b'I')],
            2 => vec![error("ERROR", "42601", "no"), ready(b'I')],
            _ => Vec::new(),
        };
        for part in ask {
            h.feed(C, &part);
            let [counted, sum] = h.session().queue.weights();
            assert_eq!(counted, sum);
            most = most.max(sum);
        }
        if round % 13 == 12 {
            h.gap(if round % 2 == 0 { C } else { S }, 10);
        }
        for part in answer {
            h.feed(S, &part);
            let [counted, sum] = h.session().queue.weights();
            assert_eq!(counted, sum);
        }
    }
    h.wait(5000);
    h.feed(C, &query("select 1"));
    h.feed(S, &join(&[done("SELECT 1"), ready(b'I')]));
    h.feed(S, &ready(b'I'));
    assert_eq!((h.session().queue.weights(), most > 0), ([0, 0], true));
}

#[test]
fn an_answer_is_not_looked_for_in_all_that_waits() {
    for (before, found) in [(100, true), (300, false)] {
        let mut h = open();
        for _ in 0..before {
            h.feed(C, &parse("", "select 1", &[]));
        }
        h.feed(C, &bind("", "", &[]));
        h.feed(S, BOUND);
        assert_eq!(h.anomalies()[0], if found { "postgresql-order" } else { "postgresql-unasked" });
    }
}

#[test]
fn other_protocols_are_given_back() {
    for (dir, other) in [
        (C, &b"GET / HTTP/1.1\r\n"[..]),
        (C, b"\x16\x03\x01\0\xa5\x01\0\0\xa1"),
        (C, b"*1\r\n$4\r\nPING\r\n"),
        (S, b"HTTP/1.1 200 OK\r\n"),
        (S, b"SSH-2.0-OpenSSH_9.2\r\n"),
        (S, b"220 mail ESMTP\r\n"),
        // MySQL: a query, the greeting.
        (C, b"\x0e\0\0\0\x03select 1 + 2"),
        (S, b"\x4a\0\0\0\x0a8.0.31\0"),
        // DNS over TCP; Kafka, ApiVersions.
        (C, b"\0\x1d\xab\xcd\x01\0\0\x01\0\0\0\0\0\0\x03www"),
        (C, b"\0\0\0\x14\0\x12\0\0\0\0\0\x01\0\x04test\0\0\0\0"),
    ] {
        assert_eq!(probe(Transport::Tcp, dir, other), Verdict::No, "{other:?}");
    }
    assert_eq!(probe(Transport::Udp, C, &startup()), Verdict::No);
    for n in 1..startup().len() {
        assert_ne!(probe(Transport::Tcp, C, &startup()[..n]), Verdict::No);
    }
    assert_eq!(probe(Transport::Tcp, C, &startup()), Verdict::Yes);
    assert_eq!(probe(Transport::Tcp, S, &welcome()), Verdict::Yes);
    assert_eq!(probe(Transport::Tcp, S, &[&b"N"[..], &welcome()].concat()), Verdict::Yes);
    assert_eq!(probe(Transport::Tcp, C, &query("select 1")), Verdict::Yes);
    assert_eq!(probe(Transport::Tcp, S, &query("select 1")), Verdict::No);
    assert_eq!(probe(Transport::Tcp, S, &columns()), Verdict::Yes);
    let mut h = tcp();
    h.feed(C, b"\0\0\0\x14\0\x12\0\0");
    assert_eq!(h.outcome(), Outcome::Lost);
}

#[test]
fn any_bytes_are_borne() {
    let ask = join(&[
        startup(),
        query("select 1"),
        parse("s", "select $1", &[23, 1700]),
        bind("p", "s", &["7", "8"]),
        m(b'D', &[b"Ss\0"]),
        execute("p", 5),
        sync(),
        m(b'C', &[b"Ss\0"]),
        sync(),
    ]);
    let answer = join(&[
        welcome(),
        columns(),
        row("1"),
        done("SELECT 1"),
        ready(b'I'),
        PARSED.to_vec(),
        BOUND.to_vec(),
        described(&[23, 1700]),
        columns(),
        row("7"),
        m(b's', &[]),
        ready(b'T'),
        error("ERROR", "26000", "no"),
        ready(b'E'),
    ]);
    let seed: &[(Direction, &[u8])] = &[(C, &ask), (S, &answer)];
    mutations(&[seed, &[(S, &answer), (C, &ask)]], 900, fuzz_postgresql);
}
