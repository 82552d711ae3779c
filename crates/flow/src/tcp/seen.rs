//! Which bytes of a stream were seen, for the counts: new, retransmitted, out of order.
//!
//! This is apart from reassembly, so that it costs nothing to count connections that nobody
//! follows. Below the highest byte seen everything was seen but for a short list of holes.
//!
//! A segment with any byte that was seen before is a retransmission. One that fills a hole may
//! have been overtaken on the way or sent again after a loss in front of us; the bytes cannot
//! tell. As Wireshark does, it is taken for sent again when the receiver has acknowledged it
//! already, when it comes at once after two duplicate ACKs that ask for it, or when it comes
//! later than a round trip (3 ms while that is unknown) after the newest byte.

use super::seq::{after, dist};
use base::{MILLI, Timestamp};

/// Holes remembered a stream; with more, the lowest is taken for filled.
const MAX_HOLES: usize = 32;
/// A segment that lies further from the newest byte than this is not part of the stream: the
/// largest windows in use are some 64 MB.
pub(crate) const FAR: i32 = 64 << 20;
/// Far segments that follow each other after which the stream has moved (the capture missed much).
const MOVED: u8 = 3;
/// Overtaken segments come within this time, while the round trip is unknown.
const REORDER: u64 = 3 * MILLI;
/// A fast retransmission comes this soon after the duplicate ACK.
const FAST: u64 = 20 * MILLI;

/// What a segment is to its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No sequence space: a pure ACK.
    Empty,
    /// Bytes not seen before, at the edge or beyond.
    New,
    /// A keep-alive, or its like: at most one byte, just below the edge.
    KeepAlive,
    /// Bytes seen before, or sent again after a loss.
    Again,
    /// Fills a hole: was overtaken.
    Fill,
    /// Not part of the stream.
    Far,
}

/// The acknowledgements that one side sends.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Acks {
    pub(crate) known: bool,
    pub(crate) ack: u32,
    pub(crate) dups: u8,
    pub(crate) window: u16,
    pub(crate) time: Timestamp,
}

impl Acks {
    /// Everything before `seq` is acknowledged.
    #[inline]
    pub(crate) const fn covers(&self, seq: u32) -> bool {
        self.known && dist(self.ack, seq) >= 0
    }
}

/// A segment as the counts see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    pub(crate) seq: u32,
    /// Data bytes.
    pub(crate) len: u32,
    /// SYN or FIN: one number each.
    pub(crate) flags: u32,
}

/// What was seen of a stream.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) known: bool,
    base: u32,
    /// After the newest byte; SYN and FIN count one.
    pub(crate) high: u32,
    high_time: Timestamp,
    rough: Option<Box<Rough>>,
}

/// What only streams with losses or disorder have.
#[derive(Debug, Default)]
struct Rough {
    stray: u32,
    strays: u8,
    holes: Vec<(u32, u32)>,
}

impl Seen {
    /// There were neither holes nor strays.
    #[inline]
    pub(crate) const fn is_plain(&self) -> bool {
        self.rough.is_none()
    }

    /// Bytes of heap.
    pub(crate) fn held(&self) -> usize {
        self.rough
            .as_ref()
            .map_or(0, |r| r.holes.capacity().saturating_mul(8).saturating_add(size_of::<Rough>()))
    }

    /// The lowest number seen.
    pub(crate) const fn base(&self) -> u32 {
        self.base
    }

    /// Takes a segment in. `peer` is what the receiver has acknowledged.
    #[inline]
    pub(crate) fn take(&mut self, p: Piece, peer: &Acks, now: Timestamp, rtt: Option<u64>) -> Kind {
        let n = p.len.wrapping_add(p.flags);
        let end = p.seq.wrapping_add(n);
        let kind = if n == 0 { Kind::Empty } else { Kind::New };
        if !self.known {
            self.known = true;
            self.base = p.seq;
            (self.high, self.high_time) = (end, now);
            return kind;
        }
        let ahead = dist(p.seq, self.high);
        if ahead == 0 {
            if n > 0 {
                (self.high, self.high_time) = (end, now);
            }
            return kind;
        }
        if ahead.unsigned_abs() > FAR.unsigned_abs() {
            return self.far(p.seq, end, now, kind);
        }
        if ahead > 0 {
            self.hole(self.high, p.seq);
            (self.high, self.high_time) = (end, now);
            return kind;
        }
        if n == 0 {
            return Kind::KeepAlive;
        }
        self.below(p, end, peer, now, rtt)
    }

    /// A segment that begins below the newest byte.
    fn below(&mut self, p: Piece, end: u32, peer: &Acks, now: Timestamp, rtt: Option<u64>) -> Kind {
        let one_before = p.seq == self.high.wrapping_sub(1);
        if one_before && p.flags == 0 && p.len <= 1 {
            return Kind::KeepAlive;
        }
        let (newest, edge) = (self.high_time, self.high);
        let grows = after(end, self.high);
        if grows {
            (self.high, self.high_time) = (end, now);
        }
        // One byte was probed into a closed window, now it comes with the rest.
        if one_before && p.len > 1 && grows {
            return Kind::New;
        }
        let old = if grows { edge } else { end };
        let filled = self.fill(p.seq, old);
        if filled != old.wrapping_sub(p.seq) {
            return Kind::Again;
        }
        if p.len > 0 && peer.covers(end) {
            return if after(self.base, p.seq) { Kind::Fill } else { Kind::Again };
        }
        let fast = peer.known && peer.dups >= 2 && peer.ack == p.seq && now.since(peer.time) < FAST;
        if fast || (now.since(newest) >= rtt.unwrap_or(REORDER) && !grows) { Kind::Again } else { Kind::Fill }
    }

