//! Messages on the wire: bytes to facts, no state (protocol 3.0, "Message Formats").

use crate::session::Verdict;
use base::{Direction, Reader};

/// Type and length of a message.
pub(super) const HEADER: usize = 5;
/// PostgreSQL itself allows no message above 1 GiB.
const LONGEST: usize = 0x4000_0000;
/// A startup packet is not longer (the server's own limit).
const STARTUP: usize = 10_000;

/// First packet of a client: it has no type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Startup<'a> {
    /// Asks for TLS.
    Tls,
    /// Asks for GSSAPI encryption.
    Gss,
    /// Asks another connection's statement to be cancelled.
    Cancel,
    /// Protocol 3: the parameters, pairs of strings that end with a zero byte.
    Login(&'a [u8]),
}

/// What the first bytes of a client are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First<'a> {
    /// A startup packet and its length.
    Whole(Startup<'a>, usize),
    /// That many bytes must be there.
    Need(usize),
    /// None.
    None,
}

/// Reads a startup packet.
pub(super) fn startup(bytes: &[u8]) -> First<'_> {
    let mut r = Reader::new(bytes);
    let (Ok(len), Ok(code)) = (r.be32("length"), r.be32("code")) else {
        // The length is below 2^16: its first two bytes are zero.
        return if bytes.iter().take(2).all(|b| *b == 0) { First::Need(8) } else { First::None };
    };
    let len = len as usize;
    let what = match (code, len) {
        (80_877_103, 8) => Startup::Tls,
        (80_877_104, 8) => Startup::Gss,
        // The key of protocol 3.0 has 4 bytes, later ones up to 256.
        (80_877_102, 16..=268) => Startup::Cancel,
        (0x0003_0000..=0x0003_ffff, 9..=STARTUP) => {
            // A parameter's name, `user` in most cases.
            let name =
                r.rest().iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_' || **b == b'.');
            let n = name.count();
            let fits = match r.rest().get(n) {
                Some(0) => n > 0 || len == 9,
                Some(_) => false,
                None => true,
            };
            if !fits {
                return First::None;
            }
            Startup::Login(&[])
        }
        _ => return First::None,
    };
    match (what, bytes.get(8..len)) {
        (_, None) => First::Need(len),
        (Startup::Login(_), Some(body)) if body.last() == Some(&0) => First::Whole(Startup::Login(body), len),
        (Startup::Login(_), Some(_)) => First::None,
        (what, Some(_)) => First::Whole(what, len),
    }
}

/// The value of a parameter of a startup packet.
pub(super) fn parameter<'a>(params: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut r = Reader::new(params);
    while let Ok(key) = r.until(0, "name") {
        let value = r.until(0, "value").ok()?;
        if key == name {
            return Some(value);
        }
    }
    None
}

/// A message's type and the length of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The type byte.
    pub(super) kind: u8,
    /// Bytes behind the header.
    pub(super) len: usize,
}

impl Head {
    /// The header at the beginning of the bytes; `Err` when there is none, or not yet
    /// (how many bytes must be there).
    pub(super) fn read(dir: Direction, bytes: &[u8]) -> Result<Head, Option<usize>> {
        let Some(&kind) = bytes.first() else { return Err(Some(HEADER)) };
        let (least, most) = range(dir, kind).ok_or(None)?;
        let Some([_, a, b, c, d]) = bytes.first_chunk::<HEADER>() else {
            return Err(Some(HEADER));
        };
        let len = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let len = len.checked_sub(4).filter(|n| (least..=most).contains(n)).ok_or(None)?;
        Ok(Head { kind, len })
    }
}

/// Shortest and longest body of a type; `None`: no such type.
fn range(dir: Direction, kind: u8) -> Option<(usize, usize)> {
    let any = LONGEST;
    Some(match (dir, kind) {
        (Direction::ToServer, b) => match b {
            b'Q' | b'f' => (1, any),
            b'P' => (4, any),
            b'B' => (8, any),
            b'E' => (5, 1024),
            b'C' | b'D' => (2, 1024),
            b'S' | b'H' | b'X' | b'c' => (0, 0),
            b'F' => (10, any),
            b'd' => (0, any),
            b'p' => (0, 128 * 1024),
            _ => return None,
        },
        (Direction::ToClient, b) => match b {
            b'1' | b'2' | b'3' | b'n' | b's' | b'I' | b'c' => (0, 0),
            b'Z' => (1, 1),
            b'C' => (1, 128),
            b'D' => (2, any),
            b'd' => (0, any),
            b'T' => (2, 1024 * 1024),
            b't' => (2, 256 * 1024),
            b'E' | b'N' => (1, 1024 * 1024),
            b'G' | b'H' | b'W' => (3, 8192),
            b'S' => (2, 64 * 1024),
            b'A' => (6, 16 * 1024),
            b'K' => (8, 260),
            b'R' => (4, 64 * 1024),
            b'V' => (4, any),
            b'v' => (8, 64 * 1024),
            _ => return None,
        },
    })
}

