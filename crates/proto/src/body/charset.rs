//! Charsets to UTF-8: what the web still uses beside it (names of the WHATWG Encoding Standard).
//!
//! The tables are kept deflated (some 60 KB for all) and inflated when a charset is first met.
//! Left out: what two-byte tables do not hold (HKSCS, JIS X 0212, rare four-byte GB 18030)
//! becomes U+FFFD.

use super::coding::inflate_all;
use std::sync::OnceLock;

/// A charset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Charset {
    /// Nothing is to be done, or nothing is known.
    #[default]
    Utf8,
    /// One byte a character: its place among the tables.
    Single(u8),
    Gb18030,
    Big5,
    ShiftJis,
    EucJp,
    EucKr,
    Utf16Le,
    Utf16Be,
}

/// Labels of the charsets of one byte, in the order of the tables.
const SINGLES: [&[&str]; 26] = [
    &["windows-1250", "cp1250"],
    &["windows-1251", "cp1251"],
    &["windows-1252", "cp1252", "iso-8859-1", "iso8859-1", "latin1", "l1"],
    &["windows-1253", "cp1253"],
    &["windows-1254", "cp1254", "iso-8859-9", "latin5"],
    &["windows-1255", "cp1255"],
    &["windows-1256", "cp1256"],
    &["windows-1257", "cp1257"],
    &["windows-1258", "cp1258"],
    &["windows-874", "tis-620", "iso-8859-11"],
    &["iso-8859-2", "latin2", "iso8859-2"],
    &["iso-8859-3"],
    &["iso-8859-4"],
    &["iso-8859-5"],
    &["iso-8859-6"],
    &["iso-8859-7"],
    &["iso-8859-8", "iso-8859-8-i"],
    &["iso-8859-10"],
    &["iso-8859-13"],
    &["iso-8859-14"],
    &["iso-8859-15", "latin9", "iso8859-15"],
    &["iso-8859-16"],
    &["koi8-r", "koi8"],
    &["koi8-u"],
    &["ibm866", "cp866"],
    &["macintosh", "x-mac-roman"],
];

/// Labels of the others.
const OTHERS: [(Charset, &[&str]); 7] = [
    (Charset::Gb18030, &["gb18030", "gbk", "gb2312", "gb_2312-80", "x-gbk", "cp936", "hz-gb-2312"]),
    (Charset::Big5, &["big5", "big5-hkscs", "cp950", "x-x-big5"]),
    (Charset::ShiftJis, &["shift_jis", "shift-jis", "sjis", "x-sjis", "windows-31j", "cp932", "ms_kanji"]),
    (Charset::EucJp, &["euc-jp", "x-euc-jp"]),
    (Charset::EucKr, &["euc-kr", "ks_c_5601-1987", "cp949", "windows-949", "ksc5601"]),
    (Charset::Utf16Le, &["utf-16", "utf-16le", "ucs-2", "unicode"]),
    (Charset::Utf16Be, &["utf-16be", "unicodefffe"]),
];

impl Charset {
    /// By its label; anything unknown is left as it is.
    pub(crate) fn of(label: &[u8]) -> Charset {
        let label = label.trim_ascii().trim_ascii_end();
        let is = |names: &&[&str]| names.iter().any(|n| label.eq_ignore_ascii_case(n.as_bytes()));
        if let Some((c, _)) = OTHERS.iter().find(|(_, names)| is(names)) {
            return *c;
        }
        SINGLES.iter().position(is).map_or(Charset::Utf8, |i| Charset::Single(i as u8))
    }

    /// By a byte order mark: the charset, and the bytes of the mark.
    pub(crate) fn by_mark(bytes: &[u8]) -> Option<(Charset, usize)> {
        match bytes {
            [0xef, 0xbb, 0xbf, ..] => Some((Charset::Utf8, 3)),
            [0xff, 0xfe, ..] => Some((Charset::Utf16Le, 2)),
            [0xfe, 0xff, ..] => Some((Charset::Utf16Be, 2)),
            _ => None,
        }
    }

