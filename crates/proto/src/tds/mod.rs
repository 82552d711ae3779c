//! Microsoft SQL Server: the Tabular Data Stream protocol, MS-TDS, versions 7.0 to 7.4 (and what
//! of Sybase's 4.2 and 5.0 has the same shape); sessions multiplexed by MC-SMP ("MARS").
//!
//! Reported, one record each: a SQL batch (MS-TDS 2.2.6.7), a call (2.2.6.6; several in one
//! message have a record each, up to 1,024; those that come behind more, or behind one that is too long or has a
//! type that is not known, are counted as `sqlserver-calls-untold`, once a message), a transaction manager request
//! (2.2.6.9, as `COMMIT TRANSACTION` and the like), a bulk load (2.2.6.1, with the text of its INSERT BULK), and a
//! failed login (2.2.6.4, without a statement; behind TLS without its names, when TLS covers the login alone).
//! `sp_executesql` and the `sp_prepare` and `sp_cursor` families are told by the text of their statement, executions by
//! handle too, where the answer that brought the handle was seen; other procedures by their name. PARAMS are the values
//! as SQL would have them, by name where they have one. RET_CODE and ERR are of the first ERROR token (2.2.7.10); a
//! request that its client cancelled has no RET_CODE. ROWS is the sum of the counts of DONE and DONEINPROC. PROGRAM and
//! CLIENT_HOST are what the login says.
//!
//! Left: passwords, security tokens and other proofs of the login, columns and rows (walked over, never
//! held), messages that are no errors (INFO: PRINT, a severity below 11; ERR is empty when there is no error, and there
//! is no other place for them). `sp_unprepare` and the closing of cursors are not told. A token
//! or a type that is not known costs the walk over one answer, not the answer: its outcome is then
//! read from the DONE at its end. Columns under Always Encrypted are met in this way.
//!
//! TLS: its handshake travels within pre-login packets. When it covers the login alone, what follows is
//! read; otherwise the session ends, counted as `sqlserver-tls`. TDS 8.0 begins with TLS: it is not for us.
//!
//! `wire` reads what stands in packets, `types` values, `rpc` calls, `tokens` answers; `requests` what
//! clients send, `conversation` pairs requests with answers in one session, `session` finds the packets of each.

mod ask;
mod conversation;
mod probe;
mod requests;
mod rpc;
mod session;
mod shared;
mod statements;
#[cfg(test)]
mod tests;
mod tokens;
mod tvp;
mod types;
mod values;
mod wire;

pub use session::Session;

use crate::session::{Transport, Verdict};
use base::Direction;

/// Does the beginning of a stream speak it?
#[must_use]
pub fn probe(transport: Transport, dir: Direction, head: &[u8]) -> Verdict {
    match (transport, dir) {
        (Transport::Udp, _) => Verdict::No,
        (_, Direction::ToServer) => probe::client(head),
        (_, Direction::ToClient) => probe::server(head),
    }
}

/// Drives the parser with arbitrary bytes.
#[doc(hidden)]
pub fn fuzz_tds(data: &[u8]) {
    use crate::session::Limits;
    for dir in Direction::BOTH {
        let _ = probe(Transport::Tcp, dir, data);
    }
    let base = Limits { text: 64, pipeline: 8, ..Limits::default() };
    for limits in [base, Limits { text: 65536, sample: 2, ..base }] {
        crate::harness::fuzz(Session::new(Transport::Tcp), limits, 16 << 20, data);
    }
}
