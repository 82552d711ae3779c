//! What was asked and not yet answered, in order, and who answers whom.
//!
//! The server answers in order. Every Sync, Query and FunctionCall ends with one ReadyForQuery: a
//! *group* is what lies between two of these. An error costs what is left of its group.
//!
//! A transaction moves along: Parse opens it, the Bind of that statement claims it, and the Execute
//! of that portal claims it from the Bind. So there is one record a statement executed, and it
//! begins with the first message that belongs to it.
//!
//! After a loss packet times decide: a message cannot answer what was asked after it. That holds
//! for clients that wait for the end of a group before they send the next. For one that does
//! not, nothing is paired until it is certain that no answer is under way.

use super::names::{Answered, Statement};
use crate::session::{Cx, Txn};
use base::{SECOND, Timestamp};
use record::Quality;
use std::collections::VecDeque;

/// A message that gets an answer.
#[derive(Debug)]
pub(super) enum Ask {
    Query,
    Call,
    /// Name, and the statement that had it before.
    Parse(Box<[u8]>, Option<Box<Statement>>),
    /// Name of the portal.
    Bind(Box<[u8]>),
    /// Name of the statement; `None` for a portal.
    Describe(Option<Box<[u8]>>),
    Execute,
    /// Name of the statement; `None` for a portal.
    Close(Option<Box<[u8]>>),
    Sync,
    /// Requests were lost here: what is answered between its neighbours is not known.
    Hole,
}

impl Ask {
    /// Is it answered by ReadyForQuery?
    pub(super) fn ends_group(&self) -> bool {
        matches!(self, Ask::Query | Ask::Call | Ask::Sync)
    }
}

/// One of them, in wait.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) ask: Ask,
    /// When its last byte came.
    pub(super) at: Timestamp,
    /// Its transaction, as long as no later message has claimed it.
    pub(super) txn: Option<Txn>,
    /// A later message is the one that is told.
    pub(super) claimed: bool,
    /// Heap of it, as counted when it was put in.
    heap: usize,
}

impl Item {
    fn new(ask: Ask, txn: Option<Txn>, at: Timestamp) -> Item {
        let before = match &ask {
            Ask::Parse(_, Some(s)) => s.text.capacity().saturating_add(s.types.capacity()),
            _ => 0,
        };
        let heap = before.saturating_add(heap(txn.as_ref()));
        Item { ask, at, txn, claimed: false, heap }
    }
}

/// Heap of a transaction's record.
fn heap(txn: Option<&Txn>) -> usize {
    txn.and_then(|t| t.record.as_ref()).map_or(0, |r| r.heap())
}

/// All that waits.
#[derive(Debug)]
pub(super) struct Queue {
    items: VecDeque<Item>,
    /// Heap of them: counted as they come and go, since it is asked for with every packet.
    heap: usize,
    /// Number of the first of `items`.
    base: u64,
    /// Number of the first item of the group that is being asked.
    group: u64,
    /// The group being asked has begun.
    pub(super) begun: bool,
    /// Items before this number have no transaction any more.
    stripped: u64,
    /// Two groups were under way at a time.
    pipelines: bool,
    /// Messages of the group being asked were lost, or its answers: what more it says is not paired.
    torn: bool,
    /// When a group's answer ended whose end had not been seen.
    stray: Option<Timestamp>,
    /// Bytes were lost: times decide.
    pub(super) lossy: bool,
    /// Nothing is paired: at most so many groups are still to be answered.
    doubt: Option<u64>,
    /// When the last group's answer ended, and that nothing came since.
    ready: Option<Timestamp>,
    /// When the server last said something that no message in wait had asked for.
    unasked: Option<Timestamp>,
    /// To be told as they are.
    pub(super) gone: Vec<Answered>,
}

/// The queue keeps room for this many; more is given back when it is empty.
const KEPT: usize = 32;
/// Messages in wait for one transaction in wait: Parse, Bind, Describe, Execute.
const MESSAGES: usize = 4;
/// Of so many of them, for one in wait, the transactions are kept.
const TOLD: u64 = 3;
/// An answer is looked for among so many messages: it belongs to the first, or to one behind few lost answers.
/// Without a limit, small answers that fit nothing would each be looked for in all that waits.
const SOUGHT: usize = 128;
/// A server that was silent for so long owes no answer that was begun.
const QUIET: u64 = SECOND;

