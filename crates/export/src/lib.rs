//! Edge out: records are encoded into batches, and each sink sends them from its own thread.
//!
//! ```text
//!  engine -> Encoder -> Batch -> Outlet.push --+--> bounded queue -> thread: GELF UDP
//!                         ^                    +--> bounded queue -> thread: GELF TCP
//!                         |                    +--> bounded queue -> thread: JSON files
//!                         +------ pool <----------- done
//! ```
//! A push never waits. What a sink cannot take is dropped there and counted by reason, so that a slow
//! or dead receiver costs neither the capture nor the other sinks anything.
#![allow(
    clippy::arithmetic_side_effects,
    reason = "an edge crate: numbers here are sizes of buffers in memory and monotonic times"
)]

mod batch;
mod deflate;
mod destination;
mod encoder;
mod gelf;
mod gzip;
mod outlet;
mod queue;
mod sink;
mod sys;

pub use batch::Batch;
pub use destination::{Destination, Transport, parse_destinations};
pub use encoder::Encoder;
pub use gelf::Chunking;
#[doc(hidden)]
pub use gzip::fuzz_gzip;
pub use outlet::{Outlet, SinkReport};
pub use queue::{Counts, Reason};
pub use sink::{FileConfig, SinkConfig, TcpConfig, UdpConfig};
