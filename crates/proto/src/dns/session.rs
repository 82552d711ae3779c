//! State of one flow: framing on TCP, queries in wait for their answers.

use super::fill::{put_answer, put_question};
use super::transfer::Transfer;
use super::wire::{HEADER, Header, Message, SHORTEST, Survey, opcode, rtype};
use crate::session::{Cx, Parser, Progress, Transport, Txn};
use base::{Direction, Reader, SECOND};
use record::{Kind, Quality};
use std::collections::VecDeque;

/// A query without an answer is given up after this long (ns). Resolvers wait 5 s and less.
const GIVE_UP: u64 = 10 * SECOND;
/// Answered queries that are remembered, to tell a second answer from one whose query was not seen.
const REMEMBERED: usize = 8;
/// After a gap only messages up to this size are taken for a new beginning: what looks like one
/// and is none costs no more than this to read.
const SOUGHT: usize = 4096;
/// What a session may hold, for fuzzing with 8 open queries.
pub(super) const HELD_CAP: usize = 128 * 1024;

/// A query in wait for its answer.
#[derive(Debug)]
struct Query {
    id: u16,
    /// Of its question.
    hash: u64,
    qtype: u16,
    txn: Txn,
    transfer: Option<Box<Transfer>>,
    /// Heap bytes counted for it.
    held: usize,
}

/// State of one flow.
#[derive(Debug)]
pub struct Session {
    transport: Transport,
    open: VecDeque<Query>,
    /// Heap bytes of the open queries.
    held: usize,
    /// Id and question of queries that were answered.
    answered: [Option<(u16, u64)>; REMEMBERED],
    next_answered: usize,
    streams: [Stream; 2],
    /// A query was seen on this flow.
    asked: bool,
    /// A message was seen on this flow.
    proven: bool,
}

/// One direction of a TCP connection.
#[derive(Clone, Copy, Debug, Default)]
struct Stream {
    /// After a gap: the beginning of a message is sought.
    lost: bool,
    /// Bytes of a message too long to be held that are still to be passed over.
    skip: usize,
    ended: bool,
}

impl Session {
    /// A new one.
    #[must_use]
    pub fn new(transport: Transport) -> Session {
        Session {
            transport,
            open: VecDeque::new(),
            held: 0,
            answered: [None; REMEMBERED],
            next_answered: 0,
            streams: [Stream::default(); 2],
            asked: false,
            proven: false,
        }
    }

    fn stream(&mut self, dir: Direction) -> &mut Stream {
        let [c, s] = &mut self.streams;
        match dir {
            Direction::ToServer => c,
            Direction::ToClient => s,
        }
    }

    /// One message, whose first byte is at `at` of the bytes given (behind its length on TCP).
    /// False when it was none.
    fn message(&mut self, cx: &mut Cx<'_>, dir: Direction, at: usize, bytes: &[u8]) -> bool {
        let m = match Message::parse(bytes) {
            Ok(m) => m,
            Err(bad) => {
                cx.anomaly(bad.0);
                return false;
            }
        };
        // The packet of the last byte, and of the first (of the length on TCP).
        let last = at.saturating_add(bytes.len()).saturating_sub(1);
        let first = at.saturating_sub(2);
        self.proven = true;
        match (dir, m.header.is_answer()) {
            (Direction::ToServer, false) => self.query(cx, &m, first, last),
            (Direction::ToClient, true) => self.answer(cx, &m, first, last),
            // Two name servers may ask each other between two ports 53: the record could not
            // tell who asked, so there is none.
            (Direction::ToClient, false) => cx.anomaly("query_of_server"),
            (Direction::ToServer, true) => cx.anomaly("answer_of_client"),
        }
        true
    }

    fn query(&mut self, cx: &mut Cx<'_>, m: &Message<'_>, first: usize, last: usize) {
        let Some(q) = m.question else {
            if m.header.opcode() == opcode::QUERY {
                cx.anomaly("no_question");
            }
            return;
        };
        if let Some(bad) = m.survey().bad {
            cx.anomaly(bad.0);
            return;
        }
        if !super::sane(Direction::ToServer, m) {
            cx.anomaly("odd_query");
            return;
        }
        self.asked = true;
        while self.open.len() >= cx.limits.pipeline.max(1)
            && let Some(oldest) = self.open.pop_front()
        {
            cx.anomaly("too_many_open");
            self.give_up(cx, oldest);
        }
        let mut txn = cx.open(Kind::Dns, first);
        txn.asked(cx.mark_at(last));
        put_question(&mut txn, m);
        let held = txn.record.as_ref().map_or(0, |r| r.heap());
        self.held = self.held.saturating_add(held);
        self.open.push_back(Query {
            id: m.header.id,
            hash: q.hash(),
            qtype: q.qtype,
            txn,
            transfer: None,
            held,
        });
    }