/// How much a message that is there as a whole, or in part, proves.
enum Proof {
    /// It cannot be one.
    None,
    /// Its form says little.
    Weak,
    /// Its form is that of no other protocol.
    Strong,
    /// Looks well so far.
    Open,
}

/// Do these bytes begin with messages of this direction?
pub(super) fn messages(dir: Direction, bytes: &[u8]) -> Verdict {
    /// So many messages of weak form in a row are proof too.
    const CHAIN: u32 = 3;
    let (mut rest, mut weak) = (bytes, 0u32);
    while !rest.is_empty() {
        let head = match Head::read(dir, rest) {
            Ok(head) => head,
            Err(Some(_)) => return Verdict::More,
            Err(None) => return Verdict::No,
        };
        let body = rest.get(HEADER..).unwrap_or_default();
        let whole = body.len() >= head.len;
        match proof(dir, head, body.get(..head.len).unwrap_or(body), whole) {
            Proof::None => return Verdict::No,
            Proof::Strong => return Verdict::Yes,
            Proof::Open => return Verdict::More,
            Proof::Weak => weak = weak.saturating_add(1),
        }
        if weak >= CHAIN {
            return Verdict::Yes;
        }
        rest = body.get(head.len..).unwrap_or_default();
    }
    Verdict::More
}

fn proof(dir: Direction, head: Head, body: &[u8], whole: bool) -> Proof {
    let good = match (dir, head.kind) {
        (Direction::ToServer, kind) => match kind {
            b'Q' => return statement(body, whole, head.len),
            b'P' => {
                let mut r = Reader::new(body);
                match (r.until(0, "name"), r.until(0, "query")) {
                    (Ok(name), _) if !is_text(name) => return Proof::None,
                    (Ok(_), Ok(query)) => {
                        let count = r.be16("types").map(|n| usize::from(n).saturating_mul(4));
                        let fits = match count {
                            Ok(n) if whole => n == r.left(),
                            Ok(n) => n >= r.left(),
                            Err(_) => !whole,
                        };
                        is_text(query) && fits
                    }
                    (Ok(name), Err(_)) => {
                        let sql = body.get(name.len().saturating_add(1)..).unwrap_or_default();
                        return if whole { Proof::None } else { statement(sql, false, head.len) };
                    }
                    _ if whole || !is_text(body) => return Proof::None,
                    _ => return Proof::Open,
                }
            }
            b'B' if whole => Bind::read(body).is_some_and(|b| b.walk(|_, _| ()) && b.is_whole()),
            b'E' if whole => matches!(body.split_last_chunk::<4>(),
                Some((name, [a, ..])) if a & 0x80 == 0 && cstring(name).is_some()),
            b'C' | b'D' if whole => {
                matches!(body.split_first(), Some((b'S' | b'P', name)) if cstring(name).is_some())
            }
            b'S' | b'H' | b'X' | b'c' => return Proof::Weak,
            b'd' | b'f' if whole => return Proof::Weak,
            // Lengths say nothing of a password.
            _ => return if whole { Proof::Weak } else { Proof::Open },
        },
        (Direction::ToClient, kind) => match kind {
            b'1' | b'2' | b'3' | b'n' | b's' | b'I' | b'c' => return Proof::Weak,
            b'Z' if whole => matches!(body, [b'I' | b'T' | b'E']),
            b'C' if whole => cstring(body).is_some_and(is_tag),
            b'T' => return columns(body, whole),
            b'D' if whole => return if row(body) { Proof::Weak } else { Proof::None },
            b't' if whole => counted(body, 4),
            b'E' | b'N' if whole => Notice::read(body).is_some(),
            b'S' if whole => parameter_status(body).is_some(),
            b'G' | b'H' | b'W' if whole => {
                matches!(body.split_first(), Some((0 | 1, rest)) if counted(rest, 2))
            }
            b'R' => match body.first_chunk::<4>().map(|c| u32::from_be_bytes(*c)) {
                Some(0) => whole && body.len() == 4,
                Some(2..=12) => true,
                Some(_) => return Proof::None,
                None => return Proof::Open,
            },
            _ if whole => return Proof::Weak,
            _ => return Proof::Open,
        },
    };
    match (good, whole) {
        (true, _) => Proof::Strong,
        (false, true) => Proof::None,
        (false, false) => Proof::Open,
    }
}

