//! Prepared statements of a connection, and what their executions carry.

use super::params::{Bound, List, Long, Type, bulk_rows};
use super::wire::{number, string};
use base::{Reader, Short};

/// MariaDB: the statement prepared last.
pub(super) const LAST: u32 = u32::MAX;
/// Statements kept of a connection: clients close or reuse them, one that leaks them loses the oldest.
const STATEMENTS: usize = 1024;
/// Bytes of all their texts and values: they stay as long as the connection.
const HEAP: usize = 1024 * 1024;
/// Parameters sent ahead that are kept for an execution.
const LONGS: usize = 64;
/// Parameters tried when the statement was prepared before the probe came.
const GUESSED: usize = 256;
/// Bytes of a place and what it holds, texts and values aside.
const SLOT: usize = size_of::<Slot>() + size_of::<Statement>();
/// COM_STMT_EXECUTE up to the parameters: command, statement, flags, iterations.
const EXECUTE: usize = 10;
/// COM_STMT_EXECUTE tells the number of parameters (and attributes).
const COUNTED: u8 = 8;

/// A prepared statement.
#[derive(Debug, Default)]
struct Statement {
    text: Box<[u8]>,
    /// `None` when it was prepared unseen.
    params: Option<u16>,
    /// Of its result; the same.
    columns: Option<u16>,
    types: Vec<Type>,
    long: Vec<Long>,
    /// More was sent ahead than is kept.
    long_lost: bool,
}

impl Statement {
    fn heap(&self) -> usize {
        let long: usize = self.long.iter().map(|l| l.head.capacity().saturating_add(size_of::<Long>())).sum();
        self.text.len().saturating_add(long).saturating_add(self.types.capacity().saturating_mul(2))
    }
}

/// A place for one. The list of them is searched and moved: it is kept small.
#[derive(Debug)]
struct Slot {
    id: u32,
    /// When it was used last, by the count of uses.
    used: u64,
    statement: Box<Statement>,
}

/// Those of one connection, in the order of their ids.
#[derive(Debug, Default)]
pub(super) struct Statements {
    all: Vec<Slot>,
    heap: usize,
    uses: u64,
    /// Prepared last; none when that failed.
    last: Option<u32>,
    /// Text of what was prepared last and failed.
    failed: Box<[u8]>,
}

impl Statements {
    pub(super) fn held(&self) -> usize {
        self.heap.saturating_add(self.failed.len()).saturating_add(self.all.capacity().saturating_mul(SLOT))
    }

    pub(super) fn clear(&mut self) {
        *self = Statements::default();
    }

    fn place(&self, id: u32) -> Result<usize, usize> {
        let id = if id == LAST { self.last.unwrap_or(LAST) } else { id };
        self.all.binary_search_by_key(&id, |s| s.id)
    }

    /// Calls `f` with a statement, made if need be when `make` is set, and keeps the account.
    fn with<T>(&mut self, id: u32, make: bool, f: impl FnOnce(&mut Statement) -> T) -> Option<T> {
        let at = match self.place(id) {
            Ok(at) => at,
            Err(at) if make => {
                self.all.insert(at, Slot { id, used: 0, statement: Box::default() });
                at
            }
            Err(_) => return None,
        };
        self.uses = self.uses.saturating_add(1);
        let slot = self.all.get_mut(at)?;
        slot.used = self.uses;
        let s = &mut *slot.statement;
        let before = s.heap();
        let got = f(s);
        self.heap = self.heap.saturating_sub(before).saturating_add(s.heap());
        while self.all.len() > 1 && (self.all.len() > STATEMENTS || self.heap > HEAP) {
            let oldest = self.all.iter().enumerate().min_by_key(|(_, s)| s.used).map(|(i, _)| i);
            self.remove(oldest.unwrap_or(0));
        }
        Some(got)
    }