impl Queue {
    pub(super) fn new() -> Queue {
        Queue {
            items: VecDeque::new(),
            heap: 0,
            base: 1,
            group: 1,
            begun: false,
            stripped: 1,
            pipelines: false,
            torn: false,
            stray: None,
            lossy: false,
            doubt: None,
            ready: None,
            unasked: None,
            gone: Vec::new(),
        }
    }

    /// Number that the next item gets.
    pub(super) fn next_seq(&self) -> u64 {
        self.end_seq()
    }

    /// Will a message that was sent at `at` wait here? Not while nothing is paired, and not when its
    /// answer has passed already, while it was itself behind bytes that were waited for.
    pub(super) fn takes(&self, at: Timestamp) -> bool {
        self.doubt.is_none() && !self.torn && self.unasked.is_none_or(|t| t < at)
    }

    fn end_seq(&self) -> u64 {
        self.base.saturating_add(self.items.len() as u64)
    }

    /// Number of the first item in wait.
    pub(super) fn seq(&self) -> u64 {
        self.base
    }

    /// A message that gets an answer comes: certain again that nothing else is under way?
    pub(super) fn begin(&mut self, at: Timestamp) {
        // What was lost ended its group: the server was ready again before this was sent.
        if self.torn && self.stray.is_some_and(|r| r < at) {
            (self.torn, self.begun) = (false, false);
        }
        if !std::mem::replace(&mut self.begun, true) {
            let quiet = self.ready.is_some_and(|r| at.0 >= r.0.saturating_add(QUIET));
            if self.doubt == Some(0) || quiet {
                self.doubt = None;
            }
            self.group = self.end_seq();
        }
    }

    /// Puts in a message.
    pub(super) fn push(&mut self, cx: &mut Cx<'_>, ask: Ask, txn: Option<Txn>, at: Timestamp) {
        let ends = ask.ends_group();
        if ends {
            (self.begun, self.torn, self.stray) = (false, false, None);
        }
        if !self.takes(at) {
            if let Some(owed) = &mut self.doubt {
                *owed = owed.saturating_add(u64::from(ends));
            }
            if let Some(mut txn) = txn {
                txn.taint(Quality::GAP);
                self.gone.push((txn, cx.now));
            }
            return;
        }
        let most = cx.limits.pipeline.max(1);
        if self.items.len() >= most.saturating_mul(MESSAGES) {
            cx.anomaly("postgresql-pipeline");
            self.lose(cx);
            let owed = self.doubt.get_or_insert(0);
            *owed = owed.saturating_add(u64::from(ends));
            self.gone.extend(txn.map(|t| (t, cx.now)));
            return;
        }
        self.put(Item::new(ask, txn, at));
        // Far fewer transactions than messages are kept.
        let oldest = self.end_seq().saturating_sub((most as u64).saturating_mul(TOLD));
        let strip = self.stripped.max(self.base);
        self.stripped = strip;
        if strip < oldest {
            self.stripped = strip.saturating_add(1);
            if let Some(txn) = self.place(strip).and_then(|i| self.take_txn(i)) {
                cx.anomaly("postgresql-pipeline");
                self.gone.push((txn, cx.now));
            }
        }
    }

    fn put(&mut self, item: Item) {
        self.heap = self.heap.saturating_add(item.heap);
        self.items.push_back(item);
    }

    /// Where the item of a number is.
    fn place(&self, seq: u64) -> Option<usize> {
        usize::try_from(seq.checked_sub(self.base)?).ok()
    }

    /// Takes the transaction of an item.
    fn take_txn(&mut self, place: usize) -> Option<Txn> {
        let item = self.items.get_mut(place)?;
        let txn = item.txn.take();
        let less = heap(txn.as_ref()).min(item.heap);
        item.heap = item.heap.saturating_sub(less);
        self.heap = self.heap.saturating_sub(less);
        txn
    }

    /// Takes over the transaction of an item that still waits; only from the group being asked.
    pub(super) fn claim(&mut self, seq: u64) -> Option<Txn> {
        let place = self.place(seq)?;
        self.items.get_mut(place)?.claimed = true;
        if seq >= self.group { self.take_txn(place) } else { None }
    }

    /// The transaction that was put in last.
    pub(super) fn last_txn(&mut self) -> Option<&mut Txn> {
        self.items.back_mut()?.txn.as_mut()
    }

    /// A Query is a group of its own, whatever was lost before it.
    pub(super) fn begin_query(&mut self, at: Timestamp) {
        self.torn = false;
        self.begin(at);
    }

