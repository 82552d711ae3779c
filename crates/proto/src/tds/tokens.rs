//! The token stream of an answer, MS-TDS 2.2.7, read piece by piece: rows are walked over by the types of
//! their columns, so that nothing is held but the beginning of a token.

use super::types::{Era, Form, Place, kind, read, table_name};
use super::values::int;
use base::{Reader, Short};

/// Most bytes of a token that is not whole yet: those with a length of two bytes.
const CARRY: usize = 70 * 1024;
/// Columns of a result: a server's limit.
const COLUMNS: usize = 4096;
/// A DONE with a count of eight bytes.
const DONE: usize = 13;

mod token {
    pub(super) const OFFSET: u8 = 0x78;
    pub(super) const RETURN_STATUS: u8 = 0x79;
    pub(super) const COLUMNS: u8 = 0x81;
    pub(super) const TOTAL_COLUMNS: u8 = 0x88;
    pub(super) const CLASSIFICATION_OLD: u8 = 0xa0;
    pub(super) const CLASSIFICATION: u8 = 0xa3;
    pub(super) const TABLES: u8 = 0xa4;
    pub(super) const COLUMN_INFO: u8 = 0xa5;
    pub(super) const ORDER: u8 = 0xa9;
    pub(super) const ERROR: u8 = 0xaa;
    pub(super) const INFO: u8 = 0xab;
    pub(super) const RETURN_VALUE: u8 = 0xac;
    pub(super) const LOGIN: u8 = 0xad;
    pub(super) const FEATURES: u8 = 0xae;
    pub(super) const ROW: u8 = 0xd1;
    pub(super) const ROW_WITH_NULLS: u8 = 0xd2;
    pub(super) const TOTALS: u8 = 0xd3;
    pub(super) const CHANGE: u8 = 0xe3;
    pub(super) const STATE: u8 = 0xe4;
    pub(super) const EXTENDED_ERROR: u8 = 0xe5;
    pub(super) const SSPI: u8 = 0xed;
    pub(super) const FEDAUTH: u8 = 0xee;
    pub(super) const DONE: u8 = 0xfd;
    pub(super) const DONE_PROC: u8 = 0xfe;
    pub(super) const DONE_IN_PROC: u8 = 0xff;
}

/// Bits of a DONE's status, 2.2.7.6.
pub(super) mod done {
    pub(in crate::tds) const MORE: u16 = 1;
    pub(in crate::tds) const ERROR: u16 = 2;
    pub(in crate::tds) const COUNT: u16 = 0x10;
    pub(in crate::tds) const ATTENTION: u16 = 0x20;
    /// The end of a call that is not the last of its message.
    pub(in crate::tds) const IN_BATCH: u16 = 0x80;
    pub(in crate::tds) const SERVER_ERROR: u16 = 0x100;
    /// All that are defined.
    pub(in crate::tds) const ALL: u16 = 0x1f7;
}

/// The end of a statement, of a procedure, or of a statement in a procedure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) procedure: bool,
    pub(super) status: u16,
    pub(super) count: u64,
}

/// What an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event<'a> {
    /// Number and message, of two bytes a character unless `narrow`.
    Error {
        number: i32,
        message: &'a [u8],
        narrow: bool,
    },
    /// The database is now another.
    Database(&'a [u8]),
    /// Logged in, and the version agreed on.
    Login(u8),
    /// The first value returned is a number: the handle of what was prepared.
    Handle(i64),
    Done(Done),
    /// Something is not known: the rest is looked at only for its end.
    Unknown,
}

/// What was agreed on for a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dialect {
    pub(super) era: Era,
    /// Columns may be encrypted: their descriptions have another form.
    pub(super) encrypted: bool,
    /// The classification of data has ranks.
    pub(super) ranked: bool,
}

