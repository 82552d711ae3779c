//! What the body of a message says: collected as it passes, its codings removed, as UTF-8.
//!
//! ```text
//!   pieces (transfer coding off) -> a bounded prefix is kept -> content coding off -> charset -> record
//! ```
//!
//! A body may be of any size; only the prefix that the record needs is ever held. The true size is
//! counted. Shared by HTTP/1 and HTTP/2.

mod brotli;
mod charset;
mod chunked;
mod coding;
mod media;
mod multipart;
mod zstd;

use charset::Charset;
pub(crate) use chunked::{Chunked, Piece};
pub(crate) use coding::Coding;
use media::{Media, looks_binary, parameter};
use multipart::Multipart;

use crate::session::Limits;
use record::{Field, Record};

/// Content codings one upon the other that are removed; more are not found in the wild.
const CODINGS: usize = 2;
/// A buffer that grew above this is let go when its body has ended.
const KEPT: usize = 4 * 1024;
/// Bytes of a multipart body that are looked at before asking whether there is enough.
const AT_ONCE: usize = 1024;
/// Most bytes of the outer coding taken off when there are two.
const BETWEEN: usize = 256 * 1024;

/// Collects one body at a time of one direction; used again for the next.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    raw: Vec<u8>,
    want: usize,
    size: u64,
    /// Bytes were lost in it: what follows does not belong to what was kept.
    holed: bool,
    media: Media,
    codings: [Coding; CODINGS],
    /// What Content-Type says; `None` when it says nothing.
    charset: Option<Charset>,
    parts: Option<Box<Multipart>>,
}

impl Collector {
    /// Begins a body. `wanted`: its text goes into a record.
    pub(crate) fn begin(
        &mut self,
        limits: &Limits,
        wanted: bool,
        content_type: &[u8],
        codings: [&[u8]; CODINGS],
    ) {
        self.raw.clear();
        (self.want, self.size, self.holed, self.parts) = (0, 0, false, None);
        if !wanted || !limits.bodies {
            return;
        }
        self.media = Media::of(content_type);
        self.charset = parameter(content_type, b"charset").map(Charset::of);
        self.codings = [Coding::Identity; CODINGS];
        let names = codings.into_iter().flat_map(|c| c.split(|b| *b == b','));
        let applied = names.map(|n| Coding::of(n.trim_ascii())).filter(|c| *c != Coding::Identity);
        for (slot, c) in self.codings.iter_mut().zip(applied) {
            *slot = c;
        }
        if self.media == Media::Binary && !limits.base64 {
            return;
        }
        if self.media == Media::Multipart && !limits.base64 && self.codings == [Coding::Identity; CODINGS] {
            self.parts = parameter(content_type, b"boundary").and_then(Multipart::new);
        }
        // UTF-16 has two bytes for a letter.
        let text = limits.text.saturating_mul(2);
        self.want = self.codings.iter().fold(text, |n, c| c.prefix(n));
    }

    /// The next piece of the body.
    #[inline]
    pub(crate) fn add(&mut self, piece: &[u8]) {
        self.size = self.size.saturating_add(piece.len() as u64);
        let room = self.want.saturating_sub(self.raw.len());
        if room == 0 || self.holed {
            return;
        }
        if let Some(parts) = &mut self.parts {
            for some in piece.chunks(AT_ONCE) {
                if self.raw.len() < self.want {
                    parts.add(some, &mut self.raw);
                }
            }
        } else {
            self.raw.extend_from_slice(piece.get(..room).unwrap_or(piece));
        }
    }

    /// `n` bytes of the body were lost.
    pub(crate) fn lost(&mut self, n: u64) {
        self.size = self.size.saturating_add(n);
        self.holed = true;
    }

    /// Bytes of the body so far, transfer coding removed.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Heap bytes held.
    pub(crate) fn held(&self) -> usize {
        self.raw.capacity().saturating_add(self.parts.as_ref().map_or(0, |p| p.held()))
    }

    /// Puts the text into the record, or an empty one when there is nothing to read.
    pub(crate) fn finish(&mut self, limits: &Limits, record: Option<&mut Record>, field: &'static Field) {
        if let Some(record) = record
            && limits.bodies
        {
            if let Some(mut parts) = self.parts.take() {
                parts.end(&mut self.raw);
            }
            self.tell(limits, record, field);
        }
        self.raw.clear();
        if self.raw.capacity() > KEPT {
            self.raw = Vec::new();
        }
        self.want = 0;
    }

    fn tell(&self, limits: &Limits, record: &mut Record, field: &'static Field) {
        let mut bytes = std::borrow::Cow::Borrowed(self.raw.as_slice());
        let cap = limits.text.saturating_mul(2).min(limits.inflated);
        // What was applied last is taken off first.
        let mut layers = self.codings.iter().filter(|c| **c != Coding::Identity).count();
        for coding in self.codings.iter().rev().filter(|c| **c != Coding::Identity) {
            layers = layers.saturating_sub(1);
            let cap = if layers > 0 { BETWEEN.min(limits.inflated) } else { cap };
            bytes = coding.decode(&bytes, cap, limits.inflated).into();
        }
        let (charset, mark) = match Charset::by_mark(&bytes) {
            Some((c, mark)) => (c, mark),
            None => (self.charset.or_else(|| Charset::by_meta(&bytes)).unwrap_or_default(), 0),
        };
        let is_wide = matches!(charset, Charset::Utf16Le | Charset::Utf16Be);
        let promised = matches!(self.media, Media::Text | Media::Multipart) || self.charset.is_some();
        if self.media == Media::Binary || (!is_wide && looks_binary(&bytes, promised)) {
            record.begin_text(field);
            if limits.base64 {
                base64(bytes.get(..limits.text).unwrap_or(&bytes), |quad| record.append(quad));
            }
        } else if charset == Charset::Utf8 {
            record.text(field, at_character(bytes.get(..limits.text).unwrap_or(&bytes)));
        } else {
            record.text(field, &charset.decode(bytes.get(mark..).unwrap_or_default(), limits.text));
        }
    }
}

/// Without a UTF-8 character that was cut at the end.
fn at_character(text: &[u8]) -> &[u8] {
    let begins = text.iter().rev().take(4).position(|b| b & 0xc0 != 0x80);
    let Some((whole, last)) =
        begins.and_then(|back| text.split_at_checked(text.len().checked_sub(back)?.checked_sub(1)?))
    else {
        return text;
    };
    let need = match last.first() {
        Some(0xc0..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf7) => 4,
        _ => 1,
    };
    if last.len() < need { whole } else { text }
}

/// RFC 4648 section 4.
fn base64(bytes: &[u8], mut put: impl FnMut(&[u8])) {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = |n: u32| LETTERS.get((n & 63) as usize).copied().unwrap_or(b'=');
    for three in bytes.chunks(3) {
        let at = |i: usize| u32::from(three.get(i).copied().unwrap_or(0));
        let n = at(0).wrapping_shl(16) | at(1).wrapping_shl(8) | at(2);
        let mut quad =
            [letter(n.wrapping_shr(18)), letter(n.wrapping_shr(12)), letter(n.wrapping_shr(6)), letter(n)];
        for (i, q) in quad.iter_mut().enumerate().skip(2) {
            if three.len() < i {
                *q = b'=';
            }
        }
        put(&quad);
    }
}

#[cfg(test)]
mod tests;
