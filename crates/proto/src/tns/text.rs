//! Finds the text of a statement in a call.

use super::wire::{is_text, number};
use base::Reader;
use std::borrow::Cow;

/// Words that statements begin with.
static WORDS: &[&[u8]] = &[
    b"select",
    b"insert",
    b"update",
    b"delete",
    b"merge",
    b"with",
    b"begin",
    b"declare",
    b"call",
    b"create",
    b"alter",
    b"drop",
    b"grant",
    b"revoke",
    b"commit",
    b"rollback",
    b"savepoint",
    b"set",
    b"lock",
    b"truncate",
    b"explain",
    b"comment",
    b"analyze",
    b"audit",
    b"noaudit",
    b"rename",
    b"purge",
    b"flashback",
    b"administer",
    b"associate",
    b"disassociate",
];

/// Does a text begin like a statement?
pub(super) fn is_statement(text: &[u8]) -> bool {
    begins(text.get(open(text)..).unwrap_or_default())
}

/// Blanks and brackets in front.
fn open(text: &[u8]) -> usize {
    text.iter().take_while(|b| **b == b'(' || b.is_ascii_whitespace()).count()
}

/// The same behind those.
fn begins(text: &[u8]) -> bool {
    /// One more letter than the longest of the words has.
    const LONGEST: usize = 13;
    if matches!(text, [b'-', b'-', ..] | [b'/', b'*', ..] | [b'<', b'<', ..]) {
        return true;
    }
    let word = text.iter().take(LONGEST).take_while(|b| b.is_ascii_alphabetic()).count();
    let after = text.get(word).copied().unwrap_or(b' ');
    let word = text.get(..word).unwrap_or_default();
    !after.is_ascii_alphanumeric() && after != b'_' && WORDS.iter().any(|w| w.eq_ignore_ascii_case(word))
}

/// Does a statement change or return rows?
pub(super) fn has_rows(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    let word = text.get(..6).unwrap_or(text);
    [&b"select"[..], b"insert", b"update", b"delete"].iter().any(|w| word.eq_ignore_ascii_case(w))
        || word.get(..5).is_some_and(|w| w.eq_ignore_ascii_case(b"merge"))
        || word.get(..4).is_some_and(|w| w.eq_ignore_ascii_case(b"with"))
}

/// Bytes in front of the text in a call, at most.
const BEFORE: usize = 400;
/// Texts in chunks that are tried in a call: each is walked to its end.
const TRIES: u8 = 8;

/// The text of `len` bytes as the call tells. `cut`: the end of the call is not there.
pub(super) fn by_length(call: &[u8], len: usize, cut: bool) -> Option<Cow<'_, [u8]>> {
    if len == 0 {
        return None;
    }
    let (mut run, mut tries) = (0usize, TRIES);
    let limit = call.len().min(BEFORE.saturating_add(len));
    for (i, b) in call.get(..limit)?.iter().enumerate() {
        if run == 0 {
            let rest = call.get(i.saturating_add(1)..).unwrap_or_default();
            // A count of one byte.
            if usize::from(*b) == len
                && let Some(text) = rest.get(..len)
                && text.iter().all(|b| is_text(*b))
            {
                return Some(Cow::Borrowed(text));
            }
            if *b == CHUNKS
                && let Some(text) =
                    chunks(rest, cut, &mut tries).filter(|t| t.len() == len || cut && t.len() < len)
                && is_statement(&text)
            {
                return Some(Cow::Owned(text));
            }
        }
        run = if is_text(*b) { run.saturating_add(1) } else { 0 };
        if run == len {
            let end = i.saturating_add(1);
            return call.get(end.saturating_sub(len)..end).map(Cow::Borrowed);
        }
    }
    // The end was not kept.
    let from = call.len().checked_sub(run)?;
    let rest = call.get(from..).filter(|t| cut && run > 0 && is_statement(t))?;
    Some(Cow::Borrowed(rest))
}

