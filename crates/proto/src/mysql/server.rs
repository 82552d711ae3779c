//! What the server sends: the greeting, the verdict on the login, then answers.

use super::ask::{Ask, Kind, Stage, failure};
use super::client::name;
use super::session::{Packet, Phase, Session};
use super::wire::{Done, FULL, PROGRESS, cap, columns, eof, err, greeting, is_eof, ok, prepared, status};
use crate::session::Cx;
use base::{Direction, Mark};
use record::{Kind as Record, Quality};

/// Bytes kept of a packet that is looked into: an OK with changes of the session, an error.
const KEPT: usize = 16 * 1024;
/// Packets of this length are an EOF of the old kind, if they begin like one.
const EOF: u32 = 5;

impl Session {
    /// A packet begins: how much of it is wanted?
    pub(super) fn server_begins(
        &mut self,
        cx: &mut Cx<'_>,
        len: u32,
        seq: u8,
        before: u8,
        first: Option<u8>,
    ) -> usize {
        if self.phase != Phase::Command {
            return KEPT;
        }
        let at = self.server.first;
        let packed = self.server.packed;
        let doubt = self.doubt;
        if std::mem::take(&mut self.owed) && first == Some(0xfe) && len == EOF {
            // It ends the definitions before it: where such packets are left out, nothing looks like one.
            return 0;
        }
        if !self.drift.is_certain()
            && !self.queue.front().is_some_and(|a| a.begun)
            && !self.finds_its_command(cx, len, seq, before, first)
        {
            return 0;
        }
        let Some(ask) = self.queue.front_mut() else { return 0 };
        let is_end = matches!(first, Some(0xfe)) && len < FULL || first == Some(0xff);
        match ask.stage {
            // The answer has another number where something else came between.
            Stage::Head if !ask.begun && !packed && ask.seq != seq && ask.kind != Kind::ChangeUser => {
                if doubt { 0 } else { KEPT }
            }
            Stage::Head if !ask.begun => {
                ask.begun = true;
                self.is_it_piped(at);
                KEPT
            }
            Stage::Head | Stage::File => KEPT,
            Stage::Rows | Stage::Columned if !is_end => {
                ask.answering(at);
                ask.rows = ask.rows.saturating_add(1);
                ask.stage = Stage::Rows;
                0
            }
            Stage::Rows | Stage::Columned => KEPT,
            Stage::Columns(_) | Stage::Prepared(_) | Stage::Fields => {
                if is_end {
                    KEPT
                } else {
                    1
                }
            }
        }
    }

    /// A packet, or what was wanted of it.
    pub(super) fn server_packet(&mut self, cx: &mut Cx<'_>, p: Packet<'_>) {
        match self.phase {
            Phase::Start | Phase::Greeted => self.greets(cx, p),
            Phase::Auth => self.judges(cx, p),
            Phase::Command => self.answers(cx, p),
        }
    }

    fn greets(&mut self, cx: &mut Cx<'_>, p: Packet<'_>) {
        if let Ok(g) = greeting(p.bytes)
            && self.phase == Phase::Start
        {
            self.phase = Phase::Greeted;
            self.offered = g.caps;
            self.proven = true;
        } else if p.first() == 0xff
            && let Ok(e) = err(p.bytes)
        {
            // Not even a greeting: too many connections, a host that is blocked.
            self.proven = true;
            let mut txn = self.login.take().unwrap_or_else(|| cx.open(Record::Sql, 0));
            txn.unasked();
            txn.answering(self.server.first);
            txn.text(&record::f::sql::SQL, b"", 0);
            failure(&mut txn, e.code, e.message, cx.limits.text);
            cx.close(txn, self.server.last);
        } else if self.phase == Phase::Start {
            self.lose(cx, Direction::ToClient, None);
        }
    }

