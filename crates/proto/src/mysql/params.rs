//! Values bound to prepared statements: the binary protocol's types, written as SQL would write them.

use super::wire::{number, string};
use base::{Reader, Short};
use std::io::Write as _;

/// Type and flags (0x80: unsigned) of a parameter.
pub(super) type Type = [u8; 2];

/// A comma list of values under construction, cut at a cap.
#[derive(Debug, Default)]
pub(super) struct List {
    pub(super) text: Vec<u8>,
    cap: usize,
}

impl List {
    pub(super) fn new(cap: usize) -> List {
        List { text: Vec::new(), cap }
    }

    fn room(&self) -> usize {
        self.cap.saturating_sub(self.text.len())
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let n = self.room();
        self.text.extend_from_slice(bytes.get(..n).unwrap_or(bytes));
    }

    fn print(&mut self, what: std::fmt::Arguments<'_>) {
        let from = self.text.len();
        // Writing to memory does not fail.
        let _ = self.text.write_fmt(what);
        self.text.truncate(self.cap.max(from));
    }

    /// In single quotes, those inside doubled.
    fn quoted(&mut self, bytes: &[u8]) {
        self.push(b"'");
        let shown = bytes.get(..self.room()).unwrap_or(bytes);
        for (i, part) in shown.split(|b| *b == b'\'').enumerate() {
            if i > 0 {
                self.push(b"''");
            }
            self.push(part);
        }
        self.push(b"'");
    }

    /// Characters of any charset in quotes; what cannot be such in hexadecimal.
    fn characters(&mut self, bytes: &[u8]) {
        let shown = bytes.get(..self.room()).unwrap_or(bytes);
        if has_controls(shown) { self.hex(shown) } else { self.quoted(bytes) }
    }

    /// Text in quotes, other bytes in hexadecimal.
    fn blob(&mut self, bytes: &[u8]) {
        let shown = bytes.get(..self.room()).unwrap_or(bytes);
        let text = match std::str::from_utf8(shown) {
            Ok(_) => true,
            // A character may be cut.
            Err(e) => e.error_len().is_none() && shown.len() < bytes.len(),
        };
        if text && !has_controls(shown) { self.quoted(bytes) } else { self.hex(shown) }
    }

    fn hex(&mut self, shown: &[u8]) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        self.push(b"x'");
        for b in shown {
            let pair = [b.wrapping_shr(4), b & 15].map(|n| HEX.get(usize::from(n)).copied().unwrap_or(b'?'));
            self.push(&pair);
        }
        self.push(b"'");
    }

    /// A DECIMAL, which is text.
    fn decimal(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() && bytes.iter().all(|b| b.is_ascii_digit() || b"+-.eE".contains(b)) {
            self.push(bytes);
        } else {
            self.quoted(bytes);
        }
    }

    fn float(&mut self, n: f64, shortest: &str) {
        if n.is_finite() {
            self.push(shortest.strip_suffix(".0").unwrap_or(shortest).as_bytes());
        } else {
            self.push(b"NULL");
        }
    }
}

/// Bytes that no text has.
fn has_controls(bytes: &[u8]) -> bool {
    bytes.iter().any(|b| *b < b' ' && !b.is_ascii_whitespace())
}

/// Is there such a type?
pub(super) fn is_type([kind, flags]: Type) -> bool {
    flags & 0x7f == 0 && (kind <= 0x14 || kind >= 0xf2)
}

/// Is this parameter NULL?
fn is_null(nulls: &[u8], i: usize) -> bool {
    let bit = 1u8.wrapping_shl((i & 7) as u32);
    nulls.get(i / 8).is_some_and(|b| b & bit != 0)
}

/// How long a value is that is not NULL, behind its length if that is sent.
fn size(r: &mut Reader<'_>, [kind, _]: Type) -> Result<u64, Short> {
    Ok(match kind {
        0x01 | 0xf4 => 1,
        0x02 | 0x0d => 2,
        0x03 | 0x04 | 0x09 => 4,
        0x05 | 0x08 => 8,
        0x06 => 0,
        0x07 | 0x0a..=0x0c | 0x0e | 0x11..=0x13 => u64::from(r.u8("time")?),
        _ => number(r)?,
    })
}

