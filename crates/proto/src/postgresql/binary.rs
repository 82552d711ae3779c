//! Values in the binary format ("src/backend/utils/adt" has their send functions) as the server
//! would print them with its default settings.

use super::params::Out;
use base::Reader;
use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

// Type OIDs (pg_type.dat).
const BOOL: u32 = 16;
const BYTEA: u32 = 17;
const CHAR: u32 = 18;
const NAME: u32 = 19;
const INT8: u32 = 20;
const INT2: u32 = 21;
const INT4: u32 = 23;
const TEXT: u32 = 25;
const OID: u32 = 26;
const JSON: u32 = 114;
const XML: u32 = 142;
const FLOAT4: u32 = 700;
const FLOAT8: u32 = 701;
const UNKNOWN: u32 = 705;
const CIDR: u32 = 650;
const INET: u32 = 869;
const BPCHAR: u32 = 1042;
const VARCHAR: u32 = 1043;
const DATE: u32 = 1082;
const TIME: u32 = 1083;
const TIMESTAMP: u32 = 1114;
const TIMESTAMPTZ: u32 = 1184;
const INTERVAL: u32 = 1186;
const NUMERIC: u32 = 1700;
const UUID: u32 = 2950;
const JSONB: u32 = 3802;

/// Types that are written without quotes.
pub(super) fn is_bare(oid: u32) -> bool {
    matches!(oid, BOOL | INT2 | INT4 | INT8 | OID | FLOAT4 | FLOAT8 | NUMERIC)
}

/// Types whose binary format is their text.
pub(super) fn is_text(oid: u32) -> bool {
    matches!(oid, CHAR | NAME | TEXT | JSON | XML | UNKNOWN | BPCHAR | VARCHAR)
}

/// Is it an array of a type known here?
fn is_array(oid: u32) -> bool {
    matches!(
        oid,
        1000 | 1001
            | 1002
            | 1003
            | 1005
            | 1007
            | 1009
            | 1014
            | 1015
            | 1016
            | 1021
            | 1022
            | 1028
            | 1041
            | 1115
            | 1182
            | 1183
            | 1185
            | 1187
            | 1231
            | 2951
            | 199
            | 3807
            | 651
    )
}

/// Writes a value; as hex when it is not what its type has.
pub(super) fn write(value: &[u8], oid: u32, out: &mut Out<'_>) {
    if known(value, oid, out).is_none() {
        out.hex(value);
    }
}

/// `None` when nothing was written.
fn known(value: &[u8], oid: u32, out: &mut Out<'_>) -> Option<()> {
    // Writing to `Out` never fails.
    let _ = match oid {
        BOOL => match value {
            [0] => write!(out, "false"),
            [1] => write!(out, "true"),
            _ => return None,
        },
        INT2 => write!(out, "{}", i16::from_be_bytes(value.try_into().ok()?)),
        INT4 => write!(out, "{}", i32::from_be_bytes(value.try_into().ok()?)),
        INT8 => write!(out, "{}", i64::from_be_bytes(value.try_into().ok()?)),
        OID => write!(out, "{}", u32::from_be_bytes(value.try_into().ok()?)),
        FLOAT4 => write!(out, "{}", f32::from_be_bytes(value.try_into().ok()?)),
        FLOAT8 => write!(out, "{}", f64::from_be_bytes(value.try_into().ok()?)),
        NUMERIC => return numeric(value, out),
        DATE => {
            let days = i32::from_be_bytes(value.try_into().ok()?);
            match days {
                i32::MAX => write!(out, "infinity"),
                i32::MIN => write!(out, "-infinity"),
                days => {
                    date(i64::from(days), out);
                    Ok(())
                }
            }
        }
        TIME => {
            let micros = i64::from_be_bytes(value.try_into().ok()?);
            clock(micros.unsigned_abs(), out);
            Ok(())
        }
        TIMESTAMP | TIMESTAMPTZ => {
            match i64::from_be_bytes(value.try_into().ok()?) {
                i64::MAX => out.put(b"infinity"),
                i64::MIN => out.put(b"-infinity"),
                micros => {
                    date(micros.div_euclid(DAY), out);
                    out.put(b" ");
                    clock(micros.rem_euclid(DAY).unsigned_abs(), out);
                    // The session's zone is not known here: UTC.
                    if oid == TIMESTAMPTZ {
                        out.put(b"+00");
                    }
                }
            }
            Ok(())
        }
        INTERVAL => return interval(value, out),
        UUID => {
            let [a, b, c, d, e] = <[u8; 16]>::try_from(value).ok().map(|v| {
                let n = u128::from_be_bytes(v);
                let part = |shift: u32, bits: u32| {
                    n.wrapping_shr(shift) as u64 & 1u64.wrapping_shl(bits).wrapping_sub(1)
                };
                [part(96, 32), part(80, 16), part(64, 16), part(48, 16), part(0, 48)]
            })?;
            write!(out, "{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}")
        }
        INET | CIDR => return address(value, oid == CIDR, out),
        JSONB => {
            let (1, text) = value.split_first().map(|(v, t)| (*v, t))? else { return None };
            inner(text, out);
            Ok(())
        }
        oid if is_text(oid) => {
            inner(value, out);
            Ok(())
        }
        oid if is_array(oid) => return array(value, out),
        _ => return None,
    };
    Some(())
}

