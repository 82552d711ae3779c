//! While it is not known how many answers are due: what is collected, and when that ends.

mod spans;

use super::{Into, Pairs, Pending, close, is_quote};
use crate::redis::command::{Secret, Verb};
use crate::session::Cx;
use base::{MILLI, Mark, SECOND, Timestamp};
use record::{Quality, f::redis as f};
use spans::Spans;
use std::collections::VecDeque;

/// An answer in wait for its command.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) text: Vec<u8>,
    pub(super) is_error: bool,
    pub(super) first: Mark,
    pub(super) end: Mark,
    /// Answers were lost right before it.
    pub(super) behind_gap: bool,
}

/// A moment at which it looks as if nothing were under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// So many answers had come.
    came: usize,
    /// As many as were due since the moment before.
    is_even: bool,
    /// The commands, the answers that came last before it were lost.
    pub(super) torn: [bool; 2],
}

/// What is collected while it is not known how many answers are due.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    pub(super) answers: VecDeque<Held>,
    /// Answers since it began, dropped ones too.
    pub(super) count: usize,
    pub(super) bytes: usize,
    /// Commands at the head of the queue whose answers are certain all the same.
    pub(super) certain: usize,
    /// Answers were lost: fewer may have come than commands.
    lost_answers: bool,
    pub(super) lost: bool,
    /// The next command may stand right behind lost ones: it proves no silence.
    behind_gap: bool,
    /// Commands, answers were lost right before the next.
    pub(super) lost_before: bool,
    pub(super) lost_answer_before: bool,
    /// Commands since it began, by the answers that they are due.
    pub(super) asked: usize,
    /// Answers that were due, and came, at the last such moment; since then commands were lost, answers were.
    base: (usize, usize),
    broken: [bool; 2],
    /// The next command begins at such a moment.
    pub(super) moment: Option<Moment>,
    /// Moments that look as if nothing were under way, and how many are wanted.
    rounds: u8,
    wanted: u8,
}

impl Doubt {
    pub(super) fn wanting(wanted: u8) -> Doubt {
        Doubt { wanted, ..Doubt::default() }
    }