/// Writes one value that is not NULL.
fn value(r: &mut Reader<'_>, [kind, flags]: Type, out: &mut List) -> Result<(), Short> {
    let unsigned = flags & 0x80 != 0;
    match kind {
        0x01 | 0xf4 => match (r.u8("tiny")?, unsigned) {
            (n, true) => out.print(format_args!("{n}")),
            (n, false) => out.print(format_args!("{}", n.cast_signed())),
        },
        0x02 | 0x0d => match (r.le16("short")?, unsigned || kind == 0x0d) {
            (n, true) => out.print(format_args!("{n}")),
            (n, false) => out.print(format_args!("{}", n.cast_signed())),
        },
        0x03 | 0x09 => match (r.le32("long")?, unsigned) {
            (n, true) => out.print(format_args!("{n}")),
            (n, false) => out.print(format_args!("{}", n.cast_signed())),
        },
        0x08 => match (r.le64("longlong")?, unsigned) {
            (n, true) => out.print(format_args!("{n}")),
            (n, false) => out.print(format_args!("{}", n.cast_signed())),
        },
        0x04 => {
            let n = f32::from_bits(r.le32("float")?);
            out.float(f64::from(n), &format!("{n:?}"));
        }
        0x05 => {
            let n = f64::from_bits(r.le64("double")?);
            out.float(n, &format!("{n:?}"));
        }
        0x06 => out.push(b"NULL"),
        0x07 | 0x0a | 0x0c | 0x0e | 0x11 | 0x12 => moment(r, matches!(kind, 0x0a | 0x0e), out)?,
        0x0b | 0x13 => span(r, out)?,
        _ => {
            // Of a packet that is cut the beginning of the value is there.
            let n = usize::try_from(number(r)?).unwrap_or(usize::MAX);
            let bytes = r.take_up_to(n);
            match kind {
                0x00 | 0xf6 => out.decimal(bytes),
                0x10 | 0xf2 | 0xf9..=0xfc | 0xff => out.blob(bytes),
                _ => out.characters(bytes),
            }
            if bytes.len() < n {
                return Err(Short("string"));
            }
        }
    }
    Ok(())
}

/// DATE, DATETIME, TIMESTAMP: as long as what is not zero needs.
fn moment(r: &mut Reader<'_>, date: bool, out: &mut List) -> Result<(), Short> {
    let n = r.u8("date")?;
    let mut r = r.sub(usize::from(n), "date")?;
    let (mut year, mut month, mut day) = (0, 0, 0);
    if !r.is_empty() {
        (year, month, day) = (r.le16("year")?, r.u8("month")?, r.u8("day")?);
    }
    out.print(format_args!("'{year:04}-{month:02}-{day:02}"));
    if !date || !r.is_empty() {
        let [hour, minute, second] = if r.is_empty() { [0; 3] } else { r.array("time")? };
        out.print(format_args!(" {hour:02}:{minute:02}:{second:02}"));
        fraction(&mut r, out)?;
    }
    out.push(b"'");
    Ok(())
}

/// TIME.
fn span(r: &mut Reader<'_>, out: &mut List) -> Result<(), Short> {
    let n = r.u8("time")?;
    let mut r = r.sub(usize::from(n), "time")?;
    if r.is_empty() {
        out.push(b"'00:00:00'");
        return Ok(());
    }
    let sign = if r.u8("sign")? == 0 { "" } else { "-" };
    let days = r.le32("days")?;
    let [hour, minute, second] = r.array("time")?;
    let hours = u64::from(days).saturating_mul(24).saturating_add(u64::from(hour));
    out.print(format_args!("'{sign}{hours:02}:{minute:02}:{second:02}"));
    fraction(&mut r, out)?;
    out.push(b"'");
    Ok(())
}

fn fraction(r: &mut Reader<'_>, out: &mut List) -> Result<(), Short> {
    if !r.is_empty() {
        let micros = r.le32("micros")?;
        out.print(format_args!(".{micros:06}"));
    }
    Ok(())
}

