//! Values of TDS: TYPE_INFO and the value (MS-TDS 2.2.5.4 to 2.2.5.6), and how SQL would write it.

/// Latin1_General, of parameters and columns of text.
const COLLATION: [u8; 5] = [9, 4, 0xd0, 0, 0x34];
/// Length of a value of two bytes of length that is NULL.
const NULL: [u8; 2] = [0xff; 2];

/// A value with its type.
#[derive(Clone, Debug)]
pub struct Value {
    /// TYPE_INFO.
    pub(in crate::replay) info: Vec<u8>,
    /// The value with its length.
    pub(in crate::replay) bytes: Vec<u8>,
    /// The same that is NULL.
    null: Vec<u8>,
    /// As SQL would have it.
    pub(in crate::replay) shown: String,
}

/// UTF-16, little endian.
pub(in crate::replay) fn utf16(s: &str) -> Vec<u8> {
    s.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Days from 1 January of the year 1 to a date of the Gregorian calendar.
fn days(y: i32, m: u32, d: u32) -> u32 {
    const BEFORE: [u32; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
    let past = (y - 1) as u32;
    past * 365 + past / 4 - past / 100 + past / 400 + BEFORE[m as usize - 1] + u32::from(leap && m > 2) + d
        - 1
}

/// Bytes of a time of day of this many digits behind the point.
fn clock(seconds: u32, fraction: u64, scale: u8) -> Vec<u8> {
    let n = u64::from(seconds) * 10u64.pow(u32::from(scale)) + fraction;
    let len = match scale {
        0..=2 => 3,
        3 | 4 => 4,
        _ => 5,
    };
    n.to_le_bytes()[..len].to_vec()
}

fn hms(h: u32, m: u32, s: u32) -> u32 {
    (h * 60 + m) * 60 + s
}

fn quoted(s: &str) -> String {
    format!("'{}'", s.replace('\'', "''"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold("0x".to_owned(), |s, b| format!("{s}{b:02x}"))
}

impl Value {
    /// BYTELEN_TYPE: a length of one byte, 0 for NULL.
    fn byte_len(info: &[u8], value: &[u8], shown: String) -> Value {
        let bytes = [&[value.len() as u8], value].concat();
        Value { info: info.to_vec(), bytes, null: vec![0], shown }
    }

    /// USHORTLEN_TYPE: the largest length, a collation for text; a length of two bytes.
    fn short_len(kind: u8, size: u16, collated: bool, value: &[u8], shown: String) -> Value {
        let collation: &[u8] = if collated { &COLLATION } else { &[] };
        let info = [&[kind][..], &size.to_le_bytes(), collation].concat();
        let bytes = [&(value.len() as u16).to_le_bytes()[..], value].concat();
        Value { info, bytes, null: NULL.to_vec(), shown }
    }

    /// PARTLENTYPE, 2.2.5.2.3: eight bytes of length, chunks of at most `chunk` bytes, an empty one.
    fn plp(kind: u8, collated: bool, value: &[u8], chunk: usize, shown: String) -> Value {
        let v = Value::short_len(kind, u16::MAX, collated, &[], shown);
        let mut bytes = (value.len() as u64).to_le_bytes().to_vec();
        for c in value.chunks(chunk) {
            bytes.extend((c.len() as u32).to_le_bytes());
            bytes.extend(c);
        }
        bytes.extend([0; 4]);
        Value { bytes, null: vec![0xff; 8], ..v }
    }

    /// NULL of this type.
    #[must_use]
    pub fn null(self) -> Value {
        Value { bytes: self.null.clone(), shown: "NULL".to_owned(), ..self }
    }

    /// TINYINT.
    #[must_use]
    pub fn tinyint(n: u8) -> Value {
        Value::byte_len(&[0x26, 1], &[n], n.to_string())
    }

    /// SMALLINT.
    #[must_use]
    pub fn smallint(n: i16) -> Value {
        Value::byte_len(&[0x26, 2], &n.to_le_bytes(), n.to_string())
    }

    /// INT.
    #[must_use]
    pub fn int(n: i32) -> Value {
        Value::byte_len(&[0x26, 4], &n.to_le_bytes(), n.to_string())
    }

    /// BIGINT.
    #[must_use]
    pub fn bigint(n: i64) -> Value {
        Value::byte_len(&[0x26, 8], &n.to_le_bytes(), n.to_string())
    }

    /// BIT.
    #[must_use]
    pub fn bit(b: bool) -> Value {
        Value::byte_len(&[0x68, 1], &[u8::from(b)], u8::from(b).to_string())
    }

    /// REAL; `shown` as SQL writes it.
    #[must_use]
    pub fn real(n: f32, shown: &str) -> Value {
        Value::byte_len(&[0x6d, 4], &n.to_le_bytes(), shown.to_owned())
    }

    /// FLOAT; `shown` as SQL writes it.
    #[must_use]
    pub fn float(n: f64, shown: &str) -> Value {
        Value::byte_len(&[0x6d, 8], &n.to_le_bytes(), shown.to_owned())
    }

    /// MONEY in ten-thousandths: the high half comes first.
    #[must_use]
    pub fn money(n: i64, shown: &str) -> Value {
        let [a, b, c, d, e, f, g, h] = n.to_le_bytes();
        Value::byte_len(&[0x6e, 8], &[e, f, g, h, a, b, c, d], shown.to_owned())
    }

    /// SMALLMONEY in ten-thousandths.
    #[must_use]
    pub fn smallmoney(n: i32, shown: &str) -> Value {
        Value::byte_len(&[0x6e, 4], &n.to_le_bytes(), shown.to_owned())
    }

    /// DECIMAL(38, scale) from its digits without the point.
    #[must_use]
    pub fn decimal(digits: i128, scale: u8, shown: &str) -> Value {
        let value = [&[u8::from(digits >= 0)][..], &digits.unsigned_abs().to_le_bytes()].concat();
        Value::byte_len(&[0x6a, 17, 38, scale], &value, shown.to_owned())
    }

    /// DATE.
    #[must_use]
    pub fn date(y: i32, m: u32, d: u32) -> Value {
        let value = &days(y, m, d).to_le_bytes()[..3];
        Value::byte_len(&[0x28], value, format!("'{y:04}-{m:02}-{d:02}'"))
    }

    /// TIME(7): `fraction` in 100 ns.
    #[must_use]
    pub fn time(h: u32, m: u32, s: u32, fraction: u64) -> Value {
        let value = clock(hms(h, m, s), fraction, 7);
        Value::byte_len(&[0x29, 7], &value, format!("'{h:02}:{m:02}:{s:02}.{fraction:07}'"))
    }

    /// DATETIME2(3): milliseconds at the end.
    #[must_use]
    pub fn datetime2((y, m, d): (i32, u32, u32), (h, min, s): (u32, u32, u32), ms: u64) -> Value {
        let value = [clock(hms(h, min, s), ms, 3), days(y, m, d).to_le_bytes()[..3].to_vec()].concat();
        let shown = format!("'{y:04}-{m:02}-{d:02} {h:02}:{min:02}:{s:02}.{ms:03}'");
        Value::byte_len(&[0x2a, 3], &value, shown)
    }

    /// DATETIME: days since 1900 and three-hundredths of a second; whole hundredths of a second here.
    #[must_use]
    pub fn datetime((y, m, d): (i32, u32, u32), (h, min, s): (u32, u32, u32), hundredths: u32) -> Value {
        let since = days(y, m, d) as i32 - days(1900, 1, 1) as i32;
        let ticks = hms(h, min, s) * 300 + hundredths * 3;
        let value = [since.to_le_bytes(), ticks.to_le_bytes()].concat();
        let shown = format!("'{y:04}-{m:02}-{d:02} {h:02}:{min:02}:{s:02}.{hundredths:02}0'");
        Value::byte_len(&[0x6f, 8], &value, shown)
    }

    /// UNIQUEIDENTIFIER as `00112233-4455-6677-8899-aabbccddeeff`: its first three groups are little endian.
    #[must_use]
    pub fn guid(text: &str) -> Value {
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        let b: Vec<u8> = (0..16)
            .map(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).expect("hexadecimal"))
            .collect();
        let value = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15].map(|i: usize| b[i]);
        Value::byte_len(&[0x24, 16], &value, format!("'{text}'"))
    }

    /// NVARCHAR(4000).
    #[must_use]
    pub fn nvarchar(s: &str) -> Value {
        Value::short_len(0xe7, 8000, true, &utf16(s), quoted(s))
    }

    /// NVARCHAR(MAX) in chunks of at most so many bytes.
    #[must_use]
    pub fn nvarchar_max(s: &str, chunk: usize) -> Value {
        Value::plp(0xe7, true, &utf16(s), chunk, quoted(s))
    }

    /// VARCHAR(8000) of ASCII.
    #[must_use]
    pub fn varchar(s: &str) -> Value {
        Value::short_len(0xa7, 8000, true, s.as_bytes(), quoted(s))
    }

    /// VARCHAR(MAX) of ASCII.
    #[must_use]
    pub fn varchar_max(s: &str, chunk: usize) -> Value {
        Value::plp(0xa7, true, s.as_bytes(), chunk, quoted(s))
    }

    /// VARBINARY(8000).
    #[must_use]
    pub fn varbinary(b: &[u8]) -> Value {
        Value::short_len(0xa5, 8000, false, b, hex(b))
    }

    /// VARBINARY(MAX).
    #[must_use]
    pub fn varbinary_max(b: &[u8], chunk: usize) -> Value {
        Value::plp(0xa5, false, b, chunk, hex(b))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_counted_as_the_calendar_does() {
        // From MS-TDS 2.2.5.5.1.8 and .9: the first days of both ways of counting, the last of DATE.
        assert_eq!((days(1, 1, 1), days(1900, 1, 1), days(9999, 12, 31)), (0, 693_595, 3_652_058));
        assert_eq!(days(2024, 3, 1) - days(2024, 2, 28), 2);
        assert_eq!(days(2100, 3, 1) - days(2100, 2, 28), 1);
    }

    #[test]
    fn values_with_their_lengths() {
        assert_eq!(Value::int(7).bytes, [4, 7, 0, 0, 0]);
        assert_eq!(Value::int(7).null().bytes, [0]);
        assert_eq!(Value::varchar("ab").bytes, [2, 0, b'a', b'b']);
        assert_eq!(Value::varchar_max("abc", 2).bytes, b"\x03\0\0\0\0\0\0\0\x02\0\0\0ab\x01\0\0\0c\0\0\0\0");
        assert_eq!(Value::guid("00112233-4455-6677-8899-aabbccddeeff").bytes[..5], [16, 0x33, 0x22, 0x11, 0]);
    }
}