/// The first text that begins like a statement, of at most `most` bytes if that is known.
pub(super) fn by_looks(call: &[u8], most: Option<usize>, cut: bool) -> Option<Cow<'_, [u8]>> {
    /// Shorter ones are mistaken for other things.
    const LEAST: usize = 6;
    let most = most.filter(|n| *n > 0).unwrap_or(usize::MAX);
    let mut tries = TRIES;
    // Where the blanks end that were looked at, and whether a statement begins there: no blank is looked at twice.
    let mut seen = (0usize, false);
    for (i, n) in call.iter().enumerate() {
        let at = i.saturating_add(1);
        let rest = call.get(at..).unwrap_or_default();
        let n = *n;
        if n == CHUNKS {
            if let Some(text) = chunks(rest, cut, &mut tries).filter(|t| is_statement(t) && t.len() <= most) {
                return Some(Cow::Owned(text));
            }
        } else if usize::from(n) >= LEAST
            && usize::from(n) <= most
            && rest.first().is_some_and(|b| is_text(*b))
        {
            if at > seen.0 {
                let end = at.saturating_add(open(rest));
                seen = (end, begins(call.get(end..).unwrap_or_default()));
            }
            if !seen.1 {
                continue;
            }
            let text = rest.get(..usize::from(n)).or(cut.then_some(rest));
            // Some clients count the zero behind a text.
            let text = text.map(|t| t.strip_suffix(&[0]).unwrap_or(t));
            if let Some(text) = text.filter(|t| t.iter().all(|b| is_text(*b))) {
                return Some(Cow::Borrowed(text));
            }
        }
    }
    // Without a count: up to the first byte that is no text.
    let mut from = 0usize;
    while let Some(rest) = call.get(from..) {
        let skip = rest.iter().position(|b| is_text(*b))?;
        let run = rest.get(skip..)?;
        let run = run.get(..run.iter().position(|b| !is_text(*b)).unwrap_or(run.len()))?;
        // The byte of a count may look like text, too.
        for run in [run, run.get(1..).unwrap_or_default()] {
            if run.len() >= LEAST && is_statement(run) && run.contains(&b' ') {
                return Some(Cow::Borrowed(run));
            }
        }
        from = from.saturating_add(skip).saturating_add(run.len()).saturating_add(1);
    }
    None
}

/// A statement with its count in front, or in chunks.
pub(super) fn counted(bytes: &[u8], cut: bool) -> Option<Cow<'_, [u8]>> {
    let (n, rest) = bytes.split_first()?;
    if *n == CHUNKS {
        return chunks(rest, cut, &mut 1).filter(|t| is_statement(t)).map(Cow::Owned);
    }
    let text = rest.get(..usize::from(*n)).or(cut.then_some(rest))?;
    let text = text.strip_suffix(&[0]).unwrap_or(text);
    (is_statement(text) && text.iter().all(|b| is_text(*b))).then_some(Cow::Borrowed(text))
}

/// Stands for a count: chunks follow, each with its own, to an empty one.
const CHUNKS: u8 = 0xfe;

