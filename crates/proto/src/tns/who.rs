//! Who logged in where: names from the connect descriptor and the login.

use super::call::Call;
use super::wire::{list, value};
use crate::session::Txn;
use record::f::sql as f;

/// Longest name that is kept.
const NAME: usize = 512;

/// User, database, program and host of the client; empty when not told.
#[derive(Debug, Default)]
pub(super) struct Who([Box<[u8]>; 4]);

impl Who {
    /// What a connect descriptor says.
    pub(super) fn descriptor(&mut self, text: &[u8]) {
        let [_, db, program, host] = &mut self.0;
        if let Some(name) = value(text, b"SERVICE_NAME").or(value(text, b"SID")) {
            *db = cut(name);
        }
        if let Some(client) = list(text, b"(CID=") {
            *program = cut(value(client, b"PROGRAM").unwrap_or_default());
            *host = cut(value(client, b"HOST").unwrap_or_default());
        }
    }

    /// What a login says: it knows better than the descriptor.
    pub(super) fn login(&mut self, call: &Call, message: &[u8]) {
        let [user, _, program, host] = &mut self.0;
        let says =
            [call.user(message), call.name(message, b"AUTH_PROGRAM_NM"), call.name(message, b"AUTH_MACHINE")];
        for (to, name) in [user, program, host].into_iter().zip(says) {
            if let Some(name) = name {
                *to = cut(name);
            }
        }
    }

    /// Puts in what is known.
    pub(super) fn tell(&self, txn: &mut Txn) {
        for (field, name) in [&f::USER, &f::DB, &f::PROGRAM, &f::CLIENT_HOST].into_iter().zip(&self.0) {
            if !name.is_empty() {
                txn.text(field, name, NAME);
            }
        }
    }

    pub(super) fn held(&self) -> usize {
        self.0.iter().fold(0, |n, name| n.saturating_add(name.len()))
    }
}

fn cut(name: &[u8]) -> Box<[u8]> {
    name.get(..NAME).unwrap_or(name).into()
}
