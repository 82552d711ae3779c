//! One direction of a connection: bytes to messages.

use super::compress::unpack;
use super::message::{Docs, Fed, Message};
use super::wire::{self, HEADER, Header, Op, Prelude, plausible};
use crate::session::{Cx, Progress, Verdict};
use base::{Direction, Mark};

/// What the next bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// A header.
    Header,
    /// A body.
    Body,
    /// What is left of a body that is of no more use.
    Rest,
    /// Unknown: a header is sought.
    Search,
}

/// What came of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// Nothing to tell.
    None,
    /// A message begins with the first of the bytes given.
    Begins,
    /// It is whole.
    Whole,
}

/// One direction.
#[derive(Debug)]
pub(super) struct Half<S: Docs> {
    stage: Stage,
    /// Bytes of the message that are still to come.
    left: u32,
    /// Bytes that were given and not used.
    given: usize,
    message: Message<S::Ctx>,
    /// The message under way.
    pub(super) header: Header,
    pub(super) sink: S,
    /// Its first packet, and its last one so far.
    pub(super) first: Mark,
    pub(super) last: Mark,
    /// Bytes of it were lost; not all of it could be read.
    pub(super) holed: bool,
    pub(super) cut: bool,
    /// Messages were understood.
    pub(super) proven: bool,
    /// Bytes that were searched before any was.
    searched: u64,
    pub(super) ended: bool,
}

/// Bytes that are searched for a first header before the guess is taken back.
const MOST_SEARCHED: u64 = 1 << 20;

impl<S: Docs + Default> Half<S> {
    pub(super) fn new() -> Half<S> {
        Half {
            stage: Stage::Header,
            left: 0,
            given: 0,
            message: Message::new(),
            header: Header { len: 0, id: 0, to: 0, op: Op::Msg },
            sink: S::default(),
            first: Mark::default(),
            last: Mark::default(),
            holed: false,
            cut: false,
            proven: false,
            searched: 0,
            ended: false,
        }
    }

    /// A message is under way.
    pub(super) fn is_under_way(&self) -> bool {
        matches!(self.stage, Stage::Body | Stage::Rest)
    }

    /// Where messages begin is not known.
    pub(super) fn is_lost(&self) -> bool {
        self.stage == Stage::Search
    }

    pub(super) fn held(&self) -> usize {
        self.message.held()
    }

    /// Takes bytes. `begin` gets the sink ready for another message.
    pub(super) fn data(
        &mut self,
        cx: &mut Cx<'_>,
        dir: Direction,
        bytes: &[u8],
        known: bool,
    ) -> (Progress, Event) {
        let (progress, event) = match self.stage {
            Stage::Header => self.header(cx, dir, bytes, known),
            Stage::Body => self.body(cx, bytes),
            Stage::Rest => self.pass(cx, bytes.len().min(self.left as usize)),
            Stage::Search => self.search(cx, dir, bytes, known),
        };
        self.given = if matches!(progress, Progress::Need(_)) { bytes.len() } else { 0 };
        (progress, event)
    }

    fn header(&mut self, cx: &mut Cx<'_>, dir: Direction, bytes: &[u8], known: bool) -> (Progress, Event) {
        if bytes.len() < HEADER {
            return (Progress::Need(HEADER), Event::None);
        }
        let Some(header) = Header::read(dir, bytes) else {
            if !known && !cx.midstream {
                return (Progress::Lost, Event::None);
            }
            if self.proven {
                cx.anomaly("mongodb-message");
            }
            self.stage = Stage::Search;
            return self.search(cx, dir, bytes, known);
        };
        self.stage = Stage::Body;
        self.header = header;
        self.left = header.len.saturating_sub(HEADER as u32);
        self.message.begin(header.op, self.left);
        (self.first, self.last) = (cx.mark_at(0), cx.mark_at(HEADER.saturating_sub(1)));
        (self.holed, self.cut) = (false, false);
        (Progress::Consumed(HEADER), Event::Begins)
    }

    /// `n` bytes of the message under way are done with.
    fn pass(&mut self, cx: &mut Cx<'_>, n: usize) -> (Progress, Event) {
        self.left = self.left.saturating_sub(u32::try_from(n).unwrap_or(u32::MAX));
        self.last = cx.mark_at(n.saturating_sub(1));
        (Progress::Consumed(n), self.whole())
    }

    fn whole(&mut self) -> Event {
        if self.left > 0 {
            return Event::None;
        }
        self.stage = Stage::Header;
        Event::Whole
    }

