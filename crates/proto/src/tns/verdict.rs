//! The outcome of a call, at the end of its answer: the `ORA-` message, and the numbers before it.

use super::wire::{is_text, number};
use base::Reader;

/// What stands at the end of an answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict<'a> {
    /// Number and text of the error.
    pub(super) error: Option<(u32, &'a [u8])>,
    /// Rows so far, and the cursor, where that was understood.
    pub(super) status: Option<Status>,
    /// No more rows.
    pub(super) is_end: bool,
}

impl Verdict<'_> {
    /// The number of the error, 0 for success; `None` when no verdict was understood.
    pub(super) fn code(&self) -> Option<u32> {
        match (self.error, self.status) {
            (Some((n, _)), _) => Some(n),
            (None, _) if self.is_end => Some(0),
            (None, status) => status.map(|s| s.error),
        }
    }
}

/// The numbers of the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) rows: u32,
    pub(super) error: u32,
    pub(super) cursor: u32,
}

/// No more rows: the end of a query.
const NO_DATA: u32 = 1403;
/// Bytes at the end of an answer that may be the verdict without its text.
const NUMBERS: usize = 320;

/// Reads the verdict on call `seq` from the last bytes of its answer.
pub(super) fn read(tail: &[u8], seq: u8) -> Verdict<'_> {
    let message = message(tail).or_else(|| within(tail, seq));
    let before = message.map_or(tail.len(), |(at, ..)| at);
    let from = before.saturating_sub(NUMBERS);
    let numbers = tail.get(from..before).unwrap_or_default();
    let status = status(numbers, seq).filter(|s| message.is_none_or(|(_, n, _)| s.error == n));
    let is_end = message.is_none() && status.is_some_and(|s| s.error == NO_DATA);
    let mut verdict = Verdict { error: None, status, is_end };
    if let Some((_, n, text)) = message {
        // A statement that found no row where it needs one is told with the lines where that was.
        if n == NO_DATA && !text.windows(9).any(|w| w == b"ORA-06512") {
            verdict.is_end = true;
        } else if status.is_some() || has_number(numbers, n) {
            verdict.error = Some((n, text));
        }
    }
    verdict
}

/// The number of the message stands in front of it, in either encoding.
fn has_number(numbers: &[u8], n: u32) -> bool {
    let Ok(n) = u16::try_from(n) else { return true };
    numbers.array_windows::<2>().any(|w| *w == n.to_be_bytes() || *w == n.to_le_bytes())
}

/// The message at the very end: its place, number, and text.
fn message(tail: &[u8]) -> Option<(usize, u32, &[u8])> {
    /// What newer servers put behind it.
    const BEHIND: usize = 16;
    let mut from = 0usize;
    loop {
        let rest = tail.get(from..)?;
        let at = rest.windows(4).position(|w| w == b"ORA-")?.saturating_add(from);
        let text = tail.get(at..)?;
        let len = at.checked_sub(1).and_then(|i| tail.get(i)).map_or(0, |n| usize::from(*n));
        if let Some(n) = ora(text) {
            let whole = text.get(..len).filter(|t| {
                len > 10
                    && text.len().saturating_sub(len) <= BEHIND
                    && t.iter().all(|b| is_text(*b) || *b == 0)
            });
            // A count of 0xfe: chunks; the text is one as a rule, and goes to the end.
            let long = (len > 252 || tail.get(at.wrapping_sub(2)) == Some(&0xfe)).then_some(text);
            if let Some(text) = whole.or(long) {
                let end = text.iter().position(|b| *b == 0).unwrap_or(text.len());
                return Some((at, n, text.get(..end).unwrap_or(text).trim_ascii_end()));
            }
        }
        from = at.saturating_add(4);
    }
}

/// The number in `ORA-00942:`.
fn ora(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"ORA-")?.get(..6)?.strip_suffix(b":")?;
    digits.iter().try_fold(0u32, |n, d| {
        d.is_ascii_digit().then(|| n.saturating_mul(10).saturating_add(u32::from(d.wrapping_sub(b'0'))))
    })
}

/// The message with whatever behind it: that of a verdict that tells the same number in front.
fn within(tail: &[u8], seq: u8) -> Option<(usize, u32, &[u8])> {
    let found = statuses(tail, seq).filter_map(|(left, s)| {
        let from = tail.len().saturating_sub(left);
        let near = tail.get(from..)?;
        let near = near.get(..NUMBERS).unwrap_or(near);
        let at = near.windows(4).position(|w| w == b"ORA-")?.saturating_add(from);
        let (before, text) = tail.split_at_checked(at)?;
        let text = text.get(..usize::from(*before.last()?)).unwrap_or(text);
        let text = text.split(|b| !is_text(*b)).next()?;
        (ora(text)? == s.error).then_some((at, s.error, text.trim_ascii_end()))
    });
    found.last()
}

