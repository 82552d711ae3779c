//! State of one connection: packets are found, calls and answers paired by turns.

use super::ask::Ask;
use super::call::{self, What};
use super::who::Who;
use super::wire::{self, HEADER, Header, WIDE, header, kind};
use super::{probe, text, verdict};
use crate::session::{Cx, Parser, Progress, Transport, Txn, Verdict};
use base::{Direction, Mark};
use record::{Kind, Quality, f::sql as f};
use std::collections::VecDeque;

/// Bytes of a packet that are waited for; what is behind them is passed by.
const WHOLE: usize = 32 * 1024;
/// Bytes kept of a call beside its text.
const BESIDE: usize = 4096;
/// Bytes kept of a call, whatever the limit for texts.
const MOST: usize = 512 * 1024;
/// Statements kept of a connection by their cursors: a server has 300 open as a rule.
const CURSORS: usize = 512;
/// Bytes of all their texts.
const TEXTS: usize = 1024 * 1024;
/// Pieces in which no packet was found, before a guess is taken back.
const MISSES: u8 = 16;
/// Packets of the client in a row that are no message, before all is held to be encrypted.
const HIDDEN: u8 = 8;
/// Size of packets when it was not agreed on before our eyes: the least that is.
const SIZE: u32 = 512;

/// One direction.
#[derive(Debug, Default)]
struct Half {
    sync: bool,
    /// Bytes of the packet that are to be passed by.
    skip: usize,
    /// The rest of a message that was lost in part is passed by: what looks like a packet in it may be none. The
    /// other side speaks when it is over.
    passes: bool,
    ended: bool,
}

/// State of one connection.
#[derive(Debug)]
pub struct Session {
    halves: [Half; 2],
    /// Lengths of packets have four bytes.
    wide: bool,
    /// Size of packets: agreed on, or the largest seen.
    size: u32,
    queue: VecDeque<Ask>,
    /// Heap of those.
    queued: usize,
    /// A connection asked for.
    connect: Option<Txn>,
    who: Who,
    cursors: Vec<(u32, Box<[u8]>)>,
    texts: usize,
    /// An answer came that nobody waited for.
    orphan: bool,
    /// Some of an answer was lost, and none was whole since.
    doubt: bool,
    proven: bool,
    misses: u8,
    /// Packets of the client in a row that are no message.
    hidden: u8,
}

impl Session {
    /// A new one.
    #[must_use]
    pub fn new(_transport: Transport) -> Session {
        Session {
            halves: Default::default(),
            wide: false,
            size: SIZE,
            queue: VecDeque::new(),
            queued: 0,
            connect: None,
            who: Who::default(),
            cursors: Vec::new(),
            texts: 0,
            orphan: false,
            doubt: false,
            proven: false,
            misses: 0,
            hidden: 0,
        }
    }

    fn half(&mut self, dir: Direction) -> &mut Half {
        let [c, s] = &mut self.halves;
        match dir {
            Direction::ToServer => c,
            Direction::ToClient => s,
        }
    }

    fn pop(&mut self) -> Option<Ask> {
        let ask = self.queue.pop_front()?;
        self.queued = self.queued.saturating_sub(ask.heap());
        Some(ask)
    }

    fn remember(&mut self, cursor: u32, text: Box<[u8]>) {
        if cursor == 0 {
            return;
        }
        if let Some(at) = self.cursors.iter().position(|c| c.0 == cursor) {
            let (_, old) = self.cursors.remove(at);
            self.texts = self.texts.saturating_sub(old.len());
        }
        self.texts = self.texts.saturating_add(text.len());
        self.cursors.push((cursor, text));
        while self.cursors.len() > 1 && (self.cursors.len() > CURSORS || self.texts > TEXTS) {
            let (_, old) = self.cursors.remove(0);
            self.texts = self.texts.saturating_sub(old.len());
        }
    }

    /// Is a packet of this length the last of its message? Full ones are not.
    fn is_last(&self, h: Header) -> bool {
        /// Servers leave so much when the next item does not fit.
        const SLACK: u32 = 64;
        u32::try_from(h.len).unwrap_or(u32::MAX).saturating_add(SLACK) < self.size
    }

