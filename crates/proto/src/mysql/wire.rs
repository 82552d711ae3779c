//! Bytes to facts, no state: packets, integers, OK, ERR, EOF, greeting and login.

use base::{Reader, Short};

/// Commands, the first byte of a client's packet.
pub(super) mod com {
    pub(crate) const QUIT: u8 = 0x01;
    pub(crate) const INIT_DB: u8 = 0x02;
    pub(crate) const QUERY: u8 = 0x03;
    pub(crate) const FIELD_LIST: u8 = 0x04;
    pub(crate) const CREATE_DB: u8 = 0x05;
    pub(crate) const DROP_DB: u8 = 0x06;
    pub(crate) const REFRESH: u8 = 0x07;
    pub(crate) const SHUTDOWN: u8 = 0x08;
    pub(crate) const STATISTICS: u8 = 0x09;
    pub(crate) const PROCESS_INFO: u8 = 0x0a;
    pub(crate) const PROCESS_KILL: u8 = 0x0c;
    pub(crate) const DEBUG: u8 = 0x0d;
    pub(crate) const PING: u8 = 0x0e;
    pub(crate) const CHANGE_USER: u8 = 0x11;
    pub(crate) const BINLOG_DUMP: u8 = 0x12;
    pub(crate) const TABLE_DUMP: u8 = 0x13;
    pub(crate) const REGISTER_SLAVE: u8 = 0x15;
    pub(crate) const STMT_PREPARE: u8 = 0x16;
    pub(crate) const STMT_EXECUTE: u8 = 0x17;
    pub(crate) const STMT_SEND_LONG_DATA: u8 = 0x18;
    pub(crate) const STMT_CLOSE: u8 = 0x19;
    pub(crate) const STMT_RESET: u8 = 0x1a;
    pub(crate) const SET_OPTION: u8 = 0x1b;
    pub(crate) const STMT_FETCH: u8 = 0x1c;
    pub(crate) const BINLOG_DUMP_GTID: u8 = 0x1e;
    pub(crate) const RESET_CONNECTION: u8 = 0x1f;
    pub(crate) const CLONE: u8 = 0x20;
    pub(crate) const SUBSCRIBE_GROUP_REPLICATION: u8 = 0x21;
    /// MariaDB.
    pub(crate) const STMT_BULK_EXECUTE: u8 = 0xfa;
}

/// Capabilities that change what is on the wire.
pub(super) mod cap {
    pub(crate) const CONNECT_WITH_DB: u32 = 1 << 3;
    pub(crate) const COMPRESS: u32 = 1 << 5;
    pub(crate) const PROTOCOL_41: u32 = 1 << 9;
    pub(crate) const SSL: u32 = 1 << 11;
    pub(crate) const SECURE_CONNECTION: u32 = 1 << 15;
    pub(crate) const PLUGIN_AUTH_LENENC: u32 = 1 << 21;
    pub(crate) const DEPRECATE_EOF: u32 = 1 << 24;
    pub(crate) const ZSTD: u32 = 1 << 26;
    pub(crate) const QUERY_ATTRIBUTES: u32 = 1 << 27;
}

/// Status flags of OK and EOF.
pub(super) mod status {
    pub(crate) const MORE_RESULTS: u16 = 0x0008;
    pub(crate) const CURSOR_EXISTS: u16 = 0x0040;
    pub(crate) const SESSION_STATE_CHANGED: u16 = 0x4000;
}

/// Length of a packet's header.
pub(super) const HEADER: usize = 4;
/// A payload of this length goes on in the next packet.
pub(super) const FULL: u32 = 0x00ff_ffff;

/// Header of a packet: length of the payload and sequence number.
pub(super) fn header(bytes: &[u8]) -> Option<(u32, u8)> {
    let [a, b, c, seq] = bytes.first_chunk::<HEADER>()?;
    Some((u32::from_le_bytes([*a, *b, *c, 0]), *seq))
}

/// A length-encoded integer; `None` is the NULL of text rows.
pub(super) fn lenenc(r: &mut Reader<'_>) -> Result<Option<u64>, Short> {
    Ok(Some(match r.u8("lenenc")? {
        0xfb => return Ok(None),
        0xfc => u64::from(r.le16("lenenc")?),
        0xfd => u64::from(r.le24("lenenc")?),
        0xfe => r.le64("lenenc")?,
        0xff => return Err(Short("lenenc")),
        n => u64::from(n),
    }))
}

/// A length-encoded integer that is not NULL.
pub(super) fn number(r: &mut Reader<'_>) -> Result<u64, Short> {
    lenenc(r)?.ok_or(Short("lenenc"))
}

/// A length-encoded string.
pub(super) fn string<'a>(r: &mut Reader<'a>) -> Result<&'a [u8], Short> {
    let n = number(r)?;
    r.take(usize::try_from(n).unwrap_or(usize::MAX), "string")
}