    fn answer(&mut self, cx: &mut Cx<'_>, m: &Message<'_>, first: usize, last: usize) {
        let id = m.header.id;
        let hash = m.question.map(|q| q.hash());
        // Servers that could not read the question leave it out.
        let same = |q: &Query| q.id == id && hash.is_none_or(|h| h == q.hash);
        let survey = m.survey();
        if let Some(bad) = survey.bad {
            cx.anomaly(bad.0);
        }
        let Some(at) = self.open.iter().position(same) else {
            self.unasked(cx, m, &survey, first, last);
            return;
        };
        let Some(q) = self.open.get_mut(at) else { return };
        q.txn.answering(cx.mark_at(first));
        if survey.bad.is_some() {
            q.txn.taint(Quality::TRUNCATED);
        }
        let transfers = self.transport == Transport::Tcp && matches!(q.qtype, rtype::AXFR | rtype::IXFR);
        if transfers && survey.rcode == 0 {
            let keep = q.txn.record.is_some();
            let transfer = q.transfer.get_or_insert_default();
            let before = transfer.heap();
            let over = transfer.take(m, q.qtype, cx.limits, keep) || survey.bad.is_some();
            transfer.last = cx.mark_at(last);
            let grown = transfer.heap().saturating_sub(before);
            q.held = q.held.saturating_add(grown);
            self.held = self.held.saturating_add(grown);
            if !over {
                return;
            }
        }
        let Some(mut q) = self.open.remove(at) else { return };
        self.held = self.held.saturating_sub(q.held);
        if let Some(slot) = self.answered.get_mut(self.next_answered) {
            *slot = Some((id, q.hash));
        }
        self.next_answered = self.next_answered.wrapping_add(1) % REMEMBERED;
        match q.transfer.take() {
            Some(t) => t.tell(cx, &mut q.txn, survey.rcode),
            None => put_answer(cx, &mut q.txn, m, &survey),
        }
        let end = cx.mark_at(last);
        cx.close(q.txn, end);
    }

    /// An answer without an open query.
    fn unasked(&mut self, cx: &mut Cx<'_>, m: &Message<'_>, survey: &Survey<'_>, first: usize, last: usize) {
        let id = m.header.id;
        let hash = m.question.map(|q| q.hash());
        if self.answered.iter().flatten().any(|(i, h)| *i == id && hash.is_none_or(|hash| hash == *h)) {
            cx.anomaly("answer_again");
            return;
        }
        cx.anomaly("answer_unasked");
        let zone = m.question.is_some_and(|q| matches!(q.qtype, rtype::AXFR | rtype::IXFR));
        if survey.bad.is_some() || !survey.trailing.is_empty() || zone || !super::sane(Direction::ToClient, m)
        {
            return;
        }
        let mut txn = cx.open(Kind::Dns, first);
        txn.unasked();
        txn.answering(cx.mark_at(first));
        txn.taint(if self.asked { Quality::GAP } else { Quality::MIDSTREAM });
        put_question(&mut txn, m);
        put_answer(cx, &mut txn, m, survey);
        let end = cx.mark_at(last);
        cx.close(txn, end);
    }

    /// Gives up what has waited too long.
    fn expire(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now.time;
        let late =
            |q: &Query| now.since(q.transfer.as_ref().map_or(q.txn.began(), |t| t.last.time)) > GIVE_UP;
        while self.open.front().is_some_and(late)
            && let Some(q) = self.open.pop_front()
        {
            self.give_up(cx, q);
        }
    }

    fn give_up(&mut self, cx: &mut Cx<'_>, mut q: Query) {
        self.held = self.held.saturating_sub(q.held);
        let Some(t) = q.transfer.take() else { return cx.give_up(q.txn) };
        // The end of the zone was not seen.
        q.txn.taint(Quality::GAP);
        let end = t.last;
        t.tell(cx, &mut q.txn, 0);
        cx.close(q.txn, end);
    }

