//! State of one connection: requests in wait for their answers, which name the request they answer.
//!
//! After a loss of answers a request that was sent before it and is older than one that is answered
//! behind it has lost its answer: servers work one request of a connection after the other.

use super::answer::Answer;
use super::ask::Ask;
use super::half::{Event, Half};
use super::wire::{EXHAUST, Op};
use crate::session::{Cx, Parser, Progress, Transport, Txn};
use base::{Direction, Mark};
use record::{Kind, Quality};
use std::collections::VecDeque;

/// A request in wait for its answer.
#[derive(Debug)]
struct Open {
    /// By which its answer is known: of the request, or of the answer before.
    id: u32,
    txn: Txn,
    is_command: bool,
    /// Answers after the first are of no interest.
    is_hello: bool,
    is_login: bool,
    /// An OP_QUERY whose answers are pushed.
    exhaust: bool,
    /// Documents of the answers so far.
    rows: u64,
    /// Its answer may have been lost.
    doubt: bool,
    /// Heap bytes counted for it.
    held: usize,
}

/// An answer whose request is not whole yet, or was not seen.
#[derive(Debug)]
struct Early {
    to: u32,
    id: u32,
    answer: Answer,
    first: Mark,
    last: Mark,
    holed: bool,
}

/// State of one connection.
#[derive(Debug)]
pub struct Session {
    client: Half<Ask>,
    server: Half<Answer>,
    /// The request under way.
    asking: Option<Txn>,
    /// In order of asking; [`crate::Limits::pipeline`] at most.
    open: VecDeque<Open>,
    /// Heap bytes of those.
    held: usize,
    early: Option<Box<Early>>,
    /// What is pushed to a greeting comes with this id.
    pushed: Option<u32>,
    /// Of the login.
    user: Vec<u8>,
}

/// The queue keeps room for this many; more is given back when it is empty.
const KEPT: usize = 16;

impl Session {
    /// A new one.
    #[must_use]
    pub fn new(_transport: Transport) -> Session {
        Session {
            client: Half::new(),
            server: Half::new(),
            asking: None,
            open: VecDeque::new(),
            held: 0,
            early: None,
            pushed: None,
            user: Vec::new(),
        }
    }

    fn asks(&mut self, cx: &mut Cx<'_>) {
        let txn = cx.open(Kind::Mongo, 0);
        let cap = if txn.record.is_some() { cx.limits.text } else { 0 };
        self.client.sink.begin(cap);
        self.asking = Some(txn);
    }

    /// A request is whole, or no more of it will come.
    fn asked(&mut self, cx: &mut Cx<'_>) {
        let Some(mut txn) = self.asking.take() else { return };
        let half = &mut self.client;
        let ask = &mut half.sink;
        if ask.command.is_empty() {
            // It cannot be told what it was.
            cx.forget(txn);
            return;
        }
        txn.asked(half.last);
        if half.holed {
            txn.taint(Quality::GAP);
        }
        if let Some(user) = ask.user.take() {
            self.user = user;
        }
        ask.tell(&mut txn, &self.user);
        if ask.one_way || self.server.ended {
            cx.give_up(txn);
            return;
        }
        let open = Open {
            id: half.header.id,
            held: txn.record.as_ref().map_or(0, |r| r.heap()),
            is_command: ask.is_command,
            is_hello: ask.is_hello(),
            is_login: ask.is_login(),
            exhaust: half.header.op == Op::Query && ask.flags & EXHAUST != 0,
            rows: 0,
            doubt: false,
            txn,
        };
        if let Some(early) = self.early.take_if(|e| e.to == open.id && e.first.time >= open.txn.began()) {
            self.close(cx, open, *early);
            return;
        }
        while self.open.len() >= cx.limits.pipeline.max(1) {
            cx.anomaly("mongodb-pipeline");
            self.give_up_oldest(cx);
        }
        self.held = self.held.saturating_add(open.held);
        self.open.push_back(open);
    }

    fn answers(&mut self, cx: &mut Cx<'_>) {
        self.server.sink.begin(cx.limits.text);
        let (to, first) = (self.server.header.to, self.server.first);
        if let Some(open) = self.open.iter_mut().find(|o| o.id == to) {
            open.txn.answering(first);
        }
    }

    /// An answer is whole, or no more of it will come.
    fn answered(&mut self, cx: &mut Cx<'_>) {
        let half = &mut self.server;
        let mut answer = std::mem::take(&mut half.sink);
        answer.cut |= half.cut;
        let e = Early {
            to: half.header.to,
            id: half.header.id,
            answer,
            first: half.first,
            last: half.last,
            holed: half.holed,
        };
        if let Some(at) = self.open.iter().position(|o| o.id == e.to) {
            // What was asked before it and may have lost its answer has.
            let doubtful = self.open.iter().take(at).filter(|o| o.doubt).count();
            if let Some(open) = self.open.remove(at) {
                self.held = self.held.saturating_sub(open.held);
                self.close(cx, open, e);
            }
            if doubtful > 0 {
                self.give_up_doubtful(cx, at);
            }
            if self.open.is_empty() && self.open.capacity() > KEPT {
                self.open.shrink_to(KEPT);
            }
        } else if self.pushed == Some(e.to) {
            self.pushed = e.answer.more(false).then_some(e.id);
        } else if self.early.replace(Box::new(e)).is_some() {
            cx.anomaly("mongodb-unasked");
        }
    }

