//! Values of parameters, written as SQL would have them: MS-TDS 2.2.5.5.

use super::types::{Form, Type, kind};
use super::wire::utf16;
use base::{Reader, Short};
use std::borrow::Cow;
use std::fmt::Write as _;

/// A list of values under construction, cut at a cap.
#[derive(Debug, Default)]
pub(super) struct Out {
    pub(super) text: Vec<u8>,
    cap: usize,
}

impl Out {
    pub(super) fn new(cap: usize) -> Out {
        Out { text: Vec::new(), cap }
    }

    pub(super) fn room(&self) -> usize {
        self.cap.saturating_sub(self.text.len())
    }

    pub(super) fn put(&mut self, bytes: &[u8]) {
        let n = self.room();
        self.text.extend_from_slice(bytes.get(..n).unwrap_or(bytes));
    }

    fn print(&mut self, what: std::fmt::Arguments<'_>) {
        // Writing to memory does not fail.
        let _ = self.write_fmt(what);
    }

    fn quoted(&mut self, text: &[u8]) {
        self.put(b"'");
        for (i, part) in text.split(|b| *b == b'\'').enumerate() {
            if self.room() == 0 {
                return;
            }
            if i > 0 {
                self.put(b"''");
            }
            self.put(part);
        }
        self.put(b"'");
    }

    fn hex(&mut self, bytes: &[u8]) {
        self.put(b"0x");
        for b in bytes {
            if self.room() == 0 {
                return;
            }
            self.print(format_args!("{b:02x}"));
        }
    }

    fn float(&mut self, n: f64, shortest: &str) {
        if n.is_finite() {
            self.put(shortest.strip_suffix(".0").unwrap_or(shortest).as_bytes());
        } else {
            self.put(b"NULL");
        }
    }

    /// A whole number with a point before its last `scale` digits.
    fn decimal(&mut self, negative: bool, n: u128, scale: u8) {
        let sign = if negative && n > 0 { "-" } else { "" };
        let one = 10u128.saturating_pow(u32::from(scale.min(38)));
        let whole = n.checked_div(one).unwrap_or_default();
        let part = n.checked_rem(one).unwrap_or_default();
        if scale == 0 {
            self.print(format_args!("{sign}{whole}"));
        } else {
            self.print(format_args!("{sign}{whole}.{part:0width$}", width = usize::from(scale)));
        }
    }
}

impl std::fmt::Write for Out {
    fn write_str(&mut self, s: &str) -> std::fmt::Result {
        self.put(s.as_bytes());
        Ok(())
    }
}

/// The bytes of a value (`None` is NULL); are they all there?
pub(super) type Raw<'a> = (Option<Cow<'a, [u8]>>, bool);

/// The bytes of a value, `most` of them at most; `None` is NULL. When they end before their time what
/// is there is given with `false`.
pub(super) fn raw<'a>(r: &mut Reader<'a>, form: Form, most: usize) -> Result<Raw<'a>, Short> {
    let len = match form {
        Form::Fixed(0) => None,
        Form::Fixed(n) => Some(usize::from(n)),
        Form::Byte => Some(usize::from(r.u8("length")?)).filter(|n| *n > 0),
        Form::Short => Some(usize::from(r.le16("length")?)).filter(|n| *n < usize::from(u16::MAX)),
        Form::Long => Some(r.le32("length")? as usize).filter(|n| *n < u32::MAX as usize),
        Form::Variant => Some(r.le32("length")? as usize).filter(|n| *n > 0),
        Form::Pointer => {
            let n = usize::from(r.u8("pointer")?);
            if n == 0 {
                None
            } else {
                r.skip(n.saturating_add(8), "pointer and timestamp")?;
                Some(r.le32("length")? as usize)
            }
        }
        Form::Chunks => return chunks(r, most),
    };
    let Some(len) = len else { return Ok((None, true)) };
    let whole = r.left() >= len;
    let bytes = r.take_up_to(len);
    Ok((Some(Cow::Borrowed(bytes.get(..most).unwrap_or(bytes))), whole))
}

