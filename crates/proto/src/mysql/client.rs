//! What the client sends: the login, then commands.

use super::ask::{Ask, Kind};
use super::params::Attributes;
use super::session::{Packet, Phase, Session};
use super::statements::LAST;
use super::used::used;
use super::wire::{cap, change_user, com, login};
use crate::session::Cx;
use base::Reader;
use record::{Kind as Record, Quality, f};

/// Bytes kept of a login: names, the answer to the scramble, attributes of the connection.
const LOGIN: usize = 4096;
/// Bytes kept of a command beside its text: query attributes.
const BESIDE: usize = 4096;
/// Commands that are looked at for what they mean for one behind them: clients do not send more ahead of it.
const BEHIND: usize = 64;
/// Places kept for answers, for each command that may wait for one.
const PLACES: usize = 4;
/// Longest name of a user or a database that is kept: 80 and 64 characters are the servers' limits.
const NAME: usize = 512;

pub(super) fn name(bytes: &[u8]) -> Box<[u8]> {
    bytes.get(..NAME).unwrap_or(bytes).into()
}

impl Session {
    /// A packet begins: how much of it is wanted?
    pub(super) fn client_begins(
        &mut self,
        cx: &mut Cx<'_>,
        len: u32,
        seq: u8,
        before: u8,
        tail: &[u8],
        offset: usize,
    ) -> usize {
        if self.infile {
            // An empty packet ends the file. Its numbers go round.
            self.infile = len > 0 && seq == before.wrapping_add(1);
            if self.infile || len == 0 {
                return 0;
            }
        }
        match self.phase {
            Phase::Start | Phase::Greeted if seq != 0 => {
                let old = self.login.replace(cx.open(Record::Sql, offset));
                if let Some(txn) = old {
                    cx.forget(txn);
                }
                LOGIN
            }
            // Answers of the exchange that follows a login: secrets.
            _ if seq != 0 || len == 0 => 0,
            _ => {
                if self.phase != Phase::Command {
                    self.commands();
                }
                self.command_begins(cx, tail, offset)
            }
        }
    }

    /// The client sends commands: the verdict on its login went by unseen.
    pub(super) fn login_unheard(&mut self, cx: &mut Cx<'_>) {
        if let Some(txn) = self.login.take() {
            cx.forget(txn);
        }
        self.commands();
    }

    fn command_begins(&mut self, cx: &mut Cx<'_>, tail: &[u8], offset: usize) -> usize {
        self.attributes = None;
        let at = cx.mark_at(offset).time;
        let before = std::mem::replace(&mut self.began, at);
        let spoke = self.spoke.is_some_and(|t| before < t && t <= at);
        self.drift.turn(spoke, !self.queue.is_empty());
        let heard =
            if self.drift.is_certain() { self.doubt && !self.drift.settled } else { self.drift.is_serial() };
        if spoke && heard && !(self.queue.is_empty() && self.drift.is_certain()) {
            // The client has heard what we have not.
            self.give_up(cx, Quality::GAP);
            self.lost = false;
        }
        let command = tail.first().copied().unwrap_or_default();
        let text = cx.limits.text.saturating_add(BESIDE);
        let (kind, told, want) = match command {
            com::QUIT => return 0,
            com::STMT_CLOSE => return 5,
            com::STMT_SEND_LONG_DATA => return text,
            com::BINLOG_DUMP
            | com::BINLOG_DUMP_GTID
            | com::TABLE_DUMP
            | com::CLONE
            | com::SUBSCRIBE_GROUP_REPLICATION => {
                // From here on the log of changes, or a copy of the data.
                cx.anomaly("mysql-replication");
                self.give_up(cx, Quality::PERFECT);
                self.over = true;
                return 0;
            }
            com::QUERY => (Kind::Results, true, text),
            com::STMT_EXECUTE | com::STMT_BULK_EXECUTE => {
                (Kind::Results, true, text.saturating_add(self.statements.overhead(tail)))
            }
            com::STMT_PREPARE => (Kind::Prepare, true, text),
            com::STMT_FETCH => (Kind::Fetch, false, 5),
            com::FIELD_LIST => (Kind::Fields, false, 1),
            com::STATISTICS => (Kind::Statistics, false, 1),
            com::INIT_DB => (Kind::InitDb, false, NAME),
            com::RESET_CONNECTION => (Kind::Reset, false, 1),
            com::CHANGE_USER => (Kind::ChangeUser, true, LOGIN),
            com::STMT_RESET => (Kind::Single, false, 5),
            com::CREATE_DB
            | com::DROP_DB
            | com::REFRESH
            | com::SHUTDOWN
            | com::PROCESS_KILL
            | com::DEBUG
            | com::PING
            | com::SET_OPTION
            | com::REGISTER_SLAVE => (Kind::Single, false, 1),
            _ => (Kind::Results, false, 1),
        };
        if self.queue.len() >= cx.limits.pipeline.max(1) {
            self.tell_oldest(cx);
        }
        let txn = match kind {
            _ if told => Some(cx.open(Record::Sql, offset)),
            // Their errors are.
            Kind::InitDb | Kind::Fetch => Some(cx.quiet(offset)),
            _ => None,
        };
        self.queue.push_back(Ask::new(kind, txn, at));
        if self.lost_at.is_some_and(|t| at <= t) {
            // It comes late: its answer may be among those that were lost.
            self.answers_lost(cx, false);
        }
        self.asking = true;
        want
    }