    fn remove(&mut self, at: usize) {
        if at < self.all.len() {
            let slot = self.all.remove(at);
            self.heap = self.heap.saturating_sub(slot.statement.heap());
        }
    }

    /// A statement was prepared.
    pub(super) fn prepared(&mut self, id: u32, text: Box<[u8]>, params: u16, columns: u16) {
        (self.last, self.failed) = (Some(id), Box::default());
        self.with(id, true, |s| {
            *s = Statement { text, params: Some(params), columns: Some(columns), ..Statement::default() };
        });
    }

    /// A statement could not be prepared: an execution of the last one is of this.
    pub(super) fn failed(&mut self, text: Box<[u8]>) {
        (self.last, self.failed) = (None, text);
    }

    /// A statement was closed.
    pub(super) fn closed(&mut self, id: u32) {
        if let Ok(at) = self.place(id) {
            self.remove(at);
        }
    }

    /// What was sent ahead is forgotten.
    pub(super) fn reset(&mut self, id: u32) {
        self.with(id, false, |s| (s.long, s.long_lost) = (Vec::new(), false));
    }

    /// COM_STMT_SEND_LONG_DATA: command, statement, parameter, contents; `cap` bytes of it are kept.
    pub(super) fn long_data(&mut self, payload: &[u8], cap: usize) {
        let mut r = Reader::new(payload);
        let _ = r.u8("command");
        let (Ok(id), Ok(param)) = (r.le32("statement"), r.le16("parameter")) else { return };
        self.with(id, true, |s| {
            let i = match s.long.iter().position(|l| l.param == param) {
                Some(i) => i,
                None if s.long.len() < LONGS => {
                    s.long.push(Long { param, head: Vec::new() });
                    s.long.len().saturating_sub(1)
                }
                None => {
                    s.long_lost = true;
                    return;
                }
            };
            if let Some(l) = s.long.get_mut(i) {
                let room = cap.saturating_sub(l.head.len());
                l.head.extend_from_slice(r.take_up_to(room));
            }
        });
    }

    /// Columns that an execution returns, when its preparation was seen.
    pub(super) fn columns(&self, payload: &[u8]) -> Option<u16> {
        let id = Reader::new(payload.get(1..)?).le32("statement").ok()?;
        self.all.get(self.place(id).ok()?)?.statement.columns
    }

    /// Bytes in front of the values of an execution: to be kept beside the text.
    pub(super) fn overhead(&self, payload: &[u8]) -> usize {
        let id = Reader::new(payload.get(1..).unwrap_or_default()).le32("statement").unwrap_or(LAST);
        let known = self.place(id).ok().and_then(|at| self.all.get(at)).and_then(|s| s.statement.params);
        usize::from(known.unwrap_or(0)).saturating_mul(3)
    }

    /// The text of a statement and the values of its execution (`payload`: all of the command, or
    /// its beginning when `cut`). `attributes`: were they agreed on, if that is known?
    pub(super) fn execute(
        &mut self,
        payload: &[u8],
        cut: bool,
        attributes: Option<bool>,
        cap: usize,
    ) -> (&[u8], Option<List>) {
        let mut r = Reader::new(payload);
        let (Ok(command), Ok(id)) = (r.u8("command"), r.le32("statement")) else { return (&[], None) };
        let list = self.with(id, false, |s| {
            let list = if command == super::wire::com::STMT_BULK_EXECUTE {
                bulk(s, payload, cut, cap)
            } else {
                single(s, payload, cut, attributes, cap)
            };
            (s.long, s.long_lost) = (Vec::new(), false);
            list
        });
        let list = match list {
            Some(known) => known,
            None if cut || command != super::wire::com::STMT_EXECUTE => None,
            None => {
                let mut s = Statement::default();
                let list = guess(&mut s, payload, attributes, cap);
                if list.is_some() && !s.types.is_empty() && id != LAST {
                    self.with(id, true, |kept| (kept.params, kept.types) = (s.params, s.types));
                }
                list
            }
        };
        (self.text(id), list)
    }

