//! Whole dialogues. There is no public specification: the bytes have the forms met in traffic of OCI 9 and 10
//! and of JDBC 10, put together anew by the functions here.

use super::{Session, fuzz_tns};
use crate::harness::{C, Harness, Outcome, Row, S, Script, cut_every_way, mutations, slices};
use crate::session::{Limits, Transport};

fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = (body.len() + 8) as u16;
    [&len.to_be_bytes()[..], &[0, 0, kind, 0, 0, 0], body].concat()
}

fn data(message: &[u8]) -> Vec<u8> {
    packet(6, &[&[0, 0], message].concat())
}

fn connect(descriptor: &str) -> Vec<u8> {
    let mut body = vec![0u8; 50];
    body[..4].copy_from_slice(&[1, 0x3c, 1, 0x2c]);
    body[16..18].copy_from_slice(&(descriptor.len() as u16).to_be_bytes());
    body[19] = 58;
    packet(1, &[&body, descriptor.as_bytes()].concat())
}

/// Version 313, size 2047.
fn accept() -> Vec<u8> {
    packet(2, b"\x01\x39\x0c\x01\x07\xff\x7f\xff\x01\0\0\0\0\x20\xc1\x01\0\0\0\0\0\0\0\0")
}

const DESCRIPTOR: &str = "(DESCRIPTION=(CONNECT_DATA=(SID=orcl)(CID=(PROGRAM=p)(HOST=h)(USER=os)))(ADDRESS=(PROTOCOL=TCP)(HOST=x)(PORT=1521)))";

/// A login of a thin client: two calls, each answered.
fn logged_in() -> Script {
    vec![
        (C, connect(DESCRIPTOR)),
        (S, accept()),
        (C, data(b"\x03\x76\x01\x01\x01\x03\x01\x21\x01\x01\x05\x01\x01SYS\x01\x0d\x0dAUTH_TERMINAL\x01\x01\x01x\0\x01\x0c\x0cAUTH_MACHINE\x01\x03\x03ws1\0")),
        (S, data(b"\x08\x01\x02\x01\x0c\x0cAUTH_SESSKEY\x01\x40\x40")),
        (C, data(b"\x03\x73\x02\x01\x01\x03\x02\x01\x21\x01\x01\x0d\x01\x01SYS\x01\x0d\x0dAUTH_PASSWORD\x01\x06\x06secret\0")),
        (S, data(b"\x08\x01\x23\x01\x13\x13AUTH_VERSION_STRING")),
    ]
}

/// OALL8 of a thin client.
fn thin(seq: u8, sql: &str) -> Vec<u8> {
    let n = sql.len() as u16;
    let len = if n < 256 { vec![1, n as u8] } else { [&[2][..], &n.to_be_bytes()].concat() };
    [
        &[3, 0x5e, seq, 2, 0x80, 0x21, 0, 1][..],
        &len,
        b"\x01\x01\x0d\0\0\x04\xff\xff\xff\xff\x01\x0a\x04\x7f\xff\xff\xff\0\0\0\0\0\0\0\0\0\0\0\x01",
        sql.as_bytes(),
        b"\x01\x01\0\0\0\0\0\0\x01\x01\0\x02\x80\0\0\0\0\0",
    ]
    .concat()
}

/// The verdict for a thin client.
fn verdict(seq: u8, rows: u8, error: u16, cursor: u8, text: &str) -> Vec<u8> {
    let mut b = vec![4, 1, 1, 1, seq, 1, rows];
    if error > 0 {
        b.push(2);
        b.extend(error.to_be_bytes());
    } else {
        b.push(0);
    }
    b.extend([0, 0, 1, cursor, 0, 3, 0, 1, 0x20]);
    b.extend([0; 10]);
    b.extend([seq, 0, 1, 1, 0, 0, 0, 0]);
    if !text.is_empty() {
        b.push(text.len() as u8);
        b.extend(text.as_bytes());
    }
    b
}

fn new() -> Harness<Session> {
    Harness::new(Session::new(Transport::Tcp))
}

