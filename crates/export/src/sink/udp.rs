//! GELF UDP: one record a datagram, or in chunks.

use super::{Sink, UdpConfig};
use crate::gelf::{self, Ids};
use crate::gzip::Gzip;
use crate::queue::{Account, Queue, Reason};
use crate::{Batch, sys};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::ops::Range;
use std::time::{Duration, Instant};

/// A name is asked for again this often while all is well ...
const RESOLVE: Duration = Duration::from_secs(60);
/// ... and this often while nothing can be sent.
const RESOLVE_SOON: Duration = Duration::from_secs(5);
/// Send buffer asked for: a burst of records is not lost in our own host.
const SEND_BUFFER: i32 = 1 << 20;
/// How often a datagram is tried while the queue of the interface is full, a millisecond apart.
const BUSY_TRIES: u32 = 20;

/// A datagram that waits for the next call.
struct Datagram {
    header: [u8; gelf::HEADER],
    chunked: bool,
    /// In the compressed bytes, else in the batch.
    compressed: bool,
    bytes: Range<usize>,
    /// The last of its record.
    last: bool,
}

/// The sink.
pub(super) struct Udp {
    config: UdpConfig,
    socket: Option<(UdpSocket, SocketAddr)>,
    /// When the name was last asked for.
    asked: Option<Instant>,
    /// Something went wrong since.
    failing: bool,
    gzip: Option<Gzip>,
    ids: Ids,
    waiting: Vec<Datagram>,
    compressed: Vec<u8>,
    /// Why a chunk of the record under way was not sent.
    broken: Option<Reason>,
}

impl Udp {
    pub(super) fn new(config: UdpConfig) -> Udp {
        let gzip = config.compress.then(Gzip::new);
        Udp {
            config,
            socket: None,
            asked: None,
            failing: false,
            gzip,
            ids: Ids::new(sys::random()),
            waiting: Vec::with_capacity(sys::MANY),
            compressed: Vec::new(),
            broken: None,
        }
    }

    /// Asks for the address of the destination when it is time, and opens the socket.
    fn look_up(&mut self) {
        let literal = self.config.to.is_literal();
        let every = if self.failing || self.socket.is_none() { RESOLVE_SOON } else { RESOLVE };
        if (literal && self.socket.is_some()) || self.asked.is_some_and(|t| t.elapsed() < every) {
            return;
        }
        self.asked = Some(Instant::now());
        self.failing = false;
        // A name service that fails for a while does not take the known address away.
        if let Some(addr) = self.config.to.resolve()
            && self.socket.as_ref().is_none_or(|(_, known)| *known != addr)
        {
            self.socket = open(addr).ok().map(|s| (s, addr)).or(self.socket.take());
        }
    }

    /// Sends what waits.
    fn flush(&mut self, batch: &Batch, account: &Account) {
        let Some((socket, _)) = &self.socket else { return self.waiting.clear() };
        let mut parts: [(&[u8], &[u8]); sys::MANY] = [(&[], &[]); sys::MANY];
        for (d, part) in self.waiting.iter().zip(&mut parts) {
            let source = if d.compressed { &self.compressed } else { batch.lines() };
            let head = if d.chunked { &d.header[..] } else { &[] };
            *part = (head, source.get(d.bytes.clone()).unwrap_or_default());
        }
        let mut left = parts.get(..self.waiting.len()).unwrap_or_default();
        let mut datagrams = self.waiting.iter();
        let mut tries = 0;
        while !left.is_empty() {
            let (done, reason) = match sys::send_many(socket, left) {
                Ok(n) => (n.max(1), None),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) if e.raw_os_error() == Some(libc::ENOBUFS) && tries < BUSY_TRIES => {
                    tries += 1;
                    std::thread::sleep(Duration::from_millis(1));
                    continue;
                }
                Err(e) if e.raw_os_error() == Some(libc::EMSGSIZE) => (1, Some(Reason::TooBig)),
                // ECONNREFUSED tells of an earlier datagram: this one is given up in its place.
                Err(_) => {
                    self.failing = true;
                    (1, Some(Reason::SendError))
                }
            };
            tries = 0;
            left = left.get(done..).unwrap_or_default();
            for d in datagrams.by_ref().take(done) {
                self.broken = self.broken.or(reason);
                if d.last {
                    match self.broken.take() {
                        None => account.sent(1),
                        Some(reason) => account.drop(1, reason),
                    }
                }
            }
        }
        self.waiting.clear();
    }

    /// Cuts a payload into datagrams.
    fn add(&mut self, payload: Range<usize>, compressed: bool, batch: &Batch, account: &Account) {
        let Some((count, part)) = self.config.chunk.parts(payload.len()) else {
            return account.drop(1, Reason::TooBig);
        };
        let id = if count > 1 { self.ids.next() } else { 0 };
        let mut payload = payload;
        for number in 0..count {
            if self.waiting.len() == sys::MANY {
                self.flush(batch, account);
            }
            let last = number + 1 == count;
            let end = if last { payload.end } else { payload.start + part };
            self.waiting.push(Datagram {
                header: gelf::chunk_header(id, number, count),
                chunked: count > 1,
                compressed,
                bytes: payload.start..end,
                last,
            });
            payload.start = end;
        }
    }
}

fn open(addr: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr =
        if addr.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(any)?;
    socket.connect(addr)?;
    sys::set_send_buffer(&socket, SEND_BUFFER);
    Ok(socket)
}

impl Sink for Udp {
    fn send(&mut self, batch: &Batch, queue: &Queue) {
        let account = &queue.account;
        self.look_up();
        if self.socket.is_none() {
            return account.drop(batch.len(), Reason::NoAddress);
        }
        let mut from = 0;
        for record in batch.records() {
            let mut payload = from..from + record.len();
            from = payload.end + 1;
            let at = self.compressed.len();
            let compressed = self.gzip.as_mut().is_some_and(|g| g.append(record, &mut self.compressed));
            if compressed {
                payload = at..self.compressed.len();
            }
            self.add(payload, compressed, batch, account);
            // Between records, so that no part of one waits in what is cleared.
            if self.waiting.len() >= sys::MANY / 2 {
                self.flush(batch, account);
                self.compressed.clear();
            }
        }
        self.flush(batch, account);
        self.compressed.clear();
    }

    fn tick(&mut self) {
        self.look_up();
    }
}

#[cfg(test)]
mod tests;
