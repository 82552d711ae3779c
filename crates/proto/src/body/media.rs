//! Is a body something to read? By its media type (RFC 9110 section 8.3), else by its bytes.

/// What a media type promises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Media {
    /// No type, or one that says nothing: the bytes decide.
    #[default]
    Unknown,
    /// To be read.
    Text,
    /// Parts of many types, RFC 2046 section 5.1.
    Multipart,
    /// Pictures, sound, archives...: left out.
    Binary,
}

/// Endings of `application/...` that are text.
const TEXTS: [&[u8]; 22] = [
    b"json",
    b"xml",
    b"javascript",
    b"ecmascript",
    b"x-www-form-urlencoded",
    b"graphql",
    b"yaml",
    b"csv",
    b"html",
    b"sql",
    b"ndjson",
    b"x-ndjson",
    b"jsonl",
    b"soap",
    b"x-sh",
    b"toml",
    b"x-yaml",
    b"x-javascript",
    b"typescript",
    b"mpegurl",
    b"text",
    b"sparql-query",
];

/// Types that are never text.
const BINARY: [&[u8]; 5] = [b"image", b"video", b"audio", b"font", b"model"];

impl Media {
    /// By a Content-Type.
    pub(crate) fn of(content_type: &[u8]) -> Media {
        let name = content_type.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
        let mut halves = name.splitn(2, |b| *b == b'/');
        let (Some(major), Some(minor)) = (halves.next(), halves.next()) else { return Media::Unknown };
        let is = |s: &[u8], word: &[u8]| s.eq_ignore_ascii_case(word);
        let last = minor.rsplit(|b| *b == b'+').next().unwrap_or_default();
        let is_text = TEXTS.iter().any(|t| is(last, t));
        if is(major, b"text") || is(major, b"message") || (is_text && !is(major, b"multipart")) {
            Media::Text
        } else if is(major, b"multipart") {
            Media::Multipart
        } else if BINARY.iter().any(|m| is(major, m)) || (is(major, b"application") && known_binary(minor)) {
            Media::Binary
        } else {
            Media::Unknown
        }
    }
}

/// Types of `application/...` that are never text.
fn known_binary(minor: &[u8]) -> bool {
    const WHOLE: [&[u8]; 26] = [
        b"octet-stream",
        b"zip",
        b"pdf",
        b"gzip",
        b"x-gzip",
        b"x-tar",
        b"x-bzip2",
        b"x-xz",
        b"zstd",
        b"x-7z-compressed",
        b"x-rar-compressed",
        b"vnd.rar",
        b"java-archive",
        b"wasm",
        b"msword",
        b"x-msdownload",
        b"x-protobuf",
        b"protobuf",
        b"x-msgpack",
        b"msgpack",
        b"cbor",
        b"x-shockwave-flash",
        b"font-woff",
        b"x-font-ttf",
        b"x-java-serialized-object",
        b"x-executable",
    ];
    const BEGIN: [&[u8]; 6] = [
        b"vnd.ms-",
        b"vnd.openxmlformats",
        b"vnd.oasis",
        b"grpc",
        b"vnd.apple.installer",
        b"x-apple-diskimage",
    ];
    WHOLE.iter().any(|w| minor.eq_ignore_ascii_case(w))
        || BEGIN.iter().any(|w| minor.get(..w.len()).is_some_and(|m| m.eq_ignore_ascii_case(w)))
}

/// Bytes looked at to tell text from the rest.
const SNIFF: usize = 512;

/// Do these bytes look like something else than text? `promised`: the type says text.
pub(crate) fn looks_binary(bytes: &[u8], promised: bool) -> bool {
    let (head, cut) = bytes.split_at_checked(SNIFF).map_or((bytes, false), |(h, _)| (h, true));
    let odd = count_odd(head);
    if odd > head.len() / 16 || (odd > 0 && head.contains(&0)) {
        return true;
    }
    if promised {
        return false;
    }
    match std::str::from_utf8(head) {
        Ok(_) => odd > 0 && head.len() < 64,
        // A character cut at the end is no fault.
        Err(e) => !(cut && e.error_len().is_none()) && e.error_len().is_some(),
    }
}