    /// By what a page says of itself: `<meta charset=...>`, `<?xml encoding=...?>`.
    pub(crate) fn by_meta(bytes: &[u8]) -> Option<Charset> {
        /// Where pages say it (WHATWG HTML, "prescan").
        const PRESCAN: usize = 1024;
        let head = bytes.get(..PRESCAN).unwrap_or(bytes).trim_ascii_start();
        if head.first() != Some(&b'<') {
            return None;
        }
        let word: &[u8] = if head.starts_with(b"<?xml") { b"encoding=" } else { b"charset=" };
        let at = head.windows(word.len()).position(|w| w.eq_ignore_ascii_case(word))?;
        let rest = head.get(at.saturating_add(word.len())..)?;
        let rest = rest.strip_prefix(b"\"").or_else(|| rest.strip_prefix(b"'")).unwrap_or(rest);
        let label = rest.split(|b| !(b.is_ascii_alphanumeric() || b"-_.:".contains(b))).next()?;
        Some(match Charset::of(label) {
            // Who could read it so far did not read UTF-16.
            Charset::Utf16Le | Charset::Utf16Be => Charset::Utf8,
            c => c,
        })
    }

    /// `bytes` as UTF-8: no more than `cap` bytes, whole characters. A character cut at the end
    /// is left out.
    pub(crate) fn decode(self, mut bytes: &[u8], cap: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(cap.min(bytes.len().saturating_mul(3)));
        while let Some((c, rest)) = self.next(bytes) {
            bytes = rest;
            let mut buf = [0; 4];
            let text =
                char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER).encode_utf8(&mut buf).as_bytes();
            if out.len().saturating_add(text.len()) > cap {
                break;
            }
            out.extend_from_slice(text);
        }
        out
    }

    /// The next character (0xFFFD when there is none for these bytes) and what is behind it.
    fn next(self, bytes: &[u8]) -> Option<(u32, &[u8])> {
        const NONE: u32 = 0xfffd;
        let (a, rest) = bytes.split_first()?;
        let a = *a;
        if matches!(self, Charset::Utf16Le | Charset::Utf16Be) {
            return self.utf16(bytes);
        }
        if a < 0x80 {
            return Some((u32::from(a), rest));
        }
        let at = |n: u8, from: u8| usize::from(n.wrapping_sub(from));
        match self {
            Charset::Utf8 => return Some((NONE, rest)),
            Charset::Single(table) => {
                let c = look(Table::Single, usize::from(table), 128, at(a, 0x80));
                return Some((c.unwrap_or(NONE), rest));
            }
            Charset::ShiftJis if (0xa1..=0xdf).contains(&a) => {
                return Some((u32::from(a).wrapping_add(0xff61 - 0xa1), rest));
            }
            Charset::Gb18030 if a == 0x80 => return Some((0x20ac, rest)),
            _ => {}
        }
        let (b, behind) = rest.split_first()?;
        let b = *b;
        if self == Charset::Gb18030 && b.is_ascii_digit() {
            let ([c, d], behind) = behind.split_first_chunk::<2>()?;
            let high = at(a, 0x81).wrapping_mul(10).wrapping_add(at(b, 0x30)).wrapping_mul(126);
            let n = high.wrapping_add(at(*c, 0x81)).wrapping_mul(10).wrapping_add(at(*d, 0x30));
            // Where the supplementary planes begin.
            let c = n
                .checked_sub(189_000)
                .and_then(|n| u32::try_from(n).ok())
                .map(|n| n.saturating_add(0x1_0000));
            return Some((c.unwrap_or(NONE), behind));
        }
        let c = match self {
            Charset::Gb18030 => {
                trail(b, 0x40, 0x7e, 0x80, 0xfe).and_then(|t| look(Table::Gb18030, at(a, 0x81), 190, t))
            }
            Charset::Big5 => {
                trail(b, 0x40, 0x7e, 0xa1, 0xfe).and_then(|t| look(Table::Big5, at(a, 0xa1), 157, t))
            }
            Charset::EucKr => {
                trail(b, 0x41, 0xfe, 0xff, 0xff).and_then(|t| look(Table::EucKr, at(a, 0x81), 190, t))
            }
            Charset::ShiftJis => {
                let lead = if a >= 0xe0 { at(a, 0xc1) } else { at(a, 0x81) };
                trail(b, 0x40, 0x7e, 0x80, 0xfc).and_then(|t| look(Table::ShiftJis, lead, 188, t))
            }
            // Half width katakana; JIS X 0212 in three bytes.
            Charset::EucJp if a == 0x8e => Some(u32::from(b).wrapping_add(0xff61 - 0xa1)),
            Charset::EucJp if a == 0x8f => return Some((NONE, behind.get(1..)?)),
            // Two rows of 94 make one lead byte of Shift_JIS.
            Charset::EucJp => trail(b, 0xa1, 0xfe, 0xff, 0xff).and_then(|t| {
                let row = at(a, 0xa1);
                look(Table::ShiftJis, row / 2, 188, t.saturating_add((row % 2).saturating_mul(94)))
            }),
            _ => None,
        };
        match c {
            Some(c) => Some((c, behind)),
            // A trail byte that is ASCII is read again.
            None => Some((NONE, if b < 0x80 { rest } else { behind })),
        }
    }

    fn utf16(self, bytes: &[u8]) -> Option<(u32, &[u8])> {
        let unit = |bytes: &[u8; 2]| match self {
            Charset::Utf16Be => u16::from_be_bytes(*bytes),
            _ => u16::from_le_bytes(*bytes),
        };
        let (first, rest) = bytes.split_first_chunk::<2>()?;
        let first = unit(first);
        if !(0xd800..0xdc00).contains(&first) {
            return Some((u32::from(first), rest));
        }
        let (second, behind) = rest.split_first_chunk::<2>()?;
        let second = unit(second);
        if !(0xdc00..0xe000).contains(&second) {
            return Some((0xfffd, rest));
        }
        let c = u32::from(first & 0x3ff).wrapping_shl(10) | u32::from(second & 0x3ff);
        Some((c.saturating_add(0x1_0000), behind))
    }
}

