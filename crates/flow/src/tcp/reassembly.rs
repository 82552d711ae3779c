//! The bytes of a stream that came too early, until the hole before them is filled.
//!
//! Bytes in order never come here. Where segments overlap, the bytes that came first are kept,
//! and bytes that differ are counted: two ends that read the same stream differently are the
//! classic evasion.

use super::seq::{after, dist};
use base::{Mark, Timestamp};
use std::collections::VecDeque;

/// Segments held for one stream: with more, moving them about would cost more than they are worth.
const MAX_SEGMENTS: usize = 1024;
/// Pieces that one segment may be cut into by those held already.
const MAX_PIECES: usize = 64;
/// What a held segment costs besides its bytes.
pub(crate) const COST: usize = size_of::<Held>();

/// A segment held.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) seq: u32,
    /// Length on the wire; more than `bytes` when the capture cut it.
    pub(crate) len: u32,
    pub(crate) bytes: Vec<u8>,
    pub(crate) came: Came,
}

/// How a segment came.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Came {
    /// What it acknowledges: the other direction's bytes up to there were sent before it.
    pub(crate) ack: Option<u32>,
    /// Which packet it was, by the count that goes on while there are holes.
    pub(crate) packet: u32,
    pub(crate) mark: Mark,
}

impl Held {
    const fn end(&self) -> u32 {
        self.seq.wrapping_add(self.len)
    }

    /// What it is charged with.
    pub(crate) const fn cost(&self) -> usize {
        self.bytes.capacity().saturating_add(COST)
    }
}

/// Segments that wait for the hole before them.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    pub(crate) held: VecDeque<Held>,
    /// Bytes charged for them.
    pub(crate) bytes: usize,
    /// There is a hole: bytes of this stream are missing, for itself or for what answers them.
    pub(crate) open: bool,
    /// Where the hole begins.
    pub(crate) at: u32,
    /// Since when it has been waited for.
    pub(crate) since: Timestamp,
    /// From when, and from which packet on, the receiver had acknowledged the missing bytes.
    pub(crate) acked: Option<(Timestamp, u32)>,
    /// Time of the latest bytes told: time does not step back.
    pub(crate) told: Timestamp,
}

/// One stream on its way to the parser.
#[derive(Debug, Default)]
pub(crate) struct Reassembly {
    /// The next byte is known.
    pub(crate) known: bool,
    /// Bytes or gaps were told.
    pub(crate) started: bool,
    /// Number of the next byte.
    pub(crate) next: u32,
    pub(crate) waiting: Option<Box<Waiting>>,
}

impl Reassembly {
    /// Bytes, or a gap, were told up to `next`.
    #[inline]
    pub(crate) fn told_to(&mut self, next: u32) {
        self.next = next;
        self.started = true;
    }
}

/// A range of the stream with the bytes that were captured of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    pub(crate) seq: u32,
    pub(crate) len: u32,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Run<'a> {
    pub(crate) const fn end(&self) -> u32 {
        self.seq.wrapping_add(self.len)
    }

    /// The first `n` bytes, and the rest.
    pub(crate) fn split(self, n: u32) -> (Run<'a>, Run<'a>) {
        let n = n.min(self.len);
        let (head, tail) = self.bytes.split_at_checked(n as usize).unwrap_or((self.bytes, &[]));
        let rest = self.len.saturating_sub(n);
        (
            Run { seq: self.seq, len: n, bytes: head },
            Run { seq: self.seq.wrapping_add(n), len: rest, bytes: tail },
        )
    }
}

impl Waiting {
    /// Begin of the first held segment.
    #[inline]
    pub(crate) fn first(&self) -> Option<u32> {
        self.held.front().map(|h| h.seq)
    }

    /// True when a segment of `len` bytes may be held within `max` bytes.
    pub(crate) fn fits(&self, len: usize, max: usize) -> bool {
        self.held.len().saturating_add(MAX_PIECES) <= MAX_SEGMENTS
            && self.bytes.saturating_add(len).saturating_add(COST) <= max
    }