    /// More wait than are kept: the oldest is told without its answer. Its place stays, or the answer would be the next's.
    fn tell_oldest(&mut self, cx: &mut Cx<'_>) {
        cx.anomaly("mysql-pipeline-full");
        if self.queue.len() >= cx.limits.pipeline.max(1).saturating_mul(PLACES) {
            self.at_sea(cx);
            return;
        }
        let Some(ask) = self.queue.get_mut(self.untold) else { return };
        self.untold = self.untold.saturating_add(1);
        let before = ask.heap();
        let txn = ask.txn.take();
        self.queued = self.queued.saturating_sub(before).saturating_add(ask.heap());
        if let Some(txn) = txn.filter(|_| ask.kind != Kind::ChangeUser) {
            cx.close(txn, self.client.last);
        }
    }

    /// The command under way was lost. Was there one?
    pub(super) fn drop_asking(&mut self, cx: &mut Cx<'_>) -> bool {
        if std::mem::take(&mut self.asking)
            && let Some(mut ask) = self.queue.pop_back()
        {
            ask.taint(Quality::GAP);
            let end = self.client.last;
            ask.give_up(cx, Quality::GAP, end);
            return true;
        }
        false
    }

    /// A packet, or what was wanted of it.
    pub(super) fn client_packet(&mut self, cx: &mut Cx<'_>, p: Packet<'_>) {
        if let Some(txn) = self.login.as_mut().filter(|_| matches!(self.phase, Phase::Start | Phase::Greeted))
        {
            txn.asked(self.client.last);
            self.logs_in(cx, p);
            return;
        }
        match p.first() {
            com::STMT_CLOSE => {
                if let Ok(id) = Reader::new(p.bytes.get(1..).unwrap_or_default()).le32("statement") {
                    self.statements.closed(id);
                }
            }
            com::STMT_SEND_LONG_DATA => self.statements.long_data(p.bytes, cx.limits.text),
            _ if std::mem::take(&mut self.asking) => {
                if let Some(mut ask) = self.queue.pop_back() {
                    self.asked(cx, &mut ask, p);
                    self.queued = self.queued.saturating_add(ask.heap());
                    self.queue.push_back(ask);
                }
            }
            _ => {}
        }
    }

