//! Who answers whom: commands wait in order for their answers.
//!
//! While all bytes were seen the oldest command that waits owns the next answer. When it is not
//! known how many answers are due (the connection was joined in its middle, bytes were lost, an
//! answer came that nobody asked for), commands and answers are only collected, until a moment
//! at which nothing is under way: then the last answer belongs to the last command, the one
//! before to the one before. What finds no partner is told as unanswered.
//!
//! Such a moment: a client that waits for its answers before it sends more (alone or in batches)
//! sends again after an answer; of any other client, it sends after a silence that is long
//! against its answers' delays. That a client waits shows when from one moment to the next as many answers
//! come as were due, several times; losses in between neither show it nor deny it. Then the moments before are
//! believed too, and what lies between two of them is paired from both ends, up to what was lost.

mod doubt;

use super::command::{Command, ReplyMode, Secret, Verb};
use super::wire::Word;
use crate::session::{Cx, Txn};
use base::{Mark, Timestamp};
use doubt::{DOUBTED, DOUBTED_BYTES, Doubt, Held, Moment, ROUNDS};
use record::{Kind, Quality, Record, f::redis as f};
use std::collections::VecDeque;

/// A command in wait for its answer.
#[derive(Debug)]
pub(super) struct Pending {
    txn: Txn,
    verb: Verb,
    secret: Secret,
    /// Answers to come: SUBSCRIBE has one a channel.
    due: u64,
    asked: Timestamp,
    heap: usize,
    /// In doubt: when it began it looked as if nothing were under way.
    moment: Option<Moment>,
    /// Commands were lost right before it.
    behind_gap: bool,
}

/// Where the answer under way goes.
#[derive(Debug, Default)]
enum Into {
    #[default]
    Nowhere,
    Command(Pending),
    Doubt(Held),
}

/// What an answer is by its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Answer,
    /// Sent unasked.
    Push,
    /// A replica acknowledges: this is a replication stream.
    Ack,
}

/// The queue keeps room for this many; more is given back when it is empty.
const KEPT: usize = 16;

/// The commands of a flow that are under way.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    pending: VecDeque<Pending>,
    into: Into,
    room: usize,
    doubt: Option<Box<Doubt>>,
    /// Answers to come to commands that were given up before all that are pending.
    owed: u64,
    /// Heap bytes of the records of pending commands.
    held: usize,
    off: bool,
    skip: bool,
    in_multi: bool,
    /// What of EXEC's answer may be told, by the commands since MULTI.
    queued: Secret,
    /// MONITOR was asked for.
    pub(super) monitors: bool,
    /// An UNSUBSCRIBE without channels: any number of answers.
    bare: bool,
    /// One of them came, in doubt: the others do not count.
    bare_answered: bool,
    /// Two commands were under way at a time; some were sent while answers to others came.
    pipelines: bool,
    slides: bool,
    /// Answers that were paired; commands in a row that were sent when none was under way.
    paired: u32,
    alone: u32,
    /// The last command ended, the last bytes of the server came.
    asked: Timestamp,
    heard: Timestamp,
    slowest: u64,
    /// No more answers will come.
    deaf: bool,
}

impl Pairs {
    /// The connection stood before the probe.
    pub(super) fn joined(&mut self) {
        self.doubt = Some(Box::new(Doubt::wanting(ROUNDS)));
    }

    fn pop(&mut self) -> Option<Pending> {
        let p = self.pending.pop_front()?;
        self.held = self.held.saturating_sub(p.heap);
        if self.pending.is_empty() && self.pending.capacity() > KEPT {
            self.pending.shrink_to(KEPT);
        }
        Some(p)
    }

