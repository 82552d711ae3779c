//! Whole conversations.

use super::{Session, fuzz_amqp};
use crate::harness::{C, Harness, Outcome, Row, S, Script, cut_every_way, mutations, slices};
use crate::session::{Limits, Parser, Transport};

fn tcp() -> Harness<Session> {
    Harness::new(Session::new(Transport::Tcp)).ports([40000, 5672])
}

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let mut f = vec![kind];
    f.extend(channel.to_be_bytes());
    f.extend((payload.len() as u32).to_be_bytes());
    f.extend(payload);
    f.push(0xce);
    f
}

fn method(channel: u16, class: u16, id: u16, args: &[&[u8]]) -> Vec<u8> {
    let mut p = class.to_be_bytes().to_vec();
    p.extend(id.to_be_bytes());
    args.iter().for_each(|a| p.extend(*a));
    frame(1, channel, &p)
}

/// A short string.
fn s(text: &str) -> Vec<u8> {
    let mut b = vec![text.len() as u8];
    b.extend(text.as_bytes());
    b
}

/// A long string.
fn x(text: &[u8]) -> Vec<u8> {
    let mut b = (text.len() as u32).to_be_bytes().to_vec();
    b.extend(text);
    b
}

fn header(channel: u16, size: u64, content_type: &str) -> Vec<u8> {
    let mut p = vec![0, 60, 0, 0];
    p.extend(size.to_be_bytes());
    if content_type.is_empty() {
        p.extend([0, 0]);
    } else {
        p.extend([0x80, 0]);
        p.extend(s(content_type));
    }
    frame(2, channel, &p)
}

fn content(channel: u16, text: &str) -> Vec<u8> {
    [header(channel, text.len() as u64, "text/plain"), frame(3, channel, text.as_bytes())].concat()
}

fn publish(channel: u16, exchange: &str, key: &str, text: &str) -> Vec<u8> {
    [method(channel, 60, 40, &[&[0, 0], &s(exchange), &s(key), &[0]]), content(channel, text)].concat()
}

fn deliver(channel: u16, tag: &str, n: u64, key: &str, text: &str) -> Vec<u8> {
    let args: [&[u8]; 5] = [&s(tag), &n.to_be_bytes(), &[0], &s("logs"), &s(key)];
    [method(channel, 60, 60, &args), content(channel, text)].concat()
}

fn ack(channel: u16, tag: u64, multiple: bool) -> Vec<u8> {
    method(channel, 60, 80, &[&tag.to_be_bytes(), &[u8::from(multiple)]])
}

fn declare(channel: u16, queue: &str) -> Vec<u8> {
    method(channel, 50, 10, &[&[0, 0], &s(queue), &[0], &x(b"")])
}

fn declare_ok(channel: u16, queue: &str) -> Vec<u8> {
    method(channel, 50, 11, &[&s(queue), &[0; 8]])
}

fn close(channel: u16, code: u16, text: &str, class: u16, id: u16) -> Vec<u8> {
    let on = if channel == 0 { (10, 50) } else { (20, 40) };
    let args: [&[u8]; 4] = [&code.to_be_bytes(), &s(text), &class.to_be_bytes(), &id.to_be_bytes()];
    method(channel, on.0, on.1, &args)
}

fn close_ok(channel: u16) -> Vec<u8> {
    if channel == 0 { method(0, 10, 51, &[]) } else { method(channel, 20, 41, &[]) }
}

fn start() -> Vec<u8> {
    method(0, 10, 10, &[&[0, 9], &x(b""), &x(b"PLAIN AMQPLAIN"), &x(b"en_US")])
}

fn start_ok() -> Vec<u8> {
    let product = b"\x07productS\0\0\0\x04test";
    method(0, 10, 11, &[&x(product), &s("PLAIN"), &x(b"\0bob\0secret"), &s("en_US")])
}

/// A connection up to its first channel, 1.
fn begin() -> Script {
    let tune = [&[0x07, 0xff][..], &[0, 2, 0, 0], &[0, 60]];
    vec![
        (C, b"AMQP\0\0\x09\x01".to_vec()),
        (S, start()),
        (C, start_ok()),
        (S, method(0, 10, 30, &tune)),
        (C, [method(0, 10, 31, &tune), method(0, 10, 40, &[&s("/shop"), &s(""), &[0]])].concat()),
        (S, method(0, 10, 41, &[&s("")])),
        (C, method(1, 20, 10, &[&s("")])),
        (S, method(1, 20, 11, &[&x(b"")])),
    ]
}

