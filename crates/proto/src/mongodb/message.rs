//! The body of a message, as its bytes come in: what stands before the documents, then documents, in
//! OP_MSG ordered in sections.

use super::bson::{Sink, Step, Walk};
use super::wire::{self, Op, Prelude, msg};
use base::Reader;

/// Which document of a message comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// The one that counts: of OP_MSG its body.
    Body,
    /// One of a sequence of OP_MSG.
    Sequence,
    /// The n-th of an older message.
    Nth(u32),
}

/// What the documents of a message are for.
pub(super) trait Docs: Sink {
    /// What stands before the documents.
    fn prelude(&mut self, prelude: &Prelude<'_>);

    /// A document begins: goes into it or passes it over.
    fn document(&mut self, slot: Slot) -> Option<Self::Ctx>;

    /// A sequence of documents begins.
    fn sequence(&mut self, name: &[u8]);

    /// It ends.
    fn sequence_end(&mut self);
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Prelude,
    /// The kind of a section.
    Section,
    /// Length and name of a sequence.
    Sequence,
    /// The length of a document.
    Length,
    /// In a document.
    Document,
    /// Nothing of interest.
    Skip(u32),
}

/// What became of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fed {
    /// So many were used, not none.
    Used(usize),
    /// So many are needed.
    Need(usize),
    /// So many were used, and the message is whole.
    Whole(usize),
    /// It makes no sense.
    Bad,
}

/// A message under way.
#[derive(Debug)]
pub(super) struct Message<C> {
    op: Op,
    at: At,
    /// Bytes of it that are still to come.
    left: u32,
    /// Bytes of the sequence under way that are still to come.
    sequence: Option<u32>,
    /// Documents that came.
    documents: u32,
    /// Bytes of the checksum.
    checksum: u32,
    walk: Walk<C>,
}

impl<C: Copy + std::fmt::Debug + PartialEq> Message<C> {
    pub(super) fn new() -> Message<C> {
        Message {
            op: Op::Msg,
            at: At::Prelude,
            left: 0,
            sequence: None,
            documents: 0,
            checksum: 0,
            walk: Walk::new(),
        }
    }

    /// Begins one whose body has `len` bytes.
    pub(super) fn begin(&mut self, op: Op, len: u32) {
        (self.op, self.at, self.left) = (op, At::Prelude, len);
        (self.sequence, self.documents, self.checksum) = (None, 0, 0);
    }

    /// Heap bytes held.
    pub(super) fn held(&self) -> usize {
        self.walk.held()
    }

    /// Passes over `n` bytes that were lost, if nothing of interest was in them.
    pub(super) fn lost(&mut self, n: u64) -> bool {
        let Ok(n) = u32::try_from(n) else { return false };
        match &mut self.at {
            At::Skip(left) if n <= *left => *left = left.saturating_sub(n),
            At::Document if n <= self.walk.skipping() => self.walk.skip(n),
            _ => return false,
        }
        self.passed(n);
        true
    }

    fn passed(&mut self, n: u32) {
        self.left = self.left.saturating_sub(n);
        if let Some(s) = &mut self.sequence {
            *s = s.saturating_sub(n);
        }
    }

    /// Takes what it can of the bytes given.
    pub(super) fn feed<S: Docs<Ctx = C>>(&mut self, bytes: &[u8], sink: &mut S) -> Fed {
        let bytes = bytes.get(..self.left as usize).unwrap_or(bytes);
        let mut at = 0usize;
        while self.left > 0 {
            let rest = bytes.get(at..).unwrap_or_default();
            if rest.is_empty() && at > 0 {
                return Fed::Used(at);
            }
            match self.step(rest, sink) {
                Step::Used(n) => {
                    at = at.saturating_add(n);
                    self.passed(u32::try_from(n).unwrap_or(u32::MAX));
                }
                Step::Need(n) if n > self.left as usize => return Fed::Bad,
                Step::Need(n) => return if at > 0 { Fed::Used(at) } else { Fed::Need(n) },
                Step::End | Step::Bad => return Fed::Bad,
            }
        }
        if self.sequence.take().is_some() {
            sink.sequence_end();
        }
        if matches!(self.at, At::Document) && self.walk.is_open() { Fed::Bad } else { Fed::Whole(at) }
    }

