//! What a client asks: the head of a message of TTC.

use super::text;
use super::wire::{is_text, number};
use base::Reader;
use std::borrow::Cow;

/// Functions of calls.
mod function {
    pub(super) const PARSE: u8 = 3;
    pub(super) const EXECUTE: u8 = 4;
    pub(super) const FETCH: u8 = 5;
    pub(super) const COMMIT: u8 = 0x0e;
    pub(super) const ROLLBACK: u8 = 0x0f;
    /// Of Oracle 7.
    pub(super) const ALL7: u8 = 0x47;
    pub(super) const EXECUTE_AND_FETCH: u8 = 0x4e;
    pub(super) const ALL8: u8 = 0x5e;
    pub(super) const LOGIN: u8 = 0x73;
    pub(super) const SESSION_KEY: u8 = 0x76;
}

/// Bits of the options of OALL8.
mod option {
    pub(super) const PARSE: u32 = 1;
    pub(super) const EXECUTE: u32 = 0x20;
    pub(super) const FETCH: u32 = 0x40;
}

/// What a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A statement with its text.
    Statement,
    /// A text for a cursor, executed later.
    Parse(u32),
    /// A cursor is executed again.
    Again(u32),
    /// More rows of a cursor. Told when it fails.
    Fetch(u32),
    Commit,
    Rollback,
    /// Told when it fails.
    Login,
    /// Not told.
    Other,
}

/// A call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) what: What,
    /// Its number: the verdict has it, too.
    pub(super) seq: u8,
    /// Where it begins, behind what goes with it.
    at: usize,
    /// Length of the text as told, and whether that is exact.
    text: usize,
    thin: bool,
}

impl What {
    /// Has it a record, at least when it fails?
    pub(super) fn is_told(self) -> bool {
        !matches!(self, What::Parse(_) | What::Other)
    }

    /// Has it one only when it fails, or for what shows at its end?
    pub(super) fn is_quiet(self) -> bool {
        matches!(self, What::Login | What::Fetch(_))
    }
}

/// Reads the head of a message. `None`: it is none, so it goes on with the one before or is not known.
pub(super) fn read(message: &[u8]) -> Option<Call> {
    /// The call.
    const CALL: u8 = 3;
    /// One that rides on the call behind it.
    const RIDER: u8 = 0x11;
    match *message {
        [CALL, f, seq, ..] => Some(one(message, 0, f, seq)),
        [RIDER, _, seq, ref rest @ ..] => {
            // Calls in a message are numbered one by one.
            /// Most riders in a message.
            const RIDERS: u8 = 8;
            /// Bytes of riders: cursors to close, settings of the session.
            const BEFORE: usize = 4096;
            let head = rest.get(..BEFORE).unwrap_or(rest);
            let at = head.array_windows::<3>().position(|[c, f, s]| {
                *c == CALL && is_function(*f) && (1..=RIDERS).contains(&s.wrapping_sub(seq))
            })?;
            let from = at.saturating_add(3);
            let [_, f, s] = *message.get(from..)?.first_chunk::<3>()?;
            Some(one(message, from, f, s))
        }
        _ => None,
    }
}

fn is_function(f: u8) -> bool {
    (1..=0xd0).contains(&f)
}

fn one(message: &[u8], at: usize, f: u8, seq: u8) -> Call {
    let mut call = Call { what: What::Other, seq, at, text: 0, thin: false };
    let body = message.get(at.saturating_add(3)..).unwrap_or_default();
    call.what = match f {
        function::ALL8 => all8(body, &mut call),
        function::ALL7 => What::Statement,
        function::PARSE => What::Parse(cursor(body)),
        function::EXECUTE | function::EXECUTE_AND_FETCH => What::Again(cursor(body)),
        function::FETCH => What::Fetch(cursor(body)),
        function::COMMIT => What::Commit,
        function::ROLLBACK => What::Rollback,
        function::LOGIN | function::SESSION_KEY => What::Login,
        _ => What::Other,
    };
    call
}