    fn logs_in(&mut self, cx: &mut Cx<'_>, p: Packet<'_>) {
        let Ok(l) = login(p.bytes) else {
            cx.anomaly("mysql-login");
            if let Some(txn) = self.login.take() {
                cx.forget(txn);
            }
            return;
        };
        self.proven = true;
        let agreed = if self.offered == 0 { l.caps } else { l.caps & self.offered };
        if l.tls {
            // What follows is for TLS.
            cx.anomaly("mysql-tls");
            if let Some(txn) = self.login.take() {
                cx.forget(txn);
            }
            self.over = true;
            return;
        }
        self.phase = Phase::Auth;
        self.agreed = Some(agreed);
        (self.user, self.db) = (name(l.user), name(l.db));
        if let Some(mut txn) = self.login.take() {
            txn.text(&f::sql::SQL, b"", 0);
            self.who(&mut txn);
            self.login = Some(txn);
        }
    }

    /// User and database, as far as they are known.
    pub(super) fn who(&self, txn: &mut crate::session::Txn) {
        if !self.user.is_empty() {
            txn.text(&f::sql::USER, &self.user, NAME);
        }
        // A command sent ahead may choose another one.
        let chosen = !self.queue.is_empty() && self.queue.iter().rev().take(BEHIND).any(|a| a.db.is_some());
        if !self.db.is_empty() && !chosen {
            txn.text(&f::sql::DB, &self.db, NAME);
        }
    }

    /// A command is whole.
    fn asked(&mut self, cx: &mut Cx<'_>, ask: &mut Ask, p: Packet<'_>) {
        ask.seq = self.client.seq.wrapping_add(1);
        if self.client.holed {
            ask.taint(Quality::GAP);
        }
        let limit = cx.limits.text;
        let body = p.bytes.get(1..).unwrap_or_default();
        if let Some(txn) = &mut ask.txn {
            txn.asked(self.client.last);
        }
        match p.first() {
            com::QUERY => {
                let text = self.query_text(p.bytes).unwrap_or_else(|| {
                    // What is there of it is no text.
                    ask.taint(Quality::TRUNCATED);
                    &[]
                });
                ask.db = used(text, p.is_cut()).map(name);
                self.tell(ask, text, None, limit);
            }
            com::STMT_PREPARE => {
                self.tell(ask, body, None, limit);
                ask.text = body.get(..limit).unwrap_or(body).into();
            }
            com::STMT_EXECUTE | com::STMT_BULK_EXECUTE => {
                let is_last = Reader::new(body).le32("statement") == Ok(LAST);
                let mut latest = self.queue.iter().rev().take(if is_last { BEHIND } else { 0 });
                if let Some(prepare) = latest.find(|a| a.kind == Kind::Prepare) {
                    // Sent behind the preparation, whose answer tells how many parameters there are.
                    let text = prepare.text.clone();
                    ask.db = used(&text, false).map(name);
                    self.tell(ask, &text, None, limit);
                    ask.late = p.bytes.into();
                } else {
                    self.executes(ask, p.bytes, p.is_cut(), limit);
                }
            }
            com::STMT_RESET => {
                if let Ok(id) = Reader::new(body).le32("statement") {
                    self.statements.reset(id);
                }
            }
            com::INIT_DB => ask.db = Some(name(body)),
            com::STMT_FETCH => ask.statement = Reader::new(body).le32("statement").ok(),
            com::CHANGE_USER => {
                let (user, db) = change_user(p.bytes, self.agreed.unwrap_or_default()).unwrap_or_default();
                (ask.text, ask.db) = (name(user), Some(name(db)));
                if let Some(txn) = &mut ask.txn {
                    txn.text(&f::sql::SQL, b"", 0);
                    txn.text(&f::sql::USER, user, NAME);
                    if !db.is_empty() {
                        txn.text(&f::sql::DB, db, NAME);
                    }
                }
            }
            _ => {}
        }
    }

    /// Is it a query with attributes before its text? Where the login was not seen they show by their form: no text
    /// begins with such bytes.
    pub(super) fn has_attributes(&self, packet: &[u8]) -> bool {
        let few = match packet {
            [com::QUERY, n, 1, ..] => *n < b'\t',
            [com::QUERY, 0xfc, _, _, 1, ..] => false,
            _ => return false,
        };
        self.agreed.map_or(few, |c| c & cap::QUERY_ATTRIBUTES != 0)
    }

