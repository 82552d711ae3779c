//! What the server says.

use super::queue::{Ask, Item};
use super::session::Session;
use super::wire::{Head, Notice, oids, parameter_status, tag_rows, text_of};
use crate::session::{Cx, Txn};
use base::Mark;
use record::{Kind, Quality, f::sql as f};

impl Session {
    /// A message; its end may be cut off. False when it is none.
    pub(super) fn answer(&mut self, cx: &mut Cx<'_>, head: Head, body: &[u8], last: Mark) -> bool {
        let first = cx.mark_at(0);
        if head.kind != b'E' {
            self.flush(cx);
        }
        match head.kind {
            // Passwords are asked for: the login is not over before ReadyForQuery.
            b'R' => {}
            b'S' => match parameter_status(body) {
                Some((b"session_authorization", user)) if self.user.is_empty() => self.learn_user(user),
                Some(_) => {}
                None => return false,
            },
            b'E' => match Notice::read(body) {
                Some(e) => self.error(cx, &e, first, last),
                None => return false,
            },
            b'Z' => match body {
                [status] => self.ready(cx, *status, last),
                _ => return false,
            },
            b'1' => self.parsed(cx, first, last),
            b'2' => {
                if let Some(Item { ask: Ask::Bind(name), txn: Some(mut txn), claimed, .. }) =
                    self.complete(cx, first, |a| matches!(a, Ask::Bind(_)))
                {
                    txn.answering(first);
                    match self.names.portal(&name) {
                        Some(p) if !claimed => p.idle = Some((txn, last)),
                        _ if claimed => cx.forget(txn),
                        _ => self.told.push((txn, last)),
                    }
                }
            }
            b'3' => {
                if let Some(Item { ask: Ask::Close(Some(name)), .. }) =
                    self.complete(cx, first, |a| matches!(a, Ask::Close(_)))
                {
                    let seq = self.queue.seq().saturating_sub(1);
                    self.names.close(&name, seq, &mut self.told);
                }
            }
            b't' => {
                if let Some(at) = self.queue.find(first.time, |a| matches!(a, Ask::Describe(Some(_))))
                    && let Some(Ask::Describe(Some(name))) = self.queue.ask(at)
                {
                    self.names.describe(name, oids(body));
                }
            }
            b'n' | b'T' => {
                self.touch(first);
                let is_query = matches!(self.queue.front(first.time), Some(Item { ask: Ask::Query, .. }));
                if !is_query {
                    self.complete(cx, first, |a| matches!(a, Ask::Describe(_)));
                }
            }
            b'C' => {
                let tag = text_of(body);
                self.touch(first);
                if matches!(tag, b"DISCARD ALL" | b"DEALLOCATE ALL") {
                    let seq = self.queue.seq();
                    self.names.discard(seq, &mut self.told);
                }
                let rows = tag_rows(tag).unwrap_or(self.data_rows);
                self.executed(cx, rows, first, last);
            }
            b'I' => self.executed(cx, 0, first, last),
            b's' => self.executed(cx, self.data_rows, first, last),
            b'G' => {
                self.copying = true;
                self.touch(first);
                if matches!(self.queue.front(first.time), Some(Item { ask: Ask::Execute, .. })) {
                    self.queue.drop_sync();
                }
            }
            b'W' => {
                self.touch(first);
                self.finish_front(cx, last);
                self.streaming = true;
            }
            b'N' | b'H' | b'V' => self.touch(first),
            _ => {}
        }
        true
    }

    /// The answer to the front item has begun.
    pub(super) fn touch(&mut self, at: Mark) {
        self.queue.speaks(at.time);
        if self.queue.front(at.time).is_some()
            && let Some(txn) = self.queue.told()
        {
            txn.answering(at);
        }
    }

