//! MongoDB's wire protocol ("MongoDB Wire Protocol" of its manual): OP_MSG and OP_COMPRESSED, and what was before
//! them, OP_QUERY and OP_REPLY, OP_INSERT, OP_UPDATE, OP_DELETE, OP_GET_MORE, OP_KILL_CURSORS,
//! OP_COMMAND. DocumentDB, FerretDB and Cosmos DB speak it too.
//!
//! Reported: one record a request, with the name of its command (the old messages are told as `find`,
//! `insert`, `update`, `delete`, `getmore`, `killcursors`), collection, database, the user of the login,
//! the command with its sequences of documents as relaxed Extended JSON, the error (of a write the
//! first), and the number of documents returned, else `n`. Answers name the request they are for
//! and may come in any order. To a request that wants no answer (`moreToCome`, the old writes)
//! there is none. Answers that are pushed (`exhaust`) belong to their request: of a cursor the documents are
//! summed up until the last; the first to a `hello` ends it, what is pushed after that is not told.
//!
//! Left: documents of answers (counted, never held), proofs of logins and passwords (`***`),
//! checksums, OP_COMPRESSED beyond `inflated` bytes: what lies behind them is not told.
//!
//! `wire` knows the messages, `bson` walks documents, `json` writes them, `message` goes through the sections of
//! a message, `half` makes messages of the bytes of one direction, `ask` and `answer` are what the
//! two ends say, `session` pairs them.

mod answer;
mod ask;
mod bson;
mod compress;
mod half;
mod json;
mod message;
mod session;
#[cfg(test)]
mod tests;
mod wire;

pub use session::Session;

use crate::harness;
use crate::session::{Limits, Transport, Verdict};
use base::Direction;

/// Does the beginning of a stream speak this protocol?
#[must_use]
pub fn probe(transport: Transport, dir: Direction, bytes: &[u8]) -> Verdict {
    match transport {
        Transport::Udp => Verdict::No,
        Transport::Tcp => match wire::plausible(dir, bytes) {
            // It answers nothing: a client's, when the directions are the other way round.
            Verdict::Yes if dir == Direction::ToClient && wire::asks(bytes) => Verdict::More,
            verdict => verdict,
        },
    }
}

/// Drives a session with arbitrary bytes.
#[doc(hidden)]
pub fn fuzz_mongodb(data: &[u8]) {
    let base = Limits { text: 64, stream: 4096, pipeline: 8, inflated: 16 * 1024, ..Limits::default() };
    for limits in [base, Limits { text: 65536, sample: 2, stream: 1 << 18, ..base }] {
        harness::fuzz(Session::new(Transport::Tcp), limits, 16 << 20, data);
    }
    for dir in Direction::BOTH {
        let _ = probe(Transport::Tcp, dir, data);
    }
}
