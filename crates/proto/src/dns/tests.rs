//! Whole conversations.

use super::*;
use crate::harness::{C, Harness, Outcome, Row, S, cut_every_way, mutations};
use crate::session::{Limits, Parser};

/// Flags of a query that wants recursion, and of an answer to it.
const ASK: u16 = 0x0100;
const OK: u16 = 0x8180;

/// A name on the wire.
fn name(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in text.split('.').filter(|l| !l.is_empty()) {
        out.push(label.len() as u8);
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    out
}

/// A message with one question and records for the (answer, authority, additional) sections.
fn message(id: u16, flags: u16, qname: &str, qtype: u16, sections: [&[Vec<u8>]; 3]) -> Vec<u8> {
    let mut m = [id, flags, 1].map(u16::to_be_bytes).concat();
    for s in sections {
        m.extend_from_slice(&(s.len() as u16).to_be_bytes());
    }
    m.extend_from_slice(&name(qname));
    m.extend_from_slice(&[qtype, 1].map(u16::to_be_bytes).concat());
    sections.iter().for_each(|s| s.iter().for_each(|rr| m.extend_from_slice(rr)));
    m
}

fn query(id: u16, qname: &str, qtype: u16) -> Vec<u8> {
    message(id, ASK, qname, qtype, [&[], &[], &[]])
}

fn answer(id: u16, qname: &str, qtype: u16, answers: &[Vec<u8>]) -> Vec<u8> {
    message(id, OK, qname, qtype, [answers, &[], &[]])
}

/// A record whose owner is the question's name.
fn rr(rtype: u16, data: &[u8]) -> Vec<u8> {
    let mut r = vec![0xc0, 0x0c];
    r.extend_from_slice(&[rtype, 1, 0, 60, data.len() as u16].map(u16::to_be_bytes).concat());
    r.extend_from_slice(data);
    r
}

fn a(last: u8) -> Vec<u8> {
    rr(1, &[192, 0, 2, last])
}

fn soa(serial: u8) -> Vec<u8> {
    let numbers = [[0, 0, 0, serial], [0, 0, 0, 2], [0, 0, 0, 3], [0, 0, 0, 4], [0, 0, 0, 5]];
    rr(6, &[name("m"), name("r"), numbers.concat()].concat())
}

/// With the length of TCP before it.
fn framed(m: &[u8]) -> Vec<u8> {
    [&(m.len() as u16).to_be_bytes()[..], m].concat()
}

fn udp() -> Harness<Session> {
    Harness::new(Session::new(Transport::Udp)).datagrams().ports([40000, 53])
}

fn tcp() -> Harness<Session> {
    Harness::new(Session::new(Transport::Tcp)).ports([40000, 53])
}

/// DOMAIN, QTYPE, RCODE, RESULT_IP, ANSWERS.
fn body(r: &Row) -> [&str; 5] {
    ["DOMAIN", "QTYPE", "RCODE", "RESULT_IP", "ANSWERS"].map(|k| r.get(k))
}

#[test]
fn a_query_and_its_answer_are_one_record() {
    let mut h = udp();
    h.feed(C, &query(7, "www.Example.com", 1));
    let cname = rr(5, &[&[3][..], b"web", &[0xc0, 0x10]].concat());
    h.feed(S, &answer(7, "www.example.com", 1, &[cname, a(1), a(2)]));
    let r = &h.rows()[0];
    assert_eq!(
        body(r),
        ["www.Example.com", "A", "NOERROR", "192.0.2.1,192.0.2.2", "CNAME web.example.com"],
        "the name as sent, whatever the case of its echo"
    );
    assert_eq!((r.begin, r.asked, r.answering, r.end, r.quality().as_str()), (1, 1, Some(2), 2, ""));
    h.finish();
    assert_eq!((h.rows().len(), h.anomalies().len()), (1, 0));
}

#[test]
fn answers_find_their_queries_by_id_and_question() {
    let mut h = udp();
    h.feed(C, &query(1, "a", 1));
    h.feed(C, &query(1, "a", 28));
    h.feed(C, &query(2, "b", 1));
    h.feed(S, &answer(2, "b", 1, &[a(9)]));
    h.feed(S, &answer(1, "a", 28, &[rr(28, &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])]));
    h.feed(S, &answer(1, "a", 1, &[a(8)]));
    let ips: Vec<_> = h.rows().iter().map(|r| (r.get("QTYPE"), r.get("RESULT_IP"), r.begin)).collect();
    assert_eq!(ips, [("A", "192.0.2.9", 3), ("AAAA", "2001:db8::1", 2), ("A", "192.0.2.8", 1)]);
}

