//! Packets and what stands in them in fixed places: MS-TDS 2.2.3, 2.2.5.2, 2.2.6.4, 2.2.6.5, MC-SMP 2.2.1.

use super::types::Era;
use base::Reader;

/// Length of a packet's header.
pub(super) const HEADER: usize = 8;
/// Length of an SMP header.
pub(super) const SMP: usize = 16;
/// First byte of an SMP header.
pub(super) const SMID: u8 = 0x53;

/// Kinds of messages.
pub(super) mod message {
    pub(in crate::tds) const BATCH: u8 = 1;
    /// Login of 4.2 and 5.0.
    pub(in crate::tds) const OLD_LOGIN: u8 = 2;
    pub(in crate::tds) const RPC: u8 = 3;
    pub(in crate::tds) const ANSWER: u8 = 4;
    pub(in crate::tds) const ATTENTION: u8 = 6;
    pub(in crate::tds) const BULK: u8 = 7;
    pub(in crate::tds) const FEDAUTH: u8 = 8;
    pub(in crate::tds) const TRANSACTION: u8 = 0x0e;
    /// Requests of 5.0.
    pub(in crate::tds) const TOKENS: u8 = 0x0f;
    pub(in crate::tds) const LOGIN: u8 = 0x10;
    pub(in crate::tds) const SSPI: u8 = 0x11;
    pub(in crate::tds) const PRELOGIN: u8 = 0x12;
}

/// Bits of a packet's status.
pub(super) mod status {
    /// The last packet of a message.
    pub(in crate::tds) const END: u8 = 1;
    /// The message is to be ignored.
    pub(in crate::tds) const IGNORE: u8 = 2;
    /// The connection is made as new before the request; with or without the transaction.
    pub(in crate::tds) const RESET: u8 = 8 | 16;
}

/// A packet's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: u8,
    pub(super) status: u8,
    /// Of what follows.
    pub(super) len: usize,
    pub(super) number: u8,
}

/// Longest packet: a size up to 32767 is agreed on.
const LONGEST: usize = 0x7fff;

/// Reads a header; `None` when it cannot be one.
pub(super) fn header(head: [u8; HEADER]) -> Option<Header> {
    let [kind, status, a, b, _, _, number, window] = head;
    let len = usize::from(u16::from_be_bytes([a, b]));
    let known = matches!(kind, 1..=4 | 6..=8 | 0x0e..=0x12);
    if !known || status & 0xe0 != 0 || window != 0 || len > LONGEST {
        return None;
    }
    Some(Header { kind, status, len: len.checked_sub(HEADER)?, number })
}

/// A header of SMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Smp {
    pub(super) flags: u8,
    pub(super) session: u16,
    /// Of what follows.
    pub(super) len: usize,
}

/// Flags of SMP.
pub(super) mod smp {
    pub(in crate::tds) const SYN: u8 = 1;
    pub(in crate::tds) const ACK: u8 = 2;
    pub(in crate::tds) const FIN: u8 = 4;
    pub(in crate::tds) const DATA: u8 = 8;
}

/// Reads an SMP header; `None` when it cannot be one.
pub(super) fn smp_header(head: &[u8; SMP]) -> Option<Smp> {
    let mut r = Reader::new(head);
    let id = r.u8("smid").ok()?;
    let flags = r.u8("flags").ok()?;
    let session = r.le16("session").ok()?;
    let len = (r.le32("length").ok()? as usize).checked_sub(SMP)?;
    let fits = match flags {
        smp::SYN | smp::ACK | smp::FIN => len == 0,
        smp::DATA => len > 0 && len <= LONGEST,
        _ => false,
    };
    (id == SMID && fits).then_some(Smp { flags, session, len })
}

/// Is it the beginning of a TLS record? Content type, major version.
pub(super) fn is_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [0x14..=0x17, 3, ..])
}