    /// A command did not begin at such a moment after all; a loss before it was not the end of anything.
    fn forget_moment(&mut self, p: &mut Pending) {
        let Some(Moment { came, torn: [command, answer], .. }) = p.moment.take() else { return };
        p.behind_gap |= command;
        if !answer {
            return;
        }
        match came.checked_sub(self.count.saturating_sub(self.answers.len())) {
            Some(at) if at >= self.answers.len() => self.lost_answer_before = true,
            Some(at) => {
                if let Some(a) = self.answers.get_mut(at) {
                    a.behind_gap = true;
                }
            }
            // It was dropped.
            None => {}
        }
    }
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
        let asked = d.asked.saturating_sub(d.base.0);
        let came = d.count.saturating_sub(d.base.1);
        let [lost_commands, lost_answers] = d.broken;
        let (least, most) = SILENCE;
        let silence =
            if self.slowest == 0 { most } else { self.slowest.saturating_mul(4).clamp(least, most) };
        let is_silent = at.time.since(self.heard) >= silence;
        // What was not answered before the loss of an answer may never be.
        let all = lost_answers || came >= asked || d.lost_answers && is_silent;
        if !all || !whole || d.certain > 0 || self.owed > 0 {
            self.slides = true;
            d.base = (d.asked, d.count);
            if std::mem::take(&mut d.rounds) > 0 {
                self.forget_moments();
            }
            return false;
        }
        if d.wanted < ROUNDS && !self.pipelines && !is_single(&self.pending, d) {
            // It was not known to do that: what was known says little.
            d.wanted = ROUNDS;
        }
        let is_broken = lost_commands || lost_answers;
        // From one to the next as many answers came as were due. Where some were lost that is not known.
        let is_even = !is_broken && asked == came;
        if !is_broken {
            d.rounds = if is_even { d.rounds.saturating_add(1) } else { 1 };
        }
        d.rounds = d.rounds.max(1);
        (d.base, d.broken) = ((d.asked, d.count), [false; 2]);
        let is_known = !self.slides && d.rounds >= d.wanted;
        if !is_broken && !is_even {
            self.forget_moments();
        }
        if is_known || is_silent {
            self.settle(cx, is_known || self.is_trusted(), true, is_even);
        } else if !self.slides
            && let Some(d) = &mut self.doubt
        {
            let torn = [std::mem::take(&mut d.lost_before), std::mem::take(&mut d.lost_answer_before)];
            d.moment = Some(Moment { came: d.count, is_even, torn });
        }
        true
    }

    /// Has it always waited for the answers to one packet before it sent the next?
    fn is_known_single(&self) -> bool {
        let [singly, _] = KNOWN;
        !self.pipelines && self.paired >= singly
    }

    /// Do the moments so far say enough, when one comes at which surely nothing is under way?
    fn is_trusted(&self) -> bool {
        !self.slides && self.doubt.as_ref().is_some_and(|d| d.rounds >= ROUNDS_KNOWN)
    }

    /// Something was under way at one of these moments.
    fn forget_moments(&mut self) {
        let Some(d) = &mut self.doubt else { return };
        for p in self.pending.iter_mut().filter(|p| p.moment.is_some()) {
            d.forget_moment(p);
        }
        if let Some(Moment { torn: [command, answer], .. }) = d.moment.take() {
            d.lost_before |= command;
            d.lost_answer_before |= answer;
        }
    }

    /// A moment is believed if from it to the next, or from the one before, as many answers came as were due: the loss
    /// between two may hide what was under way.
    fn forget_unlinked(&mut self, mut next: bool) {
        let Some(d) = &mut self.doubt else { return };
        for p in self.pending.iter_mut().rev() {
            if let Some(Moment { is_even, .. }) = p.moment {
                if !next && !is_even {
                    d.forget_moment(p);
                }
                next = is_even;
            }
        }
    }

    /// Only what came behind all losses can be counted from the end.
    fn forget_broken(&mut self, cx: &mut Cx<'_>) {
        self.forget_moments();
        let mut lost = self.pending.iter().rposition(|p| p.behind_gap).unwrap_or(0);
        if self.doubt.as_ref().is_some_and(|d| d.lost_before) {
            lost = self.pending.len();
        }
        for _ in 0..lost {
            let Some(mut p) = self.pop() else { break };
            p.txn.taint(Quality::GAP);
            cx.give_up(p.txn);
        }
        if let Some(d) = &mut self.doubt {
            let lost = d.answers.iter().rposition(|a| a.behind_gap).unwrap_or(0);
            let lost = if d.lost_answer_before { d.answers.len() } else { lost };
            d.answers.drain(..lost);
        }
    }

    /// Nothing is under way: the last answer is the last command's, or, if that is not `sure`, all that can be is known
    /// from the beginning. `trusted`: nor was anything under way at the moments that looked so. `is_even`: as many
    /// answers came as were due since the last of these.
    fn settle(&mut self, cx: &mut Cx<'_>, trusted: bool, sure: bool, is_even: bool) {
        if trusted {
            self.forget_unlinked(is_even);
        } else {
            self.forget_broken(cx);
        }
        let Some(d) = self.doubt.take() else { return };
        let Doubt { answers, count, lost, .. } = *d;
        let mut answers: Vec<Option<Held>> = answers.into_iter().map(Some).collect();
        let (owners, pipelines) =
            Spans::of(self.is_known_single(), &self.pending, &answers, count).owners(sure);
        self.pipelines |= pipelines;
        let q = if lost { Quality::GAP } else { Quality::MIDSTREAM };
        for owner in owners {
            let Some(mut p) = self.pop() else { return };
            match owner {
                Some(first) => {
                    let due = usize::try_from(p.due).unwrap_or(usize::MAX);
                    let own = answers.iter_mut().skip(first).take(due).filter_map(Option::take);
                    let own: Vec<Held> = own.collect();
                    if own.iter().all(|a| may_answer(p.verb, a)) {
                        tell(cx, p, own);
                    } else {
                        p.txn.taint(q);
                        cx.give_up(p.txn);
                    }
                }
                None => {
                    p.txn.taint(q);
                    cx.give_up(p.txn);
                }
            }
        }
    }

    /// Both sides have ended: if all that was asked was answered, nothing is under way.
    pub(super) fn settle_at_end(&mut self, cx: &mut Cx<'_>) {
        if self.slides || self.doubt.as_ref().is_none_or(|d| d.certain > 0) {
            return;
        }
        let trusted = self.is_trusted();
        if !trusted {
            self.forget_broken(cx);
        }
        let from = self.pending.iter().rposition(|p| p.behind_gap || p.moment.is_some()).unwrap_or(0);
        let begun = self.pending.get(from).map(|p| p.asked);
        let sure = self.doubt.as_ref().is_some_and(|d| {
            let due = self.pending.iter().skip(from).fold(0u64, |n, p| n.saturating_add(p.due));
            let late = d.answers.iter().filter(|a| begun.is_some_and(|t| a.first.time >= t)).count() as u64;
            let [_, lost_answers] = d.broken;
            let lost_answers = lost_answers || d.lost_answers && !trusted;
            let all = if lost_answers { !self.pipelines && late <= due } else { late == due };
            all && !d.lost_before && !d.lost_answer_before
        });
        let is_even = sure && self.doubt.as_ref().is_some_and(|d| d.broken == [false; 2]);
        if trusted || sure {
            self.settle(cx, trusted, sure, is_even);
        }
    }

    pub(super) fn begin_doubt(&mut self, lost: bool) -> &mut Doubt {
        let certain = self.pending.len();
        let [singly, batches] = KNOWN;
        let known = if self.pipelines { batches } else { singly };
        let wanted = if self.paired < known { ROUNDS } else { ROUNDS_KNOWN };
        let d = self.doubt.get_or_insert_with(|| Box::new(Doubt { certain, ..Doubt::wanting(wanted) }));
        d.lost |= lost;
        d
    }

    /// Commands may have been lost: those before are answered in order, but nobody knows how
    /// many answers come before the answers to those behind.
    pub(in super::super) fn lost_commands(&mut self) {
        let d = self.begin_doubt(true);
        (d.behind_gap, d.lost_before, d.moment) = (true, true, None);
        let [lost_commands, _] = &mut d.broken;
        *lost_commands = true;
    }

    /// Answers may have been lost.
    pub(in super::super) fn lost_answers(&mut self, cx: &mut Cx<'_>) {
        match &mut self.into {
            Into::Nowhere => {}
            // What came of it is told.
            Into::Command(p) => {
                p.txn.taint(Quality::GAP);
                p.due = 1;
                let at = cx.now;
                self.answered(cx, false, at);
            }
            Into::Doubt(_) => self.into = Into::Nowhere,
        }
        // Commands may have been lost behind those that were certain: there is no end to count from.
        for _ in 0..self.doubt.as_ref().map_or(0, |d| d.certain) {
            let Some(mut p) = self.pop() else { break };
            p.txn.taint(Quality::GAP);
            cx.give_up(p.txn);
        }
        // They came, though unseen, before what is known of it: the next command may bring that.
        let before = Timestamp(cx.now.time.0.saturating_sub(1));
        self.heard = self.heard.max(before).max(self.asked);
        let d = self.begin_doubt(true);
        (d.certain, d.lost_answers, d.lost_answer_before) = (0, true, true);
        let [_, lost_answers] = &mut d.broken;
        *lost_answers = true;
        self.owed = 0;
    }
}