#[test]
fn a_query_sent_again_is_one_of_its_own_and_the_oldest_is_answered_first() {
    let mut h = udp();
    h.feed(C, &query(1, "a", 1));
    h.feed(C, &query(1, "a", 1));
    h.feed(S, &answer(1, "a", 1, &[a(1)]));
    assert_eq!((h.rows().len(), h.rows()[0].begin), (1, 1));
    h.wait(10_001);
    h.feed(C, &query(2, "b", 1));
    assert_eq!(h.rows().len(), 2, "the second is given up after 10 s");
    assert_eq!((h.rows()[1].begin, h.rows()[1].quality().as_str()), (2, "no-response"));
    h.feed(S, &answer(2, "b", 1, &[]));
    h.feed(S, &answer(2, "b", 1, &[]));
    assert_eq!((h.rows().len(), h.anomalies()), (3, &["answer_again"][..]));
}

#[test]
fn an_answer_without_a_query_is_told_without_a_delay() {
    let mut h = udp();
    h.feed(S, &answer(5, "x.y", 1, &[a(1)]));
    assert_eq!(body(&h.rows()[0]), ["x.y", "A", "NOERROR", "192.0.2.1", ""]);
    assert_eq!(h.rows()[0].quality(), "midstream");
    h.feed(C, &query(6, "x.y", 1));
    h.feed(S, &answer(7, "x.y", 1, &[a(1)]));
    assert_eq!(h.rows()[1].quality(), "gap", "another query was lost");
    // The question is another one: not the answer of the open query.
    h.feed(S, &answer(6, "evil.example", 1, &[a(6)]));
    assert_eq!((h.rows()[2].get("DOMAIN"), h.rows().len()), ("evil.example", 3));
    h.feed(S, &answer(6, "x.y", 1, &[a(2)]));
    assert_eq!((h.rows()[3].get("RESULT_IP"), h.rows()[3].begin), ("192.0.2.2", 2));
}

#[test]
fn codes_and_types_have_names_where_there_are_any() {
    // OPT with extended RCODE 1: BADVERS (16), BADCOOKIE (23) with 7 in the header.
    let opt = |ext: u8| [&[0, 0, 41, 4, 0xd0, ext, 0, 0, 0, 0, 0][..]].concat();
    let mut h = udp();
    for (id, flags, ext, qtype) in
        [(1, OK, 1, 65), (2, OK | 7, 1, 12345), (3, OK | 3, 0, 255), (4, OK | 13, 0, 257)]
    {
        h.feed(C, &query(id, "", qtype));
        h.feed(S, &message(id, flags, "", qtype, [&[], &[], &[opt(ext)]]));
    }
    let got: Vec<_> = h.rows().iter().map(|r| (r.get("DOMAIN"), r.get("QTYPE"), r.get("RCODE"))).collect();
    assert_eq!(
        got,
        [
            (".", "HTTPS", "BADVERS"),
            (".", "TYPE12345", "BADCOOKIE"),
            (".", "ANY", "NXDOMAIN"),
            (".", "CAA", "13")
        ]
    );
}