/// Takes ALL_HEADERS off the front of a request; `None` when there are none.
pub(super) fn all_headers(bytes: &[u8]) -> Option<&[u8]> {
    /// Four bytes of length and at least one header: length, type.
    const LEAST: usize = 10;
    /// Headers of all kinds together are some hundreds of bytes long.
    const MOST: usize = 4096;
    let mut r = Reader::new(bytes);
    let total = r.le32("length").ok()? as usize;
    if !(LEAST..=MOST).contains(&total) {
        return None;
    }
    let mut all = r.sub(total.checked_sub(4)?, "headers").ok()?;
    while !all.is_empty() {
        let len = (all.le32("length").ok()? as usize).checked_sub(6)?;
        if !(1..=3).contains(&all.le16("type").ok()?) {
            return None;
        }
        all.skip(len, "header").ok()?;
    }
    Some(r.rest())
}

/// Writes text of two bytes a character as UTF-8, `cap` bytes at most.
pub(super) fn utf16(bytes: &[u8], cap: usize, put: &mut dyn FnMut(&[u8])) {
    let units = bytes.as_chunks::<2>().0.iter().map(|c| u16::from_le_bytes(*c));
    let mut buffer = [0u8; 256];
    let (mut at, mut left) = (0usize, cap);
    for c in char::decode_utf16(units) {
        let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
        let Some(rest) = left.checked_sub(c.len_utf8()) else { break };
        left = rest;
        if at.saturating_add(4) > buffer.len() {
            put(buffer.get(..at).unwrap_or_default());
            at = 0;
        }
        if let Some(room) = buffer.get_mut(at..at.saturating_add(c.len_utf8())) {
            c.encode_utf8(room);
        }
        at = at.saturating_add(c.len_utf8());
    }
    put(buffer.get(..at).unwrap_or_default());
}

/// The same into a new text.
pub(super) fn utf8(bytes: &[u8], cap: usize) -> Vec<u8> {
    let mut text = Vec::new();
    utf16(bytes, cap, &mut |b| text.extend_from_slice(b));
    text
}

/// What is of interest in a login.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: Vec<u8>,
    pub(super) db: Vec<u8>,
    pub(super) program: Vec<u8>,
    pub(super) host: Vec<u8>,
    pub(super) era: Option<Era>,
}

/// Longest name that is kept, in bytes: the server's limit is 128 characters.
pub(super) const NAME: usize = 512;

/// The version in a login or its acknowledgement: the number of the main version in its high byte.
pub(super) fn era(version: u8) -> Option<Era> {
    match version {
        4 | 5 => Some(Era::Old),
        7 | 0x70 => Some(Era::V70),
        0x71 => Some(Era::V71),
        8 | 0x72..=0x7f => Some(Era::V72),
        _ => None,
    }
}

/// Reads LOGIN7.
pub(super) fn login(bytes: &[u8]) -> Option<Login> {
    let mut r = Reader::new(bytes);
    let total = r.le32("length").ok()? as usize;
    let [_, _, _, version] = r.array("version").ok()?;
    if total < 86 {
        return None;
    }
    let text = |pair: usize| {
        let mut r = Reader::new(bytes.get(pair..)?);
        let (at, n) = (r.le16("offset").ok()?, r.le16("length").ok()?);
        let mut r = Reader::new(bytes.get(usize::from(at)..)?);
        Some(utf8(r.take_up_to(usize::from(n).saturating_mul(2)), NAME))
    };
    let [host, user, program, db] = [36, 40, 48, 68].map(|pair| text(pair).unwrap_or_default());
    Some(Login { user, db, program, host, era: era(version) })
}

/// Reads the login of 4.2 and 5.0: names lie in 30 bytes each, with their lengths behind. Host, user, password and
/// process come first, the program behind 16 bytes more.
pub(super) fn old_login(bytes: &[u8]) -> Option<Login> {
    let text = |at: usize| {
        let mut r = Reader::new(bytes.get(at..)?);
        let field = r.take(30, "name").ok()?;
        Some(field.get(..usize::from(r.u8("length").ok()?))?.to_vec())
    };
    let [host, program] = [0, 140].map(|at| text(at).unwrap_or_default());
    Some(Login { user: text(31)?, db: Vec::new(), program, host, era: Some(Era::Old) })
}

