//! The head of a message: start line and header fields, found and read in one walk.
//!
//! RFC 9112 sections 2.2 (bare LF, leading empty lines), 3 (request line), 4 (status line),
//! 5 (fields, obsolete folding), 6.3 (length of the body).

use std::borrow::Cow;

/// Finds a byte, eight at a time.
#[inline]
pub(crate) fn find(hay: &[u8], byte: u8) -> Option<usize> {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let same = u64::from_ne_bytes([byte; 8]);
    let (words, tail) = hay.as_chunks::<8>();
    let mut at = 0usize;
    for w in words {
        let x = u64::from_le_bytes(*w) ^ same;
        // The lowest bit set belongs to the first byte that is zero in `x`.
        let zero = x.wrapping_sub(LOW) & !x & HIGH;
        if zero != 0 {
            return Some(at.saturating_add(zero.trailing_zeros().wrapping_shr(3) as usize));
        }
        at = at.saturating_add(8);
    }
    tail.iter().position(|b| *b == byte).map(|i| at.saturating_add(i))
}

/// The methods that are known by name: RFC 9110 and 5789, WebDAV and its kin (RFC 3253, 3648,
/// 3744, 4791, 4918, 5323), QUERY, UPnP, and what caches and load balancers use.
const METHODS: [&str; 47] = [
    "GET",
    "POST",
    "HEAD",
    "PUT",
    "DELETE",
    "OPTIONS",
    "PATCH",
    "CONNECT",
    "TRACE",
    "QUERY",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
    "SEARCH",
    "REPORT",
    "CHECKIN",
    "CHECKOUT",
    "UNCHECKOUT",
    "MKACTIVITY",
    "MKWORKSPACE",
    "MERGE",
    "UPDATE",
    "LABEL",
    "VERSION-CONTROL",
    "BASELINE-CONTROL",
    "ORDERPATCH",
    "ACL",
    "BIND",
    "REBIND",
    "UNBIND",
    "LINK",
    "UNLINK",
    "MKCALENDAR",
    "MKREDIRECTREF",
    "UPDATEREDIRECTREF",
    "PRI",
    "PURGE",
    "BAN",
    "M-SEARCH",
    "NOTIFY",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "SOURCE",
];

/// The known method of this name (case matters).
pub(super) fn known(token: &[u8]) -> Option<&'static str> {
    match token {
        b"GET" => Some("GET"),
        b"POST" => Some("POST"),
        b"PRI" => None,
        _ => METHODS.into_iter().find(|m| m.as_bytes() == token),
    }
}

/// The longest known method at the end of `bytes`.
pub(super) fn known_suffix(bytes: &[u8]) -> Option<&'static str> {
    METHODS.into_iter().filter(|m| *m != "PRI" && bytes.ends_with(m.as_bytes())).max_by_key(|m| m.len())
}

/// A character of a token, RFC 9110 section 5.6.2.
pub(super) fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

/// Versions of HTTP/1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// No version in the request line: the answer is a bare body.
    V09,
    V10,
    V11,
    /// One that was never defined, or is spoken otherwise than HTTP/1.
    Other,
}

impl Version {
    /// As in HTTP_VERSION.
    pub(super) fn name(self) -> &'static str {
        match self {
            Version::V09 => "0.9",
            Version::V10 => "1.0",
            Version::V11 => "1.1",
            Version::Other => "1",
        }
    }

    /// `HTTP/` digit `.` digits, any case: the version and its number.
    fn parse(word: &[u8]) -> Option<(Version, &[u8])> {
        let (name, number) = word.split_at_checked(5)?;
        match number {
            _ if !name.eq_ignore_ascii_case(b"HTTP/") => None,
            b"1.1" => Some((Version::V11, number)),
            b"1.0" => Some((Version::V10, number)),
            [b'0'..=b'9', b'.', minor @ ..] if minor.iter().all(u8::is_ascii_digit) => {
                Some((Version::Other, number))
            }
            _ => None,
        }
    }
}