/// Numbers as thin clients write them: the first is not 0.
fn is_thin(body: &[u8]) -> bool {
    matches!(body, [1..=4, 1..=255, ..])
}

/// From some version on a token stands in front: 0 as a rule.
fn behind_token(body: &[u8]) -> &[u8] {
    match body {
        [0, rest @ ..] if is_thin(rest) => rest,
        _ => body,
    }
}

fn cursor(body: &[u8]) -> u32 {
    let body = behind_token(body);
    let mut r = Reader::new(body);
    if is_thin(body) { number(&mut r).unwrap_or(0) } else { r.le32("cursor").unwrap_or(0) }
}

fn all8(body: &[u8], call: &mut Call) -> What {
    let body = behind_token(body);
    let mut r = Reader::new(body);
    call.thin = is_thin(body);
    let mut head = || {
        if call.thin {
            let (options, cursor) = (number(&mut r)?, number(&mut r)?);
            r.u8("pointer").ok()?;
            Some((options, cursor, number(&mut r)?))
        } else {
            let (options, cursor) = (r.le32("options").ok()?, r.le32("cursor").ok()?);
            // Eight bytes on 64 bit, four on 32: those of eight stand for the pointer itself.
            let wide = r.rest().starts_with(&[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
            r.skip(if wide { 8 } else { 4 }, "pointer").ok()?;
            Some((options, cursor, r.le32("length").ok()?))
        }
    };
    let Some((options, cursor, len)) = head() else { return What::Statement };
    call.text = len as usize;
    match (options & option::PARSE != 0, options & option::EXECUTE != 0) {
        (true, _) => What::Statement,
        (false, true) => What::Again(cursor),
        _ if options & option::FETCH != 0 => What::Fetch(cursor),
        _ => What::Other,
    }
}

impl Call {
    /// The statement in all of the message, or of its beginning when `cut`.
    pub(super) fn text<'a>(&self, message: &'a [u8], cut: bool) -> Option<Cow<'a, [u8]>> {
        let body = message.get(self.at.saturating_add(3)..)?;
        if self.thin
            && let Some(text) = text::by_length(body, self.text, cut)
        {
            return Some(text);
        }
        let most = (self.text > 0).then_some(self.text);
        text::by_looks(body, most, cut)
    }

    /// What a login has the server execute, once it is let in: its property AUTH_ALTER_SESSION.
    pub(super) fn alter_session<'a>(&self, message: &'a [u8], cut: bool) -> Option<Cow<'a, [u8]>> {
        self.property(message, b"AUTH_ALTER_SESSION")?.find_map(|(_, v)| text::counted(v, cut))
    }

    /// A name among the properties of a login.
    pub(super) fn name<'a>(&self, message: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
        self.property(message, key)?.find_map(|(room, v)| {
            let (n, rest) = v.split_first()?;
            let n = usize::from(*n);
            let fits =
                n > 0 && [n, n.saturating_mul(2), n.saturating_mul(3), n.saturating_mul(4)].contains(&room);
            rest.get(..n).filter(|name| fits && name.iter().all(|b| is_text(*b)))
        })
    }

    /// What stands behind a key, as it may be read: the length, or the room for the text in any character set (OCI's
    /// in four bytes, or a number), and the text with its count.
    fn property<'a>(
        &self,
        message: &'a [u8],
        key: &[u8],
    ) -> Option<impl Iterator<Item = (usize, &'a [u8])> + use<'a>> {
        let body = message.get(self.at.saturating_add(3)..)?;
        let at = body.windows(key.len()).position(|w| w == key)?;
        let rest = body.get(at.saturating_add(key.len())..)?;
        let (mut oci, mut thin) = (Reader::new(rest), Reader::new(rest));
        let oci = oci.le32("length").ok().map(|n| (n as usize, oci.rest()));
        Some([oci, number(&mut thin).map(|n| (n as usize, thin.rest()))].into_iter().flatten())
    }

    /// The user of a login: the name stands in front of the first of its properties.
    pub(super) fn user<'a>(&self, message: &'a [u8]) -> Option<&'a [u8]> {
        /// Longest name of a user.
        const LONGEST: usize = 512;
        let body = behind_token(message.get(self.at.saturating_add(3)..)?);
        let key = body.windows(5).position(|w| w == b"AUTH_" || w == b"SESSI" || w == b"PROXY")?;
        let mut r = Reader::new(body);
        let (len, before) = match body {
            [1, 1..=4, ..] => {
                r.u8("pointer").ok()?;
                // The count of the key behind it, twice.
                (usize::try_from(number(&mut r)?).ok()?, 3)
            }
            _ => {
                let wide = body.starts_with(&[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
                r.skip(if wide { 8 } else { 4 }, "pointer").ok()?;
                let most = usize::try_from(r.le32("length").ok()?).ok()?;
                // Room for it in any character set is told; its own count stands in front.
                let end = key.checked_sub(5)?;
                let counted = |n: &usize| {
                    let at = end.checked_sub(n.saturating_add(1));
                    *n > 0 && at.and_then(|at| body.get(at)).is_some_and(|b| usize::from(*b) == *n)
                };
                ([most, most / 2, most / 3, most / 4].into_iter().find(counted)?, 5)
            }
        };
        let end = key.checked_sub(before)?;
        let from = end.checked_sub(Some(len).filter(|n| *n <= LONGEST)?)?;
        body.get(from..end).filter(|n| !n.is_empty() && n.iter().all(|b| is_text(*b)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_of_a_thin_client() {
        // OALL8 number 4, options 0x8021, cursor 0, a pointer, 8 bytes of text.
        let m = b"\x03\x5e\x04\x02\x80\x21\x00\x01\x01\x08\x01\x01\x0d\0\0\x04\xff\xff\xff\xff\x01\x0a\0\0\0\x01select 1\x01\x01\0";
        let c = read(m).unwrap();
        assert_eq!((c.what, c.seq), (What::Statement, 4));
        assert_eq!(c.text(m, false).as_deref(), Some(&b"select 1"[..]));
        // The same behind two riders.
        let m = [&b"\x11\x78\x02\x01\x01\x01\x01\x11\x69\x03\x01\x01\x01\x01\x01"[..], m].concat();
        let c = read(&m).unwrap();
        assert_eq!((c.what, c.seq), (What::Statement, 4));
        assert_eq!(c.text(&m, false).as_deref(), Some(&b"select 1"[..]));
    }

    #[test]
    fn a_statement_of_oci_and_its_cursor_again() {
        // 64 bit: options 0x8061, no cursor, pointer, 8 bytes of text at most.
        let m = b"\x03\x5e\x0c\x61\x80\0\0\0\0\0\0\xfe\xff\xff\xff\xff\xff\xff\xff\x08\0\0\0\xfe\xff\xff\xff\0\0\x08select 1\x01\0\0\0";
        let c = read(m).unwrap();
        assert_eq!(c.what, What::Statement);
        assert_eq!(c.text(m, false).as_deref(), Some(&b"select 1"[..]));
        let m = b"\x03\x5e\x0d\x20\0\0\0\x07\0\0\0\0\0\0\0\0\0\0\0";
        assert_eq!(read(m).unwrap().what, What::Again(7));
        let m = b"\x03\x5e\x0d\x40\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0";
        assert_eq!(read(m).unwrap().what, What::Fetch(1));
        assert_eq!(read(b"\x03\x05\x09\x01\0\0\0\x01\0\0\0").unwrap().what, What::Fetch(1));
        assert_eq!(read(b"\x03\x04\x09\x01\0\0\0\x01\0\0\0").unwrap().what, What::Again(1));
        assert_eq!(read(b"\x03\x0e\x06").unwrap().what, What::Commit);
        assert_eq!(read(b"\x02\xb2\0"), None);
    }

    #[test]
    fn what_logins_have_executed() {
        let text = |m: &[u8]| {
            let text = read(m).unwrap().alter_session(m, false).unwrap_or_default();
            String::from_utf8(text.into_owned()).unwrap()
        };
        const SQL: &str = "ALTER SESSION SET TIME_ZONE='-05:00'";
        // JDBC, with the zero behind it; OCI 10; OCI 9 in chunks, with room for three bytes a character: 0x0101.
        let thin = format!("\x03\x73\x02AUTH_ALTER_SESSION\x01\x25\x25{SQL}\0\x01\x01");
        assert_eq!(text(thin.as_bytes()), SQL);
        let oci = format!("\x03\x73\x02\x12AUTH_ALTER_SESSION\x25\0\0\0\x25{SQL}\0\x01\0\0\0");
        assert_eq!(text(oci.as_bytes()), SQL);
        let (a, b) = SQL.split_at(20);
        let mut oci = b"\x03\x73\x02\x12AUTH_ALTER_SESSION\x01\x01\0\0\xfe\x14".to_vec();
        oci.extend([a.as_bytes(), b"\x10", b.as_bytes(), &[0; 5]].concat());
        assert_eq!(text(&oci), SQL);
        assert_eq!(text(b"\x03\x73\x02\x12AUTH_ALTER_SESSION\0\0\0\0\0\0\0\0"), "");
        assert_eq!(text(b"\x03\x73\x02\x0dAUTH_PASSWORD"), "");
    }

    #[test]
    fn programs_and_machines_of_logins() {
        let name = |m: &[u8]| {
            let name = read(m).unwrap().name(m, b"AUTH_MACHINE").unwrap_or_default();
            String::from_utf8(name.to_vec()).unwrap()
        };
        assert_eq!(name(b"\x03\x76\x01\x01\x0c\x0cAUTH_MACHINE\x01\x03\x03ws1\0\x01\x08\x08AUTH_PID"), "ws1");
        assert_eq!(name(b"\x03\x76\x02\x0c\0\0\0\x0cAUTH_MACHINE\x03\0\0\0\x03ws1\0\0\0\0"), "ws1");
        assert_eq!(name(b"\x03\x76\x02\x24\0\0\0\x0cAUTH_MACHINE\x09\0\0\0\x03ws1\0\0\0\0"), "ws1");
        assert_eq!(name(b"\x03\x76\x02\x24\0\0\0\x0cAUTH_MACHINE\x08\0\0\0\x03ws1\0\0\0\0"), "");
        assert_eq!(name(b"\x03\x76\x02\x24\0\0\0\x0cAUTH_MACHINE\x01\x03\x03w"), "");
    }

    #[test]
    fn users_of_logins() {
        let thin = b"\x03\x76\x01\x01\x01\x03\x01\x21\x01\x01\x05\x01\x01SYS\x01\x0d\x0dAUTH_TERMINAL";
        assert_eq!(read(thin).unwrap().user(thin), Some(&b"SYS"[..]));
        let oci = b"\x03\x76\x02\xfe\xff\xff\xff\xff\xff\xff\xff\x03\0\0\0\x21\0\0\0\xfe\xff\x03sys\x0d\0\0\0\x0dAUTH_TERMINAL";
        assert_eq!(read(oci).unwrap().user(oci), Some(&b"sys"[..]));
        let oci = b"\x03\x76\x02\x70\xb4\x27\x06\x06\0\0\0\x01\0\0\0\x06onegin\x0d\0\0\0\x0dAUTH_TERMINAL";
        assert_eq!(read(oci).unwrap().user(oci), Some(&b"onegin"[..]));
        // Room for three bytes a character.
        let oci = b"\x03\x76\x02\0\x12\xd9\0\x09\0\0\0\x21\0\0\0\x03sys\x27\0\0\0\x0dAUTH_TERMINAL";
        assert_eq!(read(oci).unwrap().user(oci), Some(&b"sys"[..]));
    }
}