/// The options of a pre-login message: calls `f` with token and contents. False when it is none.
pub(super) fn prelogin(bytes: &[u8], mut f: impl FnMut(u8, &[u8])) -> bool {
    /// A few are known; each comes once.
    const MOST: usize = 32;
    const END: u8 = 0xff;
    let mut r = Reader::new(bytes);
    for i in 0..MOST {
        match (r.u8("token"), i) {
            (Ok(END), _) => return i > 0,
            // The version comes first.
            (Ok(0), 0) => f(0, &[]),
            (Ok(token @ 1..=0x20), 1..) => {
                let Ok([a, b, c, d]) = r.array("place") else { return false };
                let (at, len) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
                let mut text = Reader::new(bytes.get(usize::from(at)..).unwrap_or_default());
                f(token, text.take_up_to(usize::from(len)));
                continue;
            }
            _ => return false,
        }
        let Ok([_, at, 0, 6]) = r.array("version's place") else { return false };
        if at < 6 {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_packets() {
        let h = header([1, 1, 0, 0xbe, 0, 0, 1, 0]);
        assert_eq!(h, Some(Header { kind: 1, status: 1, len: 0xb6, number: 1 }));
        assert_eq!(header([5, 1, 0, 0xbe, 0, 0, 1, 0]), None, "no such kind");
        assert_eq!(header([1, 1, 0, 7, 0, 0, 1, 0]), None, "shorter than itself");
        assert_eq!(header([1, 1, 0, 9, 0, 0, 1, 1]), None, "the window is not used");
        let smp = smp_header(b"\x53\x08\x03\0\x14\0\0\0\x01\0\0\0\x04\0\0\0");
        assert_eq!(smp, Some(Smp { flags: 8, session: 3, len: 4 }));
        assert_eq!(
            smp_header(b"\x53\x01\x03\0\x14\0\0\0\x01\0\0\0\x04\0\0\0"),
            None,
            "a SYN carries nothing"
        );
    }

    #[test]
    fn requests_with_and_without_headers() {
        // Length 22; one header: length 18, type 2 (transaction descriptor, requests outstanding).
        let h = b"\x16\0\0\0\x12\0\0\0\x02\0\0\0\0\0\0\0\0\0\x01\0\0\0sql";
        assert_eq!(all_headers(h), Some(&b"sql"[..]));
        assert_eq!(all_headers(b"s\0e\0l\0e\0c\0t\0 \0!\0"), None);
    }

    #[test]
    fn texts_of_two_bytes_a_character_are_cut_between_characters() {
        assert_eq!(utf8(b"a\0\xe9\0\x3d\xd8\x00\xde", 99), "aé😀".as_bytes());
        assert_eq!(utf8(b"a\0\xe9\0\x3d\xd8\x00\xde", 6), "aé".as_bytes());
        assert_eq!(utf8(b"\x3d\xd8x\0y", 99), "\u{fffd}x".as_bytes(), "half a pair, half a character");
        assert_eq!(utf8(&b"z\0".repeat(1000), 2000), b"z".repeat(1000));
    }

    #[test]
    fn logins_of_old() {
        let mut bytes = vec![0; 512];
        for (at, name) in [(0, &b"h"[..]), (31, b"eve"), (62, b"secret"), (140, b"prog")] {
            bytes[at..at + name.len()].copy_from_slice(name);
            bytes[at + 30] = name.len() as u8;
        }
        let got = old_login(&bytes).unwrap();
        assert_eq!([got.host, got.user, got.program], [&b"h"[..], b"eve", b"prog"]);
        bytes[61] = 31;
        assert_eq!(old_login(&bytes), None, "longer than its place");
    }

    #[test]
    fn options_of_a_pre_login() {
        let bytes = b"\0\0\x0b\0\x06\x01\0\x11\0\x01\xff\x08\0\x01\x55\0\0\x02";
        let mut got = Vec::new();
        assert!(prelogin(bytes, |token, text| got.push((token, text.to_vec()))));
        assert_eq!(got, [(0, vec![]), (1, vec![2])]);
        assert!(!prelogin(b"\x16\x03\x01\0", |_, _| ()));
        assert!(!prelogin(b"\xff", |_, _| ()));
    }
}