/// Finds the numbers: those that fit the call to the end. Of several those that end last are the verdict's; what
/// begins within it may fit to the same end.
fn status(bytes: &[u8], seq: u8) -> Option<Status> {
    statuses(bytes, seq).min_by_key(|(left, _)| *left).map(|(_, s)| s)
}

/// All that fits, and the bytes behind it.
fn statuses(bytes: &[u8], seq: u8) -> impl Iterator<Item = (usize, Status)> + '_ {
    /// The message that carries them.
    const STATUS: u8 = 4;
    bytes.iter().enumerate().filter(|(_, b)| **b == STATUS).filter_map(move |(i, _)| {
        let body = bytes.get(i.saturating_add(1)..)?;
        thin(body, seq).or_else(|| oci(body, seq))
    })
}

/// As thin clients get it: call status, sequence, rows, error, two of arrays, cursor, position, kind, fatal, flags,
/// three bytes, row identifier in five, error of the system, number of the call. The flags are a number as servers
/// 10 write them, and one byte as python-oracledb reads them of later ones.
fn thin(bytes: &[u8], seq: u8) -> Option<(usize, Status)> {
    let mut r = Reader::new(bytes);
    number(&mut r).filter(|n| *n <= 0xff_ffff)?;
    number(&mut r)?;
    let (rows, error) = (number(&mut r)?, number(&mut r)?);
    number(&mut r)?;
    number(&mut r)?;
    let cursor = number(&mut r)?;
    // The position may be negative.
    match r.u8("position").ok()? {
        n @ (0..=2 | 0x81 | 0x82) => r.skip(usize::from(n & 3), "position").ok()?,
        _ => return None,
    }
    r.skip(2, "kind, is it fatal").ok()?;
    let (mut flags, mut byte) = (r, r);
    let left = number(&mut flags).and_then(|_| ends(flags, seq));
    let left = left.or_else(|| byte.skip(1, "flags").ok().and_then(|()| ends(byte, seq)))?;
    Some((left, Status { rows, error, cursor }))
}

/// Behind the flags: does it end with the number of this call? Gives how many bytes are left then.
fn ends(mut r: Reader<'_>, seq: u8) -> Option<usize> {
    r.skip(3, "options, parameter, warnings").ok()?;
    number(&mut r)?;
    number(&mut r)?;
    r.u8("row").ok()?;
    number(&mut r)?;
    number(&mut r)?;
    number(&mut r)?;
    // With one more in between at older servers.
    match r.rest() {
        [0, call, rest @ ..] if seq != 0 && *call == seq => Some(rest.len()),
        [call, rest @ ..] if *call == seq => Some(rest.len()),
        _ => None,
    }
}

/// As OCI gets it, in fixed places. Gives how many bytes are left behind it.
fn oci(bytes: &[u8], seq: u8) -> Option<(usize, Status)> {
    /// Places of rows, error, cursor, the number of the call; what stands behind that.
    const FORMS: [([usize; 4], [u8; 3]); 3] = [
        // OCI 10 with a sequence of two bytes and without one, OCI 9.
        ([7, 11, 17, 48], [0, 0, 1]),
        ([5, 9, 15, 46], [0, 0, 1]),
        ([4, 8, 14, 46], [0, 0, 0]),
    ];
    let at = |n: usize| Some(Reader::new(bytes.get(n..)?));
    let one = |([rows, error, cursor, call], behind): ([usize; 4], [u8; 3])| {
        let end = at(call)?;
        let fits = matches!(end.rest(), [c, a, b, d, ..] if *c == seq && [*a, *b, *d] == behind);
        let rows = at(rows)?.le32("rows").ok()?;
        let error = u32::from(at(error)?.le16("error").ok()?);
        let cursor = u32::from(at(cursor)?.le16("cursor").ok()?);
        fits.then_some((end.left().saturating_sub(4), Status { rows, error, cursor }))
    };
    // The status in front is small.
    matches!(bytes, [_, 0, 0, 0, ..]).then(|| FORMS.into_iter().find_map(one))?
}

#[cfg(test)]
mod tests {
    use super::*;

    const ERROR: &[u8] = b"ORA-00942: table or view does not exist\n";

    /// Status 1, sequence 7, no rows, error 942, cursor 1, position 120; call 7; the message.
    fn thin_error() -> Vec<u8> {
        let head = b"\x04\x01\x01\x01\x07\x00\x02\x03\xae\x00\x00\x01\x01\x01\x78\0\0\0\0\0\0\0\0\0\0\0\0\0\x07\0\x01\x01\0\0\0\0\0";
        [&head[..], &[ERROR.len() as u8], ERROR].concat()
    }

