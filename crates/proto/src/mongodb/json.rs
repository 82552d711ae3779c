//! BSON values as relaxed Extended JSON (the "MongoDB Extended JSON v2" specification), written into
//! a text that is cut at its cap.

use super::bson::{Shape, Value};
use base::Reader;
use std::fmt::{self, Write};

/// A text under way.
#[derive(Debug, Default)]
pub(super) struct Json {
    out: Vec<u8>,
    cap: usize,
}

impl Write for Json {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.push(s.as_bytes());
        Ok(())
    }
}

/// A buffer that grew above this is let go when its text is taken.
const KEPT: usize = 4 * 1024;

impl Json {
    /// Begins a text of `cap` bytes at most.
    pub(super) fn begin(&mut self, cap: usize) {
        self.out.clear();
        self.cap = cap;
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.out
    }

    /// The text was taken.
    pub(super) fn done(&mut self) {
        self.out.clear();
        self.out.shrink_to(KEPT);
    }

    pub(super) fn held(&self) -> usize {
        self.out.capacity()
    }

    /// Bytes that fit.
    pub(super) fn room(&self) -> usize {
        self.cap.saturating_sub(self.out.len())
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = self.room();
        self.out.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    /// The name of an element (its comma before it), in an array the comma alone.
    pub(super) fn name(&mut self, name: &[u8], in_array: bool) {
        if !matches!(self.out.last(), None | Some(b'{' | b'[')) {
            self.push(b",");
        }
        if !in_array {
            self.string(name);
            self.push(b":");
        }
    }

    /// Takes back the brace at the end of code: its scope follows.
    pub(super) fn reopen(&mut self) {
        if self.room() > 0 && self.out.last() == Some(&b'}') {
            self.out.pop();
        }
    }

    pub(super) fn open(&mut self, shape: Shape) {
        self.push(match shape {
            Shape::Document => b"{",
            Shape::Array => b"[",
            Shape::Scope => b",\"$scope\":{",
        });
    }

    pub(super) fn close(&mut self, shape: Shape) {
        self.push(match shape {
            Shape::Document => b"}",
            Shape::Array => b"]",
            Shape::Scope => b"}}",
        });
    }

    pub(super) fn string(&mut self, mut s: &[u8]) {
        self.push(b"\"");
        while self.room() > 0 {
            let plain = s.iter().position(|b| *b < b' ' || matches!(b, b'"' | b'\\')).unwrap_or(s.len());
            let Some((head, tail)) = s.split_at_checked(plain) else { break };
            self.push(head);
            let Some((odd, tail)) = tail.split_first() else { break };
            match odd {
                b'\n' => self.push(b"\\n"),
                b'\r' => self.push(b"\\r"),
                b'\t' => self.push(b"\\t"),
                b'"' => self.push(b"\\\""),
                b'\\' => self.push(b"\\\\"),
                _ => self.put(format_args!("\\u{odd:04x}")),
            }
            s = tail;
        }
        self.push(b"\"");
    }

    fn put(&mut self, args: fmt::Arguments<'_>) {
        // Writing to a Json does not fail.
        let _ = self.write_fmt(args);
    }

    /// `{"$key":"text"}`.
    fn wrapped(&mut self, key: &str, text: &[u8]) {
        self.put(format_args!("{{\"${key}\":"));
        self.string(text);
        self.push(b"}");
    }

    fn hex(&mut self, bytes: &[u8]) {
        for b in bytes {
            self.put(format_args!("{b:02x}"));
        }
    }

    fn oid(&mut self, id: [u8; 12]) {
        self.push(b"{\"$oid\":\"");
        self.hex(&id);
        self.push(b"\"}");
    }

    fn base64(&mut self, bytes: &[u8]) {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        for three in bytes.chunks(3) {
            let mut r = Reader::new(three);
            let word = (0..3).fold(0u32, |w, _| w.wrapping_shl(8) | u32::from(r.u8("").unwrap_or(0)));
            for i in 0..4usize {
                let shift = 18u32.saturating_sub(6u32.saturating_mul(i as u32));
                let digit = DIGITS.get((word.wrapping_shr(shift) & 63) as usize).copied().unwrap_or(b'=');
                self.push(&[if i > three.len() { b'=' } else { digit }]);
            }
            if self.room() == 0 {
                break;
            }
        }
    }

    /// A value that holds no others.
    pub(super) fn value(&mut self, value: Value<'_>) {
        match value {
            Value::Double(d) if d.is_finite() => self.put(format_args!("{d:?}")),
            Value::Double(d) => {
                let word = if d.is_nan() {
                    "NaN"
                } else if d > 0.0 {
                    "Infinity"
                } else {
                    "-Infinity"
                };
                self.wrapped("numberDouble", word.as_bytes());
            }
            Value::Str(s) => self.string(s),
            Value::Binary(subtype, bytes) => {
                self.push(b"{\"$binary\":{\"base64\":\"");
                self.base64(bytes);
                self.put(format_args!("\",\"subType\":\"{subtype:02x}\"}}}}"));
            }
            Value::Undefined => self.push(b"{\"$undefined\":true}"),
            Value::Oid(id) => self.oid(id),
            Value::Bool(b) => self.push(if b { b"true" } else { b"false" }),
            Value::Date(ms) => self.date(ms),
            Value::Null => self.push(b"null"),
            Value::Regex(pattern, options) => {
                self.push(b"{\"$regularExpression\":{\"pattern\":");
                self.string(pattern);
                self.push(b",\"options\":");
                self.string(options);
                self.push(b"}}");
            }
            Value::Pointer(name, id) => {
                self.push(b"{\"$dbPointer\":{\"$ref\":");
                self.string(name);
                self.push(b",\"$id\":");
                self.oid(id);
                self.push(b"}}");
            }
            Value::Code(code) => self.wrapped("code", code),
            Value::Symbol(s) => self.wrapped("symbol", s),
            Value::Int(n) => self.put(format_args!("{n}")),
            Value::Stamp(t, i) => self.put(format_args!("{{\"$timestamp\":{{\"t\":{t},\"i\":{i}}}}}")),
            Value::Long(n) => self.put(format_args!("{n}")),
            Value::Decimal(bits) => {
                self.push(b"{\"$numberDecimal\":\"");
                self.decimal(bits);
                self.push(b"\"}");
            }
            Value::MinKey => self.push(b"{\"$minKey\":1}"),
            Value::MaxKey => self.push(b"{\"$maxKey\":1}"),
            Value::Deep => self.push(b"\"...\""),
        }
    }

    /// ISO 8601 for the years 1970 to 9999, else the number.
    fn date(&mut self, ms: i64) {
        /// The first millisecond of the year 10000.
        const YEAR_10000: i64 = 253_402_300_800_000;
        if !(0..YEAR_10000).contains(&ms) {
            self.put(format_args!("{{\"$date\":{{\"$numberLong\":\"{ms}\"}}}}"));
            return;
        }
        let (secs, ms) = (ms.div_euclid(1000).cast_unsigned(), ms.rem_euclid(1000));
        let (days, secs) = (secs / 86_400, secs % 86_400);
        let (y, m, d) = civil(days);
        let (hour, min, sec) = (secs / 3600, secs % 3600 / 60, secs % 60);
        self.put(format_args!("{{\"$date\":\"{y:04}-{m:02}-{d:02}T{hour:02}:{min:02}:{sec:02}"));
        if ms != 0 {
            self.put(format_args!(".{ms:03}"));
        }
        self.push(b"Z\"}");
    }

    /// IEEE 754 decimal128 in the binary encoding, written as the "BSON Decimal128" specification says.
    fn decimal(&mut self, bits: u128) {
        const BIAS: i64 = 6176;
        /// The largest significand; what is above it counts as zero.
        const LARGEST: u128 = 10u128.pow(34).saturating_sub(1);
        let field = |from: u32, bits_wide: u32| {
            (bits.wrapping_shr(from) as u64) & 1u64.wrapping_shl(bits_wide).wrapping_sub(1)
        };
        if field(127, 1) == 1 && field(122, 5) != 0b11111 {
            self.push(b"-");
        }
        match field(122, 5) {
            0b11111 => return self.push(b"NaN"),
            0b11110 => return self.push(b"Infinity"),
            _ => {}
        }
        let large = field(125, 2) == 0b11;
        let exponent = if large { field(111, 14) } else { field(113, 14) };
        let exponent = exponent.cast_signed().saturating_sub(BIAS);
        let significand = bits & 1u128.wrapping_shl(113).wrapping_sub(1);
        let digits = if large || significand > LARGEST { 0 } else { significand }.to_string();
        let scientific = exponent.saturating_add(digits.len() as i64).saturating_sub(1);
        let (first, rest) = digits.split_at_checked(1).unwrap_or((&digits, ""));
        if exponent > 0 || scientific < -6 {
            let point = if rest.is_empty() { "" } else { "." };
            self.put(format_args!("{first}{point}{rest}E{scientific:+}"));
        } else {
            let behind = exponent.unsigned_abs() as usize;
            match digits.len().checked_sub(behind).and_then(|n| digits.split_at_checked(n)) {
                Some((whole, "")) => self.push(whole.as_bytes()),
                Some((whole, part)) => {
                    let zero = if whole.is_empty() { "0" } else { "" };
                    self.put(format_args!("{zero}{whole}.{part}"));
                }
                None => self.put(format_args!("0.{digits:0>behind$}")),
            }
        }
    }
}

/// Year, month and day of a number of days since 1970 (proleptic Gregorian calendar): counted in
/// spans of 400 years that begin in March, so that the leap day is the last of a year.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days.saturating_add(719_468);
    let (span, day) = (days / 146_097, days % 146_097);
    let leaps = (day / 1460).saturating_add(day / 146_096).saturating_sub(day / 36_524);
    let year = day.saturating_sub(leaps) / 365;
    let before = year.saturating_mul(365).saturating_add(year / 4).saturating_sub(year / 100);
    let day = day.saturating_sub(before);
    let month = day.saturating_mul(5).saturating_add(2) / 153;
    let date = day.saturating_sub(month.saturating_mul(153).saturating_add(2) / 5).saturating_add(1);
    let year = span.saturating_mul(400).saturating_add(year);
    match month {
        0..10 => (year, month.saturating_add(3), date),
        _ => (year.saturating_add(1), month.saturating_sub(9), date),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(value: Value<'_>) -> String {
        let mut j = Json::default();
        j.begin(1000);
        j.value(value);
        String::from_utf8(j.out).unwrap()
    }

    #[test]
    fn values_are_written_as_extended_json_says() {
        for (value, text) in [
            (Value::Double(1.0), "1.0"),
            (Value::Double(-1.5e300), "-1.5e300"),
            (Value::Double(f64::NAN), r#"{"$numberDouble":"NaN"}"#),
            (Value::Double(f64::NEG_INFINITY), r#"{"$numberDouble":"-Infinity"}"#),
            (Value::Str(b"a\"\\\n\x01\xc3\xa4"), "\"a\\\"\\\\\\n\\u0001\u{e4}\""),
            (Value::Binary(0, b"abcd"), r#"{"$binary":{"base64":"YWJjZA==","subType":"00"}}"#),
            (Value::Binary(4, b"abc"), r#"{"$binary":{"base64":"YWJj","subType":"04"}}"#),
            (Value::Oid(*b"0123456789ab"), r#"{"$oid":"303132333435363738396162"}"#),
            (Value::Date(0), r#"{"$date":"1970-01-01T00:00:00Z"}"#),
            (Value::Date(951_782_400_123), r#"{"$date":"2000-02-29T00:00:00.123Z"}"#),
            (Value::Date(253_402_300_799_999), r#"{"$date":"9999-12-31T23:59:59.999Z"}"#),
            (Value::Date(-1), r#"{"$date":{"$numberLong":"-1"}}"#),
            (Value::Regex(b"^a", b"i"), r#"{"$regularExpression":{"pattern":"^a","options":"i"}}"#),
            (Value::Stamp(5, 1), r#"{"$timestamp":{"t":5,"i":1}}"#),
            (Value::Long(i64::MIN), "-9223372036854775808"),
            (Value::Null, "null"),
            (Value::Code(b"f()"), r#"{"$code":"f()"}"#),
        ] {
            assert_eq!(json(value), text);
        }
    }

    #[test]
    fn dates_agree_with_the_calendar() {
        // Days of each month, counted the slow way over 500 years.
        let (mut y, mut m, mut d) = (1970, 1, 1);
        for day in 0..182_700u64 {
            assert_eq!(civil(day), (y, m, d));
            let leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
            let last =
                [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][m as usize - 1];
            d += 1;
            if d > last {
                (d, m) = (1, m + 1);
            }
            if m > 12 {
                (m, y) = (1, y + 1);
            }
        }
    }

    #[test]
    fn decimals_are_written_as_their_specification_says() {
        let d = |sign: u128, exponent: i64, significand: u128| {
            let e = u128::try_from(exponent + 6176).unwrap();
            let text = json(Value::Decimal(sign << 127 | e << 113 | significand));
            text.strip_prefix("{\"$numberDecimal\":\"").unwrap().strip_suffix("\"}").unwrap().to_owned()
        };
        for (sign, exponent, significand, text) in [
            (0, 0, 0, "0"),
            (1, 0, 0, "-0"),
            (0, 0, 12345, "12345"),
            (0, -2, 12345, "123.45"),
            (0, -5, 12345, "0.12345"),
            (0, -8, 12345, "0.00012345"),
            (1, -1, 5, "-0.5"),
            (0, -7, 1, "1E-7"),
            (0, 3, 1, "1E+3"),
            (0, 1, 123, "1.23E+3"),
            (0, 6111, 10u128.pow(34) - 1, "9.999999999999999999999999999999999E+6144"),
            (0, 0, 10u128.pow(34), "0"),
        ] {
            assert_eq!(d(sign, exponent, significand), text);
        }
        assert_eq!(json(Value::Decimal(0b11110 << 122)), r#"{"$numberDecimal":"Infinity"}"#);
        assert_eq!(json(Value::Decimal(0b11111 << 122)), r#"{"$numberDecimal":"NaN"}"#);
    }

    #[test]
    fn nothing_is_written_beyond_the_cap() {
        let mut j = Json::default();
        j.begin(7);
        j.open(Shape::Document);
        j.name(b"a", false);
        j.value(Value::Str(b"a long one"));
        assert_eq!((j.text(), j.room()), (&b"{\"a\":\"a"[..], 0));
    }
}