fn chunks<'a>(r: &mut Reader<'a>, most: usize) -> Result<Raw<'a>, Short> {
    if r.le64("length")? == u64::MAX {
        return Ok((None, true));
    }
    let mut all: Cow<'a, [u8]> = Cow::Borrowed(&[]);
    loop {
        let Ok(n) = r.le32("chunk") else { return Ok((Some(all), false)) };
        if n == 0 {
            return Ok((Some(all), true));
        }
        let whole = r.left() >= n as usize;
        let bytes = r.take_up_to(n as usize);
        let bytes = bytes.get(..most.saturating_sub(all.len())).unwrap_or(bytes);
        if all.is_empty() {
            all = Cow::Borrowed(bytes);
        } else {
            all.to_mut().extend_from_slice(bytes);
        }
        if !whole {
            return Ok((Some(all), false));
        }
    }
}

/// Text of one byte a character: UTF-8 where it is that, else as if it were Latin-1.
pub(super) fn narrow(bytes: &[u8], put: &mut dyn FnMut(&[u8])) {
    let text = match std::str::from_utf8(bytes) {
        Ok(_) => true,
        // Cut within a character, behind others that are not of one byte either.
        Err(e) => e.error_len().is_none() && !bytes.get(..e.valid_up_to()).unwrap_or_default().is_ascii(),
    };
    if text {
        return put(bytes);
    }
    for b in bytes {
        put(char::from(*b).encode_utf8(&mut [0; 2]).as_bytes());
    }
}

/// The text of a value that is a statement.
pub(super) fn text(kind: u8, bytes: &[u8], cap: usize) -> Vec<u8> {
    let mut all = Vec::new();
    match kind {
        kind::NVARCHAR | kind::NCHAR | kind::NTEXT | kind::XML => {
            utf16(bytes, cap, &mut |b| all.extend_from_slice(b));
        }
        _ => {
            narrow(bytes.get(..cap).unwrap_or(bytes), &mut |b| all.extend_from_slice(b));
            all.truncate(cap);
        }
    }
    all
}

/// A whole number of up to eight bytes, little endian; one byte is unsigned.
pub(super) fn int(bytes: &[u8]) -> Option<i64> {
    Some(match *bytes {
        [a] => i64::from(a),
        [a, b] => i64::from(i16::from_le_bytes([a, b])),
        [a, b, c, d] => i64::from(i32::from_le_bytes([a, b, c, d])),
        [a, b, c, d, e, f, g, h] => i64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => return None,
    })
}

fn unsigned(bytes: &[u8]) -> u128 {
    bytes.iter().take(16).rev().fold(0, |n, b| n.wrapping_shl(8) | u128::from(*b))
}

/// Writes a value that is not NULL; in hexadecimal what is not as its type would have it.
pub(super) fn write(t: Type, bytes: &[u8], out: &mut Out) {
    if known(t, bytes, out).is_none() {
        out.hex(bytes);
    }
}

