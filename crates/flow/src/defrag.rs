//! IP fragments to whole datagrams (RFC 791 section 3.2, RFC 8200 section 4.5).
//!
//! Bytes that came first win where fragments overlap, and overlaps are counted: a datagram
//! with them is suspicious (RFC 5722). Everything is bounded: datagrams, fragments of one
//! datagram, bytes of all; above a bound the oldest datagram is given up.

use crate::contract::Arrival;
use base::{FastMap, SECOND, Seed, Timestamp};
use decode::{Fragment, Layer4, Packet};
use std::collections::VecDeque;
use std::net::IpAddr;

/// A datagram that is not whole after this long is given up (RFC 791 suggests 15 s, Linux has 30 s).
const WAIT: u64 = 30 * SECOND;
/// Datagrams under way: Linux stops at 4 MB of fragments; each costs at least a few hundred bytes.
const MAX_DATAGRAMS: usize = 4096;
/// Fragments of one datagram: 64 KB at the IPv6 minimum MTU are 54, at IPv4's 576 bytes 119.
const MAX_FRAGMENTS: usize = 256;
/// Longest payload of a datagram.
const MAX_LEN: u32 = 65_535;
/// What a datagram costs besides its bytes.
const OVERHEAD: usize = 256;

base::counters! {
    /// What became of fragments.
    pub struct DefragCounters {
        /// Datagrams put together.
        whole,
        /// Frames that carried them.
        whole_frames,
        /// Datagrams given up after the wait.
        timed_out,
        /// Datagrams given up for want of room.
        evicted,
        /// Frames of datagrams that were given up.
        lost_frames,
        /// Fragments that overlapped earlier ones (the first bytes are kept).
        overlaps,
        /// Fragments that cannot be: beyond 65,535 bytes, two different ends, too many, cut.
        bad,
    }
}

/// A datagram put together.
#[derive(Debug)]
pub struct Whole<'a> {
    /// What the IP header carries: the layer 4 header and its payload.
    pub payload: &'a [u8],
    /// Bytes, frames and tiny ones summed; the time of the last fragment.
    pub arrival: Arrival,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    src: IpAddr,
    dst: IpAddr,
    id: u32,
    proto: u8,
    net: u32,
    ifindex: u32,
}

#[derive(Debug)]
struct Partial {
    bytes: Vec<u8>,
    /// Ranges that are filled, in order, apart from each other.
    have: Vec<(u32, u32)>,
    end: Option<u32>,
    since: Timestamp,
    arrival: Arrival,
    serial: u64,
}

/// Puts fragments together.
#[derive(Debug)]
pub struct Defrag {
    parts: FastMap<Key, Partial>,
    order: VecDeque<(u64, Key)>,
    serial: u64,
    held: usize,
    max_bytes: usize,
    counters: DefragCounters,
    done: Vec<u8>,
}

impl Defrag {
    /// A defragmenter that holds at most `max_bytes`.
    #[must_use]
    pub fn new(seed: Seed, max_bytes: usize) -> Defrag {
        Defrag {
            parts: FastMap::with_hasher(seed),
            order: VecDeque::new(),
            serial: 0,
            held: 0,
            max_bytes,
            counters: DefragCounters::default(),
            done: Vec::new(),
        }
    }

    /// What happened since the start.
    #[must_use]
    pub const fn counters(&self) -> &DefragCounters {
        &self.counters
    }

