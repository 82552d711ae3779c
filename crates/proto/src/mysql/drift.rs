//! Behind a loss, with several commands under way: whose answer is the next one?
//!
//! Answers come in the order of the commands and carry nothing else of them. Where whole answers or commands may have
//! been lost, the next answer can be that of one of several. Those are kept as a set, and it grows smaller by what
//! cannot be otherwise:
//!
//! * no answer comes before its command;
//! * where the server's bytes broke off between two answers and go on with another, one was lost at least;
//! * a preparation, a query and an order are answered in different ways;
//! * a client that was seen to send one command at a time does so only when it has its answer.
//!
//! An answer that could be that of two is nobody's, and the command that is over for certain then is told without it.
//! A pause proves nothing, a statement may take long; so it is not taken for a sign that all was answered.

use super::ask::{Ask, Kind};
use super::session::{Phase, Session};
use super::wire::FULL;
use crate::session::Cx;
use base::Mark;
use record::{Quality, f};

/// Commands among which an answer is sought: as many as there are bits, with room for those to come. Behind them are
/// none that are unseen, and far more may wait than should be gone through for each answer.
pub(super) const PLACES: usize = 120;
/// Most commands that are thought to be in a loss, or under way where nothing is known: clients keep fewer.
const UNSEEN: usize = 64;
/// The shortest command: a header and its byte. One place stands for so many bytes.
const SHORTEST: u64 = 5;
/// Places that a command takes whose answer has rows: the text makes it longer.
const WITH_ROWS: usize = 2;
/// Commands that came one by one, one behind the other, before that is taken for the client's way.
const HABIT: u8 = 8;

/// What is not certain.
#[derive(Debug, Default)]
pub(super) struct Drift {
    /// The commands that the next answer may be for: bit n is the n-th of the queue. None when that is certain.
    places: u128,
    /// It was uncertain, and was made out: who sends now has not heard more than we have.
    pub(super) settled: bool,
    /// The answer under way is nobody's.
    pub(super) passing: bool,
    /// Its last packet looked like an end.
    ended: bool,
    /// The next packet begins an answer: it was sought and found.
    pub(super) found: bool,
    /// The client was seen to send a command before it had the answer to another.
    piped: bool,
    /// How many came one by one since two did not.
    turns: u8,
}

impl Drift {
    pub(super) fn is_certain(&self) -> bool {
        self.places == 0
    }

    /// The oldest command was taken off.
    pub(super) fn popped(&mut self) {
        self.places = self.places.wrapping_shr(1);
    }

    /// All commands were given up: the next is answered next.
    pub(super) fn over(&mut self) {
        (self.places, self.passing, self.settled) = (0, false, false);
    }

    /// A command begins; had the server spoken since the last, and did others wait for answers?
    pub(super) fn turn(&mut self, spoke: bool, waiting: bool) {
        if spoke {
            self.turns = self.turns.saturating_add(1);
        } else if waiting {
            self.turns = 0;
        }
    }

    /// The client is known to wait for each answer.
    pub(super) fn is_serial(&self) -> bool {
        !self.piped && self.turns >= HABIT
    }
}

/// The places from `low` to `high`.
fn places(low: usize, high: usize) -> u128 {
    let up_to = |n: usize| 1u128.checked_shl(n as u32).unwrap_or(0).wrapping_sub(1);
    up_to(high.saturating_add(1)) & !up_to(low)
}

fn lowest(places: u128) -> usize {
    places.trailing_zeros() as usize
}

impl Session {
    /// Whose answer is next, if it is certain: the set of one.
    fn next_places(&self) -> u128 {
        match self.drift.places {
            0 => 1u128.wrapping_shl(u32::from(self.queue.front().is_some_and(|a| a.begun))),
            n => n,
        }
    }

    /// Answers may have been lost; one for certain when the server's bytes broke off `between` two.
    pub(super) fn answers_lost(&mut self, cx: &mut Cx<'_>, between: bool) {
        if self.phase != Phase::Command {
            return;
        }
        let last = self.queue.len();
        if last > PLACES {
            self.at_sea(cx);
            return;
        }
        let low = lowest(self.next_places()).saturating_add(usize::from(between)).min(last);
        self.drift.places = places(low, last);
        (self.drift.passing, self.drift.settled) = (false, false);
        self.settle();
    }