/// The text of a statement, with the zero byte at its end when it is there as a whole.
fn statement(body: &[u8], whole: bool, len: usize) -> Proof {
    /// So much text behind a fitting header is no accident.
    const ENOUGH: usize = 48;
    if whole {
        return if cstring(body).is_some_and(is_text) { Proof::Strong } else { Proof::None };
    }
    if !is_text(body) || len <= body.len() {
        return Proof::None;
    }
    let begins = body.first().is_some_and(|b| b.is_ascii_alphabetic() || b" \r\n\t(/-".contains(b));
    if begins && body.len() >= ENOUGH { Proof::Strong } else { Proof::Open }
}

/// No control characters but white space.
fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|b| *b >= b' ' && *b != 0x7f || matches!(b, b'\t' | b'\n' | b'\r' | 0x0b | 0x0c))
}

/// A command tag: capital words, then numbers.
fn is_tag(tag: &[u8]) -> bool {
    tag.iter().take(2).filter(|b| b.is_ascii_uppercase()).count() == 2
        && tag.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'_' | b'-'))
}

/// RowDescription: each column has a name and 18 bytes.
fn columns(body: &[u8], whole: bool) -> Proof {
    let mut r = Reader::new(body);
    let Ok(count) = r.be16("columns") else { return if whole { Proof::None } else { Proof::Open } };
    let mut seen = 0u16;
    for _ in 0..count {
        let sized = r.until(0, "name").map(is_text).and_then(|ok| {
            r.skip(16, "type")?;
            Ok(ok && r.be16("format")? <= 1)
        });
        match sized {
            Ok(true) => seen = seen.saturating_add(1),
            Ok(false) => return Proof::None,
            Err(_) if whole => return Proof::None,
            Err(_) => return if seen >= 2 { Proof::Strong } else { Proof::Open },
        }
    }
    match (r.is_empty() && whole, count) {
        (true, 0) => Proof::Weak,
        (true, _) => Proof::Strong,
        (false, _) => Proof::None,
    }
}

/// DataRow: counted values, each with its length.
fn row(body: &[u8]) -> bool {
    let mut r = Reader::new(body);
    let Ok(count) = r.be16("columns") else { return false };
    for _ in 0..count {
        match r.be32("length") {
            Ok(u32::MAX) => {}
            Ok(n) if r.skip(n as usize, "value").is_ok() => {}
            _ => return false,
        }
    }
    r.is_empty()
}

/// A 16-bit count and as many items of `size` bytes.
fn counted(body: &[u8], size: usize) -> bool {
    let mut r = Reader::new(body);
    r.be16("count").is_ok_and(|n| usize::from(n).saturating_mul(size) == r.left())
}

/// A string with its zero byte, and nothing behind it.
pub(super) fn cstring(bytes: &[u8]) -> Option<&[u8]> {
    let (end, text) = bytes.split_last()?;
    (*end == 0 && !text.contains(&0)).then_some(text)
}

/// A string up to its zero byte, or as much of it as is there.
pub(super) fn text_of(bytes: &[u8]) -> &[u8] {
    bytes.split(|b| *b == 0).next().unwrap_or_default()
}

/// ParameterStatus: name and value.
pub(super) fn parameter_status(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut r = Reader::new(body);
    let name = r.until(0, "name").ok()?;
    let value = r.until(0, "value").ok()?;
    (r.is_empty() && !name.is_empty() && is_text(name)).then_some((name, value))
}

/// ErrorResponse or NoticeResponse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Notice<'a> {
    /// SQLSTATE.
    pub(super) code: &'a [u8],
    /// The message.
    pub(super) message: &'a [u8],
    /// The connection is at its end.
    pub(super) fatal: bool,
}

