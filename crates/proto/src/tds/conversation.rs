//! One session: messages are put together from packets, requests are paired with answers. There is one
//! message each way at a time, so answers come in the order of the requests.

use super::ask::{Ask, What};
use super::shared::Shared;
use super::tokens::{Dialect, Done, Event, Tokens, done};
use super::wire::{self, HEADER, Header, NAME, message, status, utf8};
use crate::session::{Cx, Txn};
use base::{Direction, Mark};
use record::{Kind, Quality, f::sql as f};
use std::collections::VecDeque;

/// One direction.
#[derive(Debug, Default)]
pub(super) struct Half {
    /// A header that is not whole.
    head: [u8; HEADER],
    have: usize,
    /// Bytes of the packet that are to come.
    pub(super) left: usize,
    /// It is the last of its message.
    ends: bool,
    /// Kind of the message under way.
    pub(super) kind: Option<u8>,
    ignored: bool,
    /// Its first bytes, kept while the rest is awaited.
    pub(super) kept: Vec<u8>,
    pub(super) want: usize,
    pub(super) total: u64,
    pub(super) holed: bool,
    /// Calls of the message that wait already, and its bytes that they took.
    pub(super) calls: usize,
    pub(super) used: u64,
    /// Where it began, and where its last byte so far lay.
    first: Mark,
    pub(super) last: Mark,
}

impl Half {
    /// Between two packets.
    pub(super) fn is_idle(&self) -> bool {
        self.have == 0 && self.left == 0
    }

    fn reset(&mut self) {
        *self = Half { last: self.last, ..Half::default() };
    }
}

/// What the answer under way is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Answer {
    /// Tokens for the oldest request.
    Tokens,
    /// Options of a pre-login: kept whole.
    Options,
    /// Tokens for a request that was not seen: it may have chosen another database.
    Orphan,
    /// Nothing waits for it, or it is of TLS.
    #[default]
    Ignored,
}

/// One session.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    pub(super) client: Half,
    pub(super) server: Half,
    /// Requests that wait, in order. [`crate::Limits::pipeline`] at most.
    pub(super) queue: VecDeque<Ask>,
    /// Heap of those.
    pub(super) queued: usize,
    /// The request under way.
    pub(super) open: Option<Txn>,
    tokens: Tokens,
    answer: Answer,
    /// The answer was lost in part, and none was whole since.
    pub(super) doubt: bool,
    /// An answer began while the request under way was not whole: it is that one's.
    pub(super) early: bool,
    /// An answer came that nobody waited for.
    pub(super) orphan: bool,
    /// A login that goes on.
    pub(super) login: Option<Txn>,
}

impl Conversation {
    pub(super) fn half(&mut self, dir: Direction) -> &mut Half {
        match dir {
            Direction::ToServer => &mut self.client,
            Direction::ToClient => &mut self.server,
        }
    }