    /// Bytes of heap.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.saturating_add(self.done.capacity())
    }

    /// Takes a fragment; returns the datagram when it is whole. Packets that are no fragments
    /// are left alone.
    pub fn push(&mut self, p: &Packet<'_>, at: &Arrival) -> Option<Whole<'_>> {
        let Layer4::Fragment(f) = p.l4 else { return None };
        self.expire(at.time);
        let key = Key {
            src: p.src,
            dst: p.dst,
            id: f.id,
            proto: p.proto,
            net: p.vni.unwrap_or(0),
            ifindex: at.ifindex,
        };
        if !self.parts.contains_key(&key) {
            self.begin(key, at);
        }
        let part = self.parts.get_mut(&key)?;
        let before = part.bytes.capacity();
        let fit = part.add(&f, at);
        self.held = self.held.saturating_sub(before).saturating_add(part.bytes.capacity());
        match fit {
            Fit::Bad => self.counters.bad = self.counters.bad.wrapping_add(1),
            Fit::Overlap => self.counters.overlaps = self.counters.overlaps.wrapping_add(1),
            Fit::Clean => {}
        }
        if part.is_whole() {
            let part = self.take(&key)?;
            self.counters.whole = self.counters.whole.wrapping_add(1);
            self.counters.whole_frames =
                self.counters.whole_frames.wrapping_add(u64::from(part.arrival.frames));
            self.done = part.bytes;
            return Some(Whole { payload: &self.done, arrival: part.arrival });
        }
        while self.held > self.max_bytes && self.oldest_out() {
            self.counters.evicted = self.counters.evicted.wrapping_add(1);
        }
        None
    }

    fn begin(&mut self, key: Key, at: &Arrival) {
        while self.parts.len() >= MAX_DATAGRAMS && self.oldest_out() {
            self.counters.evicted = self.counters.evicted.wrapping_add(1);
        }
        self.serial = self.serial.wrapping_add(1);
        let arrival = Arrival { wire_len: 0, frames: 0, tiny: 0, ..*at };
        let part = Partial {
            bytes: Vec::new(),
            have: Vec::new(),
            end: None,
            since: at.time,
            arrival,
            serial: self.serial,
        };
        self.parts.insert(key, part);
        self.order.push_back((self.serial, key));
        self.held = self.held.saturating_add(OVERHEAD);
    }

    fn take(&mut self, key: &Key) -> Option<Partial> {
        let part = self.parts.remove(key)?;
        self.held = self.held.saturating_sub(part.bytes.capacity()).saturating_sub(OVERHEAD);
        // Entries of the order that are done are dropped when they come to its front.
        while let Some((serial, key)) = self.order.front()
            && self.parts.get(key).is_none_or(|p| p.serial != *serial)
        {
            self.order.pop_front();
        }
        Some(part)
    }

    /// Gives the oldest datagram up.
    fn oldest_out(&mut self) -> bool {
        while let Some((serial, key)) = self.order.pop_front() {
            if self.parts.get(&key).is_some_and(|p| p.serial == serial)
                && let Some(part) = self.take(&key)
            {
                self.counters.lost_frames =
                    self.counters.lost_frames.wrapping_add(u64::from(part.arrival.frames));
                return true;
            }
        }
        false
    }

    /// Gives up what has waited too long.
    pub fn expire(&mut self, now: Timestamp) {
        while let Some((serial, key)) = self.order.front() {
            match self.parts.get(key) {
                Some(p) if p.serial == *serial && now.since(p.since) < WAIT => return,
                Some(p) if p.serial == *serial => {
                    self.counters.timed_out = self.counters.timed_out.wrapping_add(1);
                    self.oldest_out();
                }
                _ => {
                    self.order.pop_front();
                }
            }
        }
    }
}

enum Fit {
    Clean,
    Overlap,
    Bad,
}

impl Partial {
    fn is_whole(&self) -> bool {
        self.end.is_some_and(|end| matches!(self.have.as_slice(), [(0, to)] if *to == end))
    }

    /// Takes a fragment in: only bytes that are not there yet.
    fn add(&mut self, f: &Fragment<'_>, at: &Arrival) -> Fit {
        self.arrival.wire_len = self.arrival.wire_len.saturating_add(at.wire_len);
        self.arrival.frames = self.arrival.frames.saturating_add(at.frames);
        self.arrival.tiny = self.arrival.tiny.saturating_add(at.tiny);
        self.arrival.time = self.arrival.time.max(at.time);
        let end = f.offset.saturating_add(f.len);
        let told = self.end;
        let past = self.have.last().map_or(0, |r| r.1);
        if end > MAX_LEN
            || told.is_some_and(|e| end > e || (!f.more && end != e))
            || (!f.more && past > end)
            || self.have.len() >= MAX_FRAGMENTS
        {
            return Fit::Bad;
        }
        if !f.more {
            self.end = Some(end);
        }
        if f.len == 0 {
            return Fit::Clean;
        }
        if self.bytes.len() < end as usize {
            self.bytes.resize(end as usize, 0);
        }
        let mut fit = Fit::Clean;
        let mut from = f.offset;
        // Copy what lies between the filled ranges; join the ranges.
        for (a, b) in self.have.iter().copied().chain([(u32::MAX, u32::MAX)]) {
            if b <= from {
                continue;
            }
            let to = a.min(end);
            if from < to {
                copy(&mut self.bytes, f, from, to);
            }
            if a < end {
                fit = Fit::Overlap;
            }
            from = from.max(b);
            if from >= end {
                break;
            }
        }
        self.join(f.offset, end);
        fit
    }

    fn join(&mut self, mut from: u32, mut to: u32) {
        let mut kept = Vec::with_capacity(self.have.len().saturating_add(1));
        for (a, b) in self.have.drain(..) {
            if b < from || a > to {
                kept.push((a, b));
            } else {
                (from, to) = (from.min(a), to.max(b));
            }
        }
        kept.push((from, to));
        kept.sort_unstable();
        self.have = kept;
    }
}

/// Copies the bytes `from..to` of the datagram from a fragment; what the capture cut stays 0.
fn copy(bytes: &mut [u8], f: &Fragment<'_>, from: u32, to: u32) {
    let src = f.data.get(from.saturating_sub(f.offset) as usize..);
    let dst = bytes.get_mut(from as usize..to as usize);
    if let (Some(src), Some(dst)) = (src, dst) {
        for (d, s) in dst.iter_mut().zip(src) {
            *d = *s;
        }
    }
}