fn run(script: &Script) -> Vec<Row> {
    cut_every_way(new, &slices(script))
}

fn show(row: &Row) -> String {
    let f = |k| row.get(k).to_owned();
    format!("{}|{}|{}|{}|{}", f("SQL"), f("RET_CODE"), f("ERR"), f("ROWS"), row.quality())
}

fn all(script: &Script) -> Vec<String> {
    run(script).iter().map(show).collect()
}

#[test]
fn statements_of_a_thin_client_with_their_outcomes() {
    let mut s = logged_in();
    s.push((C, data(&thin(3, "select * from t"))));
    let described = b"\x10\x17\x01\x02\x03";
    s.push((S, data(&[&described[..], &verdict(3, 2, 1403, 1, "ORA-01403: no data found\n")].concat())));
    s.push((C, data(&thin(4, "delete from t"))));
    s.push((S, data(&verdict(4, 7, 0, 2, ""))));
    s.push((C, data(&thin(5, "select * from nowhere"))));
    s.push((S, packet(12, &[1, 0, 1])));
    s.push((S, packet(12, &[1, 0, 2])));
    s.push((C, packet(12, &[1, 0, 2])));
    s.push((S, data(&verdict(5, 0, 942, 3, "ORA-00942: table or view does not exist\n"))));
    // By its cursor.
    s.push((C, data(b"\x03\x5e\x06\x01\x20\x01\x02\0\0\0")));
    s.push((S, data(&verdict(6, 8, 0, 2, ""))));
    s.push((C, data(b"\x03\x0e\x07")));
    s.push((S, data(b"\x09\x01\x01\x01\x07")));
    // Its rows look like an error; there are more.
    s.push((C, data(&thin(8, "select m from log"))));
    s.push((
        S,
        data(&[&described[..], b"\x06\x07\x14ORA-00600: internal\n", &verdict(8, 1, 0, 4, "")].concat()),
    ));
    let got = run(&s);
    assert_eq!(
        got.iter().map(show).collect::<Vec<_>>(),
        [
            "select * from t|0||2|",
            "delete from t|0||7|",
            "select * from nowhere|942|ORA-00942: table or view does not exist|0|",
            "delete from t|0||8|",
            "COMMIT|0|||",
            "select m from log|0|||",
        ]
    );
    let who = ["USER", "DB", "PROGRAM", "CLIENT_HOST"].map(|k| got[0].get(k));
    assert_eq!(who, ["SYS", "orcl", "p", "ws1"]);
    assert!(got.iter().all(|r| r.fields.iter().all(|(_, v)| !v.contains("secret"))));
}

#[test]
fn a_login_that_fails_and_a_connection_that_is_refused() {
    let mut s = logged_in();
    s.pop();
    s.push((S, data(&verdict(2, 0, 1017, 0, "ORA-01017: invalid username/password; logon denied\n"))));
    let got = run(&s);
    assert_eq!(
        got.iter().map(show).collect::<Vec<_>>(),
        ["|1017|ORA-01017: invalid username/password; logon denied||"]
    );
    assert_eq!(got[0].get("USER"), "SYS");
    let text = b"(DESCRIPTION=(TMP=)(VSNNUM=169869568)(ERR=12505)(ERROR_STACK=(ERROR=(CODE=12505)(EMFI=4))))";
    let refuse = packet(4, &[&[0x22, 0, 0, text.len() as u8][..], text].concat());
    let got =
        run(&vec![(C, connect(DESCRIPTOR)), (S, packet(11, &[])), (C, connect(DESCRIPTOR)), (S, refuse)]);
    assert_eq!((got.len(), got[0].get("RET_CODE"), got[0].get("DB")), (1, "12505", "orcl"));
    assert!(got[0].get("ERR").contains("(ERR=12505)"));
}

