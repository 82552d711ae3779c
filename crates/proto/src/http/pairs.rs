//! Who answers whom: requests wait in order for their answers.
//!
//! ```text
//!   request head -> `asking` (its body passes) -> `pending` (whole, unanswered) -> `answering` -> closed
//! ```
//!
//! After a loss that may have swallowed whole messages, packet times decide: the answer belongs to
//! the last request that was sent before it, and what was asked before that is reported without
//! an answer. That holds for clients that have one request under way. One that pipelines gets no
//! answers paired until its pipeline has drained.

use crate::body::Collector;
use crate::session::{Cx, Txn};
use base::{Mark, Timestamp};
use record::{Quality, f::http as f};
use std::collections::VecDeque;

/// A request and what the length of its answer depends on.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) txn: Txn,
    /// Its last packet (so far).
    pub(super) asked: Timestamp,
    /// HEAD: the answer has no body.
    pub(super) head_only: bool,
    /// CONNECT.
    pub(super) connect: bool,
    /// Asks for another protocol.
    pub(super) upgrade: bool,
    /// HTTP/0.9: the answer has no head.
    pub(super) bare: bool,
    /// Waits for `100 Continue`.
    pub(super) expects: bool,
    /// The answer ended here, before the request did.
    pub(super) answered: Option<Mark>,
}

impl Exchange {
    fn heap(&self) -> usize {
        self.txn.record.as_ref().map_or(0, |r| r.heap())
    }
}

/// The requests of a flow that are under way.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    pub(super) asking: Option<Exchange>,
    pending: VecDeque<Exchange>,
    /// Heap of the records in `pending`.
    waiting: usize,
    answering: Option<Exchange>,
    /// The answer under way is to `asking`.
    early: bool,
    /// No more answers will come.
    pub(super) deaf: bool,
    /// Two requests were under way at a time.
    pipelines: bool,
    /// Whole messages may have been lost.
    lossy: bool,
    /// Answers were lost: the next one is for the last request before it.
    realign: bool,
    /// It is not known how many answers are due.
    doubt: bool,
    /// When an answer ended last, and whether one did since the last request.
    answer_end: Timestamp,
    answer_since: bool,
    /// When the last answer began that had no request.
    unpaired: Option<Timestamp>,
}

/// The queue keeps room for this many; more is given back when it is empty.
const KEPT: usize = 16;

impl Pairs {
    /// The exchange whose answer is under way.
    pub(super) fn current(&mut self) -> Option<&mut Exchange> {
        if self.early { self.asking.as_mut() } else { self.answering.as_mut() }
    }

    /// The one that the next answer is for.
    pub(super) fn next(&self) -> Option<&Exchange> {
        self.pending.front().or(self.asking.as_ref())
    }

    /// The whole request that was sent last and waits.
    pub(super) fn latest(&self) -> Option<&Exchange> {
        self.pending.back()
    }

    /// A request begins. `quiet`: no answer is under way.
    pub(super) fn open(&mut self, x: Exchange, quiet: bool) {
        let drained =
            quiet && self.answer_since && self.pending.is_empty() && x.txn.began() >= self.answer_end;
        self.doubt &= !drained;
        self.answer_since = false;
        self.asking = Some(x);
    }

    /// The request under way is whole.
    pub(super) fn asked(&mut self, cx: &mut Cx<'_>, body: &mut Collector) {
        let Some(mut x) = self.asking.take() else { return };
        x.txn.num(&f::REQ_BYTES, body.size());
        body.finish(cx.limits, x.txn.record.as_deref_mut(), &f::REQ_BODY);
        if let Some(end) = x.answered {
            cx.close(x.txn, end);
        } else if std::mem::take(&mut self.early) {
            self.answering = Some(x);
        } else if self.deaf {
            cx.give_up(x.txn);
        } else if self.doubt || self.unpaired.is_some_and(|t| t > x.asked) {
            // Its answer has passed already, while the request waited for what was lost.
            x.txn.taint(Quality::GAP);
            cx.give_up(x.txn);
        } else {
            if self.pending.len() >= cx.limits.pipeline
                && let Some(oldest) = self.pop()
            {
                cx.anomaly("pipeline-full");
                cx.give_up(oldest.txn);
            }
            // Two in one packet: nobody who waits for answers sends that.
            self.pipelines |= self.pending.back().is_some_and(|b| b.txn.began() == x.txn.began());
            self.waiting = self.waiting.saturating_add(x.heap());
            self.pending.push_back(x);
        }
    }

