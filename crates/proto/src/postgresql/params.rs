//! Bound values as text, written straight into the record.
//!
//! Values are told as SQL would have them: numbers, booleans and NULL bare, everything else in
//! single quotes, separated by a comma and a blank. A binary value of a type that is not known is
//! `\x` and hex digits, as bytea is.

use super::binary;
use super::wire::{Bind, Format, Param};

/// Where the text goes: never more than `cap` bytes.
pub(super) struct Out<'a> {
    to: &'a mut dyn FnMut(&[u8]),
    left: usize,
}

impl<'a> Out<'a> {
    /// At most `cap` bytes to `to`.
    pub(super) fn new(cap: usize, to: &'a mut dyn FnMut(&[u8])) -> Out<'a> {
        Out { to, left: cap }
    }

    /// Adds bytes.
    pub(super) fn put(&mut self, bytes: &[u8]) {
        let bytes = bytes.get(..self.left).unwrap_or(bytes);
        self.left = self.left.saturating_sub(bytes.len());
        if !bytes.is_empty() {
            (self.to)(bytes);
        }
    }

    /// Nothing more fits.
    pub(super) fn is_full(&self) -> bool {
        self.left == 0
    }

    /// `\x` and hex digits.
    pub(super) fn hex(&mut self, bytes: &[u8]) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |n: u8| DIGITS.get(usize::from(n & 15)).copied().unwrap_or(b'0');
        self.put(b"\\x");
        for b in bytes {
            if self.is_full() {
                return;
            }
            self.put(&[digit(b.wrapping_shr(4)), digit(*b)]);
        }
    }

    /// Text in single quotes; those inside are doubled.
    pub(super) fn quoted(&mut self, text: &[u8]) {
        self.put(b"'");
        for (i, part) in text.split(|b| *b == b'\'').enumerate() {
            if self.is_full() {
                return;
            }
            if i > 0 {
                self.put(b"''");
            }
            self.put(part);
        }
        self.put(b"'");
    }
}

impl std::fmt::Write for Out<'_> {
    fn write_str(&mut self, s: &str) -> std::fmt::Result {
        self.put(s.as_bytes());
        Ok(())
    }
}

/// Writes all values. `types` are their OIDs, four bytes each; what is missing or 0 is not known.
pub(super) fn write(bind: &Bind<'_>, types: &[u8], out: &mut Out<'_>) {
    bind.walk(|i, value| {
        if out.is_full() {
            return;
        }
        if i > 0 {
            out.put(b", ");
        }
        let oid = types.as_chunks::<4>().0.get(i).map_or(0, |o| u32::from_be_bytes(*o));
        one(value, bind.format(i), oid, out);
    });
}

fn one(value: Param<'_>, format: Format, oid: u32, out: &mut Out<'_>) {
    let Some(value) = value else { return out.put(b"NULL") };
    match format {
        Format::Text if binary::is_bare(oid) => out.put(value),
        Format::Text => out.quoted(value),
        Format::Binary => {
            let bare = binary::is_bare(oid);
            if !bare && binary::is_text(oid) {
                return out.quoted(value);
            }
            if !bare {
                out.put(b"'");
            }
            binary::write(value, oid, out);
            if !bare {
                out.put(b"'");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bind: &[u8], types: &[u32], cap: usize) -> String {
        let types: Vec<u8> = types.iter().flat_map(|t| t.to_be_bytes()).collect();
        let mut all = Vec::new();
        write(&Bind::read(bind).unwrap(), &types, &mut Out::new(cap, &mut |b| all.extend_from_slice(b)));
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn values_are_told_as_sql_would_have_them() {
        // Portal, statement, one format for all (text), four values.
        let bind = b"\0s\0\0\x01\0\0\0\x04\0\0\0\x0242\xff\xff\xff\xff\0\0\0\x03it'\0\0\0\x01t\0\0";
        assert_eq!(text(bind, &[23, 23, 25, 16], 99), "42, NULL, 'it''', t");
        assert_eq!(text(bind, &[], 99), "'42', NULL, 'it''', 't'");
        assert_eq!(text(bind, &[23], 7), "42, NUL");
        // A format each: binary int4, text, binary of an unknown type.
        let bind = b"\0\0\0\x03\0\x01\0\0\0\x01\0\x03\0\0\0\x04\xff\xff\xff\xfe\0\0\0\x01a\0\0\0\x02\x01\xab";
        assert_eq!(text(bind, &[23, 0, 600], 99), "-2, 'a', '\\x01ab'");
        assert_eq!(text(&bind[..bind.len() - 1], &[23, 0, 600], 99), "-2, 'a'", "cut off");
    }
}