fn known(t: Type, bytes: &[u8], out: &mut Out) -> Option<()> {
    match t.kind {
        kind::INT1 | kind::INT2 | kind::INT4 | kind::INT8 | kind::INTN => {
            out.print(format_args!("{}", int(bytes)?));
        }
        kind::BIT | kind::BITN => out.put(if bytes == [0] { b"0" } else { b"1" }),
        kind::FLOAT4 | kind::FLOAT8 | kind::FLOATN => match bytes.len() {
            4 => {
                let n = f32::from_le_bytes(bytes.try_into().ok()?);
                out.float(f64::from(n), &format!("{n:?}"));
            }
            _ => {
                let n = f64::from_le_bytes(bytes.try_into().ok()?);
                out.float(n, &format!("{n:?}"));
            }
        },
        kind::MONEY | kind::MONEY4 | kind::MONEYN => {
            let n = match *bytes {
                // The high half comes first.
                [a, b, c, d, e, f, g, h] => i64::from_le_bytes([e, f, g, h, a, b, c, d]),
                _ => int(bytes)?,
            };
            out.decimal(n < 0, u128::from(n.unsigned_abs()), 4);
        }
        kind::DECIMAL | kind::NUMERIC | kind::DECIMALN | kind::NUMERICN => {
            let (sign, digits) = bytes.split_first()?;
            out.decimal(*sign == 0, unsigned(digits), t.scale);
        }
        kind::DATETIME | kind::DATETIME4 | kind::DATETIMEN => return datetime(bytes, out),
        kind::DATE => {
            out.put(b"'");
            date(i64::try_from(unsigned(bytes)).ok()?, out);
            out.put(b"'");
        }
        kind::TIME => {
            out.put(b"'");
            time(unsigned(bytes), t.scale, out);
            out.put(b"'");
        }
        kind::DATETIME2 => {
            let (clock, days) = bytes.split_at_checked(bytes.len().checked_sub(3)?)?;
            out.put(b"'");
            date(i64::try_from(unsigned(days)).ok()?, out);
            out.put(b" ");
            time(unsigned(clock), t.scale, out);
            out.put(b"'");
        }
        kind::OFFSET => return offset(bytes, t.scale, out),
        kind::GUID => {
            let [a, b, c, d, e, f, g, h, rest @ ..]: [u8; 16] = bytes.try_into().ok()?;
            let (one, two, three) =
                (u32::from_le_bytes([a, b, c, d]), u16::from_le_bytes([e, f]), u16::from_le_bytes([g, h]));
            out.print(format_args!("'{one:08x}-{two:04x}-{three:04x}-"));
            for (i, b) in rest.iter().enumerate() {
                out.print(format_args!("{}{b:02x}", if i == 2 { "-" } else { "" }));
            }
            out.put(b"'");
        }
        kind::CHAR | kind::VARCHAR | kind::BIGCHAR | kind::BIGVARCHAR | kind::TEXT | kind::JSON => {
            out.quoted(&text(t.kind, bytes, out.room()));
        }
        kind::NCHAR | kind::NVARCHAR | kind::NTEXT | kind::XML => {
            out.quoted(&text(t.kind, bytes, out.room()));
        }
        kind::VARIANT => {
            // Type, length of its properties, those, the value.
            let mut r = Reader::new(bytes);
            let kind = r.u8("type").ok()?;
            let n = usize::from(r.u8("length").ok()?);
            let properties = r.take(n, "properties").ok()?;
            if kind == kind::VARIANT {
                return None;
            }
            let scale = properties.last().copied().unwrap_or_default();
            return known(Type { kind, form: t.form, scale }, r.rest(), out);
        }
        _ => return None,
    }
    Some(())
}

/// Days before 1 January 1900, counted from 1 January of the year 1.
const TO_1900: i64 = 693_595;

fn datetime(bytes: &[u8], out: &mut Out) -> Option<()> {
    match *bytes {
        // Days since 1900, minutes.
        [a, b, c, d] => {
            let minutes = u64::from(u16::from_le_bytes([c, d]));
            out.put(b"'");
            date(i64::from(u16::from_le_bytes([a, b])).saturating_add(TO_1900), out);
            out.put(b" ");
            time(u128::from(minutes.saturating_mul(60)), 0, out);
        }
        // Days since 1900, three hundredths of a second.
        [a, b, c, d, e, f, g, h] => {
            let ticks = u128::from(u32::from_le_bytes([e, f, g, h]));
            out.put(b"'");
            date(i64::from(i32::from_le_bytes([a, b, c, d])).saturating_add(TO_1900), out);
            out.put(b" ");
            let millis = ticks.saturating_mul(10).saturating_add(1) / 3;
            time(millis, 3, out);
        }
        _ => return None,
    }
    out.put(b"'");
    Some(())
}