/// What OK and EOF packets tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Done<'a> {
    pub(super) affected: u64,
    pub(super) status: u16,
    /// The default database, when session tracking told that it changed.
    pub(super) schema: Option<&'a [u8]>,
}

/// An OK packet, whatever its first byte.
pub(super) fn ok(payload: &[u8]) -> Result<Done<'_>, Short> {
    let mut r = Reader::new(payload);
    r.skip(1, "header")?;
    let affected = number(&mut r)?;
    let _insert_id = number(&mut r)?;
    // Before 4.1 this was the end.
    let status = r.le16("status").unwrap_or_default();
    let mut done = Done { affected, status, schema: None };
    if status & status::SESSION_STATE_CHANGED != 0 && r.skip(2, "warnings").is_ok() {
        done.schema = tracked_schema(r).ok().flatten();
    }
    Ok(done)
}

/// The change of schema among the changes of session state.
fn tracked_schema(mut r: Reader<'_>) -> Result<Option<&[u8]>, Short> {
    const SCHEMA: u8 = 1;
    let _info = string(&mut r)?;
    let changes = number(&mut r)?;
    // Cut behind what is kept of a long packet.
    let mut r = Reader::new(r.take_up_to(usize::try_from(changes).unwrap_or(usize::MAX)));
    let mut found = None;
    while !r.is_empty() {
        let kind = r.u8("kind")?;
        let data = string(&mut r)?;
        if kind == SCHEMA {
            found = Some(string(&mut Reader::new(data))?);
        }
    }
    Ok(found)
}

/// Is this packet, which begins with 0xfe, an EOF of the old kind? An OK in its place is longer.
pub(super) fn is_eof(len: u64) -> bool {
    len < 7
}

/// Status of an EOF packet; it has none before 4.1.
pub(super) fn eof(payload: &[u8]) -> Done<'_> {
    match payload {
        [_, _, _, a, b, ..] => Done { status: u16::from_le_bytes([*a, *b]), ..Done::default() },
        _ => Done::default(),
    }
}

/// An error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failed<'a> {
    pub(super) code: u16,
    pub(super) message: &'a [u8],
}

/// MariaDB's progress report, in the form of an error.
pub(super) const PROGRESS: u16 = 0xffff;

/// An ERR packet. The SQLSTATE in front of the message is left out.
pub(super) fn err(payload: &[u8]) -> Result<Failed<'_>, Short> {
    let mut r = Reader::new(payload);
    r.skip(1, "header")?;
    let code = r.le16("code")?;
    if r.peek() == Some(b'#') {
        r.skip(6, "state")?;
    }
    Ok(Failed { code, message: r.rest() })
}

/// The server's greeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Greeting {
    pub(super) caps: u32,
}

/// Protocol 10, or 9 of before 3.22.
pub(super) fn greeting(payload: &[u8]) -> Result<Greeting, Short> {
    let mut r = Reader::new(payload);
    let protocol = r.u8("protocol")?;
    let version = r.until(0, "version")?;
    if !matches!(protocol, 9 | 10)
        || version.is_empty()
        || version.len() > 128
        || !version.iter().all(|b| matches!(b, b' '..=b'~'))
        || !version.iter().any(u8::is_ascii_digit)
    {
        return Err(Short("version"));
    }
    r.skip(4, "thread")?;
    if protocol == 9 {
        return Ok(Greeting { caps: 0 });
    }
    r.skip(8, "scramble")?;
    if r.u8("filler")? != 0 {
        return Err(Short("filler"));
    }
    let low = r.le16("capabilities")?;
    let mut high = 0;
    if r.skip(3, "charset").is_ok() {
        high = r.le16("capabilities").unwrap_or_default();
    }
    Ok(Greeting { caps: u32::from(low) | u32::from(high).wrapping_shl(16) })
}

/// The client's login, or its wish to go on in TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Login<'a> {
    pub(super) caps: u32,
    pub(super) user: &'a [u8],
    pub(super) db: &'a [u8],
    /// No user follows: TLS does.
    pub(super) tls: bool,
}

/// Bytes of a login before the user's name.
const LOGIN_FIXED: usize = 32;