    fn body(&mut self, cx: &mut Cx<'_>, bytes: &[u8]) -> (Progress, Event) {
        let bytes = bytes.get(..self.left as usize).unwrap_or(bytes);
        if self.header.op == Op::Compressed {
            return self.compressed(cx, bytes);
        }
        match self.message.feed(bytes, &mut self.sink) {
            Fed::Need(n) => (Progress::Need(n), Event::None),
            Fed::Used(n) => self.pass(cx, n),
            Fed::Whole(n) => {
                self.proven = true;
                self.pass(cx, n)
            }
            Fed::Bad if !self.proven && !cx.midstream => (Progress::Lost, Event::None),
            Fed::Bad => {
                cx.anomaly("mongodb-document");
                self.cut = true;
                self.stage = Stage::Rest;
                self.pass(cx, bytes.len())
            }
        }
    }

    /// An OP_COMPRESSED: all of it, or as much as may be held, is waited for.
    fn compressed(&mut self, cx: &mut Cx<'_>, bytes: &[u8]) -> (Progress, Event) {
        let held = (self.left as usize).min(cx.limits.stream);
        if bytes.len() < held {
            return (Progress::Need(held), Event::None);
        }
        let (op, len, by, coded) = match wire::prelude(Op::Compressed, bytes) {
            Ok((Prelude::Compressed(op, len, by), used)) => {
                (op, len, by, bytes.get(used..).unwrap_or_default())
            }
            _ if self.proven => {
                cx.anomaly("mongodb-message");
                self.cut = true;
                self.stage = Stage::Rest;
                return self.pass(cx, bytes.len());
            }
            _ => return (Progress::Lost, Event::None),
        };
        self.header.op = op;
        self.message.begin(op, len);
        let plain = unpack(by, coded, cx.limits.inflated.min(len as usize)).unwrap_or_default();
        let mut rest = plain.as_ref();
        self.cut = true;
        loop {
            match self.message.feed(rest, &mut self.sink) {
                Fed::Used(n) => rest = rest.get(n..).unwrap_or_default(),
                Fed::Whole(_) => {
                    self.cut = false;
                    self.proven = true;
                    break;
                }
                // More than may be unpacked is not told; less is wrong.
                Fed::Need(_) if plain.len() >= cx.limits.inflated || (self.left as usize) > held => break,
                Fed::Need(_) | Fed::Bad => {
                    cx.anomaly("mongodb-compression");
                    break;
                }
            }
        }
        self.stage = Stage::Rest;
        self.pass(cx, bytes.len())
    }

    /// Looks for a header.
    fn search(&mut self, cx: &mut Cx<'_>, dir: Direction, bytes: &[u8], known: bool) -> (Progress, Event) {
        let mut rest = bytes;
        let mut passed = 0usize;
        while !rest.is_empty() {
            match plausible(dir, rest) {
                Verdict::Yes => {
                    self.stage = Stage::Header;
                    break;
                }
                // It may be one: whatever is before it is not.
                Verdict::More => break,
                Verdict::No => {}
            }
            rest = rest.get(1..).unwrap_or_default();
            passed = passed.saturating_add(1);
        }
        self.searched = self.searched.saturating_add(passed as u64);
        if !known && self.searched > MOST_SEARCHED {
            return (Progress::Lost, Event::None);
        }
        match (passed, self.stage) {
            (0, Stage::Header) => self.header(cx, dir, bytes, known),
            (0, _) => (Progress::Need(bytes.len().saturating_add(1)), Event::None),
            (n, _) => (Progress::Consumed(n), Event::None),
        }
    }

    /// `n` bytes were lost. Gives true when the message under way ended with them, or where
    /// messages begin is no longer known.
    pub(super) fn gap(&mut self, cx: &mut Cx<'_>, n: u64) -> bool {
        let lost = n.saturating_add(std::mem::take(&mut self.given) as u64);
        let under_way = self.is_under_way();
        self.holed = true;
        let Some(left) = u64::from(self.left).checked_sub(lost).filter(|_| under_way) else {
            self.cut = true;
            self.stage = Stage::Search;
            return under_way;
        };
        self.left = u32::try_from(left).unwrap_or(0);
        if self.stage == Stage::Body && (self.header.op == Op::Compressed || !self.message.lost(lost)) {
            self.cut = true;
            self.stage = Stage::Rest;
        }
        if self.left == 0 {
            self.stage = Stage::Header;
            self.last = cx.now;
            return true;
        }
        false
    }
}