fn is_blank(b: u8) -> bool {
    b == b' ' || b == b'\t'
}

/// Takes off blanks and line ends at both ends.
pub(super) fn trim(s: &[u8]) -> &[u8] {
    s.trim_ascii()
}

/// A request line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RequestLine<'a> {
    pub(super) method: &'a [u8],
    pub(super) target: &'a [u8],
    pub(super) version: Version,
    /// The number of a version that is none of the known, as it stands there.
    pub(super) number: &'a [u8],
}

/// Reads a request line (without its line end). Targets may hold blanks: some clients do not
/// escape them. Lower-case and unknown methods pass when the line ends with a version.
pub(super) fn request_line(line: &[u8]) -> Option<RequestLine<'_>> {
    let line = line.trim_ascii_end();
    let at = line.iter().position(|b| is_blank(*b))?;
    let (method, rest) = line.split_at_checked(at)?;
    if method.is_empty() || method.len() > MAX_METHOD || !method.iter().all(|b| is_token(*b)) {
        return None;
    }
    let rest = rest.trim_ascii_start();
    if let Some(at) = rest.iter().rposition(|b| is_blank(*b))
        && let Some((target, word)) = rest.split_at_checked(at)
        && let Some((version, number)) = Version::parse(trim(word))
        // The preface of HTTP/2 (RFC 9113 section 3.4).
        && (method != b"PRI" || number.starts_with(b"1."))
    {
        return Some(RequestLine { method, target: trim(target), version, number });
    }
    if rest.is_empty() || rest.iter().any(|b| is_blank(*b)) {
        return None;
    }
    // Faulty clients: no blank before the version, or no target.
    let is_faulty = rest.len() >= 8
        && rest.get(rest.len().saturating_sub(8)..).is_some_and(|w| Version::parse(w).is_some());
    if is_faulty || (known(method).is_some() && method != b"GET" && rest.starts_with(b"/")) {
        return Some(RequestLine { method, target: rest, version: Version::Other, number: b"" });
    }
    // HTTP/0.9 had nothing but this.
    (method == b"GET" && rest.starts_with(b"/")).then_some(RequestLine {
        method,
        target: rest,
        version: Version::V09,
        number: b"",
    })
}

/// Longer "methods" are not one.
pub(super) const MAX_METHOD: usize = 32;

/// The status code of a status line; `ICY` is what SHOUTcast servers say for `HTTP/1.0`.
pub(super) fn status_line(line: &[u8]) -> Option<u16> {
    let (word, rest) = line.split_at_checked(line.iter().position(|b| is_blank(*b))?)?;
    if !Version::parse(word).is_some_and(|(_, n)| n.starts_with(b"1.")) && word != b"ICY" {
        return None;
    }
    let code: &[u8; 3] = rest.trim_ascii_start().first_chunk()?;
    let mut n = 0u16;
    for d in code {
        if !d.is_ascii_digit() {
            return None;
        }
        n = n.wrapping_mul(10).wrapping_add(u16::from(d.wrapping_sub(b'0')));
    }
    Some(n)
}

/// The header fields that are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Host,
    UserAgent,
    Cookie,
    Referer,
    ForwardedFor,
    Forwarded,
    RealIp,
    ContentType,
    ContentLength,
    ContentEncoding,
    TransferEncoding,
    Connection,
    Upgrade,
    Expect,
    TraceParent,
    B3,
    B3Trace,
    B3Span,
    RequestId,
}
const NAMES: usize = 19;