    /// Takes out the item that a message answers; what stands before it in its group has lost its answer.
    fn complete(&mut self, cx: &mut Cx<'_>, at: Mark, fits: impl Fn(&Ask) -> bool) -> Option<Item> {
        self.queue.speaks(at.time);
        if self.queue.in_doubt() {
            return None;
        }
        let Some(n) = self.queue.find(at.time, fits) else {
            if !self.queue.lossy {
                cx.anomaly("postgresql-unasked");
            }
            return None;
        };
        for _ in 0..n {
            if !self.queue.lossy {
                cx.anomaly("postgresql-order");
            }
            if let Some(Item { txn: Some(mut txn), .. }) = self.queue.pop() {
                txn.taint(Quality::GAP);
                self.queue.gone.push((txn, at));
            }
        }
        if let Some(txn) = self.queue.told() {
            txn.answering(at);
        }
        self.queue.pop()
    }

    /// ParseComplete.
    fn parsed(&mut self, cx: &mut Cx<'_>, first: Mark, last: Mark) {
        let Some(Item { ask: Ask::Parse(name, before), txn, claimed, .. }) =
            self.complete(cx, first, |a| matches!(a, Ask::Parse(..)))
        else {
            return;
        };
        self.told.extend(before.and_then(|s| s.idle));
        let Some(txn) = txn else { return };
        if claimed {
            cx.forget(txn);
            return;
        }
        let seq = self.queue.seq().saturating_sub(1);
        let untold = self.names.idle(&name, seq, (txn, last));
        self.told.extend(untold);
    }

    /// A statement is executed: CommandComplete, EmptyQueryResponse, PortalSuspended.
    fn executed(&mut self, cx: &mut Cx<'_>, rows: u64, first: Mark, last: Mark) {
        self.data_rows = 0;
        if matches!(self.queue.front(first.time), Some(Item { ask: Ask::Query, .. })) {
            self.touch(first);
            self.rows = self.rows.saturating_add(rows);
            return;
        }
        let item = self.complete(cx, first, |a| matches!(a, Ask::Execute));
        if let Some(Item { txn: Some(mut txn), .. }) = item {
            txn.answering(first);
            txn.num(&f::ROWS, rows);
            self.complete = Some((txn, last));
        }
    }

    /// ErrorResponse.
    fn error(&mut self, cx: &mut Cx<'_>, e: &Notice<'_>, first: Mark, last: Mark) {
        self.queue.speaks(first.time);
        let cap = cx.limits.text;
        if let Some(mut txn) = self.login.take() {
            self.flush(cx);
            txn.answering(first);
            txn.text(&f::SQL, b"", cap);
            fail(&mut txn, e, cap);
            self.close(cx, txn, last);
            return;
        }
        let rows = std::mem::take(&mut self.data_rows);
        let lossy = self.queue.lossy;
        match self.queue.front(first.time).map(|i| &i.ask) {
            None => {
                self.flush(cx);
                if !e.fatal && !self.queue.in_doubt() && !self.queue.lossy {
                    cx.anomaly("postgresql-unasked");
                }
            }
            Some(Ask::Query | Ask::Call) => {
                self.flush(cx);
                self.touch(first);
                self.rows = self.rows.saturating_add(rows);
                if !std::mem::replace(&mut self.failed, true)
                    && let Some(txn) = self.queue.told()
                {
                    fail(txn, e, cap);
                }
            }
            // A constraint that is checked at the end of the transaction.
            Some(Ask::Sync) => {
                if let Some((mut txn, _)) = self.complete.take() {
                    fail(&mut txn, e, cap);
                    self.close(cx, txn, last);
                }
            }
            Some(ask) => {
                let parse = matches!(ask, Ask::Parse(..));
                let named = match ask {
                    // Behind a loss the error may be that of something that was not seen.
                    Ask::Describe(Some(name)) if !lossy => Some(name.clone()),
                    _ => None,
                };
                self.flush(cx);
                let mut told = self.queue.take_told();
                if let (None, Some(name), Some(item)) = (&told, named, self.queue.front(first.time)) {
                    // A statement that is not there: a pool gave the client another session, for one.
                    let mut txn = cx.open(Kind::Sql, 0);
                    txn.came(item.at);
                    txn.text(&f::SQL, self.names.statement(&name).map_or(&[][..], |s| &s.text), cap);
                    told = Some(txn);
                }
                if let Some(mut txn) = told {
                    txn.answering(first);
                    txn.num(&f::ROWS, rows);
                    fail(&mut txn, e, cap);
                    self.close(cx, txn, last);
                }
                self.skip(cx);
                // A Bind that comes yet belongs to what was told just now.
                self.skipped = self.skipping && parse;
            }
        }
        self.copying = false;
    }