/// A login. What authentication it carries is passed over.
pub(super) fn login(payload: &[u8]) -> Result<Login<'_>, Short> {
    let mut r = Reader::new(payload);
    let low = u32::from(Reader::new(payload).le16("capabilities")?);
    if low & cap::PROTOCOL_41 == 0 {
        r.skip(5, "capabilities")?;
        if r.is_empty() {
            return tls_only(low);
        }
        let user = r.until(0, "user")?;
        let db = if low & cap::CONNECT_WITH_DB != 0 {
            let _auth = r.until(0, "auth");
            zero_ended(&mut r)
        } else {
            &[]
        };
        return Ok(Login { caps: low, user, db, tls: false });
    }
    let caps = r.le32("capabilities")?;
    r.skip(5, "charset")?;
    let filler = r.array::<19>("filler")?;
    if filler != [0; 19] {
        return Err(Short("filler"));
    }
    r.skip(4, "extended")?;
    if payload.len() == LOGIN_FIXED {
        return tls_only(caps);
    }
    let user = r.until(0, "user")?;
    let mut db = &[][..];
    // Nothing behind the name is worth a refusal.
    if auth(&mut r, caps).is_ok() && caps & cap::CONNECT_WITH_DB != 0 {
        db = zero_ended(&mut r);
    }
    Ok(Login { caps, user, db, tls: false })
}

fn tls_only(caps: u32) -> Result<Login<'static>, Short> {
    if caps & cap::SSL == 0 {
        return Err(Short("user"));
    }
    Ok(Login { caps, user: &[], db: &[], tls: true })
}

/// Passes over the answer to the server's scramble.
fn auth(r: &mut Reader<'_>, caps: u32) -> Result<(), Short> {
    if caps & cap::PLUGIN_AUTH_LENENC != 0 {
        string(r)?;
    } else if caps & cap::SECURE_CONNECTION != 0 {
        let n = r.u8("auth")?;
        r.skip(usize::from(n), "auth")?;
    } else {
        r.until(0, "auth")?;
    }
    Ok(())
}

/// A string that ends with a zero or with the packet.
pub(super) fn zero_ended<'a>(r: &mut Reader<'a>) -> &'a [u8] {
    let whole = r.rest();
    r.until(0, "string").unwrap_or(whole)
}

/// User and database of COM_CHANGE_USER.
pub(super) fn change_user(payload: &[u8], caps: u32) -> Result<(&[u8], &[u8]), Short> {
    let mut r = Reader::new(payload);
    r.skip(1, "command")?;
    let user = r.until(0, "user")?;
    if caps & cap::SECURE_CONNECTION != 0 || caps == 0 {
        let n = r.u8("auth")?;
        r.skip(usize::from(n), "auth")?;
    } else {
        r.until(0, "auth")?;
    }
    Ok((user, zero_ended(&mut r)))
}

/// What the first packet of a result set says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) count: u64,
    /// Their definitions follow.
    pub(super) defined: bool,
}

/// Number of columns. MySQL can put before it, and MariaDB behind it, whether definitions follow.
pub(super) fn columns(payload: &[u8]) -> Option<Columns> {
    let whole = |bytes: &[u8]| {
        let mut r = Reader::new(bytes);
        let n = number(&mut r).ok()?;
        r.is_empty().then_some(n)
    };
    if let Some(count) = whole(payload) {
        return (count > 0).then_some(Columns { count, defined: true });
    }
    // Both forms fit only "1 1", which means the same in both.
    if let Some((first @ (0 | 1), rest)) = payload.split_first()
        && let Some(count) = whole(rest)
        && count > 0
    {
        return Some(Columns { count, defined: *first == 1 });
    }
    let (last, rest) = payload.split_last()?;
    let count = whole(rest)?;
    (count > 0 && *last <= 1).then_some(Columns { count, defined: *last == 1 })
}

/// The answer to COM_STMT_PREPARE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prepared {
    pub(super) id: u32,
    pub(super) columns: u16,
    pub(super) params: u16,
    /// Definitions of parameters and columns follow.
    pub(super) defined: bool,
}