impl Name {
    #[inline]
    fn of(name: &[u8]) -> Option<Name> {
        let first = name.first()? | 0x20;
        let (id, full): (Name, &[u8]) = match (name.len(), first) {
            (2, b'b') => (Name::B3, b"b3"),
            (4, b'h') => (Name::Host, b"host"),
            (6, b'c') => (Name::Cookie, b"cookie"),
            (6, b'e') => (Name::Expect, b"expect"),
            (7, b'r') => (Name::Referer, b"referer"),
            (7, b'u') => (Name::Upgrade, b"upgrade"),
            (9, b'f') => (Name::Forwarded, b"forwarded"),
            (9, b'x') => (Name::RealIp, b"x-real-ip"),
            (10, b'u') => (Name::UserAgent, b"user-agent"),
            (10, b'c') => (Name::Connection, b"connection"),
            (11, b't') => (Name::TraceParent, b"traceparent"),
            (11, b'x') => (Name::B3Span, b"x-b3-spanid"),
            (12, b'c') => (Name::ContentType, b"content-type"),
            (12, b'x') => {
                let wish = name.get(2).map_or(0, |b| b | 0x20);
                if wish == b'r' {
                    (Name::RequestId, b"x-request-id")
                } else {
                    (Name::B3Trace, b"x-b3-traceid")
                }
            }
            (14, b'c') => (Name::ContentLength, b"content-length"),
            (15, b'x') => (Name::ForwardedFor, b"x-forwarded-for"),
            (16, b'c') => (Name::ContentEncoding, b"content-encoding"),
            (17, b't') => (Name::TransferEncoding, b"transfer-encoding"),
            _ => return None,
        };
        is_same(name, full).then_some(id)
    }
}

/// Is this name that one, which is in small letters and as long? Any case; eight bytes at a time.
#[inline]
fn is_same(name: &[u8], small: &[u8]) -> bool {
    let small_word = |w: &[u8; 8]| {
        /// Bit 7 of each byte below 0x80 that is at least `from`.
        const fn at_least(w: u64, from: u8) -> u64 {
            (w & 0x7f7f_7f7f_7f7f_7f7f).wrapping_add(u64::from_ne_bytes([0x80u8.wrapping_sub(from); 8])) & !w
        }
        let w = u64::from_le_bytes(*w);
        let capital = at_least(w, b'A') & !at_least(w, b'Z'.wrapping_add(1)) & 0x8080_8080_8080_8080;
        w | capital >> 2
    };
    // Two words cover up to sixteen bytes.
    match (name.first_chunk(), name.last_chunk(), small.first_chunk(), small.last_chunk()) {
        (Some(a), Some(b), Some(x), Some(y)) if name.len() <= 16 => {
            small_word(a) == u64::from_le_bytes(*x) && small_word(b) == u64::from_le_bytes(*y)
        }
        _ => name.eq_ignore_ascii_case(small),
    }
}

/// The head of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    /// All of it, start line to blank line.
    pub(super) bytes: &'a [u8],
    /// The start line without its end.
    pub(super) line: &'a [u8],
    values: [&'a [u8]; NAMES],
    present: u32,
    /// Content-Length was given more than once and not with one value.
    pub(super) odd_length: bool,
}

