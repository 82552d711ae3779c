//! Packets of TNS: the header, and what stands in the packets of a connection's beginning.

use base::Reader;

/// Length of a header.
pub(super) const HEADER: usize = 8;

/// Kinds of packets.
pub(super) mod kind {
    pub(in crate::tns) const CONNECT: u8 = 1;
    pub(in crate::tns) const ACCEPT: u8 = 2;
    pub(in crate::tns) const REFUSE: u8 = 4;
    pub(in crate::tns) const REDIRECT: u8 = 5;
    pub(in crate::tns) const DATA: u8 = 6;
    pub(in crate::tns) const RESEND: u8 = 11;
    pub(in crate::tns) const MARKER: u8 = 12;
}

/// A packet's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: u8,
    /// Of all of it.
    pub(super) len: usize,
    /// The length has four bytes.
    pub(super) wide: bool,
}

/// Version from which lengths have four bytes.
pub(super) const WIDE: u16 = 315;

/// Reads a header; `None` when it cannot be one. Lengths have four bytes when `wide`, or when two would be none.
pub(super) fn header(head: [u8; HEADER], wide: bool) -> Option<Header> {
    /// Longest packet: the largest size that can be agreed on.
    const LONGEST: u32 = 2 * 1024 * 1024 + 64;
    let [a, b, c, d, kind, flags, e, f] = head;
    let short = u16::from_be_bytes([a, b]);
    let wide = wide || short == 0;
    let len = if wide { u32::from_be_bytes([a, b, c, d]) } else { u32::from(short) };
    let sums = if wide { 0 } else { u16::from_be_bytes([c, d]) };
    let fits = match kind {
        kind::CONNECT => len >= 34,
        kind::ACCEPT => len >= 24,
        kind::REFUSE => len >= 12,
        kind::REDIRECT | kind::DATA => len >= 10,
        kind::MARKER => (11..=16).contains(&len),
        // Acknowledgement, nothing, abort, resend, attention, control.
        3 | 7 | 9 | 11 | 13 | 14 => len >= 8,
        _ => false,
    };
    // Checksums are not used.
    if !fits || len > LONGEST || sums != 0 || [e, f] != [0, 0] || flags & 0x43 != 0 {
        return None;
    }
    Some(Header { kind, len: len as usize, wide })
}

/// The text of a CONNECT packet, whose place and length stand in it.
pub(super) fn connect_data(packet: &[u8]) -> Option<&[u8]> {
    let mut r = Reader::new(packet.get(24..)?);
    let (len, at) = (r.be16("length").ok()?, r.be16("offset").ok()?);
    let mut text = Reader::new(packet.get(usize::from(at)..)?);
    Some(text.take_up_to(usize::from(len)))
}

/// Does a CONNECT packet hold what one should?
pub(super) fn is_connect(packet: &[u8]) -> bool {
    let mut r = Reader::new(packet.get(HEADER..).unwrap_or_default());
    let version = r.be16("version").unwrap_or_default();
    let oldest = r.be16("version").unwrap_or_default();
    // 300 is that of version 7.
    (300..400).contains(&version) && (200..=version).contains(&oldest)
}

/// Version and size of packets that an ACCEPT tells.
pub(super) fn accept(packet: &[u8]) -> Option<(u16, u32)> {
    let mut r = Reader::new(packet.get(HEADER..)?);
    let version = r.be16("version").ok()?;
    r.be16("options").ok()?;
    let size = u32::from(r.be16("size").ok()?);
    if version < WIDE {
        return Some((version, size));
    }
    // The large size stands behind the old fields.
    let large = Reader::new(packet.get(32..)?).be32("size").ok()?;
    Some((version, large.max(size)))
}

/// The value of a key of a descriptor: `(KEY=value)`, whatever its case.
pub(super) fn value<'a>(descriptor: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let at = descriptor.windows(key.len().saturating_add(2)).position(|w| {
        w.first() == Some(&b'(')
            && w.last() == Some(&b'=')
            && w.get(1..key.len().saturating_add(1)).is_some_and(|k| k.eq_ignore_ascii_case(key))
    })?;
    let rest = descriptor.get(at.saturating_add(key.len()).saturating_add(2)..)?;
    let end = rest.iter().position(|b| matches!(b, b')' | b'('))?;
    rest.get(..end).filter(|v| !v.is_empty())
}

/// The list of a key of a descriptor: `(KEY=(...)(...))`, without its last bracket.
pub(super) fn list<'a>(descriptor: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let at = descriptor.windows(key.len()).position(|w| w.eq_ignore_ascii_case(key))?;
    let rest = descriptor.get(at.saturating_add(key.len())..)?;
    let mut depth = 0i32;
    let end = rest.iter().position(|b| {
        depth = depth.saturating_add(i32::from(*b == b'(')).saturating_sub(i32::from(*b == b')'));
        depth < 0
    });
    rest.get(..end.unwrap_or(rest.len()))
}

/// A number as thin clients write it: a count of bytes, the bytes.
pub(super) fn number(r: &mut Reader<'_>) -> Option<u32> {
    let n = usize::from(r.u8("count").ok()?);
    if n > 4 {
        return None;
    }
    let bytes = r.take(n, "number").ok()?;
    Some(bytes.iter().fold(0, |all, b| all.wrapping_shl(8) | u32::from(*b)))
}

/// Bytes that texts are made of, in any character set that has ASCII in it.
pub(super) fn is_text(b: u8) -> bool {
    b >= b' ' && b != 0x7f || matches!(b, b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_with_short_and_long_lengths() {
        let h = header([0, 0x22, 0, 0, 6, 0, 0, 0], false);
        assert_eq!(h, Some(Header { kind: 6, len: 34, wide: false }));
        let h = header([0, 0, 0, 0x22, 6, 0, 0, 0], false);
        assert_eq!(h, Some(Header { kind: 6, len: 34, wide: true }));
        assert_eq!(header([0, 0x22, 0, 0, 6, 0, 0, 0], true), None, "too long then");
        assert_eq!(header([0, 9, 0, 0, 6, 0, 0, 0], false), None, "no flags");
        assert_eq!(header([0, 0x22, 0, 1, 6, 0, 0, 0], false), None, "a checksum");
    }

    #[test]
    fn values_of_descriptors() {
        let d =
            b"(DESCRIPTION=(CONNECT_DATA=(SID=orcl)(CID=(PROGRAM=a b)(HOST=h)(USER=u)))(ADDRESS=(HOST=x)))";
        assert_eq!(value(d, b"sid"), Some(&b"orcl"[..]));
        assert_eq!(value(d, b"USER"), Some(&b"u"[..]));
        assert_eq!(value(d, b"SERVICE_NAME"), None);
        assert_eq!(value(d, b"CID"), None, "a list");
        let cid = list(d, b"(CID=").unwrap();
        assert_eq!(cid, b"(PROGRAM=a b)(HOST=h)(USER=u)");
        assert_eq!(list(b"(CID=(PROGRAM=a", b"(cid="), Some(&b"(PROGRAM=a"[..]), "cut off");
    }
}
