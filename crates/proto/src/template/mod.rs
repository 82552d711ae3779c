//! Template: a protocol of lines, to be copied by `scripts/new-protocol`. It is compiled and
//! tested like the others, but not registered. A room's first lines say what the protocol is and
//! where it is specified, what we report, what we leave and why:
//!
//! ```text
//! C: <TAG> <VERB>[ <ARGUMENT>]\r\n           tag: 1 to 8 letters or digits
//! S: <TAG> OK[ <TEXT>]\r\n                   answers may come in any order
//! S: <TAG> ERR <TEXT>\r\n
//! ```
//!
//! One record a request: REQ as sent, RES the answer's text, ERR when it was an error.
//!
//! * An answer goes to the open request with its tag; one without is counted and dropped.
//! * After a gap the next line end is the next boundary. The requests that were open then may
//!   have lost their answers: QUALITY `gap`.
//! * What has no answer at the end is told as unanswered.

mod session;
mod wire;

pub use session::Session;

use crate::session::{Transport, Verdict};
use base::Direction;
use wire::{Answer, Line, Request, line};

/// Does the beginning of a stream speak it? Be strict: Yes means that no other protocol begins so.
#[must_use]
pub fn probe(transport: Transport, dir: Direction, head: &[u8]) -> Verdict {
    if transport == Transport::Udp {
        return Verdict::No;
    }
    match line(head, 0) {
        Line::Open if wire::is_begun(head) => Verdict::More,
        Line::Open | Line::None => Verdict::No,
        Line::Whole(text) => {
            let ok = match dir {
                Direction::ToServer => Request::parse(text).is_some(),
                Direction::ToClient => Answer::parse(text).is_some(),
            };
            if ok { Verdict::Yes } else { Verdict::No }
        }
    }
}

/// Drives the parser with arbitrary bytes.
#[doc(hidden)]
pub fn fuzz_template(data: &[u8]) {
    use crate::session::Limits;
    for dir in Direction::BOTH {
        // What is surely so, or surely not, stays so when more comes.
        let half = data.get(..data.len() / 2).unwrap_or_default();
        let early = probe(Transport::Tcp, dir, half);
        assert!(early == Verdict::More || early == probe(Transport::Tcp, dir, data), "{early:?}");
    }
    let limits = Limits { text: 64, pipeline: 8, ..Limits::default() };
    crate::harness::fuzz(Session::new(Transport::Tcp), limits, 64 * 1024, data);
}