    /// A command is whole, `last` brought its end.
    pub(super) fn ask(&mut self, cx: &mut Cx<'_>, mut txn: Txn, c: &Command, last: Mark) {
        txn.asked(last);
        self.asked = self.asked.max(last.time);
        if !self.wants_answer(c) {
            txn.oneway();
            return cx.give_up(txn);
        }
        if self.deaf && self.doubt.is_none() {
            return cx.give_up(txn);
        }
        let channels = c.count.saturating_sub(1);
        let (verb, due) = match c.verb {
            // It is only queued.
            _ if self.in_multi && c.verb != Verb::Exec => (Verb::Other, 1),
            Verb::Subscribe(_) | Verb::Unsubscribe(_) => (c.verb, channels.max(1)),
            verb => (verb, 1),
        };
        let secret = self.secret_of(c);
        match verb {
            Verb::Multi => self.in_multi = true,
            Verb::Exec | Verb::Reset => self.in_multi = false,
            Verb::Unsubscribe(_) => {
                self.bare |= channels == 0;
                self.bare_answered = false;
            }
            Verb::Monitor => self.monitors = true,
            _ => {}
        }
        let most = if self.doubt.is_some() { cx.limits.pipeline.min(DOUBTED) } else { cx.limits.pipeline };
        while self.pending.len() >= most.max(1) {
            let Some(oldest) = self.pop() else { break };
            cx.anomaly("pipeline-full");
            if let Some(d) = &mut self.doubt {
                if d.certain > 0 {
                    d.certain = d.certain.saturating_sub(1);
                    self.owed = self.owed.saturating_add(oldest.due);
                }
            } else {
                self.owed = self.owed.saturating_add(oldest.due);
            }
            cx.give_up(oldest.txn);
        }
        let (mut moment, mut behind_gap) = (None, false);
        if let Some(d) = &mut self.doubt {
            d.asked = d.asked.saturating_add(due as usize);
            (moment, behind_gap) = (d.moment.take(), std::mem::take(&mut d.lost_before));
        }
        let heap = txn.record.as_ref().map_or(0, |r| r.heap());
        self.held = self.held.saturating_add(heap);
        self.pending.push_back(Pending {
            txn,
            verb,
            secret,
            due,
            asked: last.time,
            heap,
            moment,
            behind_gap,
        });
    }

    /// CLIENT REPLY: does this command get an answer?
    fn wants_answer(&mut self, c: &Command) -> bool {
        if self.in_multi {
            return true;
        }
        match c.reply {
            Some(ReplyMode::On) => (self.off, self.skip) = (false, false),
            Some(ReplyMode::Off) => self.off = true,
            Some(ReplyMode::Skip) => {
                self.skip = !self.off;
                return false;
            }
            None if c.verb == Verb::Reset => (self.off, self.skip) = (false, false),
            None => {}
        }
        !self.off && !std::mem::take(&mut self.skip)
    }

    /// What of this command's answer may be told. That of EXEC is the answers of all that was queued; when its
    /// MULTI was not seen, any may have been.
    fn secret_of(&mut self, c: &Command) -> Secret {
        match c.verb {
            Verb::Exec => {
                let unseen = if self.in_multi { Secret::None } else { Secret::Config };
                return std::mem::take(&mut self.queued).max(unseen);
            }
            Verb::Multi => self.queued = Secret::None,
            // An error within EXEC's answer is not told from a value.
            _ if c.secret == Secret::Quoted => self.queued = Secret::Whole,
            _ => self.queued = self.queued.max(c.secret),
        }
        c.secret
    }

    fn front(&self) -> Option<&Pending> {
        let alone = self.doubt.as_ref().is_none_or(|d| d.certain > 0);
        if alone { self.pending.front() } else { self.pending.back() }
    }

    /// The command that the next answer is for, as far as is known.
    pub(super) fn verb(&self) -> Option<Verb> {
        self.front().map(|p| p.verb)
    }