fn play(h: &mut Harness<Session>, script: &Script) {
    script.iter().for_each(|(dir, bytes)| h.feed(*dir, bytes));
}

/// A harness behind `begin`, whose record is left out of what `told` gives.
fn begun() -> Harness<Session> {
    let mut h = tcp();
    play(&mut h, &begin());
    h
}

fn every_way(script: &Script) -> Vec<Row> {
    cut_every_way(tcp, &slices(script))
}

/// One line a record: method, where, text, return code, quality; `no-delay` where only the server spoke or
/// nothing was awaited cannot be seen here, but an answer can.
fn line(r: &Row) -> String {
    let place = ["EXCHANGE", "QUEUE", "ROUTING_KEY"].map(|k| r.get(k)).join(" ");
    let (class, name) = (r.get("CLASS"), r.get("METHOD"));
    format!("{class}.{name}|{place}|{}|{}|{}", r.get("TEXT"), r.get("RET_CODE"), r.quality())
}

fn lines(rows: &[Row]) -> Vec<String> {
    rows.iter().map(line).collect()
}

#[test]
fn a_whole_conversation_cut_any_way() {
    let mut script = begin();
    script.extend([
        (C, declare(1, "")),
        (S, declare_ok(1, "amq.gen-1")),
        (C, method(1, 50, 20, &[&[0, 0], &s(""), &s("logs"), &s("k.#"), &[0], &x(b"")])),
        (S, method(1, 50, 21, &[])),
        (C, method(1, 60, 20, &[&[0, 0], &s(""), &s(""), &[2], &x(b"")])),
        (S, method(1, 60, 21, &[&s("ctag-1")])),
        (S, [deliver(1, "ctag-1", 1, "k.1", "first"), deliver(1, "ctag-1", 2, "k.2", "")].concat()),
        (C, ack(1, 2, true)),
        (C, publish(1, "", "work", "do it")),
        (C, method(1, 60, 70, &[&[0, 0], &s("work"), &[1]])),
        (S, [method(1, 60, 71, &[&[0; 8], &[0], &s(""), &s("work"), &[0; 4]]), content(1, "do it")].concat()),
        (C, method(1, 60, 70, &[&[0, 0], &s("work"), &[1]])),
        (S, method(1, 60, 72, &[&s("")])),
        (C, b"\x08\0\0\0\0\0\0\xce".to_vec()),
        (C, [method(1, 90, 10, &[]), publish(1, "logs", "k", "in tx"), method(1, 90, 20, &[])].concat()),
        (S, [method(1, 90, 11, &[]), method(1, 90, 21, &[])].concat()),
        (C, method(1, 60, 30, &[&s("ctag-1"), &[0]])),
        (S, method(1, 60, 31, &[&s("ctag-1")])),
        (C, close(1, 200, "bye", 0, 0)),
        (S, close_ok(1)),
        (C, close(0, 200, "bye", 0, 0)),
        (S, close_ok(0)),
    ]);
    let rows = every_way(&script);
    assert_eq!(
        lines(&rows),
        [
            "connection.open|  ||0|",
            "queue.declare| amq.gen-1 ||0|",
            "queue.bind|logs amq.gen-1 k.#||0|",
            "basic.consume| amq.gen-1 ||0|",
            "basic.deliver|logs amq.gen-1 k.1|first||",
            "basic.deliver|logs amq.gen-1 k.2|||",
            "basic.publish| work work|do it||",
            "basic.get| work work|do it|0|",
            "basic.get| work ||0|",
            "basic.publish|logs  k|in tx||",
            "tx.select|  ||0|",
            "tx.commit|  ||0|",
            "basic.cancel| amq.gen-1 ||0|",
            "channel.close|  ||0|",
            "connection.close|  ||0|",
        ]
    );
    assert!(rows.iter().all(|r| (r.get("HOST"), r.get("USER")) == ("/shop", "bob")));
    assert!(rows.iter().all(|r| r.fields.iter().all(|(_, v)| !v.contains("secret"))));
    assert_eq!((rows[4].get("MSG_BYTES"), rows[5].get("MSG_BYTES")), ("5", "0"));
}

