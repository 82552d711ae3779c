//! DNS over UDP as resolvers ask: a port each.

use super::{Made, START, Workload, client};
use base::MICRO;
use record::Kind;
use testkit::Packet;

pub const ALL: &[Workload] =
    &[Workload { name: "dns", what: "DNS queries and answers over UDP, a port each", unit: "queries", make }];

fn make(scale: usize) -> Made {
    let n = (scale / 2).max(1);
    let mut frames = Vec::new();
    for i in 0..n {
        let client = client(i);
        let (query, reply) = pair(i as u16);
        let at = START.plus(i as u64 * 10 * MICRO);
        frames.push((at, Packet::udp(&client, "192.168.0.1:53").payload(&query).build()));
        frames.push((at.plus(5 * MICRO), Packet::udp("192.168.0.1:53", &client).payload(&reply).build()));
    }
    Made { frames, units: n, flows: n, records: Some((Kind::Dns, n)) }
}

/// A query for an address and its answer, RFC 1035 section 4.
fn pair(id: u16) -> (Vec<u8>, Vec<u8>) {
    let question = b"\x03www\x07example\x03com\x00\x00\x01\x00\x01";
    let header = |flags: u16, answers: u16| {
        let mut h = Vec::new();
        for word in [id, flags, 1, answers, 0, 0] {
            h.extend_from_slice(&word.to_be_bytes());
        }
        h
    };
    let mut query = header(0x0100, 0);
    query.extend_from_slice(question);
    let mut reply = header(0x8180, 1);
    reply.extend_from_slice(question);
    reply.extend_from_slice(b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01");
    (query, reply)
}