    /// Commands may have been lost, in `n` bytes. One was, when its beginning was seen (`begun`).
    pub(super) fn commands_lost(&mut self, cx: &mut Cx<'_>, n: Option<u64>, begun: bool) {
        if self.phase != Phase::Command {
            return;
        }
        let most = n.and_then(|n| usize::try_from(n / SHORTEST).ok()).unwrap_or(UNSEEN);
        let most = most.saturating_add(if begun { WITH_ROWS } else { 0 }).clamp(1, UNSEEN);
        if self.queue.len().saturating_add(most) > PLACES {
            self.at_sea(cx);
            return;
        }
        self.drift.places = self.next_places();
        self.drift.settled = false;
        self.unseen(most);
        self.drift.places = self.with_skips(self.drift.places);
    }

    /// Takes a place for each command that may have been there.
    fn unseen(&mut self, n: usize) {
        for _ in 0..n {
            self.queue.push_back(Ask::new(Kind::Unseen, None, Default::default()));
        }
    }

    /// A command may not have been there: then the answer is for the one behind it.
    fn with_skips(&self, mut places: u128) -> u128 {
        for (i, ask) in self.queue.iter().enumerate().take(PLACES) {
            let bit = 1u128.checked_shl(i as u32).unwrap_or(0);
            if ask.kind == Kind::Unseen && places & bit != 0 {
                places |= bit.wrapping_shl(1);
            }
        }
        places
    }

    /// Is it certain again?
    fn settle(&mut self) {
        let first = usize::from(self.queue.front().is_some_and(|a| a.begun));
        if self.drift.places == 1u128.wrapping_shl(first as u32)
            && !self.queue.iter().take(PLACES).any(|a| a.kind == Kind::Unseen)
        {
            (self.drift.places, self.drift.settled) = (0, true);
        }
    }

    /// Nothing fits, or there is too much to keep: what waits is given up, and any number may be under way.
    pub(super) fn at_sea(&mut self, cx: &mut Cx<'_>) {
        cx.anomaly("mysql-pairs-lost");
        self.give_up(cx, Quality::GAP);
        self.unseen(UNSEEN);
        self.drift.places = places(0, UNSEEN);
    }

    /// While it is not certain: a packet of the server begins that belongs to no answer that was begun. Does it begin
    /// that of the oldest command?
    pub(super) fn finds_its_command(
        &mut self,
        cx: &mut Cx<'_>,
        len: u32,
        seq: u8,
        before: u8,
        first: Option<u8>,
    ) -> bool {
        let ended =
            std::mem::replace(&mut self.drift.ended, matches!(first, Some(0xfe | 0xff)) && len < FULL);
        // Packets of an answer are numbered one after the other; within compressed ones that is not so.
        let numbered = seq != before.wrapping_add(1) || before == 0 && (ended || !self.drift.passing);
        let begins = std::mem::take(&mut self.drift.found) || !self.server.packed && numbered;
        if !begins {
            return false;
        }
        self.drift.passing = false;
        let at = self.server.first.time;
        let rows = is_count(len, first);
        let mut left = 0u128;
        for (i, ask) in self.queue.iter_mut().enumerate().take(PLACES) {
            let bit = self.drift.places & 1u128.wrapping_shl(i as u32);
            if bit != 0 && ask.at <= at && may_answer(ask, len, first) {
                left |= bit;
            }
        }
        if self.next(left, rows) == 0 {
            self.at_sea(cx);
            self.drift.passing = true;
            return false;
        }
        let low = lowest(left);
        self.pass(cx, low);
        left = left.wrapping_shr(low as u32);
        let found = left == 1 && self.queue.front().is_some_and(|a| a.kind != Kind::Unseen);
        self.drift.places = self.with_skips(self.next(left, rows));
        if found {
            if let Some(ask) = self.queue.front_mut() {
                ask.begun = true;
            }
            self.is_it_piped(self.server.first);
        } else {
            self.drift.passing = true;
            self.infile |= first == Some(0xfb);
            self.client.seq = if self.infile { seq } else { self.client.seq };
            self.pass(cx, lowest(self.drift.places));
        }
        self.settle();
        found
    }