#[test]
fn times_are_those_of_the_packets() {
    let mut h = begun();
    let t = h.rows()[0].end + 2;
    h.feed(C, &declare(1, "q")[..9]);
    h.feed(C, &declare(1, "q")[9..]);
    h.feed(S, &declare_ok(1, "q")[..9]);
    h.feed(S, &declare_ok(1, "q")[9..]);
    let r = &h.rows()[1];
    assert_eq!((r.begin, r.asked, r.answering, r.end), (t + 1, t + 2, Some(t + 3), t + 4));
    // The answer of a get ends with its content.
    h.feed(C, &method(1, 60, 70, &[&[0, 0], &s("q"), &[1]]));
    h.feed(S, &method(1, 60, 71, &[&[0; 8], &[0], &s(""), &s("q"), &[0; 4]]));
    h.feed(S, &content(1, "x"));
    let r = &h.rows()[2];
    assert_eq!((r.begin, r.asked, r.answering, r.end), (t + 5, t + 5, Some(t + 6), t + 7));
    // A publish is asked with the last of its content.
    h.feed(C, &method(1, 85, 10, &[&[0]]));
    h.feed(S, &method(1, 85, 11, &[]));
    let p = publish(1, "", "q", "body");
    h.feed(C, &p[..30]);
    h.feed(C, &p[30..]);
    h.feed(S, &ack(1, 1, false));
    let r = &h.rows()[4];
    assert_eq!((r.begin, r.asked, r.answering, r.end), (t + 10, t + 11, Some(t + 12), t + 12));
}

#[test]
fn errors_name_the_method_at_fault() {
    let mut script = begin();
    script.extend([
        (C, declare(1, "q")),
        (S, close(1, 406, "PRECONDITION_FAILED", 50, 10)),
        (C, close_ok(1)),
        (C, method(1, 20, 10, &[&s("")])),
        (S, method(1, 20, 11, &[&x(b"")])),
        (C, [declare(1, "q"), method(1, 50, 30, &[&[0, 0], &s("nope"), &[0]])].concat()),
        (S, [declare_ok(1, "q"), close(1, 404, "NOT_FOUND", 50, 30)].concat()),
        (C, close_ok(1)),
        (S, close(0, 320, "CONNECTION_FORCED", 0, 0)),
        (C, close_ok(0)),
    ]);
    let rows = every_way(&script);
    assert_eq!(
        lines(&rows)[1..],
        [
            "queue.declare| q ||406|",
            "channel.close|  ||406|",
            "queue.declare| q ||0|",
            "queue.purge| nope ||404|",
            "channel.close|  ||404|",
            "connection.close|  ||320|",
        ]
    );
    assert_eq!((rows[1].get("ERR"), rows[6].get("ERR")), ("PRECONDITION_FAILED", "CONNECTION_FORCED"));
}

#[test]
fn a_login_is_told_when_it_fails() {
    let refused = close(0, 403, "ACCESS_REFUSED", 0, 0);
    let hello = vec![(C, b"AMQP\0\0\x09\x01".to_vec()), (S, start()), (C, start_ok())];
    let rows = every_way(&[hello.clone(), vec![(S, refused), (C, close_ok(0))]].concat());
    assert_eq!(lines(&rows), ["connection.start-ok|  ||403|", "connection.close|  ||403|"]);
    assert_eq!((rows[0].get("USER"), rows[0].get("ERR")), ("bob", "ACCESS_REFUSED"));
    // Old servers just hang up.
    let rows = every_way(&hello);
    assert_eq!(lines(&rows), ["connection.start-ok|  |||no-response"]);
}

#[test]
fn confirms_answer_publishes() {
    let mut script = begin();
    script.extend([
        (C, method(1, 85, 10, &[&[0]])),
        (S, method(1, 85, 11, &[])),
        (C, (1..=6).flat_map(|i| publish(1, "e", "k", &format!("m{i}"))).collect()),
        (S, [ack(1, 2, false), ack(1, 4, true)].concat()),
        (S, method(1, 60, 120, &[&5u64.to_be_bytes(), &[0]])),
        (C, close(1, 200, "", 0, 0)),
        (S, close_ok(1)),
    ]);
    let rows = every_way(&script);
    assert_eq!(
        lines(&rows)[2..],
        [
            "basic.publish|e  k|m2|0|",
            "basic.publish|e  k|m1|0|",
            "basic.publish|e  k|m3|0|",
            "basic.publish|e  k|m4|0|",
            "basic.publish|e  k|m5|nack|",
            "channel.close|  ||0|",
            "basic.publish|e  k|m6||no-response",
        ]
    );
    // Two channels by turns, one confirmed whole.
    let mut h = begun();
    h.feed(
        C,
        &[method(2, 20, 10, &[&s("")]), method(2, 85, 10, &[&[1]]), method(1, 85, 10, &[&[1]])].concat(),
    );
    for i in 1..=3 {
        h.feed(C, &publish(1, "one", "k", &i.to_string()));
        h.feed(C, &publish(2, "two", "k", &i.to_string()));
    }
    h.feed(S, &ack(2, 0, true));
    let got = lines(h.rows());
    assert_eq!(
        got[got.len() - 3..],
        ["basic.publish|two  k|1|0|", "basic.publish|two  k|2|0|", "basic.publish|two  k|3|0|"]
    );
    h.feed(S, &ack(1, 3, true));
    assert_eq!((h.rows().len() - got.len(), h.anomalies().len()), (3, 0));
}