    /// What is left of the group at the front is not looked at by the server.
    fn skip(&mut self, cx: &mut Cx<'_>) {
        let (n, whole) = self.queue.rest_of_group();
        // The last first: a name that was given twice stands for what it did before both.
        for i in (0..n).rev() {
            let seq = self.queue.seq().saturating_add(i as u64);
            if let Some(Ask::Parse(name, before)) = self.queue.ask(i) {
                let (name, before) = (std::mem::take(name), before.take());
                self.names.undo(&name, seq, before, &mut self.told);
            }
        }
        for _ in 0..n {
            if let Some(Item { txn: Some(txn), claimed, .. }) = self.queue.pop() {
                if claimed {
                    cx.forget(txn);
                } else {
                    self.queue.gone.push((txn, cx.now));
                }
            }
        }
        self.skipping = !whole && n > 0 && !self.queue.is_torn();
    }

    /// ReadyForQuery.
    fn ready(&mut self, cx: &mut Cx<'_>, status: u8, last: Mark) {
        if let Some(txn) = self.login.take() {
            cx.forget(txn);
        }
        let mut before = self.queue.seq();
        // A group that nobody ended is answered: its end was lost, and that is not known yet.
        let mut unended = false;
        if !self.queue.ready(last.time) {
            unended = self.queue.front(last.time).is_some() && self.queue.all_begun();
            let mut ended = false;
            while self.queue.front(last.time).is_some() {
                ended = matches!(self.queue.ask(0), Some(a) if a.ends_group());
                if ended {
                    self.finish_front(cx, last);
                    self.queue.watch(last.time);
                    break;
                }
                if let Some(Item { txn: Some(mut txn), .. }) = self.queue.pop() {
                    txn.taint(Quality::GAP);
                    self.queue.gone.push((txn, last));
                }
            }
            if !ended {
                self.queue.ready_unasked(last.time);
            }
            before = self.queue.seq();
        }
        (self.rows, self.data_rows) = (0, 0);
        (self.failed, self.partial) = (false, false);
        if status == b'I' {
            let mut idle = Vec::new();
            self.names.drop_portals(before, &mut idle);
            if unended {
                idle.iter_mut().for_each(|(txn, _)| txn.taint(Quality::GAP));
            }
            self.told.append(&mut idle);
        }
    }

    /// The front item is answered: a Query, a FunctionCall, a Sync.
    pub(super) fn finish_front(&mut self, cx: &mut Cx<'_>, last: Mark) {
        let Some(Item { txn: Some(mut txn), .. }) = self.queue.pop() else { return };
        txn.answering(last);
        let rows = std::mem::take(&mut self.rows);
        if !self.partial {
            txn.num(&f::ROWS, rows);
        }
        if !std::mem::take(&mut self.failed) {
            succeed(&mut txn);
        }
        self.close(cx, txn, last);
    }
}

/// No error.
pub(super) fn succeed(txn: &mut Txn) {
    txn.word(&f::ERR, "");
    txn.word(&f::RET_CODE, "0");
}

/// The server's words.
fn fail(txn: &mut Txn, e: &Notice<'_>, cap: usize) {
    txn.text(&f::ERR, e.message, cap);
    txn.text(&f::RET_CODE, e.code, 16);
}