/// Text that stands between quotes already.
fn inner(text: &[u8], out: &mut Out<'_>) {
    for (i, part) in text.split(|b| *b == b'\'').enumerate() {
        if i > 0 {
            out.put(b"''");
        }
        if out.is_full() {
            return;
        }
        out.put(part);
    }
}

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// Days since 2000-01-01, proleptic Gregorian.
fn date(days: i64, out: &mut Out<'_>) {
    // Count from 0000-03-01 in eras of 400 years.
    const EPOCH: i64 = 730_425;
    const ERA: i64 = 146_097;
    let n = days.saturating_add(EPOCH);
    let (era, day) = (n.div_euclid(ERA), n.rem_euclid(ERA));
    let leap = (day / 1460).saturating_sub(day / 36_524).saturating_add(day / 146_096);
    let year_of_era = day.saturating_sub(leap) / 365;
    let before =
        year_of_era.saturating_mul(365).saturating_add(year_of_era / 4).saturating_sub(year_of_era / 100);
    let day_of_year = day.saturating_sub(before);
    let month = day_of_year.saturating_mul(5).saturating_add(2) / 153;
    let first = month.saturating_mul(153).saturating_add(2) / 5;
    let day = day_of_year.saturating_sub(first).saturating_add(1);
    let (month, next) = if month < 10 { (month.saturating_add(3), 0) } else { (month.saturating_sub(9), 1) };
    let year = era.saturating_mul(400).saturating_add(year_of_era).saturating_add(next);
    let _ = if year > 0 {
        write!(out, "{year:04}-{month:02}-{day:02}")
    } else {
        write!(out, "{:04}-{month:02}-{day:02} BC", 1i64.saturating_sub(year))
    };
}