/// What the walk over a head came to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Walk<'a> {
    /// To the blank line.
    Whole(Head<'a>),
    /// The bytes end before the blank line: what there is of it.
    Short(Head<'a>),
}

impl<'a> Head<'a> {
    /// A head that is nothing but a line.
    pub(super) fn of_line(bytes: &'a [u8], line: &'a [u8]) -> Head<'a> {
        Head { bytes, line, values: [&[]; NAMES], present: 0, odd_length: false }
    }

    /// Walks from the start line to the blank line.
    pub(super) fn walk(bytes: &'a [u8]) -> Walk<'a> {
        let mut head = Head::of_line(bytes, &[]);
        let Some((line, mut rest)) = next_line(bytes) else { return Walk::Short(head) };
        head.line = line;
        while let Some((line, after)) = next_line(rest) {
            rest = after;
            match line {
                [] | [b'\r'] => {
                    let len = bytes.len().saturating_sub(rest.len());
                    head.bytes = bytes.get(..len).unwrap_or(bytes);
                    return Walk::Whole(head);
                }
                [b, ..] if begins_name(*b) => head.field(line),
                _ => {}
            }
        }
        Walk::Short(head)
    }

    /// A line whose name may be one that is looked at.
    #[inline]
    fn field(&mut self, line: &'a [u8]) {
        let Some(colon) = find(line.get(..MAX_NAME).unwrap_or(line), b':') else { return };
        if let Some((name, value)) = line.split_at_checked(colon)
            && let Some(id) = Name::of(name.trim_ascii_end())
        {
            self.put(id, trim(value.get(1..).unwrap_or_default()));
        }
    }

    fn put(&mut self, id: Name, value: &'a [u8]) {
        let bit = 1u32.wrapping_shl(id as u32);
        let Some(slot) = self.values.get_mut(id as usize) else { return };
        if self.present & bit == 0 {
            self.present |= bit;
            *slot = value;
        } else if id == Name::ContentLength {
            self.odd_length |= *slot != value;
        } else if matches!(id, Name::TransferEncoding | Name::Connection) {
            // What was applied last is named last.
            *slot = value;
        }
    }

    /// The value of a field as sent (folds included); empty without it.
    pub(super) fn get(&self, id: Name) -> &'a [u8] {
        self.values.get(id as usize).copied().unwrap_or_default()
    }

    /// Was the field there?
    pub(super) fn has(&self, id: Name) -> bool {
        self.present & 1u32.wrapping_shl(id as u32) != 0
    }

    /// The one length of Content-Length: `Ok(None)` without the field, `Err` when it makes no
    /// sense. `5, 5` is 5 (RFC 9110 section 8.6).
    pub(super) fn length(&self) -> Result<Option<u64>, ()> {
        if !self.has(Name::ContentLength) {
            return Ok(None);
        }
        let mut length = None;
        for part in self.get(Name::ContentLength).split(|b| *b == b',') {
            let n = decimal(trim(part)).ok_or(())?;
            if self.odd_length || length.is_some_and(|l| l != n) {
                return Err(());
            }
            length = Some(n);
        }
        Ok(length)
    }

    /// The last transfer coding, and whether there is any but `identity`.
    pub(super) fn transfer(&self) -> (bool, bool) {
        let value = self.get(Name::TransferEncoding);
        let last = value.rsplit(|b| *b == b',').map(trim).find(|p| !p.is_empty()).unwrap_or_default();
        let last = trim(last.split(|b| *b == b';').next().unwrap_or_default());
        (last.eq_ignore_ascii_case(b"chunked"), !last.is_empty() && !last.eq_ignore_ascii_case(b"identity"))
    }
}

/// A header name that is looked at is not longer (`transfer-encoding`, blanks and the colon).
const MAX_NAME: usize = 24;

/// Does the name of a header that is looked at begin with this letter?
#[inline]
fn begins_name(b: u8) -> bool {
    const LETTERS: u32 = {
        let (letters, mut set, mut i) = (b"bcefhrtux", 0u32, 0usize);
        while let Some((b, _)) = letters.split_at(i).1.split_first() {
            set |= 1u32.wrapping_shl(b.wrapping_sub(b'a') as u32);
            i = i.wrapping_add(1);
        }
        set
    };
    let letter = (b | 0x20).wrapping_sub(b'a');
    letter < 26 && LETTERS.wrapping_shr(u32::from(letter)) & 1 != 0
}

/// A line with what is folded to it (RFC 9112 section 5.2), without its last LF, and the rest. The byte behind
/// a line says whether it goes on, so that must be there too, except behind a blank line.
#[inline]
fn next_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut end = find(bytes, b'\n')?;
    loop {
        let (line, rest) = bytes.split_at_checked(end)?;
        let rest = rest.get(1..)?;
        if matches!(line, [] | [b'\r']) || !is_blank(*rest.first()?) {
            return Some((line, rest));
        }
        end = find(rest, b'\n')?.saturating_add(end).saturating_add(1);
    }
}

