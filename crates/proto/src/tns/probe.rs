//! Is this TNS? By CONNECT and its answers, or in the middle by calls and verdicts.

use super::wire::{HEADER, accept, connect_data, header, is_connect, kind, value};
use super::{call, text, verdict};
use crate::session::Verdict;
use base::Direction;

/// One packet may fit and prove nothing, as markers, fetches and rows do: those behind it are looked at too.
pub(super) fn look(dir: Direction, head: &[u8]) -> Verdict {
    /// Packets that are looked at: one of the first is a call with a text, as a rule.
    const PACKETS: usize = 32;
    let mut rest = head;
    for _ in 0..PACKETS {
        let verdict = packet(dir, rest);
        let len = rest.first_chunk::<HEADER>().and_then(|h| header(*h, false)).map_or(usize::MAX, |h| h.len);
        match (verdict, rest.get(len..)) {
            (Verdict::More, Some(next)) if !next.is_empty() => rest = next,
            _ => return verdict,
        }
    }
    Verdict::More
}

/// The first packet of these bytes.
fn packet(dir: Direction, head: &[u8]) -> Verdict {
    let Some(first) = head.first_chunk::<HEADER>() else {
        return match head {
            // A length in front.
            [0..=0x1f, ..] | [] => Verdict::More,
            _ => Verdict::No,
        };
    };
    let Some(h) = header(*first, false) else { return Verdict::No };
    let (packet, next) = head.split_at_checked(h.len).unwrap_or((head, &[]));
    if let Some(n) = next.first_chunk::<HEADER>()
        && header(*n, h.wide).is_none()
    {
        return Verdict::No;
    }
    let whole = packet.len() == h.len;
    let sure = |yes| if yes { Verdict::Yes } else { Verdict::No };
    match (h.kind, dir) {
        (kind::CONNECT, Direction::ToServer) => match packet.len() {
            0..12 => Verdict::More,
            _ if !is_connect(packet) => Verdict::No,
            0..58 if !whole => Verdict::More,
            // The text may come in a packet of its own.
            _ => match connect_data(packet) {
                Some(d) => sure(d.is_empty() || d.starts_with(b"(")),
                None if whole => Verdict::No,
                None => Verdict::More,
            },
        },
        (kind::ACCEPT, Direction::ToClient) => match accept(packet) {
            Some((version, size)) => sure((300..400).contains(&version) && size >= 128),
            None => Verdict::More,
        },
        (kind::REFUSE | kind::REDIRECT, Direction::ToClient) if whole => {
            let found = value(packet, b"ERR").or(value(packet, b"HOST")).is_some();
            if found { Verdict::Yes } else { Verdict::More }
        }
        (kind::REFUSE | kind::REDIRECT, Direction::ToClient) => Verdict::More,
        (kind::RESEND, Direction::ToClient) => sure(h.len == HEADER).min_more(),
        (kind::MARKER, _) => match packet.get(HEADER..) {
            Some([0 | 1, 0, 0..=2, ..]) => Verdict::More,
            Some([_, _, _, ..]) => Verdict::No,
            _ => Verdict::More,
        },
        (kind::DATA, dir) => data(dir, packet.get(HEADER..).unwrap_or_default(), whole),
        _ => Verdict::No,
    }
}

trait Weak {
    fn min_more(self) -> Verdict;
}

impl Weak for Verdict {
    /// Fits, but proves nothing.
    fn min_more(self) -> Verdict {
        if self == Verdict::Yes { Verdict::More } else { self }
    }
}

/// A data packet behind its header: flags, then a message.
fn data(dir: Direction, body: &[u8], whole: bool) -> Verdict {
    /// Security, "additional network options".
    const SECURITY: &[u8] = &[0xde, 0xad, 0xbe, 0xef];
    let Some((_, m)) = body.split_at_checked(2) else { return Verdict::More };
    if m.starts_with(SECURITY) {
        return Verdict::Yes;
    }
    match (dir, m) {
        (_, []) => Verdict::More,
        // Protocol and data types: the first tells the platforms' names.
        (_, [1, ..])
            if m.windows(4).any(|w| matches!(w, b"Java" | b"x86_" | b"IBMP" | b"Linu" | b"thin")) =>
        {
            Verdict::Yes
        }
        (_, [1 | 2, ..]) => Verdict::More,
        (Direction::ToServer, [3 | 0x11, ..]) => match call::read(m) {
            Some(c) if c.what == call::What::Statement => match c.text(m, !whole) {
                Some(t) if text::is_statement(&t) => Verdict::Yes,
                _ => Verdict::More,
            },
            Some(c) if c.what == call::What::Login && c.user(m).is_some() => Verdict::Yes,
            _ if m.len() < 3 => Verdict::More,
            Some(_) => Verdict::More,
            None if whole => Verdict::No,
            None => Verdict::More,
        },
        (Direction::ToClient, [4, ..]) if whole && verdict::read(m, 0).error.is_some() => Verdict::Yes,
        // Verdict, row, parameters, function complete, I/O vector, description, warning, and the like.
        (Direction::ToClient, [4 | 6..=0x1d, ..]) => Verdict::More,
        _ => Verdict::No,
    }
}
