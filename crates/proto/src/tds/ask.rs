//! A request that waits for its answer.

use super::wire::utf16;
use crate::session::{Cx, Txn};
use base::Mark;
use record::{Quality, f::sql as f};

/// What a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A statement, a call, a transaction.
    Statement,
    /// Told only when it fails.
    Login,
    /// Its answer has no tokens.
    Prelogin,
}

/// A request that waits for its answer.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) what: What,
    /// `None` when it is not told.
    pub(super) txn: Option<Txn>,
    /// The last of its message, as far as that was read.
    pub(super) last: bool,
    /// Others may stand behind it that were not read.
    pub(super) more: bool,
    /// The text whose handle the answer brings.
    pub(super) prepares: Option<Box<[u8]>>,
    pub(super) rows: u64,
    /// Those are all rows: none were missed.
    pub(super) counted: bool,
    /// An error was told.
    pub(super) failed: bool,
    /// An error there was, but it is not known which.
    pub(super) unclear: bool,
    pub(super) cancelled: bool,
    /// Logged in.
    pub(super) done: bool,
    /// The answer has begun.
    pub(super) begun: bool,
    /// Its text names USE: it was looked for.
    pub(super) uses: Option<bool>,
}

impl Ask {
    pub(super) fn new(what: What, txn: Option<Txn>) -> Ask {
        Ask {
            what,
            txn,
            last: true,
            more: false,
            prepares: None,
            rows: 0,
            counted: true,
            failed: false,
            unclear: false,
            cancelled: false,
            done: false,
            begun: false,
            uses: None,
        }
    }

    pub(super) fn heap(&self) -> usize {
        let record = self.txn.as_ref().and_then(|t| t.record.as_ref()).map_or(0, |r| r.heap());
        record.saturating_add(self.prepares.as_ref().map_or(0, |t| t.len()))
    }

    /// Bytes of the answer came here.
    pub(super) fn answering(&mut self, at: Mark) {
        self.begun = true;
        if let Some(txn) = &mut self.txn {
            txn.answering(at);
        }
    }

    /// May it choose another database? Its text is searched once.
    pub(super) fn may_use(&mut self) -> bool {
        let record = self.txn.as_ref().and_then(|t| t.record.as_ref());
        *self.uses.get_or_insert_with(|| {
            record.is_some_and(|r| r.text_of(&f::SQL).windows(3).any(|w| w.eq_ignore_ascii_case(b"use")))
        })
    }

    /// Some of it was not seen.
    pub(super) fn taint(&mut self) {
        (self.counted, self.unclear) = (false, true);
        if let Some(txn) = &mut self.txn {
            txn.taint(Quality::GAP);
        }
    }

    /// The first error counts: those behind it follow from it.
    pub(super) fn fail(&mut self, number: i32, message: &[u8], narrow: bool, cap: usize) {
        if std::mem::replace(&mut self.failed, true) {
            return;
        }
        if let Some(r) = self.txn.as_mut().and_then(|t| t.record.as_mut()) {
            r.begin_text(&f::ERR);
            if narrow {
                super::values::narrow(message.get(..cap).unwrap_or(message), &mut |b| r.append(b));
            } else {
                utf16(message, cap, &mut |b| r.append(b));
            }
            r.text(&f::RET_CODE, number.to_string().as_bytes());
        }
    }

    /// Tells it, as it is answered.
    pub(super) fn close(self, cx: &mut Cx<'_>, end: Mark) {
        let Some(mut txn) = self.txn else { return };
        if self.what == What::Login && !self.failed {
            cx.forget(txn);
            return;
        }
        if self.cancelled && !self.failed {
            txn.text(&f::ERR, b"cancelled by the client", usize::MAX);
        } else if !self.failed && !self.unclear {
            txn.text(&f::ERR, b"", 0);
            txn.word(&f::RET_CODE, "0");
        }
        if self.counted && self.what == What::Statement {
            txn.num(&f::ROWS, self.rows);
        }
        cx.close(txn, end);
    }

    /// Tells it as far as it is known.
    pub(super) fn give_up(mut self, cx: &mut Cx<'_>, q: Quality, end: Mark) {
        let Some(mut txn) = self.txn.take() else { return };
        if self.what == What::Login {
            cx.forget(txn);
            return;
        }
        txn.taint(q);
        cx.close(txn, end);
    }
}
