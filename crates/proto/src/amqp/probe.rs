//! Is this AMQP? By the protocol header and the server's first method, or in the middle by whole frames.

use super::wire::{
    END, FrameHead, FrameKind, HEADER, Head, LARGEST, Method, Sender, content_head, method_id, version,
};
use crate::session::Verdict;
use base::Direction;

/// Frames looked at one behind the other.
const CHAIN: usize = 64;

/// A frame's header, class and number.
const METHOD: usize = HEADER.saturating_add(4);

/// What a side sends. A method that is whole, known, sent by this side, filled by its arguments and ended by
/// its octet is proof. Contents, heartbeats and methods of both sides are not: they do not tell who is who.
pub(super) fn verdict(dir: Direction, head: &[u8]) -> Verdict {
    if head.first() == Some(&b'A') {
        return match version(head) {
            Some(_) => Verdict::Yes,
            None if b"AMQP".starts_with(head) || head.starts_with(b"AMQP") && head.len() < 8 => Verdict::More,
            None => Verdict::No,
        };
    }
    let mut rest = head;
    for _ in 0..CHAIN {
        match frame(dir, rest, LARGEST) {
            Found::Proof => return Verdict::Yes,
            Found::Method(n) | Found::Frame(n) => rest = rest.get(n..).unwrap_or_default(),
            Found::Open(_) => return Verdict::More,
            Found::None => return Verdict::No,
        }
    }
    Verdict::More
}

/// What lies at the beginning of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A frame that cannot be anything else, and of no other side.
    Proof,
    /// The same, of so many bytes, but both sides send it.
    Method(usize),
    /// A frame, it seems, of so many bytes.
    Frame(usize),
    /// Perhaps; it can be told when so many bytes are there.
    Open(usize),
    /// No frame.
    None,
}

/// Looks at one frame.
pub(super) fn frame(dir: Direction, bytes: &[u8], largest: u32) -> Found {
    let head = match FrameHead::parse(bytes, largest) {
        Head::Is(head) => head,
        Head::Short => return Found::Open(HEADER),
        Head::None => return Found::None,
    };
    let total = head.total();
    let payload = bytes.get(HEADER..).unwrap_or_default();
    let (payload, end) = match payload.split_at_checked(head.size as usize) {
        Some((payload, [end, ..])) => (payload, Some(*end)),
        Some((payload, [])) => (payload, None),
        None => (payload, None),
    };
    if end.is_some_and(|e| e != END) {
        return Found::None;
    }
    match head.kind {
        FrameKind::Heartbeat | FrameKind::Body => {}
        FrameKind::Header => {
            if payload.len() >= 14 && content_head(payload).is_none() {
                return Found::None;
            }
        }
        FrameKind::Method => {
            let Some((class, id, args)) = method_id(payload) else { return Found::Open(METHOD) };
            let Some(m) = Method::of(class, id).filter(|m| m.is_from(dir)) else { return Found::None };
            // Methods of the connection are on channel 0, all others are not.
            if (class == 10) != (head.channel == 0) {
                return Found::None;
            }
            if end.is_some() {
                let args = m.args(args);
                return match (args.whole && args.rest == 0, m.from) {
                    (false, _) => Found::None,
                    (true, Sender::Both) => Found::Method(total),
                    (true, _) => Found::Proof,
                };
            }
        }
    }
    if end.is_some() { Found::Frame(total) } else { Found::Open(total) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::{ToClient, ToServer};

    /// basic.publish to exchange "" with key "q" on channel 1.
    const PUBLISH: &[u8] = b"\x01\0\x01\0\0\0\x0a\0\x3c\0\x28\0\0\0\x01q\0\xce";
    const HEARTBEAT: &[u8] = b"\x08\0\0\0\0\0\0\xce";

    #[test]
    fn beginnings() {
        assert_eq!(verdict(ToServer, b"AMQP\0\0\x09\x01"), Verdict::Yes);
        assert_eq!(verdict(ToServer, b"AMQP\0\x01\0\0"), Verdict::Yes, "1.0 is told apart by the session");
        assert_eq!(verdict(ToServer, b"AMQ"), Verdict::More);
        assert_eq!(verdict(ToServer, b"AMQP\0\0"), Verdict::More);
        assert_eq!(verdict(ToServer, b"AMQP is a protocol"), Verdict::No);
        assert_eq!(verdict(ToServer, b"AUTH x"), Verdict::No);
    }

    #[test]
    fn frames_in_the_middle() {
        assert_eq!(verdict(ToServer, PUBLISH), Verdict::Yes);
        assert_eq!(verdict(ToClient, PUBLISH), Verdict::No, "servers publish nothing");
        assert_eq!(verdict(ToServer, &PUBLISH[..15]), Verdict::More);
        assert_eq!(verdict(ToServer, HEARTBEAT), Verdict::More, "either side's");
        assert_eq!(verdict(ToServer, &[HEARTBEAT, PUBLISH].concat()), Verdict::Yes);
        let ack = b"\x01\0\x01\0\0\0\x0d\0\x3c\0\x50\0\0\0\0\0\0\0\x01\0\xce";
        assert_eq!(verdict(ToServer, ack), Verdict::More, "either side's");
        assert_eq!(verdict(ToServer, &[ack, PUBLISH].concat()), Verdict::Yes);
        // The end of a content, then a method.
        assert_eq!(verdict(ToServer, &[b"\x03\0\x01\0\0\0\x02ab\xce", PUBLISH].concat()), Verdict::Yes);
        assert_eq!(verdict(ToServer, b"\x03\0\x01\0\0\0\x02abc\xce"), Verdict::No, "not ended");
        let mut other = PUBLISH.to_vec();
        other[2] = 0;
        assert_eq!(verdict(ToServer, &other), Verdict::No, "on the connection's channel");
    }

    #[test]
    fn other_protocols_are_refused() {
        for head in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
            b"\x03\0\0\0\x03select 1",
            b"\x08\0\0\0\x03show t",
            b"\x01\0\0\0\x01",
            b"*1\r\n$4\r\nPING\r\n",
            b"\x10\x0f\0\x04MQTT\x04\x02\0\x3c\0\x03abc",
        ] {
            for dir in Direction::BOTH {
                assert_ne!(verdict(dir, head), Verdict::Yes, "{head:?}");
            }
        }
        assert_eq!(verdict(ToServer, b"\x03\0\0\0\x03select 1"), Verdict::No);
    }
}
