//! The contract of a protocol parser, on one page.
//!
//! The engine owns the stream buffers. It calls [`Parser::data`] with *all* bytes of a
//! direction that are in order and not yet consumed, beginning where the parser left off:
//!
//! ```text
//!   consumed already |  bytes given now                        | not yet captured
//!                    |<------ one message ----->|<- the next   ...
//!                    Consumed(n) moves the left edge; then data() is called again with the rest
//! ```
//!
//! * [`Progress::Consumed`]`(n)`: `n` bytes are done with. The rest is given again at once.
//!   Parse *one* message (or one piece of a body) a call; never keep a copy of what you consumed
//!   beyond what the record needs.
//! * [`Progress::Need`]`(n)`: call again when at least `n` bytes (`n` > what was given) are there.
//!   Need what the message really needs. When the length is unknown (a line, a header block),
//!   remember how far you have searched, so that one-byte segments do not cost quadratic time.
//!   The engine holds at most [`Limits::stream`] bytes; a `Need` beyond it is [`Progress::Lost`].
//!   Consume large contents piece by piece instead: nothing is held for their sake.
//! * [`Progress::Done`]: no more bytes, please (the rest is encrypted or of no interest).
//! * [`Progress::Upgrade`]`(n)`: `n` bytes are done with and from here on, both ways, this is another
//!   protocol (CONNECT, Upgrade): the engine identifies anew.
//! * [`Progress::Lost`]: this cannot be the protocol. The engine takes the guess back once.
//!
//! A datagram protocol gets one `data` call a datagram; what it does not consume is dropped.
//!
//! Transactions: [`Cx::open`] at the first byte of a request, [`Txn::asked`] at its last,
//! [`Txn::answering`] at the first byte of the answer, [`Cx::close`] at its last. Put the fields of
//! the body into [`Txn::record`] on the way. The engine adds the head (ends, times, bytes,
//! delays), the response delay, RESP and QUALITY.

use base::{Direction, Mark, Seed, Timestamp};
use record::{Field, Kind, Quality, Record};

/// Does the beginning of a stream speak this protocol?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Surely.
    Yes,
    /// Surely not.
    No,
    /// Cannot say yet: more bytes, or the other direction.
    More,
}

/// What carries the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// A stream: messages are cut anywhere.
    Tcp,
    /// Datagrams: one call a datagram.
    Udp,
}

/// What became of the bytes given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The first `n` bytes are done with.
    Consumed(usize),
    /// Call again with at least this many bytes.
    Need(usize),
    /// Send nothing more, either direction.
    Done,
    /// The first `n` bytes are done with; the rest of both directions is another protocol.
    Upgrade(usize),
    /// This is not the protocol.
    Lost,
}

/// A protocol parser for one flow. Each room has one, named `Session`.
pub trait Parser {
    /// Bytes of one direction; see the module's page.
    fn data(&mut self, cx: &mut Cx<'_>, dir: Direction, bytes: &[u8]) -> Progress;

    /// `n` bytes of this direction were lost, right after what was given last. Bytes that were
    /// given but not consumed are lost with them. It may cost one transaction, no more: find
    /// the next boundary.
    fn gap(&mut self, cx: &mut Cx<'_>, dir: Direction, n: u64);

    /// No more bytes in this direction. After both directions have ended the session is
    /// dropped: by then report what is pending as unanswered.
    fn end(&mut self, cx: &mut Cx<'_>, dir: Direction);

    /// Heap bytes held by this session: for the memory budget.
    fn held(&self) -> usize {
        0
    }
}

/// What the configuration says to parsers, and caps.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `bodylen`: header and body fields are cut at this many bytes.
    pub text: usize,
    /// Bodies are wanted (`auto-check=1`); else headers only.
    pub bodies: bool,
    /// Binary bodies are wanted, in base64.
    pub base64: bool,
    /// Most bytes held in wait for a message to be whole, each direction.
    pub stream: usize,
    /// Most requests of one flow in wait for their answers; the oldest is given up above it.
    pub pipeline: usize,
    /// Most bytes that one body may grow to when its content coding is taken off.
    pub inflated: usize,
    /// `jsonsample`: keep one of this many sessions (1 = all).
    pub sample: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            text: 1024,
            bodies: true,
            base64: false,
            stream: 256 * 1024,
            pipeline: 1024,
            inflated: 1024 * 1024,
            sample: 1,
        }
    }
}