/// UTC in clock and days, and minutes to the local time.
fn offset(bytes: &[u8], scale: u8, out: &mut Out) -> Option<()> {
    const DAY: i64 = 24 * 3600;
    let (rest, [a, b]) = bytes.split_last_chunk::<2>()?;
    let (clock, days) = rest.split_at_checked(rest.len().checked_sub(3)?)?;
    let minutes = i64::from(i16::from_le_bytes([*a, *b]));
    let one = 10u128.saturating_pow(u32::from(scale.min(7)));
    let clock = unsigned(clock);
    let seconds = i64::try_from(clock.checked_div(one)?)
        .ok()?
        .saturating_add(minutes.saturating_mul(60))
        .saturating_add(i64::try_from(unsigned(days)).ok()?.saturating_mul(DAY));
    out.put(b"'");
    date(seconds.div_euclid(DAY), out);
    out.put(b" ");
    let local = u128::try_from(seconds.rem_euclid(DAY)).ok()?.saturating_mul(one);
    time(local.saturating_add(clock.checked_rem(one)?), scale, out);
    let sign = if minutes < 0 { '-' } else { '+' };
    let m = minutes.unsigned_abs();
    out.print(format_args!(" {sign}{:02}:{:02}'", m / 60, m % 60));
    Some(())
}

/// A count of the `scale`th decimal parts of a second since midnight.
fn time(n: u128, scale: u8, out: &mut Out) {
    let scale = scale.min(7);
    let one = 10u128.saturating_pow(u32::from(scale));
    let (s, part) = (n.checked_div(one).unwrap_or(0), n.checked_rem(one).unwrap_or(0));
    out.print(format_args!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60));
    if scale > 0 {
        out.print(format_args!(".{part:0width$}", width = usize::from(scale)));
    }
}

