//! The sinks: where records leave the program. Each runs in its own thread.

mod file;
mod stdout;
mod tcp;
mod udp;

use crate::queue::Queue;
use crate::{Batch, Chunking, Destination};
use std::io;
use std::path::PathBuf;

/// GELF UDP.
#[derive(Clone, Debug)]
pub struct UdpConfig {
    /// The receiver.
    pub to: Destination,
    /// gzip each record that becomes smaller by it.
    pub compress: bool,
    /// How large a datagram may be.
    pub chunk: Chunking,
}

/// GELF TCP.
#[derive(Clone, Debug)]
pub struct TcpConfig {
    /// The receiver.
    pub to: Destination,
}

/// JSON files in a cycle.
#[derive(Clone, Debug)]
pub struct FileConfig {
    /// The directory; made when it is not there.
    pub path: PathBuf,
    /// All files together, in bytes.
    pub cap: u64,
}

/// A sink to be opened.
#[derive(Clone, Debug)]
pub enum SinkConfig {
    /// GELF UDP.
    Udp(UdpConfig),
    /// GELF TCP.
    Tcp(TcpConfig),
    /// JSON files in a cycle.
    File(FileConfig),
    /// Lines to standard output.
    Stdout,
}

/// A sink in its thread.
pub(crate) trait Sink: Send {
    /// Sends or drops each record of a batch, and counts it in the queue's account.
    fn send(&mut self, batch: &Batch, queue: &Queue);

    /// Looks after the connection or file when nothing is to be sent.
    fn tick(&mut self) {}

    /// True when it can never send again.
    fn is_dead(&self) -> bool {
        false
    }
}

impl SinkConfig {
    /// What the account calls it.
    pub(crate) fn name(&self) -> String {
        match self {
            SinkConfig::Udp(c) => c.to.to_string(),
            SinkConfig::Tcp(c) => c.to.to_string(),
            SinkConfig::File(c) => c.path.display().to_string(),
            SinkConfig::Stdout => "stdout".into(),
        }
    }

    pub(crate) fn open(self) -> io::Result<Box<dyn Sink>> {
        Ok(match self {
            SinkConfig::Udp(c) => Box::new(udp::Udp::new(c)),
            SinkConfig::Tcp(c) => Box::new(tcp::Tcp::new(c)),
            SinkConfig::File(c) => Box::new(file::Files::open(c)?),
            SinkConfig::Stdout => Box::new(stdout::Stdout::default()),
        })
    }
}
