//! Lines on the wire: bytes to facts, no state.

/// The longest line that is waited for, its end included: the protocol's own limit.
pub(super) const MAX_LINE: usize = 4096;
/// The longest tag.
const MAX_TAG: usize = 8;

/// A line at the beginning of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// The line without its end, which is two bytes.
    Whole(&'a [u8]),
    /// Its end is not there yet.
    Open,
    /// There is no line: none ends where the longest must have, or one ends wrongly.
    None,
}

/// Finds a line. The first `searched` bytes are known to hold no line feed.
pub(super) fn line(bytes: &[u8], searched: usize) -> Line<'_> {
    let window = bytes.get(..MAX_LINE).unwrap_or(bytes);
    let rest = window.get(searched..).unwrap_or_default();
    match rest.iter().position(|b| *b == b'\n') {
        Some(n) => {
            let end = searched.saturating_add(n);
            match window.get(..end).and_then(|l| l.strip_suffix(b"\r")) {
                Some(text) => Line::Whole(text),
                None => Line::None,
            }
        }
        None if window.len() >= MAX_LINE => Line::None,
        None => Line::Open,
    }
}

/// Could this become a line: a tag, and printable so far?
pub(super) fn is_begun(head: &[u8]) -> bool {
    let tag = head.iter().take_while(|b| b.is_ascii_alphanumeric()).count();
    let next = head.get(tag).copied();
    tag <= MAX_TAG && (next.is_none() || (tag > 0 && next == Some(b' ')))
}

/// Cuts a line at its first blank; the tag must be one.
fn tagged(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = line.iter().position(|b| *b == b' ')?;
    let (tag, rest) = line.split_at_checked(at)?;
    let fits = (1..=MAX_TAG).contains(&tag.len()) && tag.iter().all(u8::is_ascii_alphanumeric);
    fits.then_some((tag, rest.get(1..)?))
}

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request<'a> {
    /// By which its answer is known.
    pub(super) tag: &'a [u8],
    /// Verb and argument.
    pub(super) text: &'a [u8],
}

impl<'a> Request<'a> {
    /// From a line without its end.
    pub(super) fn parse(line: &'a [u8]) -> Option<Request<'a>> {
        let (tag, text) = tagged(line)?;
        let verb = text.split(|b| *b == b' ').next()?;
        let known = !verb.is_empty() && verb.iter().all(u8::is_ascii_uppercase);
        known.then_some(Request { tag, text })
    }
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer<'a> {
    /// That of the request.
    pub(super) tag: &'a [u8],
    /// `OK`, not `ERR`.
    pub(super) ok: bool,
    /// What follows the status.
    pub(super) text: &'a [u8],
}

impl<'a> Answer<'a> {
    /// From a line without its end.
    pub(super) fn parse(line: &'a [u8]) -> Option<Answer<'a>> {
        let (tag, rest) = tagged(line)?;
        let (status, text) = match rest.iter().position(|b| *b == b' ') {
            Some(n) => (rest.get(..n)?, rest.get(n.saturating_add(1)..)?),
            None => (rest, &[][..]),
        };
        let ok = match status {
            b"OK" => true,
            b"ERR" => false,
            _ => return None,
        };
        Some(Answer { tag, ok, text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_with_both_bytes() {
        assert_eq!(line(b"a1 GET x\r\nrest", 0), Line::Whole(b"a1 GET x"));
        assert_eq!(line(b"a1 GET x\r\n", 5), Line::Whole(b"a1 GET x"), "searched before");
        assert_eq!(line(b"a1 GET x\r", 0), Line::Open);
        assert_eq!(line(b"a1 GET x\n", 0), Line::None, "a lone line feed ends nothing");
        assert_eq!(line(&[b'x'; MAX_LINE], 0), Line::None);
    }

    #[test]
    fn requests_and_answers() {
        assert_eq!(Request::parse(b"a1 GET x y"), Some(Request { tag: b"a1", text: b"GET x y" }));
        for bad in [&b"GET"[..], b" GET", b"a1 get", b"a1 ", b"ninechars GET"] {
            assert_eq!(Request::parse(bad), None, "{bad:?}");
        }
        assert_eq!(Answer::parse(b"a1 OK"), Some(Answer { tag: b"a1", ok: true, text: b"" }));
        assert_eq!(
            Answer::parse(b"a1 ERR no such"),
            Some(Answer { tag: b"a1", ok: false, text: b"no such" })
        );
        assert_eq!(Answer::parse(b"a1 GET"), None);
    }
}
