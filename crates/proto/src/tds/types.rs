//! Types of columns and parameters: TYPE_INFO, MS-TDS 2.2.5.4 to 2.2.5.6.

use base::{Reader, Short};

/// How the length of a value is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// By the type.
    Fixed(u8),
    /// One byte; 0 is NULL.
    Byte,
    /// Two bytes; 0xffff is NULL.
    Short,
    /// Four bytes; 0xffffffff is NULL.
    Long,
    /// Four bytes; 0 is NULL.
    Variant,
    /// A text pointer (none: NULL) and a timestamp, then four bytes.
    Pointer,
    /// Eight bytes (all ones: NULL), then chunks with four bytes each, to an empty one.
    Chunks,
}

/// A type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Type {
    pub(super) kind: u8,
    pub(super) form: Form,
    /// Digits behind the point, of decimals and of fractions of a second.
    pub(super) scale: u8,
}

/// Where a type stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A column or a returned value.
    Column,
    /// A parameter of a call.
    Param,
}

/// Version of the protocol, as far as its forms differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Era {
    /// 4.2 and 5.0: text of one byte a character.
    Old,
    /// 7.0.
    V70,
    /// 7.1: collations.
    V71,
    /// 7.2 and later: headers in front of requests, counts of eight bytes.
    V72,
}

/// Names of the types that are looked at.
pub(super) mod kind {
    pub(in crate::tds) const IMAGE: u8 = 0x22;
    pub(in crate::tds) const TEXT: u8 = 0x23;
    pub(in crate::tds) const GUID: u8 = 0x24;
    pub(in crate::tds) const VARBINARY: u8 = 0x25;
    pub(in crate::tds) const INTN: u8 = 0x26;
    pub(in crate::tds) const VARCHAR: u8 = 0x27;
    pub(in crate::tds) const DATE: u8 = 0x28;
    pub(in crate::tds) const TIME: u8 = 0x29;
    pub(in crate::tds) const DATETIME2: u8 = 0x2a;
    pub(in crate::tds) const OFFSET: u8 = 0x2b;
    pub(in crate::tds) const CHAR: u8 = 0x2f;
    pub(in crate::tds) const INT1: u8 = 0x30;
    pub(in crate::tds) const BIT: u8 = 0x32;
    pub(in crate::tds) const INT2: u8 = 0x34;
    pub(in crate::tds) const DECIMAL: u8 = 0x37;
    pub(in crate::tds) const INT4: u8 = 0x38;
    pub(in crate::tds) const DATETIME4: u8 = 0x3a;
    pub(in crate::tds) const FLOAT4: u8 = 0x3b;
    pub(in crate::tds) const MONEY: u8 = 0x3c;
    pub(in crate::tds) const DATETIME: u8 = 0x3d;
    pub(in crate::tds) const FLOAT8: u8 = 0x3e;
    pub(in crate::tds) const NUMERIC: u8 = 0x3f;
    pub(in crate::tds) const VARIANT: u8 = 0x62;
    pub(in crate::tds) const NTEXT: u8 = 0x63;
    pub(in crate::tds) const BITN: u8 = 0x68;
    pub(in crate::tds) const DECIMALN: u8 = 0x6a;
    pub(in crate::tds) const NUMERICN: u8 = 0x6c;
    pub(in crate::tds) const FLOATN: u8 = 0x6d;
    pub(in crate::tds) const MONEYN: u8 = 0x6e;
    pub(in crate::tds) const DATETIMEN: u8 = 0x6f;
    pub(in crate::tds) const MONEY4: u8 = 0x7a;
    pub(in crate::tds) const INT8: u8 = 0x7f;
    pub(in crate::tds) const BIGVARBINARY: u8 = 0xa5;
    pub(in crate::tds) const BIGVARCHAR: u8 = 0xa7;
    pub(in crate::tds) const BIGBINARY: u8 = 0xad;
    pub(in crate::tds) const BIGCHAR: u8 = 0xaf;
    pub(in crate::tds) const NVARCHAR: u8 = 0xe7;
    pub(in crate::tds) const NCHAR: u8 = 0xef;
    pub(in crate::tds) const UDT: u8 = 0xf0;
    pub(in crate::tds) const XML: u8 = 0xf1;
    pub(in crate::tds) const TABLE: u8 = 0xf3;
    pub(in crate::tds) const JSON: u8 = 0xf4;
    pub(in crate::tds) const VECTOR: u8 = 0xf5;
}

/// A text with a count of characters of two bytes in front, of one byte.
pub(super) fn b_varchar<'a>(r: &mut Reader<'a>) -> Result<&'a [u8], Short> {
    let n = usize::from(r.u8("characters")?);
    r.take(n.saturating_mul(2), "text")
}

/// The same with a count of two bytes.
pub(super) fn us_varchar<'a>(r: &mut Reader<'a>) -> Result<&'a [u8], Short> {
    let n = usize::from(r.le16("characters")?);
    r.take(n.saturating_mul(2), "text")
}