/// Which packet brought which bytes: the bytes before `end` (offset into the bytes given, behind
/// the previous span) came with the packet of `mark`.
#[derive(Clone, Copy, Debug)]
pub struct MarkSpan {
    /// Offset of the first byte that this packet did not bring.
    pub end: usize,
    /// The flow at that packet.
    pub mark: Mark,
}

/// Something that a parser could not make sense of: a name for the counter.
pub type Anomaly = &'static str;

/// A transaction under way: a request and what is known of its answer.
#[derive(Debug)]
pub struct Txn {
    /// Its record; `None` when it was sampled out: parse on, but keep nothing.
    pub record: Option<Box<Record>>,
    /// What is wrong with it so far.
    pub quality: Quality,
    begin: Mark,
    asked: Mark,
    answering: Option<Timestamp>,
    unasked: bool,
    oneway: bool,
}

impl Txn {
    /// It asks for no answer: that none comes is nothing wrong.
    pub fn oneway(&mut self) {
        self.oneway = true;
    }

    /// The request was not seen, only the answer: there is no delay to tell.
    pub fn unasked(&mut self) {
        self.unasked = true;
    }

    /// The packet that brought the (so far) last byte of the request. Needed only when that is not the first.
    pub fn asked(&mut self, at: Mark) {
        self.asked = at;
    }

    /// The request came at this time; only of its answer more is known.
    pub fn came(&mut self, time: Timestamp) {
        (self.begin.time, self.asked.time) = (time, time);
    }

    /// The packet that brought the first byte of the answer; only the first call counts.
    pub fn answering(&mut self, at: Mark) {
        self.answering.get_or_insert(at.time);
    }

    /// True once an answer has begun.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.answering.is_some()
    }

    /// When the request began.
    #[must_use]
    pub fn began(&self) -> Timestamp {
        self.begin.time
    }

    /// Puts in a text, cut at `cap` bytes.
    pub fn text(&mut self, field: &'static Field, bytes: &[u8], cap: usize) {
        if let Some(r) = &mut self.record {
            r.text(field, bytes.get(..cap).unwrap_or(bytes));
        }
    }

    /// Puts in a number.
    pub fn num(&mut self, field: &'static Field, n: u64) {
        if let Some(r) = &mut self.record {
            r.num(field, n);
        }
    }

    /// Puts in a word.
    pub fn word(&mut self, field: &'static Field, word: &'static str) {
        if let Some(r) = &mut self.record {
            r.word(field, word);
        }
    }

    /// Adds to what is wrong with it.
    pub fn taint(&mut self, q: Quality) {
        self.quality = self.quality.with(q);
    }
}

/// A finished transaction on its way to the engine.
#[derive(Debug)]
pub struct Finished {
    /// The body.
    pub record: Box<Record>,
    /// First packet of the request.
    pub begin: Mark,
    /// Last packet of the request.
    pub asked: Mark,
    /// First packet of the answer, if any came.
    pub answering: Option<Timestamp>,
    /// Last packet of the answer, or of the request when no answer came.
    pub end: Mark,
    /// What is wrong with it.
    pub quality: Quality,
    /// Only the answer was seen: there is no delay to tell.
    pub unasked: bool,
}

/// Records ready for use again.
#[derive(Debug, Default)]
pub struct Pool {
    #[expect(clippy::vec_box, reason = "records travel boxed: what is pooled is the box too")]
    free: Vec<Box<Record>>,
}

/// Above this many the pool lets records go: a burst does not hold its memory for ever.
const POOLED: usize = 1024;
/// A record whose buffers grew above this is not kept.
const POOLED_HEAP: usize = 32 * 1024;

impl Pool {
    /// An empty record.
    pub fn take(&mut self, kind: Kind) -> Box<Record> {
        match self.free.pop() {
            Some(mut r) => {
                r.reset(kind);
                r
            }
            None => Box::new(Record::new(kind)),
        }
    }

