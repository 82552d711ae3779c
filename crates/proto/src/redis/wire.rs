//! Headers, words and lines on the wire: bytes to facts, no state.

use super::names::{is_common, is_name};
use crate::session::Verdict;

/// The longest header that is waited for: a type, a sign, nineteen digits and the line end.
pub(super) const MAX_HEAD: usize = 24;
/// The most that a length or a count may say. Nothing is ever allocated by it.
const MOST: u64 = 1 << 40;
/// The longest inline command, as in the server (`PROTO_INLINE_MAX_SIZE`).
pub(super) const MAX_LINE: usize = 64 * 1024;
/// The longest command name that is looked for.
const MAX_NAME: u64 = 64;

/// What stands behind a type byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    /// `-1`.
    Nil,
    /// `?`: what follows ends with its own mark.
    Streamed,
    /// A length or a count.
    Is(u64),
}

/// A type byte, a count and a line end at the beginning of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// The count, and how long all of it is.
    Whole(Count, usize),
    /// Not yet.
    Open,
    /// Never.
    Bad,
}

/// Reads a header; the type byte itself is not looked at.
pub(super) fn head(bytes: &[u8]) -> Head {
    let text = bytes.get(1..).unwrap_or_default();
    match text {
        [] | [b'-'] | [b'?'] | [b'-', b'1'] | [b'?', b'\r'] | [b'-', b'1', b'\r'] => return Head::Open,
        [b'?', b'\r', b'\n', ..] => return Head::Whole(Count::Streamed, 4),
        [b'-', b'1', b'\r', b'\n', ..] => return Head::Whole(Count::Nil, 5),
        _ => {}
    }
    let mut n = 0u64;
    for (i, b) in text.iter().enumerate() {
        match b {
            b'0'..=b'9' => n = n.saturating_mul(10).saturating_add(u64::from(b.wrapping_sub(b'0'))),
            b'\r' if i > 0 => {
                return match text.get(i.saturating_add(1)) {
                    Some(b'\n') => Head::Whole(Count::Is(n), i.saturating_add(3)),
                    None => Head::Open,
                    Some(_) => Head::Bad,
                };
            }
            _ => return Head::Bad,
        }
        if n > MOST || i > MAX_HEAD {
            return Head::Bad;
        }
    }
    Head::Open
}

/// A bulk string of at most `most` bytes at the beginning of some bytes.
pub(super) enum Bulk<'a> {
    /// Its content, and what follows its line end.
    Whole(&'a [u8], &'a [u8]),
    /// Not yet.
    Open,
    /// Something else.
    None,
}

pub(super) fn bulk(bytes: &[u8], most: u64) -> Bulk<'_> {
    match bytes.first() {
        None => return Bulk::Open,
        Some(b'$') => {}
        Some(_) => return Bulk::None,
    }
    match head(bytes) {
        Head::Whole(Count::Is(n), used) if n <= most => {
            let rest = bytes.get(used..).unwrap_or_default();
            match rest.split_at_checked(n as usize) {
                None => Bulk::Open,
                Some((text, [b'\r', b'\n', rest @ ..])) => Bulk::Whole(text, rest),
                Some((_, [] | [b'\r'])) => Bulk::Open,
                Some(_) => Bulk::None,
            }
        }
        Head::Open => Bulk::Open,
        Head::Whole(..) | Head::Bad => Bulk::None,
    }
}

/// The first element of an array (or a push) of these bytes, when it is a short bulk string.
pub(super) enum First<'a> {
    /// The element, and how many the array has.
    Word(&'a [u8], u64),
    /// Not yet.
    Open,
    /// Something else.
    None,
}

/// Reads the first element of an array, if it may be one of the words that servers push.
pub(super) fn first(bytes: &[u8]) -> First<'_> {
    /// `punsubscribe` and `sunsubscribe`.
    const LONGEST: u64 = 12;
    match head(bytes) {
        Head::Whole(Count::Is(n @ 1..), used) => match bulk(bytes.get(used..).unwrap_or_default(), LONGEST) {
            Bulk::Whole(word, _) => First::Word(word, n),
            Bulk::Open => First::Open,
            Bulk::None => First::None,
        },
        Head::Open => First::Open,
        Head::Whole(..) | Head::Bad => First::None,
    }
}