    /// A packet, as much of it as is waited for.
    fn packet(&mut self, cx: &mut Cx<'_>, dir: Direction, h: Header, bytes: &[u8]) {
        let last = cx.mark_at(bytes.len().saturating_sub(1));
        match (h.kind, dir) {
            (kind::CONNECT, Direction::ToServer) => self.connects(cx, bytes, last),
            (kind::ACCEPT, _) => {
                if let Some((version, size)) = wire::accept(bytes) {
                    self.wide = version >= WIDE;
                    self.size = size.max(SIZE);
                }
                self.proven = true;
                if let Some(txn) = self.connect.take() {
                    cx.forget(txn);
                }
            }
            (kind::REFUSE, _) => self.refuses(cx, bytes, last),
            (kind::RESEND, _) => cx.anomaly("oracle-resend"),
            (kind::REDIRECT, _) => {
                self.proven = true;
                cx.anomaly("oracle-redirect");
                if let Some(txn) = self.connect.take() {
                    cx.forget(txn);
                }
            }
            (kind::MARKER, Direction::ToClient) => {
                if let Some(ask) = self.queue.front_mut() {
                    ask.begun = true;
                    if let Some(txn) = &mut ask.txn {
                        txn.answering(cx.mark_at(0));
                    }
                }
            }
            (kind::DATA, Direction::ToServer) => self.asked(cx, h, bytes, last),
            (kind::DATA, Direction::ToClient) => self.answered(cx, h, bytes, last),
            _ => {}
        }
    }

    fn connects(&mut self, cx: &mut Cx<'_>, bytes: &[u8], last: Mark) {
        self.proven |= wire::is_connect(bytes);
        let descriptor = wire::connect_data(bytes).unwrap_or_default();
        self.who.descriptor(descriptor);
        if let Some(txn) = self.connect.take() {
            cx.forget(txn);
        }
        let mut txn = cx.open(Kind::Sql, 0);
        txn.asked(last);
        self.connect = Some(txn);
    }

    fn refuses(&mut self, cx: &mut Cx<'_>, bytes: &[u8], last: Mark) {
        self.proven = true;
        let Some(mut txn) = self.connect.take() else { return };
        txn.answering(cx.mark_at(0));
        // Reasons of the user and the system, the length of the text.
        let text = bytes.get(12..).unwrap_or_default();
        let code = wire::value(text, b"ERR").or(wire::value(text, b"CODE"));
        if code == Some(b"0") {
            // A ping or another command for the listener is answered like this.
            cx.forget(txn);
            return;
        }
        self.says(&mut txn, b"", 0);
        txn.text(&f::ERR, text, cx.limits.text);
        if let Some(code) = code {
            txn.text(&f::RET_CODE, code, 16);
        }
        cx.close(txn, last);
    }