/// How many control characters there are that text does not hold. Block by block, without branches in
/// one: the compiler makes vector code of it.
fn count_odd(text: &[u8]) -> usize {
    const BLOCK: usize = 32;
    let (blocks, tail) = text.as_chunks::<BLOCK>();
    let mut odd = tail.iter().filter(|b| is_odd(**b)).count();
    for block in blocks {
        if block.iter().fold(false, |any, b| any | is_control(*b)) {
            let n = block.iter().fold(0u8, |n, b| n.wrapping_add(u8::from(is_odd(*b))));
            odd = odd.saturating_add(usize::from(n));
        }
    }
    odd
}

#[inline]
fn is_control(b: u8) -> bool {
    (b < 0x20) | (b == 0x7f)
}

/// Control characters that text does not hold.
#[inline]
fn is_odd(b: u8) -> bool {
    let blank = (b == b'\t') | (b == b'\n') | (b == b'\r') | (b == 0x0c) | (b == 0x1b);
    is_control(b) & !blank
}

/// A parameter of a header value: `name=value` or `name="value"` behind a semicolon.
pub(crate) fn parameter<'a>(value: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    value.split(|b| *b == b';').skip(1).find_map(|p| {
        let at = p.iter().position(|b| *b == b'=')?;
        let (n, v) = p.split_at_checked(at)?;
        let v = v.get(1..)?.trim_ascii();
        let v = v.strip_prefix(b"\"").map_or(v, |v| v.strip_suffix(b"\"").unwrap_or(v));
        n.trim_ascii().eq_ignore_ascii_case(name).then_some(v)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_their_kin() {
        for (t, m) in [
            ("text/html; charset=UTF-8", Media::Text),
            ("application/json", Media::Text),
            ("application/problem+JSON", Media::Text),
            ("image/svg+xml", Media::Text),
            ("application/x-www-form-urlencoded", Media::Text),
            ("application/vnd.apple.mpegurl", Media::Unknown),
            ("multipart/form-data; boundary=x", Media::Multipart),
            ("image/png", Media::Binary),
            ("application/octet-stream", Media::Binary),
            ("application/vnd.ms-excel", Media::Binary),
            ("application/x-what", Media::Unknown),
            ("", Media::Unknown),
        ] {
            assert_eq!(Media::of(t.as_bytes()), m, "{t}");
        }
    }

    #[test]
    fn bytes_tell() {
        assert!(looks_binary(b"\x89PNG\r\n\x1a\n\0\0", false));
        assert!(looks_binary(b"a\0b", true));
        assert!(!looks_binary(b"plain\r\n\ttext", false));
        assert!(!looks_binary("Grüße".as_bytes(), false));
        assert!(looks_binary(b"Gr\xfc\xdfe", false));
        assert!(!looks_binary(b"Gr\xfc\xdfe", true));
        assert!(!looks_binary("ü".repeat(300).as_bytes(), false));
    }

    #[test]
    fn odd_bytes_are_counted_at_every_place() {
        for n in [0, 1, 15, 16, 17, 100, 512, 5000] {
            let text: Vec<u8> = (0..n).map(|i| (i * 7 % 256) as u8).collect();
            assert_eq!(count_odd(&text), text.iter().filter(|b| is_odd(**b)).count(), "{n}");
        }
        let all: Vec<u8> = (0..=255).filter(|b| is_odd(*b)).collect();
        assert_eq!(all.len(), 32 - 5 + 1);
        assert_eq!(count_odd(&[1; 5000]), 5000);
    }

    #[test]
    fn parameters() {
        let v = b"multipart/form-data; Boundary=\"a b\"; charset = utf-8";
        assert_eq!(parameter(v, b"boundary"), Some(&b"a b"[..]));
        assert_eq!(parameter(v, b"charset"), Some(&b"utf-8"[..]));
        assert_eq!(parameter(v, b"x"), None);
    }
}
