//! Whole dialogues. The bytes follow the forms and the examples of MS-TDS (section 4); a small client and
//! a small server are played by the functions here.

use super::{Session, fuzz_tds};
use crate::harness::{C, Harness, Outcome, Row, S, Script, cut_every_way, mutations, slices};
use crate::session::{Limits, Transport};
use base::Direction;

const HEADERS: &[u8] = b"\x16\0\0\0\x12\0\0\0\x02\0\0\0\0\0\0\0\0\0\x01\0\0\0";

fn u(s: &str) -> Vec<u8> {
    s.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A message in packets of `size` bytes.
fn message(kind: u8, body: &[u8], size: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let chunks: Vec<&[u8]> = if body.is_empty() { vec![&[]] } else { body.chunks(size - 8).collect() };
    for (i, c) in chunks.iter().enumerate() {
        let last = u8::from(i + 1 == chunks.len());
        out.extend([kind, last]);
        out.extend((c.len() as u16 + 8).to_be_bytes());
        out.extend([0, 0, i as u8 + 1, 0]);
        out.extend(*c);
    }
    out
}

fn batch(sql: &str) -> Vec<u8> {
    message(1, &[HEADERS, &u(sql)].concat(), 4096)
}

fn rpc(calls: &[Vec<u8>]) -> Vec<u8> {
    message(3, &[HEADERS, &calls.join(&0xff)].concat(), 4096)
}

fn nvarchar(s: &str) -> Vec<u8> {
    let v = u(s);
    [&[0, 0, 0xe7, 0x40, 0x1f, 9, 4, 0xd0, 0, 0x34][..], &(v.len() as u16).to_le_bytes(), &v].concat()
}

fn int4(n: i32) -> Vec<u8> {
    [&[0, 0, 0x26, 4, 4][..], &n.to_le_bytes()].concat()
}

fn number(id: u8, params: &[Vec<u8>]) -> Vec<u8> {
    [&[0xff, 0xff, id, 0, 0, 0][..], &params.concat()].concat()
}

fn done(token: u8, status: u16, count: u64) -> Vec<u8> {
    [&[token][..], &status.to_le_bytes(), &[0xc1, 0], &count.to_le_bytes()].concat()
}

fn error(number: i32, text: &str) -> Vec<u8> {
    let mut b = number.to_le_bytes().to_vec();
    b.extend([1, 16]);
    b.extend((text.len() as u16).to_le_bytes());
    b.extend(u(text));
    b.extend([0, 0, 1, 0, 0, 0]);
    [&[0xaa][..], &(b.len() as u16).to_le_bytes(), &b].concat()
}

fn database(name: &str) -> Vec<u8> {
    let mut b = vec![1, name.len() as u8];
    b.extend(u(name));
    b.push(0);
    [&[0xe3][..], &(b.len() as u16).to_le_bytes(), &b].concat()
}

/// One INT column and `n` rows.
fn rows(n: u32) -> Vec<u8> {
    let mut b = b"\x81\x01\0\0\0\0\0\x09\0\x38\x01a\0".to_vec();
    for i in 0..n {
        b.push(0xd1);
        b.extend(i.to_le_bytes());
    }
    b
}

fn answer(parts: &[Vec<u8>]) -> Vec<u8> {
    message(4, &parts.concat(), 4096)
}

fn ok(count: u64) -> Vec<u8> {
    answer(&[done(0xfd, 0x10, count)])
}

fn prelogin(encryption: u8) -> Vec<u8> {
    [&b"\0\0\x0b\0\x06\x01\0\x11\0\x01\xff\x0f\0\x07\xd0\0\0"[..], &[encryption]].concat()
}

fn login(user: &str, db: &str) -> Vec<u8> {
    let mut fixed = vec![0u8; 94];
    let mut text = Vec::new();
    let put = |fixed: &mut Vec<u8>, pair: usize, s: &str, text: &mut Vec<u8>| {
        let at = (94 + text.len()) as u16;
        fixed[pair..pair + 2].copy_from_slice(&at.to_le_bytes());
        fixed[pair + 2..pair + 4].copy_from_slice(&(s.len() as u16).to_le_bytes());
        text.extend(u(s));
    };
    put(&mut fixed, 36, "host", &mut text);
    put(&mut fixed, 40, user, &mut text);
    put(&mut fixed, 44, "secret", &mut text);
    put(&mut fixed, 48, "program", &mut text);
    put(&mut fixed, 68, db, &mut text);
    let n = (fixed.len() + text.len()) as u32;
    fixed[..4].copy_from_slice(&n.to_le_bytes());
    fixed[4..8].copy_from_slice(&[4, 0, 0, 0x74]);
    message(0x10, &[fixed, text].concat(), 4096)
}

fn loginack() -> Vec<u8> {
    b"\xad\x0e\0\x01\x74\0\0\x04\x02S\0Q\0\x10\0\0\0".to_vec()
}

/// Pre-login and login, without encryption.
fn logged_in() -> Script {
    vec![
        (C, message(0x12, &prelogin(2), 4096)),
        (S, message(4, &prelogin(2), 4096)),
        (C, login("sa", "")),
        (S, answer(&[database("master"), loginack(), done(0xfd, 0, 0)])),
    ]
}

fn new() -> Harness<Session> {
    Harness::new(Session::new(Transport::Tcp))
}

fn run(script: &Script) -> Vec<Row> {
    cut_every_way(new, &slices(script))
}

fn show(row: &Row) -> String {
    let f = |k| row.get(k).to_owned();
    format!("{}|{}|{}|{}|{}|{}", f("SQL"), f("PARAMS"), f("RET_CODE"), f("ERR"), f("ROWS"), row.quality())
}

fn all(script: &Script) -> Vec<String> {
    run(script).iter().map(show).collect()
}

#[test]
fn a_login_then_batches_with_their_counts_and_errors() {
    let mut s = logged_in();
    s.push((C, batch("select * from t")));
    s.push((S, answer(&[rows(3), done(0xfd, 0x10, 3)])));
    s.push((C, batch("use x")));
    s.push((S, answer(&[database("x"), done(0xfd, 0, 0)])));
    s.push((C, batch("select * from nowhere; select 1")));
    s.push((
        S,
        answer(&[error(208, "Invalid object name 'nowhere'."), error(999, "and so on"), done(0xfd, 2, 0)]),
    ));
    let got = run(&s);
    let shown: Vec<String> = got.iter().map(show).collect();
    assert_eq!(
        shown,
        [
            "select * from t||0||3|",
            "use x||0||0|",
            "select * from nowhere; select 1||208|Invalid object name 'nowhere'.|0|",
        ]
    );
    assert_eq!((got[0].get("USER"), got[0].get("DB"), got[2].get("DB")), ("sa", "master", "x"));
    assert_eq!((got[0].get("PROGRAM"), got[0].get("CLIENT_HOST")), ("program", "host"));
    assert!(got.iter().all(|r| r.fields.iter().all(|(_, v)| !v.contains("secret"))));
}

#[test]
fn a_failed_login_is_told_and_its_password_is_not() {
    let mut s = logged_in();
    s.truncate(2);
    s.push((C, login("eve", "db")));
    s.push((S, answer(&[error(18456, "Login failed for user 'eve'."), done(0xfd, 2, 0)])));
    let got = run(&s);
    assert_eq!(got.len(), 1);
    assert_eq!(show(&got[0]), "||18456|Login failed for user 'eve'.||");
    assert_eq!((got[0].get("USER"), got[0].get("DB")), ("eve", "db"));
}

#[test]
fn a_login_by_sspi_goes_on_over_several_messages() {
    let mut s = logged_in();
    s.truncate(3);
    s.push((S, answer(&[b"\xed\x04\0abcd".to_vec()])));
    s.push((C, message(0x11, b"NTLMSSP\0secret", 4096)));
    s.push((S, answer(&[error(18452, "untrusted"), done(0xfd, 2, 0)])));
    assert_eq!(all(&s), ["||18452|untrusted||"]);
}

#[test]
fn prepared_statements_are_told_with_their_text() {
    let mut s = logged_in();
    let null_int = || vec![0, 1, 0x26, 4, 0];
    let handle =
        |n: i32| [b"\xac\0\0\0\x01\0\0\0\0\0\0\x26\x04\x04".to_vec(), n.to_le_bytes().to_vec()].concat();
    s.push((C, rpc(&[number(13, &[null_int(), nvarchar("@p int"), nvarchar("select @p"), int4(1)])])));
    s.push((
        S,
        answer(&[rows(1), done(0xff, 0x11, 1), b"\x79\0\0\0\0".to_vec(), handle(7), done(0xfe, 0, 0)]),
    ));
    s.push((C, rpc(&[number(12, &[int4(7), int4(2)])])));
    s.push((S, answer(&[rows(1), done(0xff, 0x11, 1), b"\x79\0\0\0\0".to_vec(), done(0xfe, 0, 0)])));
    // Two calls in one message: the first fails.
    s.push((C, rpc(&[number(12, &[int4(7), int4(3)]), number(12, &[int4(7), int4(4)])])));
    s.push((
        S,
        answer(&[
            error(2627, "duplicate"),
            done(0xff, 0x3, 0),
            b"\x79\x01\0\0\0".to_vec(),
            done(0xfe, 0x81, 0),
            done(0xff, 0x11, 5),
            b"\x79\0\0\0\0".to_vec(),
            done(0xfe, 0, 0),
        ]),
    ));
    s.push((C, rpc(&[number(15, &[int4(7)])])));
    s.push((S, answer(&[b"\x79\0\0\0\0".to_vec(), done(0xfe, 0, 0)])));
    s.push((C, rpc(&[number(12, &[int4(7), int4(5)])])));
    s.push((S, answer(&[error(8179, "no handle"), done(0xfe, 2, 0)])));
    assert_eq!(
        all(&s),
        [
            "select @p|1|0||1|",
            "select @p|2|0||1|",
            "select @p|3|2627|duplicate|0|",
            "select @p|4|0||5|",
            "|5|8179|no handle|0|",
        ]
    );
}

/// Prepares a statement: handle 7.
fn prepared() -> Script {
    let mut s = logged_in();
    s.push((C, rpc(&[number(11, &[vec![0, 1, 0x26, 4, 0], nvarchar("@p int"), nvarchar("insert @p")])])));
    s.push((S, answer(&[b"\xac\0\0\0\x01\0\0\0\0\0\0\x26\x04\x04\x07\0\0\0".to_vec(), done(0xfe, 0, 0)])));
    s
}

/// Executions of it, and their answers: the one with the number `bad` fails.
fn executions(n: i32, bad: i32) -> (Vec<Vec<u8>>, Vec<u8>) {
    let calls = (1..=n).map(|i| number(12, &[int4(7), int4(i)])).collect();
    let mut answer = Vec::new();
    for i in 1..=n {
        if i == bad {
            answer.extend([error(2627, "duplicate"), done(0xff, 3, 0)].concat());
        } else {
            answer.extend(done(0xff, 0x11, 1));
        }
        answer.extend(b"\x79\0\0\0\0");
        answer.extend(done(0xfe, if i == n { 0 } else { 0x81 }, 0));
    }
    (calls, message(4, &answer, 4096))
}

#[test]
fn batches_of_calls_are_read_while_they_come_in() {
    let mut s = prepared();
    let (calls, answers) = executions(600, 551);
    s.push((C, rpc(&calls)));
    s.push((S, answers));
    s.push((C, batch("select 1")));
    s.push((S, ok(1)));
    let got = all(&s);
    assert_eq!(got.len(), 602);
    for (i, r) in got[1..601].iter().enumerate() {
        let outcome = if i == 550 { "2627|duplicate|0" } else { "0||1" };
        assert_eq!(*r, format!("insert @p|{}|{outcome}|", i + 1));
    }
    assert_eq!(got[601], "select 1||0||1|");
    // Once all has come in it has been asked for.
    let mut h = new();
    s.iter().for_each(|(d, b)| h.feed(*d, b));
    assert!(h.rows()[1..601].iter().all(|r| r.asked == 7 && r.end == 8));
}

#[test]
fn calls_that_are_not_read_spoil_no_others() {
    // More than wait: the first are told, each with its own outcome.
    let mut s = prepared();
    let (calls, answers) = executions(1500, 1400);
    s.push((C, rpc(&calls)));
    s.push((S, answers));
    s.push((C, batch("select 1")));
    s.push((S, ok(1)));
    let mut h = new();
    s.iter().for_each(|(d, b)| h.feed(*d, b));
    let got: Vec<String> = h.rows().iter().map(show).collect();
    assert_eq!((got.len(), h.anomalies()), (1026, &["sqlserver-calls-untold"][..]));
    assert!(got[1..1025].iter().enumerate().all(|(i, r)| *r == format!("insert @p|{}|0||1|", i + 1)));
    assert_eq!(got[1025], "select 1||0||1|");
    // One is longer than what is kept, or has a type that is not known: so are those behind it.
    let long = [
        &[0, 0, 0xe7, 0xff, 0xff, 9, 4, 0xd0, 0, 0x34][..],
        &[0xfe; 8],
        &20_000u32.to_le_bytes(),
        &[b'x'; 20_000],
        &[0; 4],
    ];
    for odd in [long.concat(), b"\0\0\x99".to_vec()] {
        let mut s = prepared();
        let (mut calls, answers) = executions(9, 5);
        calls[2] = number(12, &[int4(7), int4(3), odd]);
        s.push((C, rpc(&calls)));
        s.push((S, answers));
        s.push((C, rpc(&[number(12, &[int4(7), int4(1)])])));
        s.push((S, answer(&[done(0xff, 0x11, 1), done(0xfe, 0, 0)])));
        let got = all(&s);
        assert_eq!(
            (got.len(), got[1].as_str(), got[2].as_str()),
            (5, "insert @p|1|0||1|", "insert @p|2|0||1|")
        );
        assert!(got[3].starts_with("insert @p|3") && got[3].ends_with("|0||1|"), "{}", got[3]);
        // Its handle may have been given back unseen.
        assert_eq!(got[4], "|1|0||1|");
    }
}

#[test]
fn a_batch_of_calls_that_is_broken_off_or_answered_early() {
    let (calls, answers) = executions(1000, 951);
    let all = rpc(&calls);
    let mut h = new();
    prepared().iter().for_each(|(d, b)| h.feed(*d, b));
    // The second half comes behind its answer, as the packets were captured.
    let (one, two) = all.split_at(4096 * 4);
    h.feed(C, one);
    h.feed(S, &answers);
    h.feed(C, two);
    h.feed(C, &batch("select 1"));
    h.feed(S, &ok(1));
    // The last packet says that the message is to be ignored.
    h.feed(C, one);
    h.feed(C, b"\x03\x03\0\x08\0\0\x05\0");
    h.feed(C, &batch("select 2"));
    h.feed(S, &ok(2));
    // Something else comes instead of the rest.
    h.feed(C, one);
    h.feed(C, &batch("select 3"));
    h.feed(S, &ok(3));
    // Its rest is lost.
    h.feed(C, one);
    h.gap(C, two.len() as u64);
    h.feed(S, &answers);
    h.feed(C, &batch("select 4"));
    h.feed(S, &ok(4));
    h.finish();
    let got: Vec<String> = h.rows().iter().map(show).collect();
    let whole: Vec<&String> = got.iter().filter(|r| r.starts_with("select")).collect();
    assert_eq!(whole, ["select 1||0||1|", "select 2||0||2|", "select 3||0||3|", "select 4||0||4|"]);
    let unsure = got.iter().filter(|r| r.starts_with("insert @p|") && r.contains("||||"));
    assert!(unsure.count() > 600 && got.iter().all(|r| !r.contains("2627")), "{got:?}");
    assert_eq!(h.anomalies(), ["sqlserver-message-broken-off"]);
}

#[test]
fn messages_over_many_packets() {
    let sql = format!("select '{}'", "x".repeat(3000));
    let mut s = logged_in();
    s.push((C, message(1, &[HEADERS, &u(&sql)].concat(), 512)));
    s.push((S, message(4, &[rows(500), done(0xfd, 0x10, 500)].concat(), 512)));
    let got = run(&s);
    assert_eq!((got[0].get("SQL").len(), got[0].get("ROWS")), (Limits::default().text, "500"));
}

#[test]
fn transactions_bulk_loads_and_cancelled_requests() {
    let mut s = logged_in();
    s.push((C, message(0x0e, &[HEADERS, &[5, 0, 1, 2], &u("t1")[..2], &[0]].concat(), 4096)));
    s.push((S, answer(&[b"\xe3\x0b\0\x08\x08\x01\0\0\0\x31\0\0\0\0".to_vec(), done(0xfd, 0, 0)])));
    s.push((C, batch("insert bulk t (a int)")));
    s.push((S, answer(&[done(0xfd, 0, 0)])));
    s.push((C, message(7, &[rows(2), done(0xfd, 0, 0)].concat(), 4096)));
    s.push((S, ok(2)));
    s.push((C, batch("waitfor delay '1'")));
    s.push((C, message(6, &[], 4096)));
    s.push((S, answer(&[done(0xfd, 0x20, 0)])));
    s.push((C, batch("select 1")));
    s.push((S, ok(1)));
    assert_eq!(
        all(&s)[1..],
        [
            "insert bulk t (a int)||0||0|",
            "insert bulk t (a int)||0||2|",
            "waitfor delay '1'|||cancelled by the client|0|",
            "select 1||0||1|",
        ]
    );
    assert!(all(&s)[0].starts_with("BEGIN TRANSACTION"));
}

#[test]
fn an_answer_that_was_ready_before_the_cancellation_came() {
    let mut s = logged_in();
    s.push((C, batch("select 1")));
    s.push((C, message(6, &[], 4096)));
    s.push((S, ok(1)));
    s.push((S, answer(&[done(0xfd, 0x20, 0)])));
    s.push((C, batch("select 2")));
    s.push((S, ok(2)));
    assert_eq!(all(&s), ["select 1||0||1|", "select 2||0||2|"]);
}

#[test]
fn tokens_that_are_not_known_make_no_false_errors() {
    let mut s = logged_in();
    s.push((C, batch("select strange")));
    s.push((S, answer(&[b"\x81\x01\0\0\0\0\0\x09\0\x99\x01a\0\xd1whatever".to_vec(), done(0xfd, 0x10, 9)])));
    s.push((C, batch("select worse")));
    s.push((S, answer(&[b"\x99\x88".to_vec(), done(0xfd, 2, 9)])));
    assert_eq!(all(&s), ["select strange||0|||", "select worse|||||"]);
}

#[test]
fn encrypted_connections_are_given_up_and_encrypted_logins_are_not() {
    let hello = |dir: Direction| {
        let kind = if dir == C { 0x12 } else { 4 };
        (dir, message(kind, b"\x16\x03\x03\0\x04hell", 4096))
    };
    let record = |dir| (dir, b"\x17\x03\x03\0\x05login".to_vec());
    let with = |encryption: u8| -> Script {
        vec![
            (C, message(0x12, &prelogin(0), 4096)),
            (S, message(4, &prelogin(encryption), 4096)),
            hello(C),
            hello(S),
            hello(C),
            record(C),
        ]
    };
    let mut h = new();
    for (dir, b) in with(1) {
        h.feed(dir, &b);
    }
    assert_eq!((h.outcome(), h.anomalies()), (Outcome::Done, &["sqlserver-tls"][..]));
    let mut s = with(0);
    let mut failed = s.clone();
    failed.push(record(C));
    failed
        .push((S, answer(&[error(18456, "Login failed for user 'eve'."), error(1, "x"), done(0xfd, 2, 0)])));
    assert_eq!(all(&failed), ["||18456|Login failed for user 'eve'.||"]);
    let mut h = new();
    failed.iter().for_each(|(d, b)| h.feed(*d, b));
    assert_eq!((h.rows()[0].begin, h.rows()[0].asked, h.rows()[0].end), (6, 7, 8));
    s.push((S, answer(&[database("d"), loginack(), done(0xfd, 0, 0)])));
    s.push((C, batch("select 1")));
    s.push((S, ok(1)));
    let got = run(&s);
    assert_eq!((got.len(), show(&got[0]).as_str(), got[0].get("DB")), (1, "select 1||0||1|", "d"));
}

fn smp(flags: u8, session: u16, body: &[u8]) -> Vec<u8> {
    let mut b = vec![0x53, flags];
    b.extend(session.to_le_bytes());
    b.extend((body.len() as u32 + 16).to_le_bytes());
    b.extend([1, 0, 0, 0, 4, 0, 0, 0]);
    b.extend(body);
    b
}

#[test]
fn multiplexed_sessions_are_kept_apart() {
    let mut s = logged_in();
    s.push((C, smp(1, 0, &[])));
    s.push((C, smp(8, 0, &batch("select 0"))));
    s.push((C, smp(1, 1, &[])));
    s.push((C, smp(8, 1, &batch("select 1"))));
    s.push((S, smp(8, 1, &ok(1))));
    // A message in two packets, with an ACK between.
    let long = message(4, &[rows(200), done(0xfd, 0x10, 200)].concat(), 600);
    let (one, two) = long.split_at(600);
    s.push((S, smp(8, 0, one)));
    s.push((S, smp(2, 1, &[])));
    s.push((S, smp(8, 0, two)));
    s.push((C, smp(4, 1, &[])));
    s.push((S, smp(4, 1, &[])));
    s.push((C, smp(8, 0, &batch("select 2"))));
    s.push((S, smp(8, 0, &answer(&[error(1, "x"), done(0xfd, 2, 0)]))));
    assert_eq!(all(&s), ["select 1||0||1|", "select 0||0||200|", "select 2||1|x|0|"]);
}

#[test]
fn connections_joined_in_the_middle() {
    let mut h = new().midstream();
    h.feed(S, &rows(9));
    h.feed(C, &batch("select 1"));
    h.feed(S, &ok(1));
    h.finish();
    let got: Vec<String> = h.rows().iter().map(show).collect();
    assert_eq!(got, ["select 1||0||1|midstream"]);
    // 7.1: no headers, counts of four bytes.
    let mut h = new();
    h.feed(C, &message(1, &u("select 1"), 4096));
    h.feed(S, &message(4, b"\xfd\x10\0\xc1\0\x04\0\0\0", 4096));
    assert_eq!(show(&h.rows()[0]), "select 1||0||4|");
    // 4.2: one byte a character.
    let mut h = new();
    h.feed(C, &message(1, b"select 1", 4096));
    h.feed(S, &message(4, b"\xaa\x0d\0\x66\0\0\0\x01\x0f\x03\0bad\0\0\xfd\x02\0\xc1\0\0\0\0\0", 4096));
    assert_eq!(show(&h.rows()[0]), "select 1||102|bad|0|");
}

#[test]
fn a_gap_costs_one_transaction() {
    let mut h = new();
    for (dir, b) in logged_in() {
        h.feed(dir, &b);
    }
    // In the middle of a packet of an answer.
    h.feed(C, &batch("select 1"));
    let a = answer(&[rows(100), error(5, "e"), done(0xfd, 0x10, 100)]);
    h.feed(S, &a[..100]);
    h.gap(S, 50);
    h.feed(S, &a[150..]);
    h.feed(C, &batch("select 2"));
    h.feed(S, &ok(2));
    // Over the boundary of an answer.
    h.feed(C, &batch("select 3"));
    h.feed(S, &a[..100]);
    h.gap(S, a.len() as u64 + 50);
    h.feed(S, &[0; 100]);
    h.feed(C, &batch("select 4"));
    h.feed(S, &ok(4));
    // In a request.
    let q = batch("select 5 from somewhere");
    h.feed(C, &q[..60]);
    h.gap(C, 4);
    h.feed(C, &q[64..]);
    h.feed(S, &ok(5));
    // Over its end.
    h.feed(C, &q[..60]);
    h.feed(S, &ok(6));
    h.gap(C, q.len() as u64);
    h.feed(C, &u("garbage"));
    h.feed(C, &batch("select 7"));
    h.feed(S, &ok(7));
    h.finish();
    let got: Vec<String> = h.rows().iter().map(show).collect();
    assert_eq!(
        got,
        [
            "select 1|||||gap",
            "select 2||0||2|",
            "select 3|||||gap",
            "select 4||0||4|",
            "select 5 from s||0||5|gap",
            "select 5 from s|||||gap,no-response",
            "select 7||0||7|",
        ]
    );
}

#[test]
fn what_may_have_chosen_a_database_is_looked_for_once() {
    let mut h = new();
    logged_in().iter().for_each(|(d, b)| h.feed(*d, b));
    let (calls, answers) = executions(500, 0);
    h.feed(C, &rpc(&calls));
    // None of those that wait chooses another.
    h.feed(S, &answers[..60]);
    (0..2500).for_each(|_| h.gap(S, 1));
    h.feed(S, &answers[2560..]);
    h.feed(C, &batch("use x; select 1"));
    h.feed(S, &ok(1)[..9]);
    h.gap(S, 4);
    h.feed(S, &ok(1)[13..]);
    h.feed(C, &batch("select 2"));
    h.feed(S, &ok(1));
    let got: Vec<&str> = h.rows().iter().map(|r| r.get("DB")).collect();
    assert_eq!((got.len(), &got[499..]), (502, &["master", "master", ""][..]));
    // Nor was it seen how they went, but for the first.
    let unsure = |r: &&Row| !r.has("RET_CODE") && !r.has("ROWS") && r.quality() == "gap";
    assert_eq!(h.rows()[..500].iter().filter(unsure).count(), 499);
}

#[test]
fn an_answer_captured_before_its_request_is_not_given_to_the_next() {
    let mut h = new();
    for (dir, b) in logged_in() {
        h.feed(dir, &b);
    }
    h.feed(S, &ok(1));
    h.feed(C, &batch("select 1"));
    h.feed(C, &batch("select 2"));
    h.feed(S, &ok(2));
    let got: Vec<String> = h.rows().iter().map(show).collect();
    assert_eq!(got, ["select 1|||||no-response", "select 2||0||2|"]);
}

#[test]
fn times_are_those_of_the_packets() {
    let mut h = new();
    let q = batch("select 1");
    let a = answer(&[rows(3), done(0xfd, 0x10, 3)]);
    h.feed(C, &q[..4]);
    h.feed(C, &q[4..30]);
    h.feed(C, &q[30..]);
    h.feed(S, &a[..9]);
    h.feed(S, &a[9..]);
    let r = &h.rows()[0];
    assert_eq!((r.begin, r.asked, r.answering, r.end), (1, 3, Some(4), 5));
}

#[test]
fn sampled_out_requests_leave_nothing() {
    let limits = Limits { sample: u32::MAX, ..Limits::default() };
    let mut h = new().limits(limits);
    for (dir, b) in logged_in() {
        h.feed(dir, &b);
    }
    for _ in 0..50 {
        h.feed(C, &batch("select 1"));
        h.feed(S, &ok(1));
    }
    assert!(h.rows().len() < 5 && h.sampled_out() > 45);
}

#[test]
fn arbitrary_bytes_break_nothing() {
    let mut s = logged_in();
    s.push((C, rpc(&[number(10, &[nvarchar("select @a"), nvarchar("@a int"), int4(7)])])));
    s.push((S, answer(&[rows(3), error(7, "x"), done(0xff, 0x11, 3), done(0xfe, 0, 0)])));
    s.push((C, smp(1, 0, &[])));
    s.push((C, smp(8, 0, &batch("select 0"))));
    s.push((S, smp(8, 0, &ok(1))));
    mutations(&[&slices(&s)], 400, fuzz_tds);
}