/// Finds the end of a head (the offset behind its blank line), looking at `from` and later.
/// `from` lies on or behind a line end that was looked at already, or is 0.
pub(super) fn head_end(bytes: &[u8], from: usize) -> Option<usize> {
    // A blank line can have begun two bytes before.
    let mut at = from.saturating_sub(2);
    loop {
        let lf = find(bytes.get(at..)?, b'\n')?.saturating_add(at);
        at = lf.saturating_add(1);
        match bytes.get(at..)? {
            [b'\n', ..] => return Some(at.saturating_add(1)),
            [b'\r', b'\n', ..] => return Some(at.saturating_add(2)),
            _ => {}
        }
    }
}

/// Digits only; `None` above 64 bits.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |n, d| {
        let d = d.is_ascii_digit().then(|| u64::from(d.wrapping_sub(b'0')))?;
        n.checked_mul(10)?.checked_add(d)
    })
}

/// A folded value on one line (RFC 9112 section 5.2: a fold is a blank).
pub(super) fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    if find(value, b'\n').is_none() {
        return Cow::Borrowed(value);
    }
    let mut flat = Vec::with_capacity(value.len());
    for part in value.split(|b| *b == b'\n') {
        if !flat.is_empty() {
            flat.push(b' ');
        }
        flat.extend_from_slice(trim(part));
    }
    Cow::Owned(flat)
}