/// Puts chunks together: their counts have one byte, or are numbers as thin clients write them.
fn chunks(bytes: &[u8], cut: bool, tries: &mut u8) -> Option<Vec<u8>> {
    /// The first must be worth it.
    const LEAST: usize = 8;
    let first = usize::from(*bytes.first()?);
    let looks = |from: usize| {
        bytes.get(from..).is_some_and(|b| b.first().is_some_and(|b| is_text(*b)) && is_statement(b))
    };
    let thin = match (first, looks(1)) {
        (LEAST.., true) => false,
        (1..=4, _) if looks(first.saturating_add(1)) => true,
        _ => return None,
    };
    *tries = tries.checked_sub(1)?;
    let mut r = Reader::new(bytes);
    let mut all = Vec::new();
    loop {
        let n = if thin { number(&mut r)? as usize } else { usize::from(r.u8("count").ok()?) };
        if n == 0 {
            return Some(all);
        }
        let chunk = if r.left() < n && cut { r.take_up_to(n) } else { r.take(n, "chunk").ok()? };
        // Some clients count the zero behind a text.
        let chunk = chunk.strip_suffix(&[0]).unwrap_or(chunk);
        if !chunk.iter().all(|b| is_text(*b)) {
            return None;
        }
        all.extend_from_slice(chunk);
        if r.is_empty() && cut {
            return Some(all);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(b: &[u8]) -> String {
        by_looks(b, None, false).map(|t| String::from_utf8(t.into_owned()).unwrap()).unwrap_or_default()
    }

    fn length(b: &[u8], n: usize) -> String {
        by_length(b, n, false).map(|t| String::from_utf8(t.into_owned()).unwrap()).unwrap_or_default()
    }

    #[test]
    fn statements_are_known_by_their_first_word() {
        for s in [&b"select 1"[..], b" \n(Select", b"/* x */", b"-- x", b"BEGIN", b"commit"] {
            assert!(is_statement(s), "{s:?}");
        }
        for s in [&b"selected"[..], b"AUTH_x", b"", b"set_x"] {
            assert!(!is_statement(s), "{s:?}");
        }
    }

    #[test]
    fn texts_with_the_length_of_the_call() {
        // Bare, as JDBC 10 writes it; a count of one byte, as python-oracledb does; chunks.
        assert_eq!(length(b"\x01\x0d\0\0\0\x01select 1\x01\0", 8), "select 1");
        assert_eq!(length(b"\x01\0\x01\nselect 1\x01\0", 9), "\nselect 1");
        assert_eq!(length(b"\x01\0\x08select 1\x01\0", 8), "select 1");
        assert_eq!(length(b"\x01\0\xfe\x01\x08select 1\0\x01\0", 8), "select 1");
        // A count that is a character: 40 bytes.
        let long = format!("\x01\0(select '{}'\x01\0", "x".repeat(31));
        assert_eq!(length(long.as_bytes(), 40), long[3..43]);
        assert_eq!(length(b"\x01\0\x01select", 8), "", "cut off");
        assert_eq!(by_length(b"\x01\0\x01select", 8, true).as_deref(), Some(&b"select"[..]));
    }

    #[test]
    fn texts_found_by_their_looks() {
        assert_eq!(looks(b"\xfe\xff\xff\0\0\0\x08select 1\x01\0"), "select 1");
        assert_eq!(looks(b"\0\0\xfe\x08select 1\x04 + 1\0\x01\0"), "select 1 + 1");
        assert_eq!(looks(b"\0\0\x01select 1\x01\0"), "select 1");
        assert_eq!(looks(b"\0\0\x01nothing here\x01\0"), "");
    }

    /// Each of these would take hours if bytes were looked at again for each byte in front of them.
    #[test]
    fn long_texts_that_are_no_statements_are_walked_once() {
        const LONG: usize = 2 << 20;
        let mut chunk = b"\xfe\x20select ".to_vec();
        chunk.resize(34, b'x');
        for piece in [&b"q"[..], b" ", b"(", b"\n(", b"q ", b"\x01q", b"\x28(", &chunk, b"\xfe\x09        "] {
            let call = piece.repeat(LONG / piece.len());
            let found = [by_looks(&call, Some(7), false), by_length(&call, LONG * 2, false)];
            assert!(found.iter().flatten().all(|t| t.len() == LONG / 34 * 34 - 1), "{piece:?}");
        }
    }

    #[test]
    fn texts_with_their_own_count() {
        let text = |b: &[u8], cut| {
            counted(b, cut).map(|t| String::from_utf8(t.into_owned()).unwrap()).unwrap_or_default()
        };
        assert_eq!(text(b"\x08select 1\x01", false), "select 1");
        assert_eq!(text(b"\x09select 1\0\x01", false), "select 1");
        assert_eq!(text(b"\xfe\x08select 1\x05 + 1\0\0", false), "select 1 + 1");
        assert_eq!(text(b"\xfe\x01\x08select 1\x01\x05 + 1\0\0", false), "select 1 + 1");
        assert_eq!(text(b"\x09select 1", false), "", "cut off");
        assert_eq!(text(b"\x09select 1", true), "select 1");
        assert_eq!(text(b"\x08unselect", false), "");
    }
}