pub(super) fn prepared(payload: &[u8]) -> Result<Prepared, Short> {
    let mut r = Reader::new(payload);
    r.skip(1, "header")?;
    let id = r.le32("statement")?;
    let columns = r.le16("columns")?;
    let params = r.le16("params")?;
    // Filler and warnings, and whether definitions follow, came with time.
    let defined = r.skip(3, "warnings").is_err() || r.u8("defined").unwrap_or(1) != 0;
    Ok(Prepared { id, columns, params, defined })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_strings() {
        let n = |b: &[u8]| lenenc(&mut Reader::new(b));
        assert_eq!(n(&[250]), Ok(Some(250)));
        assert_eq!(n(&[0xfb]), Ok(None));
        assert_eq!(n(&[0xfc, 1, 2]), Ok(Some(0x201)));
        assert_eq!(n(&[0xfd, 1, 2, 3]), Ok(Some(0x0003_0201)));
        assert_eq!(n(&[0xfe, 1, 0, 0, 0, 0, 0, 0, 0]), Ok(Some(1)));
        assert!(n(&[0xfc, 1]).is_err() && n(&[0xff]).is_err());
        assert_eq!(string(&mut Reader::new(b"\x03abcd")), Ok(&b"abc"[..]));
        assert!(string(&mut Reader::new(b"\xfe\xff\xff\xff\xff\xff\xff\xff\xffx")).is_err());
    }

    #[test]
    fn ok_eof_and_err() {
        // affected 1, insert id 2, autocommit, no warnings
        let p = [0, 1, 2, 2, 0, 0, 0];
        assert_eq!(ok(&p), Ok(Done { affected: 1, status: 2, schema: None }));
        // state changed: info "", changes of 10 bytes: a variable x=y, the schema "db"
        let p = b"\0\0\0\x02\x40\0\0\0\x0a\x00\x04\x01x\x01y\x01\x03\x02db";
        assert_eq!(ok(p).map(|d| d.schema), Ok(None), "cut where the length says");
        let p = b"\0\0\0\x02\x40\0\0\0\x0b\x00\x04\x01x\x01y\x01\x03\x02db";
        assert_eq!(ok(p).map(|d| d.schema), Ok(Some(&b"db"[..])));
        assert_eq!(eof(&[0xfe, 0, 0, 8, 0]).status, status::MORE_RESULTS);
        assert_eq!(eof(&[0xfe]).status, 0);
        let e = err(b"\xff\x7a\x04#42S02no table");
        assert_eq!(e, Ok(Failed { code: 1146, message: b"no table" }));
        assert_eq!(err(b"\xff\x10\x04Too many").map(|e| e.message), Ok(&b"Too many"[..]));
        assert!(err(b"\xff\x10").is_err());
    }

    #[test]
    fn greetings_of_all_ages() {
        let mut p = b"\x0a8.0.29\0\x3b\0\0\0IZ\x086Ceh\x13\0\xff\xff\xff\x02\0\xff\xdf\x15".to_vec();
        assert_eq!(greeting(&p), Ok(Greeting { caps: 0xdfff_ffff }));
        p.truncate(24);
        assert_eq!(greeting(&p), Ok(Greeting { caps: 0xffff }), "3.22 told no more");
        assert_eq!(greeting(b"\x093.21.33\0\x01\0\0\0abcdefgh\0"), Ok(Greeting { caps: 0 }));
        assert!(greeting(b"\x0a\0\x01\0\0\0abcdefgh\0\0\0").is_err());
        assert!(greeting(b"\x0bMariaDB 5\0\x01\0\0\0abcdefgh\0\0\0").is_err());
    }

    #[test]
    fn logins_of_all_ages() {
        let mut p = vec![0x0d, 0xa6, 0, 0, 0, 0, 0, 1, 8];
        p.extend([0; 23]);
        p.extend(b"root\0\x02xytest\0mysql_native_password\0");
        assert_eq!(login(&p), Ok(Login { caps: 0xa60d, user: b"root", db: b"test", tls: false }));
        p.truncate(32);
        assert!(login(&p).is_err(), "no user and no TLS");
        p[1] |= 0x08;
        assert_eq!(login(&p).map(|l| l.tls), Ok(true));
        p[10] = 1;
        assert!(login(&p).is_err(), "the filler is zero");
        let old = b"\x0d\x24\0\0\0jim\0ABCDEFGH\0shop\0";
        assert_eq!(login(old), Ok(Login { caps: 0x240d, user: b"jim", db: b"shop", tls: false }));
        assert_eq!(change_user(b"\x11ann\0\x02xydb\0", 0), Ok((&b"ann"[..], &b"db"[..])));
    }

    #[test]
    fn columns_of_both_dialects() {
        let c = |b: &[u8]| columns(b).map(|c| (c.count, c.defined));
        assert_eq!(c(&[5]), Some((5, true)));
        assert_eq!(c(&[0xfc, 0, 1]), Some((256, true)));
        assert_eq!(c(&[1, 5]), Some((5, true)), "MySQL: definitions, count");
        assert_eq!(c(&[0, 5]), Some((5, false)));
        assert_eq!(c(&[5, 1]), Some((5, true)), "MariaDB: count, definitions");
        assert_eq!(c(&[5, 0]), Some((5, false)));
        assert_eq!(c(&[0xfc, 0, 1, 0]), Some((256, false)));
        assert_eq!((c(&[0]), c(&[]), c(&[9, 9]), c(b"\x03def")), (None, None, None, None));
    }

    #[test]
    fn prepared_statements() {
        let p = prepared(&[0, 7, 0, 0, 0, 2, 0, 3, 0, 0, 0, 0]);
        assert_eq!(p, Ok(Prepared { id: 7, columns: 2, params: 3, defined: true }));
        assert_eq!(prepared(&[0, 7, 0, 0, 0, 2, 0, 3, 0, 0, 0, 0, 0]).map(|p| p.defined), Ok(false));
        assert!(prepared(&[0, 7, 0, 0]).is_err());
    }
}
