//! State of one connection: finds the packets of each session in the bytes, past TLS and SMP.

use super::conversation::Conversation;
use super::probe;
use super::shared::Shared;
use super::wire::{HEADER, SMID, SMP, header, is_tls, smp, smp_header};
use crate::session::{Cx, Parser, Progress, Transport, Verdict};
use base::Direction;

/// Sessions multiplexed on one connection: drivers keep a few.
const SESSIONS: usize = 64;
/// Pieces in which no packet was found, before a guess is taken back.
const MISSES: u8 = 16;
/// Length of the header of a TLS record.
const RECORD: usize = 5;

/// What frames the bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Frame {
    /// Nothing: packets follow each other.
    #[default]
    None,
    /// SMP: so much is left for that session.
    Smp { session: u16, left: usize },
    /// A TLS record: so much is left.
    Tls { left: usize },
}

#[derive(Debug, Default)]
struct Line {
    /// We know where packets begin.
    sync: bool,
    frame: Frame,
    ended: bool,
}

/// State of one connection.
#[derive(Debug)]
pub struct Session {
    lines: [Line; 2],
    shared: Shared,
    /// What is not multiplexed.
    plain: Conversation,
    /// What is, by number.
    sessions: Vec<(u16, Conversation)>,
    misses: u8,
}

impl Session {
    /// A new one.
    #[must_use]
    pub fn new(_transport: Transport) -> Session {
        Session {
            lines: Default::default(),
            shared: Shared::new(),
            plain: Conversation::default(),
            sessions: Vec::new(),
            misses: 0,
        }
    }

    fn line(&mut self, dir: Direction) -> &mut Line {
        let [c, s] = &mut self.lines;
        match dir {
            Direction::ToServer => c,
            Direction::ToClient => s,
        }
    }

    fn conversation(&mut self, number: u16) -> Option<&mut Conversation> {
        self.sessions.iter_mut().find(|s| s.0 == number).map(|s| &mut s.1)
    }

    /// What was taken for packets is none.
    fn lose(&mut self, cx: &mut Cx<'_>, dir: Direction) {
        let line = self.line(dir);
        (line.sync, line.frame) = (false, Frame::None);
        // Headers of SMP leave no doubt.
        self.shared.passes |= dir == Direction::ToClient && self.sessions.is_empty();
        self.plain.lose(cx, &mut self.shared, dir);
        for (_, c) in &mut self.sessions {
            c.lose(cx, &mut self.shared, dir);
        }
    }

    /// Is this the beginning of something? `Err`: so many bytes are needed to tell.
    fn begins(&self, dir: Direction, bytes: &[u8]) -> Result<bool, usize> {
        let need = if bytes.first() == Some(&SMID) { SMP } else { HEADER };
        if bytes.len() < need {
            return Err(need);
        }
        if self.shared.tls && is_tls(bytes) {
            return Ok(true);
        }
        Ok(match dir {
            Direction::ToServer => probe::client(bytes) != Verdict::No,
            Direction::ToClient => probe::server(bytes) != Verdict::No || self.middle(bytes),
        })
    }

    /// A packet in the middle of an answer.
    fn middle(&self, bytes: &[u8]) -> bool {
        let Some(h) = bytes.first_chunk().and_then(|h| header(*h)) else { return false };
        let next = bytes.get(HEADER.saturating_add(h.len)..).unwrap_or_default();
        // The next packet, when it is there, has the next number.
        let follows = next.first_chunk().is_none_or(|n| {
            header(*n).is_some_and(|n| n.kind == h.kind && n.number == h.number.wrapping_add(1))
        });
        self.shared.proven && h.kind == super::wire::message::ANSWER && h.number > 1 && h.len > 0 && follows
    }

    /// Bytes where a packet, a frame or a record begins.
    fn boundary(&mut self, cx: &mut Cx<'_>, dir: Direction, bytes: &[u8]) -> Progress {
        if !self.line(dir).sync {
            if self.shared.passes && dir == Direction::ToClient {
                return Progress::Consumed(bytes.len());
            }
            match self.begins(dir, bytes) {
                Err(need) => return Progress::Need(need),
                Ok(false) => {
                    self.misses = self.misses.saturating_add(1);
                    return if !self.shared.proven && self.misses > MISSES {
                        Progress::Lost
                    } else {
                        Progress::Consumed(bytes.len())
                    };
                }
                Ok(true) => {
                    self.line(dir).sync = true;
                    if let Some(h) = bytes.first_chunk().and_then(|h| header(*h))
                        && dir == Direction::ToClient
                    {
                        self.plain.joins(h.number);
                    }
                }
            }
        }
        match bytes.first() {
            Some(&SMID) => {
                let Some(head) = bytes.first_chunk::<SMP>() else { return Progress::Need(SMP) };
                let Some(h) = smp_header(head) else { return self.nonsense(cx, dir, bytes) };
                let known = self.sessions.iter().position(|s| s.0 == h.session);
                if h.flags == smp::FIN {
                    if let (Some(at), Direction::ToClient) = (known, dir) {
                        let (_, mut c) = self.sessions.swap_remove(at);
                        c.end(cx);
                    }
                } else if known.is_none() && h.flags != smp::ACK {
                    if self.sessions.len() < SESSIONS {
                        self.sessions.push((h.session, Conversation::default()));
                    } else {
                        cx.anomaly("sqlserver-sessions");
                    }
                }
                self.line(dir).frame = Frame::Smp { session: h.session, left: h.len };
                Progress::Consumed(SMP)
            }
            Some(0x14..=0x17) if self.shared.tls => {
                let Some([_, 3, _, a, b]) = bytes.first_chunk::<RECORD>() else {
                    return if bytes.len() < RECORD {
                        Progress::Need(RECORD)
                    } else {
                        self.nonsense(cx, dir, bytes)
                    };
                };
                if !self.shared.login_only {
                    cx.anomaly("sqlserver-tls");
                    self.plain.end(cx);
                    return Progress::Done;
                }
                let left = usize::from(u16::from_be_bytes([*a, *b]));
                if dir == Direction::ToServer {
                    self.plain.hidden_login(cx);
                }
                self.line(dir).frame = Frame::Tls { left };
                Progress::Consumed(RECORD)
            }
            // A header in one piece, so that the mark of its first byte is at hand.
            _ if bytes.len() < HEADER => Progress::Need(HEADER),
            _ => self.plain(cx, dir, bytes),
        }
    }

