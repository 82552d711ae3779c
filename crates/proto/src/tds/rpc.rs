//! Calls: MS-TDS 2.2.6.6. One message may have several.

use super::statements::Statements;
use super::types::{Era, Place, Type, kind, read};
use super::values::{Out, int, raw, text, write};
use super::wire::utf8;
use base::{Reader, Short};

/// A call as it is told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Call {
    /// The statement, or the name of the procedure.
    pub(super) sql: Vec<u8>,
    /// Its values; `None` when it has none.
    pub(super) params: Option<Vec<u8>>,
    /// It is told at all.
    pub(super) told: bool,
    /// Its answer brings a handle for the statement.
    pub(super) prepares: bool,
    /// The handle that it gives back.
    pub(super) closes: Option<i64>,
}

/// What the parameters of a procedure mean, by their places.
#[derive(Clone, Copy, Debug, Default)]
struct Shape {
    name: &'static str,
    /// Text of a statement.
    text: Option<usize>,
    /// Handle of a statement.
    handle: Option<usize>,
    /// First of the values.
    values: usize,
    prepares: bool,
    silent: bool,
    closes: bool,
}

/// Procedures that have a number: 2.2.6.6, ProcID, and the documentation of the system procedures.
static PROCEDURES: [Shape; 15] = {
    const NONE: Shape = Shape {
        name: "",
        text: None,
        handle: None,
        values: 0,
        prepares: false,
        silent: false,
        closes: false,
    };
    /// No values.
    const NEVER: usize = usize::MAX;
    [
        Shape { name: "sp_cursor", ..NONE },
        Shape { name: "sp_cursoropen", text: Some(1), values: 6, ..NONE },
        Shape { name: "sp_cursorprepare", text: Some(2), values: NEVER, prepares: true, ..NONE },
        Shape { name: "sp_cursorexecute", handle: Some(0), values: 5, ..NONE },
        Shape { name: "sp_cursorprepexec", text: Some(3), values: 7, prepares: true, ..NONE },
        Shape { name: "sp_cursorunprepare", handle: Some(0), silent: true, closes: true, ..NONE },
        Shape { name: "sp_cursorfetch", ..NONE },
        Shape { name: "sp_cursoroption", silent: true, ..NONE },
        Shape { name: "sp_cursorclose", silent: true, ..NONE },
        Shape { name: "sp_executesql", text: Some(0), values: 2, ..NONE },
        Shape { name: "sp_prepare", text: Some(2), values: NEVER, prepares: true, ..NONE },
        Shape { name: "sp_execute", handle: Some(0), values: 1, ..NONE },
        Shape { name: "sp_prepexec", text: Some(2), values: 3, prepares: true, ..NONE },
        Shape { name: "sp_prepexecrpc", text: Some(1), values: 2, prepares: true, ..NONE },
        Shape { name: "sp_unprepare", handle: Some(0), silent: true, closes: true, ..NONE },
    ]
};

fn shape(name: &[u8]) -> Option<Shape> {
    let last = name.rsplit(|b| *b == b'.').next()?;
    PROCEDURES.iter().find(|p| last.eq_ignore_ascii_case(p.name.as_bytes())).copied()
}

/// Longest name of a procedure that is told, in bytes.
const NAME: usize = 1024;

/// What stands behind a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behind {
    /// Another call.
    Next,
    /// The end of the bytes.
    Nothing,
    /// What is missing, or not known.
    Cut,
}

/// Reads one call, as far as it goes.
pub(super) fn one(r: &mut Reader<'_>, era: Era, known: &Statements, cap: usize) -> (Call, Behind) {
    let mut call = Call { told: true, ..Call::default() };
    let behind = read_into(r, era, known, cap, &mut call).unwrap_or(Behind::Cut);
    (call, behind)
}

