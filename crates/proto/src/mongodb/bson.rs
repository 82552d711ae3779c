//! BSON (bsonspec.org 1.1), walked in one pass as its bytes come in: nothing is kept but the ends
//! of the documents that are open. A [`Sink`] says which it wants to go into, and how much it wants
//! of long values; the rest is passed over by length.

use base::{Reader, Short};

/// Documents within documents that are walked; MongoDB itself allows 100 ("MongoDB Limits").
/// Deeper ones are passed over.
const DEPTH: usize = 24;
/// The longest name of an element, and the longest parts of a regular expression, that are waited for.
const MAX_NAME: usize = 1024;

/// Types of elements.
pub(super) mod kind {
    pub(crate) const DOUBLE: u8 = 0x01;
    pub(crate) const STRING: u8 = 0x02;
    pub(crate) const DOCUMENT: u8 = 0x03;
    pub(crate) const ARRAY: u8 = 0x04;
    pub(crate) const BINARY: u8 = 0x05;
    pub(crate) const UNDEFINED: u8 = 0x06;
    pub(crate) const OID: u8 = 0x07;
    pub(crate) const BOOL: u8 = 0x08;
    pub(crate) const DATE: u8 = 0x09;
    pub(crate) const NULL: u8 = 0x0a;
    pub(crate) const REGEX: u8 = 0x0b;
    pub(crate) const POINTER: u8 = 0x0c;
    pub(crate) const CODE: u8 = 0x0d;
    pub(crate) const SYMBOL: u8 = 0x0e;
    pub(crate) const SCOPED: u8 = 0x0f;
    pub(crate) const INT: u8 = 0x10;
    pub(crate) const STAMP: u8 = 0x11;
    pub(crate) const LONG: u8 = 0x12;
    pub(crate) const DECIMAL: u8 = 0x13;
    pub(crate) const MAX_KEY: u8 = 0x7f;
    pub(crate) const MIN_KEY: u8 = 0xff;

    /// Is there such a type?
    pub(crate) fn is_known(kind: u8) -> bool {
        matches!(kind, DOUBLE..=DECIMAL | MAX_KEY | MIN_KEY)
    }
}

