//! Whole dialogues.

use super::{Session, fuzz_mongodb, probe};
use crate::harness::{C, Harness, Outcome, Row, S, cut_every_way, mutations, slices};
use crate::session::{Limits, Parser, Transport, Verdict};
use base::Direction;

fn tcp() -> Harness<Session> {
    Harness::new(Session::new(Transport::Tcp))
}

/// An element: type, name, value as it is on the wire.
fn el(kind: u8, name: &str, value: &[u8]) -> Vec<u8> {
    [&[kind][..], name.as_bytes(), b"\0", value].concat()
}

fn s(name: &str, text: &str) -> Vec<u8> {
    el(2, name, &[&(text.len() as u32 + 1).to_le_bytes(), text.as_bytes(), b"\0"].concat())
}

fn i(name: &str, n: i32) -> Vec<u8> {
    el(0x10, name, &n.to_le_bytes())
}

fn f(name: &str, n: f64) -> Vec<u8> {
    el(1, name, &n.to_le_bytes())
}

fn bin(name: &str, bytes: &[u8]) -> Vec<u8> {
    el(5, name, &[&(bytes.len() as u32).to_le_bytes(), &[0][..], bytes].concat())
}

fn doc(elements: &[Vec<u8>]) -> Vec<u8> {
    let all = elements.concat();
    [&(all.len() as u32 + 5).to_le_bytes()[..], &all, b"\0"].concat()
}

fn sub(name: &str, elements: &[Vec<u8>]) -> Vec<u8> {
    el(3, name, &doc(elements))
}

fn array(name: &str, docs: &[Vec<u8>]) -> Vec<u8> {
    let all: Vec<_> = docs.iter().enumerate().map(|(n, d)| el(3, &n.to_string(), d)).collect();
    el(4, name, &doc(&all))
}

/// A message: header and body.
fn message(id: u32, to: u32, op: u32, body: &[u8]) -> Vec<u8> {
    let words = [body.len() as u32 + 16, id, to, op];
    [words.map(u32::to_le_bytes).concat(), body.to_vec()].concat()
}

/// OP_MSG with one body.
fn msg(id: u32, to: u32, flags: u32, body: &[Vec<u8>]) -> Vec<u8> {
    message(id, to, 2013, &[&flags.to_le_bytes()[..], b"\0", &doc(body)].concat())
}

fn sequence(name: &str, docs: &[Vec<u8>]) -> Vec<u8> {
    let all = [name.as_bytes(), b"\0", &docs.concat()].concat();
    [&b"\x01"[..], &(all.len() as u32 + 4).to_le_bytes(), &all].concat()
}

fn query(id: u32, flags: u32, ns: &str, docs: &[Vec<u8>]) -> Vec<u8> {
    let head = [&flags.to_le_bytes()[..], ns.as_bytes(), b"\0", &[0; 4], &(-1i32).to_le_bytes()].concat();
    message(id, 0, 2004, &[head, docs.concat()].concat())
}

fn reply(id: u32, to: u32, flags: u32, cursor: u64, docs: &[Vec<u8>]) -> Vec<u8> {
    let head = [&flags.to_le_bytes()[..], &cursor.to_le_bytes(), &[0; 4], &(docs.len() as u32).to_le_bytes()]
        .concat();
    message(id, to, 1, &[head, docs.concat()].concat())
}

fn find(id: u32, collection: &str) -> Vec<u8> {
    msg(id, 0, 0, &[s("find", collection), sub("filter", &[i("a", 1)]), s("$db", "shop")])
}

fn ok(id: u32, to: u32) -> Vec<u8> {
    msg(id, to, 0, &[i("n", 1), f("ok", 1.0)])
}

/// The answer to a find with `n` documents.
fn batch(id: u32, to: u32, flags: u32, n: usize) -> Vec<u8> {
    let docs = vec![doc(&[s("x", "some text")]); n];
    let cursor = sub("cursor", &[array("firstBatch", &docs), el(0x12, "id", &[0; 8]), s("ns", "shop.c")]);
    msg(id, to, flags, &[cursor, f("ok", 1.0)])
}