    /// Data of the client.
    fn asked(&mut self, cx: &mut Cx<'_>, h: Header, bytes: &[u8], last: Mark) {
        let message = bytes.get(HEADER.saturating_add(2)..).unwrap_or_default();
        let last_packet = self.is_last(h);
        let most = cx.limits.text.saturating_mul(2).saturating_add(BESIDE).min(MOST);
        if let Some(ask) = self.queue.back_mut()
            && ask.goes_on
            && !ask.begun
        {
            let before = ask.heap();
            let room = most.saturating_sub(ask.message.len());
            ask.message.extend_from_slice(message.get(..room).unwrap_or(message));
            ask.cut |= message.len() > room || h.len > bytes.len();
            ask.goes_on = !last_packet;
            if let Some(txn) = &mut ask.txn {
                txn.asked(last);
            }
            self.queued = self.queued.saturating_sub(before).saturating_add(ask.heap());
            return;
        }
        if self.connect.is_some() && message.starts_with(b"(") {
            // A descriptor that was too long for its packet.
            self.who.descriptor(message);
            return;
        }
        let Some(call) = call::read(message) else {
            // Kinds of messages, and the options of security.
            let known = matches!(message, [] | [1..=0x22, ..] | [0xde, 0xad, 0xbe, 0xef, ..]);
            self.hidden = if known { 0 } else { self.hidden.saturating_add(1) };
            return;
        };
        self.hidden = 0;
        if self.queue.front().is_some_and(|a| a.begun) {
            // Whatever its last packet looked like: the client has heard the answer.
            self.close(cx);
        }
        if std::mem::take(&mut self.doubt) {
            // The client has heard what we have not.
            self.give_up(cx, Quality::GAP);
        }
        if self.orphan && !self.queue.is_empty() {
            // That answer came before its call, as the packets were captured.
            self.give_up(cx, Quality::PERFECT);
        }
        if self.queue.len() >= cx.limits.pipeline.max(1) {
            cx.anomaly("oracle-pipeline-full");
            if let Some(ask) = self.pop() {
                self.unanswered(cx, ask, Quality::PERFECT);
            }
        }
        let txn = call.what.is_told().then(|| {
            let mut txn = if call.what.is_quiet() { cx.quiet(0) } else { cx.open(Kind::Sql, 0) };
            txn.asked(last);
            txn
        });
        let mut ask = Ask {
            call,
            txn,
            message: message.get(..most).unwrap_or(message).to_vec(),
            cut: message.len() > most || h.len > bytes.len(),
            goes_on: !last_packet,
            settled: false,
            counts: false,
            text: Box::default(),
            begun: false,
            first: 0,
            tail: Vec::new(),
            ends: false,
            last: Mark::default(),
        };
        if last_packet {
            self.settle(cx, &mut ask);
        }
        self.queued = self.queued.saturating_add(ask.heap());
        self.queue.push_back(ask);
    }

    /// The message is whole: what does it say?
    fn settle(&mut self, cx: &mut Cx<'_>, ask: &mut Ask) {
        if std::mem::replace(&mut ask.settled, true) {
            return;
        }
        let message = std::mem::take(&mut ask.message);
        let cap = cx.limits.text;
        let text = match ask.call.what {
            What::Statement | What::Parse(_) => ask.call.text(&message, ask.cut).unwrap_or_default(),
            What::Again(cursor) => text_of(&self.cursors, cursor).into(),
            What::Commit => b"COMMIT"[..].into(),
            What::Rollback => b"ROLLBACK"[..].into(),
            What::Login => {
                self.who.login(&ask.call, &message);
                let text = ask.call.alter_session(&message, ask.cut).unwrap_or_default();
                ask.text = text.get(..cap).unwrap_or(&text).into();
                b""[..].into()
            }
            What::Fetch(_) | What::Other => return,
        };
        ask.counts = text::has_rows(&text);
        let text = text.get(..cap).unwrap_or(&text);
        // Whether a login has one shows when it is answered.
        if ask.call.what != What::Login
            && let Some(txn) = &mut ask.txn
        {
            self.says(txn, text, cap);
        }
        match ask.call.what {
            What::Parse(cursor) => {
                self.proven = true;
                let text = text.into();
                self.remember(cursor, text);
            }
            What::Statement => {
                self.proven |= !text.is_empty();
                ask.text = text.into();
            }
            _ => {}
        }
    }

    /// The text, and who says it where.
    fn says(&self, txn: &mut Txn, text: &[u8], cap: usize) {
        txn.text(&f::SQL, text, cap);
        self.who.tell(txn);
    }

    /// Data of the server.
    fn answered(&mut self, cx: &mut Cx<'_>, h: Header, bytes: &[u8], last: Mark) {
        /// The last packet of an answer, from version 23 on; or of the connection.
        const ENDS: u8 = 0x20;
        let flags = bytes.get(HEADER).copied().unwrap_or_default();
        let message = bytes.get(HEADER.saturating_add(2)..).unwrap_or_default();
        let is_last = self.is_last(h) || flags & ENDS != 0;
        let Some(mut ask) = self.pop() else {
            self.orphan = true;
            return;
        };
        self.orphan = false;
        self.settle(cx, &mut ask);
        if !ask.begun || ask.first == 0 {
            ask.first = message.first().copied().unwrap_or_default();
        }
        ask.begun = true;
        if let Some(txn) = &mut ask.txn {
            txn.answering(cx.mark_at(0));
        }
        ask.heard(message, last);
        ask.ends = is_last && !message.is_empty();
        self.queued = self.queued.saturating_add(ask.heap());
        self.queue.push_front(ask);
        self.ends(cx);
    }

