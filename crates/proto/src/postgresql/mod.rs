//! PostgreSQL, protocol 3.0 to 3.2 ("Frontend/Backend Protocol" of its manual: Message Flow,
//! Message Formats), and what speaks like it: CockroachDB, Redshift, PgBouncer, openGauss.
//!
//! Reported: one record a Query message (of several statements: rows together, the error of any) and
//! one an Execute, with the text of its prepared statement and the values bound to it. A Parse
//! that fails, or whose statement is never executed, has a record of its own (the latter when the
//! statement or the connection ends). What an earlier error in its pipeline made the server skip
//! has a record without an answer. A failed login has a record without a statement. A call of a
//! function by number is told as `FUNCTION CALL number`. ROWS is the number in the command
//! tags; where a tag has none (SHOW, EXPLAIN) the rows that came.
//!
//! Left: passwords and other proofs of the login, rows, COPY data (walked over, never held), notices,
//! notifications, and what is described well. Replication streams, TLS and GSSAPI encryption end the session; each is
//! counted as an anomaly. Joined in the middle, or named by a Parse that was not seen, a statement has no text.
//!
//! `wire` reads messages, `session` makes messages of bytes, `ask` and `answer` are what the two
//! ends say, `queue` pairs them, `names` keeps statements and portals, `params` and `binary` write values.

mod answer;
mod ask;
mod binary;
mod names;
mod params;
mod queue;
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
    match (transport, dir, bytes) {
        (Transport::Udp, ..) => Verdict::No,
        (Transport::Tcp, Direction::ToServer, [0, ..]) => match wire::startup(bytes) {
            wire::First::Whole(..) => Verdict::Yes,
            wire::First::Need(_) => Verdict::More,
            wire::First::None => Verdict::No,
        },
        // The answer to a request for encryption.
        (Transport::Tcp, Direction::ToClient, [b'N' | b'S' | b'G'] | [b'S', 0x16, ..]) => Verdict::More,
        (Transport::Tcp, Direction::ToClient, [b'N', rest @ ..]) if !matches!(rest, [0, ..]) => {
            wire::messages(dir, rest)
        }
        (Transport::Tcp, ..) => wire::messages(dir, bytes),
    }
}

/// Drives a session with arbitrary bytes.
#[doc(hidden)]
pub fn fuzz_postgresql(data: &[u8]) {
    let base = Limits { text: 64, stream: 4096, pipeline: 8, ..Limits::default() };
    for limits in [base, Limits { text: 65536, sample: 2, stream: 1 << 18, ..base }] {
        harness::fuzz(Session::new(Transport::Tcp), limits, 16 << 20, data);
    }
    for dir in Direction::BOTH {
        let _ = probe(Transport::Tcp, dir, data);
    }
}
