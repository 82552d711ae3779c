//! AMQP 0-9-1 (its specification, sections 2 and 4, and the class reference) with RabbitMQ's extensions:
//! publisher confirms, basic.nack, consumer cancel notifications, exchange bindings, connection.blocked.
//! 0-8 and 0-9 share the frames and are read alike. LavinMQ, Qpid and others speak the same.
//!
//! ```text
//!   AMQP 0 0 9 1                              the client begins so; a server that wants another version answers so
//!   type(1) channel(2) size(4) payload 0xCE   then frames: method, content header, content body, heartbeat
//! ```
//!
//! Reported, one record each, CLASS and METHOD as in the specification:
//!
//! * What a client asks: connection.open and .close, channel.close, exchange.*, queue.*, basic.consume,
//!   .cancel and .get, confirm.select, tx.*. Its `-ok` is the answer (RET_CODE 0). A server refuses by closing the
//!   channel or the connection: that close names the method at fault, which is told with RET_CODE and ERR of it.
//! * basic.publish with its content. In confirm mode the server's basic.ack or .nack (RET_CODE `nack`) is its
//!   answer, of several at a time too. Without confirms no answer is meant to come, nor to what is sent with
//!   no-wait: such a record has RESP 1, as the original has it, and no delay, for nothing was measured.
//! * What the server sends by itself: basic.deliver and basic.return with their contents (the latter with RET_CODE
//!   and ERR), basic.cancel, connection.close, channel.close, connection.blocked (its reason in ERR) and .unblocked.
//!   No delay there either. SRC remains the initiator.
//! * A login that fails: connection.start-ok, with the server's words if it said any.
//!
//! QUEUE of a delivery is that of its consumer; without an exchange the routing key names the queue.
//! EXCHANGE of an exchange binding is the source.
//!
//! Left: tune, heartbeats, channel.open, flow, qos, recover and what consumers acknowledge; properties of messages,
//! arguments in tables, passwords. AMQP 1.0 and 0-10 are other protocols: counted, not read.
//!
//! Joined in the middle, the virtual host and the user are not known. Nor are the numbers of confirms, as after a
//! gap that may have held a publish, or two: publishes are told at once, without delay and RET_CODE (behind a gap
//! QUALITY says so), until it is known where they stand. The size of the gap and what was under way leave room for one
//! number only, alone or with a confirm that came since (`hole`); or the client shows it: whenever it goes on
//! behind a confirm nothing is under way, or it was silent for longer than confirms take.
//! After a gap frames are found again by a whole one; what may have lost its answer has QUALITY gap, and an answer
//! that may be of two requests is given to none, unless the client waits for each answer before it asks again.
//! While the engine waits for lost bytes of one side the other's go on: answers that come before their requests are
//! kept for them.
//!
//! `wire` reads frames and methods, `session` makes frames of bytes, `talk` is what the two sides say, `ask` pairs
//! requests and answers, `content` assembles messages, `confirm` pairs publishes and confirms,
//! `tags` knows their numbers, `hole` what a gap may have held.

mod ask;
mod confirm;
mod content;
mod hole;
mod probe;
mod session;
mod tags;
mod talk;
#[cfg(test)]
mod tests;
mod wire;

pub use session::Session;

use crate::session::{Limits, Transport, Verdict};
use base::Direction;

/// Does the beginning of a stream speak this protocol?
#[must_use]
pub fn probe(transport: Transport, dir: Direction, head: &[u8]) -> Verdict {
    match transport {
        Transport::Udp => Verdict::No,
        Transport::Tcp => probe::verdict(dir, head),
    }
}

/// Drives the parser with arbitrary bytes.
#[doc(hidden)]
pub fn fuzz_amqp(data: &[u8]) {
    for dir in Direction::BOTH {
        // What is surely so, or surely not, stays so when more comes.
        let half = data.get(..data.len() / 2).unwrap_or_default();
        let early = probe(Transport::Tcp, dir, half);
        assert!(early == Verdict::More || early == probe(Transport::Tcp, dir, data), "{early:?}");
    }
    let limits = Limits { text: 64, pipeline: 8, ..Limits::default() };
    crate::harness::fuzz(Session::new(Transport::Tcp), limits, 4 * 1024 * 1024, data);
}