    /// More of a packet of the server that was too long to be waited for.
    fn more(&mut self, cx: &mut Cx<'_>, bytes: &[u8]) {
        let last = cx.mark_at(bytes.len().saturating_sub(1));
        if let Some(mut ask) = self.pop() {
            if ask.begun {
                ask.heard(bytes, last);
            }
            self.queued = self.queued.saturating_add(ask.heap());
            self.queue.push_front(ask);
        }
        self.ends(cx);
    }

    /// Closes the oldest call when its answer is whole.
    fn ends(&mut self, cx: &mut Cx<'_>) {
        if self.half(Direction::ToClient).skip == 0 && self.queue.front().is_some_and(|a| a.ends) {
            self.close(cx);
        }
    }

    /// The oldest call is answered.
    fn close(&mut self, cx: &mut Cx<'_>) {
        /// How the server begins to let a client in.
        const PARAMETERS: u8 = 8;
        /// How it tells that a call is complete, and how long that is at most.
        const COMPLETE: u8 = 9;
        const SHORT: usize = 32;
        let Some(mut ask) = self.pop() else { return };
        self.doubt = false;
        let v = verdict::read(&ask.tail, ask.call.seq);
        let tainted = ask.txn.as_ref().is_some_and(|t| t.quality.has(Quality::GAP));
        if let (Some(s), What::Statement) = (v.status, ask.call.what) {
            let text = std::mem::take(&mut ask.text);
            self.remember(s.cursor, text);
        }
        let Some(mut txn) = ask.txn.take() else { return };
        let text = match ask.call.what {
            What::Login if v.error.is_none() && ask.first == PARAMETERS => ask.text.as_ref(),
            What::Fetch(cursor) => text_of(&self.cursors, cursor),
            _ => &[],
        };
        if ask.call.what.is_quiet() {
            let login = ask.call.what == What::Login && !text.is_empty();
            if v.error.is_none() && !login {
                cx.forget(txn);
                return;
            }
            cx.tell(&mut txn, Kind::Sql);
            self.says(&mut txn, text, cx.limits.text);
        }
        // A login that is let in; or a call is complete, without numbers.
        let is_done = ask.call.what == What::Login || ask.first == COMPLETE && ask.tail.len() < SHORT;
        let code = v.code().or(is_done.then_some(0));
        if let Some((_, text)) = v.error {
            self.proven = true;
            txn.text(&f::ERR, text, cx.limits.text);
        } else if code == Some(0) && !tainted {
            txn.text(&f::ERR, b"", 0);
        }
        if let Some(n) = code
            && (v.error.is_some() || !tainted)
        {
            txn.text(&f::RET_CODE, n.to_string().as_bytes(), 16);
        }
        // Of a query the rows so far are all only at its end.
        let query = matches!(ask.first, 6 | 0x10);
        if let Some(s) = v.status
            && (v.is_end || !query)
            && ask.counts
        {
            txn.num(&f::ROWS, u64::from(s.rows));
        }
        cx.close(txn, ask.last);
    }

    fn unanswered(&mut self, cx: &mut Cx<'_>, mut ask: Ask, q: Quality) {
        self.settle(cx, &mut ask);
        if let Some(mut txn) = ask.txn {
            if ask.call.what.is_quiet() {
                cx.forget(txn);
                return;
            }
            txn.taint(q);
            cx.close(txn, ask.last);
        }
    }

    /// No (more) answers will come for what waits.
    fn give_up(&mut self, cx: &mut Cx<'_>, q: Quality) {
        while let Some(ask) = self.pop() {
            self.unanswered(cx, ask, q);
        }
    }

    /// Something was lost; if `boundary`, where packets begin, too.
    fn lose(&mut self, cx: &mut Cx<'_>, dir: Direction, boundary: bool) {
        if boundary {
            let half = self.half(dir);
            (half.sync, half.skip, half.passes) = (false, 0, true);
        }
        match dir {
            Direction::ToServer => {
                // A call that is not whole: its answer may be anyone's.
                if boundary || self.queue.back().is_some_and(|a| !a.begun) {
                    self.give_up(cx, Quality::GAP);
                }
            }
            Direction::ToClient if self.queue.len() > 1 => self.give_up(cx, Quality::GAP),
            Direction::ToClient => {
                self.doubt = true;
                if let Some(ask) = self.queue.front_mut() {
                    ask.tail.clear();
                    if let Some(txn) = &mut ask.txn {
                        txn.taint(Quality::GAP);
                    }
                }
            }
        }
    }
}

