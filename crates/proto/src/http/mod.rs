//! HTTP/1.0 and 1.1 (RFC 9112, semantics RFC 9110), one record a request.
//!
//! Reported: request and answer with their heads and bodies (transfer and content codings
//! removed), delays, sizes, who forwarded, and trace ids. Requests wait in order for their answers
//! (pipelining); interim answers (1xx) are walked over; behind CONNECT and 101 the flow is
//! identified anew. Left: trailers, byte ranges put together, HTTP/2 (its own room).
//!
//! `head` reads heads, `session` makes messages of bytes, `pairs` joins requests with answers,
//! `fill` makes the fields, `resync` finds the next message after a loss.

mod fill;
mod framing;
mod head;
mod pairs;
mod resync;
mod session;
#[cfg(test)]
mod tests;

pub(crate) use head::find as find_byte;
pub use session::Session;

use crate::harness;
use crate::session::{Limits, Transport, Verdict};
use base::Direction;

/// Does the beginning of a stream speak this protocol?
#[must_use]
pub fn probe(transport: Transport, dir: Direction, bytes: &[u8]) -> Verdict {
    match (transport, dir) {
        (Transport::Udp, _) => Verdict::No,
        (Transport::Tcp, Direction::ToServer) => probe_request(bytes),
        (Transport::Tcp, Direction::ToClient) => {
            let form = b"HTTP/1.";
            match bytes.strip_prefix(form) {
                Some(_) => Verdict::Yes,
                None if form.starts_with(bytes) => Verdict::More,
                None => Verdict::No,
            }
        }
    }
}

/// What begins with a line says so only when the line is there: of a part, nobody knows whether a version
/// stands at its end.
fn probe_request(bytes: &[u8]) -> Verdict {
    /// A first line longer than this is not waited for: a known method before a path is enough then.
    const LINE: usize = 4000;
    let start = bytes.iter().take(4).position(|b| !matches!(b, b'\r' | b'\n'));
    let Some(bytes) = start.and_then(|at| bytes.get(at..)) else {
        return if bytes.len() < 4 { Verdict::More } else { Verdict::No };
    };
    if bytes.starts_with(b"PRI ") {
        return Verdict::No;
    }
    match resync::asks(bytes) {
        Verdict::No => return Verdict::No,
        // An unknown method must at least look like one: no lone word of another line protocol.
        Verdict::More => return Verdict::More,
        Verdict::Yes => {}
    }
    let bytes = bytes.get(..LINE).unwrap_or(bytes);
    if let Some(line) = head::find(bytes, b'\n').and_then(|at| bytes.get(..at)) {
        return match head::request_line(line) {
            // Too little to go by: what does the other side say?
            Some(l) if l.version == head::Version::V09 || l.number.is_empty() => Verdict::More,
            Some(_) => Verdict::Yes,
            None => Verdict::No,
        };
    }
    if bytes.len() < LINE {
        return Verdict::More;
    }
    let method = bytes.split(|b| matches!(b, b' ' | b'\t')).next().unwrap_or_default();
    let target = bytes.get(method.len()..).unwrap_or_default().trim_ascii_start();
    let form = matches!(target.first(), Some(b'/' | b'*')) || target.starts_with(b"http");
    if form && head::known(method).is_some() { Verdict::Yes } else { Verdict::No }
}

/// Drives a session with arbitrary bytes.
#[doc(hidden)]
pub fn fuzz_http(data: &[u8]) {
    let base = Limits { text: 64, stream: 2048, pipeline: 8, inflated: 4096, ..Limits::default() };
    for limits in [base, Limits { base64: true, ..base }, Limits { bodies: false, sample: 2, ..base }] {
        harness::fuzz(Session::new(Transport::Tcp), limits, 512 * 1024, data);
    }
    for dir in Direction::BOTH {
        // What is surely so, or surely not, stays so when more comes.
        let half = data.get(..data.len() / 2).unwrap_or_default();
        let early = probe(Transport::Tcp, dir, half);
        assert!(early == Verdict::More || early == probe(Transport::Tcp, dir, data), "{early:?}");
    }
}
