//! What the client sends, once it is whole: batches, calls, logins and what else there is.

use super::ask::{Ask, What};
use super::conversation::Conversation;
use super::rpc::{self, Behind};
use super::shared::Shared;
use super::types::Era;
use super::wire::{self, Header, Login, NAME, all_headers, message, status, utf8, utf16};
use crate::session::{Cx, Txn};
use base::Reader;
use record::{Kind, Quality, f::sql as f};

/// Bytes kept of a request beside its text and its values: headers, names, types.
const BESIDE: usize = 8 * 1024;
/// Bytes of texts of calls that wait, above which a message is not read on: each may have a long one by its handle.
const WAITING: usize = 2 * 1024 * 1024;
/// Bytes kept of a request, whatever the limit for texts.
const MOST: usize = 1024 * 1024;

impl Conversation {
    pub(super) fn request_begins(&mut self, cx: &mut Cx<'_>, shared: &mut Shared, header: Header) {
        let text = cx.limits.text.saturating_mul(2);
        let (want, told) = match header.kind {
            message::BATCH | message::TOKENS => (text.saturating_add(BESIDE), true),
            message::RPC => (text.saturating_mul(2).saturating_add(BESIDE), true),
            message::LOGIN | message::OLD_LOGIN => {
                self.open = Some(cx.quiet(0));
                (BESIDE, false)
            }
            message::TRANSACTION => (BESIDE, true),
            message::BULK => (0, true),
            message::PRELOGIN => (64, false),
            _ => (0, false),
        };
        if self.doubt && header.kind != message::ATTENTION {
            // The client has heard what we have not.
            self.give_up(cx, Quality::GAP);
        }
        if self.orphan && header.kind != message::ATTENTION && self.queue.iter().all(|a| !a.begun) {
            // That answer came before its request, as the packets were captured.
            self.give_up(cx, Quality::PERFECT);
        }
        self.early = false;
        shared.passes &= header.kind == message::ATTENTION;
        if header.status & status::RESET != 0 {
            shared.statements.clear();
        }
        self.client.want = want.min(MOST);
        if told {
            self.open = Some(cx.open(Kind::Sql, 0));
        }
    }

    /// A request, or the beginning of it. It does not wait for an answer that has gone by.
    pub(super) fn asked(&mut self, cx: &mut Cx<'_>, shared: &mut Shared, kind: u8, bytes: &[u8]) {
        let before = self.queue.len().saturating_sub(self.client.calls);
        self.request(cx, shared, kind, bytes);
        if !std::mem::take(&mut self.early) {
            return;
        }
        let (q, end) = if self.client.holed {
            (Quality::GAP, self.client.last)
        } else {
            (Quality::PERFECT, self.client.last)
        };
        self.orphan = false;
        while self.queue.len() > before {
            let Some(ask) = self.pop_back() else { break };
            ask.give_up(cx, q, end);
        }
    }

    /// A request, or the beginning of it.
    fn request(&mut self, cx: &mut Cx<'_>, shared: &mut Shared, kind: u8, bytes: &[u8]) {
        let txn = self.open.take();
        let holed = self.client.holed;
        match kind {
            message::PRELOGIN if wire::is_tls(bytes) => shared.tls = true,
            message::PRELOGIN => {
                shared.proven |= wire::prelogin(bytes, |_, _| ());
                self.wait(cx, Ask::new(What::Prelogin, None));
            }
            message::ATTENTION => {
                for ask in &mut self.queue {
                    ask.cancelled = true;
                }
            }
            message::LOGIN | message::OLD_LOGIN => {
                let login = if kind == message::LOGIN { wire::login(bytes) } else { wire::old_login(bytes) };
                let Login { user, db, program, host, era } = login.unwrap_or_default();
                shared.proven = true;
                (shared.user, shared.db) = (user.into(), db.into());
                (shared.program, shared.host) = (program.into(), host.into());
                if let Some(era) = era {
                    shared.dialect.era = era;
                }
                let Some(mut txn) = txn else { return };
                txn.asked(self.client.last);
                self.wait(cx, Ask::new(What::Login, Some(txn)));
            }
            // More of a login: its answer is the verdict.
            message::SSPI | message::FEDAUTH => {
                let txn = self.login.take();
                self.wait(cx, Ask::new(What::Login, txn));
            }
            message::RPC => {
                self.open = txn;
                self.last_calls(cx, shared, bytes);
                shared.proven = true;
            }
            _ => {
                let Some(mut txn) = txn else { return };
                if holed {
                    txn.taint(Quality::GAP);
                }
                let body = behind_headers(shared, kind, bytes);
                match kind {
                    message::BULK => {
                        txn.text(&f::SQL, &shared.bulk, cx.limits.text);
                        self.told(cx, shared, txn, None);
                    }
                    message::TRANSACTION => {
                        let text = transaction(body);
                        txn.text(&f::SQL, &text, cx.limits.text);
                        self.told(cx, shared, txn, None);
                    }
                    _ => self.batch(cx, shared, txn, kind, body),
                }
                shared.proven = true;
            }
        }
    }

