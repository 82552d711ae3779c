//! MySQL and MariaDB: the client/server protocol, versions 9 and 10.
mod ask;
mod client;
mod pack;
mod params;
mod probe;
mod server;
mod session;
mod statements;
#[cfg(test)]
mod tests;
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
pub fn fuzz_mysql(data: &[u8]) {
    use crate::session::Limits;
    for dir in Direction::BOTH {
        let _ = probe(Transport::Tcp, dir, data);
    }
    let limits = Limits { text: 64, pipeline: 8, inflated: 16 * 1024, ..Limits::default() };
    crate::harness::fuzz(Session::new(Transport::Tcp), limits, 4 * 1024 * 1024, data);
}