/// Contents of a parameter that were sent ahead of the execution.
#[derive(Debug, Default)]
pub(super) struct Long {
    pub(super) param: u16,
    /// Its beginning.
    pub(super) head: Vec<u8>,
}

/// Parameters as COM_STMT_EXECUTE and COM_QUERY carry them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound<'a> {
    /// How many there are.
    pub(super) count: usize,
    /// Of those, values to be written.
    pub(super) shown: usize,
    /// Each type has a name behind it (query attributes).
    pub(super) named: bool,
    /// Types as sent last.
    pub(super) types: &'a [Type],
    /// Sent ahead.
    pub(super) long: &'a [Long],
}

impl Bound<'_> {
    /// Writes the values; gives the types when they were sent. What was written before the packet
    /// turned out to be short stays, and the types are given all the same.
    pub(super) fn write(&self, r: &mut Reader<'_>, out: &mut List) -> (Option<Vec<Type>>, Result<(), Short>) {
        if self.count == 0 {
            return (None, Ok(()));
        }
        let (nulls, sent) = match self.head(r) {
            Ok(h) => h,
            Err(e) => return (None, Err(e)),
        };
        let types = sent.as_deref().unwrap_or(self.types);
        let done =
            if types.len() == self.count { self.values(r, nulls, types, out) } else { Err(Short("types")) };
        (sent, done)
    }

    /// Which are NULL, and the types if they were sent.
    fn head<'a>(&self, r: &mut Reader<'a>) -> Result<(&'a [u8], Option<Vec<Type>>), Short> {
        let nulls = r.take(self.count.div_ceil(8), "nulls")?;
        let sent = match r.u8("types sent")? {
            0 => None,
            1 => Some(self.sent_types(r)?),
            _ => return Err(Short("types sent")),
        };
        Ok((nulls, sent))
    }

    fn sent_types(&self, r: &mut Reader<'_>) -> Result<Vec<Type>, Short> {
        let mut types = Vec::new();
        for _ in 0..self.count {
            let t = r.array::<2>("type")?;
            if !is_type(t) {
                return Err(Short("type"));
            }
            if self.named {
                string(r)?;
            }
            types.push(t);
        }
        Ok(types)
    }

    fn values(&self, r: &mut Reader<'_>, nulls: &[u8], types: &[Type], out: &mut List) -> Result<(), Short> {
        let mut unseen = List::new(0);
        for (i, kind) in types.iter().enumerate() {
            let out = if i < self.shown { &mut *out } else { &mut unseen };
            if i > 0 {
                out.push(b", ");
            }
            if is_null(nulls, i) {
                out.push(b"NULL");
            } else if let Some(long) = self.long.iter().find(|l| usize::from(l.param) == i) {
                out.blob(&long.head);
            } else {
                value(r, *kind, out)?;
            }
        }
        Ok(())
    }
}

/// The rows of MariaDB's COM_STMT_BULK_EXECUTE, each in parentheses.
pub(super) fn bulk_rows(r: &mut Reader<'_>, types: &[Type], out: &mut List) -> Result<(), Short> {
    let mut first = true;
    while !r.is_empty() && !types.is_empty() {
        out.push(if first { b"(" } else { b", (" });
        first = false;
        for (i, kind) in types.iter().enumerate() {
            if i > 0 {
                out.push(b", ");
            }
            match r.u8("indicator")? {
                0 => value(r, *kind, out)?,
                1 => out.push(b"NULL"),
                2 => out.push(b"DEFAULT"),
                3 => out.push(b"IGNORE"),
                _ => return Err(Short("indicator")),
            }
        }
        out.push(b")");
        if out.room() == 0 {
            break;
        }
    }
    Ok(())
}

/// Query attributes: what stands between the command's byte and the text of COM_QUERY where that was agreed on. Their
/// values are passed over in pieces, however long they are.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    /// Types of the values to come, the next one last. A NULL takes no room.
    types: Vec<Type>,
    /// Bytes to be passed over before the next one.
    left: u64,
}

