//! Datagrams of one size go to the system as one message, which it cuts at the last moment (UDP GSO,
//! `UDP_SEGMENT` of udp(7)): of what a datagram costs, most is its way through the system, and that is
//! gone once for up to 64 of them.
//!
//! The records of a batch are much alike within their kind, but not to the byte. So they are ordered by size (order
//! is nothing that UDP promises; it stays among those of about one size), and those that are near are filled up:
//! JSON may be followed by blanks (RFC 8259, section 2). What is compressed cannot be filled up: only chunks of one
//! record go together then.

use crate::gelf::{self, Chunking, Ids};
use crate::sys::{self, Message};
use std::ops::Range;
use std::sync::OnceLock;

/// What a message may have in all: less than the largest payload of UDP, over IPv6 too.
const MAX_MESSAGE: usize = 65_000;
/// Filling up may cost one byte in so many.
const WASTE: usize = 16;
/// And no datagram is smaller by more than one byte in so many.
const ALIKE: usize = 8;
/// Sizes that differ by less are one: in their class records stay in order.
const CLASS: usize = 64;
/// Blanks to fill up with: at most all that a message may waste.
fn blanks(n: usize) -> &'static [u8] {
    static BLANKS: OnceLock<Vec<u8>> = OnceLock::new();
    BLANKS.get_or_init(|| vec![b' '; MAX_MESSAGE / WASTE]).get(..n).unwrap_or_default()
}

/// Where the bytes of a record lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// In the batch.
    Batch,
    /// In the buffer of what was compressed.
    Compressed,
}

/// A record on its way.
#[derive(Clone, Debug)]
struct Whole {
    source: Source,
    bytes: Range<usize>,
    /// Datagrams, and how many bytes each has at least, but the last.
    count: usize,
    segment: usize,
}

/// A datagram that waits for the next call.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    header: [u8; gelf::HEADER],
    chunked: bool,
    source: Source,
    bytes: Range<usize>,
    blanks: usize,
    /// The last of its record.
    pub(super) last: bool,
}

impl Piece {
    /// Its bytes.
    pub(super) fn len(&self) -> usize {
        let header = if self.chunked { gelf::HEADER } else { 0 };
        header + self.bytes.len() + self.blanks
    }

    /// Its parts: header, bytes, blanks.
    pub(super) fn parts<'a>(&'a self, batch: &'a [u8], compressed: &'a [u8]) -> [&'a [u8]; 3] {
        let source = match self.source {
            Source::Batch => batch,
            Source::Compressed => compressed,
        };
        [
            if self.chunked { &self.header } else { &[] },
            source.get(self.bytes.clone()).unwrap_or_default(),
            blanks(self.blanks),
        ]
    }
}

/// Puts records together to messages.
#[derive(Debug)]
pub(super) struct Packer {
    ids: Ids,
    /// What was added and is in no message yet.
    records: Vec<Whole>,
    /// The records of the message that is being put together ...
    group: Vec<Whole>,
    /// ... the size of its largest datagram, its datagrams, and its bytes before it is filled up.
    segment: usize,
    count: usize,
    bytes: usize,
    /// What is ready to be sent.
    pub(super) pieces: Vec<Piece>,
    pub(super) messages: Vec<Message>,
}

impl Packer {
    pub(super) fn new(random: u64) -> Packer {
        Packer {
            ids: Ids::new(random),
            records: Vec::new(),
            group: Vec::new(),
            segment: 0,
            count: 0,
            bytes: 0,
            pieces: Vec::with_capacity(2 * sys::MANY),
            messages: Vec::with_capacity(sys::MANY),
        }
    }

    /// Adds a record; false when it is too big.
    pub(super) fn add(&mut self, source: Source, bytes: Range<usize>, chunk: Chunking) -> bool {
        let Some((count, _)) = chunk.parts(bytes.len()) else { return false };
        let segment = if count > 1 { gelf::HEADER + bytes.len().div_ceil(count) } else { bytes.len() };
        self.records.push(Whole { source, bytes, count, segment });
        true
    }

    /// Makes messages of all that was added; of several datagrams only with `together`.
    pub(super) fn pack(&mut self, together: bool) {
        let mut records = std::mem::take(&mut self.records);
        // Where none can go with another they stay in order.
        let several = records.iter().filter(|w| w.source == Source::Batch).nth(1).is_some();
        if together && several {
            records.sort_by_key(|w| std::cmp::Reverse(w.segment / CLASS));
        }
        for whole in records.drain(..) {
            let all = whole.bytes.len() + if whole.count > 1 { gelf::HEADER * whole.count } else { 0 };
            let count = self.count + whole.count;
            let filled = self.segment.max(whole.segment) * count;
            let fits = together
                && whole.source == Source::Batch
                && self.group.last().is_some_and(|w| w.source == Source::Batch)
                && count <= sys::MANY
                && filled <= MAX_MESSAGE
                && filled - self.bytes - all <= filled / WASTE
                && whole.segment >= self.segment - self.segment / ALIKE;
            if !fits {
                self.close(together);
            }
            self.segment = self.segment.max(whole.segment);
            self.count += whole.count;
            self.bytes += all;
            self.group.push(whole);
        }
        self.close(together);
        self.records = records;
    }