/// Reads a type; `None` when it is not known: then there is no way on.
pub(super) fn read(r: &mut Reader<'_>, era: Era, place: Place) -> Result<Option<Type>, Short> {
    const COLLATION: usize = 5;
    let kind = r.u8("type")?;
    let mut scale = 0;
    let collated = |r: &mut Reader<'_>| match era {
        Era::Old | Era::V70 => Ok(()),
        Era::V71 | Era::V72 => r.skip(COLLATION, "collation"),
    };
    let form = match kind {
        0x1f => Form::Fixed(0),
        kind::INT1 | kind::BIT => Form::Fixed(1),
        kind::INT2 => Form::Fixed(2),
        kind::INT4 | kind::DATETIME4 | kind::FLOAT4 | kind::MONEY4 => Form::Fixed(4),
        kind::MONEY | kind::DATETIME | kind::FLOAT8 | kind::INT8 => Form::Fixed(8),
        kind::DATE => Form::Byte,
        kind::TIME | kind::DATETIME2 | kind::OFFSET => {
            scale = r.u8("scale")?;
            Form::Byte
        }
        kind::GUID
        | kind::INTN
        | kind::BITN
        | kind::FLOATN
        | kind::MONEYN
        | kind::DATETIMEN
        | kind::CHAR
        | kind::VARCHAR
        | 0x2d
        | kind::VARBINARY => {
            r.u8("size")?;
            Form::Byte
        }
        kind::DECIMAL | kind::NUMERIC | kind::DECIMALN | kind::NUMERICN => {
            let [_, _, s] = r.array("size, precision, scale")?;
            scale = s;
            Form::Byte
        }
        kind::BIGVARBINARY
        | kind::BIGVARCHAR
        | kind::BIGBINARY
        | kind::BIGCHAR
        | kind::NVARCHAR
        | kind::NCHAR => {
            let size = r.le16("size")?;
            if !matches!(kind, kind::BIGVARBINARY | kind::BIGBINARY) {
                collated(r)?;
            }
            if size == u16::MAX { Form::Chunks } else { Form::Short }
        }
        kind::TEXT | kind::NTEXT | kind::IMAGE | kind::VARIANT => {
            r.le32("size")?;
            if matches!(kind, kind::TEXT | kind::NTEXT) {
                collated(r)?;
            }
            match (kind, place) {
                (kind::VARIANT, _) => Form::Variant,
                (_, Place::Param) => Form::Long,
                (_, Place::Column) => Form::Pointer,
            }
        }
        kind::XML => {
            if r.u8("schema")? != 0 {
                b_varchar(r)?;
                b_varchar(r)?;
                us_varchar(r)?;
            }
            Form::Chunks
        }
        kind::UDT => {
            if place == Place::Column {
                r.le16("size")?;
            }
            for _ in 0..3 {
                b_varchar(r)?;
            }
            if place == Place::Column {
                us_varchar(r)?;
            }
            Form::Chunks
        }
        kind::JSON => Form::Chunks,
        kind::VECTOR => {
            r.le16("size")?;
            scale = r.u8("element")?;
            Form::Short
        }
        _ => return Ok(None),
    };
    Ok(Some(Type { kind, form, scale }))
}

/// Behind the type of a column of text, image or ntext: the table that it comes from.
pub(super) fn table_name(r: &mut Reader<'_>, era: Era) -> Result<(), Short> {
    let parts = if era == Era::V72 { r.u8("parts")? } else { 1 };
    for _ in 0..parts {
        us_varchar(r)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(bytes: &[u8], era: Era, place: Place) -> Option<(Form, u8, usize)> {
        let mut r = Reader::new(bytes);
        read(&mut r, era, place).unwrap().map(|t| (t.form, t.scale, r.left()))
    }

    #[test]
    fn forms_of_types() {
        // INTN of 4 bytes.
        assert_eq!(one(&[0x26, 4], Era::V72, Place::Param), Some((Form::Byte, 0, 0)));
        // NVARCHAR(4000) with its collation, and of 7.0 without.
        let n = [0xe7, 0x40, 0x1f, 9, 4, 0xd0, 0, 0x34];
        assert_eq!(one(&n, Era::V72, Place::Param), Some((Form::Short, 0, 0)));
        assert_eq!(one(&n[..3], Era::V70, Place::Param), Some((Form::Short, 0, 0)));
        // VARBINARY(MAX).
        assert_eq!(one(&[0xa5, 0xff, 0xff], Era::V72, Place::Param), Some((Form::Chunks, 0, 0)));
        // DECIMAL(10,2), DATETIME2(7).
        assert_eq!(one(&[0x6a, 17, 10, 2], Era::V72, Place::Param), Some((Form::Byte, 2, 0)));
        assert_eq!(one(&[0x2a, 7], Era::V72, Place::Column), Some((Form::Byte, 7, 0)));
        // TEXT: a column has a pointer.
        let t = [0x23, 0xff, 0xff, 0xff, 0x7f, 9, 4, 0xd0, 0, 0x34];
        assert_eq!(one(&t, Era::V72, Place::Column), Some((Form::Pointer, 0, 0)));
        assert_eq!(one(&t, Era::V72, Place::Param), Some((Form::Long, 0, 0)));
        // XML without and with a schema.
        assert_eq!(one(&[0xf1, 0], Era::V72, Place::Column), Some((Form::Chunks, 0, 0)));
        assert_eq!(
            one(b"\xf1\x01\x01d\0\x01o\0\x01\0c\0", Era::V72, Place::Column),
            Some((Form::Chunks, 0, 0))
        );
        assert_eq!(one(&[0x99], Era::V72, Place::Column), None);
    }
}