#[test]
fn what_a_login_has_executed_is_told_when_it_is_let_in() {
    let mut s = logged_in();
    let sql = b"ALTER SESSION SET TIME_ZONE='-05:00'";
    s[4].1 = data(&[&b"\x03\x73\x02\x01\x01\x03\x02\x01\x21\x01\x01\x0d\x01\x01SYS\x01\x0d\x0dAUTH_PASSWORD\x01\x06\x06secret\0\x01\x12\x12AUTH_ALTER_SESSION\x01\x24\x24"[..], sql, b"\0"].concat());
    s.push((C, data(&thin(3, "delete from t"))));
    s.push((S, data(&verdict(3, 5, 0, 1, ""))));
    let got = run(&s);
    assert_eq!(
        got.iter().map(show).collect::<Vec<_>>(),
        ["ALTER SESSION SET TIME_ZONE='-05:00'|0|||", "delete from t|0||5|"]
    );
    assert_eq!((got[0].get("USER"), got[0].get("DB")), ("SYS", "orcl"));
    // Not let in, or nobody knows.
    s.truncate(5);
    let mut refused = s.clone();
    refused.push((S, data(&verdict(2, 0, 1017, 0, "ORA-01017: invalid username/password; logon denied\n"))));
    assert_eq!(all(&refused), ["|1017|ORA-01017: invalid username/password; logon denied||"]);
    let mut odd = s.clone();
    odd.push((S, data(&verdict(2, 0, 0, 0, ""))));
    assert!(run(&odd).is_empty());
    assert!(run(&s).is_empty(), "no answer");
}

#[test]
fn a_ping_of_the_listener_is_no_error() {
    let text = b"(DESCRIPTION=(TMP=)(VSNNUM=0)(ERR=0)(ALIAS=LISTENER))";
    let refuse = packet(4, &[&[0, 0, 0, text.len() as u8][..], text].concat());
    assert!(run(&vec![(C, connect("(CONNECT_DATA=(COMMAND=ping))")), (S, refuse)]).is_empty());
}

/// OALL8 of a 64 bit OCI client behind a closing of cursors.
fn oci(seq: u8, sql: &[u8]) -> Vec<u8> {
    const P: &[u8] = b"\xfe\xff\xff\xff\xff\xff\xff\xff";
    [
        &[0x11, 0x69, seq - 1][..],
        P,
        &[1, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0],
        &[3, 0x5e, seq, 0x61, 0x80, 0, 0, 0, 0, 0, 0],
        P,
        &(sql.len() as u32).to_le_bytes(),
        P,
        &[0x0d, 0, 0, 0],
        P,
        &[0; 30],
        sql,
        &[1, 0, 0, 0, 1, 0, 0, 0],
    ]
    .concat()
}

#[test]
fn statements_of_oci_in_one_piece_and_in_chunks() {
    let mut s = logged_in();
    s.push((C, data(&oci(5, b"\x08select 1"))));
    let mut v = vec![0u8; 142];
    v[..5].copy_from_slice(&[4, 1, 0, 0, 0]);
    (v[7], v[8], v[18], v[49], v[52]) = (1, 0, 6, 5, 1);
    s.push((S, data(&v)));
    let long = "x".repeat(300);
    let chunked = [&b"\xfe\x40"[..], format!("select '{}", &long[..56]).as_bytes(), b"\x05xxxx'\0"].concat();
    s.push((C, data(&oci(7, &chunked))));
    v[49] = 7;
    s.push((S, data(&v)));
    let want = format!("select '{}'|0||0|", &long[..60]);
    assert_eq!(all(&s), ["select 1|0||0|", want.as_str()]);
}

#[test]
fn messages_of_several_packets() {
    // Packets have up to 2047 bytes.
    let sql = format!("select '{}' from dual", "x".repeat(3000));
    let m = thin(3, &sql);
    let (one, two) = m.split_at(2037);
    let mut s = logged_in();
    s.push((C, [data(one), data(two)].concat()));
    let mut rows = vec![0x06; 2037];
    rows[..3].copy_from_slice(&[0x10, 0x17, 1]);
    s.push((S, [data(&rows), data(&verdict(3, 9, 1403, 1, "ORA-01403: no data found\n"))].concat()));
    let got = run(&s);
    assert_eq!((got[0].get("SQL"), got[0].get("ROWS")), (&sql[..Limits::default().text], "9"));
    let mut h = new().limits(Limits { text: 9999, ..Limits::default() });
    s.iter().for_each(|(d, b)| h.feed(*d, b));
    assert_eq!(h.rows()[0].get("SQL"), sql);
}