impl<'a> Notice<'a> {
    /// Reads its fields: a letter and a string each. It may be cut behind its message.
    pub(super) fn read(body: &'a [u8]) -> Option<Notice<'a>> {
        let mut notice = Notice { code: b"", message: b"", fatal: false };
        let mut r = Reader::new(body);
        let mut fields = 0u32;
        while let Ok(letter) = r.u8("field") {
            if letter == 0 {
                return (fields > 0 && r.is_empty()).then_some(notice);
            }
            if !letter.is_ascii_alphabetic() {
                return None;
            }
            let Ok(value) = r.until(0, "value") else { break };
            fields = fields.saturating_add(1);
            match letter {
                // The word of V is never translated; servers before 9.6 have only S.
                b'S' | b'V' => notice.fatal |= matches!(value, b"FATAL" | b"PANIC"),
                b'C' => notice.code = value,
                b'M' => notice.message = value,
                _ => {}
            }
        }
        (fields > 1).then_some(notice)
    }
}

/// The number in a command tag: the last word.
pub(super) fn tag_rows(tag: &[u8]) -> Option<u64> {
    let word = tag.rsplit(|b| *b == b' ').next()?;
    if word.is_empty() || word.len() > 19 || word.len() == tag.len() {
        return None;
    }
    word.iter().try_fold(0u64, |n, b| {
        b.is_ascii_digit().then(|| n.saturating_mul(10).saturating_add(u64::from(b.wrapping_sub(b'0'))))
    })
}

/// Parse.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parse<'a> {
    /// Name of the statement; empty for the unnamed one.
    pub(super) name: &'a [u8],
    /// Its text, cut when the message was.
    pub(super) text: &'a [u8],
    /// Type OIDs behind their count.
    pub(super) types: &'a [u8],
}

impl<'a> Parse<'a> {
    /// Reads it; its end may be cut off.
    pub(super) fn read(body: &'a [u8]) -> Option<Parse<'a>> {
        let mut r = Reader::new(body);
        let name = r.until(0, "name").ok()?;
        let rest = r;
        match r.until(0, "query") {
            Ok(text) => Some(Parse { name, text, types: oids(r.rest()) }),
            Err(_) => Some(Parse { name, text: rest.rest(), types: &[] }),
        }
    }
}

/// The OIDs of a counted list, as bytes, four each.
pub(super) fn oids(list: &[u8]) -> &[u8] {
    let mut r = Reader::new(list);
    let count = r.be16("types").unwrap_or(0);
    r.take_up_to(usize::from(count).saturating_mul(4))
}

/// The format of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Binary,
}

/// Bind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bind<'a> {
    /// Name of the portal; empty for the unnamed one.
    pub(super) portal: &'a [u8],
    /// Name of the statement.
    pub(super) statement: &'a [u8],
    /// Format codes, two bytes each: none (all text), one for all, or one each.
    formats: &'a [u8],
    /// Number of values.
    count: u16,
    /// The values behind each other, each with its length, and the result formats.
    values: &'a [u8],
}

/// A value, or `None` for NULL.
pub(super) type Param<'a> = Option<&'a [u8]>;

