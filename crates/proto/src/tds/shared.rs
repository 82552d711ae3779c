//! What is the same for all sessions of a connection: the login, what was agreed on, statements by their handles.

use super::statements::Statements;
use super::tokens::Dialect;
use super::types::Era;
use super::wire::NAME;
use crate::session::Txn;
use record::f::sql as f;

/// What is the same for all sessions of a connection.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) user: Box<[u8]>,
    pub(super) db: Box<[u8]>,
    pub(super) program: Box<[u8]>,
    pub(super) host: Box<[u8]>,
    pub(super) dialect: Dialect,
    pub(super) statements: Statements,
    /// The text of the INSERT BULK whose rows come next.
    pub(super) bulk: Box<[u8]>,
    /// The handshake of TLS was seen.
    pub(super) tls: bool,
    /// The server wants it for the login alone.
    pub(super) login_only: bool,
    /// The rest of an answer that was lost in part is passed by: what looks like a packet in it may be none. The
    /// next request ends it, whose answer begins anew.
    pub(super) passes: bool,
    /// Something was understood: from then on nonsense is an anomaly, not a wrong guess.
    pub(super) proven: bool,
}

impl Shared {
    pub(super) fn new() -> Shared {
        Shared {
            user: Box::default(),
            db: Box::default(),
            program: Box::default(),
            host: Box::default(),
            dialect: Dialect { era: Era::V72, encrypted: false, ranked: false },
            statements: Statements::default(),
            bulk: Box::default(),
            tls: false,
            login_only: false,
            passes: false,
            proven: false,
        }
    }

    /// Who says it where.
    pub(super) fn says(&self, txn: &mut Txn) {
        let who = [&self.user, &self.db, &self.program, &self.host];
        for (field, name) in [&f::USER, &f::DB, &f::PROGRAM, &f::CLIENT_HOST].into_iter().zip(who) {
            if !name.is_empty() {
                txn.text(field, name, NAME);
            }
        }
    }

    pub(super) fn held(&self) -> usize {
        let texts = [&self.user, &self.db, &self.program, &self.host, &self.bulk];
        texts.iter().fold(self.statements.held(), |n, t| n.saturating_add(t.len()))
    }
}