/// What comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Step {
    #[default]
    Token,
    /// So many columns are yet to be described; of totals, or not.
    Columns(u16, bool),
    /// The column of a row, and the end of its columns; those that are NULL are told in front or not.
    Row(usize, usize),
    /// So many labels of a classification are to come; the types of information follow, or came.
    Labels(u16, bool),
    /// So many columns of a classification are to come.
    Classes(u16),
    /// A value that was returned.
    Value(Form),
    /// What the server can: a list.
    Features,
    /// Nothing is known of what comes.
    Blind,
}

/// Where in a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Within {
    #[default]
    Begin,
    /// Behind a text pointer.
    Pointed,
    /// Before a chunk.
    Chunks,
}

enum Stop {
    Short,
    Bad,
}

impl From<Short> for Stop {
    fn from(_: Short) -> Stop {
        Stop::Short
    }
}

/// The tokens of one answer.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    step: Step,
    within: Within,
    /// Bytes to pass by.
    skip: u64,
    /// The beginning of what is not whole.
    carry: Vec<u8>,
    columns: Vec<Form>,
    /// Of those so many are of rows; the others are of totals: their number, where they begin and end.
    plain: usize,
    totals: Vec<(u16, usize, usize)>,
    /// Which columns of the row are NULL; empty when that stands at the values.
    nulls: Vec<u8>,
    /// Values returned since the last DONE.
    returned: u32,
    /// The last bytes, when blind.
    tail: Vec<u8>,
}

impl Tokens {
    /// An answer begins.
    pub(super) fn begin(&mut self) {
        (self.step, self.within, self.skip, self.returned) = (Step::Token, Within::Begin, 0, 0);
        self.carry = Vec::new();
        self.columns.clear();
        self.totals.clear();
        self.plain = 0;
        self.tail.clear();
    }

    /// Bytes are missing here.
    pub(super) fn hole(&mut self) {
        self.blind();
    }

    pub(super) fn held(&self) -> usize {
        let columns = self.columns.capacity().saturating_mul(size_of::<Form>());
        let totals = self.totals.capacity().saturating_mul(size_of::<(u16, usize, usize)>());
        let columns = columns.saturating_add(totals);
        self.carry.capacity().saturating_add(columns).saturating_add(self.nulls.capacity())
    }

    fn blind(&mut self) {
        self.step = Step::Blind;
        self.carry = Vec::new();
        self.tail.clear();
    }

