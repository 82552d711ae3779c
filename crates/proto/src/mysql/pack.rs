//! The compressed protocol: packets of 7 bytes of header (length, sequence number, length when
//! unpacked) and zlib or zstd, or bytes as they are when the third is 0. What they hold are
//! packets of the plain protocol, cut anywhere.

use super::packed::{ZSTD, is_coded};
use super::seek::{Sought, sought};
use super::session::{Place, Session};
use super::wire::{com, header};
use crate::body::Coding;
use crate::session::{Cx, Progress};
use base::Direction;
use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZFlush};
use std::borrow::Cow;

/// Length of a compressed packet's header.
const HEADER: usize = 7;

/// Bytes that are unpacked at a time.
const SCRATCH: usize = 8 * 1024;
/// zstd is made by blocks of this size at most.
const BLOCK: usize = 128 * 1024;

/// What the next bytes are.
#[derive(Debug)]
enum Part {
    Header,
    /// Payload as it is: so much is left.
    Plain(u32),
    /// Packed payload, first bytes not seen yet: its length, and that of what it holds.
    Packed(u32, u32),
    /// zlib: so much is left, so much is still to be made, so much may be.
    Zlib(u32, u32, usize),
    /// zstd, held until it is whole.
    Zstd(u32, u32),
    /// Of no use.
    Skip(u32),
}

/// What became of some bytes.
enum Piece<'a> {
    /// More are needed.
    More,
    /// Nothing to hand on.
    None,
    /// These were not packed.
    Plain(&'a [u8]),
    /// So many lie in the scratch space.
    Packed(usize),
    /// These were made.
    Made(Cow<'a, [u8]>),
    /// So many bytes cannot be had.
    Missing(u64),
}

/// One direction.
pub(super) struct Unpack {
    part: Part,
    /// We know where packets begin.
    pub(super) sync: bool,
    /// The next bytes that are handed on are the first of a packet.
    pub(super) begins: bool,
    /// Plain bytes that were too few for a packet's header.
    pub(super) carry: Vec<u8>,
    inflate: Option<Box<InflateState>>,
    zstd: Vec<u8>,
}

impl Default for Unpack {
    fn default() -> Unpack {
        Unpack {
            part: Part::Header,
            sync: true,
            begins: false,
            carry: Vec::new(),
            inflate: None,
            zstd: Vec::new(),
        }
    }
}

impl std::fmt::Debug for Unpack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unpack").field("part", &self.part).finish_non_exhaustive()
    }
}

impl Unpack {
    /// Where packets begin is not known.
    pub(super) fn lost() -> Unpack {
        Unpack { sync: false, ..Unpack::default() }
    }

    /// More may come out with nothing put in.
    fn is_pending(&self) -> bool {
        matches!(self.part, Part::Zlib(0, ..))
    }

    pub(super) fn held(&self) -> usize {
        let state = self.inflate.as_ref().map_or(0, |_| size_of::<InflateState>());
        state
            .saturating_add(self.carry.capacity())
            .saturating_add(self.zstd.capacity())
            .saturating_add(size_of::<Unpack>())
    }

    /// Do these bytes begin with a packet? The first of a command or of an answer is looked for.
    fn search(&self, dir: Direction, bytes: &[u8]) -> Option<bool> {
        let (len, seq) = header(bytes)?;
        if seq != u8::from(dir == Direction::ToClient) {
            return Some(false);
        }
        let (size, _) = header(bytes.get(4..)?)?;
        let [.., last] = bytes.first_chunk::<{ HEADER + 5 }>()?;
        let body = bytes.get(HEADER..)?;
        let fits = match size {
            0 => {
                let (inner, inner_seq) = header(body)?;
                let known =
                    dir == Direction::ToClient || *last <= com::CLONE || *last >= com::STMT_BULK_EXECUTE;
                inner_seq == seq && inner.saturating_add(4) <= len && known
            }
            _ => size >= len && is_coded(body),
        };
        Some(fits)
    }