#[test]
fn fetches_are_told_when_they_fail() {
    let mut s = logged_in();
    s.push((C, data(&thin(3, "select * from t"))));
    s.push((S, data(&[&b"\x10\x17\x01\x02\x03"[..], &verdict(3, 2, 0, 4, "")].concat())));
    s.push((C, data(b"\x03\x05\x04\x01\x04\x01\x0a")));
    s.push((S, data(&[&b"\x06\x02\x03"[..], &verdict(4, 12, 0, 4, "")].concat())));
    s.push((C, data(b"\x03\x05\x05\x01\x04\x01\x0a")));
    s.push((S, data(&verdict(5, 12, 1555, 4, "ORA-01555: snapshot too old\n"))));
    s.push((C, data(b"\x03\x05\x06\x01\x09\x01\x0a")));
    s.push((S, data(&verdict(6, 0, 1001, 9, "ORA-01001: invalid cursor\n"))));
    s.push((C, data(b"\x03\x05\x07\x01\x04\x01\x0a")));
    let got = run(&s);
    assert_eq!(
        got.iter().map(show).collect::<Vec<_>>(),
        [
            "select * from t|0|||",
            "select * from t|1555|ORA-01555: snapshot too old||",
            "|1001|ORA-01001: invalid cursor||"
        ]
    );
    assert_eq!(got[1].get("USER"), "SYS");
}

#[test]
fn what_is_encrypted_is_given_up() {
    let mut h = new();
    let s = logged_in();
    s[..2].iter().for_each(|(d, b)| h.feed(*d, b));
    h.feed(C, &data(b"\xde\xad\xbe\xef\0\x40"));
    for i in 0..8u8 {
        assert_eq!(h.outcome(), Outcome::Open);
        h.feed(C, &data(&[0x80 | i, 3, 0x5e, i, 4, 5, 6]));
    }
    assert_eq!((h.outcome(), h.anomalies()), (Outcome::Done, &["oracle-encrypted"][..]));
    // Where clients are sent, and asked again, is counted.
    let mut h = new();
    h.feed(C, &s[0].1);
    h.feed(S, &packet(11, &[]));
    h.feed(C, &s[0].1);
    h.feed(S, &packet(5, b"\0\x20(ADDRESS=(HOST=y)(PORT=1521))"));
    h.finish();
    assert_eq!((h.rows().len(), h.anomalies()), (0, &["oracle-resend", "oracle-redirect"][..]));
}

#[test]
fn packets_that_are_longer_than_what_is_held() {
    let small = || new().limits(Limits { stream: 300, ..Limits::default() });
    let mut s = logged_in();
    s.push((C, data(&thin(3, "select * from t"))));
    let mut rows = vec![0x20; 1400];
    rows[..3].copy_from_slice(&[0x10, 0x17, 1]);
    let old = "ORA-01555: snapshot too old: rollback segment number 9 too small\n";
    s.push((S, data(&[&rows[..], &verdict(3, 9, 1555, 1, old)].concat())));
    s.push((C, data(&thin(4, "delete from t"))));
    s.push((S, data(&verdict(4, 7, 0, 2, ""))));
    let got: Vec<String> = cut_every_way(small, &slices(&s)).iter().map(show).collect();
    assert_eq!(got, [&format!("select * from t|1555|{}||", old.trim_end()), "delete from t|0||7|"]);
    // Some of it is lost.
    let mut h = small();
    s[..7].iter().for_each(|(d, b)| h.feed(*d, b));
    h.feed(S, &s[7].1[..1000]);
    h.gap(S, s[7].1.len() as u64 - 1000);
    s[8..].iter().for_each(|(d, b)| h.feed(*d, b));
    assert_eq!(
        h.rows().iter().map(show).collect::<Vec<_>>(),
        ["select * from t||||gap", "delete from t|0||7|"]
    );
}

