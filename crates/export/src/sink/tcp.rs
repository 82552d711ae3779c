//! GELF TCP: records ended by a zero byte, uncompressed, over a connection that is made again when it breaks.
//!
//! While there is no connection the batch under way is kept and the queue fills; a receiver that comes
//! back in time loses nothing that was not yet handed to the system. A record that was cut by a broken
//! connection is sent again from its beginning on the next one.

use super::{Sink, TcpConfig};
use crate::queue::{Queue, Reason};
use crate::{Batch, sys};
use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// A receiver that takes nothing for this long is as good as gone.
const STUCK: Duration = Duration::from_secs(20);
/// A write gives up this often to see whether the program ends.
const WRITE: Duration = Duration::from_millis(500);
/// Between attempts to connect: doubled from the first to the last, and up to half as long again by
/// chance, so that a fleet does not come all at once.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

/// The sink.
pub(super) struct Tcp {
    config: TcpConfig,
    stream: Option<TcpStream>,
    wait: Duration,
    /// No attempt before this.
    not_before: Option<Instant>,
    /// The batch with zero bytes between the records.
    buffer: Vec<u8>,
}

impl Tcp {
    pub(super) fn new(config: TcpConfig) -> Tcp {
        Tcp { config, stream: None, wait: BACK_OFF.0, not_before: None, buffer: Vec::new() }
    }

    /// One attempt to connect.
    fn connect(&mut self) -> bool {
        let attempt = || -> io::Result<TcpStream> {
            let addr = self.config.to.resolve().ok_or(io::ErrorKind::NotFound)?;
            let stream = TcpStream::connect_timeout(&addr, CONNECT)?;
            stream.set_write_timeout(Some(WRITE))?;
            Ok(stream)
        };
        self.stream = attempt().ok();
        if self.stream.is_some() {
            (self.wait, self.not_before) = (BACK_OFF.0, None);
            return true;
        }
        self.lost();
        false
    }

    /// The connection is not there: no attempt for a while.
    fn lost(&mut self) {
        if let Some(stream) = self.stream.take() {
            // The rest of a cut record must not follow.
            let _ = stream.shutdown(Shutdown::Both);
        }
        let chance = self.wait.mul_f64((sys::random() % 512) as f64 / 1024.0);
        self.not_before = Some(Instant::now() + self.wait + chance);
        self.wait = (self.wait * 2).min(BACK_OFF.1);
    }

    /// A connection, waiting for it as long as the program runs.
    fn connected(&mut self, queue: &Queue) -> bool {
        loop {
            if self.stream.as_ref().is_some_and(sys::is_closed) {
                self.lost();
                self.not_before = None; // closed in order: try at once
            }
            if self.stream.is_some() {
                return true;
            }
            let wait =
                self.not_before.map_or(Duration::ZERO, |t| t.saturating_duration_since(Instant::now()));
            if !queue.pause(wait) {
                return false;
            }
            self.connect();
        }
    }

    /// Writes `buffer` from `from` on; gives back how far it came.
    fn write(&mut self, from: usize, queue: &Queue) -> usize {
        let mut at = from;
        let mut moved = Instant::now();
        while let (Some(stream), Some(rest)) = (&mut self.stream, self.buffer.get(at..))
            && !rest.is_empty()
        {
            match stream.write(rest) {
                Ok(n) if n > 0 => {
                    at += n;
                    moved = Instant::now();
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e)
                    if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
                        && moved.elapsed() < STUCK
                        && !queue.aborted() => {}
                _ => {
                    self.lost();
                    return at;
                }
            }
        }
        at
    }
}

impl Sink for Tcp {
    fn send(&mut self, batch: &Batch, queue: &Queue) {
        self.buffer.clear();
        self.buffer.extend_from_slice(batch.lines());
        let mut end = 0;
        for record in batch.records() {
            end += record.len() + 1;
            if let Some(b) = self.buffer.get_mut(end - 1) {
                *b = 0;
            }
        }
        let (mut from, mut sent) = (0, 0);
        while from < self.buffer.len() {
            if !self.connected(queue) {
                return queue.account.drop(batch.len() - sent, Reason::Closed);
            }
            let at = self.write(from, queue);
            let (whole, end) = batch.whole_within(at);
            queue.account.sent(whole - sent);
            (from, sent) = (end, whole);
            if from < self.buffer.len() && queue.aborted() {
                return queue.account.drop(batch.len() - sent, Reason::Closed);
            }
        }
    }

    fn tick(&mut self) {
        if self.stream.as_ref().is_some_and(sys::is_closed) {
            self.lost();
        }
    }
}

#[cfg(test)]
mod tests;
