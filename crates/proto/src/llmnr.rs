//! LLMNR, RFC 4795: recognised, so that it is not taken for DNS, and no further.
//!
//! A question goes to a multicast group, its answers come from other addresses: no flow holds
//! both. So there are no records; APP says `llmnr`. Its port is part of the protocol (section 2).

use crate::dns::is_link_local;
use crate::session::{Transport, Verdict};
use base::Direction;

/// Is the datagram a message of LLMNR? Asked only where the port is right.
#[must_use]
pub fn probe(transport: Transport, _dir: Direction, head: &[u8]) -> Verdict {
    if transport == Transport::Udp && is_link_local(head) { Verdict::Yes } else { Verdict::No }
}

pub use crate::mdns::Session;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::C;

    #[test]
    fn its_messages_are_recognised() {
        // "wpad A?"
        let asks = b"\x12\x34\0\0\0\x01\0\0\0\0\0\0\x04wpad\0\0\x01\0\x01";
        assert_eq!(probe(Transport::Udp, C, asks), Verdict::Yes);
        assert_eq!(probe(Transport::Udp, C, &asks[..20]), Verdict::No);
    }
}
