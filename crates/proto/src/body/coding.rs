//! Content codings (RFC 9110 section 8.4): gzip, deflate, br, zstd. Each is decoded from a prefix of the
//! body to no more bytes than are asked for, so that no body can grow large here.

use super::{brotli, zstd};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags as flag};

/// A content coding, or the transfer coding of that name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Coding {
    /// As it is.
    #[default]
    Identity,
    /// RFC 1952.
    Gzip,
    /// zlib (RFC 1950), or bare deflate (RFC 1951) as some servers understand it.
    Deflate,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
    /// Not known here: what it holds cannot be read.
    Unknown,
}

impl Coding {
    /// By its name.
    pub(crate) fn of(name: &[u8]) -> Coding {
        let is = |w: &[u8]| name.eq_ignore_ascii_case(w);
        if name.is_empty()
            || is(b"identity")
            || is(b"chunked")
            || is(b"aws-chunked")
            || is(b"none")
            || is(b"utf-8")
        {
            Coding::Identity
        } else if is(b"gzip") || is(b"x-gzip") {
            Coding::Gzip
        } else if is(b"deflate") {
            Coding::Deflate
        } else if is(b"br") {
            Coding::Brotli
        } else if is(b"zstd") {
            Coding::Zstd
        } else {
            Coding::Unknown
        }
    }

    /// Bytes of the coded body that surely give `text` bytes: codings do not make sane text
    /// longer, but begin with tables.
    pub(crate) fn prefix(self, text: usize) -> usize {
        match self {
            Coding::Identity => text,
            Coding::Unknown => 0,
            Coding::Gzip | Coding::Deflate => text.saturating_add(4 * 1024),
            // Many codes for many contexts can go before the first byte.
            Coding::Brotli => text.saturating_add(16 * 1024),
            Coding::Zstd => text.max(zstd::PREFIX),
        }
    }

    /// The first bytes of what `coded` holds: up to `cap`, or fewer when it is cut or broken.
    /// No more than `most` (or one block of zstd) are made on the way.
    pub(crate) fn decode(self, coded: &[u8], cap: usize, most: usize) -> Vec<u8> {
        match self {
            Coding::Identity => coded.get(..cap).unwrap_or(coded).to_vec(),
            Coding::Unknown => Vec::new(),
            Coding::Gzip => gunzip(coded, cap),
            Coding::Brotli => brotli::decode(coded, cap),
            Coding::Zstd => zstd::decode(coded, cap, most),
            Coding::Deflate => {
                let mut out = Vec::new();
                // CM = 8 and a header that is a multiple of 31 make it zlib.
                let zlib = matches!(coded, [a, b, ..] if a & 15 == 8 && u16::from_be_bytes([*a, *b]).is_multiple_of(31));
                inflate(coded, cap, zlib, &mut out);
                out
            }
        }
    }
}

/// All that a deflated table of our own holds, up to `cap` bytes.
pub(super) fn inflate_all(packed: &[u8], cap: usize) -> Vec<u8> {
    let mut out = Vec::new();
    inflate(packed, cap, false, &mut out);
    out
}

/// Inflates into `out` until it has `cap` bytes; gives the bytes of `coded` that were used.
fn inflate(coded: &[u8], cap: usize, zlib: bool, out: &mut Vec<u8>) -> usize {
    let begin = out.len();
    // Not more than `coded` can grow to: deflate makes at most 1032 of one byte.
    let room = cap.saturating_sub(begin).min(coded.len().saturating_mul(1040));
    out.resize(begin.saturating_add(room), 0);
    let Some(target) = out.get_mut(begin..) else { return 0 };
    let mut state = DecompressorOxide::new();
    let flags = flag::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF
        | flag::TINFL_FLAG_HAS_MORE_INPUT
        | if zlib { flag::TINFL_FLAG_PARSE_ZLIB_HEADER } else { 0 };
    let (_, used, made) = decompress(&mut state, coded, target, 0, flags);
    out.truncate(begin.saturating_add(made));
    used
}

/// Members of a gzip file, one behind the other.
fn gunzip(mut coded: &[u8], cap: usize) -> Vec<u8> {
    /// CRC and size behind each member.
    const TRAILER: usize = 8;
    let mut out = Vec::new();
    while out.len() < cap
        && let Some(data) = gzip_data(coded)
    {
        let used = inflate(data, cap, false, &mut out);
        coded = data.get(used.saturating_add(TRAILER)..).unwrap_or_default();
    }
    out
}

/// What follows the header of a gzip member, RFC 1952 section 2.3.
fn gzip_data(coded: &[u8]) -> Option<&[u8]> {
    let ([0x1f, 0x8b, 8, flags, ..], mut rest) = coded.split_first_chunk::<10>()? else { return None };
    if flags & 4 != 0 {
        let (len, more) = rest.split_first_chunk::<2>()?;
        rest = more.get(usize::from(u16::from_le_bytes(*len))..)?;
    }
    for named in [8, 16] {
        if flags & named != 0 {
            rest = rest.get(rest.iter().position(|b| *b == 0)?.saturating_add(1)..)?;
        }
    }
    if flags & 2 != 0 { rest.get(2..) } else { Some(rest) }
}