#[test]
fn a_publish_that_closes_the_channel() {
    let mut h = begun();
    h.feed(C, &method(1, 85, 10, &[&[1]]));
    h.feed(C, &publish(1, "nope", "k", "x"));
    h.feed(S, &close(1, 404, "NOT_FOUND - no exchange 'nope'", 60, 40));
    assert_eq!(
        lines(h.rows())[1..],
        ["confirm.select|  |||", "basic.publish|nope  k|x|404|", "channel.close|  ||404|"]
    );
}

#[test]
fn a_close_that_was_lost_is_not_the_next_one() {
    let mut h = begun();
    h.feed(C, &declare(1, "a"));
    h.gap(S, 60);
    h.feed(C, &close_ok(1));
    h.gap(C, 13);
    h.feed(S, &method(1, 20, 11, &[&x(b"")]));
    h.feed(C, &declare(1, "b"));
    h.feed(S, &close(1, 404, "NOT_FOUND - no queue 'b'", 50, 10));
    let want = ["queue.declare| a |||gap,no-response", "queue.declare| b ||404|", "channel.close|  ||404|"];
    assert_eq!(lines(h.rows())[1..], want);
}

#[test]
fn a_close_is_not_at_fault_for_another() {
    let mut h = begun();
    h.feed(C, &close(1, 501, "mine", 0, 0));
    h.feed(S, &close(1, 504, "yours", 20, 40));
    // A row with two codes is no row.
    let got = lines(h.rows());
    assert_eq!(got.iter().filter(|l| l.contains("504")).count(), 1, "{got:?}");
}

#[test]
fn what_the_server_says_by_itself() {
    let mut script = begin();
    let returned = method(1, 60, 50, &[&312u16.to_be_bytes(), &s("NO_ROUTE"), &s("e"), &s("k")]);
    script.extend([
        (C, method(1, 60, 20, &[&[0, 0], &s("q"), &s("me"), &[8], &x(b"")])),
        (S, [returned, content(1, "back")].concat()),
        (S, method(0, 10, 60, &[&s("low on memory")])),
        (S, method(0, 10, 61, &[])),
        (S, method(1, 60, 30, &[&s("me"), &[1]])),
    ]);
    let rows = every_way(&script);
    assert_eq!(
        lines(&rows)[1..],
        [
            "basic.consume| q |||",
            "basic.return|e  k|back|312|",
            "connection.blocked|  |||",
            "connection.unblocked|  |||",
            "basic.cancel| q |||",
        ]
    );
    assert_eq!((rows[2].get("ERR"), rows[3].get("ERR")), ("NO_ROUTE", "low on memory"));
}

#[test]
fn contents_of_channels_are_interleaved_and_large_ones_cut() {
    let mut h = tcp().limits(Limits { text: 6, ..Limits::default() });
    play(&mut h, &begin());
    let m = |ch, key| method(ch, 60, 40, &[&[0, 0], &s("e"), &s(key), &[0]]);
    h.feed(C, &[m(1, "a"), m(2, "b"), header(2, 3, ""), header(1, 300_000, "")].concat());
    for _ in 0..2 {
        h.feed(C, &frame(3, 1, &[b'a'; 100_000]));
        assert!(h.session().held() < 20_000, "no content is held");
    }
    h.feed(C, &[frame(3, 2, b"two"), frame(3, 1, &[b'z'; 100_000])].concat());
    assert_eq!(lines(h.rows())[1..], ["basic.publish|e  b|two||", "basic.publish|e  a|aaaaaa||"]);
    assert_eq!(h.rows()[2].get("MSG_BYTES"), "300000");
    // A method ends what is under way.
    h.feed(C, &[m(1, "c"), header(1, 9, ""), frame(3, 1, b"half"), declare(1, "q")].concat());
    assert_eq!(line(&h.rows()[3]), "basic.publish|e  c|half||gap,no-response");
}