    /// Ends the message under way.
    fn close(&mut self, together: bool) {
        let records = self.group.len();
        // So many datagrams go into one message: all of several records, perhaps not all of one.
        let most = if together { (MAX_MESSAGE / self.segment.max(1)).clamp(1, sys::MANY) } else { 1 };
        let (mut left, segment) = (self.count, self.segment);
        while left > 0 {
            let pieces = left.min(most);
            left -= pieces;
            self.messages.push(Message { pieces, segment });
        }
        for (i, whole) in self.group.drain(..).enumerate() {
            let id = if whole.count > 1 { self.ids.next() } else { 0 };
            let part = if whole.count > 1 { segment - gelf::HEADER } else { segment };
            let mut from = whole.bytes.start;
            for number in 0..whole.count {
                let last = number + 1 == whole.count;
                let to = if last { whole.bytes.end } else { from + part };
                // The last datagram of a message may be shorter.
                let blanks = if last && i + 1 < records { part - (to - from).min(part) } else { 0 };
                self.pieces.push(Piece {
                    header: gelf::chunk_header(id, number, whole.count),
                    chunked: whole.count > 1,
                    source: whole.source,
                    bytes: from..to,
                    blanks,
                    last,
                });
                from = to;
            }
        }
        (self.segment, self.count, self.bytes) = (0, 0, 0);
    }

    /// Forgets what was sent.
    pub(super) fn clear(&mut self) {
        self.pieces.clear();
        self.messages.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packs records of these lengths; gives back the messages.
    fn packed(lens: &[usize], chunk: Chunking, together: bool) -> (Vec<Message>, usize) {
        let mut packer = Packer::new(1);
        let mut from = 0;
        for len in lens {
            assert!(packer.add(Source::Batch, from..from + len, chunk));
            from += len + 1;
        }
        packer.pack(together);
        let bytes = vec![b'x'; from];
        let mut pieces = packer.pieces.iter();
        for m in &packer.messages {
            let sizes: Vec<usize> = pieces.by_ref().take(m.pieces).map(Piece::len).collect();
            let (tail, full) = sizes.split_last().unwrap();
            assert!(full.iter().all(|n| *n == m.segment) && *tail <= m.segment, "{sizes:?}");
            assert!(m.pieces <= sys::MANY && (m.pieces == 1 || sizes.iter().sum::<usize>() <= MAX_MESSAGE));
        }
        assert!(pieces.next().is_none());
        assert_eq!(packer.pieces.iter().filter(|p| p.last).count(), lens.len());
        let real: usize =
            packer.pieces.iter().map(|p| p.parts(&bytes, &[]).iter().map(|b| b.len()).sum::<usize>()).sum();
        assert_eq!(real, packer.pieces.iter().map(Piece::len).sum::<usize>());
        (packer.messages, packer.pieces.iter().map(|p| p.blanks).sum())
    }

    #[test]
    fn like_goes_with_like() {
        let alike: Vec<usize> = (0..27).map(|i| 2400 + i % 7).collect();
        let (messages, blanks) = packed(&alike, Chunking::default(), true);
        assert_eq!(messages, [Message { pieces: 52, segment: 1215 }, Message { pieces: 2, segment: 1215 }]);
        assert!(blanks <= 27 * 8, "{blanks}");
    }

    #[test]
    fn the_unlike_goes_alone() {
        let (messages, blanks) = packed(&[300, 1400, 700, 100], Chunking::default(), true);
        assert_eq!((messages.len(), blanks), (4, 0));
    }

    #[test]
    fn two_kinds_by_turns_take_a_message_each() {
        let turns: Vec<usize> = (0..18).map(|i| [2400 + i % 5, 1480 - i % 5][i % 2]).collect();
        let (messages, _) = packed(&turns, Chunking::default(), true);
        assert_eq!(messages.iter().map(|m| m.pieces).collect::<Vec<_>>(), [18, 18]);
    }

    #[test]
    fn what_is_compressed_stays_in_order() {
        let mut packer = Packer::new(1);
        for n in 1..20 {
            assert!(packer.add(Source::Compressed, n * 1000..n * 1000 + n * 50, Chunking::default()));
        }
        packer.pack(true);
        assert!(packer.pieces.is_sorted_by_key(|p| p.bytes.start) && packer.pieces.len() == 19);
    }

    #[test]
    fn without_it_each_datagram_is_a_message() {
        let (messages, blanks) = packed(&[2400, 2400, 70, 70], Chunking::default(), false);
        assert_eq!((messages.len(), blanks), (6, 0));
        assert!(messages.iter().all(|m| m.pieces == 1));
    }

    #[test]
    fn one_record_of_many_chunks_takes_several_messages() {
        for (len, chunk) in
            [(150_000, Chunking::default()), (31_000, Chunking::Datagram(256)), (65_507, Chunking::Off)]
        {
            packed(&[100, len, len, 100], chunk, true);
        }
    }

    #[test]
    fn any_lengths_keep_the_rules() {
        let mut x = 3u32;
        for _ in 0..300 {
            let lens: Vec<usize> = (0..40)
                .map(|_| {
                    x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (x >> 8) as usize % [1500, 4000, 200, 30_000][(x >> 4) as usize % 4] + 2
                })
                .collect();
            packed(&lens, Chunking::default(), true);
            packed(&lens, Chunking::Datagram(256), true);
            packed(&lens, Chunking::Datagram(8192), true);
            packed(&lens, Chunking::Off, true);
        }
    }
}