    /// An answer to `open`: ends it, unless more are to come.
    fn close(&mut self, cx: &mut Cx<'_>, mut open: Open, e: Early) {
        open.txn.answering(e.first);
        if e.holed {
            open.txn.taint(Quality::GAP);
        }
        let more = e.answer.more(open.exhaust);
        if more && open.is_hello {
            self.pushed = Some(e.id);
        } else if more && !e.answer.failed() {
            open.rows = open.rows.saturating_add(e.answer.rows(open.is_command).unwrap_or(0));
            open.id = e.id;
            self.held = self.held.saturating_add(open.held);
            self.open.push_front(open);
            return;
        }
        if open.is_login && e.answer.failed() {
            self.user.clear();
        }
        e.answer.tell(&mut open.txn, open.is_command, open.rows);
        cx.close(open.txn, e.last);
    }

    fn give_up_oldest(&mut self, cx: &mut Cx<'_>) {
        if let Some(mut open) = self.open.pop_front() {
            self.held = self.held.saturating_sub(open.held);
            if open.doubt {
                open.txn.taint(Quality::GAP);
            }
            cx.give_up(open.txn);
        }
    }

    /// Of the first `n` requests, those that may have lost their answers.
    fn give_up_doubtful(&mut self, cx: &mut Cx<'_>, n: usize) {
        let younger = self.open.split_off(n.min(self.open.len()));
        let older = std::mem::replace(&mut self.open, younger);
        let (lost, kept): (VecDeque<_>, VecDeque<_>) = older.into_iter().partition(|o| o.doubt);
        for open in kept.into_iter().rev() {
            self.open.push_front(open);
        }
        for mut open in lost {
            self.held = self.held.saturating_sub(open.held);
            open.txn.taint(Quality::GAP);
            cx.give_up(open.txn);
        }
    }

    /// No more answers.
    fn give_up_all(&mut self, cx: &mut Cx<'_>) {
        while !self.open.is_empty() {
            self.give_up_oldest(cx);
        }
        if self.early.take().is_some() {
            cx.anomaly("mongodb-unasked");
        }
    }
}

impl Parser for Session {
    fn data(&mut self, cx: &mut Cx<'_>, dir: Direction, bytes: &[u8]) -> Progress {
        let known = self.client.proven || self.server.proven;
        match dir {
            Direction::ToServer => {
                let (progress, event) = self.client.data(cx, dir, bytes, known);
                match event {
                    Event::None => {}
                    Event::Begins => self.asks(cx),
                    Event::Whole => self.asked(cx),
                }
                progress
            }
            Direction::ToClient => {
                let (progress, event) = self.server.data(cx, dir, bytes, known);
                match event {
                    Event::None => {}
                    Event::Begins => self.answers(cx),
                    Event::Whole => self.answered(cx),
                }
                progress
            }
        }
    }

    fn gap(&mut self, cx: &mut Cx<'_>, dir: Direction, n: u64) {
        match dir {
            Direction::ToServer => {
                if self.client.gap(cx, n) {
                    self.asked(cx);
                }
            }
            Direction::ToClient => {
                if self.server.gap(cx, n) {
                    self.answered(cx);
                }
                if self.server.is_lost() {
                    self.open.iter_mut().for_each(|o| o.doubt = true);
                    self.pushed = None;
                }
            }
        }
    }

    fn end(&mut self, cx: &mut Cx<'_>, dir: Direction) {
        match dir {
            Direction::ToServer => {
                self.client.ended = true;
                if self.client.is_under_way() {
                    self.asked(cx);
                }
            }
            Direction::ToClient => {
                if self.server.is_under_way() {
                    self.server.cut = true;
                    self.answered(cx);
                }
                self.server.ended = true;
                self.give_up_all(cx);
            }
        }
    }

    fn held(&self) -> usize {
        let queue = self.open.capacity().saturating_mul(size_of::<Open>());
        [
            self.held,
            self.client.sink.held(),
            self.client.held(),
            self.server.sink.held(),
            self.server.held(),
            self.early.as_ref().map_or(0, |e| e.answer.held().saturating_add(size_of::<Early>())),
            self.user.len(),
        ]
        .iter()
        .fold(queue, |sum, n| sum.saturating_add(*n))
    }
}
