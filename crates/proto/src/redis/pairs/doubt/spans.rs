//! Which answers are whose, when it is known that nothing is under way, now and at some moments before.
//!
//! Between two such moments lies a span of commands and of answers. Where nothing of it was lost they stand in the
//! same order; where something was, those before the loss are counted from its beginning and those behind it
//! from its end. Of the first span only the end is known.

use super::super::Pending;
use super::Held;
use base::Timestamp;
use std::collections::VecDeque;
use std::ops::Range;

/// One span.
struct Span {
    commands: Range<usize>,
    answers: Range<usize>,
    /// At its beginning nothing was under way; its end was seen.
    is_open: bool,
    is_closed: bool,
    /// When the next span begins.
    next: Timestamp,
}

/// All that was collected.
pub(super) struct Spans<'a> {
    commands: Vec<&'a Pending>,
    answers: &'a [Option<Held>],
    spans: Vec<Span>,
    /// This client always waits for the answers to one packet.
    single: bool,
    /// Of each command the first of its answers.
    owners: Vec<Option<usize>>,
    pipelines: bool,
}

impl<'a> Spans<'a> {
    /// `count`: the answers that came so far, those that were dropped from the front of the queue included.
    pub(super) fn of(
        single: bool,
        commands: &'a VecDeque<Pending>,
        answers: &'a [Option<Held>],
        count: usize,
    ) -> Spans<'a> {
        let commands: Vec<&Pending> = commands.iter().collect();
        let dropped = count.saturating_sub(answers.len());
        let mut spans = Vec::new();
        let (mut command, mut answer, mut is_open) = (0usize, 0usize, false);
        for (i, p) in commands.iter().enumerate() {
            let Some(moment) = p.moment else { continue };
            let at = moment.came.checked_sub(dropped);
            let end = at.unwrap_or(0).clamp(answer, answers.len());
            let is_closed = moment.torn == [false; 2];
            let (commands, answers) = (command..i, answer..end);
            spans.push(Span { commands, answers, is_open, is_closed, next: p.txn.began() });
            (command, answer, is_open) = (i, end, at.is_some());
        }
        let (last, rest) = (command..commands.len(), answer..answers.len());
        let next = Timestamp(u64::MAX);
        spans.push(Span { commands: last, answers: rest, is_open, is_closed: true, next });
        let owners = vec![None; commands.len()];
        Spans { commands, answers, spans, single, owners, pipelines: false }
    }

    /// Of each command the first of its answers, and whether this client does not wait for the answers to one packet.
    /// `sure`: the last answer is the last command's.
    pub(super) fn owners(mut self, sure: bool) -> (Vec<Option<usize>>, bool) {
        let mut spans = std::mem::take(&mut self.spans).into_iter().peekable();
        while let Some(span) = spans.next() {
            let is_last = spans.peek().is_none();
            self.span(&span, span.is_closed && (sure || !is_last));
        }
        (self.owners, self.pipelines)
    }

    fn due(&self, command: usize) -> usize {
        self.commands.get(command).map_or(1, |p| usize::try_from(p.due).unwrap_or(usize::MAX))
    }

    fn answer(&self, at: usize) -> Option<&Held> {
        self.answers.get(at)?.as_ref()
    }

    fn span(&mut self, s: &Span, is_closed: bool) {
        let lost_commands =
            self.commands.get(s.commands.clone()).unwrap_or_default().iter().any(|p| p.behind_gap);
        let lost_answers = s.answers.clone().any(|at| self.answer(at).is_some_and(|a| a.behind_gap));
        let due = s.commands.clone().fold(0usize, |n, c| n.saturating_add(self.due(c)));
        // More answers than commands, and none of these was lost: something was under way after all.
        if s.is_open && !lost_commands && s.answers.len() > due {
            return;
        }
        if is_closed && (lost_commands || lost_answers || !s.is_open) {
            self.tail(s);
        }
        if s.is_open {
            self.head(s);
        }
    }

    /// From the beginning up to the first loss, or to what was counted from the end.
    fn head(&mut self, s: &Span) {
        let mut at = s.answers.start;
        let taken = s.commands.clone().find_map(|c| self.owners.get(c).copied().flatten());
        let end = taken.unwrap_or(s.answers.end);
        for c in s.commands.clone() {
            let Some(p) = self.commands.get(c) else { return };
            let behind = at.saturating_add(self.due(c));
            let is_lost = |at: usize| self.answer(at).is_none_or(|a| a.behind_gap);
            let free = self.owners.get(c).is_some_and(Option::is_none);
            if p.behind_gap || !free || behind > end || (at..behind).any(is_lost) {
                return;
            }
            if self.answer(at).is_none_or(|a| a.first.time < p.asked) {
                return;
            }
            if let Some(owner) = self.owners.get_mut(c) {
                *owner = Some(at);
            }
            at = behind;
        }
    }

    /// From the end back to the last loss.
    fn tail(&mut self, s: &Span) {
        let (mut at, mut next) = (s.answers.end, s.next);
        for c in s.commands.clone().rev() {
            let Some(p) = self.commands.get(c) else { return };
            let Some(first) = at.checked_sub(self.due(c)).filter(|first| *first >= s.answers.start) else {
                return;
            };
            let began = p.txn.began();
            let last_end = self.answer(at.saturating_sub(1)).map(|a| a.end.time);
            let is_before = last_end.is_some_and(|end| end <= next);
            let fits = self.answer(first).is_some_and(|a| a.first.time >= p.asked)
                && (!self.single || began == next || is_before);
            // Between two answers of one command some were lost.
            let is_torn =
                (first.saturating_add(1)..at).any(|at| self.answer(at).is_some_and(|a| a.behind_gap));
            if !fits || is_torn {
                return;
            }
            self.pipelines |= began != next && !is_before;
            if let Some(owner) = self.owners.get_mut(c) {
                *owner = Some(first);
            }
            if p.behind_gap || self.answer(first).is_some_and(|a| a.behind_gap) {
                return;
            }
            (at, next) = (first, began);
        }
    }
}