impl<'a> Bind<'a> {
    /// Reads it; its end may be cut off.
    pub(super) fn read(body: &'a [u8]) -> Option<Bind<'a>> {
        let mut r = Reader::new(body);
        let portal = r.until(0, "portal").ok()?;
        let statement = r.until(0, "statement").ok()?;
        Some(Bind { portal, statement, ..Bind::values(r.rest())? })
    }

    /// Formats and values, as in a function call.
    pub(super) fn values(bytes: &'a [u8]) -> Option<Bind<'a>> {
        let mut r = Reader::new(bytes);
        let formats = r.be16("formats").ok()?;
        let formats = r.take(usize::from(formats).saturating_mul(2), "formats").ok()?;
        let count = r.be16("values").ok()?;
        Some(Bind { portal: b"", statement: b"", formats, count, values: r.rest() })
    }

    /// Are there any?
    pub(super) fn has_values(&self) -> bool {
        self.count > 0
    }

    /// The format of a value.
    pub(super) fn format(&self, i: usize) -> Format {
        let mut codes = self.formats.chunks_exact(2);
        let code = if self.formats.len() == 2 { codes.next() } else { codes.nth(i) };
        if code == Some(&[0, 1]) { Format::Binary } else { Format::Text }
    }

    /// Calls `f` with each value that is there as a whole; false when the end is cut off or wrong.
    pub(super) fn walk(&self, mut f: impl FnMut(usize, Param<'a>)) -> bool {
        let mut r = Reader::new(self.values);
        for i in 0..usize::from(self.count) {
            match r.be32("length") {
                Ok(u32::MAX) => f(i, None),
                Ok(n) => match r.take(n as usize, "value") {
                    Ok(value) => f(i, Some(value)),
                    Err(_) => return false,
                },
                Err(_) => return false,
            }
        }
        true
    }

    /// What stands behind the values is a counted list of result formats and no more.
    fn is_whole(&self) -> bool {
        let mut r = Reader::new(self.values);
        for _ in 0..self.count {
            match r.be32("length") {
                Ok(u32::MAX) => {}
                Ok(n) if r.skip(n as usize, "value").is_ok() => {}
                _ => return false,
            }
        }
        counted(r.rest(), 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::{ToClient, ToServer};

    #[test]
    fn startup_packets() {
        assert_eq!(startup(b"\0\0\0\x08\x04\xd2\x16\x2f"), First::Whole(Startup::Tls, 8));
        assert_eq!(startup(b"\0\0\0\x08\x04\xd2\x16\x30"), First::Whole(Startup::Gss, 8));
        assert_eq!(startup(b"\0\0\0\x10\x04\xd2\x16\x2eaaaabbbb"), First::Whole(Startup::Cancel, 16));
        let login = b"\0\0\0\x1b\0\x03\0\x02user\0bob\0database\0d\0\0";
        let login = [&[0, 0, 0, login.len() as u8], &login[4..]].concat();
        let First::Whole(Startup::Login(params), n) = startup(&login) else {
            panic!("{:?}", startup(&login))
        };
        assert_eq!((n, parameter(params, b"user")), (login.len(), Some(&b"bob"[..])));
        assert_eq!((parameter(params, b"database"), parameter(params, b"x")), (Some(&b"d"[..]), None));
        for n in 0..login.len() {
            assert!(matches!(startup(&login[..n]), First::Need(m) if m > n), "{n}");
        }
        // A Kafka Metadata request of version 0: same code, no parameter name.
        assert_eq!(startup(b"\0\0\0\x14\0\x03\0\0\0\0\0\x01\0\x04test\0\0\0\0"), First::None);
        assert_eq!(startup(b"GET "), First::None);
    }

    #[test]
    fn whole_messages_are_known_by_their_form() {
        assert_eq!(messages(ToServer, b"Q\0\0\0\x0dselect 1\0"), Verdict::Yes);
        assert_eq!(messages(ToServer, b"Q\0\0\0\x0dselect\x011\0"), Verdict::No);
        assert_eq!(messages(ToServer, b"X\0\0\0\x04"), Verdict::More);
        assert_eq!(messages(ToServer, b"S\0\0\0\x04S\0\0\0\x04H\0\0\0\x04"), Verdict::Yes);
        assert_eq!(messages(ToServer, b"P\0\0\0\x10\0select 1\0\0\0"), Verdict::Yes);
        assert_eq!(messages(ToServer, b"P\0\0\0\x10\0select 1\0\0\x01"), Verdict::No, "a type is missing");
        // Portal, statement, no formats, one value `7`, no result formats.
        assert_eq!(messages(ToServer, b"B\0\0\0\x11\0\0\0\0\0\x01\0\0\0\x017\0\0"), Verdict::Yes);
        assert_eq!(messages(ToServer, b"E\0\0\0\x09\0\0\0\0\0"), Verdict::Yes);
        assert_eq!(messages(ToClient, b"Z\0\0\0\x05I"), Verdict::Yes);
        assert_eq!(messages(ToClient, b"Z\0\0\0\x05X"), Verdict::No);
        assert_eq!(messages(ToClient, b"C\0\0\0\x0dSELECT 1\0"), Verdict::Yes);
        assert_eq!(messages(ToClient, b"2\0\0\0\x04D\0\0\0\x0b\0\x01\0\0\0\x017"), Verdict::More);
        // A statement of MySQL of 81 bytes; its length is little endian.
        assert_eq!(messages(ToServer, b"Q\0\0\0\x03select"), Verdict::No);
        assert_eq!(messages(ToServer, b"GET / HTTP/1.1\r\n"), Verdict::No);
    }

    #[test]
    fn errors_and_tags() {
        let e = Notice::read(b"SFEHLER\0VERROR\0C42601\0Mno\0Fscan.l\0\0").unwrap();
        assert_eq!((e.code, e.message, e.fatal), (&b"42601"[..], &b"no"[..], false));
        assert!(Notice::read(b"SFATAL\0C57P01\0Mbye\0\0").unwrap().fatal);
        assert_eq!(Notice::read(b"\x01x\0\0"), None);
        assert_eq!(tag_rows(b"INSERT 0 5"), Some(5));
        assert_eq!(tag_rows(b"SELECT 12"), Some(12));
        for none in [&b"SELECT"[..], b"CREATE TABLE", b"", b"7"] {
            assert_eq!(tag_rows(none), None);
        }
    }
}