    /// Closes what lies between `from` and `to`; returns how many bytes were not seen before.
    fn fill(&mut self, from: u32, to: u32) -> u32 {
        let mut filled: u32 = 0;
        if after(self.base, from) {
            let below = if after(to, self.base) { self.base } else { to };
            filled = below.wrapping_sub(from);
        }
        let Some(holes) = self.rough.as_mut().map(|r| &mut r.holes) else { return filled };
        let mut at = 0;
        while let Some((a, b)) = holes.get(at).copied() {
            let lo = if after(from, a) { from } else { a };
            let hi = if after(to, b) { b } else { to };
            if !after(hi, lo) {
                at = at.wrapping_add(1);
                continue;
            }
            filled = filled.wrapping_add(hi.wrapping_sub(lo));
            holes.remove(at);
            for rest in [(hi, b), (a, lo)] {
                if after(rest.1, rest.0) && holes.len() < MAX_HOLES {
                    holes.insert(at, rest);
                }
            }
            // Parts that are left over do not overlap: go on after them.
            at = at.wrapping_add(usize::from(after(lo, a))).wrapping_add(usize::from(after(b, hi)));
        }
        filled
    }

    fn hole(&mut self, from: u32, to: u32) {
        let holes = &mut self.rough.get_or_insert_default().holes;
        if holes.len() >= MAX_HOLES {
            holes.remove(0);
        }
        holes.push((from, to));
    }

    /// A segment far off: believed when others follow it.
    fn far(&mut self, seq: u32, end: u32, now: Timestamp, kind: Kind) -> Kind {
        let r = self.rough.get_or_insert_default();
        r.strays = if r.strays > 0 && seq == r.stray { r.strays.saturating_add(1) } else { 1 };
        r.stray = end;
        if r.strays < MOVED {
            return Kind::Far;
        }
        *self = Seen::default();
        self.known = true;
        self.base = seq;
        (self.high, self.high_time) = (end, now);
        kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Option<u64> = Some(10 * MILLI);

    fn holes(s: &Seen) -> &[(u32, u32)] {
        s.rough.as_ref().map_or(&[], |r| &r.holes)
    }

    fn data(s: &mut Seen, seq: u32, len: u32, ms: u64) -> Kind {
        s.take(Piece { seq, len, flags: 0 }, &Acks::default(), Timestamp(ms * MILLI), RTT)
    }

    #[test]
    fn overtaken_within_a_round_trip_sent_again_after_it() {
        let mut s = Seen::default();
        assert_eq!(data(&mut s, 0xffff_ff00, 256, 0), Kind::New);
        assert_eq!(data(&mut s, 200, 100, 1), Kind::New, "a hole of 200 over the wrap");
        assert_eq!(data(&mut s, 0, 100, 5), Kind::Fill);
        assert_eq!(data(&mut s, 100, 100, 30), Kind::Again, "filled late");
        assert_eq!(data(&mut s, 50, 100, 31), Kind::Again, "seen");
        assert_eq!(data(&mut s, 299, 1, 31), Kind::KeepAlive);
        assert_eq!(data(&mut s, 300, 0, 31), Kind::Empty);
        assert!(holes(&s).is_empty());
    }

    #[test]
    fn two_duplicate_acks_make_it_fast_and_an_ack_makes_it_spurious() {
        let mut s = Seen::default();
        data(&mut s, 0, 100, 0);
        data(&mut s, 200, 100, 1);
        let at = Timestamp(2 * MILLI);
        let mut acks = Acks { known: true, ack: 100, dups: 2, window: 9, time: at };
        let p = Piece { seq: 100, len: 50, flags: 0 };
        assert_eq!(s.take(p, &acks, at, RTT), Kind::Again);
        acks.ack = 300;
        assert_eq!(s.take(Piece { seq: 150, ..p }, &acks, at, RTT), Kind::Again);
    }

    #[test]
    fn part_of_a_hole_splits_it_and_partly_seen_is_seen() {
        let mut s = Seen::default();
        data(&mut s, 0, 100, 0);
        data(&mut s, 400, 100, 0);
        assert_eq!(data(&mut s, 200, 100, 0), Kind::Fill);
        assert_eq!(holes(&s), [(100, 200), (300, 400)]);
        assert_eq!(data(&mut s, 50, 400, 0), Kind::Again);
        assert!(holes(&s).is_empty());
    }

    #[test]
    fn far_segments_count_only_when_they_go_on() {
        let mut s = Seen::default();
        data(&mut s, 0, 100, 0);
        assert_eq!(data(&mut s, 1 << 30, 100, 0), Kind::Far);
        assert_eq!(data(&mut s, 100, 100, 0), Kind::New);
        assert_eq!(data(&mut s, (1 << 30) + 100, 100, 0), Kind::Far);
        assert_eq!(data(&mut s, (1 << 30) + 200, 100, 0), Kind::New, "moved");
    }

    #[test]
    fn holes_are_bounded() {
        let mut s = Seen::default();
        for n in 0..1000 {
            data(&mut s, n * 10, 5, 0);
        }
        assert_eq!(holes(&s).len(), MAX_HOLES);
    }
}