    /// An answer begins at `at`: finds its request, see [`Pairs::current`].
    pub(super) fn answer(&mut self, cx: &mut Cx<'_>, at: Mark) {
        if std::mem::take(&mut self.realign) {
            while self.pending.get(1).is_some_and(|x| x.txn.began() <= at.time) {
                self.drop_oldest(cx);
            }
        }
        let fits = |x: &Exchange| !self.lossy || x.txn.began() <= at.time;
        if self.pending.front().is_some_and(fits) {
            self.answering = self.pop();
            self.pipelines |= self.pending.front().is_some_and(|x| x.txn.began() < at.time);
        } else if self.pending.is_empty()
            && self.asking.as_ref().is_some_and(|x| x.answered.is_none() && fits(x))
        {
            self.early = true;
        } else {
            self.unpaired = Some(at.time);
            cx.anomaly("unpaired-response");
        }
    }

    /// The answer under way is whole.
    pub(super) fn answered(&mut self, cx: &mut Cx<'_>, body: &mut Collector, end: Mark) {
        let early = self.early;
        if let Some(x) = self.current() {
            x.txn.num(&f::RSP_BYTES, body.size());
            body.finish(cx.limits, x.txn.record.as_deref_mut(), &f::RSP_BODY);
            if early {
                x.answered = Some(end);
            }
        } else {
            body.finish(cx.limits, None, &f::RSP_BODY);
        }
        self.early = false;
        (self.answer_since, self.answer_end) = (true, end.time);
        if let Some(x) = self.answering.take() {
            cx.close(x.txn, end);
        }
        if self.pending.is_empty() && self.pending.capacity() > KEPT {
            self.pending.shrink_to(KEPT);
        }
    }

    /// Requests may have been lost.
    pub(super) fn lost_requests(&mut self, cx: &mut Cx<'_>) {
        self.lossy = true;
        self.doubt |= self.pipelines;
        if self.realign {
            // Answers were lost, then requests: the next answer is for one of these.
            while !self.pending.is_empty() {
                self.drop_oldest(cx);
            }
        }
    }

    /// Answers may have been lost.
    pub(super) fn lost_answers(&mut self, cx: &mut Cx<'_>) {
        self.lossy = true;
        if self.pipelines {
            self.doubt = true;
            while !self.pending.is_empty() {
                self.drop_oldest(cx);
            }
        } else {
            self.realign = true;
        }
    }

    fn drop_oldest(&mut self, cx: &mut Cx<'_>) {
        if let Some(mut x) = self.pop() {
            x.txn.taint(Quality::GAP);
            cx.give_up(x.txn);
        }
    }

    /// No more answers: what waits has none.
    pub(super) fn give_up(&mut self, cx: &mut Cx<'_>) {
        self.deaf = true;
        while let Some(x) = self.pop() {
            cx.give_up(x.txn);
        }
    }

    fn pop(&mut self) -> Option<Exchange> {
        let x = self.pending.pop_front()?;
        self.waiting = self.waiting.saturating_sub(x.heap());
        Some(x)
    }

    /// Heap bytes held; asked for often, so nothing is summed up here.
    pub(super) fn held(&self) -> usize {
        let queue = self.pending.capacity().saturating_mul(size_of::<Exchange>());
        let open = self.asking.iter().chain(&self.answering).map(Exchange::heap);
        open.fold(queue.saturating_add(self.waiting), usize::saturating_add)
    }
}
