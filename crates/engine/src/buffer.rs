//! The bytes of a stream that a parser has not consumed yet, and which packet brought them.

use base::Mark;
use proto::MarkSpan;

/// Unconsumed bytes of one direction.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    data: Vec<u8>,
    /// Bytes at the front of `data` that are consumed already.
    start: usize,
    /// Ends count from the front of `data`, consumed bytes included.
    spans: Vec<MarkSpan>,
    /// No use calling the parser with fewer bytes than this.
    pub(crate) need: usize,
}

/// A buffer that grew above this is given back when it runs empty.
const KEEP: usize = 4096;

impl Buffer {
    pub(crate) fn len(&self) -> usize {
        self.data.len().saturating_sub(self.start)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Heap held.
    pub(crate) fn held(&self) -> usize {
        self.data.capacity().saturating_add(self.spans.capacity().saturating_mul(size_of::<MarkSpan>()))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.data.get(self.start..).unwrap_or_default()
    }

    pub(crate) fn spans(&self) -> &[MarkSpan] {
        &self.spans
    }

    /// Offset of [`Buffer::bytes`] within the spans.
    pub(crate) fn base(&self) -> usize {
        self.start
    }

    pub(crate) fn push(&mut self, bytes: &[u8], mark: &Mark) {
        if bytes.is_empty() {
            return;
        }
        self.data.extend_from_slice(bytes);
        let end = self.data.len();
        match self.spans.last_mut() {
            Some(last) if last.mark == *mark => last.end = end,
            _ => self.spans.push(MarkSpan { end, mark: *mark }),
        }
    }

    pub(crate) fn consume(&mut self, n: usize) {
        self.start = self.start.saturating_add(n).min(self.data.len());
        if self.start == self.data.len() {
            self.clear();
        } else if self.start >= KEEP && self.start >= self.data.len() / 2 {
            // Moves at most as many bytes as were consumed since: linear in the whole.
            self.data.drain(..self.start);
            let gone = self.start;
            self.spans.retain_mut(|s| {
                s.end = s.end.saturating_sub(gone);
                s.end > 0
            });
            self.start = 0;
        }
    }

    pub(crate) fn clear(&mut self) {
        self.start = 0;
        self.need = 0;
        if self.data.capacity() > KEEP {
            self.data = Vec::new();
        }
        self.data.clear();
        self.spans.clear();
    }

    /// Takes the oldest packet's bytes off.
    pub(crate) fn take_span(&mut self) -> Option<(Mark, Vec<u8>)> {
        let start = self.start;
        let span = self.spans.iter().find(|s| s.end > start)?;
        let (mark, end) = (span.mark, span.end);
        let bytes = self.data.get(start..end)?.to_vec();
        self.consume(bytes.len());
        Some((mark, bytes))
    }

    /// The mark of the oldest byte.
    pub(crate) fn first_mark(&self) -> Option<Mark> {
        self.spans.iter().find(|s| s.end > self.start).map(|s| s.mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Timestamp;

    fn mark(t: u64) -> Mark {
        Mark { time: Timestamp(t), ..Mark::default() }
    }

    #[test]
    fn bytes_are_consumed_and_packets_remembered() {
        let mut b = Buffer::default();
        b.push(b"abc", &mark(1));
        b.push(b"def", &mark(2));
        b.consume(2);
        assert_eq!((b.bytes(), b.base(), b.len()), (&b"cdef"[..], 2, 4));
        assert_eq!(b.take_span(), Some((mark(1), b"c".to_vec())));
        assert_eq!(b.first_mark(), Some(mark(2)));
        b.consume(3);
        assert!(b.is_empty() && b.spans().is_empty());
    }

    #[test]
    fn long_streams_do_not_grow_the_buffer() {
        let mut b = Buffer::default();
        for i in 0..10_000u64 {
            b.push(&[0; 1000], &mark(i));
            b.consume(990);
            assert!(b.len() <= 100_000);
            if b.len() > 50_000 {
                let n = b.len();
                b.consume(n - 10);
            }
        }
        assert!(b.held() < 400_000, "{}", b.held());
    }
}