#[test]
fn binary_contents_are_left_out_and_octets_may_be_text() {
    let mut h = begun();
    for (kind, body) in
        [("application/octet-stream", &b"text"[..]), ("image/png", b"text"), ("", b"\0\x01\x02\xff")]
    {
        h.feed(C, &method(1, 60, 40, &[&[0, 0], &s("e"), &s("k"), &[0]]));
        h.feed(C, &[header(1, body.len() as u64, kind), frame(3, 1, body)].concat());
    }
    let got: Vec<_> = h.rows()[1..].iter().map(|r| (r.get("TEXT"), r.get("MSG_BYTES"))).collect();
    assert_eq!(got, [("text", "4"), ("", "4"), ("", "4")]);
}

#[test]
fn a_gap_within_a_content_costs_only_its_text() {
    let mut h = begun();
    let p = publish(1, "e", "k", &"x".repeat(5000));
    h.feed(C, &p[..1000]);
    h.gap(C, 2000);
    h.feed(C, &p[3000..]);
    h.feed(C, &publish(1, "e", "k", "next"));
    assert_eq!(h.rows()[1].quality(), "gap");
    assert_eq!((h.rows()[1].get("TEXT").len() < 1000, h.rows()[1].get("MSG_BYTES")), (true, "5000"));
    assert_eq!(line(&h.rows()[2]), "basic.publish|e  k|next||");
}

#[test]
fn after_a_gap_frames_are_found_again() {
    // The client's bytes, in the middle of a content and of the next method.
    let mut h = begun();
    let p = publish(1, "e", "k", "lost");
    h.feed(C, &p[..40]);
    h.gap(C, 100);
    h.feed(C, b"some bytes \x01\0\x01\0\0 of a content");
    h.feed(C, &[&b"\xce"[..], &publish(1, "e", "k", "found")].concat());
    assert_eq!(lines(h.rows())[1..], ["basic.publish|e  k|||gap", "basic.publish|e  k|found||"]);
    // The server's: one answer was lost, the next is the next one's.
    let mut h = begun();
    h.feed(C, &declare(1, "a"));
    h.gap(S, 10);
    h.feed(C, &method(1, 50, 30, &[&[0, 0], &s("b"), &[0]]));
    h.feed(S, &method(1, 50, 31, &[&[0; 4]]));
    h.finish();
    assert_eq!(lines(h.rows())[1..], ["queue.purge| b ||0|", "queue.declare| a |||gap,no-response"]);
    // Whose answer is it? Neither's.
    let mut h = begun();
    h.feed(C, &declare(1, "a"));
    h.gap(S, 10);
    h.feed(C, &declare(1, "b"));
    h.feed(S, &declare_ok(1, "?"));
    h.feed(C, &declare(1, "c"));
    h.feed(S, &declare_ok(1, "c"));
    assert_eq!(
        lines(h.rows())[1..],
        [
            "queue.declare| a |||gap,no-response",
            "queue.declare| b |||gap,no-response",
            "queue.declare| c ||0|"
        ]
    );
}

#[test]
fn requests_that_were_held_back_get_their_answers() {
    // The client's bytes wait for lost ones; the server's go on.
    let mut h = begun();
    h.feed(S, &declare_ok(1, "lost"));
    h.feed(S, &method(1, 50, 31, &[&[0; 4]]));
    h.gap(C, 50);
    h.back(1);
    h.feed(C, &[method(1, 50, 30, &[&[0, 0], &s("b"), &[0]]), declare(1, "c")].concat());
    h.feed(S, &declare_ok(1, "c"));
    h.feed(C, &declare(1, "d"));
    h.feed(S, &declare_ok(1, "d"));
    assert_eq!(
        lines(h.rows())[1..],
        ["queue.purge| b ||0|gap", "queue.declare| c ||0|", "queue.declare| d ||0|"]
    );
    assert_eq!(h.anomalies(), ["amqp-unpaired", "amqp-unpaired"]);
}

#[test]
fn publishes_that_were_held_back_get_their_confirms() {
    let mut h = begun();
    h.feed(C, &method(1, 85, 10, &[&[1]]));
    // The end of the first is lost; the second is held back meanwhile, the third as well.
    let p = publish(1, "e", "k", "1");
    h.feed(C, &p[..25]);
    h.feed(S, &ack(1, 1, false));
    h.feed(S, &ack(1, 3, true));
    h.gap(C, p.len() as u64 - 25);
    h.back(2);
    h.feed(C, &publish(1, "e", "k", "2"));
    assert_eq!(lines(h.rows())[2..], ["basic.publish|e  k||0|gap", "basic.publish|e  k|2|0|"]);
}