    /// Takes the next piece off; gives the bytes used. `most` bytes are unpacked of a packet, and
    /// `hold` held of one.
    fn next<'a>(
        &mut self,
        bytes: &'a [u8],
        scratch: &mut [u8],
        most: usize,
        hold: usize,
    ) -> (usize, Piece<'a>) {
        let up_to = |left: u32| bytes.get(..left as usize).unwrap_or(bytes);
        let less = |left: u32, n: usize| left.saturating_sub(u32::try_from(n).unwrap_or(u32::MAX));
        match self.part {
            Part::Header => {
                let Some([a, b, c, _, x, y, z]) = bytes.first_chunk::<HEADER>() else {
                    return (0, Piece::More);
                };
                let len = u32::from_le_bytes([*a, *b, *c, 0]);
                self.begins = true;
                self.part = match (len, u32::from_le_bytes([*x, *y, *z, 0])) {
                    (0, _) => Part::Header,
                    (_, 0) => Part::Plain(len),
                    (_, size) => Part::Packed(len, size),
                };
                (HEADER, Piece::None)
            }
            Part::Plain(left) => {
                let piece = up_to(left);
                self.part = match less(left, piece.len()) {
                    0 => Part::Header,
                    n => Part::Plain(n),
                };
                (piece.len(), Piece::Plain(piece))
            }
            Part::Packed(left, size) => {
                let piece = up_to(left);
                if piece.len() < ZSTD.len() && piece.len() < left as usize {
                    return (0, Piece::More);
                }
                if !piece.starts_with(&ZSTD) {
                    let state = self.inflate.get_or_insert_with(|| InflateState::new_boxed(DataFormat::Zlib));
                    state.reset(DataFormat::Zlib);
                    self.part = Part::Zlib(left, size, most);
                } else if left as usize > hold {
                    self.part = Part::Skip(left);
                    return (0, Piece::Missing(u64::from(size)));
                } else {
                    self.part = Part::Zstd(left, size);
                }
                (0, Piece::None)
            }
            Part::Zlib(left, size, may) => self.zlib(up_to(left), left, size, may, scratch),
            Part::Zstd(left, size) => {
                let piece = up_to(left);
                self.zstd.extend_from_slice(piece);
                let left = less(left, piece.len());
                if left > 0 {
                    self.part = Part::Zstd(left, size);
                    return (piece.len(), Piece::None);
                }
                self.part = Part::Header;
                let coded = std::mem::take(&mut self.zstd);
                let cap = (size as usize).min(most);
                let made = Coding::Zstd.decode(&coded, cap, cap.max(BLOCK));
                let missing = u64::from(size).saturating_sub(made.len() as u64);
                // All or nothing: what is behind a hole has no beginning.
                match missing {
                    0 => (piece.len(), Piece::Made(made.into())),
                    _ => (piece.len(), Piece::Missing(u64::from(size))),
                }
            }
            Part::Skip(left) => {
                let piece = up_to(left);
                self.part = match less(left, piece.len()) {
                    0 => Part::Header,
                    n => Part::Skip(n),
                };
                (piece.len(), Piece::None)
            }
        }
    }

    fn zlib<'a>(
        &mut self,
        piece: &'a [u8],
        left: u32,
        size: u32,
        may: usize,
        scratch: &mut [u8],
    ) -> (usize, Piece<'a>) {
        let room = scratch.len().min(size as usize).min(may);
        let out = scratch.get_mut(..room).unwrap_or_default();
        let (used, made) = match &mut self.inflate {
            Some(state) if room > 0 => {
                let r = inflate(state, piece, out, MZFlush::None);
                (r.bytes_consumed, r.bytes_written)
            }
            _ => (0, 0),
        };
        let used32 = u32::try_from(used).unwrap_or(u32::MAX);
        let left = left.saturating_sub(used32);
        let size = size.saturating_sub(u32::try_from(made).unwrap_or(u32::MAX));
        self.part = match (left, size) {
            (0, 0) => Part::Header,
            // Nothing goes on: more than may be, or no zlib.
            (_, 0) => Part::Skip(left),
            _ if used == 0 && made == 0 => {
                self.part = if left > 0 { Part::Skip(left) } else { Part::Header };
                return (0, Piece::Missing(u64::from(size)));
            }
            _ => Part::Zlib(left, size, may.saturating_sub(made)),
        };
        (used, if made > 0 { Piece::Packed(made) } else { Piece::None })
    }

    /// `n` bytes were lost. Gives how many plain bytes that makes, if it can be told.
    pub(super) fn gap(&mut self, n: u64) -> Option<u64> {
        let n = u32::try_from(n).unwrap_or(u32::MAX);
        let (left, missing) = match self.part {
            Part::Header => (0, None),
            Part::Plain(left) => (left, Some(u64::from(n))),
            Part::Packed(left, size) | Part::Zlib(left, size, _) | Part::Zstd(left, size) => {
                (left, Some(u64::from(size)))
            }
            Part::Skip(left) => (left, Some(0)),
        };
        self.zstd = Vec::new();
        let is_plain = matches!(self.part, Part::Plain(_));
        match left.checked_sub(n) {
            Some(0) if missing.is_some() => self.part = Part::Header,
            Some(rest) if missing.is_some() => {
                self.part = if is_plain { Part::Plain(rest) } else { Part::Skip(rest) };
            }
            _ => {
                self.part = Part::Header;
                self.sync = false;
                self.carry.clear();
                return None;
            }
        }
        if self.carry.is_empty() {
            missing
        } else {
            self.carry.clear();
            None
        }
    }
}

