//! A command that waits for its answer.

use super::drift::Answered;
use crate::session::{Cx, Txn};
use base::{Mark, Timestamp};
use record::{Quality, f};

/// What a command is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Results: of COM_QUERY, COM_STMT_EXECUTE and commands that are not known here.
    Results,
    /// A statement and definitions of its parameters and columns.
    Prepare,
    /// Rows without a head.
    Fetch,
    /// Definitions of columns.
    Fields,
    /// A line of text.
    Statistics,
    /// OK, EOF or ERR.
    Single,
    /// The same, and then there is another default database.
    InitDb,
    /// The same, and then there are no prepared statements.
    Reset,
    /// An exchange as at the login.
    ChangeUser,
    /// A command that may have been lost: what it was, and whether there was any, is not known.
    Unseen,
}

/// What the next packet of the answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The first of a result.
    Head,
    /// Definition of a column; so many are to come.
    Columns(u64),
    /// EOF, a row, or the end.
    Columned,
    /// A row, or the end.
    Rows,
    /// Definition of a parameter or a column of what was prepared; so many are to come.
    Prepared(u32),
    /// Definitions, to the end.
    Fields,
    /// The verdict on a file that the client sends.
    File,
}

/// A command that waits for its answer.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) kind: Kind,
    /// When it began.
    pub(super) at: Timestamp,
    /// `None` for commands that are not told.
    pub(super) txn: Option<Txn>,
    /// Sequence number of the first packet of the answer.
    pub(super) seq: u8,
    pub(super) stage: Stage,
    /// The answer has begun.
    pub(super) begun: bool,
    /// Rows returned and affected, of all results.
    pub(super) rows: u64,
    /// Those are all that there are: none were lost, nor left in a cursor.
    pub(super) counted: bool,
    /// Text of a statement being prepared; user chosen.
    pub(super) text: Box<[u8]>,
    /// The statement whose rows are fetched.
    pub(super) statement: Option<u32>,
    /// Columns of the result of an execution, when the preparation told.
    pub(super) columns: Option<u16>,
    /// What its text is answered with; looked at only behind a loss.
    pub(super) answered: Option<Answered>,
    /// The default database once it has succeeded, if it chooses one; empty where that is not known.
    pub(super) db: Option<Box<[u8]>>,
    /// One of its results is whole, and more are to come.
    pub(super) more: bool,
    /// An execution of MariaDB's last statement, whose preparation is not answered yet.
    pub(super) late: Box<[u8]>,
}

impl Ask {
    pub(super) fn new(kind: Kind, txn: Option<Txn>, at: Timestamp) -> Ask {
        Ask {
            kind,
            at,
            txn,
            seq: 1,
            stage: match kind {
                Kind::Fetch => Stage::Rows,
                Kind::Fields => Stage::Fields,
                _ => Stage::Head,
            },
            begun: false,
            rows: 0,
            counted: kind == Kind::Results,
            text: Box::default(),
            statement: None,
            columns: None,
            answered: None,
            db: None,
            more: false,
            late: Box::default(),
        }
    }

    pub(super) fn heap(&self) -> usize {
        let record = self.txn.as_ref().and_then(|t| t.record.as_ref()).map_or(0, |r| r.heap());
        let db = self.db.as_ref().map_or(0, |db| db.len());
        record.saturating_add(self.text.len()).saturating_add(db).saturating_add(self.late.len())
    }

    pub(super) fn taint(&mut self, q: Quality) {
        if let Some(txn) = &mut self.txn {
            txn.taint(q);
        }
    }

    /// A packet of the answer began here.
    pub(super) fn answering(&mut self, at: Mark) {
        self.begun = true;
        if let Some(txn) = &mut self.txn {
            txn.answering(at);
        }
    }

    /// Tells it, with the error that ended it if any.
    pub(super) fn close(self, cx: &mut Cx<'_>, failed: Option<(u16, &[u8])>, end: Mark) {
        let is_told = self.kind != Kind::ChangeUser || failed.is_some();
        let Some(mut txn) = self.txn else { return };
        if !is_told {
            cx.forget(txn);
            return;
        }
        match failed {
            None => {
                if self.counted {
                    txn.num(&f::sql::ROWS, self.rows);
                }
                txn.text(&f::sql::ERR, b"", 0);
                txn.word(&f::sql::RET_CODE, "0");
            }
            Some((code, message)) => failure(&mut txn, code, message, cx.limits.text),
        }
        cx.close(txn, end);
    }

    /// Tells it without the end of its answer.
    pub(super) fn give_up(self, cx: &mut Cx<'_>, q: Quality, end: Mark) {
        let Some(mut txn) = self.txn else { return };
        if self.kind == Kind::ChangeUser {
            cx.forget(txn);
            return;
        }
        txn.taint(q);
        cx.close(txn, end);
    }
}

/// The server's error.
pub(super) fn failure(txn: &mut Txn, code: u16, message: &[u8], cap: usize) {
    txn.text(&f::sql::ERR, message, cap);
    let mut digits = [b'0'; 5];
    let mut n = code;
    for d in digits.iter_mut().rev() {
        *d = b'0'.saturating_add(u8::try_from(n % 10).unwrap_or_default());
        n /= 10;
    }
    let zeros = digits.iter().take(4).take_while(|d| **d == b'0').count();
    txn.text(&f::sql::RET_CODE, digits.get(zeros..).unwrap_or_default(), 5);
}