impl Attributes {
    /// Up to the values.
    pub(super) fn head(r: &mut Reader<'_>) -> Result<Attributes, Short> {
        let count = usize::try_from(number(r)?).unwrap_or(usize::MAX);
        if number(r)? != 1 {
            return Err(Short("sets"));
        }
        if count == 0 {
            return Ok(Attributes::default());
        }
        let (nulls, types) = Bound { count, shown: 0, named: true, types: &[], long: &[] }.head(r)?;
        let present =
            types.ok_or(Short("types"))?.into_iter().enumerate().filter(|(i, _)| !is_null(nulls, *i));
        let mut types: Vec<Type> = present.map(|(_, kind)| kind).collect();
        types.reverse();
        Ok(Attributes { types, left: 0 })
    }

    /// Nobody can tell where they end: all there is belongs to them.
    pub(super) fn endless() -> Attributes {
        Attributes { left: u64::MAX, ..Attributes::default() }
    }

    /// Passes over as much as is there; true when the text is next.
    pub(super) fn pass(&mut self, r: &mut Reader<'_>) -> bool {
        loop {
            let n = r.take_up_to(usize::try_from(self.left).unwrap_or(usize::MAX)).len();
            self.left = self.left.saturating_sub(n as u64);
            let mut ahead = *r;
            match self.types.last().map(|kind| size(&mut ahead, *kind)) {
                Some(Ok(n)) if self.left == 0 => {
                    (self.left, *r) = (n, ahead);
                    self.types.pop();
                }
                next => return next.is_none() && self.left == 0,
            }
        }
    }

    pub(super) fn held(&self) -> usize {
        self.types.capacity().saturating_mul(size_of::<Type>())
    }
}