fn read_into(
    r: &mut Reader<'_>,
    era: Era,
    known: &Statements,
    cap: usize,
    call: &mut Call,
) -> Result<Behind, Short> {
    let shape = match r.le16("name")? {
        u16::MAX => {
            let number = usize::from(r.le16("procedure")?);
            let shape = number.checked_sub(1).and_then(|n| PROCEDURES.get(n)).copied();
            call.sql = shape.map_or("", |s| s.name).into();
            shape.unwrap_or_default()
        }
        n => {
            call.sql = utf8(r.take(usize::from(n).saturating_mul(2), "name")?, NAME.min(cap));
            shape(&call.sql).unwrap_or_default()
        }
    };
    call.told = !shape.silent;
    call.prepares = shape.prepares;
    r.le16("options")?;
    if shape.text.is_some() || shape.handle.is_some() {
        call.sql.clear();
    }
    let mut out = Out::new(cap);
    let mut i = 0usize;
    let behind = loop {
        match (r.peek(), era) {
            (None, _) => break Behind::Nothing,
            // Between two calls.
            (Some(0xff | 0xfe), Era::V72) | (Some(0x80), Era::Old | Era::V70 | Era::V71) => {
                r.u8("between")?;
                break Behind::Next;
            }
            _ => {}
        }
        let before = out.text.len();
        if param(r, era, i, shape, known, cap, call, &mut out) != Ok(true) {
            // Half of a value is another value, unless there is no room for more of it.
            if out.room() > 0 && !out.text.ends_with(ENCRYPTED) {
                out.text.truncate(before);
            }
            break Behind::Cut;
        }
        i = i.saturating_add(1);
    };
    if i > shape.values || !out.text.is_empty() {
        call.params = Some(out.text);
    }
    Ok(behind)
}

/// Stands for a value that is encrypted.
const ENCRYPTED: &[u8] = b"(encrypted)";