    /// What the message at `t` can answer.
    pub(super) fn front(&mut self, t: Timestamp) -> Option<&mut Item> {
        let lossy = self.lossy;
        self.items.front_mut().filter(|i| !lossy || i.at <= t)
    }

    /// Takes out what was answered.
    pub(super) fn pop(&mut self) -> Option<Item> {
        let item = self.items.pop_front()?;
        self.heap = self.heap.saturating_sub(item.heap);
        self.base = self.base.saturating_add(1);
        if self.items.is_empty() && self.items.capacity() > KEPT {
            self.items.shrink_to(KEPT);
        }
        Some(item)
    }

    /// The transaction that the front item's answer is for: its own, or that of the later message
    /// which claimed it.
    pub(super) fn told(&mut self) -> Option<&mut Txn> {
        /// Between a Parse and its Execute are a Bind and perhaps some Describes.
        const NEAR: usize = 16;
        let front = self.items.front()?;
        let far = if front.claimed { NEAR } else { 1 };
        let group = self.items.iter_mut().take(far);
        let ends = |i: &Item| i.ask.ends_group();
        let mut over = false;
        let mut near = group.take_while(|i| !std::mem::replace(&mut over, ends(i)));
        near.find_map(|i| i.txn.as_mut())
    }

    /// Takes it out, wherever it is.
    pub(super) fn take_told(&mut self) -> Option<Txn> {
        const NEAR: usize = 16;
        let front = self.items.front()?;
        let far = if front.claimed { NEAR } else { 1 };
        for (i, item) in self.items.iter().enumerate().take(far) {
            if item.txn.is_some() {
                return self.take_txn(i);
            }
            if item.ask.ends_group() {
                break;
            }
        }
        None
    }

    /// Is there, in the group at the front, an item that fits? Its distance.
    pub(super) fn find(&self, t: Timestamp, fits: impl Fn(&Ask) -> bool) -> Option<usize> {
        for (i, item) in self.items.iter().enumerate().take(SOUGHT) {
            if self.lossy && item.at > t || matches!(item.ask, Ask::Hole) {
                return None;
            }
            if fits(&item.ask) {
                return Some(i);
            }
            if item.ask.ends_group() {
                return None;
            }
        }
        None
    }

    /// How many items are left of the group at the front, without the one that ends it; and
    /// whether that one is there.
    pub(super) fn rest_of_group(&self) -> (usize, bool) {
        match self.items.iter().position(|i| i.ask.ends_group()) {
            Some(n) => (n, true),
            None => (self.items.len(), false),
        }
    }

    /// Is all that waits of the group that is being asked?
    pub(super) fn all_begun(&self) -> bool {
        self.begun && self.group <= self.base
    }

    /// The ask of the item at a distance.
    pub(super) fn ask(&mut self, i: usize) -> Option<&mut Ask> {
        self.items.get_mut(i).map(|i| &mut i.ask)
    }

    /// In a COPY that was executed, the Sync behind it is not answered: another follows the data.
    pub(super) fn drop_sync(&mut self) {
        let second = self.items.get(1).is_some_and(|i| matches!(i.ask, Ask::Sync));
        if second && self.items.len() == 2 {
            self.items.pop_back();
            self.begun = true;
            self.group = self.group.min(self.base);
        }
    }

    /// A group's answer has ended at `t`. True while nothing is paired.
    pub(super) fn ready(&mut self, t: Timestamp) -> bool {
        self.speaks(t);
        self.ready = Some(t);
        match &mut self.doubt {
            Some(owed) => {
                *owed = owed.saturating_sub(1);
                true
            }
            None => false,
        }
    }

    /// A group's answer has ended at `t`, and its end had not been seen.
    pub(super) fn ready_unasked(&mut self, t: Timestamp) {
        (self.stray, self.unasked) = (Some(t), Some(t));
    }

    /// The front group was answered at `t`: was the next one asked before that?
    pub(super) fn watch(&mut self, t: Timestamp) {
        if self.items.front().is_some_and(|i| i.at < t) {
            self.pipelines = true;
        }
    }

    /// The server answers something.
    pub(super) fn speaks(&mut self, at: Timestamp) {
        self.ready = None;
        if self.front(at).is_none_or(|i| matches!(i.ask, Ask::Hole)) {
            self.unasked = Some(at);
        }
    }

    /// Is what the group being asked says left unpaired?
    pub(super) fn is_torn(&self) -> bool {
        self.torn
    }