    /// As much as is wanted of a query is kept, and more comes: its attributes make room. Did they?
    pub(super) fn make_room(&mut self) -> bool {
        let Some((&com::QUERY, body)) = self.client.kept.split_first() else { return false };
        let mut r = Reader::new(body);
        if self.attributes.is_none() && self.has_attributes(&self.client.kept) {
            self.attributes = Some(Attributes::head(&mut r).unwrap_or_else(|_| Attributes::endless()));
        }
        let Some(attributes) = &mut self.attributes else { return false };
        attributes.pass(&mut r);
        let used = body.len().saturating_sub(r.rest().len());
        self.client.kept.drain(1..used.saturating_add(1));
        self.client.total = self.client.total.saturating_sub(used as u64);
        used > 0
    }

    /// The text of COM_QUERY; none where it was not found behind the attributes.
    fn query_text<'a>(&mut self, packet: &'a [u8]) -> Option<&'a [u8]> {
        let body = packet.get(1..).unwrap_or_default();
        let mut r = Reader::new(body);
        let mut attributes = match self.attributes.take() {
            Some(begun) => begun,
            None if self.has_attributes(packet) => Attributes::head(&mut r).ok()?,
            None => return Some(body),
        };
        attributes.pass(&mut r).then(|| r.rest())
    }

    /// Values of an execution, and the text of its statement.
    fn executes(&mut self, ask: &mut Ask, payload: &[u8], cut: bool, limit: usize) {
        let attributes = self.agreed.map(|c| c & cap::QUERY_ATTRIBUTES != 0);
        ask.columns = self.statements.columns(payload);
        let (text, list) = self.statements.execute(payload, cut, attributes, limit);
        ask.db = used(text, false).map(name);
        if let Some(txn) = &mut ask.txn {
            txn.text(&f::sql::SQL, text, limit);
            if let Some(list) = list {
                txn.text(&f::sql::PARAMS, &list.text, limit);
            }
        }
        self.tell_who(ask);
    }

    fn tell(&self, ask: &mut Ask, text: &[u8], params: Option<&[u8]>, limit: usize) {
        if let Some(txn) = &mut ask.txn {
            txn.text(&f::sql::SQL, text, limit);
            if let Some(params) = params {
                txn.text(&f::sql::PARAMS, params, limit);
            }
        }
        self.tell_who(ask);
    }

    /// A command that is told only when it fails has failed.
    pub(super) fn tell_failing(&self, cx: &mut Cx<'_>, ask: &mut Ask) {
        let Some(txn) = &mut ask.txn else { return };
        cx.tell(txn, Record::Sql);
        let text = ask.statement.map_or(&[][..], |id| self.statements.text(id));
        txn.text(&f::sql::SQL, text, cx.limits.text);
        if !self.user.is_empty() {
            txn.text(&f::sql::USER, &self.user, NAME);
        }
        let db = ask.db.as_ref().unwrap_or(&self.db);
        if !db.is_empty() {
            txn.text(&f::sql::DB, db, NAME);
        }
    }

    fn tell_who(&self, ask: &mut Ask) {
        if let Some(txn) = &mut ask.txn {
            self.who(txn);
        }
    }

    /// Puts in the values of an execution that was sent before its statement was known.
    pub(super) fn late_params(&mut self, ask: &mut Ask, limit: usize) {
        let payload = std::mem::take(&mut ask.late);
        let attributes = self.agreed.map(|c| c & cap::QUERY_ATTRIBUTES != 0);
        let (_, list) = self.statements.execute(&payload, false, attributes, limit);
        if let (Some(txn), Some(list)) = (&mut ask.txn, list) {
            txn.text(&f::sql::PARAMS, &list.text, limit);
        }
    }
}