#[expect(clippy::too_many_arguments, reason = "a step of `read_into`, which has them all")]
fn param(
    r: &mut Reader<'_>,
    era: Era,
    i: usize,
    shape: Shape,
    known: &Statements,
    cap: usize,
    call: &mut Call,
    out: &mut Out,
) -> Result<bool, Short> {
    /// The value is encrypted, with its keys behind it.
    const IS_ENCRYPTED: u8 = 8;
    let n = usize::from(r.u8("characters")?);
    let name = r.take(n.saturating_mul(2), "name")?;
    let flags = r.u8("flags")?;
    let is_value = i >= shape.values;
    if is_value {
        if i > shape.values {
            out.put(b", ");
        }
        if !name.is_empty() {
            let name = utf8(name, out.room());
            out.put(&name);
            out.put(b"=");
        }
    }
    if r.peek() == Some(kind::TABLE) {
        r.u8("type")?;
        let Some(rows) = super::tvp::skip(r, era)? else { return Ok(false) };
        if is_value {
            out.put(format!("({rows} rows)").as_bytes());
        }
        return Ok(true);
    }
    let Some(t) = read(r, era, Place::Param)? else { return Ok(false) };
    let t: Type = t;
    let most = cap.saturating_mul(2);
    let (value, whole) = raw(r, t.form, most)?;
    match &value {
        _ if shape.text == Some(i) => {
            call.sql = value.as_deref().map(|v| text(t.kind, v, cap)).unwrap_or_default();
        }
        Some(v) if shape.handle == Some(i) => {
            if let Some(handle) = int(v) {
                if shape.closes {
                    call.closes = Some(handle);
                } else {
                    call.sql = known.text(handle).into();
                }
            }
        }
        _ if !is_value => {}
        _ if flags & IS_ENCRYPTED != 0 => out.put(ENCRYPTED),
        None => out.put(b"NULL"),
        Some(v) => write(t, v, out),
    }
    Ok(whole && flags & IS_ENCRYPTED == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn u(s: &str) -> Vec<u8> {
        s.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    /// NVARCHAR(4000), Latin1_General collation, with a value.
    fn nvarchar(s: &str) -> Vec<u8> {
        let v = u(s);
        [&[0, 0, 0xe7, 0x40, 0x1f, 9, 4, 0xd0, 0, 0x34][..], &(v.len() as u16).to_le_bytes(), &v].concat()
    }

    /// INTN(4).
    fn int4(n: i32) -> Vec<u8> {
        [&[0, 0, 0x26, 4, 4][..], &n.to_le_bytes()].concat()
    }

    fn calls(bytes: &[u8], era: Era, known: &Statements, cap: usize) -> Vec<Call> {
        let (mut r, mut all) = (Reader::new(bytes), Vec::new());
        loop {
            let (call, behind) = one(&mut r, era, known, cap);
            all.push(call);
            if behind != Behind::Next {
                return all;
            }
        }
    }

    fn told(calls: Vec<Call>) -> Vec<(String, Option<String>)> {
        let s = |b: Vec<u8>| String::from_utf8(b).unwrap();
        calls.into_iter().map(|c| (s(c.sql), c.params.map(s))).collect()
    }

    #[test]
    fn sp_executesql_by_number_and_by_name() {
        let body = [nvarchar("select @a"), nvarchar("@a int"), int4(7)].concat();
        let want = vec![("select @a".to_owned(), Some("7".to_owned()))];
        let p = [&[0xff, 0xff, 10, 0, 0, 0][..], &body].concat();
        assert_eq!(told(calls(&p, Era::V72, &Statements::default(), 99)), want);
        let p = [&[13, 0][..], &u("SP_executesql"), &[0, 0], &body].concat();
        assert_eq!(told(calls(&p, Era::V72, &Statements::default(), 99)), want);
        for n in 0..p.len() {
            let _ = calls(&p[..n], Era::V72, &Statements::default(), 99);
        }
    }

    #[test]
    fn several_calls_in_one_message() {
        let mut known = Statements::default();
        known.put(2, b"insert ?"[..].into());
        let one = [&[0xff, 0xff, 12, 0, 0, 0][..], &int4(2), &int4(5)].concat();
        let want = ("insert ?".to_owned(), Some("5".to_owned()));
        let p = [&one[..], &[0xff], &one].concat();
        assert_eq!(told(calls(&p, Era::V72, &known, 99)), [want.clone(), want.clone()]);
        let p = [&one[..], &[0x80], &one].concat();
        assert_eq!(told(calls(&p, Era::V71, &known, 99)), [want.clone(), want]);
    }

    #[test]
    fn named_procedures_tell_their_parameters_by_name() {
        // @n INTN(4) = NULL; an output BITN(1).
        let p = [
            &[3, 0][..],
            &u("p_x"),
            &[0, 0, 2],
            &u("@n"),
            b"\0\x26\x04\0",
            &[2],
            &u("@o"),
            b"\x01\x68\x01\x01\x01",
        ]
        .concat();
        let want = vec![("p_x".to_owned(), Some("@n=NULL, @o=1".to_owned()))];
        assert_eq!(told(calls(&p, Era::V72, &Statements::default(), 99)), want);
        let p = [&[3, 0][..], &u("p_x"), &[0, 0]].concat();
        let got = calls(&p, Era::V72, &Statements::default(), 99);
        assert_eq!((got[0].params.clone(), got[0].prepares), (None, false));
    }

    #[test]
    fn tables_are_walked_over() {
        let table = b"\0\0\xf3\0\x01d\0\x01t\0\x01\0\0\0\0\0\0\0\x26\x04\0\0\x01\x04\x07\0\0\0\0";
        let p = [&[1, 0][..], &u("p"), &[0, 0], table, &int4(3)].concat();
        let got = told(calls(&p, Era::V72, &Statements::default(), 99));
        assert_eq!(got, [("p".to_owned(), Some("(1 rows), 3".to_owned()))]);
    }

    #[test]
    fn preparing_and_closing() {
        let p = [
            &[0xff, 0xff, 13, 0, 0, 0, 0, 1, 0x26, 4, 0][..],
            &nvarchar("@p int"),
            &nvarchar("select @p"),
            &int4(1),
        ]
        .concat();
        let got = calls(&p, Era::V72, &Statements::default(), 99);
        assert!(got[0].prepares && got[0].told);
        assert_eq!(told(got), [("select @p".to_owned(), Some("1".to_owned()))]);
        let p = [&[0xff, 0xff, 15, 0, 0, 0][..], &int4(4)].concat();
        let got = calls(&p, Era::V72, &Statements::default(), 99);
        assert_eq!((got[0].told, got[0].closes), (false, Some(4)));
    }

    #[test]
    fn what_is_cut_off_is_told_up_to_its_last_whole_value() {
        let body =
            [nvarchar("select @a"), nvarchar("@a nvarchar(9), @b int"), nvarchar("abcdef"), int4(7)].concat();
        let p = [&[0xff, 0xff, 10, 0, 0, 0][..], &body].concat();
        for n in 1..9 {
            let got = one(&mut Reader::new(&p[..p.len() - n]), Era::V72, &Statements::default(), 99);
            let behind = if n == 9 { Behind::Nothing } else { Behind::Cut };
            assert_eq!(got.1, behind);
            assert_eq!(told(vec![got.0]), [("select @a".to_owned(), Some("'abcdef'".to_owned()))], "{n}");
        }
        // More of a value than there is room for.
        let got = one(&mut Reader::new(&p[..p.len() - 13]), Era::V72, &Statements::default(), 3);
        assert_eq!(told(vec![got.0]), [("sel".to_owned(), Some("'ab".to_owned()))]);
    }
}