    fn nonsense(&mut self, cx: &mut Cx<'_>, dir: Direction, bytes: &[u8]) -> Progress {
        if self.shared.proven {
            cx.anomaly("sqlserver-packet");
        }
        self.misses = self.misses.saturating_add(1);
        if !self.shared.proven && self.misses > MISSES {
            return Progress::Lost;
        }
        self.lose(cx, dir);
        Progress::Consumed(bytes.len())
    }

    fn plain(&mut self, cx: &mut Cx<'_>, dir: Direction, bytes: &[u8]) -> Progress {
        match self.plain.push(cx, &mut self.shared, dir, bytes, 0) {
            Some(used) => Progress::Consumed(used),
            None => self.nonsense(cx, dir, bytes),
        }
    }
}

impl Parser for Session {
    fn data(&mut self, cx: &mut Cx<'_>, dir: Direction, bytes: &[u8]) -> Progress {
        let frame = self.line(dir).frame;
        match frame {
            Frame::None if self.plain.half(dir).is_idle() => self.boundary(cx, dir, bytes),
            Frame::None => self.plain(cx, dir, bytes),
            Frame::Smp { left: 0, .. } | Frame::Tls { left: 0 } => {
                self.line(dir).frame = Frame::None;
                self.boundary(cx, dir, bytes)
            }
            Frame::Tls { left } => {
                let n = left.min(bytes.len());
                self.line(dir).frame = Frame::Tls { left: left.saturating_sub(n) };
                Progress::Consumed(n)
            }
            Frame::Smp { session, left } => {
                let piece = bytes.get(..left).unwrap_or(bytes);
                let mut used = piece.len();
                if let Some((_, c)) = self.sessions.iter_mut().find(|s| s.0 == session) {
                    match c.push(cx, &mut self.shared, dir, piece, 0) {
                        Some(n) => used = n,
                        None => {
                            cx.anomaly("sqlserver-packet");
                            c.lose(cx, &mut self.shared, dir);
                        }
                    }
                }
                self.line(dir).frame = Frame::Smp { session, left: left.saturating_sub(used) };
                Progress::Consumed(used)
            }
        }
    }

    fn gap(&mut self, cx: &mut Cx<'_>, dir: Direction, n: u64) {
        let frame = self.line(dir).frame;
        match frame {
            Frame::Tls { left } if left as u64 >= n => {
                self.line(dir).frame = Frame::Tls { left: left.saturating_sub(n as usize) };
            }
            Frame::Smp { session, left } if left as u64 >= n => {
                self.line(dir).frame = Frame::Smp { session, left: left.saturating_sub(n as usize) };
                let mut shared = std::mem::replace(&mut self.shared, Shared::new());
                if let Some(c) = self.conversation(session) {
                    c.missing(cx, &mut shared, dir, n);
                }
                self.shared = shared;
            }
            Frame::None if self.line(dir).sync => {
                if !self.plain.missing(cx, &mut self.shared, dir, n) {
                    self.lose(cx, dir);
                }
            }
            _ => self.lose(cx, dir),
        }
    }

    fn end(&mut self, cx: &mut Cx<'_>, dir: Direction) {
        self.line(dir).ended = true;
        // A client may close its direction and still wait for answers.
        if self.line(Direction::ToClient).ended {
            self.plain.end(cx);
            for (_, c) in &mut self.sessions {
                c.end(cx);
            }
        }
    }

    fn held(&self) -> usize {
        let each = size_of::<(u16, Conversation)>().saturating_mul(self.sessions.capacity());
        self.sessions
            .iter()
            .fold(each.saturating_add(self.plain.held()).saturating_add(self.shared.held()), |sum, (_, c)| {
                sum.saturating_add(c.held())
            })
    }
}