    pub(super) fn held(&self) -> usize {
        let queue = self.queue.capacity().saturating_mul(size_of::<Ask>()).saturating_add(self.queued);
        let open = self.open.as_ref().and_then(|t| t.record.as_ref()).map_or(0, |r| r.heap());
        [self.client.kept.capacity(), self.server.kept.capacity(), self.tokens.held(), queue, open]
            .iter()
            .fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// Takes bytes up to the end of a packet; gives their number. `None`: they are no packet.
    pub(super) fn push(
        &mut self,
        cx: &mut Cx<'_>,
        shared: &mut Shared,
        dir: Direction,
        bytes: &[u8],
        at: usize,
    ) -> Option<usize> {
        let half = self.half(dir);
        let mut used = 0usize;
        if half.left == 0 {
            let from = half.have;
            for (to, b) in half.head.iter_mut().skip(from).zip(bytes) {
                *to = *b;
                used = used.saturating_add(1);
            }
            if half.have == 0 && half.kind.is_none() {
                half.first = cx.mark_at(at);
            }
            half.have = from.saturating_add(used);
            half.last = cx.mark_at(at.saturating_add(used.saturating_sub(1)));
            if half.have < HEADER {
                return Some(used);
            }
            half.have = 0;
            let header = wire::header(half.head)?;
            self.packet_begins(cx, shared, dir, header, at)?;
            if header.len == 0 {
                self.packet_ends(cx, shared, dir, &[]);
            }
            return Some(used);
        }
        let piece = bytes.get(..half.left).unwrap_or(bytes);
        half.left = half.left.saturating_sub(piece.len());
        half.last = cx.mark_at(at.saturating_add(piece.len().saturating_sub(1)));
        half.total = half.total.saturating_add(piece.len() as u64);
        if dir == Direction::ToClient && matches!(self.answer, Answer::Tokens | Answer::Orphan) {
            self.answered(cx, shared, piece);
        } else {
            let half = self.half(dir);
            // Calls are read alike however they are cut.
            let calls = half.kind == Some(message::RPC);
            let fits = !calls || piece.len() <= half.want;
            let only = half.total == piece.len() as u64 && half.kept.is_empty() && fits;
            if half.left == 0 && half.ends && only && !half.holed {
                // The usual case: nothing was held.
                self.packet_ends(cx, shared, dir, piece);
                return Some(piece.len());
            }
            if !half.holed {
                self.keep(cx, shared, dir, piece, calls);
            }
        }
        if self.half(dir).left == 0 {
            self.packet_ends(cx, shared, dir, &[]);
        }
        Some(piece.len())
    }

    /// Keeps what is wanted of a message. Calls that are whole make room for those behind them.
    fn keep(&mut self, cx: &mut Cx<'_>, shared: &mut Shared, dir: Direction, mut piece: &[u8], calls: bool) {
        loop {
            let half = self.half(dir);
            let room = half.want.saturating_sub(half.kept.len());
            let (now, later) = piece.split_at_checked(room).unwrap_or((piece, &[]));
            half.kept.extend_from_slice(now);
            if later.is_empty() || half.want == 0 || !calls || !self.calls_so_far(cx, shared) {
                return;
            }
            piece = later;
        }
    }

    fn packet_begins(
        &mut self,
        cx: &mut Cx<'_>,
        shared: &mut Shared,
        dir: Direction,
        header: Header,
        at: usize,
    ) -> Option<()> {
        let is_answer = header.kind == message::ANSWER;
        let fits = match dir {
            Direction::ToServer => !is_answer,
            Direction::ToClient => is_answer || matches!(header.kind, message::PRELOGIN | message::TOKENS),
        };
        if !fits {
            return None;
        }
        if let Some(under_way) = self.half(dir).kind
            && under_way != header.kind
        {
            if header.kind != message::ATTENTION {
                cx.anomaly("sqlserver-message-broken-off");
            }
            self.message_lost(cx, dir);
            self.half(dir).first = cx.mark_at(at);
        }
        let half = self.half(dir);
        half.left = header.len;
        half.ends = header.status & status::END != 0;
        half.ignored |= header.status & status::IGNORE != 0;
        if half.kind.is_none() {
            half.kind = Some(header.kind);
            match dir {
                Direction::ToServer => self.request_begins(cx, shared, header),
                Direction::ToClient => self.answer_begins(),
            }
        }
        Some(())
    }

    fn answer_begins(&mut self) {
        self.server.want = 0;
        // None waits but calls of the message under way.
        let own = self.queue.len() <= self.client.calls;
        self.answer = match self.queue.front() {
            _ if own => Answer::Orphan,
            Some(ask) if ask.what == What::Prelogin => {
                self.server.want = 256;
                Answer::Options
            }
            _ => Answer::Tokens,
        };
        self.tokens.begin();
        if self.server.holed {
            self.tokens.hole();
        }
        self.orphan = own;
        self.early |= own && (self.open.is_some() || self.client.calls > 0);
        let first = self.server.first;
        if let (Answer::Tokens, Some(ask)) = (self.answer, self.queue.front_mut()) {
            ask.answering(first);
        }
    }

    /// A packet is whole; `only` is all of its message if nothing was kept.
    fn packet_ends(&mut self, cx: &mut Cx<'_>, shared: &mut Shared, dir: Direction, only: &[u8]) {
        let half = self.half(dir);
        if !half.ends {
            return;
        }
        let kept = std::mem::take(&mut half.kept);
        let kind = half.kind.unwrap_or_default();
        let ignored = half.ignored;
        let bytes = if kept.is_empty() { only } else { &kept };
        match dir {
            Direction::ToServer if ignored => self.forget_message(cx),
            Direction::ToServer => self.asked(cx, shared, kind, bytes),
            Direction::ToClient => self.answer_ends(cx, shared, bytes),
        }
        self.half(dir).reset();
    }

    pub(super) fn wait(&mut self, cx: &mut Cx<'_>, ask: Ask) {
        if self.queue.len() >= cx.limits.pipeline.max(1) {
            cx.anomaly("sqlserver-pipeline-full");
            let end = self.server.last;
            self.pop(|ask| ask.give_up(cx, Quality::PERFECT, end));
        }
        self.queued = self.queued.saturating_add(ask.heap());
        self.queue.push_back(ask);
    }

    pub(super) fn pop(&mut self, end: impl FnOnce(Ask)) {
        if let Some(ask) = self.queue.pop_front() {
            self.queued = self.queued.saturating_sub(ask.heap());
            if self.queue.is_empty() {
                self.queued = 0;
            }
            end(ask);
        }
    }

    /// No (more) answers will come for what waits.
    pub(super) fn give_up(&mut self, cx: &mut Cx<'_>, q: Quality) {
        let end = self.server.last;
        while !self.queue.is_empty() {
            self.pop(|ask| ask.give_up(cx, q, end));
        }
        self.doubt = false;
        self.answer = Answer::Ignored;
    }

    /// Bytes of an answer.
    fn answered(&mut self, cx: &mut Cx<'_>, shared: &mut Shared, piece: &[u8]) {
        if self.server.total == piece.len() as u64 && wire::is_tls(piece) {
            shared.tls = true;
            self.answer = Answer::Ignored;
            return;
        }
        let mut tokens = std::mem::take(&mut self.tokens);
        let mut dialect = shared.dialect;
        tokens.feed(piece, &mut dialect, &mut |e| self.event(cx, shared, e));
        shared.dialect = Dialect { era: shared.dialect.era, ..dialect };
        self.tokens = tokens;
    }

    fn event(&mut self, cx: &mut Cx<'_>, shared: &mut Shared, event: Event<'_>) {
        let last = self.server.last;
        if let Event::Database(name) = event {
            shared.db = utf8(name, NAME).into();
            shared.proven = true;
            return;
        }
        if self.answer != Answer::Tokens {
            return;
        }
        let Some(ask) = self.queue.front_mut() else { return };
        if !ask.begun {
            ask.answering(last);
        }
        match event {
            Event::Error { number, message, narrow } => {
                let before = ask.heap();
                if let (What::Login, false, Some(txn)) = (ask.what, ask.failed, &mut ask.txn) {
                    cx.tell(txn, Kind::Sql);
                    txn.text(&f::SQL, b"", 0);
                    shared.says(txn);
                }
                ask.fail(number, message, narrow, cx.limits.text);
                self.queued = self.queued.saturating_sub(before).saturating_add(ask.heap());
                shared.proven = true;
            }
            Event::Database(_) => {}
            Event::Login(version) => {
                ask.done = true;
                if let Some(era) = wire::era(version) {
                    shared.dialect.era = era;
                }
            }
            Event::Handle(handle) => {
                if let Some(text) = ask.prepares.take() {
                    self.queued = self.queued.saturating_sub(text.len());
                    shared.statements.put(handle, text);
                }
            }
            Event::Unknown => {
                ask.counted = false;
                cx.anomaly("sqlserver-token");
            }
            Event::Done(done) => self.done(cx, shared, done, last),
        }
    }

    fn done(&mut self, cx: &mut Cx<'_>, shared: &mut Shared, done: Done, last: Mark) {
        let Some(ask) = self.queue.front_mut() else { return };
        if done.status & done::COUNT != 0 && !done.procedure {
            ask.rows = ask.rows.saturating_add(done.count);
        }
        ask.unclear |= done.status & (done::ERROR | done::SERVER_ERROR) != 0;
        if done.status & done::ATTENTION == 0 {
            // It was answered before the server heard that it was cancelled.
            if done.status & done::MORE == 0 {
                ask.cancelled = false;
            }
        } else {
            ask.cancelled = true;
        }
        // The end of a call that is not the last of its message.
        if done.procedure && done.status & done::IN_BATCH != 0 && (!ask.last || ask.more) {
            let untold = ask.last;
            self.pop(|ask| ask.close(cx, last));
            if untold {
                // The rest of the answer is for calls that were not read. They may have given handles back.
                cx.anomaly("sqlserver-calls-untold");
                shared.statements.clear();
                self.queue.push_front(Ask::new(What::Statement, None));
            }
        }
    }

    fn answer_ends(&mut self, cx: &mut Cx<'_>, shared: &mut Shared, bytes: &[u8]) {
        let last = self.server.last;
        let answer = self.answer;
        if answer != Answer::Tokens {
            self.answer = Answer::Ignored;
        }
        match answer {
            Answer::Ignored | Answer::Orphan => {}
            Answer::Options => {
                if wire::is_tls(bytes) {
                    shared.tls = true;
                    return;
                }
                wire::prelogin(bytes, |token, text| {
                    // ENCRYPTION: 0 is off, but for the login.
                    if token == 1 {
                        shared.login_only = text == [0];
                    }
                });
                self.pop(|ask| ask.close(cx, last));
            }
            Answer::Tokens => {
                let mut tokens = std::mem::take(&mut self.tokens);
                let whole = tokens.end(shared.dialect, &mut |e| self.event(cx, shared, e));
                self.tokens = tokens;
                self.answer = Answer::Ignored;
                if let Some(ask) = self.queue.front_mut()
                    && !whole
                {
                    (ask.unclear, ask.counted) = (true, false);
                }
                self.doubt = false;
                let holed = self.server.holed;
                // All that its message asked for is answered. Of several nobody saw how any of these went.
                let several = self.queue.front().is_some_and(|ask| !ask.last);
                while let Some(ask) = self.queue.front_mut() {
                    let is_last = ask.last;
                    if several {
                        ask.answering(last);
                        (ask.unclear, ask.counted) = (true, false);
                        if holed {
                            ask.taint();
                        }
                    }
                    if ask.what == What::Login && !ask.failed && !ask.done {
                        // The server wants to know more.
                        self.login = ask.txn.take();
                    }
                    self.pop(|ask| ask.close(cx, last));
                    if is_last {
                        break;
                    }
                }
            }
        }
    }

    /// The message under way will not be whole.
    pub(super) fn message_lost(&mut self, cx: &mut Cx<'_>, dir: Direction) {
        if dir == Direction::ToServer {
            self.forget_message(cx);
        }
        self.half(dir).reset();
    }

    /// What was read of the client's message under way is not told.
    fn forget_message(&mut self, cx: &mut Cx<'_>) {
        let mut all = self.open.take();
        for _ in 0..self.client.calls {
            if let Some(txn) = all.take() {
                cx.forget(txn);
            }
            all = self.pop_back().and_then(|ask| ask.txn);
        }
        if let Some(txn) = all {
            cx.forget(txn);
        }
    }

    pub(super) fn pop_back(&mut self) -> Option<Ask> {
        let ask = self.queue.pop_back()?;
        self.queued = self.queued.saturating_sub(ask.heap());
        Some(ask)
    }

    /// `n` bytes of packets were not seen. False when it is not known where the next begins.
    pub(super) fn missing(&mut self, cx: &mut Cx<'_>, shared: &mut Shared, dir: Direction, n: u64) -> bool {
        let half = self.half(dir);
        let left = (half.left as u64).checked_sub(n).and_then(|n| usize::try_from(n).ok());
        let (Some(left), true) = (left, half.left > 0) else {
            self.lose(cx, shared, dir);
            return false;
        };
        // It lies within one packet: the next is where it was.
        half.left = left;
        half.holed = true;
        half.total = half.total.saturating_add(n);
        if dir == Direction::ToClient {
            self.tokens.hole();
            self.forget_database(shared);
            if self.answer == Answer::Tokens
                && let Some(ask) = self.queue.front_mut()
            {
                ask.taint();
            }
        }
        if left == 0 {
            self.packet_ends(cx, shared, dir, &[]);
        }
        true
    }

    /// Some of an answer was lost: if it may have told of another database, which it is is not known.
    fn forget_database(&mut self, shared: &mut Shared) {
        let orphan = self.queue.is_empty() && self.answer == Answer::Orphan;
        if !shared.db.is_empty() && (orphan || self.queue.iter_mut().any(Ask::may_use)) {
            shared.db = Box::default();
        }
    }

    /// Where packets begin is no longer known.
    pub(super) fn lose(&mut self, cx: &mut Cx<'_>, shared: &mut Shared, dir: Direction) {
        match dir {
            Direction::ToServer => {
                let told = self.open.is_some() || self.client.calls > 0;
                if let (Some(kind), true) = (self.client.kind, told) {
                    // Told as far as it was seen; its answer may be anyone's.
                    let kept = std::mem::take(&mut self.client.kept);
                    (self.client.holed, self.early) = (true, true);
                    self.asked(cx, shared, kind, &kept);
                }
                self.client.reset();
            }
            Direction::ToClient => {
                self.server.reset();
                self.tokens.hole();
                self.forget_database(shared);
                let messages = self.queue.iter().filter(|a| a.last).count();
                // Of several the next answer may be anyone's.
                if messages > 1 || self.queue.len() != messages {
                    self.give_up(cx, Quality::GAP);
                    return;
                }
                self.answer = Answer::Ignored;
                self.doubt = true;
                for ask in &mut self.queue {
                    ask.taint();
                }
            }
        }
    }

    /// A packet in the middle of an answer was found after something was lost.
    pub(super) fn joins(&mut self, number: u8) {
        if self.doubt && number > 1 && self.server.kind.is_none() {
            self.server.holed = true;
        }
    }

    /// Bytes of a login go by under TLS: its answer can be read.
    pub(super) fn hidden_login(&mut self, cx: &mut Cx<'_>) {
        let last = cx.mark_at(0);
        match self.queue.back_mut() {
            None => {
                let txn = cx.quiet(0);
                self.wait(cx, Ask::new(What::Login, Some(txn)));
            }
            Some(Ask { what: What::Login, txn: Some(txn), .. }) => txn.asked(last),
            Some(_) => {}
        }
    }

    /// The end of it.
    pub(super) fn end(&mut self, cx: &mut Cx<'_>) {
        for txn in [self.open.take(), self.login.take()].into_iter().flatten() {
            cx.forget(txn);
        }
        self.give_up(cx, Quality::PERFECT);
    }
}