/// Is one of the comma separated words this one?
pub(super) fn lists(value: &[u8], word: &[u8]) -> bool {
    value.split(|b| *b == b',').any(|w| trim(w).eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn find_agrees_with_the_plain_search() {
        for n in 0..40usize {
            for at in 0..=n {
                let mut hay = vec![b'x'; n];
                hay.extend([0x0b, 0x8a, 0x09]);
                hay.insert(at, b'\n');
                assert_eq!(find(&hay, b'\n'), Some(at));
            }
        }
        assert_eq!(find(b"abcdefgh\x0b\x8a", b'\n'), None);
    }

    #[test]
    fn names_are_the_same_in_any_case_and_no_other_way() {
        for small in
            ["host", "x-real-ip", "user-agent", "x-forwarded-for", "content-encoding", "transfer-encoding"]
        {
            let name = small.to_ascii_uppercase().into_bytes();
            assert!(is_same(&name, small.as_bytes()));
            for at in 0..name.len() {
                for b in 0..=255u8 {
                    let mut other = name.clone();
                    other[at] = b;
                    let want = other.eq_ignore_ascii_case(small.as_bytes());
                    assert_eq!(is_same(&other, small.as_bytes()), want, "{small} {at} {b}");
                }
            }
        }
    }

    #[test]
    fn request_lines_of_all_forms() {
        let ok = |l: &'static str| {
            let r = request_line(l.as_bytes()).unwrap();
            (std::str::from_utf8(r.method).unwrap(), std::str::from_utf8(r.target).unwrap(), r.version)
        };
        assert_eq!(ok("GET / HTTP/1.1\r"), ("GET", "/", Version::V11));
        assert_eq!(ok("get /a b c HTTP/1.0"), ("get", "/a b c", Version::V10));
        assert_eq!(ok("OPTIONS * HTTP/1.1"), ("OPTIONS", "*", Version::V11));
        assert_eq!(ok("CONNECT a:443 HTTP/1.1"), ("CONNECT", "a:443", Version::V11));
        assert_eq!(ok("GET  http://a/  HTTP/1.1 "), ("GET", "http://a/", Version::V11));
        assert_eq!(ok("FROBNICATE /x HTTP/1.2"), ("FROBNICATE", "/x", Version::Other));
        assert_eq!(ok("GET /old"), ("GET", "/old", Version::V09));
        assert_eq!(ok("GET / HTTP/3.7"), ("GET", "/", Version::Other));
        assert_eq!(request_line(b"GET / HTTP/3.7").unwrap().number, b"3.7");
        assert_eq!(ok("HEAD / HTTP/1."), ("HEAD", "/", Version::Other));
        assert_eq!(ok("GET /HTTP/1.1"), ("GET", "/HTTP/1.1", Version::Other));
        assert_eq!(ok("OPTIONS HTTP/1.1"), ("OPTIONS", "HTTP/1.1", Version::Other));
        assert_eq!(ok("POST /x"), ("POST", "/x", Version::Other));
        for bad in [
            "",
            "GET",
            "PRI * HTTP/2.0",
            "G(T / HTTP/1.1",
            "FROB /x",
            "OPTIONS sip:a SIP/2.0",
            "GET / HTTP/2",
            "GET / HTTP/a.1",
            "HELO a b",
            " / HTTP/1.1",
        ] {
            assert_eq!(request_line(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn status_lines() {
        assert_eq!(status_line(b"HTTP/1.1 200 OK\r"), Some(200));
        assert_eq!(status_line(b"HTTP/1.0 404"), Some(404));
        assert_eq!(status_line(b"ICY 200 OK"), Some(200));
        assert_eq!(status_line(b"HTTP/1.1 2x0 OK"), None);
        assert_eq!(status_line(b"HTTP/2 200"), None);
    }

    #[test]
    fn heads_with_folds_bare_line_feeds_and_odd_lengths() {
        let Walk::Whole(h) = Head::walk(b"GET / HTTP/1.1\nHost : a\r\nCookie: a=1;\r\n\tb=2\r\nContent-Length: 5\r\ncontent-length:5\r\n\r\nbody")
        else {
            panic!()
        };
        assert_eq!(h.get(Name::Host), b"a");
        assert_eq!(&*unfold(h.get(Name::Cookie)), b"a=1; b=2");
        assert_eq!(h.length(), Ok(Some(5)));
        assert!(h.bytes.ends_with(b"5\r\n\r\n"));
        for (value, want) in [
            ("5, 5", Ok(Some(5))),
            ("5,6", Err(())),
            ("-1", Err(())),
            ("", Err(())),
            ("99999999999999999999", Err(())),
        ] {
            let text = format!("POST / HTTP/1.1\r\nContent-Length: {value}\r\n\r\n");
            let Walk::Whole(h) = Head::walk(text.as_bytes()) else { panic!() };
            assert_eq!(h.length(), want, "{value}");
        }
    }

    #[test]
    fn the_end_is_found_from_any_point_already_searched() {
        for text in ["GET / HTTP/1.1\r\na: b\r\n\r\nx\r\n\r\n", "GET / HTTP/1.1\na: b\n\nx"] {
            let end = text.find("x").unwrap();
            for from in 0..end {
                assert_eq!(head_end(text.as_bytes(), from), Some(end), "{from}");
            }
            for n in 0..end {
                assert_eq!(head_end(&text.as_bytes()[..n], 0), None);
                assert!(matches!(Head::walk(&text.as_bytes()[..n]), Walk::Short(_)));
            }
        }
    }

    #[test]
    fn transfer_codings() {
        for (value, want) in [
            ("chunked", (true, true)),
            ("gzip, Chunked", (true, true)),
            ("chunked;x=1", (true, true)),
            ("identity", (false, false)),
            ("gzip", (false, true)),
            ("chunked, gzip", (false, true)),
            ("chunked,", (true, true)),
        ] {
            let text = format!("POST / HTTP/1.1\r\nTransfer-Encoding: {value}\r\n\r\n");
            let Walk::Whole(h) = Head::walk(text.as_bytes()) else { panic!() };
            assert_eq!(h.transfer(), want, "{value}");
        }
    }
}