/// A time of day.
fn clock(micros: u64, out: &mut Out<'_>) {
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let _ = write!(out, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if fraction > 0 {
        let (mut digits, mut width) = (fraction, 6usize);
        while digits.is_multiple_of(10) {
            digits /= 10;
            width = width.saturating_sub(1);
        }
        let _ = write!(out, ".{digits:0width$}");
    }
}

/// Microseconds, days, months.
fn interval(value: &[u8], out: &mut Out<'_>) -> Option<()> {
    let mut r = Reader::new(value);
    let micros = i64::from_be_bytes(r.array("micros").ok()?);
    let days = i32::from_be_bytes(r.array("days").ok()?);
    let months = i32::from_be_bytes(r.array("months").ok()?);
    if !r.is_empty() {
        return None;
    }
    let mut any = false;
    for (n, unit) in [(months / 12, "year"), (months % 12, "mon"), (days, "day")] {
        if n != 0 {
            let (blank, plural) = (if any { " " } else { "" }, if n == 1 { "" } else { "s" });
            let _ = write!(out, "{blank}{n} {unit}{plural}");
            any = true;
        }
    }
    if micros != 0 || !any {
        out.put(if any { b" " } else { b"" });
        out.put(if micros < 0 { b"-" } else { b"" });
        clock(micros.unsigned_abs(), out);
    }
    Some(())
}

/// Base 10000 digits: count, weight of the first, sign, digits behind the point.
fn numeric(value: &[u8], out: &mut Out<'_>) -> Option<()> {
    /// More than any sane value has: hostile scales and weights cost no more than this.
    const MOST: i32 = 1000;
    let mut r = Reader::new(value);
    let count = r.be16("digits").ok()?;
    let weight = i32::from(r.be16("weight").ok()?.cast_signed());
    let sign = r.be16("sign").ok()?;
    let scale = r.be16("scale").ok()?;
    if r.left() != usize::from(count).saturating_mul(2) || weight > MOST || scale > 4000 {
        return None;
    }
    let digits = r.rest().as_chunks::<2>().0;
    let digit =
        |i: i32| usize::try_from(i).ok().and_then(|i| digits.get(i)).map_or(0, |d| u16::from_be_bytes(*d));
    if digits.iter().any(|d| u16::from_be_bytes(*d) > 9999) {
        return None;
    }
    let mut special = None;
    match sign {
        0 => {}
        0x4000 => out.put(b"-"),
        0xc000 => special = Some("NaN"),
        0xd000 => special = Some("Infinity"),
        0xf000 => special = Some("-Infinity"),
        _ => return None,
    }
    if let Some(word) = special {
        out.put(word.as_bytes());
        return Some(());
    }
    if weight < 0 {
        out.put(b"0");
    }
    for i in 0..=weight {
        let _ = if i == 0 { write!(out, "{}", digit(0)) } else { write!(out, "{:04}", digit(i)) };
    }
    if scale > 0 {
        out.put(b".");
        let mut left = usize::from(scale);
        let mut i = weight.saturating_add(1);
        while left > 0 && !out.is_full() {
            let n = digit(i);
            let four = [n / 1000, n / 100 % 10, n / 10 % 10, n % 10].map(|d| b'0'.wrapping_add(d as u8));
            out.put(four.get(..left).unwrap_or(&four));
            left = left.saturating_sub(4);
            i = i.saturating_add(1);
        }
    }
    Some(())
}

/// Family, prefix length, cidr, length, address.
fn address(value: &[u8], cidr: bool, out: &mut Out<'_>) -> Option<()> {
    let (&[_, bits, _, len], rest) = value.split_first_chunk::<4>()?;
    if rest.len() != usize::from(len) {
        return None;
    }
    let whole = if let Ok(v4) = <[u8; 4]>::try_from(rest) {
        let _ = write!(out, "{}", Ipv4Addr::from(v4));
        32
    } else {
        let v6 = <[u8; 16]>::try_from(rest).ok()?;
        let _ = write!(out, "{}", Ipv6Addr::from(v6));
        128
    };
    if cidr || bits != whole {
        let _ = write!(out, "/{bits}");
    }
    Some(())
}

/// Dimensions, flags, type of the elements, bounds, elements.
fn array(value: &[u8], out: &mut Out<'_>) -> Option<()> {
    /// PostgreSQL's own limit.
    const DIMENSIONS: usize = 6;
    let mut r = Reader::new(value);
    let dims = r.be32("dimensions").ok()? as usize;
    r.be32("flags").ok()?;
    let oid = r.be32("type").ok()?;
    // No array is in an array: nothing nests here.
    if dims > DIMENSIONS || is_array(oid) {
        return None;
    }
    let mut sizes = [1usize; DIMENSIONS];
    for size in sizes.iter_mut().take(dims) {
        *size = r.be32("size").ok()? as usize;
        r.be32("bound").ok()?;
    }
    let sizes = sizes.get(..dims).unwrap_or_default();
    let mut n = 0usize;
    out.put(if dims == 0 { b"{" } else { b"" });
    while !r.is_empty() && !out.is_full() {
        // How many dimensions begin with this element.
        let opens = edges(sizes, n);
        if n > 0 {
            for _ in 0..opens {
                out.put(b"}");
            }
            out.put(b",");
        }
        for _ in 0..opens {
            out.put(b"{");
        }
        n = n.saturating_add(1);
        match r.be32("length") {
            Ok(u32::MAX) => out.put(b"NULL"),
            Ok(len) => match r.take(len as usize, "element") {
                Ok(element) => element_text(element, oid, out),
                Err(_) => break,
            },
            Err(_) => break,
        }
    }
    for _ in 0..dims.max(1) {
        out.put(b"}");
    }
    Some(())
}

/// How many dimensions begin at element `n`: all at the first.
fn edges(sizes: &[usize], n: usize) -> usize {
    if n == 0 {
        return sizes.len();
    }
    let mut span = 1usize;
    let mut count = 0usize;
    for size in sizes.iter().rev() {
        span = span.saturating_mul(*size);
        if span == 0 || !n.is_multiple_of(span) {
            break;
        }
        count = count.saturating_add(1);
    }
    count
}

/// An element; text in double quotes when it has characters that mean something in an array.
fn element_text(element: &[u8], oid: u32, out: &mut Out<'_>) {
    if !is_text(oid) && oid != JSONB {
        if oid == BYTEA || matches!(oid, TIMESTAMP | TIMESTAMPTZ | INTERVAL) {
            out.put(b"\"");
            write(element, oid, out);
            out.put(b"\"");
        } else {
            write(element, oid, out);
        }
        return;
    }
    let element = if oid == JSONB { element.get(1..).unwrap_or_default() } else { element };
    let special = |b: &u8| matches!(b, b'{' | b'}' | b',' | b'"' | b'\\') || b.is_ascii_whitespace();
    if !element.is_empty() && !element.iter().any(special) && !element.eq_ignore_ascii_case(b"null") {
        return inner(element, out);
    }
    out.put(b"\"");
    for part in element.split_inclusive(|b| matches!(b, b'"' | b'\\')) {
        if out.is_full() {
            return;
        }
        match part.split_last() {
            Some((last @ (b'"' | b'\\'), text)) => {
                inner(text, out);
                out.put(&[b'\\', *last]);
            }
            _ => inner(part, out),
        }
    }
    out.put(b"\"");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(oid: u32, value: &[u8]) -> String {
        let mut all = Vec::new();
        write(value, oid, &mut Out::new(200, &mut |b| all.extend_from_slice(b)));
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn numbers() {
        assert_eq!(text(BOOL, &[1]), "true");
        assert_eq!(text(INT2, &[0xff, 0xff]), "-1");
        assert_eq!(text(INT8, &7i64.to_be_bytes()), "7");
        assert_eq!(text(INT8, &[7]), "\\x07", "not its length");
        assert_eq!(text(OID, &[0xff; 4]), "4294967295");
        assert_eq!(text(FLOAT8, &1.5f64.to_be_bytes()), "1.5");
        // 12345.678: digits 1 2345 6780, weight 1, scale 3.
        assert_eq!(text(NUMERIC, &[0, 3, 0, 1, 0, 0, 0, 3, 0, 1, 0x09, 0x29, 0x1a, 0x7c]), "12345.678");
        // -0.0012: digits 12, weight -1, scale 4.
        assert_eq!(text(NUMERIC, &[0, 1, 0xff, 0xff, 0x40, 0, 0, 4, 0, 12]), "-0.0012");
        // 10000: digit 1, weight 1; trailing zeros are not sent.
        assert_eq!(text(NUMERIC, &[0, 1, 0, 1, 0, 0, 0, 0, 0, 1]), "10000");
        // 0.00001: digit 1000, weight -2, scale 5.
        assert_eq!(text(NUMERIC, &[0, 1, 0xff, 0xfe, 0, 0, 0, 5, 0x03, 0xe8]), "0.00001");
        assert_eq!(text(NUMERIC, &[0, 0, 0, 0, 0xc0, 0, 0, 0]), "NaN");
        assert_eq!(text(NUMERIC, &[0, 0, 0, 0, 0, 0, 0, 2]), "0.00");
    }

    #[test]
    fn moments() {
        assert_eq!(text(DATE, &0i32.to_be_bytes()), "2000-01-01");
        assert_eq!(text(DATE, &9822i32.to_be_bytes()), "2026-11-22");
        assert_eq!(text(DATE, &59i32.to_be_bytes()), "2000-02-29");
        assert_eq!(text(DATE, &(-10957i32).to_be_bytes()), "1970-01-01");
        assert_eq!(text(DATE, &(-730_120i32).to_be_bytes()), "0001-12-31 BC");
        assert_eq!(text(DATE, &i32::MAX.to_be_bytes()), "infinity");
        assert_eq!(text(TIMESTAMP, &(-1i64).to_be_bytes()), "1999-12-31 23:59:59.999999");
        assert_eq!(text(TIMESTAMPTZ, &(DAY + 3_600_500_000).to_be_bytes()), "2000-01-02 01:00:00.5+00");
        assert_eq!(text(TIME, &1_000_000i64.to_be_bytes()), "00:00:01");
        let interval = |us: i64, d: i32, m: i32| {
            text(INTERVAL, &[&us.to_be_bytes()[..], &d.to_be_bytes(), &m.to_be_bytes()].concat())
        };
        assert_eq!(interval(0, 0, 0), "00:00:00");
        assert_eq!(interval(3_661_000_000, 2, 14), "1 year 2 mons 2 days 01:01:01");
        assert_eq!(interval(-1_000_000, 0, 0), "-00:00:01");
    }

    #[test]
    fn others() {
        let uuid =
            [0xa0, 0xee, 0xbc, 0x99, 0x9c, 0x0b, 0x4e, 0xf8, 0xbb, 0x6d, 0x6b, 0xb9, 0xbd, 0x38, 0x0a, 0x11];
        assert_eq!(text(UUID, &uuid), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
        assert_eq!(text(INET, &[2, 32, 0, 4, 10, 0, 0, 1]), "10.0.0.1");
        assert_eq!(text(CIDR, &[2, 8, 1, 4, 10, 0, 0, 0]), "10.0.0.0/8");
        assert_eq!(text(JSONB, b"\x01{\"a\": 1}"), "{\"a\": 1}");
        assert_eq!(text(BYTEA, b"\x00\xff"), "\\x00ff");
        assert_eq!(text(999_999, b"a"), "\\x61");
    }

    #[test]
    fn arrays() {
        let array = |sizes: &[u32], oid: u32, elements: &[Option<&[u8]>]| {
            let mut v = [&(sizes.len() as u32).to_be_bytes()[..], &[0; 4], &oid.to_be_bytes()].concat();
            sizes.iter().for_each(|s| v.extend([s.to_be_bytes(), 1u32.to_be_bytes()].concat()));
            for e in elements {
                v.extend(e.map_or(u32::MAX, |e| e.len() as u32).to_be_bytes());
                v.extend_from_slice(e.unwrap_or_default());
            }
            v
        };
        let one = 1i32.to_be_bytes();
        assert_eq!(text(1007, &array(&[], INT4, &[])), "{}");
        assert_eq!(text(1007, &array(&[2], INT4, &[Some(&one), None])), "{1,NULL}");
        let four = [Some(&one[..]); 4];
        assert_eq!(text(1007, &array(&[2, 2], INT4, &four)), "{{1,1},{1,1}}");
        let words = [Some(&b"a"[..]), Some(b"b c"), Some(b""), Some(b"q\"'")];
        assert_eq!(text(1009, &array(&[4], TEXT, &words)), "{a,\"b c\",\"\",\"q\\\"''\"}");
        assert_eq!(text(1007, &[1, 2, 3]), "\\x010203");
    }
}