#[test]
fn confirms_around_gaps() {
    let mut h = begun();
    h.feed(C, &method(1, 85, 10, &[&[1]]));
    for i in 1..=2 {
        h.feed(C, &publish(1, "e", "k", &i.to_string()));
    }
    // The confirm of the first is lost.
    h.gap(S, 21);
    h.feed(S, &ack(1, 2, false));
    h.feed(C, &publish(1, "e", "k", "3"));
    h.feed(S, &ack(1, 3, false));
    assert_eq!(
        lines(h.rows())[2..],
        ["basic.publish|e  k|2|0|", "basic.publish|e  k|3|0|", "basic.publish|e  k|1||gap,no-response"]
    );
    // A part of a publish is lost, and perhaps more: it still has its number, but those behind it do not.
    let p = publish(1, "e", "k", "4");
    h.feed(C, &p[..25]);
    h.gap(C, 100);
    h.feed(C, &publish(1, "e", "k", "4?"));
    h.feed(S, &ack(1, 4, false));
    assert_eq!(lines(h.rows())[5..], ["basic.publish|e  k|4?||gap", "basic.publish|e  k||0|gap"]);
    // Publishes are lost: numbers are known no more, until a pause behind a confirm.
    h.gap(C, 100);
    h.feed(C, &publish(1, "e", "k", "5?"));
    h.feed(S, &ack(1, 5, false));
    assert_eq!(line(&h.rows()[7]), "basic.publish|e  k|5?||gap");
    h.wait(3000);
    h.feed(C, &publish(1, "e", "k", "6"));
    h.feed(S, &ack(1, 6, false));
    assert_eq!(line(&h.rows()[8]), "basic.publish|e  k|6|0|");
    assert!(h.rows()[8].answering.is_some());
    // A confirm of what was never published: the numbers were wrong.
    h.feed(C, &publish(1, "e", "k", "7"));
    h.feed(S, &ack(1, 9, false));
    assert_eq!(line(&h.rows()[9]), "basic.publish|e  k|7||gap,no-response");
    assert_eq!(h.anomalies(), ["amqp-confirm"]);
}

#[test]
fn who_waits_for_each_confirm_is_known_again_at_once() {
    let mut h = begun();
    h.feed(C, &method(1, 85, 10, &[&[1]]));
    let ask = |h: &mut Harness<Session>, n: u64| h.feed(C, &publish(1, "e", "k", &n.to_string()));
    for n in 1..=4 {
        ask(&mut h, n);
        h.feed(S, &ack(1, n, false));
    }
    // One is lost, and what followed is held back until that is known: its confirm passes by.
    h.feed(S, &ack(1, 5, false));
    h.wait(1);
    h.feed(S, &ack(1, 6, false));
    h.gap(C, 80);
    h.back(1);
    ask(&mut h, 6);
    ask(&mut h, 7);
    h.feed(S, &ack(1, 7, false));
    assert_eq!(lines(h.rows())[6..], ["basic.publish|e  k|6|0|", "basic.publish|e  k|7|0|"]);
}

#[test]
fn who_publishes_many_at_a_time_is_known_again_behind_a_pause() {
    let mut h = begun();
    h.feed(C, &method(1, 85, 10, &[&[1]]));
    let ask = |h: &mut Harness<Session>, n: u64| h.feed(C, &publish(1, "e", "k", &n.to_string()));
    for n in 1..=3 {
        ask(&mut h, n);
    }
    h.feed(S, &ack(1, 3, true));
    // The fourth is lost. The third confirm, before the sixth is sent, proves nothing yet.
    h.gap(C, 80);
    ask(&mut h, 5);
    h.feed(S, &ack(1, 4, false));
    ask(&mut h, 6);
    h.feed(S, &ack(1, 6, true));
    h.wait(20);
    ask(&mut h, 7);
    h.feed(S, &ack(1, 7, false));
    let told = ["basic.publish|e  k|5||gap", "basic.publish|e  k|6||gap", "basic.publish|e  k|7|0|"];
    assert_eq!(lines(h.rows())[5..], told);
}