impl Session {
    /// Bytes of the compressed protocol.
    pub(super) fn unpack(
        &mut self,
        cx: &mut Cx<'_>,
        dir: Direction,
        bytes: &[u8],
        mut u: Box<Unpack>,
    ) -> Progress {
        let mut scratch = [0; SCRATCH];
        let mut at = 0usize;
        let limits = *cx.limits;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            if rest.is_empty() && !u.is_pending() || self.over {
                break;
            }
            if !u.sync {
                match sought(cx, at, rest, |b| u.search(dir, b)) {
                    Sought::Here => u.sync = true,
                    Sought::More => break,
                    Sought::Behind(n) => {
                        at = at.saturating_add(n.unwrap_or(rest.len()));
                        continue;
                    }
                }
            }
            let (used, piece) = u.next(rest, &mut scratch, limits.inflated, limits.stream);
            at = at.saturating_add(used);
            match piece {
                Piece::More => break,
                Piece::None => {}
                Piece::Plain(piece) => self.unpacked(cx, dir, piece, at, &mut u),
                Piece::Packed(n) => {
                    self.unpacked(cx, dir, scratch.get(..n).unwrap_or_default(), at, &mut u);
                }
                Piece::Made(made) => self.unpacked(cx, dir, &made, at, &mut u),
                Piece::Missing(n) => {
                    cx.anomaly("mysql-compression");
                    self.missing(cx, dir, n);
                }
            }
        }
        self.half(dir).unpack = Some(u);
        match at {
            0 => Progress::Need(bytes.len().saturating_add(1)),
            n => Progress::Consumed(n),
        }
    }

    /// Bytes that were unpacked from before `at`.
    fn unpacked(&mut self, cx: &mut Cx<'_>, dir: Direction, piece: &[u8], at: usize, u: &mut Unpack) {
        let place = Place::Packed(at.saturating_sub(1));
        let begins = std::mem::take(&mut u.begins);
        if !self.half(dir).sync && !begins && u.carry.is_empty() {
            // Only at the beginning of a compressed packet one of the plain protocol may begin for certain.
            return;
        }
        let mut rest = piece;
        if !u.carry.is_empty() {
            u.carry.extend_from_slice(piece);
            let all = std::mem::take(&mut u.carry);
            let used = self.plain(cx, dir, &all, place).unwrap_or(0);
            u.carry = all.get(used..).unwrap_or_default().to_vec();
            rest = &[];
        }
        while !rest.is_empty() {
            match self.plain(cx, dir, rest, place) {
                Ok(used) => rest = rest.get(used..).unwrap_or_default(),
                Err(_) => {
                    u.carry.extend_from_slice(rest);
                    break;
                }
            }
        }
    }
}