    /// The text of a statement, as far as it is known.
    pub(super) fn text(&self, id: u32) -> &[u8] {
        match self.place(id).ok().and_then(|at| self.all.get(at)) {
            Some(s) => &s.statement.text,
            None if id == LAST => &self.failed,
            None => &[],
        }
    }
}

/// How the parameters may lie in COM_STMT_EXECUTE.
fn single(
    s: &mut Statement,
    payload: &[u8],
    cut: bool,
    attributes: Option<bool>,
    cap: usize,
) -> Option<List> {
    let Some(count) = s.params.map(usize::from) else {
        return if cut { None } else { guess(s, payload, attributes, cap) };
    };
    if s.long_lost {
        return None;
    }
    let counted = is_counted(payload, attributes, count);
    // What was agreed on first; what else the bytes may be, if they do not fit.
    // Some drivers (mysql2) leave a byte for each NULL, with anything in it, behind the values.
    let forms =
        [(counted, true, 0), (false, false, 0), (false, true, 0), (false, false, nulls(payload, count))];
    let forms = if matches!(forms, [(false, ..), ..]) { forms.get(1..)? } else { &forms };
    for (counted, named, spare) in forms {
        let mut r = Reader::new(payload.get(EXECUTE..)?);
        let told =
            if *counted { number(&mut r).ok().and_then(|n| usize::try_from(n).ok()) } else { Some(count) };
        let Some(n) = told.filter(|n| *n >= count) else { continue };
        let mut out = List::new(cap);
        let bound = Bound { count: n, shown: count, named: *named, types: &s.types, long: &s.long };
        let (sent, done) = bound.write(&mut r, &mut out);
        let begins = cut && (sent.is_some() || s.types.len() == n);
        if begins || done.is_ok() && r.rest().len() <= *spare {
            if let Some(sent) = sent {
                s.types = sent;
            }
            return (done.is_ok() || cut && !out.text.is_empty()).then_some(out);
        }
    }
    None
}

/// Does the number of parameters and attributes stand in front of them? By the manual it does where attributes were
/// agreed on and the statement has parameters, or a flag says so. Some clients leave it out all the same.
fn is_counted(payload: &[u8], attributes: Option<bool>, params: usize) -> bool {
    let flag = payload.get(5).is_some_and(|f| f & COUNTED != 0);
    attributes.map_or(flag, |agreed| agreed && (flag || params > 0))
}

/// How many of the parameters are NULL.
fn nulls(payload: &[u8], count: usize) -> usize {
    let bits = payload.get(EXECUTE..).and_then(|p| p.get(..count.div_ceil(8))).unwrap_or_default();
    bits.iter().map(|b| b.count_ones() as usize).sum()
}

/// Finds out how many parameters a statement has from the first execution that brings types.
fn guess(s: &mut Statement, payload: &[u8], attributes: Option<bool>, cap: usize) -> Option<List> {
    let r = Reader::new(payload.get(EXECUTE..)?);
    if r.is_empty() {
        return Some(List::new(cap));
    }
    if is_counted(payload, attributes, 1)
        && let Ok(n) = unnamed(r)
    {
        s.params = Some(n);
        let list = single(s, payload, false, attributes, cap);
        if list.is_some() {
            return list;
        }
        s.params = None;
    }
    for count in 1..=GUESSED {
        // Types must be there, and all must fit to the last byte.
        if r.rest().get(count.div_ceil(8)) != Some(&1) {
            continue;
        }
        let mut out = List::new(cap);
        let bound = Bound { count, shown: count, named: false, types: &[], long: &s.long };
        let mut r = r;
        if let (Some(types), Ok(())) = bound.write(&mut r, &mut out)
            && r.is_empty()
        {
            (s.types, s.params) = (types, u16::try_from(count).ok());
            return Some(out);
        }
    }
    None
}

