//! Room for conversations is bounded; who asks and is answered gets his record all the same.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail loudly"
)]

use base::{SECOND, Timestamp};
use engine::{Config, Engine};
use record::{Kind, Record, f};
use testkit::{Packet, ethernet};

fn message(id: u16, answer: bool) -> Vec<u8> {
    let flags = if answer { 0x8180u16 } else { 0x0100 };
    let mut m: Vec<u8> =
        [id, flags, 1, u16::from(answer), 0, 0].iter().flat_map(|w| w.to_be_bytes()).collect();
    m.extend_from_slice(b"\x03www\x07example\x03com\x00\x00\x01\x00\x01");
    if answer {
        m.extend_from_slice(b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01");
    }
    m
}

/// Resolvers ask from another port each time. Each pair stays in the table for its idle time, but its
/// conversation does not take the room of those that come.
#[test]
fn queries_are_answered_however_many_pairs_there_were_before() {
    const PAIRS: usize = 20_000;
    // Room for some hundred conversations, and for all the pairs.
    let mut config = Config::for_budget(64 << 20);
    config.session_bytes = 512 << 10;
    let mut engine = Engine::new(config);
    let (mut answered, mut other, mut apps) = (0, 0, 0);
    let mut sink = |head: &Record, body: &Record| match body.kind() {
        Kind::Dns
            if head.text_of(&f::head::QUALITY).is_empty() && body.text_of(&f::dns::RCODE) == b"NOERROR" =>
        {
            answered += 1;
        }
        Kind::Dns => other += 1,
        _ => apps += usize::from(body.text_of(&f::flow::APP) == b"dns"),
    };
    let mut time = Timestamp(1_700_000_000 * SECOND);
    // All ask, then all ask again: what rested is taken up.
    for i in (0..PAIRS).chain(0..PAIRS) {
        let client = format!("10.0.{}.{}:{}", i / 250, i % 250 + 1, 1024 + i);
        let id = i as u16;
        for (src, dst, payload) in
            [(&*client, "192.0.2.53:53", message(id, false)), ("192.0.2.53:53", &*client, message(id, true))]
        {
            time = time.plus(1000);
            let data = Packet::udp(src, dst).payload(&payload).build();
            engine.frame(&ethernet(time, &data), &mut sink);
        }
    }
    engine.finish(&mut sink);
    assert_eq!((answered, other, apps), (2 * PAIRS, 0, PAIRS));
}