    /// Gives a record back.
    pub fn give(&mut self, record: Box<Record>) {
        if self.free.len() < POOLED && record.heap() <= POOLED_HEAP {
            self.free.push(record);
        }
    }
}

/// What a session may see and do while it is called.
#[derive(Debug)]
pub struct Cx<'a> {
    /// Caps and wishes of the configuration.
    pub limits: &'a Limits,
    /// Which packet brought which of the bytes given. Never empty; the last span covers all
    /// offsets behind it.
    pub spans: &'a [MarkSpan],
    /// Offset of the bytes given within the spans: grows as messages are consumed.
    pub base: usize,
    /// Ports of the initiator and of the other end: a fact, not a proof of anything.
    pub ports: [u16; 2],
    /// The flow at the packet that is being looked at.
    pub now: Mark,
    /// Hash of the flow and number of the session in it, for sampling whole sessions.
    pub flow_hash: u64,
    /// Sessions begun on this flow.
    pub sessions: &'a mut u32,
    /// Records to use.
    pub pool: &'a mut Pool,
    /// Finished transactions, taken by the engine after the call.
    pub done: &'a mut Vec<Finished>,
    /// Anomalies, counted by the engine under the protocol's name.
    pub anomalies: &'a mut Vec<Anomaly>,
    /// Sessions left out by sampling.
    pub sampled_out: &'a mut u64,
    /// The first session of a flow that stood before the probe.
    pub midstream: bool,
}

impl Cx<'_> {
    /// The flow at the packet that brought the byte at `offset` of the bytes given.
    #[must_use]
    pub fn mark_at(&self, offset: usize) -> Mark {
        let offset = offset.saturating_add(self.base);
        self.spans.iter().find(|s| offset < s.end).or(self.spans.last()).map_or(self.now, |s| s.mark)
    }

    /// Begins a transaction with the byte at `offset` of the bytes given.
    pub fn open(&mut self, kind: Kind, offset: usize) -> Txn {
        let mut txn = self.quiet(offset);
        self.tell(&mut txn, kind);
        txn
    }

    /// The same of one that is told only if [`Cx::tell`] follows: until then it takes no part in anything.
    pub fn quiet(&mut self, offset: usize) -> Txn {
        let begin = self.mark_at(offset);
        Txn {
            record: None,
            quality: Quality::PERFECT,
            begin,
            asked: begin,
            answering: None,
            unasked: false,
            oneway: false,
        }
    }

    /// A quiet transaction turned out to be worth a record.
    pub fn tell(&mut self, txn: &mut Txn, kind: Kind) {
        let number = *self.sessions;
        *self.sessions = number.wrapping_add(1);
        let keep = self.limits.sample <= 1
            || Seed(self.flow_hash).word(u64::from(number)).is_multiple_of(u64::from(self.limits.sample));
        if !keep {
            *self.sampled_out = self.sampled_out.saturating_add(1);
        }
        txn.record = keep.then(|| self.pool.take(kind));
        if self.limits.sample > 1 {
            txn.taint(Quality::SAMPLED);
        }
        if self.midstream && number == 0 {
            txn.taint(Quality::MIDSTREAM);
        }
    }

    /// Ends a transaction with the packet `end`: the last of the answer.
    pub fn close(&mut self, txn: Txn, end: Mark) {
        let Txn { record: Some(record), mut quality, begin, asked, answering, unasked, oneway } = txn else {
            return;
        };
        let end = if answering.is_some() { end } else { asked };
        if answering.is_none() && !oneway {
            quality = quality.with(Quality::NO_RESPONSE);
        }
        self.done.push(Finished { record, begin, asked, answering, end, quality, unasked });
    }

    /// Ends a transaction that will get no (further) answer.
    pub fn give_up(&mut self, txn: Txn) {
        let now = self.now;
        self.close(txn, now);
    }

    /// Drops a transaction untold, for what turned out to be none.
    pub fn forget(&mut self, txn: Txn) {
        if let Some(r) = txn.record {
            self.pool.give(r);
        }
    }

    /// Counts something that made no sense.
    pub fn anomaly(&mut self, what: Anomaly) {
        /// More in one call tell nothing new.
        const MOST: usize = 16;
        if self.anomalies.len() < MOST {
            self.anomalies.push(what);
        }
    }
}
