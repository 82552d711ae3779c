//! What a server answers: did it work, why not, and how many documents.

use super::bson::{Shape, Sink, Value};
use super::message::{Docs, Slot};
use super::wire::{Prelude, msg, reply};
use crate::session::Txn;
use record::f::mongo as f;

/// The longest name of a code.
const MAX_NAME: usize = 64;

/// Where an element lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ctx {
    /// In the answer itself.
    Root,
    Cursor,
    /// In an array of documents that are returned.
    Batch,
    WriteErrors,
    /// In the first of those, or in the error of the write concern.
    Error,
}

/// An error: code, its name, what it says.
#[derive(Debug, Default)]
struct Failure {
    code: Option<i64>,
    name: Vec<u8>,
    text: Vec<u8>,
}

/// An answer under way, and what it says.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// Texts are cut here.
    cap: usize,
    flags: u32,
    /// Of OP_REPLY: its cursor and the number of documents.
    reply: Option<(u64, u32)>,
    ok: Option<bool>,
    top: Failure,
    /// Of a write, told with `ok: 1`.
    write: Option<Failure>,
    n: Option<u64>,
    batch: Option<u64>,
    /// Not all of it was seen.
    pub(super) cut: bool,
}

fn number(value: Value<'_>) -> Option<i64> {
    match value {
        Value::Int(n) => Some(n.into()),
        Value::Long(n) => Some(n),
        Value::Double(d) if d.abs() < 9e15 => Some(d as i64),
        Value::Bool(b) => Some(b.into()),
        _ => None,
    }
}

impl Failure {
    fn learn(&mut self, name: &[u8], value: Value<'_>, cap: usize) {
        let (to, cap, text) = match (name, value) {
            (b"code", _) => {
                self.code = number(value);
                return;
            }
            (b"codeName", Value::Str(s)) => (&mut self.name, MAX_NAME, s),
            (b"errmsg" | b"err" | b"$err", Value::Str(s)) => (&mut self.text, cap, s),
            _ => return,
        };
        to.clear();
        to.extend_from_slice(text.get(..cap).unwrap_or(text));
    }

    fn tell(&self, txn: &mut Txn, cap: usize) {
        txn.text(&f::RET_CODE, self.code.unwrap_or(-1).to_string().as_bytes(), MAX_NAME);
        let between: &[u8] = if self.name.is_empty() || self.text.is_empty() { b"" } else { b": " };
        let text = [&self.name, between, &self.text].concat();
        if !text.is_empty() {
            txn.text(&f::ERR, &text, cap);
        }
    }
}

impl Answer {
    /// Begins another, whose texts are cut at `cap`.
    pub(super) fn begin(&mut self, cap: usize) {
        *self = Answer { cap, ..Answer::default() };
    }

    /// Heap bytes held.
    pub(super) fn held(&self) -> usize {
        let failure = |f: &Failure| f.name.capacity().saturating_add(f.text.capacity());
        failure(&self.top).saturating_add(self.write.as_ref().map_or(0, failure))
    }

    /// Another answer to the same request follows. `exhaust`: it is an OP_QUERY that asked for that.
    pub(super) fn more(&self, exhaust: bool) -> bool {
        match self.reply {
            Some((cursor, _)) => exhaust && cursor != 0 && self.flags & reply::CURSOR_NOT_FOUND == 0,
            None => self.flags & msg::MORE_TO_COME != 0,
        }
    }

    /// It says that the request failed.
    pub(super) fn failed(&self) -> bool {
        self.ok == Some(false)
    }

    /// Documents it holds, or that the command touched. `is_command`: the documents of an OP_REPLY are
    /// not what was sought, but the answer itself.
    pub(super) fn rows(&self, is_command: bool) -> Option<u64> {
        match self.reply {
            Some((_, n)) if !is_command => Some(n.into()),
            _ if self.cut && self.batch.is_some() => None,
            _ => self.batch.or(self.n),
        }
    }