    /// The next bytes.
    pub(super) fn feed(&mut self, bytes: &[u8], dialect: &mut Dialect, f: &mut dyn FnMut(Event<'_>)) {
        if self.carry.is_empty() {
            let used = self.run(bytes, dialect, f);
            self.keep(bytes.get(used..).unwrap_or_default(), f);
            return;
        }
        let mut all = std::mem::take(&mut self.carry);
        all.extend_from_slice(bytes);
        let used = self.run(&all, dialect, f);
        if used == 0 && self.step != Step::Blind && all.len() <= CARRY {
            self.carry = all;
        } else {
            self.keep(all.get(used..).unwrap_or_default(), f);
        }
    }

    fn keep(&mut self, rest: &[u8], f: &mut dyn FnMut(Event<'_>)) {
        if self.step == Step::Blind {
            self.watch(rest);
        } else if rest.len() > CARRY {
            self.blind();
            f(Event::Unknown);
            self.watch(rest);
        } else {
            self.carry = rest.to_vec();
        }
    }

    /// Keeps the last bytes.
    fn watch(&mut self, bytes: &[u8]) {
        let from = bytes.len().saturating_sub(DONE);
        self.tail.extend_from_slice(bytes.get(from..).unwrap_or_default());
        let more = self.tail.len().saturating_sub(DONE);
        self.tail.drain(..more);
    }

    /// The answer is whole: what was not understood may yet have a DONE at its end. False when it has not.
    pub(super) fn end(&mut self, dialect: Dialect, f: &mut dyn FnMut(Event<'_>)) -> bool {
        if self.step != Step::Blind {
            let whole = self.step == Step::Token && self.carry.is_empty() && self.skip == 0;
            return whole;
        }
        let n = if dialect.era == Era::V72 { DONE } else { DONE.saturating_sub(4) };
        let from = self.tail.len().checked_sub(n);
        let Some(last) = from.and_then(|from| self.tail.get(from..)) else { return false };
        let mut r = Reader::new(last);
        let Ok(kind @ (token::DONE | token::DONE_PROC)) = r.u8("token") else { return false };
        match read_done(&mut r, kind, dialect.era) {
            Ok(done) if done.status & !done::ALL == 0 && done.status & done::MORE == 0 => {
                f(Event::Done(done));
                true
            }
            _ => false,
        }
    }

    /// Reads as many steps as are whole; gives the bytes used.
    fn run(&mut self, bytes: &[u8], dialect: &mut Dialect, f: &mut dyn FnMut(Event<'_>)) -> usize {
        let mut r = Reader::new(bytes);
        while !r.is_empty() && self.step != Step::Blind {
            if self.skip > 0 {
                let n = r.take_up_to(usize::try_from(self.skip).unwrap_or(usize::MAX)).len();
                self.skip = self.skip.saturating_sub(n as u64);
                continue;
            }
            let mut ahead = r;
            match self.one(&mut ahead, dialect, f) {
                Ok(()) => r = ahead,
                Err(Stop::Short) => break,
                Err(Stop::Bad) => {
                    self.blind();
                    f(Event::Unknown);
                }
            }
        }
        bytes.len().saturating_sub(r.left())
    }

    fn one(
        &mut self,
        r: &mut Reader<'_>,
        dialect: &mut Dialect,
        f: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Stop> {
        match self.step {
            Step::Token => self.token(r, dialect, f),
            Step::Columns(left, totals) => {
                if totals {
                    r.skip(3, "operator and operand")?;
                }
                let (t, table) = column(r, dialect.era)?;
                if table {
                    table_name(r, dialect.era)?;
                }
                super::types::b_varchar(r)?;
                self.columns.push(t);
                self.step = match left.saturating_sub(1) {
                    0 => Step::Token,
                    left => Step::Columns(left, totals),
                };
                Ok(())
            }
            Step::Row(i, end) => {
                let is_null = self.nulls.get(i / 8).is_some_and(|b| b.wrapping_shr((i % 8) as u32) & 1 == 1);
                let form = self.columns.get(i).copied().ok_or(Stop::Bad)?;
                if is_null || self.value(r, form)? {
                    let next = i.saturating_add(1);
                    self.step = if next < end { Step::Row(next, end) } else { Step::Token };
                }
                Ok(())
            }
            Step::Value(form) => {
                if self.value(r, form)? {
                    self.step = Step::Token;
                }
                Ok(())
            }
            Step::Features => {
                const COLUMN_ENCRYPTION: u8 = 4;
                const CLASSIFICATION: u8 = 9;
                match r.u8("feature")? {
                    0xff => self.step = Step::Token,
                    feature => {
                        let mut n = u64::from(r.le32("length")?);
                        if feature == CLASSIFICATION && n > 0 {
                            dialect.ranked = r.u8("version")? > 1;
                            n = n.saturating_sub(1);
                        }
                        dialect.encrypted |= feature == COLUMN_ENCRYPTION;
                        self.skip = n;
                    }
                }
                Ok(())
            }
            Step::Labels(left, types) => {
                self.step = match (left.checked_sub(1), types) {
                    (Some(left), _) => {
                        super::types::b_varchar(r)?;
                        super::types::b_varchar(r)?;
                        Step::Labels(left, types)
                    }
                    (None, false) => Step::Labels(r.le16("types")?, true),
                    (None, true) => {
                        r.skip(if dialect.ranked { 4 } else { 0 }, "rank")?;
                        Step::Classes(r.le16("columns")?)
                    }
                };
                Ok(())
            }
            Step::Classes(left) => {
                self.step = match left.checked_sub(1) {
                    Some(left) => {
                        let each = if dialect.ranked { 8 } else { 4 };
                        self.skip = u64::from(r.le16("sources")?).saturating_mul(each);
                        Step::Classes(left)
                    }
                    None => Step::Token,
                };
                Ok(())
            }
            Step::Blind => Err(Stop::Bad),
        }
    }

    /// A step of a value; true when what is left of it is to be skipped.
    fn value(&mut self, r: &mut Reader<'_>, form: Form) -> Result<bool, Stop> {
        let n = match (form, self.within) {
            (Form::Fixed(n), _) => u64::from(n),
            (Form::Byte, _) => u64::from(r.u8("length")?),
            (Form::Short, _) => match r.le16("length")? {
                u16::MAX => 0,
                n => u64::from(n),
            },
            (Form::Long | Form::Variant, _) => match r.le32("length")? {
                u32::MAX => 0,
                n => u64::from(n),
            },
            (Form::Pointer, Within::Begin) => match r.u8("pointer")? {
                0 => 0,
                n => {
                    self.skip = u64::from(n).saturating_add(8);
                    self.within = Within::Pointed;
                    return Ok(false);
                }
            },
            (Form::Pointer, _) => u64::from(r.le32("length")?),
            (Form::Chunks, Within::Begin) => match r.le64("length")? {
                u64::MAX => 0,
                _ => {
                    self.within = Within::Chunks;
                    return Ok(false);
                }
            },
            (Form::Chunks, _) => match r.le32("chunk")? {
                0 => 0,
                n => {
                    self.skip = u64::from(n);
                    return Ok(false);
                }
            },
        };
        self.skip = n;
        self.within = Within::Begin;
        Ok(true)
    }

    fn token(
        &mut self,
        r: &mut Reader<'_>,
        dialect: &mut Dialect,
        f: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Stop> {
        let era = dialect.era;
        let t = r.u8("token")?;
        match t {
            token::ROW | token::ROW_WITH_NULLS => {
                self.nulls.clear();
                if self.plain == 0 {
                    return Err(Stop::Bad);
                }
                if t == token::ROW_WITH_NULLS {
                    self.nulls.extend_from_slice(r.take(self.plain.div_ceil(8), "NULLs")?);
                }
                self.step = Step::Row(0, self.plain);
            }
            token::TOTALS if era > Era::Old => {
                let id = r.le16("id")?;
                let (_, from, to) = *self.totals.iter().find(|t| t.0 == id).ok_or(Stop::Bad)?;
                self.nulls.clear();
                self.step = Step::Row(from, to);
            }
            token::TOTAL_COLUMNS if era > Era::Old => {
                /// Clauses of totals in a statement: some.
                const TOTALS: usize = 64;
                let (n, id) = (r.le16("columns")?, r.le16("id")?);
                let by = usize::from(r.u8("columns of the order")?);
                r.skip(by.saturating_mul(2), "columns of the order")?;
                let from = self.columns.len();
                let to = from.saturating_add(usize::from(n));
                if n == 0 || to > COLUMNS || self.totals.len() >= TOTALS {
                    return Err(Stop::Bad);
                }
                self.totals.push((id, from, to));
                self.step = Step::Columns(n, true);
            }
            token::CLASSIFICATION if era > Era::Old => self.step = Step::Labels(r.le16("labels")?, false),
            token::DONE | token::DONE_PROC | token::DONE_IN_PROC => {
                let done = read_done(r, t, era)?;
                if done.status & !done::ALL != 0 {
                    return Err(Stop::Bad);
                }
                self.returned = 0;
                f(Event::Done(done));
            }
            token::COLUMNS if era > Era::Old => match r.le16("columns")? {
                // None are described: those of before hold.
                u16::MAX => {}
                _ if dialect.encrypted => return Err(Stop::Bad),
                n if usize::from(n) > COLUMNS => return Err(Stop::Bad),
                n => {
                    self.columns.clear();
                    self.totals.clear();
                    self.plain = usize::from(n);
                    self.step = if n > 0 { Step::Columns(n, false) } else { Step::Token };
                }
            },
            token::ERROR | token::INFO => {
                let n = usize::from(r.le16("length")?);
                let mut body = r.sub(n, "message")?;
                if t == token::ERROR {
                    let e = error(&mut body, era).map_err(|_| Stop::Bad)?;
                    f(e);
                }
            }
            token::EXTENDED_ERROR if era == Era::Old => {
                let n = usize::from(r.le16("length")?);
                let mut body = r.sub(n, "message")?;
                if let Some(e) = extended_error(&mut body).map_err(|_| Stop::Bad)? {
                    f(e);
                }
            }
            token::CHANGE => {
                /// Of the database.
                const DATABASE: u8 = 1;
                let n = usize::from(r.le16("length")?);
                let mut body = r.sub(n, "change")?;
                if body.u8("what") == Ok(DATABASE)
                    && era > Era::Old
                    && let Ok(name) = super::types::b_varchar(&mut body)
                {
                    f(Event::Database(name));
                }
            }
            token::LOGIN => {
                let n = usize::from(r.le16("length")?);
                let mut body = r.sub(n, "login")?;
                let [_, version, ..] = body.array::<5>("version").map_err(|_| Stop::Bad)?;
                f(Event::Login(version));
            }
            token::RETURN_STATUS => r.skip(4, "status")?,
            token::OFFSET => r.skip(4, "offset")?,
            token::FEATURES => self.step = Step::Features,
            token::RETURN_VALUE if era > Era::Old => {
                r.le16("ordinal")?;
                super::types::b_varchar(r)?;
                r.u8("status")?;
                if dialect.encrypted {
                    return Err(Stop::Bad);
                }
                let t = type_of(r, era)?;
                if self.returned == 0 && t.kind == kind::INTN {
                    let n = usize::from(r.u8("length")?);
                    if let Some(handle) = int(r.take(n, "handle")?) {
                        f(Event::Handle(handle));
                    }
                } else {
                    self.step = Step::Value(t.form);
                }
                self.returned = self.returned.saturating_add(1);
            }
            token::STATE | token::FEDAUTH if era > Era::Old => self.skip = u64::from(r.le32("length")?),
            token::CLASSIFICATION_OLD
            | 0xa1
            | 0xa7
            | 0xa8
            | token::TABLES
            | token::COLUMN_INFO
            | token::ORDER
            | token::SSPI
            | 0xe2
            | 0xec
            | token::FEDAUTH => self.skip = u64::from(r.le16("length")?),
            _ => return Err(Stop::Bad),
        }
        Ok(())
    }
}

/// User type, flags, type.
fn type_of(r: &mut Reader<'_>, era: Era) -> Result<super::types::Type, Stop> {
    if era == Era::V72 {
        r.le32("user type")?;
    } else {
        r.le16("user type")?;
    }
    r.le16("flags")?;
    read(r, era, Place::Column)?.ok_or(Stop::Bad)
}

/// The form of a column's values; true when the name of a table follows.
fn column(r: &mut Reader<'_>, era: Era) -> Result<(Form, bool), Stop> {
    let t = type_of(r, era)?;
    Ok((t.form, matches!(t.kind, kind::TEXT | kind::NTEXT | kind::IMAGE)))
}

fn read_done(r: &mut Reader<'_>, kind: u8, era: Era) -> Result<Done, Short> {
    let status = r.le16("status")?;
    r.le16("command")?;
    let count = if era == Era::V72 { r.le64("count")? } else { u64::from(r.le32("count")?) };
    Ok(Done { procedure: kind == token::DONE_PROC, status, count })
}

fn error<'a>(r: &mut Reader<'a>, era: Era) -> Result<Event<'a>, Short> {
    let number = i32::from_le_bytes(r.array("number")?);
    r.le16("state and class")?;
    let n = usize::from(r.le16("length")?);
    let narrow = era == Era::Old;
    let message = r.take(if narrow { n } else { n.saturating_mul(2) }, "message")?;
    Ok(Event::Error { number, message, narrow })
}

/// TDS 5.0's: of class 10 and below it is no error.
fn extended_error<'a>(r: &mut Reader<'a>) -> Result<Option<Event<'a>>, Short> {
    let number = i32::from_le_bytes(r.array("number")?);
    let [_, class, n] = r.array("state, class, length")?;
    r.skip(usize::from(n).saturating_add(3), "SQL state, status, transaction state")?;
    let n = usize::from(r.le16("length")?);
    let message = r.take(n, "message")?;
    Ok((class > 10).then_some(Event::Error { number, message, narrow: true }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: &[&[u8]], era: Era) -> (Vec<String>, bool) {
        let mut t = Tokens::default();
        t.begin();
        let mut all = Vec::new();
        let mut d = Dialect { era, encrypted: false, ranked: false };
        for p in pieces {
            t.feed(p, &mut d, &mut |e| all.push(format!("{e:?}")));
        }
        let whole = t.end(d, &mut |e| all.push(format!("{e:?}")));
        (all, whole)
    }

    fn every_cut(bytes: &[u8], era: Era) -> Vec<String> {
        let (whole, ok) = events(&[bytes], era);
        assert!(ok, "{whole:?}");
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(events(&single, era).0, whole);
        for n in 1..bytes.len() {
            assert_eq!(events(&[&bytes[..n], &bytes[n..]], era).0, whole, "cut at {n}");
        }
        whole
    }

    /// One row of many types, then the same with NULLs in front; DONE with a count of 2.
    #[test]
    fn rows_are_walked_over_by_the_types_of_their_columns() {
        let mut p = vec![0x81, 6, 0];
        let column = |t: &[u8], name: &[u8]| [&[0, 0, 0, 0, 9, 0][..], t, name].concat();
        p.extend(column(&[0x38], b"\x01a\0"));
        p.extend(column(&[0x26, 4], b"\0"));
        p.extend(column(&[0xe7, 0x40, 0x1f, 9, 4, 0xd0, 0, 0x34], b"\0"));
        p.extend(column(&[0xe7, 0xff, 0xff, 9, 4, 0xd0, 0, 0x34], b"\0"));
        p.extend(column(&[0x23, 0xff, 0xff, 0xff, 0x7f, 9, 4, 0xd0, 0, 0x34], b"\x01\x01\0t\0\0"));
        p.extend(column(&[0x62, 0x49, 0x1f, 0, 0], b"\0"));
        p.extend([0xd1, 1, 0, 0, 0, 4, 2, 0, 0, 0, 2, 0, b'x', 0]);
        p.extend(b"\xfe\xff\xff\xff\xff\xff\xff\xff\x02\0\0\0\xfd\xfd\x02\0\0\0\xfd\xfd\0\0\0\0");
        p.extend([&[16][..], &[0xfd; 24], &[3, 0, 0, 0, 0xfd, 0xfd, 0xfd]].concat());
        p.extend([2, 0, 0, 0, 0x30, 0]);
        p.extend([0xd2, 0b11_1110, 5, 0, 0, 0]);
        p.extend(b"\xfd\x10\0\xc1\0\x02\0\0\0\0\0\0\0");
        let got = every_cut(&p, Era::V72);
        assert_eq!(got, ["Done(Done { procedure: false, status: 16, count: 2 })"]);
    }

    #[test]
    fn errors_changes_handles_and_what_else_there_is() {
        let mut p = Vec::new();
        // ENVCHANGE of the database: "x", before "m".
        p.extend(b"\xe3\x07\0\x01\x01x\0\x01m\0");
        p.extend(b"\xab\x04\0info");
        p.extend(b"\xae\x01\x01\0\0\0!\xff");
        p.extend(b"\xe4\x03\0\0\0abc");
        // ERROR 208, state 1, class 16, message "no", server "s", no procedure, line 1.
        p.extend(b"\xaa\x15\0\xd0\0\0\0\x01\x10\x02\0n\0o\0\x01s\0\0\x01\0\0\0");
        p.push(0);
        p.extend(b"\x79\0\0\0\0");
        p.extend(b"\xac\0\0\0\x01\0\0\0\0\0\0\x26\x04\x04\x07\0\0\0");
        p.extend(b"\xac\0\0\0\x01\0\0\0\0\0\0\x26\x04\x04\x09\0\0\0");
        p.extend(b"\xfe\x82\0\xe0\0\0\0\0\0\0\0\0\0");
        let got = every_cut(&p, Era::V72);
        assert_eq!(
            got,
            [
                "Database([120, 0])",
                "Error { number: 208, message: [110, 0, 111, 0], narrow: false }",
                "Handle(7)",
                "Done(Done { procedure: true, status: 130, count: 0 })",
            ]
        );
    }

    /// COMPUTE SUM(a), COUNT(b) BY a, and COMPUTE MAX(b): rows of totals among the others.
    #[test]
    fn totals_are_walked_over_by_their_columns() {
        let int = b"\0\0\0\0\x09\0\x38\0";
        let mut p = [&b"\x81\x02\0"[..], int, int].concat();
        p.extend([&b"\x88\x02\0\x01\0\x01\x01\0"[..], b"\x4d\x01\0", int, b"\x4b\x02\0", int].concat());
        p.extend([&b"\x88\x01\0\x02\0\0"[..], b"\x52\x02\0\0\0\0\0\x09\0\x26\x08\0"].concat());
        p.extend(b"\xd1aaaabbbb\xd3\x01\0ccccdddd\xd1aaaabbbb\xd2\x02aaaa\xd3\x02\0\x08eeeeeeee");
        p.extend(b"\xfd\x10\0\xc1\0\x03\0\0\0\0\0\0\0");
        let got = every_cut(&p, Era::V72);
        assert_eq!(got, ["Done(Done { procedure: false, status: 16, count: 3 })"]);
        // None of that number.
        let p = [&b"\x81\x01\0"[..], int, b"\xd3\x01\0cccc"].concat();
        assert_eq!(events(&[&p], Era::V72).0, ["Unknown"]);
    }

    /// One label, two types, two columns with one source and two; with ranks from version 2 on.
    #[test]
    fn classifications_are_walked_over() {
        for version in 1..=2u8 {
            let rank: &[u8] = if version > 1 { b"\x0a\0\0\0" } else { b"" };
            let class = [&b"\0\0\x01\0"[..], rank].concat();
            let p = [
                &b"\xae\x09\x02\0\0\0"[..],
                &[version, 1],
                b"\xff\xa3\x01\0\x01L\0\x01i\0\x02\0\x01T\0\0\0\x01j\0",
                rank,
                b"\x02\0\x01\0",
                &class,
                b"\x02\0",
                &class,
                &class,
                b"\xaa\x15\0\xd0\0\0\0\x01\x10\x02\0n\0o\0\x01s\0\0\x01\0\0\0\0\xfd\x02\0\0\0\0\0\0\0\0\0\0\0",
            ];
            let got = every_cut(&p.concat(), Era::V72);
            assert!(got[0].starts_with("Error { number: 208"), "{got:?}");
        }
    }

    #[test]
    fn what_is_not_known_costs_the_walk_but_not_the_end() {
        let p = b"\x99rubbish\xfd\x10\0\xc1\0\x05\0\0\0\0\0\0\0";
        let want = ["Unknown", "Done(Done { procedure: false, status: 16, count: 5 })"];
        assert_eq!(every_cut(p, Era::V72), want);
        let p = b"\x99rubbish\xfd\x10\0\xc1\0\x05\0\0\0";
        assert_eq!(every_cut(p, Era::V71), want);
        assert_eq!(events(&[b"\x99rubbish"], Era::V72), (vec!["Unknown".to_owned()], false));
        assert!(!events(&[b"\xfd\x10\0\xc1"], Era::V72).1, "cut off");
    }

    #[test]
    fn extended_errors_of_sybase() {
        // 102, state 1, class 15, SQL state "42000", no more, transaction state 0, "bad".
        let p = b"\xe5\x13\0\x66\0\0\0\x01\x0f\x0542000\0\0\0\x03\0bad\xfd\x02\0\0\0\0\0\0\0";
        let p = [&p[..1], &[20], &p[2..]].concat();
        let (got, _) = events(&[&p], Era::Old);
        assert_eq!(got[0], "Error { number: 102, message: [98, 97, 100], narrow: true }");
    }
}
