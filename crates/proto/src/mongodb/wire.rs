//! Messages on the wire: bytes to facts, no state ("MongoDB Wire Protocol" of its manual).

use super::bson::kind;
use crate::session::Verdict;
use base::{Direction, Reader};

/// Length of a message's header.
pub(super) const HEADER: usize = 16;
/// The longest message (`maxMessageSizeBytes`), and some room for what a router adds.
pub(super) const MAX_MESSAGE: u32 = 48_000_000 + 64 * 1024;
/// The longest name of a namespace or command that is waited for; those of MongoDB have 255 bytes at most.
const MAX_NAME: usize = 512;

/// The kinds of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Reply,
    Update,
    Insert,
    Query,
    GetMore,
    Delete,
    KillCursors,
    Command,
    CommandReply,
    Compressed,
    Msg,
}

impl Op {
    pub(super) fn of(code: u32) -> Option<Op> {
        Some(match code {
            1 => Op::Reply,
            2001 => Op::Update,
            2002 => Op::Insert,
            2004 => Op::Query,
            2005 => Op::GetMore,
            2006 => Op::Delete,
            2007 => Op::KillCursors,
            2010 => Op::Command,
            2011 => Op::CommandReply,
            2012 => Op::Compressed,
            2013 => Op::Msg,
            _ => return None,
        })
    }

    /// May this end of the connection send it?
    pub(super) fn fits(self, dir: Direction) -> bool {
        match self {
            Op::Msg | Op::Compressed => true,
            Op::Reply | Op::CommandReply => dir == Direction::ToClient,
            _ => dir == Direction::ToServer,
        }
    }
}

/// What every message begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Of the whole message.
    pub(super) len: u32,
    pub(super) id: u32,
    /// Id of the message that this one answers.
    pub(super) to: u32,
    pub(super) op: Op,
}

impl Header {
    /// From its 16 bytes. `None`: it is none that this end sends.
    pub(super) fn read(dir: Direction, bytes: &[u8]) -> Option<Header> {
        let mut r = Reader::new(bytes);
        let mut word = || r.le32("header").ok();
        let (len, id, to, op) = (word()?, word()?, word()?, Op::of(word()?)?);
        let fits = len > HEADER as u32 && len <= MAX_MESSAGE && op.fits(dir);
        fits.then_some(Header { len, id, to, op })
    }
}

