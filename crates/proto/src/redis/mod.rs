//! Redis and what speaks like it (Valkey, KeyDB, Dragonfly, proxies): RESP2, RESP3 and inline
//! commands, one record a command.
//!
//! Specification: <https://redis.io/docs/latest/develop/reference/protocol-spec/> (RESP2 and RESP3
//! types, "Inline commands", "Pipelining", "Pushes"), the RESP3 draft (attributes, streamed types),
//! and the pages of the commands CLIENT REPLY, SUBSCRIBE, MONITOR, PSYNC.
//!
//! REQ is the command and its arguments separated by blanks, as they are (an empty one is `""`),
//! cut at `bodylen`. RES is the answer as text: strings and numbers plain, `(nil)`, `true`, `false`,
//! arrays and sets `[a, b, [c]]`, maps `{k: v}`, in them an empty string `""` and an error
//! `(error) ...`; not meant to be read back. ERR is the answer again when it is an error as a whole.
//!
//! * Commands wait in order for their answers; how that is kept true on connections that are joined
//!   in their middle, and over losses, says `pairs`.
//! * SUBSCRIBE is answered once a channel: all that is its RES. Messages, RESP3 pushes and the lines
//!   of MONITOR are no answers; they are walked over. Attributes are not told.
//! * CLIENT REPLY OFF and SKIP: commands that want no answer are told with RESP 0 and without the
//!   word `no-response`.
//! * Passwords are `***`: AUTH (of an array of three the user is told, of all else nothing), HELLO AUTH, CONFIG SET and
//!   GET of secret parameters, ACL, MIGRATE, SENTINEL SET, and errors that quote such a command.
//! * Replication streams and the cluster bus are left alone and told as anomalies.
//!
//! `wire` knows headers and lines, `command` and `names` commands, `requests` and `answers` read the
//! two sides, `pairs` joins them, `probe` recognises them.

mod answers;
mod command;
mod names;
mod pairs;
mod probe;
mod requests;
mod session;
mod step;
#[cfg(test)]
mod tests;
mod wire;

pub use probe::probe;
pub use session::Session;

/// Drives the parser with arbitrary bytes.
#[doc(hidden)]
pub fn fuzz_redis(data: &[u8]) {
    use crate::session::{Limits, Transport, Verdict};
    for dir in base::Direction::BOTH {
        // What is surely so, or surely not, stays so when more comes.
        let half = data.get(..data.len() / 2).unwrap_or_default();
        let early = probe(Transport::Tcp, dir, half);
        assert!(early == Verdict::More || early == probe(Transport::Tcp, dir, data), "{early:?}");
    }
    let limits = Limits { text: 64, pipeline: 8, ..Limits::default() };
    crate::harness::fuzz(Session::new(Transport::Tcp), limits, 512 * 1024, data);
    let limits = Limits { sample: 2, ..limits };
    crate::harness::fuzz(Session::new(Transport::Tcp), limits, 512 * 1024, data);
}
