//! While it is not known how many answers are due: what is collected, and when that ends.

use super::{Into, Pairs, Pending, close, is_quote};
use crate::redis::command::Secret;
use crate::session::Cx;
use base::{MILLI, Mark, SECOND, Timestamp};
use record::{Quality, f::redis as f};
use std::collections::VecDeque;

/// An answer in wait for its command.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) text: Vec<u8>,
    pub(super) is_error: bool,
    pub(super) first: Mark,
    pub(super) end: Mark,
}

/// What is collected while it is not known how many answers are due.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    pub(super) answers: VecDeque<Held>,
    /// Answers since the last loss of answers, dropped ones too.
    pub(super) count: usize,
    pub(super) bytes: usize,
    /// Commands at the head of the queue whose answers are certain all the same.
    pub(super) certain: usize,
    /// Answers were lost: fewer may have come than commands.
    pub(super) lost_answers: bool,
    pub(super) lost: bool,
    /// The next command may stand right behind lost ones: it proves no silence.
    pub(super) behind_gap: bool,
    /// Commands since it began, by the answers that they are due.
    pub(super) asked: u64,
    /// Answers that were due, and came, at the last such moment.
    pub(super) base: (u64, usize),
    /// Moments that look as if nothing were under way, and how many are wanted.
    pub(super) rounds: u8,
    pub(super) wanted: u8,
}

/// Commands that are kept in doubt: more are not in wait for one moment.
pub(super) const DOUBTED: usize = 256;
/// Bytes of answers that are kept in doubt.
pub(super) const DOUBTED_BYTES: usize = 64 * 1024;
/// Rounds that must look alike when nothing is known of a client: one that always has some
/// commands under way looks for a while like one that waits for each answer.
pub(super) const ROUNDS: u8 = 8;
/// Rounds for one that never had: they cost no record, only its being told at once.
const ROUNDS_KNOWN: u8 = 3;
/// Answers after which it is known that a client asks singly, or in batches.
const KNOWN: [u32; 2] = [16, 256];
/// Commands that were sent singly, in a row, after which a client is taken for one that does so.
const ALONE: u32 = 64;
/// A silence that ends all doubt lies between these (nanoseconds).
const SILENCE: (u64, u64) = (20 * MILLI, SECOND);

impl Pairs {
    /// A command begins at `at`. `whole`: the server is not in the middle of an answer. True when
    /// it was not known what is under way, and it looks as if nothing were.
    pub(in super::super) fn begins(&mut self, cx: &mut Cx<'_>, at: Mark, whole: bool) -> bool {
        let answered = self.heard.0 > 0 && self.heard >= self.asked && at.time >= self.heard;
        let Some(d) = &mut self.doubt else {
            if self.pending.is_empty() {
                self.alone = self.alone.saturating_add(1);
                // That was a large batch, long ago.
                self.slides &= self.alone < ALONE;
            } else {
                self.alone = 0;
                self.slides |= answered;
            }
            return false;
        };
        let behind_gap = std::mem::take(&mut d.behind_gap);
        if !answered || behind_gap {
            return false;
        }
        let all = d.certain == 0 && self.owed == 0 && (d.lost_answers || d.count >= self.pending.len());
        if !all || !whole {
            self.slides = true;
            d.rounds = 0;
            return false;
        }
        if d.wanted < ROUNDS && !self.pipelines && !is_single(&self.pending, d) {
            // It was not known to do that: what was known says little.
            d.wanted = ROUNDS;
        }
        let (least, most) = SILENCE;
        let silence =
            if self.slowest == 0 { most } else { self.slowest.saturating_mul(4).clamp(least, most) };
        // From one to the next as many answers came as were due.
        let (asked, count) = std::mem::replace(&mut d.base, (d.asked, d.count));
        let is_even = d.asked.saturating_sub(asked) == d.count.saturating_sub(count) as u64;
        d.rounds = if is_even { d.rounds.saturating_add(1) } else { 1 };
        let settled = at.time.since(self.heard) >= silence || (!self.slides && d.rounds >= d.wanted);
        if settled {
            self.settle(cx);
        }
        true
    }

    /// Has it always waited for the answers to one packet before it sent the next?
    fn is_known_single(&self) -> bool {
        let [singly, _] = KNOWN;
        !self.pipelines && self.paired >= singly
    }

    /// Nothing is under way: the last answer is the last command's.
    pub(super) fn settle(&mut self, cx: &mut Cx<'_>) {
        let Some(d) = self.doubt.take() else { return };
        let mut d = *d;
        let single = self.is_known_single();
        let mut from = self.pending.len();
        let mut due = 0usize;
        let mut next = Timestamp(u64::MAX);
        for p in self.pending.iter().rev() {
            let last = d.answers.len().checked_sub(due.saturating_add(1)).and_then(|at| d.answers.get(at));
            due = due.saturating_add(p.due as usize);
            let first = d.answers.len().checked_sub(due).and_then(|at| d.answers.get(at));
            let began = p.txn.began();
            let fits = first.is_some_and(|a| a.first.time >= p.asked)
                && (!single || began == next || last.is_some_and(|a| a.end.time <= next));
            if !fits {
                break;
            }
            self.pipelines |= began != next && last.is_some_and(|a| a.end.time > next);
            next = began;
            from = from.saturating_sub(1);
        }
        let matched: usize =
            self.pending.iter().skip(from).fold(0usize, |n, p| n.saturating_add(p.due as usize));
        let skipped = d.answers.len().saturating_sub(matched);
        d.answers.drain(..skipped);
        let q = if d.lost { Quality::GAP } else { Quality::MIDSTREAM };
        for _ in 0..from {
            if let Some(mut p) = self.pop() {
                p.txn.taint(q);
                cx.give_up(p.txn);
            }
        }
        while let Some(p) = self.pop() {
            tell(cx, p, &mut d.answers);
        }
    }

