//! Oracle: Transparent Network Substrate (TNS) and the calls in it (Two-Task Common, TTC).
//!
//! There is no public specification. What is here is known from captures of versions 9 to 10 and from
//! drivers whose source is public (python-oracledb in thin mode, JDBC's traffic): the frame of TNS, the
//! functions of TTC and, in two encodings, the heads of calls and of the server's verdict: "thin"
//! (numbers as a count and as many bytes, big endian) and OCI's (fixed widths, little endian).
//!
//! Reported, one record each: a statement executed (OALL8, OALL7, or parse and execute), again by its cursor where
//! its text was seen, COMMIT and ROLLBACK, the ALTER SESSION that a login brings along, when the server lets the
//! client in and so executes it, a failed login and a connection that the listener refused (both without a
//! statement), and a further fetch that fails, with the text of its cursor. ERR and RET_CODE are the `ORA-` message
//! that ends an answer, and its number; what only looks like one within rows is not taken for it. ORA-01403 at the end
//! of rows is no error. Without a message RET_CODE is the number in the verdict; where no verdict is understood there
//! is none. ROWS is told where the verdict is understood and counts all rows: of changes, and of queries whose rows
//! came in one answer. PROGRAM and CLIENT_HOST are what the login says of itself
//! (`V$SESSION` has the same), else those of the connect descriptor.
//!
//! Left: values of binds (PARAMS), rows, further fetches that succeed, closing of cursors, LOBs, passwords and keys of
//! the login. A redirected client (`oracle-redirect`) is read where it connects next; `oracle-resend` counts
//! descriptors that were asked for again.
//! Not known, so met by care: where an answer ends. There is one call at a time, and a server fills its packets: one
//! that is not full ends the answer, and so does the next call. The statement is found by the length that its call
//! tells, else by looking for a text that begins like a statement. Native encryption (SQL*Net's, not TLS) leaves
//! nothing to read: the session ends, counted as `oracle-encrypted`.
//!
//! `wire` reads packets, `call` what clients ask, `text` finds statements, `verdict` the outcome, `ask` is a call that
//! waits, `who` the login, `session` pairs them.

mod ask;
mod call;
mod probe;
mod session;
#[cfg(test)]
mod tests;
mod text;
mod verdict;
mod who;
mod wire;

pub use session::Session;

use crate::session::{Transport, Verdict};
use base::Direction;

/// Does the beginning of a stream speak it?
#[must_use]
pub fn probe(transport: Transport, dir: Direction, head: &[u8]) -> Verdict {
    match transport {
        Transport::Udp => Verdict::No,
        Transport::Tcp => probe::look(dir, head),
    }
}

/// Drives the parser with arbitrary bytes.
#[doc(hidden)]
pub fn fuzz_tns(data: &[u8]) {
    use crate::session::Limits;
    for dir in Direction::BOTH {
        let _ = probe(Transport::Tcp, dir, data);
    }
    let base = Limits { text: 64, pipeline: 8, ..Limits::default() };
    for limits in [base, Limits { text: 65536, sample: 2, ..base }] {
        crate::harness::fuzz(Session::new(Transport::Tcp), limits, 16 << 20, data);
    }
}