#[test]
fn a_lost_frame_is_known_by_its_size() {
    let mut h = begun();
    h.feed(C, &method(1, 85, 10, &[&[1]]));
    let parts = |n: u64| {
        let text = n.to_string();
        let p = publish(1, "e", "k", &text);
        let (rest, body) = p.split_at(p.len() - 9);
        let (method, header) = rest.split_at(19);
        [method.to_vec(), header.to_vec(), body.to_vec()]
    };
    // Each frame of a publish is lost in turn, with others behind it; and of one, its confirm as well.
    for n in 1..=4u64 {
        for (i, part) in parts(2 * n - 1).iter().enumerate() {
            if i as u64 + 1 == n {
                h.gap(C, part.len() as u64);
            } else {
                h.feed(C, part);
            }
        }
        if n == 2 {
            h.gap(S, 21);
        } else {
            h.feed(S, &ack(1, 2 * n - 1, false));
        }
        h.feed(C, &publish(1, "e", "k", &(2 * n).to_string()));
        h.feed(C, &declare(1, "q"));
        h.feed(S, &[declare_ok(1, "q"), ack(1, 2 * n, false)].concat());
    }
    let got = lines(h.rows());
    for n in 1..=4 {
        let want = format!("basic.publish|e  k|{}|0|", 2 * n);
        assert_eq!(got.iter().filter(|l| **l == want).count(), 1, "{n}: {got:?}");
    }
    assert_eq!(got.iter().filter(|l| *l == "queue.declare| q ||0|").count(), 4, "{got:?}");
    // That two were lost is known when they are confirmed: there was no room for more.
    let mut h = begun();
    h.feed(C, &method(1, 85, 10, &[&[1]]));
    let ask = |h: &mut Harness<Session>, n: u64| h.feed(C, &publish(1, "e", "k", &n.to_string()));
    ask(&mut h, 1);
    ask(&mut h, 2);
    h.feed(S, &ack(1, 1, false));
    ask(&mut h, 3);
    h.gap(C, 80);
    ask(&mut h, 6);
    h.feed(S, &ack(1, 6, true));
    ask(&mut h, 7);
    h.feed(S, &ack(1, 7, false));
    let got = lines(h.rows());
    assert_eq!(got[got.len() - 2..], ["basic.publish|e  k|3|0|", "basic.publish|e  k|7|0|"]);
}

#[test]
fn who_publishes_in_batches_is_known_again_at_the_next() {
    // One that waits for all confirms of a batch, and one that waits for some.
    for waits in [true, false] {
        let mut h = begun();
        h.feed(C, &method(1, 85, 10, &[&[1]]));
        let batch = |h: &mut Harness<Session>, n: u64| {
            (n..n + 3).for_each(|n| h.feed(C, &publish(1, "e", "k", &n.to_string())));
        };
        for n in 0..6 {
            batch(&mut h, 3 * n + 1);
            h.feed(S, &ack(1, if waits { 3 * n + 3 } else { 3 * n + 2 }, true));
        }
        h.gap(C, 300);
        h.feed(S, &ack(1, 21, true));
        batch(&mut h, 22);
        h.feed(S, &ack(1, 24, true));
        let got = lines(h.rows());
        let tail = &got[got.len() - 3..];
        if waits {
            assert_eq!(
                tail,
                ["basic.publish|e  k|22|0|", "basic.publish|e  k|23|0|", "basic.publish|e  k|24|0|"]
            );
        } else {
            assert!(tail.iter().all(|l| l.ends_with("||gap")), "{tail:?}");
        }
    }
}

#[test]
fn who_waits_for_each_answer_has_got_what_was_lost() {
    for singly in [true, false] {
        let mut h = begun();
        if !singly {
            h.feed(C, &[declare(1, "1"), declare(1, "2")].concat());
            h.feed(S, &[declare_ok(1, "1"), declare_ok(1, "2")].concat());
        }
        for _ in 0..9 {
            h.feed(C, &declare(1, "q"));
            h.feed(S, &declare_ok(1, "q"));
        }
        let before = h.rows().len();
        h.feed(C, &declare(1, "a"));
        h.gap(S, 10);
        h.feed(C, &declare(1, "b"));
        h.feed(S, &declare_ok(1, "b"));
        h.gap(C, 60);
        h.feed(C, &declare(1, "c"));
        h.feed(S, &declare_ok(1, "c"));
        let [b, c] = if singly {
            ["queue.declare| b ||0|", "queue.declare| c ||0|"]
        } else {
            ["queue.declare| b |||gap,no-response", "queue.declare| c ||0|gap"]
        };
        let got = lines(h.rows());
        assert_eq!(got[before..], ["queue.declare| a |||gap,no-response", b, c]);
    }
}