/// How many of the values have no name: parameters, attributes stand behind them.
fn unnamed(mut r: Reader<'_>) -> Result<u16, Short> {
    let count = number(&mut r)?;
    r.skip(usize::try_from(count.div_ceil(8)).unwrap_or(usize::MAX), "nulls")?;
    let mut n = 0;
    if count > 0 && r.u8("types sent")? == 1 {
        while u64::from(n) < count && n < u16::MAX {
            r.skip(2, "type")?;
            if !string(&mut r)?.is_empty() {
                break;
            }
            n = n.saturating_add(1);
        }
    }
    Ok(n)
}

/// MariaDB's COM_STMT_BULK_EXECUTE: command, statement, flags (128: types follow), rows.
fn bulk(s: &mut Statement, payload: &[u8], cut: bool, cap: usize) -> Option<List> {
    let mut r = Reader::new(payload.get(5..)?);
    if r.le16("flags").ok()? & 128 != 0 {
        let mut types = Vec::new();
        for _ in 0..s.params? {
            let t = r.array::<2>("type").ok()?;
            if !super::params::is_type(t) {
                return None;
            }
            types.push(t);
        }
        s.types = types;
    }
    let mut out = List::new(cap);
    let done = bulk_rows(&mut r, &s.types, &mut out);
    (done.is_ok() || cut).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(got: (&[u8], Option<List>)) -> (String, Option<String>) {
        let s = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        (s(got.0), got.1.map(|l| s(&l.text)))
    }

    fn known(params: u16) -> Statements {
        let mut all = Statements::default();
        all.prepared(7, b"select ?"[..].into(), params, 1);
        all
    }

    /// COM_STMT_EXECUTE of statement 7.
    fn execute(flags: u8, tail: &[u8]) -> Vec<u8> {
        let mut p = vec![0x17, 7, 0, 0, 0, flags, 1, 0, 0, 0];
        p.extend(tail);
        p
    }

    fn ok(params: &str) -> (String, Option<String>) {
        ("select ?".to_owned(), Some(params.to_owned()))
    }

    #[test]
    fn types_are_remembered_when_they_are_not_sent_again() {
        let mut all = known(1);
        let first = execute(0, &[0, 1, 3, 0, 9, 0, 0, 0]);
        assert_eq!(text(all.execute(&first, false, None, 99)), ok("9"));
        let again = execute(0, &[0, 0, 8, 0, 0, 0]);
        assert_eq!(text(all.execute(&again, false, None, 99)), ok("8"));
        assert_eq!(text(all.execute(&again.clone(), true, None, 99)), ok("8"));
        let last = [&[0x17, 0xff, 0xff, 0xff, 0xff][..], &again[5..]].concat();
        assert_eq!(text(all.execute(&last, false, None, 99)), ok("8"), "MariaDB's last");
        all.closed(7);
        assert_eq!(text(all.execute(&again, false, None, 99)), (String::new(), None));
        assert_eq!(all.heap, 0);
    }

    #[test]
    fn attributes_are_told_from_parameters() {
        // Two of them, the second an attribute "n".
        let p = execute(8, b"\x02\x00\x01\x03\x00\x00\xfe\x00\x01n\x05\x00\x00\x00\x01v");
        for agreed in [None, Some(true)] {
            assert_eq!(text(known(1).execute(&p, false, agreed, 99)), ok("5"));
        }
        // The manual's form: without the flag, too, where there are parameters and attributes were agreed on.
        let mut form = p;
        form[5] = 0;
        assert_eq!(text(known(1).execute(&form, false, Some(true), 99)), ok("5"));
        assert_eq!(text(known(1).execute(&form[..form.len() - 1], true, Some(true), 99)), ok("5"));
        assert_eq!(text(Statements::default().execute(&form, false, Some(true), 99)).1.as_deref(), Some("5"));
        let one = execute(0, b"\x01\x00\x01\x03\x00\x00\x05\x00\x00\x00");
        assert_eq!(text(known(1).execute(&one, false, Some(true), 99)), ok("5"));
        // A client that leaves the count out all the same.
        let without = execute(0, b"\x00\x01\x03\x00\x05\x00\x00\x00");
        let null = execute(0, b"\x01\x01\x03\x00");
        for agreed in [None, Some(false), Some(true)] {
            assert_eq!(text(known(1).execute(&without, false, agreed, 99)), ok("5"));
            assert_eq!(text(known(1).execute(&null, false, agreed, 99)), ok("NULL"));
        }
        let none = execute(8, &[0]);
        assert_eq!(text(known(0).execute(&none, false, Some(true), 99)), ok(""));
        assert_eq!(text(known(0).execute(&execute(0, &[]), false, Some(true), 99)), ok(""));
    }

    #[test]
    fn a_driver_that_leaves_room_for_null() {
        // mysql2: types MYSQL_TYPE_NULL and VAR_STRING, one byte of whatever lay in its buffer at the end.
        let p = execute(0, b"\x01\x01\x06\x00\xfd\x00\x01a\x73");
        assert_eq!(text(known(2).execute(&p, false, Some(false), 99)), ok("NULL, 'a'"));
        let none = execute(0, b"\x00\x01\xfd\x00\xfd\x00\x01b\x01a\x73");
        assert_eq!(text(known(2).execute(&none, false, Some(false), 99)).1, None, "no NULL, no room");
    }

    #[test]
    fn what_was_sent_ahead_is_used_once() {
        let mut all = known(2);
        all.long_data(b"\x18\x07\0\0\0\x01\0hello", 8);
        all.long_data(b"\x18\x07\0\0\0\x01\0 world", 8);
        let p = execute(0, &[0, 1, 3, 0, 0xfc, 0, 9, 0, 0, 0]);
        assert_eq!(text(all.execute(&p, false, None, 99)), ok("9, 'hello wo'"));
        assert_eq!(text(all.execute(&p, false, None, 99)).1, None, "now a value is missing");
        for i in 0..100u8 {
            all.long_data(&[0x18, 7, 0, 0, 0, i, 0, b'x'], 8);
        }
        assert_eq!(text(all.execute(&p, false, None, 99)).1, None, "some were lost");
    }

    #[test]
    fn statements_of_before_the_probe_show_their_values_where_types_come() {
        let mut all = Statements::default();
        let first = execute(0, b"\x00\x01\x03\x00\xfd\x00\x05\x00\x00\x00\x02ab");
        assert_eq!(text(all.execute(&first, false, None, 99)), (String::new(), Some("5, 'ab'".to_owned())));
        let again = execute(0, b"\x00\x00\x06\x00\x00\x00\x01c");
        assert_eq!(text(all.execute(&again, false, None, 99)).1.as_deref(), Some("6, 'c'"));
        let mut all = Statements::default();
        assert_eq!(text(all.execute(&again, false, None, 99)), (String::new(), None));
    }

    #[test]
    fn bulks_of_mariadb() {
        let mut all = known(1);
        let p = b"\xfa\x07\0\0\0\x80\0\x03\0\0\x01\0\0\0\x01\0\x02\0\0\0";
        assert_eq!(text(all.execute(p, false, None, 99)), ok("(1), (NULL), (2)"));
    }

    #[test]
    fn a_client_that_leaks_statements_costs_a_bounded_heap() {
        let mut all = Statements::default();
        for id in 0..10_000u32 {
            all.prepared(id, vec![b'x'; 1000].into(), 1, 1);
        }
        assert!(all.all.len() <= STATEMENTS && all.held() < 2 * HEAP, "{} {}", all.all.len(), all.held());
        assert!(all.place(9_999).is_ok() && all.place(0).is_err());
    }
}