    /// Of a client that asks singly, what was collected fits by time alone: an answer belongs to
    /// the command before it, if it is the only one before the next command.
    fn match_by_time(&mut self, cx: &mut Cx<'_>) {
        if !self.is_known_single() || self.slides || self.doubt.as_ref().is_none_or(|d| d.certain > 0) {
            return;
        }
        let mut answers = self.doubt.as_mut().map(|d| std::mem::take(&mut d.answers)).unwrap_or_default();
        let begin = self.pending.front().map(|p| p.asked);
        while answers.front().is_some_and(|a| begin.is_none_or(|t| a.first.time < t)) {
            answers.pop_front();
        }
        // All must look so; a few that do prove nothing.
        let behind = self.pending.iter().skip(1);
        let fits = self.pending.iter().zip(behind).zip(&answers).take_while(|((p, next), a)| {
            let next = next.txn.began();
            p.due == 1 && p.asked <= a.first.time && a.end.time <= next && p.txn.began() != next
        });
        let fits = fits.count();
        if fits < usize::from(ROUNDS_KNOWN) || answers.len() > fits.saturating_add(1) {
            return;
        }
        for _ in 0..fits {
            let Some(p) = self.pop() else { break };
            tell(cx, p, &mut answers);
        }
    }

    pub(super) fn begin_doubt(&mut self, lost: bool) -> &mut Doubt {
        let certain = self.pending.len();
        let [singly, batches] = KNOWN;
        let known = if self.pipelines { batches } else { singly };
        let wanted = if self.paired < known { ROUNDS } else { ROUNDS_KNOWN };
        let d = self.doubt.get_or_insert_with(|| Box::new(Doubt { wanted, certain, ..Doubt::default() }));
        d.lost |= lost;
        d.rounds = 0;
        d
    }

    /// Commands may have been lost: those before are answered in order, but nobody knows how
    /// many answers come before the answers to those behind.
    pub(in super::super) fn lost_commands(&mut self, cx: &mut Cx<'_>) {
        let d = self.begin_doubt(true);
        d.behind_gap = true;
        let certain = d.certain;
        // Between two losses: there is no end to count from.
        while self.pending.len() > certain {
            let Some(mut p) = self.pending.pop_back() else { break };
            self.held = self.held.saturating_sub(p.heap);
            p.txn.taint(Quality::GAP);
            cx.give_up(p.txn);
        }
    }

    /// Answers may have been lost.
    pub(in super::super) fn lost_answers(&mut self, cx: &mut Cx<'_>) {
        if !matches!(self.into, Into::Nowhere) {
            self.taint(Quality::GAP);
            let at = cx.now;
            // What came of it is told.
            if let Into::Command(p) = &mut self.into {
                p.due = 1;
            }
            self.answered(cx, false, at);
        }
        self.match_by_time(cx);
        // Commands may have been lost behind those that were certain: there is no end to count from.
        for _ in 0..self.doubt.as_ref().map_or(0, |d| d.certain) {
            let Some(mut p) = self.pop() else { break };
            p.txn.taint(Quality::GAP);
            cx.give_up(p.txn);
        }
        let d = self.begin_doubt(true);
        (d.certain, d.lost_answers, d.count, d.bytes) = (0, true, 0, 0);
        d.answers.clear();
        self.owed = 0;
    }
}

/// Counted from the end, was each of these commands answered before the next packet with commands?
fn is_single(pending: &VecDeque<Pending>, d: &Doubt) -> bool {
    let mut next = Timestamp(u64::MAX);
    pending.iter().rev().zip(d.answers.iter().rev()).all(|(p, a)| {
        let began = p.txn.began();
        let fits = p.asked <= a.first.time && (began == next || a.end.time <= next);
        next = began;
        fits
    })
}

/// Gives a command its answers, the first of these.
fn tell(cx: &mut Cx<'_>, mut p: Pending, answers: &mut VecDeque<Held>) {
    let (mut is_error, mut end) = (false, None);
    for n in 0..p.due {
        let Some(a) = answers.pop_front() else { break };
        p.txn.answering(a.first);
        (is_error, end) = (a.is_error, Some(a.end));
        let Some(r) = &mut p.txn.record else { continue };
        if n == 0 {
            r.begin_text(&f::RES);
        } else {
            r.append(b" ");
        }
        let quote = a.text.iter().position(|b| is_quote(*b));
        match (p.secret, quote) {
            (Secret::None, _) | (Secret::Quoted, None) => r.append(&a.text),
            (Secret::Quoted, Some(at)) => {
                r.append(a.text.get(..at).unwrap_or_default());
                r.append(b"***");
            }
            (Secret::Config | Secret::Whole, _) => r.append(b"***"),
        }
    }
    match end {
        Some(end) => close(cx, p, is_error, end),
        None => cx.give_up(p.txn),
    }
}