    /// Bytes of `run` that were held before with other contents.
    pub(crate) fn conflicts(&self, run: Run<'_>) -> u64 {
        let first = self.held.partition_point(|h| !after(h.end(), run.seq));
        let mut n: u64 = 0;
        for h in self.held.range(first..) {
            if !after(run.end(), h.seq) {
                break;
            }
            let ahead = dist(h.seq, run.seq);
            let (mine, theirs) = if ahead >= 0 {
                (run.bytes.get(ahead as usize..), h.bytes.get(..))
            } else {
                (Some(run.bytes), h.bytes.get(ahead.unsigned_abs() as usize..))
            };
            if let (Some(mine), Some(theirs)) = (mine, theirs) {
                let differ = mine.iter().zip(theirs).filter(|(a, b)| a != b).count();
                n = n.saturating_add(differ as u64);
            }
        }
        n
    }

    /// Holds what of `run` is not held yet. `buffer` gives empty buffers. Returns the bytes charged.
    pub(crate) fn hold(
        &mut self,
        mut run: Run<'_>,
        came: &Came,
        mut buffer: impl FnMut() -> Vec<u8>,
    ) -> usize {
        let before = self.bytes;
        let mut at = match self.held.back() {
            Some(b) if dist(run.seq, b.end()) >= 0 => self.held.len(),
            _ => self.held.partition_point(|h| !after(h.end(), run.seq)),
        };
        for _ in 0..MAX_PIECES {
            if run.len == 0 {
                break;
            }
            let free = match self.held.get(at) {
                Some(h) if dist(h.seq, run.seq) <= 0 => {
                    run = run.split(h.end().wrapping_sub(run.seq)).1;
                    at = at.wrapping_add(1);
                    continue;
                }
                Some(h) => h.seq.wrapping_sub(run.seq),
                None => run.len,
            };
            let (piece, rest) = run.split(free);
            let mut bytes = buffer();
            bytes.extend_from_slice(piece.bytes);
            let held = Held { seq: piece.seq, len: piece.len, bytes, came: *came };
            self.bytes = self.bytes.saturating_add(held.cost());
            self.held.insert(at, held);
            at = at.wrapping_add(1);
            run = rest;
        }
        self.bytes.saturating_sub(before)
    }

    /// The first segment held, when it begins at or before `next`.
    pub(crate) fn pop(&mut self, next: u32) -> Option<Held> {
        if self.first().is_none_or(|seq| after(seq, next)) {
            return None;
        }
        let h = self.held.pop_front()?;
        self.bytes = self.bytes.saturating_sub(h.cost());
        Some(h)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(seq: u32, bytes: &[u8]) -> Run<'_> {
        Run { seq, len: bytes.len() as u32, bytes }
    }

    fn text(w: &Waiting) -> Vec<(u32, &[u8])> {
        w.held.iter().map(|h| (h.seq, h.bytes.as_slice())).collect()
    }

    #[test]
    fn first_bytes_win_and_differences_count() {
        let mut w = Waiting::default();
        let m = Came::default();
        w.hold(run(10, b"bbbb"), &m, Vec::new);
        w.hold(run(20, b"dd"), &m, Vec::new);
        assert_eq!(w.conflicts(run(8, b"xxBbbbxx")), 1);
        assert_eq!(w.conflicts(run(12, b"bb")), 0);
        w.hold(run(8, b"AAAABBCCCCCCDDEE"), &m, Vec::new);
        let all: Vec<u8> = w.held.iter().flat_map(|h| h.bytes.clone()).collect();
        assert_eq!(all, b"AAbbbbCCCCCCddEE");
        assert!(w.held.iter().zip(w.held.iter().skip(1)).all(|(a, b)| a.end() == b.seq), "{:?}", text(&w));
        let sum: usize = w.held.iter().map(Held::cost).sum();
        assert_eq!(w.bytes, sum);
    }

    #[test]
    fn holds_over_the_wrap_and_keeps_the_cut_length() {
        let mut w = Waiting::default();
        let m = Came::default();
        w.hold(Run { seq: 2, len: 100, bytes: b"ab" }, &m, Vec::new);
        w.hold(run(0xffff_fffe, b"wxyz"), &m, Vec::new);
        assert_eq!(text(&w), [(0xffff_fffe, &b"wxyz"[..]), (2, b"ab")]);
        assert!(w.pop(0xffff_fffd).is_none());
        assert_eq!(w.pop(0xffff_fffe).map(|h| h.len), Some(4));
        assert_eq!(w.pop(2).map(|h| h.len), Some(100));
        assert_eq!(w.bytes, 0);
    }
}