/// Counted from the end, was each of these commands answered before the next packet with commands?
fn is_single(pending: &VecDeque<Pending>, d: &Doubt) -> bool {
    let mut next = Timestamp(u64::MAX);
    let end = pending.iter().rposition(|p| p.moment.is_some() || p.behind_gap).unwrap_or(0);
    pending.iter().skip(end).rev().zip(d.answers.iter().rev()).all(|(p, a)| {
        let began = p.txn.began();
        let fits = p.asked <= a.first.time && (began == next || a.end.time <= next);
        next = began;
        fits
    })
}

/// Subscriptions are answered with their own name; nothing else is, or hardly ever.
fn may_answer(verb: Verb, a: &Held) -> bool {
    let word = a.text.strip_prefix(b"[").and_then(|t| t.split(|b| *b == b',').next()).unwrap_or_default();
    let said = Verb::of(word);
    let is_topic = |v: Verb| matches!(v, Verb::Subscribe(_) | Verb::Unsubscribe(_));
    said == verb || a.is_error || !is_topic(said) && !is_topic(verb)
}

/// Gives a command its answers.
fn tell(cx: &mut Cx<'_>, mut p: Pending, answers: Vec<Held>) {
    let (mut is_error, mut end) = (false, None);
    for (n, a) in answers.into_iter().enumerate() {
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