    /// Puts it into the record; `rows` came before it.
    pub(super) fn tell(&self, txn: &mut Txn, is_command: bool, rows: u64) {
        let rows = self.rows(is_command).map(|n| n.saturating_add(rows));
        match &self.write {
            _ if self.reply.is_some() && self.flags & reply::CURSOR_NOT_FOUND != 0 => {
                /// Its code among the server's errors.
                const CURSOR_NOT_FOUND: i64 = 43;
                let name = b"CursorNotFound".to_vec();
                Failure { code: Some(CURSOR_NOT_FOUND), name, text: Vec::new() }.tell(txn, self.cap);
                return;
            }
            _ if self.reply.is_some() && self.flags & reply::QUERY_FAILURE != 0 => {
                self.top.tell(txn, self.cap);
                return;
            }
            _ if self.reply.is_some() && !is_command => txn.word(&f::RET_CODE, "0"),
            _ if self.failed() => {
                self.top.tell(txn, self.cap);
                return;
            }
            Some(write) => write.tell(txn, self.cap),
            // getLastError tells of the write before it.
            None if !self.top.text.is_empty() => self.top.tell(txn, self.cap),
            // Where there is a cursor it worked.
            None if self.ok.is_some() || self.batch.is_some() => txn.word(&f::RET_CODE, "0"),
            None => {}
        }
        if let Some(n) = rows {
            txn.num(&f::ROWS, n);
        }
    }
}

impl Sink for Answer {
    type Ctx = Ctx;

    fn wants(&self, ctx: Ctx, name: &[u8]) -> usize {
        match (ctx, name) {
            (Ctx::Root | Ctx::Error, b"errmsg" | b"err" | b"$err") => self.cap.saturating_add(1),
            (Ctx::Root | Ctx::Error, b"codeName") => MAX_NAME,
            _ => 0,
        }
    }

    fn value(&mut self, ctx: Ctx, name: &[u8], value: Value<'_>) {
        match (ctx, name) {
            (Ctx::Root, b"ok") => self.ok = number(value).map(|n| n != 0),
            (Ctx::Root, b"n") => self.n = number(value).and_then(|n| u64::try_from(n).ok()),
            (Ctx::Root, _) => self.top.learn(name, value, self.cap),
            (Ctx::Batch, _) => self.batch = Some(self.batch.unwrap_or(0).saturating_add(1)),
            (Ctx::Error, _) => {
                if let Some(write) = &mut self.write {
                    write.learn(name, value, self.cap);
                }
            }
            _ => {}
        }
    }

    fn enter(&mut self, ctx: Ctx, name: &[u8], shape: Shape) -> Option<Ctx> {
        match (ctx, name, shape) {
            (Ctx::Root, b"cursor", Shape::Document) => Some(Ctx::Cursor),
            // Of distinct, of old aggregate, mapReduce and geoNear, and of group.
            (Ctx::Root, b"values" | b"result" | b"results" | b"retval", Shape::Array)
            | (Ctx::Cursor, b"firstBatch" | b"nextBatch", Shape::Array) => {
                self.batch.get_or_insert(0);
                Some(Ctx::Batch)
            }
            (Ctx::Batch, ..) => {
                self.batch = Some(self.batch.unwrap_or(0).saturating_add(1));
                None
            }
            (Ctx::Root, b"writeErrors", Shape::Array) => Some(Ctx::WriteErrors),
            (Ctx::WriteErrors, ..) | (Ctx::Root, b"writeConcernError", Shape::Document)
                if self.write.is_none() =>
            {
                self.write = Some(Failure::default());
                Some(Ctx::Error)
            }
            _ => None,
        }
    }

    fn leave(&mut self, _: Ctx, _: Shape) {}
}

impl Docs for Answer {
    fn prelude(&mut self, prelude: &Prelude<'_>) {
        match *prelude {
            Prelude::Msg(flags) => self.flags = flags,
            Prelude::Reply(flags, cursor, number) => {
                self.flags = flags;
                self.reply = Some((cursor, number));
            }
            _ => {}
        }
    }

    fn document(&mut self, slot: Slot) -> Option<Ctx> {
        matches!(slot, Slot::Body | Slot::Nth(0 | 1)).then_some(Ctx::Root).filter(|_| {
            // The second document is the other half of an OP_COMMANDREPLY alone.
            slot != Slot::Nth(1) || self.reply.is_none()
        })
    }

    fn sequence(&mut self, _: &[u8]) {}

    fn sequence_end(&mut self) {}
}
