//! Parameters that are tables, MS-TDS 2.2.5.5.5: walked over to reach what stands behind them.

use super::types::{Era, Form, Place, Type, b_varchar, read};
use super::values::raw;
use base::{Reader, Short};

/// A server's limit on columns of a table.
const COLUMNS: usize = 1024;

/// Walks over the type and the rows of a table; gives the number of rows, `None` when it has
/// what is not known here.
pub(super) fn skip(r: &mut Reader<'_>, era: Era) -> Result<Option<u64>, Short> {
    for _ in 0..3 {
        b_varchar(r)?;
    }
    let count = r.le16("columns")?;
    let mut columns: Vec<Option<Form>> = Vec::new();
    if count != u16::MAX {
        if usize::from(count) > COLUMNS {
            return Ok(None);
        }
        for _ in 0..count {
            /// The column has default values: no row has one.
            const DEFAULT: u16 = 0x200;
            r.le32("user type")?;
            let flags = r.le16("flags")?;
            let Some(Type { form, .. }) = read(r, era, Place::Param)? else { return Ok(None) };
            b_varchar(r)?;
            columns.push((flags & DEFAULT == 0).then_some(form));
        }
    }
    // Orders and uniqueness, up to an end.
    loop {
        let each = match r.u8("token")? {
            0 => break,
            0x10 => 3,
            0x11 => 2,
            _ => return Ok(None),
        };
        let n = usize::from(r.le16("count")?);
        r.skip(n.saturating_mul(each), "columns")?;
    }
    let mut rows = 0u64;
    loop {
        match r.u8("row")? {
            0 => return Ok(Some(rows)),
            1 => rows = rows.saturating_add(1),
            _ => return Ok(None),
        }
        for form in columns.iter().flatten() {
            if let (_, false) = raw(r, *form, 0)? {
                return Err(Short("value"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_two_rows() {
        // Names; one column INTN(4); no order; two rows, the second NULL; the end.
        let p = b"\0\x01d\0\x01t\0\x01\0\0\0\0\0\0\0\x26\x04\0\0\x01\x04\x07\0\0\0\x01\0\0!";
        let mut r = Reader::new(p);
        assert_eq!(skip(&mut r, Era::V72), Ok(Some(2)));
        assert_eq!(r.rest(), b"!");
        // NULL: no columns, no rows.
        let mut r = Reader::new(b"\0\x01d\0\x01t\0\xff\xff\0\0!");
        assert_eq!((skip(&mut r, Era::V72), r.rest()), (Ok(Some(0)), &b"!"[..]));
        assert!(skip(&mut Reader::new(&p[..20]), Era::V72).is_err());
    }
}
