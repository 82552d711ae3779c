//! GELF UDP: one record a datagram, or in chunks.

mod pack;

use super::{Sink, UdpConfig};
use crate::Batch;
use crate::gzip::Gzip;
use crate::queue::{Account, Queue, Reason};
use crate::sys::{self, Message};
use pack::{Packer, Source};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// A name is asked for again this often while all is well ...
const RESOLVE: Duration = Duration::from_secs(60);
/// ... and this often while nothing can be sent.
const RESOLVE_SOON: Duration = Duration::from_secs(5);
/// Send buffer asked for: a burst of records is not lost in our own host.
const SEND_BUFFER: i32 = 1 << 20;
/// How often a datagram is tried while the queue of the interface is full, a millisecond apart.
const BUSY_TRIES: u32 = 20;
/// What the system says of several datagrams in one message where it cannot cut them.
const NOT_TOGETHER: [i32; 4] = [libc::EINVAL, libc::EIO, libc::EMSGSIZE, libc::EOPNOTSUPP];

/// The sink.
pub(super) struct Udp {
    config: UdpConfig,
    socket: Option<(UdpSocket, SocketAddr)>,
    /// When the name was last asked for.
    asked: Option<Instant>,
    /// Something went wrong since.
    failing: bool,
    gzip: Option<Gzip>,
    packer: Packer,
    /// The system takes several datagrams as one message.
    together: bool,
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
            packer: Packer::new(sys::random()),
            together: false,
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
            self.together = self.socket.as_ref().is_some_and(|(s, _)| sys::can_segment(s));
        }
    }

    /// Sends what is ready.
    fn flush(&mut self, batch: &Batch, account: &Account) {
        let Some((socket, _)) = &self.socket else { return self.packer.clear() };
        let Packer { pieces, messages, .. } = &mut self.packer;
        let (mut left, mut at, mut tries) = (pieces.as_slice(), 0, 0);
        let mut parts: [[&[u8]; 3]; sys::MANY] = [[&[]; 3]; sys::MANY];
        while let Some(rest) = messages.get(at..).filter(|m| !m.is_empty()) {
            let mut taken = 0;
            let fitting = rest.iter().take_while(|m| {
                taken += m.pieces;
                taken <= sys::MANY
            });
            let call = rest.get(..fitting.count()).unwrap_or_default();
            for (piece, parts) in left.iter().zip(&mut parts) {
                *parts = piece.parts(batch.lines(), &self.compressed);
            }
            let first = call.first().map_or(1, |m| m.pieces);
            let (done, reason) = match sys::send_many(socket, &parts, call) {
                Ok(n) => {
                    let sent = call.get(..n.max(1)).unwrap_or(call);
                    at += sent.len();
                    (sent.iter().map(|m| m.pieces).sum(), None)
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) if e.raw_os_error() == Some(libc::ENOBUFS) && tries < BUSY_TRIES => {
                    tries += 1;
                    std::thread::sleep(Duration::from_millis(1));
                    continue;
                }
                // The way to this receiver does not carry it (a small MTU, a tunnel): one by one then.
                Err(e) if first > 1 && NOT_TOGETHER.iter().any(|n| e.raw_os_error() == Some(*n)) => {
                    self.together = false;
                    at = 0;
                    messages.clear();
                    messages.extend(left.iter().map(|p| Message { pieces: 1, segment: p.len() }));
                    continue;
                }
                Err(e) => {
                    let reason = match e.raw_os_error() {
                        Some(libc::EMSGSIZE) => Reason::TooBig,
                        // ECONNREFUSED tells of an earlier datagram: this record is given up in its place.
                        _ => {
                            self.failing = true;
                            Reason::SendError
                        }
                    };
                    let record = left.iter().take(first).position(|p| p.last).map_or(first, |i| i + 1);
                    match messages.get_mut(at) {
                        Some(m) if m.pieces > record => m.pieces -= record,
                        _ => at += 1,
                    }
                    (record, Some(reason))
                }
            };
            tries = 0;
            let (gone, rest) = left.split_at_checked(done).unwrap_or((left, &[]));
            left = rest;
            for piece in gone {
                self.broken = self.broken.or(reason);
                if piece.last {
                    match self.broken.take() {
                        None => account.sent(1),
                        Some(reason) => account.drop(1, reason),
                    }
                }
            }
        }
        self.packer.clear();
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
        let compress = queue.compress.load(Relaxed);
        let mut from = 0;
        for record in batch.records() {
            let (mut source, mut bytes) = (Source::Batch, from..from + record.len());
            from = bytes.end + 1;
            let at = self.compressed.len();
            if !compress && self.gzip.is_some() {
                account.uncompressed();
            }
            let gzip = self.gzip.as_mut().filter(|_| compress);
            if gzip.is_some_and(|g| g.append(record, &mut self.compressed)) {
                (source, bytes) = (Source::Compressed, at..self.compressed.len());
            }
            if !self.packer.add(source, bytes, self.config.chunk) {
                account.drop(1, Reason::TooBig);
            }
        }
        self.packer.pack(self.together);
        self.flush(batch, account);
        self.compressed.clear();
    }

    fn tick(&mut self) {
        self.look_up();
    }
}

#[cfg(test)]
mod tests;