/// What stands before the documents of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prelude<'a> {
    /// OP_MSG: its flags.
    Msg(u32),
    /// OP_REPLY: flags, cursor, documents.
    Reply(u32, u64, u32),
    /// OP_QUERY: flags, namespace, documents to skip and to return.
    Query(u32, &'a [u8], i32, i32),
    /// OP_INSERT: namespace.
    Insert(&'a [u8]),
    /// OP_UPDATE: namespace and flags.
    Update(&'a [u8], u32),
    /// OP_DELETE: namespace and flags.
    Delete(&'a [u8], u32),
    /// OP_GET_MORE: namespace, documents to return, cursor.
    GetMore(&'a [u8], i32, i64),
    /// OP_KILL_CURSORS: how many, and the first of them.
    KillCursors(u32, i64),
    /// OP_COMMAND: database and command.
    Command(&'a [u8], &'a [u8]),
    /// OP_COMMANDREPLY.
    CommandReply,
    /// OP_COMPRESSED: what it was, its length without header, and how it was compressed.
    Compressed(Op, u32, u8),
}

/// Flags of OP_MSG.
pub(super) mod msg {
    pub(crate) const CHECKSUM: u32 = 1;
    pub(crate) const MORE_TO_COME: u32 = 2;
    pub(crate) const EXHAUST_ALLOWED: u32 = 1 << 16;
    pub(crate) const ALL: u32 = CHECKSUM | MORE_TO_COME | EXHAUST_ALLOWED;
}

/// Flag of OP_QUERY: answers are pushed until the cursor is at its end.
pub(super) const EXHAUST: u32 = 1 << 6;
/// Flags of OP_REPLY.
pub(super) mod reply {
    pub(crate) const CURSOR_NOT_FOUND: u32 = 1;
    pub(crate) const QUERY_FAILURE: u32 = 2;
}

/// A name that ends with a zero. `Err(true)`: it does not end here.
fn name<'a>(r: &mut Reader<'a>) -> Result<&'a [u8], bool> {
    let window = r.rest();
    let window = window.get(..MAX_NAME).unwrap_or(window);
    let open = window.len() < MAX_NAME;
    match window.iter().position(|b| *b == 0) {
        Some(_) => r.until(0, "name").map_err(|_| open),
        // What is no text will not become a name.
        None => Err(open && window.iter().all(|b| *b >= b' ')),
    }
}

/// Reads a prelude from the bytes behind the header; gives its length too. `Err(Some(n))`: `n` bytes
/// are needed; `Err(None)`: it is none.
pub(super) fn prelude(op: Op, bytes: &[u8]) -> Result<(Prelude<'_>, usize), Option<usize>> {
    let mut r = Reader::new(bytes);
    let more = Some(bytes.len().saturating_add(1));
    let n = |fixed: usize| move |_| Some(fixed);
    let text = |r: &mut Reader<'_>| -> Result<(), Option<usize>> {
        let mut ahead = *r;
        name(&mut ahead).map(|_| ()).map_err(|open| if open { more } else { None })
    };
    let found = match op {
        Op::Msg => Prelude::Msg(r.le32("flags").map_err(n(4))?),
        Op::Reply => {
            let flags = r.le32("flags").map_err(n(20))?;
            let cursor = r.le64("cursor").map_err(n(20))?;
            r.le32("from").map_err(n(20))?;
            Prelude::Reply(flags, cursor, r.le32("number").map_err(n(20))?)
        }
        Op::Query => {
            let flags = r.le32("flags").map_err(n(4))?;
            text(&mut r)?;
            let ns = name(&mut r).map_err(|_| None)?;
            let skip = r.le32("skip").map_err(|_| more)?.cast_signed();
            Prelude::Query(flags, ns, skip, r.le32("return").map_err(|_| more)?.cast_signed())
        }
        Op::Insert => {
            r.le32("flags").map_err(n(4))?;
            text(&mut r)?;
            Prelude::Insert(name(&mut r).map_err(|_| None)?)
        }
        Op::Update | Op::Delete => {
            r.le32("zero").map_err(n(4))?;
            text(&mut r)?;
            let ns = name(&mut r).map_err(|_| None)?;
            let flags = r.le32("flags").map_err(|_| more)?;
            if op == Op::Update { Prelude::Update(ns, flags) } else { Prelude::Delete(ns, flags) }
        }
        Op::GetMore => {
            r.le32("zero").map_err(n(4))?;
            text(&mut r)?;
            let ns = name(&mut r).map_err(|_| None)?;
            let number = r.le32("return").map_err(|_| more)?.cast_signed();
            Prelude::GetMore(ns, number, r.le64("cursor").map_err(|_| more)?.cast_signed())
        }
        Op::KillCursors => {
            r.le32("zero").map_err(n(8))?;
            let number = r.le32("number").map_err(n(8))?;
            if number == 0 {
                return Err(None);
            }
            Prelude::KillCursors(number, r.le64("cursor").map_err(n(16))?.cast_signed())
        }
        Op::Command => {
            text(&mut r)?;
            let db = name(&mut r).map_err(|_| None)?;
            text(&mut r)?;
            Prelude::Command(db, name(&mut r).map_err(|_| None)?)
        }
        Op::CommandReply => Prelude::CommandReply,
        Op::Compressed => {
            let op = r.le32("opcode").map_err(n(9))?;
            let len = r.le32("length").map_err(n(9))?;
            let by = r.u8("compressor").map_err(n(9))?;
            let op = Op::of(op).filter(|op| *op != Op::Compressed).ok_or(None)?;
            Prelude::Compressed(op, len, by)
        }
    };
    Ok((found, bytes.len().saturating_sub(r.left())))
}

/// Database and collection of a namespace.
pub(super) fn namespace(ns: &[u8]) -> (&[u8], &[u8]) {
    match ns.iter().position(|b| *b == b'.') {
        Some(dot) => (ns.get(..dot).unwrap_or_default(), ns.get(dot.saturating_add(1)..).unwrap_or_default()),
        None => (ns, &[]),
    }
}

/// Names no message that it answers: clients put nothing into `to`, or -1.
pub(super) fn asks(bytes: &[u8]) -> bool {
    Header::read(Direction::ToClient, bytes).is_some_and(|h| matches!(h.to, 0 | u32::MAX))
}

/// Could this be the beginning of a message of this end? Looked at are the header, what stands before the
/// documents, and the first element.
pub(super) fn plausible(dir: Direction, bytes: &[u8]) -> Verdict {
    let Some(body) = bytes.get(HEADER..) else {
        let len = Reader::new(bytes).le32("length");
        let fits = len.is_ok_and(|n| (HEADER as u32..=MAX_MESSAGE).contains(&n));
        return if fits || bytes.len() < 4 { Verdict::More } else { Verdict::No };
    };
    let Some(head) = Header::read(dir, bytes) else { return Verdict::No };
    let left = head.len.saturating_sub(HEADER as u32);
    // What follows is of the next message.
    let body = body.get(..left as usize).unwrap_or(body);
    let whole = body.len() == left as usize;
    let (what, used) = match prelude(head.op, body) {
        Ok(found) => found,
        Err(Some(_)) if !whole => return Verdict::More,
        Err(_) => return Verdict::No,
    };
    let left = left.saturating_sub(u32::try_from(used).unwrap_or(u32::MAX));
    let docs = body.get(used..).unwrap_or_default();
    let asks = dir == Direction::ToServer;
    if asks && !matches!(head.to, 0 | u32::MAX) && matches!(head.op, Op::Msg | Op::Query | Op::Compressed) {
        return Verdict::No;
    }
    let space = |ns: &[u8]| ns.len() > 2 && ns.contains(&b'.') && ns.iter().all(|b| *b >= b' ');
    let fits = match what {
        Prelude::Msg(flags) if flags & !msg::ALL == 0 => return section(docs, left),
        Prelude::Msg(_) => false,
        Prelude::Reply(flags, _, 0) => flags & !15 == 0 && left == 0,
        Prelude::Reply(flags, _, n) => {
            return if flags & !15 == 0 && n <= left / 5 { document(docs, left) } else { Verdict::No };
        }
        Prelude::Query(flags, ns, ..) => flags & !0xff == 0 && space(ns) && left >= 5,
        Prelude::Insert(ns) => space(ns) && left >= 5,
        Prelude::Update(ns, flags) => flags & !3 == 0 && space(ns) && left >= 10,
        Prelude::Delete(ns, flags) => flags & !1 == 0 && space(ns) && left >= 5,
        Prelude::GetMore(ns, ..) => space(ns) && left == 0,
        Prelude::KillCursors(n, _) => n.checked_mul(8).is_some_and(|n| n == left.saturating_add(8)),
        Prelude::Command(db, command) => {
            let is_name = |s: &[u8]| !s.is_empty() && s.iter().all(|b| *b > b' ');
            if !is_name(db) || !is_name(command) {
                return Verdict::No;
            }
            return document(docs, left);
        }
        Prelude::CommandReply => return document(docs, left),
        Prelude::Compressed(op, len, by) => {
            op.fits(dir) && op != Op::Compressed && by <= 3 && (5..=MAX_MESSAGE).contains(&len)
        }
    };
    if fits { Verdict::Yes } else { Verdict::No }
}

/// The first section of an OP_MSG.
fn section(bytes: &[u8], left: u32) -> Verdict {
    let left = left.saturating_sub(1);
    match bytes.split_first() {
        None => Verdict::More,
        Some((0, rest)) => document(rest, left),
        Some((1, rest)) => {
            let mut r = Reader::new(rest);
            let Ok(size) = r.le32("size") else { return Verdict::More };
            if !(5..=left).contains(&size) {
                return Verdict::No;
            }
            match name(&mut r) {
                Ok(n) if n.is_empty() || !is_word(n) => Verdict::No,
                Ok(_) => Verdict::Yes,
                Err(true) => Verdict::More,
                Err(false) => Verdict::No,
            }
        }
        Some(_) => Verdict::No,
    }
}

fn is_word(name: &[u8]) -> bool {
    name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'$' | b'_' | b'.' | b'-'))
}

/// A document that lies in `left` bytes: its length, and the type and name of its first element.
fn document(bytes: &[u8], left: u32) -> Verdict {
    let mut r = Reader::new(bytes);
    let Ok(len) = r.le32("length") else { return Verdict::More };
    if !(5..=left).contains(&len) {
        return Verdict::No;
    }
    match r.u8("type") {
        Err(_) => Verdict::More,
        Ok(0) => {
            if len == 5 {
                Verdict::Yes
            } else {
                Verdict::No
            }
        }
        Ok(k) if !kind::is_known(k) => Verdict::No,
        Ok(_) => match name(&mut r) {
            Ok(n) if n.iter().all(|b| *b >= b' ') => Verdict::Yes,
            Err(true) => Verdict::More,
            _ => Verdict::No,
        },
    }
}