/// The column of a trail byte in one of two ranges.
fn trail(b: u8, a0: u8, a1: u8, b0: u8, b1: u8) -> Option<usize> {
    if (a0..=a1).contains(&b) {
        Some(usize::from(b.wrapping_sub(a0)))
    } else if (b0..=b1).contains(&b) {
        let before = a1.wrapping_sub(a0).wrapping_add(1);
        Some(usize::from(b.wrapping_sub(b0)).saturating_add(usize::from(before)))
    } else {
        None
    }
}

/// The tables of `tables/make.py`.
#[derive(Clone, Copy, Debug)]
enum Table {
    Gb18030,
    Big5,
    EucKr,
    ShiftJis,
    Single,
}

fn look(table: Table, row: usize, width: usize, column: usize) -> Option<u32> {
    static READY: [OnceLock<Vec<u16>>; 5] = [const { OnceLock::new() }; 5];
    let chars = READY.get(table as usize)?.get_or_init(|| {
        unpack(match table {
            Table::Gb18030 => include_bytes!("tables/gb18030.bin"),
            Table::Big5 => include_bytes!("tables/big5.bin"),
            Table::EucKr => include_bytes!("tables/euckr.bin"),
            Table::ShiftJis => include_bytes!("tables/sjis.bin"),
            Table::Single => include_bytes!("tables/single.bin"),
        })
    });
    chars.get(row.saturating_mul(width).saturating_add(column)).filter(|c| **c != 0).map(|c| u32::from(*c))
}