    #[test]
    fn errors_of_thin_clients_and_of_oci() {
        let t = thin_error();
        let v = read(&t, 7);
        assert_eq!(v.error, Some((942, ERROR.trim_ascii_end())));
        assert_eq!(v.status, Some(Status { rows: 0, error: 942, cursor: 1 }));
        assert_eq!(read(&t, 8).status, None, "another call");
        assert_eq!(read(&t, 8).error, v.error, "the number is there");
        // OCI 10: rows 2 by then.
        let mut t = vec![0u8; 53];
        t[0] = 4;
        t[1] = 1;
        t[5] = 4;
        t[7] = 1;
        t[8] = 2;
        t[12..14].copy_from_slice(&1403u16.to_le_bytes());
        t[18] = 5;
        t[49] = 12;
        t[52] = 1;
        let v = read(&t, 12);
        assert_eq!(v.status, Some(Status { rows: 2, error: 1403, cursor: 5 }));
        t.extend(b"\x19ORA-01403: no data found\n");
        let v = read(&t, 12);
        assert!(v.is_end && v.error.is_none());
        assert_eq!(v.status.map(|s| s.rows), Some(2));
    }

    #[test]
    fn the_other_forms_of_oci() {
        // 3 rows, no error, cursor 5; number 12 of the call.
        for (places, end) in [([5, 9, 15, 46], 1), ([4, 8, 14, 46], 0)] {
            let mut t = vec![0u8; 68];
            (t[0], t[1]) = (4, 1);
            for (at, n) in places.into_iter().zip([3, 0, 5, 12]) {
                t[at + 1] = n;
            }
            t[places[3] + 4] = end;
            assert_eq!(read(&t, 12).status, Some(Status { rows: 3, error: 0, cursor: 5 }));
            assert_eq!(read(&t, 13).status, None);
        }
    }

    #[test]
    fn flags_of_one_byte() {
        // Sequence 7, 12 rows, cursor 2, flags 0x20, a row identifier; call 7, padding, error 0, 12 rows.
        let t = b"\x04\x01\x01\x01\x07\x01\x0c\0\0\0\x01\x02\0\x03\0\x20\0\0\0\x01\x09\x01\x04\0\x01\x05\x01\x0c\0\0\x07\0\x01\x01\0\0\0\0\0\x01\x0c";
        assert_eq!(read(t, 7).status, Some(Status { rows: 12, error: 0, cursor: 2 }));
        assert_eq!(read(t, 8).status, None);
    }

    #[test]
    fn rows_that_look_like_errors_are_none() {
        let row = b"\x06\x01\x07\x28ORA-00942: table or view does not exist\n\x01\x02";
        let more = [&row[..], &[0; 40]].concat();
        assert_eq!(read(&more, 7).error, None, "not at the end");
        let last = b"\x06\x01\x07\x28ORA-00942: table or view does not exist\n";
        assert_eq!(read(last, 7).error, None, "its number does not stand in front");
    }

    #[test]
    fn what_newer_servers_put_behind_the_message() {
        let t = [&thin_error()[..], &[0; 40]].concat();
        assert_eq!(read(&t, 7).error, Some((942, ERROR.trim_ascii_end())));
        assert_eq!(read(&t, 8).error, None, "not of this call");
        // Rows that look like errors stand in front of a verdict that is none.
        let t = b"\x04\x01\x01\x01\x07\x01\x0c\0\0\0\x01\x02\0\x03\0\x20\0\0\0\x01\x09\x01\x04\0\x01\x05\x01\x0c\0\0\x07\0\x01\x01\0\0\0\0\0\x01\x0c";
        let rows = [b"\x06\x01\x07\x28ORA-00942: table or view does not exist\n", &t[..], &[0; 40]].concat();
        assert_eq!((read(&rows, 7).error, read(&rows, 7).code()), (None, Some(0)));
    }

    #[test]
    fn numbers_without_a_message() {
        let t = thin_error();
        let v = read(&t[..t.len() - ERROR.len() - 1], 7);
        assert_eq!((v.error, v.code()), (None, Some(942)));
        assert_eq!(read(b"\x04\x99\x98\x97\x96", 7).code(), None);
    }

    #[test]
    fn no_row_where_one_is_needed_is_an_error() {
        let text = b"ORA-01403: no data found\nORA-06512: at line 1\n";
        let t = [&b"\x04\x05\x7b"[..], &[text.len() as u8], text].concat();
        assert_eq!(read(&t, 1).error.map(|e| e.0), Some(1403));
    }
}
