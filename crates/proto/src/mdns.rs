//! Multicast DNS, RFC 6762: recognised, so that it is not taken for DNS, and no further.
//!
//! Its messages have the form of DNS, but it is no exchange of queries and answers: answers go to
//! everybody, unasked, and most questions get none. So there are no records; APP says `mdns`.
//! Its port is part of the protocol (section 3). A message there that asks for recursion is DNS:
//! name servers of clusters listen on 5353 too.

use crate::dns::is_link_local;
use crate::session::{Cx, Parser, Progress, Transport, Verdict};
use base::Direction;

/// Is the datagram a message of multicast DNS? Asked only where the port is right.
#[must_use]
pub fn probe(transport: Transport, _dir: Direction, head: &[u8]) -> Verdict {
    if transport == Transport::Udp && is_link_local(head) { Verdict::Yes } else { Verdict::No }
}

/// Nothing is kept.
#[derive(Debug)]
pub struct Session;

impl Session {
    /// A new one.
    #[must_use]
    pub fn new(_transport: Transport) -> Session {
        Session
    }
}

impl Parser for Session {
    fn data(&mut self, _cx: &mut Cx<'_>, _dir: Direction, _bytes: &[u8]) -> Progress {
        Progress::Done
    }

    fn gap(&mut self, _cx: &mut Cx<'_>, _dir: Direction, _n: u64) {}

    fn end(&mut self, _cx: &mut Cx<'_>, _dir: Direction) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{C, Harness, Outcome};

    /// "_http._tcp.local PTR?", and the same with recursion desired.
    const ASKS: &[u8] = b"\0\0\0\0\0\x01\0\0\0\0\0\0\x05_http\x04_tcp\x05local\0\0\x0c\0\x01";

    #[test]
    fn its_messages_are_recognised_and_tell_nothing() {
        assert_eq!(probe(Transport::Udp, C, ASKS), Verdict::Yes);
        assert_eq!(probe(Transport::Tcp, C, ASKS), Verdict::No);
        let mut stub = ASKS.to_vec();
        stub[2] = 1;
        assert_eq!(probe(Transport::Udp, C, &stub), Verdict::No);
        let mut h = Harness::new(Session::new(Transport::Udp)).datagrams();
        h.feed(C, ASKS);
        assert_eq!((h.outcome(), h.rows().len()), (Outcome::Done, 0));
    }
}