/// The text of a cursor, empty when it was not seen.
fn text_of(cursors: &[(u32, Box<[u8]>)], cursor: u32) -> &[u8] {
    cursors.iter().find(|c| c.0 == cursor).map_or(&[], |c| &c.1)
}

impl Parser for Session {
    fn data(&mut self, cx: &mut Cx<'_>, dir: Direction, bytes: &[u8]) -> Progress {
        if self.half(dir).skip > 0 {
            let n = self.half(dir).skip.min(bytes.len());
            let half = self.half(dir);
            half.skip = half.skip.saturating_sub(n);
            if dir == Direction::ToClient {
                self.more(cx, bytes.get(..n).unwrap_or_default());
            }
            return Progress::Consumed(n);
        }
        self.half(dir.flip()).passes = false;
        if self.half(dir).passes && !self.half(dir).sync {
            return Progress::Consumed(bytes.len());
        }
        let Some(head) = bytes.first_chunk::<HEADER>() else { return Progress::Need(HEADER) };
        if !self.half(dir).sync {
            let fits =
                header(*head, self.wide).is_some() && (self.wide || probe::look(dir, bytes) != Verdict::No);
            if !fits {
                self.misses = self.misses.saturating_add(1);
                return if !self.proven && self.misses > MISSES {
                    Progress::Lost
                } else {
                    Progress::Consumed(bytes.len())
                };
            }
            self.half(dir).sync = true;
        }
        let Some(h) = header(*head, self.wide) else {
            if self.proven {
                cx.anomaly("oracle-packet");
            }
            self.misses = self.misses.saturating_add(1);
            if !self.proven && self.misses > MISSES {
                return Progress::Lost;
            }
            self.lose(cx, dir, true);
            return Progress::Consumed(bytes.len());
        };
        let want = h.len.min(WHOLE).min(cx.limits.stream);
        let Some(packet) = bytes.get(..want) else { return Progress::Need(want) };
        self.wide |= h.wide;
        self.size = self.size.max(u32::try_from(h.len).unwrap_or(u32::MAX));
        self.half(dir).skip = h.len.saturating_sub(want);
        self.packet(cx, dir, h, packet);
        if self.hidden >= HIDDEN {
            cx.anomaly("oracle-encrypted");
            self.give_up(cx, Quality::PERFECT);
            return Progress::Done;
        }
        Progress::Consumed(want)
    }

    fn gap(&mut self, cx: &mut Cx<'_>, dir: Direction, n: u64) {
        let half = self.half(dir);
        match usize::try_from(n).ok().and_then(|n| half.skip.checked_sub(n)) {
            // Within what is passed by anyway.
            Some(left) if half.skip > 0 => {
                half.skip = left;
                self.lose(cx, dir, false);
                self.ends(cx);
            }
            _ => self.lose(cx, dir, true),
        }
    }

    fn end(&mut self, cx: &mut Cx<'_>, dir: Direction) {
        self.half(dir).ended = true;
        // A client may close its direction and still wait for answers.
        if self.half(Direction::ToClient).ended {
            if self.queue.front().is_some_and(|a| a.begun && a.first != 0) {
                self.close(cx);
            }
            self.give_up(cx, Quality::PERFECT);
            if let Some(mut txn) = self.connect.take() {
                txn.text(&f::SQL, b"", 0);
                cx.forget(txn);
            }
        }
    }

    fn held(&self) -> usize {
        debug_assert_eq!(self.queued, self.queue.iter().map(Ask::heap).sum::<usize>());
        let queue = self.queue.capacity().saturating_mul(size_of::<Ask>());
        let cursors = self.cursors.capacity().saturating_mul(size_of::<(u32, Box<[u8]>)>());
        [queue, cursors, self.texts, self.who.held()].iter().fold(self.queued, |n, m| n.saturating_add(*m))
    }
}
