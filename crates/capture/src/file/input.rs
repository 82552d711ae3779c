//! The bytes of a capture file through one reusable buffer.
//!
//! Records are parsed where they lie in the buffer. It starts small and grows only when it is full of
//! bytes that arrived, up to [`MAX_BUFFER`], so a length field alone never costs memory.

use std::io::{self, Read};
use std::ops::Range;

use super::gzip::Gzip;

/// First size of the buffer: large reads, and still inside a core's cache.
pub(super) const BUFFER: usize = 256 * 1024;
/// Largest size of the buffer: one largest block ([`super::MAX_BLOCK`]) fits with room to spare.
pub(super) const MAX_BUFFER: usize = 4 * 1024 * 1024;

/// Where bytes come from. `Send`, so that a reader can live in a thread of its own.
pub(super) type Bytes = Box<dyn Read + Send>;

enum Source {
    Plain(Bytes),
    Gzip(Box<Gzip>),
}

/// The window on the stream: `buf[start..end]` is what has arrived and is not consumed.
pub(super) struct Input {
    source: Source,
    buf: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset in the (uncompressed) stream of `buf[0]`.
    base: u64,
    eof: bool,
}

impl Input {
    /// Looks at the first bytes and puts the decompressor in between when they are gzip's.
    pub(super) fn new(bytes: Bytes) -> io::Result<Input> {
        let mut input = Input {
            source: Source::Plain(bytes),
            buf: vec![0; BUFFER],
            start: 0,
            end: 0,
            base: 0,
            eof: false,
        };
        if input.need(2)? && input.head().starts_with(&[0x1f, 0x8b]) {
            let first = input.head().to_vec();
            if let Source::Plain(bytes) = input.source {
                input.source = Source::Gzip(Box::new(Gzip::new(first, bytes)));
            }
            input.end = 0;
            input.eof = false;
        }
        Ok(input)
    }

    /// Offset in the (uncompressed) stream of the next byte.
    pub(super) fn offset(&self) -> u64 {
        self.base + self.start as u64
    }

    /// What has arrived and is not consumed.
    #[inline]
    pub(super) fn head(&self) -> &[u8] {
        self.buf.get(self.start..self.end).unwrap_or_default()
    }

    /// Bytes of the buffer, by a range that [`Input::take`] gave; valid until the next [`Input::need`].
    #[inline]
    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.buf.get(range).unwrap_or_default()
    }

    /// Are the offsets those of uncompressed data?
    pub(super) fn is_gzip(&self) -> bool {
        matches!(self.source, Source::Gzip(_))
    }

    /// Did the compressed stream end before its end mark?
    pub(super) fn gzip_cut(&self) -> bool {
        matches!(&self.source, Source::Gzip(gzip) if gzip.cut())
    }

    /// Makes `n` bytes available in [`Input::head`]; `false` when the stream ends before.
    #[inline]
    pub(super) fn need(&mut self, n: usize) -> io::Result<bool> {
        if self.end - self.start >= n { Ok(true) } else { self.fill(n) }
    }

    #[cold]
    #[inline(never)]
    fn fill(&mut self, n: usize) -> io::Result<bool> {
        if n > MAX_BUFFER {
            return Err(io::Error::other("a record larger than the buffer may grow"));
        }
        if self.start > 0 {
            self.buf.copy_within(self.start..self.end, 0);
            self.base += self.start as u64;
            self.end -= self.start;
            self.start = 0;
        }
        while self.end < n && !self.eof {
            if self.end == self.buf.len() {
                let more = self.buf.len().saturating_mul(2).min(MAX_BUFFER);
                self.buf.resize(more, 0);
            }
            let space = self.buf.get_mut(self.end..).unwrap_or_default();
            let got = match &mut self.source {
                Source::Plain(bytes) => bytes.read(space),
                Source::Gzip(gzip) => gzip.read(space),
            };
            match got {
                Ok(0) => self.eof = true,
                Ok(got) => self.end = (self.end + got).min(self.buf.len()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(self.end >= n)
    }

    /// Consumes `n` bytes of the head and gives their place in the buffer.
    #[inline]
    pub(super) fn take(&mut self, n: usize) -> Range<usize> {
        let from = self.start;
        self.start = self.end.min(from.saturating_add(n));
        from..self.start
    }

    /// Consumes `n` bytes that need not fit the buffer; `false` when the stream ends before.
    pub(super) fn skip(&mut self, mut n: u64) -> io::Result<bool> {
        loop {
            let here = (self.end - self.start) as u64;
            if n <= here {
                self.take(usize::try_from(n).unwrap_or(usize::MAX));
                return Ok(true);
            }
            n -= here;
            self.take(usize::MAX);
            if !self.need(1)? {
                return Ok(false);
            }
        }
    }
}
