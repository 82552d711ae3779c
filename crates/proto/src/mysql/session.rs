//! State of one connection: packets are cut out of the bytes here and go to `client` and `server`.

use super::ask::Ask;
use super::drift::Drift;
use super::pack::Unpack;
use super::packed;
use super::params::Attributes;
use super::seek::{Sought, sought, sought_at};
use super::statements::Statements;
use super::wire::{FULL, HEADER, cap, header};
use crate::session::{Cx, Parser, Progress, Transport, Txn};
use base::{Direction, Mark, Timestamp};
use record::Quality;
use std::collections::VecDeque;

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing was understood.
    Start,
    /// The server has greeted.
    Greeted,
    /// The client has logged in and waits for the verdict.
    Auth,
    /// Commands and answers.
    Command,
}

/// What the next bytes of a direction are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    /// A header.
    Header,
    /// A header of a packet that goes on with the one before.
    Continued,
    /// Payload: so much is left; it is of the greatest length, so that another follows.
    Body { left: u32, full: bool },
}

/// One direction.
#[derive(Debug)]
pub(super) struct Half {
    /// We know where packets begin.
    pub(super) sync: bool,
    pub(super) part: Part,
    /// Sequence number of the last packet.
    pub(super) seq: u8,
    /// First bytes of the packet under way, kept while the rest is awaited.
    pub(super) kept: Vec<u8>,
    /// Bytes of it that are wanted.
    want: usize,
    /// Bytes of it that went by.
    pub(super) total: u64,
    /// Some of those were not seen.
    pub(super) holed: bool,
    /// Where it began, and where its last byte so far lay.
    pub(super) first: Mark,
    pub(super) last: Mark,
    /// Compression is on.
    pub(super) packed: bool,
    /// Takes it off; made when it is needed.
    pub(super) unpack: Option<Box<Unpack>>,
    ended: bool,
}

impl Half {
    fn new() -> Half {
        Half {
            sync: false,
            part: Part::Header,
            seq: 0,
            kept: Vec::new(),
            want: 0,
            total: 0,
            holed: false,
            first: Mark::default(),
            last: Mark::default(),
            packed: false,
            unpack: None,
            ended: false,
        }
    }
}

/// A packet's payload, or as much of it as was wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    pub(super) bytes: &'a [u8],
    /// Its true length.
    pub(super) total: u64,
}

impl Packet<'_> {
    pub(super) fn is_cut(&self) -> bool {
        (self.bytes.len() as u64) < self.total
    }

    pub(super) fn first(&self) -> u8 {
        self.bytes.first().copied().unwrap_or_default()
    }
}

/// Where bytes lie in what the engine gave: bytes that were unpacked have no place of their own.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Plain,
    Packed(usize),
}

impl Place {
    fn offset(self, at: usize) -> usize {
        match self {
            Place::Plain => at,
            Place::Packed(n) => n,
        }
    }
}

/// State of one connection.
#[derive(Debug)]
pub struct Session {
    pub(super) client: Half,
    pub(super) server: Half,
    pub(super) phase: Phase,
    /// Capabilities of the server's greeting; 0 when it was not seen.
    pub(super) offered: u32,
    /// Capabilities that both sides have, when the login was seen.
    pub(super) agreed: Option<u32>,
    /// An EOF may come yet behind an answer that is told. Its form alone shows whether there are such packets.
    pub(super) owed: bool,
    /// The login under way: told only if it fails.
    pub(super) login: Option<Txn>,
    /// Commands that wait for their answers, in order. [`crate::Limits::pipeline`] at most.
    pub(super) queue: VecDeque<Ask>,
    /// The last of them is not whole yet.
    pub(super) asking: bool,
    /// So many of the oldest are told already, without their answers.
    pub(super) untold: usize,
    /// Heap of those, as counted when they were queued.
    pub(super) queued: usize,
    pub(super) statements: Statements,
    pub(super) user: Box<[u8]>,
    pub(super) db: Box<[u8]>,
    /// Attributes of the query under way that were passed over.
    pub(super) attributes: Option<Attributes>,
    /// The client sends a file, not commands.
    pub(super) infile: bool,
    /// When the last command began, and when the server said something last, as far as that is known.
    pub(super) began: Timestamp,
    pub(super) spoke: Option<Timestamp>,
    /// When bytes of the server were lost last.
    pub(super) lost_at: Option<Timestamp>,
    /// Something was lost, and no answer was understood since.
    pub(super) doubt: bool,
    /// Which command the next answer is for, where that is not certain.
    pub(super) drift: Drift,
    /// The server's bytes were lost, and where its answers begin was not found since.
    pub(super) lost: bool,
    /// Something was understood: from then on nonsense is an anomaly, not a wrong guess.
    pub(super) proven: bool,
    /// Pieces in which no packet was found, before anything was understood.
    misses: u8,
    /// The rest is not for us.
    pub(super) over: bool,
}

/// Bytes enough to tell a command from other bytes.
pub(super) const ENOUGH: usize = 24;

/// Pieces without a packet before a guess is taken back.
const MISSES: u8 = 16;