#[test]
fn refusals_without_the_question_and_updates_are_paired_too() {
    let mut h = udp();
    h.feed(C, &query(1, "a", 1));
    h.feed(S, &[0, 1, 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(body(&h.rows()[0]), ["a", "A", "FORMERR", "", ""]);
    // UPDATE: the prerequisites are in the place of answers, and echoed.
    h.feed(C, &message(2, 0x2800, "zone", 6, [&[a(1)], &[a(2)], &[]]));
    h.feed(S, &message(2, 0xa805, "zone", 6, [&[a(1)], &[], &[]]));
    assert_eq!(body(&h.rows()[1]), ["zone", "SOA", "REFUSED", "", ""]);
}

#[test]
fn of_several_questions_the_first_is_told() {
    let mut two = query(1, "a.b", 1);
    two[5] = 2;
    two.extend_from_slice(&[0xc0, 0x0c, 0, 28, 0, 1]);
    assert_eq!(probe(Transport::Udp, C, &two), Verdict::Yes);
    let mut h = udp();
    h.feed(C, &two);
    two[2] = 0x81;
    h.feed(S, &two);
    assert_eq!(body(&h.rows()[0]), ["a.b", "A", "NOERROR", "", ""]);
    two[22] = 0x40;
    assert_eq!(probe(Transport::Udp, S, &two), Verdict::No, "the others are read too");
}

#[test]
fn text_is_cut_at_its_limit_and_addresses_are_told_whole() {
    let mut h = udp().limits(Limits { text: 10, ..Limits::default() });
    h.feed(C, &query(1, "a", 16));
    h.feed(S, &answer(1, "a", 16, &[rr(16, b"\x0b12345678901")]));
    assert_eq!(h.rows()[0].get("ANSWERS"), "TXT \"12345");
    let many: Vec<_> = (0..2000u16).map(|n| rr(1, &[192, 168, 200, n as u8])).collect();
    h.feed(C, &query(2, "a", 1));
    h.feed(S, &answer(2, "a", 1, &many));
    let ips = h.rows()[1].get("RESULT_IP");
    assert!(
        ips.len() > 8000
            && ips.len() <= 8192
            && ips.split(',').all(|ip| ip.parse::<std::net::IpAddr>().is_ok())
    );
    assert_eq!(h.anomalies(), ["addresses_cut"]);
}

#[test]
fn malformed_messages_make_no_record_and_taint_the_one_they_answer() {
    let mut h = udp();
    let mut loops = query(1, "a", 1);
    loops[12] = 0xc0;
    loops[13] = 0x0c;
    h.feed(C, &loops);
    h.feed(S, &answer(1, "a", 1, &[a(1)])[..30]);
    h.feed(C, b"\x00\x01");
    assert_eq!(h.rows().len(), 0);
    assert_eq!(h.anomalies(), ["name_pointer", "record_short", "answer_unasked", "header_short"]);
    h.feed(C, &query(2, "a", 1));
    let short = answer(2, "a", 1, &[a(1), a(2)]);
    h.feed(S, &short[..short.len() - 1]);
    assert_eq!(body(&h.rows()[0]), ["a", "A", "NOERROR", "192.0.2.1", ""]);
    assert_eq!(h.rows()[0].quality(), "truncated");
}

#[test]
fn open_queries_are_capped() {
    let mut h = udp().limits(Limits { pipeline: 4, ..Limits::default() });
    for id in 0..10 {
        h.feed(C, &query(id, "a", 1));
    }
    assert_eq!((h.rows().len(), h.anomalies().len()), (6, 6));
    h.finish();
    assert_eq!(h.rows().len(), 10);
    assert!(h.rows().iter().all(|r| r.quality() == "no-response"));
    assert_eq!(h.session().held(), 0);
}

#[test]
fn a_stream_gives_the_same_records_however_it_is_cut() {
    let asked = [framed(&query(1, "a.example", 1)), framed(&query(2, "b.example", 15))].concat();
    let answered = [
        framed(&answer(2, "b.example", 15, &[rr(15, b"\0\x05\x02mx\xc0\x0c")])),
        framed(&answer(1, "a.example", 1, &[a(1)])),
    ]
    .concat();
    let last = framed(&query(3, "c.example", 1));
    let rows = cut_every_way(tcp, &[(C, &asked), (S, &answered), (C, &last)]);
    let got: Vec<_> = rows.iter().map(|r| [r.get("DOMAIN"), r.get("RESULT_IP"), r.get("ANSWERS")]).collect();
    assert_eq!(
        got,
        [["b.example", "", "MX 5 mx.b.example"], ["a.example", "192.0.2.1", ""], ["c.example", "", ""]]
    );
}

#[test]
fn marks_are_those_of_the_first_and_last_bytes() {
    let mut h = tcp();
    let (q, r) = (framed(&query(1, "a", 1)), framed(&answer(1, "a", 1, &[a(1)])));
    for (dir, m) in [(C, &q), (S, &r)] {
        h.feed(dir, &m[..1]);
        h.feed(dir, &m[1..9]);
        h.feed(dir, &m[9..]);
    }
    let r = &h.rows()[0];
    assert_eq!((r.begin, r.asked, r.answering, r.end), (1, 3, Some(4), 6));
}

#[test]
fn a_zone_transfer_is_one_answer() {
    let ns = || rr(2, b"\x02ns\xc0\x0c");
    let axfr = framed(&query(1, "z", 252));
    let parts = [
        framed(&answer(1, "z", 252, &[soa(9), ns()])),
        framed(&answer(1, "z", 252, &[a(1), a(2)])),
        framed(&answer(1, "z", 252, &[soa(9)])),
        framed(&answer(2, "z", 251, &[soa(9)])),
    ]
    .concat();
    let ixfr = framed(&query(2, "z", 251));
    let rows = cut_every_way(tcp, &[(C, &axfr), (C, &ixfr), (S, &parts)]);
    assert_eq!(
        body(&rows[0]),
        ["z", "AXFR", "NOERROR", "192.0.2.1,192.0.2.2", "SOA m r 9 2 3 4 5,NS ns.z,SOA m r 9 2 3 4 5"]
    );
    assert_eq!(body(&rows[1]), ["z", "IXFR", "NOERROR", "", "SOA m r 9 2 3 4 5"], "up to date");
    assert_eq!(rows.len(), 2);
}

#[test]
fn differences_end_at_the_third_soa_of_the_new_serial() {
    let mut h = tcp();
    h.feed(C, &framed(&query(1, "z", 251)));
    h.feed(S, &framed(&answer(1, "z", 251, &[soa(9), soa(7), a(1), soa(8), a(2), soa(8)])));
    assert_eq!(h.rows().len(), 0);
    h.feed(S, &framed(&answer(1, "z", 251, &[soa(9), a(3)])));
    assert_eq!(h.rows().len(), 0);
    h.feed(S, &framed(&answer(1, "z", 251, &[soa(9)])));
    assert_eq!((h.rows().len(), h.rows()[0].end, h.rows()[0].answering), (1, 4, Some(2)));
    // One that stays unfinished is told with what came, at the end.
    h.feed(C, &framed(&query(2, "z", 252)));
    h.feed(S, &framed(&answer(2, "z", 252, &[soa(9), a(1)])));
    h.finish();
    assert_eq!(
        (h.rows()[1].quality().as_str(), h.rows()[1].get("RESULT_IP"), h.rows()[1].end),
        ("gap", "192.0.2.1", 6)
    );
}

#[test]
fn a_gap_costs_the_message_it_fell_into() {
    let mut h = tcp();
    let q = |id| framed(&query(id, "www.example.org", 1));
    let r = |id| framed(&answer(id, "www.example.org", 1, &[a(id as u8)]));
    h.feed(C, &[q(1), q(2), q(3), q(4)].concat());
    h.feed(S, &[&r(1)[..], &r(2)[..20]].concat());
    h.gap(S, 20);
    h.feed(S, &[&r(2)[40..], &r(3)[..]].concat());
    h.feed(S, &r(4));
    h.finish();
    let got: Vec<_> = h.rows().iter().map(|r| (r.get("RESULT_IP"), r.quality())).collect();
    let text = |q: &str| q.to_owned();
    assert_eq!(
        got,
        [
            ("192.0.2.1", text("")),
            ("192.0.2.3", text("gap")),
            ("192.0.2.4", text("gap")),
            ("", text("gap,no-response"))
        ]
    );
}

#[test]
fn a_message_longer_than_the_limit_is_passed_over() {
    let mut h = tcp().limits(Limits { stream: 600, ..Limits::default() });
    h.feed(C, &framed(&query(1, "a", 1)));
    let long: Vec<_> = (0..100).map(a).collect();
    h.feed(C, &framed(&query(2, "a", 1)));
    h.feed(S, &[framed(&answer(1, "a", 1, &long)), framed(&answer(2, "a", 1, &[a(7)]))].concat());
    assert_eq!((h.rows().len(), h.rows()[0].get("RESULT_IP")), (1, "192.0.2.7"));
    assert_eq!(h.anomalies(), ["message_too_long"]);
}

#[test]
fn what_is_not_dns_is_lost_at_once() {
    let mut h = tcp();
    h.feed(C, b"GET / HTTP/1.1\r\n\r\n");
    h.feed(C, &[b' '; 20_000]);
    assert_eq!(h.outcome(), Outcome::Lost);
    let mut h = tcp();
    h.feed(C, b"\0\x05abcde");
    assert_eq!(h.outcome(), Outcome::Lost);
}

#[test]
fn sampled_out_queries_keep_their_pairing() {
    let mut h = udp().limits(Limits { sample: 2, ..Limits::default() });
    for id in 0..64 {
        h.feed(C, &query(id, "a", 1));
        h.feed(S, &answer(id, "a", 1, &[a(1)]));
    }
    assert_eq!(h.rows().len() as u64 + h.sampled_out(), 64);
    assert!(h.sampled_out() > 10 && h.rows().len() > 10 && h.anomalies().is_empty());
}

#[test]
fn datagrams_are_recognised_whole() {
    let (q, r) = (query(1, "a.b", 1), answer(1, "a.b", 1, &[a(1)]));
    let u = Transport::Udp;
    assert_eq!((probe(u, C, &q), probe(u, S, &r)), (Verdict::Yes, Verdict::Yes));
    assert_eq!((probe(u, S, &q), probe(u, C, &r)), (Verdict::No, Verdict::No), "the other way round");
    assert_eq!(probe(u, C, &[&q[..], b"x"].concat()), Verdict::No, "something behind");
    assert_eq!(probe(u, S, &r[..r.len() - 1]), Verdict::More, "captured short");
    for (at, bit) in
        [(2, 0x40), (2, 0x10), (3, 0x40), (3, 1), (5, 2), (4, 1), (7, 1), (12, 0x40), (q.len() - 1, 4)]
    {
        let mut bad = q.clone();
        bad[at] ^= bit;
        assert_ne!(probe(u, C, &bad), Verdict::Yes, "octet {at}, bit {bit:#x}");
    }
    // NBNS: "NB" of a half-octet name.
    assert_eq!(probe(u, C, &query(1, "EDEBFDEBCACACACACACACACACACACABL", 32)), Verdict::No);
    let mut noise = crate::harness::Noise::new(3);
    for _ in 0..20_000 {
        let n = noise.below(80);
        let random: Vec<u8> = (0..n).map(|_| noise.below(256) as u8).collect();
        assert_ne!(probe(u, C, &random), Verdict::Yes);
        assert_ne!(probe(u, S, &random), Verdict::Yes);
    }
}

#[test]
fn streams_are_recognised_by_their_first_message() {
    let t = Transport::Tcp;
    let q = framed(&query(1, "a.b", 1));
    for n in 0..q.len() {
        assert_eq!(probe(t, C, &q[..n]), Verdict::More, "{n} bytes");
    }
    assert_eq!(probe(t, C, &[&q[..], &q[..5]].concat()), Verdict::Yes);
    let marked = framed(&[&query(1, "z", 252)[..], b"MS"].concat());
    assert_eq!(probe(t, C, &marked), Verdict::Yes, "as Windows asks for a zone");
    let long: Vec<_> = (0..100).map(a).collect();
    let r = framed(&answer(1, "a.b", 1, &long));
    assert_eq!((probe(t, S, &r[..100]), probe(t, S, &r[..600])), (Verdict::More, Verdict::Yes));
    for other in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"SSH-2.0-OpenSSH_9\r\n",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03abcdef",
        b"*1\r\n$4\r\nPING\r\n",
    ] {
        assert_eq!(probe(t, C, other), Verdict::No);
    }
}

#[test]
fn any_bytes_are_borne() {
    let (q, r) = (framed(&query(1, "a.example", 1)), framed(&answer(1, "a.example", 1, &[a(1), soa(3)])));
    let zone = framed(&answer(2, "z", 252, &[soa(9), a(1), soa(9)]));
    let axfr = framed(&query(2, "z", 252));
    let (uq, ur) =
        (query(1, "a.example", 65), answer(1, "a.example", 65, &[rr(65, b"\0\x01\0\0\x01\0\x03\x02h2")]));
    let mut n = 0;
    mutations(&[&[(C, &q), (S, &r)], &[(C, &axfr), (S, &zone)], &[(C, &uq), (S, &ur)]], 1500, |data| {
        for transport in [0, 1] {
            fuzz_dns(&[&[transport], data].concat());
        }
        n += 1;
    });
    assert_eq!(n, 1500);
}

#[test]
fn link_local_names_never_ask_for_recursion() {
    assert!(!is_link_local(&query(1, "host.local", 1)));
    assert!(is_link_local(&message(0, 0, "host.local", 1, [&[], &[], &[]])));
    assert!(is_link_local(&[0, 0, 0x84, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
    assert!(!is_link_local(b"\0\0"));
}