    /// Bytes of a stream, from the length of a message on.
    fn framed(&mut self, cx: &mut Cx<'_>, dir: Direction, bytes: &[u8]) -> Progress {
        let mut r = Reader::new(bytes);
        let Ok(len) = r.be16("") else { return Progress::Need(2) };
        let len = usize::from(len);
        let size = len.saturating_add(2);
        if len < HEADER {
            cx.anomaly("message_length");
            return self.astray(dir);
        }
        if size > cx.limits.stream {
            cx.anomaly("message_too_long");
            self.stream(dir).skip = size;
            return self.skipped(dir, bytes.len());
        }
        let Ok(message) = r.take(len, "") else { return Progress::Need(size) };
        if !self.message(cx, dir, 2, message) && !self.proven {
            return Progress::Lost;
        }
        Progress::Consumed(size)
    }

    /// The framing is not what it seemed to be.
    fn astray(&mut self, dir: Direction) -> Progress {
        if !self.proven {
            return Progress::Lost;
        }
        self.stream(dir).lost = true;
        Progress::Consumed(1)
    }

    /// Passes over a message that is not looked at.
    fn skipped(&mut self, dir: Direction, given: usize) -> Progress {
        let s = self.stream(dir);
        let n = s.skip.min(given);
        s.skip = s.skip.saturating_sub(n);
        Progress::Consumed(n)
    }

    /// Seeks the beginning of a message: each offset is looked at once.
    fn seek(&mut self, dir: Direction, bytes: &[u8]) -> Progress {
        for (at, window) in bytes.windows(2 + SHORTEST).enumerate() {
            if !begins(dir, window) {
                continue;
            }
            if at > 0 {
                return Progress::Consumed(at);
            }
            let mut r = Reader::new(bytes);
            let len = usize::from(r.be16("").unwrap_or_default());
            match r.take(len, "") {
                Err(_) => return Progress::Need(len.saturating_add(2)),
                Ok(m) if Message::parse(m).is_ok_and(|m| is_whole(&m.survey())) => {
                    self.stream(dir).lost = false;
                    return Progress::Consumed(0);
                }
                Ok(_) => {}
            }
        }
        // The last bytes may begin a message.
        match bytes.len().checked_sub(SHORTEST.saturating_add(1)) {
            None | Some(0) => Progress::Need(2 + SHORTEST),
            Some(n) => Progress::Consumed(n),
        }
    }
}

fn is_whole(s: &Survey<'_>) -> bool {
    s.bad.is_none() && s.trailing.is_empty()
}

/// Could these be a length and a header?
fn begins(dir: Direction, window: &[u8]) -> bool {
    let mut r = Reader::new(window);
    let Ok(len) = r.be16("") else { return false };
    let Ok(h) = Header::parse(&mut r) else { return false };
    (SHORTEST..=SOUGHT).contains(&usize::from(len)) && super::sane_header(dir, &h)
}

impl Parser for Session {
    fn data(&mut self, cx: &mut Cx<'_>, dir: Direction, bytes: &[u8]) -> Progress {
        self.expire(cx);
        if self.transport == Transport::Udp {
            self.message(cx, dir, 0, bytes);
            return Progress::Consumed(bytes.len());
        }
        if self.stream(dir).skip > 0 {
            return self.skipped(dir, bytes.len());
        }
        if self.stream(dir).lost {
            let sought = self.seek(dir, bytes);
            if sought != Progress::Consumed(0) {
                return sought;
            }
        }
        self.framed(cx, dir, bytes)
    }

    fn gap(&mut self, _cx: &mut Cx<'_>, dir: Direction, n: u64) {
        if dir == Direction::ToClient {
            // Any of these answers may have been lost.
            for q in &mut self.open {
                q.txn.taint(Quality::GAP);
            }
        }
        let s = self.stream(dir);
        match s.skip.checked_sub(usize::try_from(n).unwrap_or(usize::MAX)) {
            // The gap lies within what is passed over anyway.
            Some(left) if s.skip > 0 => s.skip = left,
            _ => *s = Stream { lost: true, skip: 0, ended: s.ended },
        }
    }

    fn end(&mut self, cx: &mut Cx<'_>, dir: Direction) {
        self.stream(dir).ended = true;
        // A client may close its direction and still wait for answers.
        let [_, answers] = self.streams;
        if answers.ended {
            for q in std::mem::take(&mut self.open) {
                self.give_up(cx, q);
            }
        }
    }

    fn held(&self) -> usize {
        self.held.saturating_add(self.open.capacity().saturating_mul(std::mem::size_of::<Query>()))
    }
}