    /// What an array or a push is that begins with `word` and has `n` elements.
    pub(super) fn class(&mut self, is_push: bool, word: &[u8], n: u64) -> Class {
        let verb = self.verb();
        let in_pubsub = verb.is_some_and(Verb::in_pubsub);
        let said = Verb::of(Word::of(word).get());
        match (said, word, n) {
            (Verb::Replconf, ..) => Class::Ack,
            (Verb::Subscribe(_), _, 3) if verb == Some(said) => Class::Answer,
            (Verb::Unsubscribe(_), _, 3) if verb == Some(said) => {
                let counts_not = self.bare && self.doubt.as_ref().is_some_and(|d| d.certain == 0);
                if counts_not && std::mem::replace(&mut self.bare_answered, true) {
                    Class::Push
                } else {
                    Class::Answer
                }
            }
            _ if is_push => Class::Push,
            // In RESP2 a client that is pushed messages may send these commands only.
            (_, b"message" | b"smessage", 3) | (_, b"pmessage", 4) if in_pubsub || verb.is_none() => {
                Class::Push
            }
            (Verb::Subscribe(_) | Verb::Unsubscribe(_), _, 3) if in_pubsub || verb.is_none() || self.bare => {
                Class::Push
            }
            _ => Class::Answer,
        }
    }

    /// An answer begins.
    pub(super) fn answer(&mut self, cx: &mut Cx<'_>, first: Mark) {
        self.room = cx.limits.text;
        if self.owed > 0 {
            self.owed = self.owed.saturating_sub(1);
            return;
        }
        let is_doubt = self.doubt.as_ref().is_some_and(|d| d.certain == 0);
        if !is_doubt && self.pending.front().is_some_and(|p| p.asked <= first.time) {
            let Some(mut p) = self.pop() else { return };
            if let Some(d) = &mut self.doubt {
                d.certain = d.certain.saturating_sub(1);
            }
            let again = p.txn.is_answered();
            if !again {
                // One that blocked is forgotten after a while.
                let faded = self.slowest.saturating_sub(self.slowest / 16);
                self.slowest = faded.max(first.time.since(p.asked));
                self.paired = self.paired.saturating_add(1);
                self.pipelines |= self.pending.front().is_some_and(|next| {
                    let began = next.txn.began();
                    began < first.time && began != p.txn.began()
                });
            }
            p.txn.answering(first);
            if let Some(r) = &mut p.txn.record {
                if again {
                    r.append(b" ");
                } else {
                    r.begin_text(&f::RES);
                }
            }
            let told = p.txn.record.as_ref().map_or(0, |r| r.text_of(&f::RES).len());
            self.room = self.room.saturating_sub(told);
            self.into = Into::Command(p);
            return;
        }
        if self.doubt.is_none() {
            cx.anomaly("unpaired-response");
            self.begin_doubt(false);
        }
        self.into =
            Into::Doubt(Held { text: Vec::new(), is_error: false, first, end: first, behind_gap: false });
    }

    /// What of the answer under way may be told.
    pub(super) fn secret(&self) -> Secret {
        match &self.into {
            Into::Command(p) => p.secret,
            Into::Doubt(_) | Into::Nowhere => Secret::None,
        }
    }

    /// Text of the answer under way.
    pub(super) fn text(&mut self, text: &[u8]) {
        let text = text.get(..self.room).unwrap_or(text);
        self.room = self.room.saturating_sub(text.len());
        match &mut self.into {
            Into::Nowhere => {}
            Into::Command(p) => {
                if let Some(r) = &mut p.txn.record {
                    r.append(text);
                }
            }
            Into::Doubt(h) => h.text.extend_from_slice(text),
        }
    }

    /// Is any text of the answer under way wanted?
    pub(super) fn wants_text(&self) -> bool {
        self.room > 0 && !matches!(self.into, Into::Nowhere)
    }

    /// Bytes of the answer under way were lost.
    pub(super) fn taint(&mut self, q: Quality) {
        if let Into::Command(p) = &mut self.into {
            p.txn.taint(q);
        }
    }