/// The text of COM_QUERY behind its attributes.
pub(super) fn query_attributes<'a>(r: &mut Reader<'a>) -> Result<&'a [u8], Short> {
    if Attributes::head(r)?.pass(r) { Ok(r.rest()) } else { Err(Short("attributes")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One parameter of each kind: types, then values.
    fn write(kinds: &[Type], nulls: &[u8], values: &[u8]) -> (String, bool) {
        let mut p = nulls.to_vec();
        p.push(1);
        p.extend(kinds.iter().flatten());
        p.extend(values);
        let mut out = List::new(400);
        let mut r = Reader::new(&p);
        let b = Bound { count: kinds.len(), shown: 99, named: false, types: &[], long: &[] };
        let (types, done) = b.write(&mut r, &mut out);
        assert_eq!(types.as_deref(), Some(kinds));
        (String::from_utf8_lossy(&out.text).into_owned(), done.is_ok() && r.is_empty())
    }

    fn one(kind: Type, value: &[u8]) -> String {
        let (text, exact) = write(&[kind], &[0], value);
        assert!(exact, "{text}");
        text
    }

    #[test]
    fn numbers_of_every_width_and_sign() {
        assert_eq!(one([1, 0], &[0xff]), "-1");
        assert_eq!(one([1, 0x80], &[0xff]), "255");
        assert_eq!(one([2, 0], &[0xfe, 0xff]), "-2");
        assert_eq!(one([2, 0x80], &[0xfe, 0xff]), "65534");
        assert_eq!(one([13, 0], &[0xe8, 0x07]), "2024");
        assert_eq!(one([3, 0], &[0xff; 4]), "-1");
        assert_eq!(one([9, 0x80], &[0xff; 4]), "4294967295");
        assert_eq!(one([8, 0], &[0xff; 8]), "-1");
        assert_eq!(one([8, 0x80], &[0xff; 8]), "18446744073709551615");
        assert_eq!(one([4, 0], &1.5f32.to_le_bytes()), "1.5");
        assert_eq!(one([4, 0], &0.1f32.to_le_bytes()), "0.1");
        assert_eq!(one([5, 0], &(-3.0f64).to_le_bytes()), "-3");
        assert_eq!(one([5, 0], &1e300f64.to_le_bytes()), "1e300");
        assert_eq!(one([5, 0], &f64::NAN.to_le_bytes()), "NULL");
        assert_eq!(one([0xf6, 0], b"\x0512.50"), "12.50");
        assert_eq!(one([0xf6, 0], b"\x031,'"), "'1,'''");
    }

    #[test]
    fn texts_and_bytes() {
        assert_eq!(one([0xfd, 0], b"\x03abc"), "'abc'");
        assert_eq!(one([0xfe, 0], b"\x04it's"), "'it''s'");
        assert_eq!(one([0xfc, 0], b"\x03abc"), "'abc'", "a BLOB that is text");
        assert_eq!(one([0xfc, 0], b"\x03a\0\xff"), "x'6100ff'");
        assert_eq!(one([0xfd, 0], b"\x02\0\xe9"), "x'00e9'", "bytes that are said to be characters");
        assert_eq!(one([0xf5, 0], b"\x07{\"a\":1}"), "'{\"a\":1}'");
        assert_eq!(one([6, 0], b""), "NULL");
        let mut out = List::new(5);
        out.quoted(b"abcdefgh");
        out.push(b",");
        assert_eq!(out.text, b"'abcd", "cut");
    }

    #[test]
    fn dates_and_times() {
        assert_eq!(one([10, 0], &[4, 0xe8, 7, 2, 9]), "'2024-02-09'");
        assert_eq!(one([12, 0], &[4, 0xe8, 7, 2, 9]), "'2024-02-09 00:00:00'");
        assert_eq!(one([12, 0], &[7, 0xe8, 7, 2, 9, 1, 2, 3]), "'2024-02-09 01:02:03'");
        assert_eq!(one([7, 0], &[11, 0xe8, 7, 2, 9, 1, 2, 3, 5, 0, 0, 0]), "'2024-02-09 01:02:03.000005'");
        assert_eq!(one([10, 0], &[0]), "'0000-00-00'");
        assert_eq!(one([11, 0], &[0]), "'00:00:00'");
        assert_eq!(one([11, 0], &[8, 1, 1, 0, 0, 0, 2, 3, 4]), "'-26:03:04'");
        assert_eq!(one([11, 0], &[12, 0, 0, 0, 0, 0, 2, 3, 4, 6, 0, 0, 0]), "'02:03:04.000006'");
    }

    #[test]
    fn nulls_long_data_and_types_remembered() {
        let (text, exact) = write(&[[3, 0], [3, 0], [0xfd, 0]], &[0b010], b"\x01\0\0\0\x01x");
        assert_eq!((text.as_str(), exact), ("1, NULL, 'x'", true));
        let (text, exact) = write(&[[3, 0], [3, 0]], &[0], b"\x01\0\0\0\x01");
        assert_eq!((text.as_str(), exact), ("1, ", false), "short");
        let long = [Long { param: 1, head: b"big".to_vec() }];
        let b = Bound { count: 2, shown: 2, named: false, types: &[[1, 0], [0xfc, 0]], long: &long };
        let mut out = List::new(99);
        let (sent, done) = b.write(&mut Reader::new(&[0, 0, 7]), &mut out);
        assert_eq!((sent, done, out.text.as_slice()), (None, Ok(()), &b"7, 'big'"[..]));
        let unknown = Bound { types: &[], ..b };
        assert!(unknown.write(&mut Reader::new(&[0, 0, 7]), &mut out).1.is_err());
    }

    #[test]
    fn attributes_of_a_query_stand_before_its_text() {
        // Two attributes, one set: n1=v1, n2=v2.
        let p = b"\x02\x01\x00\x01\xfe\x00\x02n1\xfe\x00\x02n2\x02v1\x02v2select now()";
        assert_eq!(query_attributes(&mut Reader::new(p)), Ok(&b"select now()"[..]));
        assert_eq!(query_attributes(&mut Reader::new(b"\0\x01select 1")), Ok(&b"select 1"[..]));
        assert!(query_attributes(&mut Reader::new(b"select 1")).is_err());
    }

    #[test]
    fn rows_of_a_bulk() {
        let mut out = List::new(99);
        let rows = b"\0\x01\0\0\0\0\x01a\0\x02\0\0\0\x01";
        assert!(bulk_rows(&mut Reader::new(rows), &[[3, 0], [0xfd, 0]], &mut out).is_ok());
        assert_eq!(out.text, b"(1, 'a'), (2, NULL)");
    }
}
