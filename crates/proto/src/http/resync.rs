//! Finding the next message after bytes were lost, or when a flow is joined in its middle.

use super::head::{MAX_METHOD, find, is_token, known_suffix};
use crate::session::Verdict;
use base::Direction;

/// Where the search in some bytes came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A message begins here.
    At(usize),
    /// None so far: everything before this offset can go.
    Skip(usize),
}

/// A line that may yet become a request line is not longer.
const LINE: usize = 8 * 1024;

/// Looks for the beginning of a message. The first `searched` bytes hold no line end.
pub(super) fn search(dir: Direction, bytes: &[u8], searched: usize) -> Found {
    match dir {
        Direction::ToServer => request(bytes, searched),
        Direction::ToClient => response(bytes),
    }
}

/// A line that ends in ` HTTP/1.x` and has a known method before its target. The method need not
/// stand at the beginning of the line: a body that ends without a line end goes before it.
fn request(bytes: &[u8], mut searched: usize) -> Found {
    let mut from = 0usize;
    while let Some(rest) = bytes.get(from..)
        && let Some(lf) = find(rest.get(searched..).unwrap_or_default(), b'\n')
    {
        let lf = lf.saturating_add(std::mem::take(&mut searched));
        let line = rest.get(..lf).unwrap_or_default();
        if let Some(at) = request_in(line) {
            return Found::At(from.saturating_add(at));
        }
        from = from.saturating_add(lf).saturating_add(1);
    }
    let left = bytes.len().saturating_sub(from);
    Found::Skip(if left > LINE { bytes.len() } else { from })
}

/// Where in this line a request line begins.
fn request_in(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (rest, version) = line.split_at_checked(line.len().checked_sub(9)?)?;
    if !matches!(version, b" HTTP/1.1" | b" HTTP/1.0") {
        return None;
    }
    let blank = rest.get(rest.len().saturating_sub(LINE)..)?.iter().rposition(|b| *b == b' ')?;
    let blank = blank.saturating_add(rest.len().saturating_sub(LINE));
    let before = rest.get(..blank)?;
    let method = known_suffix(before)?;
    (blank.saturating_add(1) < rest.len()).then(|| before.len().saturating_sub(method.len()))
}

/// `HTTP/1.x NNN`, anywhere.
fn response(bytes: &[u8]) -> Found {
    let mut from = 0usize;
    while let Some(rest) = bytes.get(from..)
        && let Some(at) = find(rest, b'H')
    {
        from = from.saturating_add(at);
        match answers(bytes.get(from..).unwrap_or_default()) {
            Verdict::Yes => return Found::At(from),
            Verdict::More => return Found::Skip(from),
            Verdict::No => from = from.saturating_add(1),
        }
    }
    Found::Skip(bytes.len())
}

/// Do the bytes begin with a status line: `HTTP/1.` digit blank three digits?
pub(super) fn answers(bytes: &[u8]) -> Verdict {
    let form = b"HTTP/1.d ddd";
    for (want, b) in form.iter().zip(bytes) {
        if !(want == b || (*want == b'd' && b.is_ascii_digit())) {
            return Verdict::No;
        }
    }
    if bytes.len() < form.len() { Verdict::More } else { Verdict::Yes }
}

/// Could a request line begin with these bytes? `No` from the first byte that cannot be in one.
pub(super) fn asks(bytes: &[u8]) -> Verdict {
    match bytes.iter().take(MAX_METHOD.saturating_add(1)).position(|b| !is_token(*b)) {
        Some(0) => Verdict::No,
        Some(at) if matches!(bytes.get(at), Some(b' ' | b'\t')) => Verdict::Yes,
        Some(_) => Verdict::No,
        None if bytes.len() > MAX_METHOD => Verdict::No,
        None => Verdict::More,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{C, S};

    #[test]
    fn requests_are_found_behind_the_end_of_a_body() {
        assert_eq!(search(C, b"GET / HTTP/1.1\r\n", 0), Found::At(0));
        assert_eq!(search(C, b"a=1\r\nb=2POST /x HTTP/1.0\n", 0), Found::At(8));
        assert_eq!(search(C, b"a=1\r\nGET /x HTT", 0), Found::Skip(5));
        assert_eq!(search(C, b"the GET / HTTP/2.0\r\n", 0), Found::Skip(20));
        assert_eq!(search(C, &[b'x'; 9000], 0), Found::Skip(9000));
        assert_eq!(search(C, b"GET  HTTP/1.1\r\n", 0), Found::Skip(15));
    }

    #[test]
    fn answers_are_found_anywhere() {
        assert_eq!(search(S, b"tail</html>HTTP/1.1 200 OK\r\n", 0), Found::At(11));
        assert_eq!(search(S, b"HHTTP/1.x HTTP/1.1 20", 0), Found::Skip(10));
        assert_eq!(search(S, b"nothing of it", 0), Found::Skip(13));
    }
}