/// A value. Strings and binaries may be cut: the sink said how much it wants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Double(f64),
    Str(&'a [u8]),
    /// Subtype and bytes.
    Binary(u8, &'a [u8]),
    Undefined,
    Oid([u8; 12]),
    Bool(bool),
    /// Milliseconds since 1970.
    Date(i64),
    Null,
    /// Pattern and options.
    Regex(&'a [u8], &'a [u8]),
    Pointer(&'a [u8], [u8; 12]),
    Code(&'a [u8]),
    Symbol(&'a [u8]),
    Int(i32),
    /// Seconds and a counter.
    Stamp(u32, u32),
    Long(i64),
    Decimal(u128),
    MinKey,
    MaxKey,
    /// A document that is nested too deep.
    Deep,
}

/// What a container is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Document,
    Array,
    /// The scope of code: ends two things.
    Scope,
}

/// Looks at elements as they pass. `Ctx` is the sink's own word for where it is.
pub(super) trait Sink {
    /// Where an element lies.
    type Ctx: Copy + std::fmt::Debug + PartialEq;

    /// How many bytes it wants of a string or binary.
    fn wants(&self, ctx: Self::Ctx, name: &[u8]) -> usize;

    /// An element that holds no others.
    fn value(&mut self, ctx: Self::Ctx, name: &[u8], value: Value<'_>);

    /// An element that does: goes into it as the context given, or passes it over.
    fn enter(&mut self, ctx: Self::Ctx, name: &[u8], shape: Shape) -> Option<Self::Ctx>;

    /// The end of what was gone into.
    fn leave(&mut self, ctx: Self::Ctx, shape: Shape);
}

/// A document under way.
#[derive(Clone, Copy, Debug)]
struct Frame<C> {
    /// Offset behind its last byte, counted from the first of the outermost.
    end: u32,
    ctx: C,
    shape: Shape,
}

/// What became of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// So many were used; more may be.
    Used(usize),
    /// So many are needed.
    Need(usize),
    /// The outermost document is over.
    End,
    /// This is no BSON.
    Bad,
}

/// Walks one document.
#[derive(Debug)]
pub(super) struct Walk<C> {
    frames: Vec<Frame<C>>,
    /// Bytes that went by.
    at: u32,
    /// Bytes of a value that are passed over.
    skip: u32,
}

/// The sizes of a value: bytes of its fixed part, and what follows.
struct Sized {
    fixed: usize,
    rest: u32,
}

impl<C: Copy + std::fmt::Debug + PartialEq> Walk<C> {
    pub(super) fn new() -> Walk<C> {
        Walk { frames: Vec::new(), at: 0, skip: 0 }
    }

    /// Begins a document of `len` bytes whose first four went by already.
    pub(super) fn begin(&mut self, len: u32, ctx: C) {
        self.frames.clear();
        self.frames.push(Frame { end: len, ctx, shape: Shape::Document });
        (self.at, self.skip) = (4, 0);
    }

    /// Heap bytes held.
    pub(super) fn held(&self) -> usize {
        self.frames.capacity().saturating_mul(size_of::<Frame<C>>())
    }

    /// The outermost document is not over.
    pub(super) fn is_open(&self) -> bool {
        !self.frames.is_empty()
    }

    /// Bytes of the value under way that nobody wants.
    pub(super) fn skipping(&self) -> u32 {
        self.skip
    }

    /// `n` bytes of those were passed over.
    pub(super) fn skip(&mut self, n: u32) {
        self.skip = self.skip.saturating_sub(n);
        self.at = self.at.saturating_add(n);
    }

    /// Takes the next element, or as much as can be passed over.
    pub(super) fn step<S: Sink<Ctx = C>>(&mut self, bytes: &[u8], sink: &mut S) -> Step {
        if self.skip > 0 {
            let n = (self.skip as usize).min(bytes.len());
            self.skip(u32::try_from(n).unwrap_or(u32::MAX));
            return if n == 0 { Step::Need(1) } else { Step::Used(n) };
        }
        let Some(frame) = self.frames.last().copied() else { return Step::End };
        let Some(kind) = bytes.first().copied() else { return Step::Need(1) };
        if kind == 0 {
            self.at = self.at.saturating_add(1);
            self.frames.pop();
            if self.at != frame.end {
                return Step::Bad;
            }
            sink.leave(frame.ctx, frame.shape);
            return Step::Used(1);
        }
        if !kind::is_known(kind) {
            return Step::Bad;
        }
        match self.element(kind, frame, bytes, sink) {
            Ok(used) => {
                let used = u32::try_from(used).unwrap_or(u32::MAX);
                self.at = self.at.saturating_add(used);
                if self.at.saturating_add(self.skip) >= frame.end {
                    Step::Bad
                } else {
                    Step::Used(used as usize)
                }
            }
            Err(Some(n)) if n > bytes.len() => Step::Need(n),
            Err(_) => Step::Bad,
        }
    }

    /// One element of a known type, its name first. Gives the bytes used, or how many are needed.
    fn element<S: Sink<Ctx = C>>(
        &mut self,
        kind: u8,
        frame: Frame<C>,
        bytes: &[u8],
        sink: &mut S,
    ) -> Result<usize, Option<usize>> {
        let more = Some(bytes.len().saturating_add(1));
        let named = bytes.get(1..).unwrap_or_default();
        let window = named.get(..MAX_NAME).unwrap_or(named);
        let len = match window.iter().position(|b| *b == 0) {
            Some(len) => len,
            None if window.len() < MAX_NAME => return Err(more),
            None => return Err(None),
        };
        let name = window.get(..len).unwrap_or_default();
        let body = len.saturating_add(2);
        let value = bytes.get(body..).unwrap_or_default();
        if kind == kind::REGEX {
            let (used, value) = regex(value).map_err(|open| if open { more } else { None })?;
            sink.value(frame.ctx, name, value);
            return Ok(body.saturating_add(used));
        }
        let Some(size) = sized(kind, value) else { return Err(Some(body.saturating_add(4))) };
        let before = u32::try_from(body.saturating_add(size.fixed)).unwrap_or(u32::MAX);
        // The zero at the end of the document is still to come.
        if self.at.saturating_add(before).saturating_add(size.rest) >= frame.end {
            return Err(None);
        }
        if kind == kind::POINTER && size.rest as usize > MAX_NAME {
            return Err(None);
        }
        let shape = match kind {
            kind::DOCUMENT => Some(Shape::Document),
            kind::ARRAY => Some(Shape::Array),
            _ => None,
        };
        if let Some(shape) = shape {
            if size.rest == 0 {
                return Err(None);
            }
            // Where the value begins, from the beginning of the outermost document.
            let begin = self.at.saturating_add(u32::try_from(body).unwrap_or(u32::MAX));
            self.enter(sink, frame.ctx, name, shape, begin, size.rest.saturating_add(4));
            return Ok(body.saturating_add(4));
        }
        if kind == kind::SCOPED {
            return self.scoped(frame, name, body, value, sink);
        }
        let wanted = match kind {
            kind::STRING | kind::BINARY | kind::CODE | kind::SYMBOL => {
                sink.wants(frame.ctx, name).min(size.rest as usize)
            }
            _ => size.rest as usize,
        };
        let held = size.fixed.saturating_add(wanted);
        let Some(held) = value.get(..held) else { return Err(Some(body.saturating_add(held))) };
        let (head, tail) = held.split_at_checked(size.fixed).ok_or(None)?;
        let value = read(kind, head, tail, size.rest as usize == wanted).map_err(|_| None)?;
        sink.value(frame.ctx, name, value);
        self.skip = size.rest.saturating_sub(u32::try_from(wanted).unwrap_or(u32::MAX));
        Ok(body.saturating_add(held.len()))
    }

    /// Goes into a document of `len` bytes that begins at `begin`, or passes it over.
    fn enter<S: Sink<Ctx = C>>(
        &mut self,
        sink: &mut S,
        ctx: C,
        name: &[u8],
        shape: Shape,
        begin: u32,
        len: u32,
    ) {
        if self.frames.len() >= DEPTH {
            sink.value(ctx, name, Value::Deep);
        } else if let Some(ctx) = sink.enter(ctx, name, shape) {
            self.frames.push(Frame { end: begin.saturating_add(len), ctx, shape });
            return;
        }
        self.skip = len.saturating_sub(4);
    }

    /// Code with a scope: length of all, the code as a string, the scope as a document.
    fn scoped<S: Sink<Ctx = C>>(
        &mut self,
        frame: Frame<C>,
        name: &[u8],
        body: usize,
        value: &[u8],
        sink: &mut S,
    ) -> Result<usize, Option<usize>> {
        let mut r = Reader::new(value);
        let need = |n: usize| Some(body.saturating_add(n));
        let (total, code) = (r.le32("scoped").map_err(|_| need(8))?, r.le32("code").map_err(|_| need(8))?);
        if code == 0 || total < code.saturating_add(13) {
            return Err(None);
        }
        let whole = (code as usize).saturating_add(12);
        if code as usize > sink.wants(frame.ctx, name) {
            // Too long to be told: it is passed over with its scope.
            sink.value(frame.ctx, name, Value::Code(b""));
            self.skip = total.saturating_sub(8);
            return Ok(body.saturating_add(8));
        }
        let text = r.take(code as usize, "code").map_err(|_| need(whole))?;
        let scope = r.le32("scope").map_err(|_| need(whole))?;
        if scope < 5 || scope.checked_add(code).and_then(|n| n.checked_add(8)) != Some(total) {
            return Err(None);
        }
        sink.value(frame.ctx, name, Value::Code(text.strip_suffix(b"\0").unwrap_or(text)));
        let begin = self
            .at
            .saturating_add(u32::try_from(body.saturating_add(whole).saturating_sub(4)).unwrap_or(u32::MAX));
        self.enter(sink, frame.ctx, name, Shape::Scope, begin, scope);
        Ok(body.saturating_add(whole))
    }
}

/// The fixed part of a value, and the length of what follows it. `None`: its length is not there yet.
fn sized(kind: u8, value: &[u8]) -> Option<Sized> {
    let len = |less: u32| Reader::new(value).le32("length").ok().map(|n| n.saturating_sub(less));
    Some(match kind {
        kind::STRING | kind::CODE | kind::SYMBOL => Sized { fixed: 4, rest: len(0)? },
        kind::DOCUMENT | kind::ARRAY => Sized { fixed: 4, rest: len(4)? },
        kind::BINARY => Sized { fixed: 5, rest: len(0)? },
        // The string is counted with its length; the id follows it.
        kind::POINTER => Sized { fixed: 4, rest: len(0)?.saturating_add(12) },
        kind::SCOPED => Sized { fixed: 4, rest: len(4)? },
        kind::OID => Sized { fixed: 12, rest: 0 },
        kind::BOOL => Sized { fixed: 1, rest: 0 },
        kind::INT => Sized { fixed: 4, rest: 0 },
        kind::DOUBLE | kind::DATE | kind::STAMP | kind::LONG => Sized { fixed: 8, rest: 0 },
        kind::DECIMAL => Sized { fixed: 16, rest: 0 },
        _ => Sized { fixed: 0, rest: 0 },
    })
}

/// Bytes used and the value; `Err(true)`: it does not end here.
fn regex(value: &[u8]) -> Result<(usize, Value<'_>), bool> {
    /// Both parts; longer ones are not waited for.
    const MOST: usize = 4 * MAX_NAME;
    let window = value.get(..MOST).unwrap_or(value);
    let open = window.len() < MOST;
    let mut r = Reader::new(window);
    let pattern = r.until(0, "pattern").map_err(|_| open)?;
    let options = r.until(0, "options").map_err(|_| open)?;
    Ok((window.len().saturating_sub(r.left()), Value::Regex(pattern, options)))
}

/// A value of a fixed part and a tail, which is `whole` or cut.
fn read<'a>(kind: u8, head: &'a [u8], tail: &'a [u8], whole: bool) -> Result<Value<'a>, Short> {
    let mut r = Reader::new(head);
    // Strings end with a zero that is none of theirs.
    let text = if whole { tail.strip_suffix(b"\0").unwrap_or(tail) } else { tail };
    Ok(match kind {
        kind::DOUBLE => Value::Double(f64::from_bits(r.le64("double")?)),
        kind::STRING => Value::Str(text),
        kind::BINARY => {
            r.le32("binary")?;
            Value::Binary(r.u8("subtype")?, tail)
        }
        kind::UNDEFINED => Value::Undefined,
        kind::OID => Value::Oid(r.array("oid")?),
        kind::BOOL => Value::Bool(r.u8("bool")? != 0),
        kind::DATE => Value::Date(r.le64("date")?.cast_signed()),
        kind::NULL => Value::Null,
        kind::POINTER => {
            let (name, id) = tail.split_last_chunk::<12>().ok_or(Short("pointer"))?;
            Value::Pointer(name.strip_suffix(b"\0").unwrap_or(name), *id)
        }
        kind::CODE => Value::Code(text),
        kind::SYMBOL => Value::Symbol(text),
        kind::INT => Value::Int(r.le32("int")?.cast_signed()),
        kind::STAMP => {
            let counter = r.le32("counter")?;
            Value::Stamp(r.le32("seconds")?, counter)
        }
        kind::LONG => Value::Long(r.le64("long")?.cast_signed()),
        kind::DECIMAL => Value::Decimal(u128::from_le_bytes(r.array("decimal")?)),
        kind::MIN_KEY => Value::MinKey,
        _ => Value::MaxKey,
    })
}