impl Session {
    /// A new one.
    #[must_use]
    pub fn new(_transport: Transport) -> Session {
        Session {
            client: Half::new(),
            server: Half::new(),
            phase: Phase::Start,
            offered: 0,
            agreed: None,
            owed: false,
            login: None,
            queue: VecDeque::new(),
            asking: false,
            untold: 0,
            queued: 0,
            statements: Statements::default(),
            user: Box::default(),
            db: Box::default(),
            attributes: None,
            infile: false,
            began: Timestamp::default(),
            spoke: None,
            lost_at: None,
            doubt: true,
            drift: Drift::default(),
            lost: false,
            proven: false,
            misses: 0,
            over: false,
        }
    }

    pub(super) fn half(&mut self, dir: Direction) -> &mut Half {
        match dir {
            Direction::ToServer => &mut self.client,
            Direction::ToClient => &mut self.server,
        }
    }

    /// The connection is compressed. Where the server is within its packets is not known.
    fn joined_packed(&mut self) {
        (self.client.packed, self.server.packed) = (true, true);
        self.server.unpack = Some(Box::new(Unpack::lost()));
    }

    /// From here on commands. Compression begins with them.
    pub(super) fn commands(&mut self) {
        self.phase = Phase::Command;
        if self.agreed.is_some_and(|c| c & (cap::COMPRESS | cap::ZSTD) != 0) {
            for half in [&mut self.client, &mut self.server] {
                half.packed = true;
            }
        }
    }

    /// Cuts packets out of bytes of a direction; gives the bytes used. What is left is less than a
    /// header and the first byte of a payload.
    fn cut(&mut self, cx: &mut Cx<'_>, dir: Direction, bytes: &[u8], place: Place) -> usize {
        let packed = self.half(dir).packed;
        let mut at = 0usize;
        while !self.over {
            let rest = bytes.get(at..).unwrap_or_default();
            match self.half(dir).part {
                Part::Header => {
                    let Some((len, seq)) = header(rest) else { break };
                    let first = rest.get(HEADER).copied();
                    if len > 0 && first.is_none() {
                        break;
                    }
                    if dir == Direction::ToServer && self.phase == Phase::Auth && seq == 0 {
                        self.login_unheard(cx);
                    }
                    if self.half(dir).packed != packed {
                        break;
                    }
                    let offset = place.offset(at);
                    let mark = cx.mark_at(offset);
                    let half = self.half(dir);
                    (half.total, half.holed, half.first) = (0, false, mark);
                    let before = std::mem::replace(&mut half.seq, seq);
                    half.part = Part::Body { left: len, full: len == FULL };
                    let tail = rest.get(HEADER..).unwrap_or_default();
                    let want = match dir {
                        Direction::ToServer => self.client_begins(cx, len, seq, before, tail, offset),
                        Direction::ToClient => self.server_begins(cx, len, seq, before, first),
                    };
                    self.half(dir).want = want;
                    at = at.saturating_add(HEADER);
                }
                Part::Continued => {
                    let Some((len, seq)) = header(rest) else { break };
                    let half = self.half(dir);
                    half.seq = seq;
                    half.part = Part::Body { left: len, full: len == FULL };
                    at = at.saturating_add(HEADER);
                }
                Part::Body { left, full } => {
                    let piece = rest.get(..left as usize).unwrap_or(rest);
                    if piece.is_empty() && left > 0 {
                        break;
                    }
                    at = at.saturating_add(piece.len());
                    let last = cx.mark_at(place.offset(at.saturating_sub(1)));
                    self.body(cx, dir, piece, left, full, last);
                }
            }
            if !self.half(dir).sync || self.half(dir).packed != packed {
                break;
            }
        }
        at
    }

    /// A piece of a payload.
    fn body(&mut self, cx: &mut Cx<'_>, dir: Direction, piece: &[u8], left: u32, full: bool, last: Mark) {
        let half = self.half(dir);
        half.last = last;
        half.total = half.total.saturating_add(piece.len() as u64);
        let left = left.saturating_sub(u32::try_from(piece.len()).unwrap_or(u32::MAX));
        let whole = left == 0 && !full;
        let is_one = whole && half.kept.is_empty() && !half.holed && half.total == piece.len() as u64;
        let want = half.want;
        let asks = dir == Direction::ToServer;
        if is_one && (!asks || piece.len() <= want || !self.has_attributes(piece)) {
            // The usual case: nothing was held.
            self.half(dir).part = Part::Header;
            if want > 0 {
                // No more than would have been kept: records do not depend on how it came.
                let wanted = piece.get(..want).unwrap_or(piece);
                self.packet(cx, dir, Packet { bytes: wanted, total: piece.len() as u64 });
            }
            return;
        }
        let mut piece = piece;
        while !self.half(dir).holed {
            let kept = &mut self.half(dir).kept;
            let room = want.saturating_sub(kept.len());
            let (wanted, rest) = piece.split_at_checked(room).unwrap_or((piece, &[]));
            kept.extend_from_slice(wanted);
            piece = rest;
            if piece.is_empty() || !asks || !self.make_room() {
                break;
            }
        }
        self.piece_ends(cx, dir, left, full);
    }

