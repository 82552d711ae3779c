//! What an OP_COMPRESSED holds. Decoded from a prefix and to a cap, so that no message can grow large here.
//!
//! zlib and zstd are those of HTTP bodies. Snappy is the raw format ("Snappy compressed format
//! description"): a length, then literals and copies of what was made before.

use crate::body::Coding;
use base::{Reader, Short};
use std::borrow::Cow;

/// The first bytes of what `coded` holds: up to `cap`, fewer when it is cut or broken. `None`: the
/// compressor is not known.
pub(super) fn unpack(by: u8, coded: &[u8], cap: usize) -> Option<Cow<'_, [u8]>> {
    Some(match by {
        0 => Cow::Borrowed(coded.get(..cap).unwrap_or(coded)),
        1 => Cow::Owned(snappy(coded, cap)),
        2 => Cow::Owned(Coding::Deflate.decode(coded, cap, cap)),
        3 => Cow::Owned(Coding::Zstd.decode(coded, cap, cap)),
        _ => return None,
    })
}

fn snappy(coded: &[u8], cap: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut r = Reader::new(coded);
    // The length when unpacked: seven bits a byte. The header of the message has it too.
    while r.u8("length").is_ok_and(|b| b & 0x80 != 0) {}
    while out.len() < cap && snappy_element(&mut r, &mut out, cap).is_ok() {}
    out
}

fn snappy_element(r: &mut Reader<'_>, out: &mut Vec<u8>, cap: usize) -> Result<(), Short> {
    let tag = r.u8("tag")?;
    let high = usize::from(tag.wrapping_shr(2));
    let (offset, len) = match tag & 3 {
        0 => {
            // Up to 60 bytes, or the length in one to four bytes more.
            let len = match high {
                60 => usize::from(r.u8("length")?),
                61 => usize::from(r.le16("length")?),
                62 => r.le24("length")? as usize,
                63 => r.le32("length")? as usize,
                n => n,
            };
            let room = cap.saturating_sub(out.len());
            let literal = r.take_up_to(len.saturating_add(1));
            out.extend_from_slice(literal.get(..room).unwrap_or(literal));
            return Ok(());
        }
        1 => {
            let low = usize::from(r.u8("offset")?);
            ((high & 0x38).wrapping_shl(5) | low, (high & 7).saturating_add(4))
        }
        2 => (usize::from(r.le16("offset")?), high.saturating_add(1)),
        _ => (r.le32("offset")? as usize, high.saturating_add(1)),
    };
    let len = len.min(cap.saturating_sub(out.len()));
    let from = out.len().checked_sub(offset).filter(|_| offset > 0).ok_or(Short("offset"))?;
    if offset >= len {
        out.extend_from_within(from..from.saturating_add(len));
    } else {
        // It copies what it makes: a pattern that repeats.
        for at in from..from.saturating_add(len) {
            let byte = out.get(at).copied().ok_or(Short("copy"))?;
            out.push(byte);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snappy_literals_and_copies() {
        // Length 12; a literal of 4; a copy of 4 from 4 back (one byte of offset); a pattern: 4 from 1 back.
        let coded = b"\x0c\x0cabcd\x01\x04\x0e\x01\x00";
        assert_eq!(snappy(coded, 100), b"abcdabcddddd");
        assert_eq!(snappy(coded, 6), b"abcdab", "no more than was asked for");
        assert_eq!(snappy(&coded[..5], 100), b"abc", "what is cut gives what is there");
        // Four bytes of offset; an offset beyond the beginning, and one of nothing, end it.
        assert_eq!(snappy(b"\x05\x00x\x0f\x01\0\0\0", 100), b"xxxxx");
        assert_eq!(snappy(b"\x05\x00x\x0e\x02\0", 100), b"x");
        assert_eq!(snappy(b"\x05\x00x\x0e\x00\0", 100), b"x");
        // A literal of 61 bytes has its length in a byte of its own.
        let long = [&b"\x3d\xf0\x3c"[..], &[b'y'; 61]].concat();
        assert_eq!(snappy(&long, 100), [b'y'; 61]);
    }

    #[test]
    fn each_compressor_has_its_number() {
        assert_eq!(unpack(0, b"abc", 2).as_deref(), Some(&b"ab"[..]));
        // zlib of "aaaaaaaaaa", stored: 78 01, 01 len nlen, bytes, adler.
        assert_eq!(
            unpack(2, b"\x78\x01\x01\x03\x00\xfc\xffabc\x02\x4d\x01\x27", 9).as_deref(),
            Some(&b"abc"[..])
        );
        // zstd, one raw block of 3 bytes.
        assert_eq!(unpack(3, b"\x28\xb5\x2f\xfd\x20\x03\x19\0\0abc", 9).as_deref(), Some(&b"abc"[..]));
        assert_eq!(unpack(4, b"abc", 9), None);
    }
}