/// A short word in small letters, copied as it passes in pieces.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Word {
    text: [u8; 24],
    len: usize,
}

impl Word {
    /// Adds a piece. A word that is too long becomes no word.
    pub(super) fn push(&mut self, piece: &[u8]) {
        let room = self.text.get_mut(self.len..).unwrap_or_default();
        for (to, b) in room.iter_mut().zip(piece) {
            *to = b.to_ascii_lowercase();
        }
        self.len = self.len.saturating_add(piece.len());
    }

    /// The word; empty when it was too long.
    pub(super) fn get(&self) -> &[u8] {
        self.text.get(..self.len).unwrap_or_default()
    }

    pub(super) fn of(text: &[u8]) -> Word {
        let mut w = Word::default();
        w.push(text);
        w
    }
}

fn is_name_like(name: &[u8]) -> bool {
    name.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
        && name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'|' | b':'))
}

/// Do these bytes begin with a command, written as an array? Its name must be whole, and known
/// unless `any`.
pub(super) fn command(bytes: &[u8], any: bool) -> Verdict {
    match bytes.first() {
        Some(b'*') => {}
        Some(_) => return Verdict::No,
        None => return Verdict::More,
    }
    let (n, rest) = match head(bytes) {
        Head::Whole(Count::Is(n @ 1..), used) => (n, bytes.get(used..).unwrap_or_default()),
        Head::Open => return Verdict::More,
        Head::Whole(..) | Head::Bad => return Verdict::No,
    };
    let (name, rest) = match bulk(rest, MAX_NAME) {
        Bulk::Whole(name, rest) => (name, rest),
        Bulk::Open => return Verdict::More,
        Bulk::None => return Verdict::No,
    };
    if !is_name_like(name) {
        return Verdict::No;
    }
    let word = Word::of(name);
    // Answers to SUBSCRIBE and its kin begin in the same way: their third element is a number.
    if word.get().ends_with(b"subscribe") && n == 3 {
        let second = match rest.first() {
            None => return Verdict::More,
            Some(_) => bulk(rest, MAX_LINE as u64),
        };
        match second {
            Bulk::Whole(_, [b'$', ..]) => {}
            Bulk::Whole(_, []) | Bulk::Open => return Verdict::More,
            Bulk::Whole(..) | Bulk::None => return Verdict::No,
        }
    }
    let is_name = is_name(word.get());
    if !is_name && n > 1 && name.contains(&b'.') {
        // A module's, `JSON.GET`, if its arguments are strings.
        match rest.first() {
            Some(b'$') => return Verdict::Yes,
            Some(_) => {}
            None => return Verdict::More,
        }
    }
    if any || is_name { Verdict::Yes } else { Verdict::More }
}

/// A whole line without its end, and how long it is with it.
pub(super) fn line(bytes: &[u8], searched: usize) -> Option<(&[u8], usize)> {
    let at = bytes.get(searched..)?.iter().position(|b| *b == b'\n')?.saturating_add(searched);
    let text = bytes.get(..at)?;
    Some((text.strip_suffix(b"\r").unwrap_or(text), at.saturating_add(1)))
}

/// Could these bytes stand in an inline command?
pub(super) fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|b| *b >= b' ' && *b != 0x7f || *b == b'\t')
}

/// Does an inline command begin here? Yes only for lines that no other line protocol has.
pub(super) fn inline(line: &[u8]) -> Verdict {
    let mut words = Args::new(line);
    if !is_text(line) {
        return Verdict::No;
    }
    let Some(name) = words.next() else { return Verdict::More };
    if line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0") {
        return Verdict::No;
    }
    let (name, args) = (Word::of(name.text), words.count());
    let sure = match name.get() {
        // memcached: set key flags expiry length.
        b"set" => args == 2,
        b"append" => args == 2,
        b"incr" | b"decr" => args == 1,
        b"publish" => args == 2,
        b"subscribe" => args >= 1 && !line.starts_with(b"SUBSCRIBE /"),
        word => args >= 1 && !is_common(word),
    };
    if sure && is_name(name.get()) { Verdict::Yes } else { Verdict::More }
}

/// One argument of an inline command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arg<'a> {
    /// Between the quotes, if there are any; escapes as they were written.
    pub(super) text: &'a [u8],
}

/// The arguments of an inline command: separated by blanks, or in quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Args<'a> {
    rest: &'a [u8],
}