#[test]
fn only_what_was_understood_is_told_as_success() {
    let mut s = logged_in();
    s.push((C, data(&thin(3, "delete from t"))));
    s.push((S, data(b"\x04\x99\x98\x97\x96")));
    s.push((C, data(&thin(4, "delete from u"))));
    s.push((S, data(&verdict(4, 0, 942, 2, ""))));
    s.push((C, data(&thin(5, "select * from v"))));
    s.push((S, data(&[&b"\x10\x17\x01"[..], &verdict(5, 3, 1403, 2, "")].concat())));
    let got = run(&s);
    assert_eq!(
        got.iter().map(show).collect::<Vec<_>>(),
        ["delete from t||||", "delete from u|942||0|", "select * from v|0||3|"]
    );
    assert!(got.iter().map(|r| r.has("ERR")).eq([false, false, true]));
}

#[test]
fn connections_joined_in_the_middle() {
    let mut h = new().midstream();
    h.feed(S, &[7; 300]);
    h.feed(C, &data(&thin(9, "select 1 from dual")));
    h.feed(S, &data(&verdict(9, 1, 1403, 1, "ORA-01403: no data found\n")));
    h.finish();
    assert_eq!(h.rows().iter().map(show).collect::<Vec<_>>(), ["select 1 from dual|0||1|midstream"]);
}

#[test]
fn a_gap_costs_one_transaction() {
    let mut h = new();
    logged_in().iter().for_each(|(d, b)| h.feed(*d, b));
    let answer = |seq| data(&verdict(seq, 1, 0, 1, ""));
    h.feed(C, &data(&thin(3, "update t set a = 1")));
    h.gap(S, 100);
    h.feed(C, &data(&thin(4, "update t set a = 2")));
    h.feed(S, &answer(4));
    let q = data(&thin(5, "update t set a = 3"));
    h.feed(C, &q[..40]);
    h.gap(C, 10);
    h.feed(C, &q[50..]);
    h.feed(S, &answer(5));
    h.feed(C, &data(&thin(6, "update t set a = 4")));
    h.feed(S, &answer(6));
    h.finish();
    assert_eq!(
        h.rows().iter().map(show).collect::<Vec<_>>(),
        ["update t set a = 1||||gap,no-response", "update t set a = 2|0||1|", "update t set a = 4|0||1|",]
    );
}

#[test]
fn wide_lengths() {
    let wide = |b: Vec<u8>| [&[0, 0][..], &b[..2], &b[4..]].concat();
    let mut s = logged_in();
    s[1].1 = packet(
        2,
        &[
            &b"\x01\x3e\x0c\x01\0\0\0\0\x01\0\0\0\0\x2d\x41\x01\0\0\0\0\0\0\0\0"[..],
            &8192u32.to_be_bytes(),
            &[0; 8],
        ]
        .concat(),
    );
    for (_, b) in s.iter_mut().skip(2) {
        *b = wide(b.clone());
    }
    s.push((C, wide(data(&thin(3, "delete from t")))));
    s.push((S, wide(data(&verdict(3, 5, 0, 1, "")))));
    assert_eq!(all(&s), ["delete from t|0||5|"]);
}

#[test]
fn arbitrary_bytes_break_nothing() {
    let mut s = logged_in();
    s.push((C, data(&thin(3, "select * from t"))));
    s.push((S, data(&verdict(3, 2, 1403, 1, "ORA-01403: no data found\n"))));
    s.push((C, data(&oci(5, b"\x08select 1"))));
    s.push((S, data(&verdict(5, 0, 942, 3, "ORA-00942: no\n"))));
    mutations(&[&slices(&s)], 400, fuzz_tns);
}