    fn judges(&mut self, cx: &mut Cx<'_>, p: Packet<'_>) {
        match p.first() {
            0 => {
                self.proven = true;
                if let Some(db) = ok(p.bytes).ok().and_then(|done| done.schema) {
                    self.db = name(db);
                }
                self.doubt = false;
                self.login_unheard(cx);
            }
            0xff => {
                let Ok(e) = err(p.bytes) else { return };
                if e.code == PROGRESS {
                    return;
                }
                if let Some(mut txn) = self.login.take() {
                    txn.answering(self.server.first);
                    failure(&mut txn, e.code, e.message, cx.limits.text);
                    cx.close(txn, self.server.last);
                }
            }
            // Another method of authentication, or more of it.
            _ => {}
        }
    }

    /// Takes the oldest command off.
    pub(super) fn pop(&mut self, cx: &mut Cx<'_>, end: impl FnOnce(&mut Cx<'_>, Ask, Mark)) {
        let last = self.server.last;
        if let Some(ask) = self.queue.pop_front() {
            self.queued = self.queued.saturating_sub(ask.heap());
            self.drift.popped();
            self.untold = self.untold.saturating_sub(1);
            if self.queue.is_empty() {
                (self.asking, self.queued) = (false, 0);
            }
            self.infile = false;
            if ask.db.is_some() {
                // Whether it was chosen is not known.
                self.db = Box::default();
                if ask.kind == Kind::ChangeUser {
                    self.user = Box::default();
                }
            }
            end(cx, ask, last);
        }
    }

    /// No (more) answers will come for what is open.
    pub(super) fn give_up(&mut self, cx: &mut Cx<'_>, q: Quality) {
        while !self.queue.is_empty() {
            self.pop(cx, |cx, ask, end| ask.give_up(cx, q, end));
        }
        self.drift.over();
    }

    /// A packet of an answer.
    fn answers(&mut self, cx: &mut Cx<'_>, p: Packet<'_>) {
        let at = self.server.first;
        let limit = cx.limits.text;
        let Some(mut ask) = self.queue.pop_front() else { return };
        // Its account is settled by `pop`, which sees it with what was added since.
        let before = ask.heap();
        if p.first() == 0xff
            && let Ok(e) = err(p.bytes)
        {
            if e.code != PROGRESS {
                ask.answering(at);
                if ask.kind == Kind::Prepare {
                    self.statements.failed(std::mem::take(&mut ask.text));
                }
                if !ask.late.is_empty() {
                    self.late_params(&mut ask, limit);
                }
                if matches!(ask.kind, Kind::InitDb | Kind::Fetch) {
                    self.tell_failing(cx, &mut ask);
                }
                if !ask.more {
                    // None of it was done.
                    ask.db = None;
                }
                self.back(ask, before);
                (self.proven, self.doubt) = (true, false);
                self.pop(cx, |cx, ask, end| ask.close(cx, Some((e.code, e.message)), end));
            } else {
                self.back(ask, before);
            }
            return;
        }
        ask.answering(at);
        if !ask.late.is_empty() {
            self.late_params(&mut ask, limit);
        }
        let done = self.step(&mut ask, p);
        let is_over = match &done {
            Step::Ended(done) => self.ended(&mut ask, done),
            _ => false,
        };
        self.back(ask, before);
        match done {
            Step::On => {}
            Step::Ended(_) if is_over => self.pop(cx, |cx, ask, end| ask.close(cx, None, end)),
            Step::Ended(_) => {}
            Step::Bad => {
                cx.anomaly("mysql-answer");
                self.lose(cx, Direction::ToClient, None);
            }
        }
    }

    /// Puts the oldest command back.
    fn back(&mut self, ask: Ask, before: usize) {
        self.queued = self.queued.saturating_sub(before).saturating_add(ask.heap());
        self.queue.push_front(ask);
    }

    /// The next packet of an answer that is no error.
    fn step<'a>(&mut self, ask: &mut Ask, p: Packet<'a>) -> Step<'a> {
        match ask.stage {
            Stage::Head | Stage::File => self.head(ask, p),
            Stage::Columns(n) => {
                // Its catalog is always "def".
                self.proven |= p.first() == 3;
                ask.stage = if n > 1 { Stage::Columns(n.saturating_sub(1)) } else { Stage::Columned };
                Step::On
            }
            Stage::Columned if p.first() == 0xfe && is_eof(p.total) => {
                let done = eof(p.bytes);
                if done.status & status::CURSOR_EXISTS != 0 {
                    // The rows wait in the server, to be fetched.
                    ask.counted = false;
                    return Step::Ended(done);
                }
                ask.stage = Stage::Rows;
                Step::On
            }
            Stage::Columned | Stage::Rows | Stage::Fields => match p.first() {
                0xfe => {
                    let done = end(p);
                    if done.status & status::CURSOR_EXISTS != 0 {
                        ask.counted = false;
                    }
                    // What it calls affected are the rows, if anything.
                    Step::Ended(Done { affected: 0, ..done })
                }
                _ => Step::On,
            },
            // Those of parameters and of columns may have an EOF between them.
            Stage::Prepared(_) if p.first() == 0xfe && is_eof(p.total) => Step::On,
            Stage::Prepared(n) if n > 1 => {
                ask.stage = Stage::Prepared(n.saturating_sub(1));
                Step::On
            }
            Stage::Prepared(_) => {
                // For certain only where both sides have said so.
                let both = self.offered & self.agreed.unwrap_or_default();
                self.owed = both & cap::DEPRECATE_EOF == 0;
                Step::Ended(Done::default())
            }
        }
    }

    /// The first packet of a result.
    fn head<'a>(&mut self, ask: &mut Ask, p: Packet<'a>) -> Step<'a> {
        match (p.first(), ask.kind) {
            (_, Kind::Statistics) => Step::Ended(Done::default()),
            // Authentication goes on.
            (0xfe | 1, Kind::ChangeUser) => Step::On,
            (0, Kind::Prepare) => {
                let Ok(s) = prepared(p.bytes) else { return Step::Bad };
                self.statements.prepared(s.id, std::mem::take(&mut ask.text), s.params, s.columns);
                let definitions = u32::from(s.params).saturating_add(u32::from(s.columns));
                if definitions == 0 || !s.defined {
                    return Step::Ended(Done::default());
                }
                ask.stage = Stage::Prepared(definitions);
                Step::On
            }
            (0, _) if p.total >= 5 || p.total == 3 => match ok(p.bytes) {
                Ok(done) => Step::Ended(done),
                Err(_) => Step::Bad,
            },
            (0xfe, _) => Step::Ended(end(p)),
            (0xfb, Kind::Results) => {
                self.infile = true;
                // The file's first packet has the number behind this one's.
                self.client.seq = self.server.seq;
                ask.stage = Stage::File;
                Step::On
            }
            (_, Kind::Results) => match columns(p.bytes).filter(|_| !p.is_cut()) {
                Some(c) if c.defined => {
                    ask.stage = Stage::Columns(c.count);
                    Step::On
                }
                Some(_) => {
                    ask.stage = Stage::Columned;
                    Step::On
                }
                None => Step::Bad,
            },
            _ => Step::Bad,
        }
    }

    /// A result is whole. Was it the last one?
    fn ended(&mut self, ask: &mut Ask, done: &Done<'_>) -> bool {
        (self.proven, self.doubt) = (true, false);
        ask.rows = ask.rows.saturating_add(done.affected);
        if let Some(db) = done.schema {
            // That is more than its text says.
            (self.db, ask.db) = (name(db), None);
        }
        if done.status & status::MORE_RESULTS != 0 && ask.kind == Kind::Results {
            (ask.stage, ask.more) = (Stage::Head, true);
            return false;
        }
        if let Some(db) = ask.db.take() {
            self.db = db;
        }
        if ask.kind == Kind::ChangeUser {
            self.user = std::mem::take(&mut ask.text);
        }
        if matches!(ask.kind, Kind::ChangeUser | Kind::Reset) {
            self.statements.clear();
        }
        true
    }
}

/// What a packet means for its answer.
enum Step<'a> {
    /// More will come.
    On,
    /// A result is whole.
    Ended(Done<'a>),
    /// It is none.
    Bad,
}

/// An EOF of the old kind, or the OK that came in its place.
fn end(p: Packet<'_>) -> Done<'_> {
    if is_eof(p.total) { eof(p.bytes) } else { ok(p.bytes).unwrap_or_default() }
}