    fn batch(&mut self, cx: &mut Cx<'_>, shared: &mut Shared, mut txn: Txn, kind: u8, body: &[u8]) {
        let cap = cx.limits.text;
        let text = if kind == message::TOKENS {
            // LANGUAGE of 5.0: length, flags, text.
            shared.dialect.era = Era::Old;
            match body.split_at_checked(6) {
                Some(([0x21, ..], text)) => text,
                _ => &[],
            }
        } else {
            body
        };
        if let Some(r) = &mut txn.record {
            r.begin_text(&f::SQL);
            if is_narrow(text) {
                shared.dialect.era = Era::Old;
                super::values::narrow(text.get(..cap).unwrap_or(text), &mut |b| r.append(b));
            } else {
                utf16(text, cap, &mut |b| r.append(b));
                /// Enough to see what it is.
                const HEAD: usize = 64;
                let head = utf8(text, HEAD);
                let mut words = head.split(u8::is_ascii_whitespace).filter(|w| !w.is_empty());
                if words.next().is_some_and(|w| w.eq_ignore_ascii_case(b"insert"))
                    && words.next().is_some_and(|w| w.eq_ignore_ascii_case(b"bulk"))
                {
                    shared.bulk = r.text_of(&f::SQL).into();
                }
            }
        }
        self.told(cx, shared, txn, None);
    }

    /// Room for a message that goes on: the calls in it that are whole wait from now on. False when none is.
    pub(super) fn calls_so_far(&mut self, cx: &mut Cx<'_>, shared: &mut Shared) -> bool {
        let mut kept = std::mem::take(&mut self.client.kept);
        let left = self.calls(cx, shared, &kept, false);
        let used = kept.len().saturating_sub(left);
        kept.drain(..used);
        self.client.kept = kept;
        self.client.used = self.client.used.saturating_add(used as u64);
        if used == 0 {
            // What comes behind one that is longer than all that is kept is not read.
            self.client.want = 0;
        }
        used > 0
    }

    /// The message is over, and these are the last of its bytes that were kept.
    fn last_calls(&mut self, cx: &mut Cx<'_>, shared: &mut Shared, bytes: &[u8]) {
        let cut = self.client.used.saturating_add(bytes.len() as u64) < self.client.total;
        let left = self.calls(cx, shared, bytes, true);
        let (calls, last) = (self.client.calls, self.client.last);
        for txn in self.queue.iter_mut().rev().take(calls).filter_map(|ask| ask.txn.as_mut()) {
            txn.asked(last);
        }
        match self.queue.back_mut() {
            Some(ask) if calls > 0 => (ask.last, ask.more) = (true, ask.more || cut || left > 0),
            _ => {
                // Not even a name could be read.
                if !cut && calls == 0 {
                    cx.anomaly("sqlserver-call");
                }
                if let Some(txn) = self.open.take() {
                    cx.forget(txn);
                }
                self.wait(cx, Ask::new(What::Statement, None));
            }
        }
    }