    fn step<S: Docs<Ctx = C>>(&mut self, bytes: &[u8], sink: &mut S) -> Step {
        let mut r = Reader::new(bytes);
        match self.at {
            At::Prelude => {
                let (prelude, used) = match wire::prelude(self.op, bytes) {
                    Ok(found) => found,
                    Err(Some(n)) => return Step::Need(n),
                    Err(None) => return Step::Bad,
                };
                self.at = match prelude {
                    Prelude::Msg(flags) => {
                        self.checksum = if flags & msg::CHECKSUM == 0 { 0 } else { 4 };
                        At::Section
                    }
                    Prelude::KillCursors(..) => At::Skip(u32::MAX),
                    _ => At::Length,
                };
                sink.prelude(&prelude);
                Step::Used(used)
            }
            At::Section if self.left <= self.checksum => {
                self.at = At::Skip(self.left);
                Step::Used(0)
            }
            At::Section => {
                self.at = match bytes.first() {
                    None => return Step::Need(1),
                    Some(0) => At::Length,
                    Some(1) => At::Sequence,
                    // No other kind is sent to clients or by them.
                    Some(_) => return Step::Bad,
                };
                Step::Used(1)
            }
            At::Sequence => {
                let Ok(size) = r.le32("size") else { return Step::Need(4) };
                /// The longest name of a sequence that is waited for.
                const MAX_NAME: usize = 256;
                let window = r.rest().get(..MAX_NAME).unwrap_or(r.rest());
                let Some(len) = window.iter().position(|b| *b == 0) else {
                    let open = window.len() < MAX_NAME;
                    return if open { Step::Need(bytes.len().saturating_add(1)) } else { Step::Bad };
                };
                let used = len.saturating_add(5);
                if size > self.left || (size as usize) < used {
                    return Step::Bad;
                }
                sink.sequence(window.get(..len).unwrap_or_default());
                self.sequence = Some(size);
                self.at = At::Length;
                Step::Used(used)
            }
            At::Length if self.sequence == Some(0) => {
                self.sequence = None;
                sink.sequence_end();
                self.at = At::Section;
                Step::Used(0)
            }
            At::Length => {
                let Ok(len) = r.le32("length") else { return Step::Need(4) };
                if len < 5 || len > self.sequence.unwrap_or(self.left) {
                    return Step::Bad;
                }
                let slot = match (self.op, self.sequence) {
                    (Op::Msg, None) => Slot::Body,
                    (Op::Msg, Some(_)) => Slot::Sequence,
                    _ => Slot::Nth(self.documents),
                };
                self.documents = self.documents.saturating_add(1);
                match sink.document(slot) {
                    Some(ctx) => {
                        self.walk.begin(len, ctx);
                        self.at = At::Document;
                    }
                    None => self.at = At::Skip(len.saturating_sub(4)),
                }
                Step::Used(4)
            }
            At::Document => match self.walk.step(bytes, sink) {
                Step::End => {
                    self.at = self.behind();
                    Step::Used(0)
                }
                step => step,
            },
            At::Skip(0) => {
                self.at = self.behind();
                Step::Used(0)
            }
            At::Skip(left) => {
                let n = (left as usize).min(bytes.len());
                self.at = At::Skip(left.saturating_sub(u32::try_from(n).unwrap_or(u32::MAX)));
                if n == 0 { Step::Need(1) } else { Step::Used(n) }
            }
        }
    }

    /// What follows a document.
    fn behind(&self) -> At {
        if self.op == Op::Msg && self.sequence.is_none() { At::Section } else { At::Length }
    }
}