/// High bytes, then low bytes, of the differences from one character to the next.
fn unpack(packed: &[u8]) -> Vec<u16> {
    /// The largest table has 23,940 characters.
    const LARGEST: usize = 2 * 23_940;
    let planes = inflate_all(packed, LARGEST);
    let (high, low) = planes.split_at_checked(planes.len() / 2).unwrap_or_default();
    let mut last = 0u16;
    let chars = high.iter().zip(low).map(|(h, l)| {
        last = last.wrapping_add(u16::from_be_bytes([*h, *l]));
        last
    });
    chars.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(label: &str, bytes: &[u8]) -> String {
        String::from_utf8(Charset::of(label.as_bytes()).decode(bytes, 1000)).unwrap()
    }

    #[test]
    fn texts_in_many_charsets() {
        // Each as Python's codec of that name writes it.
        assert_eq!(read("ISO-8859-1", b"Gr\xfc\xdfe \x80"), "Grüße €");
        assert_eq!(read("windows-1251", b"\xcf\xf0\xe8\xe2\xe5\xf2"), "Привет");
        assert_eq!(read("koi8-r", b"\xf0\xd2\xc9\xd7\xc5\xd4"), "Привет");
        assert_eq!(read("gbk", b"\xc4\xe3\xba\xc3, \xca\xc0\xbd\xe7"), "你好, 世界");
        assert_eq!(read("gb18030", b"a\x94\x39\xda\x33b"), "a💩b");
        assert_eq!(read("big5", b"\xa7\x41\xa6\x6e\xa5\x40\xac\xc9"), "你好世界");
        assert_eq!(read("Shift_JIS", b"\x82\xb1\x82\xf1 \x93\xfa\x96\x7b \xb6"), "こん 日本 ｶ");
        assert_eq!(read("euc-jp", b"\xa4\xb3\xa4\xf3 \xc6\xfc\xcb\xdc \x8e\xb6"), "こん 日本 ｶ");
        assert_eq!(read("euc-kr", b"\xbe\xc8\xb3\xe7"), "안녕");
        assert_eq!(read("utf-16le", b"a\0=\xd8\xa9\xdc"), "a💩");
        assert_eq!(read("utf-16be", b"\0a\x4f\x60"), "a你");
    }

    #[test]
    fn what_is_broken_or_cut_does_no_harm() {
        assert_eq!(read("gbk", b"a\xc4"), "a", "cut at the end");
        assert_eq!(read("gbk", b"\xff<b>"), "\u{fffd}<b>", "ASCII is not swallowed");
        assert_eq!(read("utf-16le", b"\0\xd8a\0"), "\u{fffd}a");
        assert_eq!(Charset::of(b"gbk").decode(b"\xc4\xe3\xba\xc3", 5), "你".as_bytes(), "whole characters");
        for label in ["gbk", "big5", "sjis", "euc-jp", "euc-kr", "utf-16", "koi8-u", "macintosh"] {
            for a in 0..=255u8 {
                for b in 0..=255u8 {
                    let _ = read(label, &[a, b, 0x81, 0x30]);
                }
            }
        }
    }

    #[test]
    fn pages_say_it_themselves() {
        assert_eq!(Charset::by_meta(b" <html><meta charset=\"GBK\">"), Some(Charset::Gb18030));
        assert_eq!(
            Charset::by_meta(b"<meta http-equiv=Content-Type content='text/html; charset=big5'>"),
            Some(Charset::Big5)
        );
        assert_eq!(Charset::by_meta(b"<?xml version='1.0' encoding='EUC-JP'?>"), Some(Charset::EucJp));
        assert_eq!(Charset::by_meta(b"charset=gbk"), None);
        assert_eq!(Charset::by_mark(b"\xff\xfea\0"), Some((Charset::Utf16Le, 2)));
        assert_eq!(Charset::of(b"utf-8"), Charset::Utf8);
    }
}