#[test]
fn joined_in_the_middle() {
    for first in [C, S] {
        let mut h = tcp().midstream();
        if first == C {
            h.feed(C, b"e end of a content\xce");
            h.feed(C, &publish(3, "e", "k", "one"));
        } else {
            h.feed(S, b"e end of a content\xce");
            h.feed(S, &deliver(3, "tag", 9, "k", "one"));
        }
        h.feed(C, &publish(3, "e", "k", "two"));
        assert_eq!(h.outcome(), Outcome::Open);
        assert_eq!((h.rows().len(), h.rows()[0].get("TEXT"), h.rows()[1].get("TEXT")), (2, "one", "two"));
        assert_eq!((h.rows()[0].quality().as_str(), h.rows()[1].quality().as_str()), ("midstream", ""));
        assert!(!h.rows()[0].has("HOST") && !h.rows()[0].has("USER"));
        // An answer whose request was not seen.
        h.feed(S, &declare_ok(3, "q"));
        assert_eq!((h.rows().len(), h.anomalies()), (2, &["amqp-unpaired"][..]));
        h.feed(
            S,
            &[method(3, 60, 71, &[&[0; 8], &[0], &s(""), &s("q"), &[0; 4]]), content(3, "got")].concat(),
        );
        assert_eq!(line(&h.rows()[2]), "basic.get| q q|got|0|gap");
    }
}

#[test]
fn versions_are_told_apart() {
    let mut h = tcp();
    h.feed(C, b"AMQP\0\x01\0\0");
    assert_eq!((h.outcome(), h.anomalies()), (Outcome::Done, &["amqp-other-version"][..]));
    let mut h = tcp();
    h.feed(C, b"AMQP\x01\x01\0\x09");
    h.feed(S, b"AMQP\0\0\x09\x01");
    h.finish();
    assert_eq!(
        (h.outcome(), h.anomalies(), h.rows().len()),
        (Outcome::Open, &["amqp-version-refused"][..], 0)
    );
    let mut h = tcp();
    h.feed(C, b"AMQP but not quite");
    assert_eq!(h.outcome(), Outcome::Lost);
}

#[test]
fn nonsense_is_counted_and_passed_by() {
    let mut h = begun();
    h.feed(C, b"\x07nonsense");
    h.feed(C, &declare(1, "q"));
    h.feed(C, &frame(1, 1, b"\0\x63\0\x01what"));
    h.feed(S, &declare_ok(1, "q"));
    assert_eq!(
        (line(&h.rows()[1]), h.anomalies()),
        ("queue.declare| q ||0|gap".into(), &["amqp-frame", "amqp-method"][..])
    );
    // Larger than agreed.
    h.feed(C, b"\x03\0\x01\x01\0\0\0");
    assert_eq!(h.anomalies().len(), 3);
}

#[test]
fn what_waits_is_capped() {
    let mut h = tcp().limits(Limits { pipeline: 4, ..Limits::default() });
    play(&mut h, &begin());
    for i in 0..6 {
        h.feed(C, &declare(1, &format!("q{i}")));
    }
    assert_eq!((h.rows().len(), h.anomalies().len()), (3, 2), "two were told at once");
    for i in 0..4 {
        h.feed(S, &declare_ok(1, &format!("q{i}")));
    }
    h.feed(C, &declare(1, "q6"));
    for i in 4..7 {
        h.feed(S, &declare_ok(1, &format!("q{i}")));
    }
    h.feed(C, &declare(1, "q7"));
    h.feed(S, &declare_ok(1, "q7"));
    let got: Vec<_> = h.rows()[1..].iter().map(|r| (r.get("QUEUE"), r.answering.is_some())).collect();
    assert_eq!(
        got[..6],
        [("q4", false), ("q5", false), ("q0", true), ("q1", true), ("q2", true), ("q3", true)]
    );
    assert_eq!(got[6..], [("q6", false), ("q7", true)]);
    // Publishes have numbers: the oldest is given up.
    h.feed(C, &method(1, 85, 10, &[&[1]]));
    for i in 1..=5 {
        h.feed(C, &publish(1, "e", "k", &i.to_string()));
    }
    h.feed(S, &ack(1, 5, false));
    let got = lines(h.rows());
    assert_eq!(got[got.len() - 2..], ["basic.publish|e  k|1||no-response", "basic.publish|e  k|5|0|"]);
    // Channels too.
    for ch in 1..4000u16 {
        h.feed(C, &method(ch, 20, 10, &[&s("")]));
    }
    assert!(h.session().held() < 1 << 20);
    h.finish();
}

#[test]
fn any_bytes_are_borne() {
    let mut script = begin();
    script.extend([
        (C, [declare(1, "q"), method(1, 85, 10, &[&[0]]), publish(1, "e", "k", "text")].concat()),
        (
            S,
            [declare_ok(1, "q"), method(1, 85, 11, &[]), ack(1, 1, true), deliver(1, "t", 1, "k", "abc")]
                .concat(),
        ),
        (C, close(1, 200, "", 0, 0)),
        (S, close(0, 320, "x", 50, 10)),
    ]);
    let script = slices(&script);
    mutations(&[&script, &script[6..]], 900, fuzz_amqp);
}