    /// So much is left of the packet under way.
    pub(super) fn piece_ends(&mut self, cx: &mut Cx<'_>, dir: Direction, left: u32, full: bool) {
        let half = self.half(dir);
        half.part = match (left, full) {
            (0, true) => Part::Continued,
            (0, false) => Part::Header,
            _ => Part::Body { left, full },
        };
        if matches!(half.part, Part::Header) {
            let kept = std::mem::take(&mut half.kept);
            let total = half.total;
            if half.want > 0 {
                self.packet(cx, dir, Packet { bytes: &kept, total });
            }
        }
    }

    fn packet(&mut self, cx: &mut Cx<'_>, dir: Direction, p: Packet<'_>) {
        match dir {
            Direction::ToServer => self.client_packet(cx, p),
            Direction::ToClient => self.server_packet(cx, p),
        }
    }

    /// Bytes of packets, compression taken off. Gives what was used; 0: so many bytes are needed.
    pub(super) fn plain(
        &mut self,
        cx: &mut Cx<'_>,
        dir: Direction,
        bytes: &[u8],
        place: Place,
    ) -> Result<usize, usize> {
        if dir == Direction::ToClient {
            self.spoke = Some(cx.now.time);
        }
        if !self.half(dir).sync {
            // A packet that comes behind a loss begins with a segment.
            let found = match place {
                Place::Plain => sought(cx, 0, bytes, |b| self.search(dir, b)),
                Place::Packed(_) => sought_at(0, self.search(dir, bytes)),
            };
            match found {
                Sought::Here => {
                    self.half(dir).sync = true;
                    if dir == Direction::ToClient {
                        self.found(cx);
                    }
                }
                Sought::More => {
                    let len = header(bytes).map_or(HEADER, |(len, _)| (len as usize).saturating_add(HEADER));
                    return Err(len.min(ENOUGH).max(bytes.len().saturating_add(1)));
                }
                Sought::Behind(n) => {
                    let n = n.unwrap_or(bytes.len());
                    let last = cx.mark_at(place.offset(n.saturating_sub(1)));
                    self.half(dir).last = last;
                    self.misses = self.misses.saturating_add(1);
                    return Ok(n);
                }
            }
        }
        match self.cut(cx, dir, bytes, place) {
            0 => Err(bytes.len().saturating_add(1)),
            // A direction that was lost on the way begins anew with the next segment.
            n if self.half(dir).sync => Ok(n),
            _ => Ok(bytes.len()),
        }
    }
}

impl Parser for Session {
    fn data(&mut self, cx: &mut Cx<'_>, dir: Direction, bytes: &[u8]) -> Progress {
        if dir == Direction::ToServer
            && self.phase == Phase::Start
            && !self.client.sync
            && !self.client.packed
        {
            match packed::is_packed(bytes) {
                // Joined in the middle.
                Some(true) => self.joined_packed(),
                Some(false) => {}
                None => return Progress::Need(bytes.len().saturating_add(1)),
            }
        }
        let half = self.half(dir);
        let progress = if half.packed {
            let u = half.unpack.take().unwrap_or_default();
            self.unpack(cx, dir, bytes, u)
        } else {
            match self.plain(cx, dir, bytes, Place::Plain) {
                Ok(n) => Progress::Consumed(n),
                Err(n) => Progress::Need(n),
            }
        };
        if self.over {
            return Progress::Done;
        }
        if !self.proven && self.misses > MISSES {
            return Progress::Lost;
        }
        progress
    }

    fn gap(&mut self, cx: &mut Cx<'_>, dir: Direction, n: u64) {
        if dir == Direction::ToClient {
            self.spoke = Some(cx.now.time);
        }
        let half = self.half(dir);
        let lost = if half.packed { half.unpack.get_or_insert_with(Box::default).gap(n) } else { Some(n) };
        match lost {
            Some(n) => self.missing(cx, dir, n),
            None => self.lose(cx, dir, None),
        }
    }

    fn end(&mut self, cx: &mut Cx<'_>, dir: Direction) {
        self.half(dir).ended = true;
        // A client may close its direction and still wait for answers.
        if self.server.ended {
            if let Some(txn) = self.login.take() {
                cx.forget(txn);
            }
            let is_whole = !self.lost && self.drift.is_certain();
            self.give_up(cx, if is_whole { Quality::PERFECT } else { Quality::GAP });
        }
    }

    fn held(&self) -> usize {
        let half = |h: &Half| {
            let unpack = h.unpack.as_ref().map_or(0, |u| u.held());
            h.kept.capacity().saturating_add(unpack)
        };
        let queue = self.queue.capacity().saturating_mul(size_of::<Ask>()).saturating_add(self.queued);
        [
            half(&self.client),
            half(&self.server),
            queue,
            self.statements.held(),
            self.attributes.as_ref().map_or(0, Attributes::held),
            self.user.len(),
            self.db.len(),
        ]
        .iter()
        .fold(0, |sum, n| sum.saturating_add(*n))
    }
}