    /// The answer under way is whole.
    pub(super) fn answered(&mut self, cx: &mut Cx<'_>, is_error: bool, end: Mark) {
        match std::mem::take(&mut self.into) {
            Into::Nowhere => {}
            Into::Command(mut p) => {
                p.due = if is_error { 0 } else { p.due.saturating_sub(1) };
                if p.due == 0 {
                    return close(cx, p, is_error, end);
                }
                p.heap = p.txn.record.as_ref().map_or(0, |r| r.heap());
                self.held = self.held.saturating_add(p.heap);
                if let Some(d) = &mut self.doubt {
                    d.certain = d.certain.saturating_add(1);
                }
                self.pending.push_front(p);
            }
            Into::Doubt(h) => {
                let Some(d) = &mut self.doubt else { return };
                d.count = d.count.saturating_add(1);
                d.bytes = d.bytes.saturating_add(h.text.capacity());
                let behind_gap = std::mem::take(&mut d.lost_answer_before);
                d.answers.push_back(Held { is_error, end, behind_gap, ..h });
                while d.answers.len() > DOUBTED || d.bytes > DOUBTED_BYTES.max(cx.limits.text) {
                    let Some(h) = d.answers.pop_front() else { break };
                    d.bytes = d.bytes.saturating_sub(h.text.capacity());
                }
            }
        }
    }

    /// The server sent bytes until `at`.
    pub(super) fn heard(&mut self, at: Mark) {
        self.heard = self.heard.max(at.time);
    }

    /// Does this client always wait for an answer before it asks again, now too?
    pub(super) fn asks_singly(&self) -> bool {
        let mut last = self.pending.iter().rev().map(|p| p.txn.began());
        let is_alone = last.next() != last.next();
        !self.pipelines && !self.slides && self.paired > 0 && is_alone
    }

    /// It was no command that waits here.
    pub(super) fn forget_all(&mut self, cx: &mut Cx<'_>) {
        while let Some(p) = self.pop() {
            cx.forget(p.txn);
        }
    }

    /// No more answers: what waits has none. In doubt that waits for the client's `last` bytes:
    /// some may have been lost before commands that were answered long ago.
    pub(super) fn end(&mut self, cx: &mut Cx<'_>, last: bool) {
        self.deaf = true;
        if !matches!(self.into, Into::Nowhere) {
            let at = cx.now;
            if let Into::Command(p) = &mut self.into {
                p.due = 1;
            }
            self.answered(cx, false, at);
        }
        if self.doubt.is_some() && !last {
            return;
        }
        self.settle_at_end(cx);
        let q = match self.doubt.take() {
            Some(d) if d.lost => Quality::GAP,
            Some(_) => Quality::MIDSTREAM,
            None => Quality::PERFECT,
        };
        while let Some(mut p) = self.pop() {
            p.txn.taint(q);
            cx.give_up(p.txn);
        }
    }

    /// Heap bytes held.
    pub(super) fn held(&self) -> usize {
        let queue = self.pending.capacity().saturating_mul(std::mem::size_of::<Pending>());
        let answers = self.doubt.as_ref().map_or(0, |d| {
            let queue = d.answers.capacity().saturating_mul(std::mem::size_of::<Held>());
            queue.saturating_add(d.bytes).saturating_add(std::mem::size_of::<Doubt>())
        });
        let into = match &self.into {
            Into::Nowhere => 0,
            Into::Command(p) => p.txn.record.as_ref().map_or(0, |r| r.heap()),
            Into::Doubt(h) => h.text.capacity(),
        };
        queue.saturating_add(answers).saturating_add(into).saturating_add(self.held)
    }
}

/// What a server puts around a command that it quotes.
pub(super) fn is_quote(b: u8) -> bool {
    matches!(b, b'\'' | b'"' | b'`')
}

/// Ends a command with its answer.
fn close(cx: &mut Cx<'_>, mut p: Pending, is_error: bool, end: Mark) {
    if is_error && let Some(r) = &mut p.txn.record {
        let text = r.text_of(&f::RES).to_vec();
        r.text(&f::ERR, &text);
    }
    cx.close(p.txn, end);
}

/// A record for a command that begins at `offset` of the bytes given.
pub(super) fn open(cx: &mut Cx<'_>, offset: usize) -> Txn {
    let mut txn = cx.open(Kind::Redis, offset);
    if let Some(r) = txn.record.as_deref_mut() {
        Record::begin_text(r, &f::REQ);
    }
    txn
}