/// A date by its days since 1 January of the year 1, in the Gregorian calendar for all years.
fn date(days: i64, out: &mut Out) {
    // Years that begin in March, in eras of 400, so that a leap day is the last of its year.
    let z = days.saturating_add(306);
    let era = z.div_euclid(146_097);
    let day = z.rem_euclid(146_097);
    let leaps = (day / 1460).saturating_sub(day / 36_524).saturating_add(day / 146_096);
    let year = day.saturating_sub(leaps) / 365;
    let of_year =
        day.saturating_sub(year.saturating_mul(365)).saturating_sub(year / 4).saturating_add(year / 100);
    let month = of_year.saturating_mul(5).saturating_add(2) / 153;
    let d = of_year.saturating_sub(month.saturating_mul(153).saturating_add(2) / 5).saturating_add(1);
    let (m, next) = if month < 10 { (month.saturating_add(3), 0) } else { (month.saturating_sub(9), 1) };
    let y = era.saturating_mul(400).saturating_add(year).saturating_add(next);
    out.print(format_args!("{y:04}-{m:02}-{d:02}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(kind: u8, scale: u8, bytes: &[u8]) -> String {
        let mut out = Out::new(99);
        write(Type { kind, form: Form::Byte, scale }, bytes, &mut out);
        String::from_utf8(out.text).unwrap()
    }

    #[test]
    fn numbers() {
        assert_eq!(shown(kind::INTN, 0, &[255]), "255", "tinyint has no sign");
        assert_eq!(shown(kind::INTN, 0, &[0xfe, 0xff]), "-2");
        assert_eq!(shown(kind::INT8, 0, &(-5i64).to_le_bytes()), "-5");
        assert_eq!(shown(kind::BITN, 0, &[1]), "1");
        assert_eq!(shown(kind::FLOATN, 0, &1.5f32.to_le_bytes()), "1.5");
        assert_eq!(shown(kind::FLOAT8, 0, &(-2f64).to_le_bytes()), "-2");
        assert_eq!(shown(kind::DECIMALN, 2, &[1, 0x39, 0x30, 0, 0]), "123.45");
        assert_eq!(shown(kind::NUMERICN, 4, &[0, 5, 0, 0, 0]), "-0.0005");
        assert_eq!(shown(kind::NUMERICN, 0, &[1, 7, 0, 0, 0]), "7");
        assert_eq!(shown(kind::MONEY4, 0, &12_500i32.to_le_bytes()), "1.2500");
        // The high half first: -1.0000.
        assert_eq!(shown(kind::MONEYN, 0, &[0xff, 0xff, 0xff, 0xff, 0xf0, 0xd8, 0xff, 0xff]), "-1.0000");
        assert_eq!(shown(kind::INTN, 0, &[1, 2, 3]), "0x010203", "not as it should be");
    }

    #[test]
    fn texts_and_bytes() {
        assert_eq!(shown(kind::NVARCHAR, 0, b"i\0t\0'\0s\0"), "'it''s'");
        assert_eq!(shown(kind::BIGVARCHAR, 0, b"caf\xe9"), "'café'");
        assert_eq!(shown(kind::BIGVARCHAR, 0, "café".as_bytes()), "'café'");
        assert_eq!(shown(kind::BIGVARBINARY, 0, &[0xca, 0xfe]), "0xcafe");
        let guid =
            [0x33, 0x22, 0x11, 0, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff];
        assert_eq!(shown(kind::GUID, 0, &guid), "'00112233-4455-6677-8899-aabbccddeeff'");
        // A variant that holds an INT4 without properties.
        assert_eq!(shown(kind::VARIANT, 0, &[0x38, 0, 9, 0, 0, 0]), "9");
    }

    #[test]
    fn dates_and_times() {
        assert_eq!(shown(kind::DATE, 0, &[0, 0, 0]), "'0001-01-01'");
        // 2024-02-29 is day 738 944 - 1 = 0x0b467f.
        assert_eq!(shown(kind::DATE, 0, &738_944u32.to_le_bytes()[..3]), "'2024-02-29'");
        assert_eq!(shown(kind::DATE, 0, &738_945u32.to_le_bytes()[..3]), "'2024-03-01'");
        assert_eq!(shown(kind::DATE, 0, &3_652_058u32.to_le_bytes()[..3]), "'9999-12-31'");
        assert_eq!(shown(kind::DATETIME, 0, &[0; 8]), "'1900-01-01 00:00:00.000'");
        // 45 000 days: 2023-03-17; 12:00:00.003 is 12 * 3600 * 300 + 1 ticks.
        let mut dt = 45_000i32.to_le_bytes().to_vec();
        dt.extend((12 * 3600 * 300 + 1u32).to_le_bytes());
        assert_eq!(shown(kind::DATETIMEN, 0, &dt), "'2023-03-17 12:00:00.003'");
        assert_eq!(shown(kind::DATETIME4, 0, &[1, 0, 61, 0]), "'1900-01-02 01:01:00'");
        assert_eq!(shown(kind::TIME, 2, &366_101u32.to_le_bytes()[..3]), "'01:01:01.01'");
        // 23:30 UTC on the 28th is the 29th at +01:00.
        let mut o = (23 * 3600 + 1800u32).to_le_bytes()[..3].to_vec();
        o.extend(&738_943u32.to_le_bytes()[..3]);
        o.extend(60i16.to_le_bytes());
        assert_eq!(shown(kind::OFFSET, 0, &o), "'2024-02-29 00:30:00 +01:00'");
        assert_eq!(shown(kind::DATETIME2, 0, &o[..6]), "'2024-02-28 23:30:00'");
    }

    #[test]
    fn chunks_are_put_together_and_cut() {
        let p = b"\xfe\xff\xff\xff\xff\xff\xff\xff\x02\0\0\0ab\x02\0\0\0cd\0\0\0\0rest";
        let mut r = Reader::new(p);
        let (got, whole) = raw(&mut r, Form::Chunks, 99).unwrap();
        assert_eq!((got.as_deref(), whole, r.rest()), (Some(&b"abcd"[..]), true, &b"rest"[..]));
        let (got, whole) = raw(&mut Reader::new(p), Form::Chunks, 3).unwrap();
        assert_eq!((got.as_deref(), whole), (Some(&b"abc"[..]), true));
        let (got, whole) = raw(&mut Reader::new(&p[..19]), Form::Chunks, 99).unwrap();
        assert_eq!((got.as_deref(), whole), (Some(&b"abc"[..]), false));
        assert_eq!(raw(&mut Reader::new(&[0xff; 8]), Form::Chunks, 9).unwrap(), (None, true));
    }
}