impl<'a> Args<'a> {
    pub(super) fn new(line: &'a [u8]) -> Args<'a> {
        Args { rest: line }
    }
}

impl<'a> Iterator for Args<'a> {
    type Item = Arg<'a>;

    fn next(&mut self) -> Option<Arg<'a>> {
        let rest = self.rest.trim_ascii_start();
        let (text, after) = match rest.first()? {
            quote @ (b'"' | b'\'') => {
                let inner = rest.get(1..)?;
                let mut escaped = false;
                let end = inner.iter().position(|b| {
                    let ends = !escaped && b == quote;
                    escaped = !escaped && *b == b'\\';
                    ends
                });
                // An open quote: the server refuses it; to the end of the line then.
                let end = end.unwrap_or(inner.len());
                (inner.get(..end)?, inner.get(end.saturating_add(1)..).unwrap_or_default())
            }
            _ => {
                let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
                rest.split_at_checked(end)?
            }
        };
        self.rest = after;
        Some(Arg { text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        assert_eq!(head(b"*3\r\n$"), Head::Whole(Count::Is(3), 4));
        assert_eq!(head(b"$-1\r\n"), Head::Whole(Count::Nil, 5));
        assert_eq!(head(b"$?\r\n"), Head::Whole(Count::Streamed, 4));
        for open in [&b"*"[..], b"*1", b"*12\r", b"*-", b"*-1", b"$?\r"] {
            assert_eq!(head(open), Head::Open, "{open:?}");
        }
        for bad in
            [&b"*\r\n"[..], b"*-2\r\n", b"*1\n", b"* OK", b"*1x", b"$99999999999999999999\r\n", b"*1\rx"]
        {
            assert_eq!(head(bad), Head::Bad, "{bad:?}");
        }
        assert_eq!(head(&[b'0'; 40]), Head::Bad, "digits without end");
    }

    #[test]
    fn commands_as_arrays() {
        assert_eq!(command(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", false), Verdict::Yes);
        assert_eq!(command(b"*2\r\n$3\r\nGET", false), Verdict::More);
        assert_eq!(command(b"*2\r\n$3\r\nGETS\r\n", false), Verdict::No, "the length is wrong");
        assert_eq!(command(b"*2\r\n$5\r\nhello\r\n$1\r\n", false), Verdict::Yes);
        assert_eq!(command(b"*2\r\n$5\r\nhallo\r\n$1\r\n", false), Verdict::More, "an answer, perhaps");
        assert_eq!(command(b"*2\r\n$5\r\nhallo\r\n$1\r\n", true), Verdict::Yes);
        assert_eq!(command(b"*2\r\n$8\r\nJSON.GET\r\n$1\r\n", false), Verdict::Yes);
        assert_eq!(command(b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n", false), Verdict::No, "an answer");
        assert_eq!(command(b"*3\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n$1\r\nb\r\n", false), Verdict::Yes);
        assert_eq!(command(b"*1\r\n:1\r\n", true), Verdict::No);
        assert_eq!(command(b"* OK IMAP4\r\n", true), Verdict::No);
    }

    #[test]
    fn inline_commands() {
        let args =
            |l: &'static [u8]| Args::new(l).map(|a| String::from_utf8_lossy(a.text)).collect::<Vec<_>>();
        assert_eq!(args(b" set  a \"b c\" 'd \\' e' "), ["set", "a", "b c", "d \\' e"]);
        assert_eq!(args(b"set \"open"), ["set", "open"]);
        assert_eq!(inline(b"set test 1"), Verdict::Yes);
        for common in
            [&b"set k 0 0 5"[..], b"get k", b"incr k 1", b"PING", b"QUIT", b"AUTH x", b"EHLO x", b""]
        {
            assert_eq!(inline(common), Verdict::More, "{common:?}");
        }
        assert_eq!(inline(b"COPY /x HTTP/1.1"), Verdict::No);
        assert_eq!(inline(b"lpush a\0"), Verdict::No);
        assert_eq!(inline(b"LPUSH a b"), Verdict::Yes);
    }

    #[test]
    fn words_are_short() {
        let mut w = Word::of(b"REQUIRE");
        w.push(b"Pass");
        assert_eq!(w.get(), b"requirepass");
        w.push(&[b'x'; 30]);
        assert_eq!(w.get(), b"");
    }
}