fn all<'a>(row: &'a Row, keys: &[&str]) -> Vec<&'a str> {
    keys.iter().map(|k| row.get(k)).collect()
}

const FACTS: &[&str] = &["COMMAND", "COLLECTION", "DB", "RET_CODE", "ROWS"];

#[test]
fn answers_are_paired_by_their_ids_in_any_order() {
    let script: &[(Direction, &[u8])] =
        &[(C, &[find(7, "c"), find(8, "d")].concat()), (S, &batch(101, 8, 0, 3)), (S, &batch(102, 7, 0, 0))];
    let rows = cut_every_way(tcp, script);
    assert_eq!(all(&rows[0], FACTS), ["find", "d", "shop", "0", "3"]);
    assert_eq!(all(&rows[1], FACTS), ["find", "c", "shop", "0", "0"]);
    assert_eq!(rows[0].get("TEXT"), r#"{"find":"d","filter":{"a":1},"$db":"shop"}"#);
    assert_eq!((rows[0].begin, rows[0].answering, rows[0].quality()), (1, Some(2), String::new()));
}

#[test]
fn sequences_are_part_of_the_command_wherever_they_stand() {
    let docs = [doc(&[i("_id", 1)]), doc(&[i("_id", 2)])];
    let body = [&b"\0"[..], &doc(&[s("insert", "c"), s("$db", "shop")])].concat();
    let behind = [&[0; 4][..], &body, &sequence("documents", &docs)].concat();
    // Routers put them first; and a checksum of four bytes at the end.
    let before = [&1u32.to_le_bytes()[..], &sequence("documents", &docs), &body, b"crc!"].concat();
    let rows = cut_every_way(
        tcp,
        &[
            (C, &message(1, 0, 2013, &behind)),
            (S, &ok(9, 1)),
            (C, &message(2, 0, 2013, &before)),
            (S, &ok(10, 2)),
        ],
    );
    assert_eq!(rows[0].get("TEXT"), r#"{"insert":"c","$db":"shop","documents":[{"_id":1},{"_id":2}]}"#);
    assert_eq!(rows[1].get("TEXT"), r#"{"documents":[{"_id":1},{"_id":2}],"insert":"c","$db":"shop"}"#);
    assert_eq!(all(&rows[1], FACTS), ["insert", "c", "shop", "0", "1"]);
}

#[test]
fn a_long_text_is_cut_and_what_stands_behind_it_is_still_found() {
    let long = "x".repeat(300_000);
    let docs: Vec<_> = (0..10).map(|n| doc(&[i("_id", n), s("t", &long)])).collect();
    let body = [&[0; 4][..], &sequence("documents", &docs), b"\0", &doc(&[s("insert", "c"), s("$db", "d")])]
        .concat();
    let mut h = tcp().limits(Limits { text: 100, ..Limits::default() });
    for piece in message(1, 0, 2013, &body).chunks(1400) {
        h.feed(C, piece);
        assert!(h.left(C).len() < 4096 && h.session().held() < 64 * 1024);
    }
    for piece in batch(2, 1, 0, 20_000).chunks(1400) {
        h.feed(S, piece);
    }
    let r = &h.rows()[0];
    assert_eq!((all(r, FACTS), r.get("TEXT").len()), (vec!["insert", "c", "d", "0", "20000"], 100));
}

#[test]
fn errors_of_commands_and_of_writes() {
    let error = [f("ok", 0.0), s("errmsg", "no such thing"), i("code", 59), s("codeName", "CommandNotFound")];
    let failed =
        doc(&[i("index", 0), i("code", 11000), s("errmsg", "duplicate"), sub("op", &[i("code", 5)])]);
    let later = doc(&[i("index", 1), i("code", 2), s("errmsg", "other")]);
    let write = [i("n", 0), array("writeErrors", &[failed, later]), f("ok", 1.0)];
    let concern = [
        i("n", 1),
        sub("writeConcernError", &[i("code", 64), s("codeName", "WriteConcernFailed"), s("errmsg", "late")]),
        f("ok", 1.0),
    ];
    let script = [find(1, "c"), find(2, "c"), find(3, "c"), find(4, "c")].concat();
    let rows = cut_every_way(
        tcp,
        &[
            (C, &script),
            (S, &msg(9, 1, 0, &error)),
            (S, &msg(10, 2, 0, &write)),
            (S, &msg(11, 3, 0, &concern)),
            (S, &msg(12, 4, 0, &[f("ok", 0.0), s("errmsg", "old")])),
        ],
    );
    let got: Vec<_> = rows.iter().map(|r| all(r, &["RET_CODE", "ERR", "ROWS"])).collect();
    assert_eq!(got[0], ["59", "CommandNotFound: no such thing", ""]);
    assert_eq!(got[1], ["11000", "duplicate", "0"]);
    assert_eq!(got[2], ["64", "WriteConcernFailed: late", "1"]);
    assert_eq!(got[3], ["-1", "old", ""], "a server that gives no code");
}

#[test]
fn the_old_messages() {
    let ns = |flags: u32, ns: &str| [&flags.to_le_bytes()[..], ns.as_bytes(), b"\0"].concat();
    let one = doc(&[i("a", 1)]);
    let insert = message(1, 0, 2002, &[ns(0, "shop.c.d"), one.clone(), one.clone()].concat());
    let update = message(2, 0, 2001, &[ns(0, "shop.c"), vec![3, 0, 0, 0], one.clone(), one.clone()].concat());
    let delete = message(3, 0, 2006, &[ns(0, "shop.c"), vec![1, 0, 0, 0], one.clone()].concat());
    let more =
        message(4, 0, 2005, &[ns(0, "shop.c"), vec![2, 0, 0, 0], 77u64.to_le_bytes().to_vec()].concat());
    let kill = message(5, 0, 2007, &[vec![0; 4], vec![2, 0, 0, 0], vec![7; 16]].concat());
    let fields = [one.clone(), doc(&[i("b", 1)])];
    let script: &[(Direction, &[u8])] = &[
        (C, &insert),
        (C, &update),
        (C, &delete),
        (C, &more),
        (S, &reply(20, 4, 1, 0, &[])),
        (C, &kill),
        (C, &query(6, 0, "shop.c", &fields)),
        (S, &reply(21, 6, 8, 0, &[one.clone(), one.clone()])),
        (C, &query(7, 0, "shop.c", &fields)),
        (S, &reply(22, 7, 2, 0, &[doc(&[s("$err", "bad"), i("code", 17287)])])),
        (
            C,
            &query(
                8,
                0,
                "admin.$cmd",
                &[doc(&[sub("$query", &[i("ping", 1)]), sub("$readPreference", &[])])],
            ),
        ),
        (S, &reply(23, 8, 8, 0, &[doc(&[f("ok", 1.0)])])),
        (C, &query(9, 0, "shop.$cmd", &[doc(&[i("getlasterror", 1)])])),
        (S, &reply(24, 9, 8, 0, &[doc(&[s("err", "E11000"), i("code", 11000), i("n", 0), f("ok", 1.0)])])),
    ];
    let rows = cut_every_way(tcp, script);
    let facts = [
        (["insert", "c.d", "shop", "", ""], r#"{"insert":"c.d","documents":[{"a":1},{"a":1}]}"#),
        (
            ["update", "c", "shop", "", ""],
            r#"{"update":"c","upsert":true,"multi":true,"q":{"a":1},"u":{"a":1}}"#,
        ),
        (["delete", "c", "shop", "", ""], r#"{"delete":"c","limit":1,"q":{"a":1}}"#),
        (["getmore", "c", "shop", "43", ""], r#"{"getmore":"c","cursor":77,"batchSize":2}"#),
        (["killcursors", "", "", "", ""], r#"{"killcursors":2,"cursor":506381209866536711}"#),
        (["find", "c", "shop", "0", "2"], r#"{"find":"c","limit":-1,"filter":{"a":1},"projection":{"b":1}}"#),
        (
            ["find", "c", "shop", "17287", ""],
            r#"{"find":"c","limit":-1,"filter":{"a":1},"projection":{"b":1}}"#,
        ),
        (["ping", "", "admin", "0", ""], r#"{"$query":{"ping":1},"$readPreference":{}}"#),
        (["getlasterror", "", "shop", "11000", "0"], r#"{"getlasterror":1}"#),
    ];
    assert_eq!(rows.len(), facts.len());
    for (row, (facts, text)) in rows.iter().zip(facts) {
        assert_eq!((all(row, FACTS), row.get("TEXT")), (facts.to_vec(), text));
    }
    assert_eq!(
        (rows[0].quality().as_str(), rows[6].get("ERR"), rows[8].get("ERR")),
        ("no-response", "bad", "E11000")
    );
    assert_eq!(rows[3].get("ERR"), "CursorNotFound");
}

#[test]
fn op_command_and_its_reply() {
    let ask = [b"shop\0count\0".to_vec(), doc(&[s("count", "c")]), doc(&[i("meta", 1)])].concat();
    let answer = [doc(&[i("n", 5), f("ok", 1.0)]), doc(&[])].concat();
    let rows = cut_every_way(tcp, &[(C, &message(1, 0, 2010, &ask)), (S, &message(2, 1, 2011, &answer))]);
    assert_eq!(all(&rows[0], FACTS), ["count", "c", "shop", "0", "5"]);
    assert_eq!(rows[0].get("TEXT"), r#"{"count":"c","meta":1}"#);
}

#[test]
fn what_is_pushed_belongs_to_its_request() {
    let more = msg(2, 0, 1 << 16, &[el(0x12, "getMore", &[5; 8]), s("collection", "c"), s("$db", "shop")]);
    let hello = msg(1, 0, 1 << 16, &[i("hello", 1), i("maxAwaitTimeMS", 10_000), s("$db", "admin")]);
    let script: &[(Direction, &[u8])] = &[
        (C, &hello),
        (S, &msg(50, 1, 2, &[f("ok", 1.0)])),
        (S, &msg(51, 50, 2, &[f("ok", 1.0)])),
        (S, &msg(52, 51, 0, &[f("ok", 1.0)])),
        (C, &more),
        (S, &batch(60, 2, 2, 10)),
        (S, &batch(61, 60, 2, 10)),
        (S, &batch(62, 61, 0, 5)),
    ];
    let rows = cut_every_way(tcp, script);
    let got: Vec<_> = rows.iter().map(|r| all(r, FACTS)).collect();
    assert_eq!(got, [["hello", "", "admin", "0", ""], ["getMore", "c", "shop", "0", "25"]]);
    let mut h = tcp();
    script.iter().for_each(|(dir, bytes)| h.feed(*dir, bytes));
    h.finish();
    assert_eq!((h.rows()[0].end, h.rows()[1].answering, h.rows()[1].end), (2, Some(6), 8));
    assert!(h.anomalies().is_empty());
}

#[test]
fn unacknowledged_writes_have_no_answer() {
    let insert = msg(1, 0, 2, &[s("insert", "c"), s("$db", "shop")]);
    let rows = cut_every_way(tcp, &[(C, &insert), (C, &find(2, "c")), (S, &batch(9, 2, 0, 1))]);
    assert_eq!((rows[0].get("COMMAND"), rows[0].quality().as_str()), ("insert", "no-response"));
    assert_eq!((rows[1].get("COMMAND"), rows[1].quality().as_str()), ("find", ""));
}

#[test]
fn secrets_are_masked_and_the_user_is_told() {
    let start = [
        i("saslStart", 1),
        s("mechanism", "SCRAM-SHA-256"),
        bin("payload", b"n,,n=ann,r=NoNcE"),
        s("$db", "admin"),
    ];
    let go_on = [i("saslContinue", 1), bin("payload", b"c=biws,p=PrOoF"), s("$db", "admin")];
    let user = [s("createUser", "bob"), s("pwd", "SeCrEt"), s("$db", "shop")];
    let hello = [
        i("hello", 1),
        sub("speculativeAuthenticate", &[i("saslStart", 1), bin("payload", b"n,,n=eve,r=NoNcE")]),
        s("$db", "admin"),
    ];
    let plain =
        [i("saslStart", 1), s("mechanism", "PLAIN"), bin("payload", b"\0dan\0SeCrEt"), s("$db", "$external")];
    let data = [s("insert", "c"), bin("payload", b"n,,n=ann"), s("$db", "shop")];
    let old = [b"\0\0\0\0admin.system.users\0".to_vec(), doc(&[s("user", "x"), s("pwd", "SeCrEt")])].concat();
    let mut script: Vec<(Direction, Vec<u8>)> = Vec::new();
    for (n, ask) in [&hello[..], &start, &go_on, &user, &data, &plain].into_iter().enumerate() {
        script.push((C, msg(n as u32, 0, 0, ask)));
        let verdict = if n == 5 { 0.0 } else { 1.0 };
        script.push((S, msg(90, n as u32, 0, &[f("ok", verdict)])));
    }
    script.push((C, message(7, 0, 2002, &old)));
    // In a sequence before the command, and explained.
    let bob =
        sequence("documents", &[doc(&[s("pwd", "SeCrEt"), sub("credentials", &[s("storedKey", "SeCrEt")])])]);
    let insert = [b"\0", &doc(&[s("insert", "system.users"), s("$db", "admin")])[..]].concat();
    script.push((C, message(8, 0, 2013, &[&[0; 4][..], &bob, &insert].concat())));
    script.push((C, msg(9, 0, 0, &[sub("explain", &user[..2]), s("$db", "shop")])));
    let rows = cut_every_way(tcp, &slices(&script));
    for row in &rows {
        let (text, masked) = (row.get("TEXT"), row.get("TEXT").contains("***"));
        assert!(!text.contains("SeCrEt") && masked == (row.get("COLLECTION") != "c"), "{text}");
    }
    let users: Vec<_> = rows.iter().map(|r| r.get("USER")).collect();
    assert_eq!(
        users,
        ["eve", "ann", "ann", "ann", "ann", "dan", "", "", ""],
        "a login that failed is forgotten"
    );
    let text = r#"{"saslStart":1,"mechanism":"SCRAM-SHA-256","payload":"***","$db":"admin"}"#;
    assert_eq!(rows[1].get("TEXT"), text);
}

#[test]
fn compressed_messages() {
    let plain = find(1, "c");
    let plain = &plain[16..];
    let pack = |id: u32, to: u32, by: u8, len: usize, coded: &[u8]| {
        let head = [2013u32.to_le_bytes(), (len as u32).to_le_bytes()].concat();
        message(id, to, 2012, &[&head[..], &[by], coded].concat())
    };
    // One literal of snappy: length, tag 61 with two bytes of length, bytes.
    let snappy = [&[plain.len() as u8, 60 << 2, plain.len() as u8 - 1][..], plain].concat();
    // A stored block of deflate within zlib.
    let n = plain.len() as u16;
    let zlib = [&[0x78, 1, 1][..], &n.to_le_bytes(), &(!n).to_le_bytes(), plain, b"adlr"].concat();
    // A raw block of zstd in a single segment.
    let block = (u32::from(n) << 3 | 1).to_le_bytes();
    let zstd = [&[0x28, 0xb5, 0x2f, 0xfd, 0x20, n as u8][..], &block[..3], plain].concat();
    let answer = batch(9, 1, 0, 2);
    let mut script = Vec::new();
    for (by, coded) in [(0, plain), (1, &snappy), (2, &zlib), (3, &zstd)] {
        let id = u32::from(by) + 1;
        script.push((C, pack(id, 0, by, plain.len(), coded)));
        script.push((S, pack(90, id, 0, answer.len() - 16, &answer[16..])));
    }
    // Nothing can be told of what cannot be read.
    script.push((C, pack(9, 0, 7, plain.len(), plain)));
    script.push((S, ok(91, 9)));
    let rows = cut_every_way(tcp, &slices(&script));
    assert_eq!(rows.len(), 4);
    for row in &rows {
        assert_eq!(all(row, FACTS), ["find", "c", "shop", "0", "2"]);
    }
    // An answer beyond what may be unpacked: that it worked is known, how many there are is not.
    let big = batch(9, 1, 0, 1000);
    let mut h = tcp().limits(Limits { inflated: 4096, ..Limits::default() });
    h.feed(C, &find(1, "c"));
    h.feed(S, &pack(9, 1, 0, big.len() - 16, &big[16..]));
    assert_eq!(all(&h.rows()[0], FACTS), ["find", "c", "shop", "0", ""]);
}

#[test]
fn a_gap_within_documents_that_are_passed_over_costs_nothing() {
    let answer = batch(9, 1, 0, 1000);
    let (head, tail) = answer.split_at(200);
    let mut h = tcp();
    h.feed(C, &find(1, "c"));
    h.feed(S, head);
    // The documents have 30 bytes and are passed over one by one: only what lies in one of them is bearable.
    h.gap(S, 5000);
    h.feed(S, &tail[5000..]);
    h.feed(C, &find(2, "d"));
    h.feed(S, &batch(10, 2, 0, 4));
    h.finish();
    let got: Vec<_> = h.rows().iter().map(|r| (r.get("COLLECTION"), r.get("ROWS"), r.quality())).collect();
    assert_eq!(got, [("c", "", "gap".to_owned()), ("d", "4", String::new())]);
    assert_eq!(h.rows()[0].get("RET_CODE"), "0", "there was a cursor");
}

#[test]
fn a_gap_over_whole_messages_costs_those() {
    let mut h = tcp();
    h.feed(C, &find(1, "a"));
    h.feed(C, &find(2, "b"));
    h.feed(C, &find(3, "c"));
    let third = batch(12, 3, 0, 3);
    // Both answers before are lost, and the first bytes of some other.
    h.gap(S, 300);
    h.feed(S, &[&b"tail of something \x01\0\0\0"[..], &third].concat());
    h.feed(C, &find(4, "d"));
    // A request is lost: its answer is nobody's.
    h.gap(C, 80);
    h.feed(S, &batch(13, 4, 0, 4));
    h.feed(S, &batch(14, 5, 0, 5));
    h.feed(C, &[&b"rest"[..], &find(6, "f")].concat());
    h.feed(S, &batch(15, 6, 0, 6));
    h.finish();
    let mut got: Vec<_> =
        h.rows().iter().map(|r| (r.get("COLLECTION"), r.get("ROWS"), r.quality())).collect();
    got.sort_unstable();
    let lost = || "gap,no-response".to_owned();
    assert_eq!(
        got,
        [
            ("a", "", lost()),
            ("b", "", lost()),
            ("c", "3", String::new()),
            ("d", "4", String::new()),
            ("f", "6", String::new())
        ]
    );
}

#[test]
fn a_gap_in_a_request_leaves_what_is_known_of_it() {
    let ask = msg(1, 0, 0, &[s("find", "c"), s("comment", &"x".repeat(500)), s("$db", "shop")]);
    let mut h = tcp();
    h.feed(C, &ask[..100]);
    h.gap(C, 50);
    h.feed(C, &ask[150..]);
    h.feed(S, &batch(9, 1, 0, 2));
    assert_eq!(all(&h.rows()[0], FACTS), ["find", "c", "", "0", "2"]);
    assert_eq!(h.rows()[0].quality(), "gap");
    // What is not known by its name is not told.
    let mut h = tcp();
    h.feed(C, &find(1, "c"));
    h.feed(C, &ask[..20]);
    h.gap(C, 5000);
    h.finish();
    assert_eq!(h.rows().len(), 1);
}

#[test]
fn joined_in_the_middle_of_a_message() {
    let answer = batch(9, 1, 0, 100);
    let mut h = tcp().midstream();
    h.feed(S, &answer[1000..2000]);
    h.feed(S, &answer[2000..]);
    h.feed(C, &find(2, "c"));
    h.feed(S, &batch(10, 2, 0, 4));
    h.finish();
    assert_eq!((h.rows().len(), h.outcome()), (1, Outcome::Open));
    assert_eq!(
        (all(&h.rows()[0], FACTS), h.rows()[0].quality()),
        (vec!["find", "c", "shop", "0", "4"], "midstream".to_owned())
    );
}

#[test]
fn an_answer_may_be_given_before_the_end_of_its_request() {
    // The probe saw the last packet of the request late.
    let ask = find(1, "c");
    let mut h = tcp();
    h.feed(C, &ask[..40]);
    h.feed(S, &batch(9, 1, 0, 4));
    h.feed(C, &ask[40..]);
    assert_eq!((h.rows().len(), h.rows()[0].get("ROWS"), h.rows()[0].answering), (1, "4", Some(2)));
}

#[test]
fn requests_in_wait_are_capped() {
    let mut h = tcp().limits(Limits { pipeline: 4, ..Limits::default() });
    for id in 0..9 {
        h.feed(C, &find(id, "c"));
    }
    assert_eq!((h.rows().len(), h.anomalies().len()), (5, 5));
    h.finish();
    assert_eq!(h.rows().len(), 9);
}

#[test]
fn what_is_something_else_is_not_taken() {
    let p = |dir, bytes: &[u8]| probe(Transport::Tcp, dir, bytes);
    let ask = find(1, "c");
    assert_eq!((p(C, &ask), p(C, &ask[..20]), p(S, &ask)), (Verdict::Yes, Verdict::More, Verdict::More));
    assert_eq!(
        (p(S, &ok(1, 2)), p(C, &ok(1, 2))),
        (Verdict::Yes, Verdict::No),
        "an answer names its request"
    );
    for other in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03aaaaaa",
        b"*1\r\n$4\r\nPING\r\n......",
        &[0; 40],
    ] {
        assert_eq!((p(C, other), p(S, other)), (Verdict::No, Verdict::No));
        let mut h = tcp();
        h.feed(C, other);
        assert_eq!(h.outcome(), Outcome::Lost);
    }
    assert_eq!(probe(Transport::Udp, C, &ask), Verdict::No);
}

#[test]
fn any_bytes_are_borne() {
    let first = [find(1, "c"), query(2, 0, "a.$cmd", &[doc(&[i("ping", 1)])])].concat();
    let second = [batch(9, 1, 0, 2), reply(3, 2, 8, 0, &[doc(&[f("ok", 1.0)])])].concat();
    let scope = [&[23u8, 0, 0, 0, 2, 0, 0, 0, b'f', 0][..], &doc(&[i("x", 1)])].concat();
    let odd = msg(
        5,
        0,
        0,
        &[el(0x0f, "eval", &scope), el(0x0b, "r", b"^a\0i\0"), bin("b", b"abc"), sub("d", &[sub("e", &[])])],
    );
    let scripts: [&[(Direction, &[u8])]; 2] = [&[(C, &first), (S, &second)], &[(C, &odd), (S, &ok(9, 5))]];
    mutations(&scripts, 800, fuzz_mongodb);
}

#[test]
fn code_with_a_scope_and_depth() {
    // Length of all, length of the code, code, scope.
    let inner = doc(&[i("x", 1)]);
    let scope = [&(10 + inner.len() as u32).to_le_bytes()[..], &[2, 0, 0, 0, b'f', 0], &inner].concat();
    let mut deep = doc(&[i("x", 1)]);
    for _ in 0..40 {
        deep = doc(&[el(3, "d", &deep)]);
    }
    let ask = msg(1, 0, 0, &[i("eval", 1), el(0x0f, "code", &scope), el(3, "deep", &deep), s("$db", "shop")]);
    let rows = cut_every_way(tcp, &[(C, &ask), (S, &ok(2, 1))]);
    let text = rows[0].get("TEXT");
    assert!(
        text.starts_with(r#"{"eval":1,"code":{"$code":"f","$scope":{"x":1}},"deep":{"d":{"d":"#),
        "{text}"
    );
    assert!(text.contains(r#"{"d":"..."}"#) && text.ends_with(r#","$db":"shop"}"#), "{text}");
    assert_eq!(text.matches('{').count(), text.matches('}').count());
}