    /// Puts calls in the queue, with `all` also one that is not whole; gives the number of bytes that are left.
    fn calls(&mut self, cx: &mut Cx<'_>, shared: &mut Shared, bytes: &[u8], all: bool) -> usize {
        let cap = cx.limits.text;
        let body = if self.client.used == 0 { behind_headers(shared, message::RPC, bytes) } else { bytes };
        let mut r = Reader::new(body);
        while !r.is_empty() {
            let mut ahead = r;
            let (call, behind) = rpc::one(&mut ahead, shared.dialect.era, &shared.statements, cap);
            if behind != Behind::Next && !all {
                break;
            }
            let full = self.queue.len() >= cx.limits.pipeline.max(1) || self.queued > WAITING;
            if full && self.client.calls > 0 {
                // Those that wait keep their answers; this one and what comes behind it are not told.
                self.client.want = 0;
                return if all { r.left() } else { 0 };
            }
            if let Some(handle) = call.closes {
                shared.statements.remove(handle);
            }
            let holed = self.client.holed && behind != Behind::Next;
            // A text that is not whole would be taken for that of its executions.
            let prepares = (call.prepares && !holed).then(|| Box::from(call.sql.as_slice()));
            let txn = match self.open.take() {
                Some(txn) => Some(txn),
                None => call.told.then(|| cx.open(Kind::Sql, 0)),
            };
            match txn {
                Some(mut txn) if call.told => {
                    if holed {
                        txn.taint(Quality::GAP);
                    }
                    txn.text(&f::SQL, &call.sql, cap);
                    if let Some(p) = &call.params {
                        txn.text(&f::PARAMS, p, cap);
                    }
                    self.told(cx, shared, txn, prepares);
                }
                other => {
                    if let Some(txn) = other {
                        cx.forget(txn);
                    }
                    self.wait(cx, Ask::new(What::Statement, None));
                }
            }
            if let Some(ask) = self.queue.back_mut() {
                (ask.last, ask.more) = (false, behind == Behind::Cut);
            }
            self.client.calls = self.client.calls.saturating_add(1);
            r = ahead;
            if behind == Behind::Cut {
                break;
            }
        }
        r.left()
    }

    /// Puts a request that is told in the queue.
    fn told(&mut self, cx: &mut Cx<'_>, shared: &Shared, mut txn: Txn, prepares: Option<Box<[u8]>>) {
        txn.asked(self.client.last);
        shared.says(&mut txn);
        self.wait(cx, Ask { prepares, ..Ask::new(What::Statement, Some(txn)) });
    }
}

/// What stands behind the headers of a request.
fn behind_headers<'a>(shared: &mut Shared, kind: u8, bytes: &'a [u8]) -> &'a [u8] {
    match all_headers(bytes) {
        Some(body) => {
            shared.dialect.era = Era::V72;
            body
        }
        None => {
            // From 7.2 on they must be there.
            let must = matches!(kind, message::BATCH | message::RPC) && !bytes.is_empty();
            if shared.dialect.era == Era::V72 && must {
                shared.dialect.era = Era::V71;
            }
            bytes
        }
    }
}

/// Is it text of one byte a character? Every other byte of the text of others is mostly 0.
fn is_narrow(text: &[u8]) -> bool {
    /// Enough to tell.
    const SEEN: usize = 16;
    let head = text.get(..SEEN).unwrap_or(text);
    !head.is_empty() && !head.contains(&0) && head.is_ascii()
}

/// A request to the transaction manager, 2.2.6.9.
fn transaction(body: &[u8]) -> Vec<u8> {
    let mut r = Reader::new(body);
    let what = match r.le16("request") {
        Ok(0) => "GET DTC ADDRESS",
        Ok(1) => "PROPAGATE TRANSACTION",
        Ok(5) => "BEGIN TRANSACTION",
        Ok(6) => "PROMOTE TRANSACTION",
        Ok(7) => "COMMIT TRANSACTION",
        Ok(8) => "ROLLBACK TRANSACTION",
        Ok(9) => "SAVE TRANSACTION",
        _ => return Vec::new(),
    };
    let mut text = what.as_bytes().to_vec();
    let named = matches!(body.first(), Some(5 | 7 | 8 | 9));
    if matches!(body.first(), Some(5)) {
        let _ = r.u8("isolation");
    }
    if named
        && let Ok(n) = r.u8("length")
        && let Ok(name) = r.take(usize::from(n), "name")
        && !name.is_empty()
    {
        text.push(b' ');
        text.extend(utf8(name, NAME));
    }
    text
}