    /// Nothing is paired now.
    pub(super) fn in_doubt(&self) -> bool {
        self.doubt.is_some()
    }

    /// Answers were lost.
    pub(super) fn lost_answers(&mut self, cx: &mut Cx<'_>) {
        self.ready = None;
        if self.pipelines {
            self.lose(cx);
        } else {
            self.lossy = true;
        }
    }

    /// Requests were lost.
    pub(super) fn lost_requests(&mut self, cx: &mut Cx<'_>) {
        let begun = std::mem::take(&mut self.begun);
        self.stray = None;
        if self.pipelines || self.doubt.is_some() {
            self.lose(cx);
            self.doubt = Some(u64::MAX);
            return;
        }
        (self.lossy, self.torn) = (true, true);
        if !begun {
            return;
        }
        // What would have claimed them may be what was lost: an answer to them is not the statement's.
        let before = usize::try_from(self.group.saturating_sub(self.base)).unwrap_or(usize::MAX);
        let unsure = self.items.iter_mut().skip(before).filter(|i| !matches!(i.ask, Ask::Execute));
        for txn in unsure.filter_map(|i| i.txn.as_mut()) {
            txn.taint(Quality::GAP);
        }
        // One hole is enough: what was said between two of them does not wait here.
        if let Some(at) = self.items.back().filter(|i| !matches!(i.ask, Ask::Hole)).map(|i| i.at) {
            self.put(Item::new(Ask::Hole, None, at));
        }
    }

    /// Answers begin again at `t`: those before the last group that was asked by then are lost. When
    /// there is but one, it is the one that was hit: what follows may be for a lost request.
    pub(super) fn realign(&mut self, cx: &mut Cx<'_>, t: Timestamp) {
        let (mut keep, mut next, mut asked) = (0usize, 0usize, 0usize);
        for (i, item) in self.items.iter().enumerate().take_while(|(_, i)| i.at <= t) {
            if i == next {
                keep = i;
            }
            if item.ask.ends_group() {
                next = i.saturating_add(1);
            }
            asked = i.saturating_add(1);
        }
        for _ in 0..if keep == 0 { asked } else { keep } {
            self.drop_front(cx);
        }
        // In a group of several, an answer that comes now may be of any: the rest of it stays unpaired too.
        let group = || self.items.iter().take_while(|i| !i.ask.ends_group());
        let several = group().filter(|i| matches!(i.ask, Ask::Execute)).count() > 1;
        let cut = asked > 0 && next != asked;
        if several || keep == 0 && cut {
            for _ in 0..group().count() {
                self.drop_front(cx);
            }
            (self.torn, self.stray) = (self.torn || self.all_begun(), None);
        }
        // Its answer may have begun before.
        let ends = |i: &Item| i.ask.ends_group();
        let mut over = false;
        let group = self.items.iter_mut().take_while(|i| !std::mem::replace(&mut over, ends(i)));
        for txn in group.take_while(|i| i.at <= t).filter_map(|i| i.txn.as_mut()) {
            txn.taint(Quality::GAP);
        }
    }

    /// Answers begin again behind a ReadyForQuery at `t`: all that was asked before is answered.
    pub(super) fn realign_behind(&mut self, cx: &mut Cx<'_>, t: Timestamp) {
        // Also what comes only now, because it waited behind other bytes.
        self.unasked = Some(t);
        while self.items.front().is_some_and(|i| i.at <= t) {
            self.drop_front(cx);
        }
    }

    fn drop_front(&mut self, cx: &mut Cx<'_>) {
        if let Some(mut txn) = self.pop().and_then(|i| i.txn) {
            txn.taint(Quality::GAP);
            self.gone.push((txn, cx.now));
        }
    }

    /// Gives up all that waits, and pairs nothing until it is certain what is answered.
    fn lose(&mut self, cx: &mut Cx<'_>) {
        let owed = self.items.iter().filter(|i| i.ask.ends_group()).count() as u64;
        self.doubt = Some(self.doubt.unwrap_or(0).saturating_add(owed));
        while !self.items.is_empty() {
            self.drop_front(cx);
        }
    }

    /// Heap bytes held.
    pub(super) fn held(&self) -> usize {
        self.items.capacity().saturating_mul(size_of::<Item>()).saturating_add(self.heap)
    }

    /// What was counted, and what it comes to when it is gone through.
    #[cfg(test)]
    pub(super) fn weights(&self) -> [usize; 2] {
        [self.heap, self.items.iter().map(|i| i.heap).sum()]
    }
}
