//! DNS over UDP and TCP: RFC 1035, 1995 and 5936 (zone transfers), 1996 (NOTIFY), 2136 (UPDATE),
//! 3597 (unknown types), 6891 (EDNS), 7766 (TCP).
//!
//! One record a query: DOMAIN and QTYPE of its (first) question; RCODE with the extension of
//! EDNS, by name or number; RESULT_IP with the addresses of the answer section; ANSWERS with its
//! other records as in a zone file. UPDATE has its zone as the question; the records of its answer
//! are echoes and are not told. A zone transfer is one answer, however many messages it takes.
//!
//! * An answer goes to the oldest open query with its id and question. A query sent again is a
//!   query of its own, as it is for the server.
//! * An answer whose query was not seen makes a record without a delay (QUALITY `midstream` before
//!   the first query of the flow, `gap` later): it tells who asked what, where only one way is
//!   captured. A second answer to a query is an anomaly.
//! * A query is given up after 10 s, later than any resolver waits.
//! * A malformed message makes no record of its own. When it answers an open query, that query is
//!   told with what could be read, QUALITY `truncated`.
//! * Messages without a question (RFC 8490 sessions, cookies alone) tell nothing and are passed over.
//!
//! The name service of NetBIOS has the same form and is not taken for DNS. Multicast DNS and LLMNR
//! have the same messages but no such transactions: rooms `mdns` and `llmnr`.

mod fill;
mod session;
#[cfg(test)]
mod tests;
mod text;
mod transfer;
mod wire;

pub use session::Session;

use crate::session::{Transport, Verdict};
use base::{Direction, Reader};
use wire::{HEADER, Header, Message, Question, SHORTEST, opcode};

/// The question alone is proof enough in a stream when this much of a long message is there.
const LONG: usize = 512;

/// Does the beginning of a stream (or a datagram) speak DNS? A datagram must parse to its end.
#[must_use]
pub fn probe(transport: Transport, dir: Direction, head: &[u8]) -> Verdict {
    match transport {
        Transport::Udp => whole(dir, head),
        Transport::Tcp => {
            let mut r = Reader::new(head);
            let Ok(len) = r.be16("") else { return Verdict::More };
            let len = usize::from(len);
            if len < SHORTEST {
                return Verdict::No;
            }
            let message = r.take_up_to(len);
            if message.len() == len { whole(dir, message) } else { begun(dir, message) }
        }
    }
}

/// A message that is there to its end.
fn whole(dir: Direction, bytes: &[u8]) -> Verdict {
    let Ok(m) = Message::parse(bytes) else { return Verdict::No };
    let survey = m.survey();
    // Windows marks its zone transfers so.
    let trailing = matches!(survey.trailing, [] | b"MS");
    match survey.bad {
        _ if !sane(dir, &m) || !trailing => Verdict::No,
        None => Verdict::Yes,
        // A question that is all right, and less behind it than was announced: captured short.
        Some(bad) if bad.0.ends_with("short") => Verdict::More,
        Some(_) => Verdict::No,
    }
}

/// A message of which more will come.
fn begun(dir: Direction, bytes: &[u8]) -> Verdict {
    let Ok(header) = Header::parse(&mut Reader::new(bytes)) else { return Verdict::More };
    if !sane_header(dir, &header) {
        return Verdict::No;
    }
    match Message::parse(bytes) {
        Ok(m) if !sane(dir, &m) => Verdict::No,
        Ok(m) if bytes.len() >= LONG && m.survey().bad.is_some_and(|b| b.0.ends_with("short")) => {
            Verdict::Yes
        }
        Ok(_) => Verdict::More,
        Err(bad) if bad.0.ends_with("short") => Verdict::More,
        Err(_) => Verdict::No,
    }
}

/// What every message of a client or server has in its header.
fn sane_header(dir: Direction, h: &Header) -> bool {
    let [questions, answers, _, more] = h.counts;
    // More than one question means nothing (RFC 9619), but was sent by some.
    let known = matches!(h.opcode(), opcode::QUERY | opcode::NOTIFY | opcode::UPDATE);
    let asks = !h.is_answer();
    known
        && !h.z()
        && (1..=4).contains(&questions)
        && h.is_answer() == (dir == Direction::ToClient)
        // A query has no answer (but NOTIFY may tell the new SOA), no code, and OPT, TSIG or SIG(0).
        && !(asks && (h.rcode() != 0 || more > 4 && h.opcode() == opcode::QUERY))
        && !(asks && h.opcode() == opcode::QUERY && answers > 0)
}

fn sane(dir: Direction, m: &Message<'_>) -> bool {
    // IN, CH, HS, NONE, ANY: RFC 6895 section 3.2.
    let class = |c: u16| matches!(c, 1 | 3 | 4 | 254 | 255);
    // The name service of NetBIOS (RFC 1002 section 4.2) has this form too, with its own types.
    let netbios = |q: &Question| matches!(q.qtype, 32 | 33) && q.name.is_netbios();
    sane_header(dir, &m.header) && m.question.is_some_and(|q| class(q.class) && q.qtype != 0 && !netbios(&q))
}

/// Is this a whole message of multicast DNS (RFC 6762) or LLMNR (RFC 4795)? They have the form of DNS, and
/// never ask for recursion: a name server may be listening on their ports too.
pub(crate) fn is_link_local(bytes: &[u8]) -> bool {
    bytes.len() >= HEADER
        && Message::parse(bytes).is_ok_and(|m| {
            let s = m.survey();
            !m.header.recursion_desired()
                && m.header.opcode() == opcode::QUERY
                && s.bad.is_none()
                && s.trailing.is_empty()
        })
}

/// Drives the parser with arbitrary bytes; the first byte chooses what carries them.
#[doc(hidden)]
pub fn fuzz_dns(data: &[u8]) {
    use crate::session::Limits;
    let Some((first, rest)) = data.split_first() else { return };
    let transport = if first & 1 == 0 { Transport::Tcp } else { Transport::Udp };
    for dir in Direction::BOTH {
        let verdict = probe(transport, dir, rest);
        if transport == Transport::Udp && verdict == Verdict::Yes {
            assert!(Message::parse(rest).is_ok(), "what is surely DNS parses");
        }
    }
    let limits = Limits { text: 64, pipeline: 8, ..Limits::default() };
    crate::harness::fuzz(Session::new(transport), limits, session::HELD_CAP, rest);
}
