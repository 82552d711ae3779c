//! Encoded records on their way out: one buffer, each record ended by a line feed.

/// A batch is given on when it has this many bytes: large enough that locks and system calls do not
/// count, small enough to stay in the cache.
const FULL: usize = 64 * 1024;
/// A buffer that grew beyond this (one huge record) is not kept for another use.
const KEEP: usize = 4 * FULL;

/// A batch of encoded records.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    /// Where each record ends: behind its line feed.
    ends: Vec<usize>,
}

impl Batch {
    /// Appends what `encode` writes as one record; a record of no bytes is none.
    pub fn add(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        encode(&mut self.bytes);
        if self.bytes.len() > start {
            self.bytes.push(b'\n');
            self.ends.push(self.bytes.len());
        }
    }

    /// Number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True without any record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Time to push it.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= FULL
    }

    /// All records, each with its line feed.
    #[must_use]
    pub fn lines(&self) -> &[u8] {
        &self.bytes
    }

    /// The records, without line feeds.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        let mut from = 0;
        self.ends.iter().map(move |end| {
            let record = self.bytes.get(from..end - 1).unwrap_or_default();
            from = *end;
            record
        })
    }

    /// How many records lie wholly in the first `n` bytes of [`Batch::lines`], and where they end.
    #[must_use]
    pub fn whole_within(&self, n: usize) -> (usize, usize) {
        let count = self.ends.partition_point(|end| *end <= n);
        (count, count.checked_sub(1).and_then(|i| self.ends.get(i)).copied().unwrap_or(0))
    }

    /// Bytes of heap held.
    #[must_use]
    pub fn heap(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<usize>()
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Empties it for another use; false when it is too large to keep.
    pub(crate) fn recycle(&mut self) -> bool {
        self.clear();
        self.bytes.capacity() <= KEEP
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_and_lines() {
        let mut b = Batch::default();
        b.add(|o| o.extend_from_slice(b"{1}"));
        b.add(|_| {});
        b.add(|o| o.extend_from_slice(b"{22}"));
        assert_eq!(b.lines(), b"{1}\n{22}\n");
        assert_eq!(b.records().collect::<Vec<_>>(), [&b"{1}"[..], b"{22}"]);
        assert_eq!([0, 3, 4, 8, 9].map(|n| b.whole_within(n)), [(0, 0), (0, 0), (1, 4), (1, 4), (2, 9)]);
        assert!(b.recycle() && b.is_empty() && b.lines().is_empty());
    }
}