    /// The places behind these.
    fn next(&self, from: u128, rows: bool) -> u128 {
        let mut unseen = 0u128;
        for (i, _) in self.queue.iter().enumerate().take(PLACES).filter(|(_, a)| a.kind == Kind::Unseen) {
            unseen |= 1u128.checked_shl(i as u32).unwrap_or(0);
        }
        let by = if rows { WITH_ROWS as u32 } else { 1 };
        let fits = if rows { unseen & unseen.wrapping_shr(1) } else { unseen };
        (from & !unseen).wrapping_shl(1) | (from & fits).wrapping_shl(by)
    }

    /// The oldest commands are over.
    fn pass(&mut self, cx: &mut Cx<'_>, n: usize) {
        for _ in 0..n {
            if let Some(ask) = self.queue.front_mut() {
                ask.counted = false;
            }
            self.pop(cx, |cx, ask, end| ask.give_up(cx, Quality::GAP, end));
        }
    }

    /// The answer to the oldest command begins, for certain. Was another sent before?
    pub(super) fn is_it_piped(&mut self, first: Mark) {
        if !self.drift.piped {
            let before = |next: &Ask| next.kind != Kind::Unseen && next.at < first.time;
            self.drift.piped = self.queue.get(1).is_some_and(before);
        }
    }
}

/// Can an answer that begins so be to this command?
fn may_answer(ask: &mut Ask, len: u32, first: Option<u8>) -> bool {
    let Some(first) = first.filter(|f| *f != 0xff) else { return true };
    match ask.kind {
        Kind::Prepare => first == 0 && matches!(len, 12 | 13),
        Kind::Single | Kind::InitDb | Kind::Reset => matches!(first, 0 | 0xfe),
        Kind::Results => {
            if let Some(columns) = ask.columns {
                return expected(columns, len, first);
            }
            match will_be_answered(ask) {
                // A count of columns; with nothing but that, their definitions are left out.
                Some(Answered::Rows) => matches!(first, 1..=0xfa | 0xfc) || first == 0 && len < 5,
                Some(Answered::Done) => first == 0,
                _ => true,
            }
        }
        _ => true,
    }
}

/// Does an answer with rows begin so: with the count of its columns?
fn is_count(len: u32, first: Option<u8>) -> bool {
    len < 5 && matches!(first, Some(1..=0xfa | 0xfc))
}

/// Can a result of so many columns begin so?
fn expected(columns: u16, len: u32, first: u8) -> bool {
    match columns {
        0 => first == 0,
        // More bytes than the count: whether definitions follow stands before or behind it.
        1..=250 => len > 1 || u16::from(first) == columns,
        _ => first == 0xfc,
    }
}

/// What a statement is answered with when it does not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answered {
    Rows,
    Done,
    /// Cannot be said.
    Either,
}

/// What this command is answered with. Its text is looked through once: it may be long, and wait for a hundred answers
/// that could be its own.
fn will_be_answered(ask: &mut Ask) -> Option<Answered> {
    if ask.answered.is_none() {
        let record = ask.txn.as_ref().and_then(|t| t.record.as_ref());
        let text = record.map(|r| r.text_of(&f::sql::SQL)).filter(|text| !text.is_empty());
        ask.answered = text.map(answered);
    }
    ask.answered
}

/// By its first word. Words that can make it otherwise, wherever they stand, leave it open.
fn answered(text: &[u8]) -> Answered {
    let is = |words: &[&[u8]]| {
        words.iter().any(|w| {
            text.split_at_checked(w.len()).is_some_and(|(a, b)| {
                a.eq_ignore_ascii_case(w) && b.first().is_none_or(|c| c.is_ascii_whitespace() || *c == b';')
            })
        })
    };
    let has = |word: &[u8]| text.windows(word.len()).any(|w| w.eq_ignore_ascii_case(word));
    if is(&[b"select", b"show", b"desc", b"describe", b"explain"]) && !has(b"into") && !has(b"procedure") {
        Answered::Rows
    } else if is(&[
        b"insert",
        b"update",
        b"delete",
        b"replace",
        b"begin",
        b"commit",
        b"rollback",
        b"do",
        b"use",
    ]) && !has(b"returning")
    {
        Answered::Done
    } else {
        Answered::Either
    }
}
