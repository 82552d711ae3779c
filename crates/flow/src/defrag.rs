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
        datagrams_whole,
        /// Frames that carried them.
        fragments_whole,
        /// Datagrams given up after the wait.
        datagrams_timed_out,
        /// Datagrams given up for want of room.
        datagrams_evicted,
        /// Frames of datagrams that were given up.
        fragments_lost,
        /// Fragments that overlapped earlier ones (the first bytes are kept).
        fragment_overlaps,
        /// Fragments that cannot be: beyond 65,535 bytes, two different ends, too many, cut.
        fragments_bad,
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

/// A range of the datagram and where its bytes are.
#[derive(Clone, Copy, Debug)]
struct Piece {
    from: u32,
    to: u32,
    /// Begin of its captured bytes in [`Partial::bytes`], and how many.
    at: usize,
    captured: usize,
}

/// A datagram under way. It costs what came of it, not what it claims to be.
#[derive(Debug)]
struct Partial {
    /// Captured bytes in the order of coming.
    bytes: Vec<u8>,
    /// Ranges by offset; they do not overlap.
    pieces: Vec<Piece>,
    /// Bytes in the ranges.
    have: u32,
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
        let before = part.cost();
        let fit = part.add(&f, at);
        self.held = self.held.saturating_sub(before).saturating_add(part.cost());
        match fit {
            Fit::Bad => self.counters.fragments_bad = self.counters.fragments_bad.wrapping_add(1),
            Fit::Overlap => self.counters.fragment_overlaps = self.counters.fragment_overlaps.wrapping_add(1),
            Fit::Clean => {}
        }
        if part.is_whole() {
            let part = self.take(&key)?;
            self.counters.datagrams_whole = self.counters.datagrams_whole.wrapping_add(1);
            self.counters.fragments_whole =
                self.counters.fragments_whole.wrapping_add(u64::from(part.arrival.frames));
            part.write(&mut self.done);
            return Some(Whole { payload: &self.done, arrival: part.arrival });
        }
        while self.held > self.max_bytes && self.oldest_out() {
            self.counters.datagrams_evicted = self.counters.datagrams_evicted.wrapping_add(1);
        }
        None
    }

    fn begin(&mut self, key: Key, at: &Arrival) {
        while self.parts.len() >= MAX_DATAGRAMS && self.oldest_out() {
            self.counters.datagrams_evicted = self.counters.datagrams_evicted.wrapping_add(1);
        }
        self.serial = self.serial.wrapping_add(1);
        let arrival = Arrival { wire_len: 0, frames: 0, tiny: 0, ..*at };
        let part = Partial {
            bytes: Vec::new(),
            pieces: Vec::new(),
            have: 0,
            end: None,
            since: at.time,
            arrival,
            serial: self.serial,
        };
        self.parts.insert(key, part);
        if self.order.len() >= MAX_DATAGRAMS.saturating_mul(2) {
            // More than half of the entries are of datagrams that are done.
            let parts = &self.parts;
            self.order.retain(|(serial, key)| parts.get(key).is_some_and(|p| p.serial == *serial));
        }
        self.order.push_back((self.serial, key));
        self.held = self.held.saturating_add(OVERHEAD);
    }

    fn take(&mut self, key: &Key) -> Option<Partial> {
        let part = self.parts.remove(key)?;
        self.held = self.held.saturating_sub(part.cost());
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
                self.counters.fragments_lost =
                    self.counters.fragments_lost.wrapping_add(u64::from(part.arrival.frames));
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
                    self.counters.datagrams_timed_out = self.counters.datagrams_timed_out.wrapping_add(1);
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
    const fn cost(&self) -> usize {
        self.bytes
            .capacity()
            .saturating_add(self.pieces.capacity().saturating_mul(size_of::<Piece>()))
            .saturating_add(OVERHEAD)
    }

    fn is_whole(&self) -> bool {
        self.end == Some(self.have)
    }

    /// Takes a fragment in: only bytes that are not there yet.
    fn add(&mut self, f: &Fragment<'_>, at: &Arrival) -> Fit {
        self.arrival.wire_len = self.arrival.wire_len.saturating_add(at.wire_len);
        self.arrival.frames = self.arrival.frames.saturating_add(at.frames);
        self.arrival.tiny = self.arrival.tiny.saturating_add(at.tiny);
        self.arrival.time = self.arrival.time.max(at.time);
        let end = f.offset.saturating_add(f.len);
        let past = self.pieces.last().map_or(0, |p| p.to);
        if end > MAX_LEN
            || self.end.is_some_and(|e| end > e || (!f.more && end != e))
            || (!f.more && past > end)
            || self.pieces.len() >= MAX_FRAGMENTS
        {
            return Fit::Bad;
        }
        if !f.more {
            self.end = Some(end);
        }
        let (mut fit, mut from) = (Fit::Clean, f.offset);
        let mut at = self.pieces.partition_point(|p| p.to <= from);
        while from < end {
            let next = self.pieces.get(at).copied();
            let to = next.map_or(end, |p| p.from.min(end));
            if from < to {
                self.put(at, f, from, to);
                at = at.wrapping_add(1);
            }
            let Some(p) = next.filter(|p| p.from < end) else { break };
            fit = Fit::Overlap;
            from = p.to;
            at = at.wrapping_add(1);
        }
        fit
    }

    /// Adds the range `from..to` of a fragment.
    fn put(&mut self, index: usize, f: &Fragment<'_>, from: u32, to: u32) {
        let data = f.data.get(from.saturating_sub(f.offset) as usize..).unwrap_or(&[]);
        let data = data.get(..to.saturating_sub(from) as usize).unwrap_or(data);
        let piece = Piece { from, to, at: self.bytes.len(), captured: data.len() };
        self.bytes.extend_from_slice(data);
        self.pieces.insert(index, piece);
        self.have = self.have.saturating_add(to.saturating_sub(from));
    }

    /// The bytes in order, as far as they were captured.
    fn write(&self, out: &mut Vec<u8>) {
        out.clear();
        for p in &self.pieces {
            let bytes = self.bytes.get(p.at..p.at.saturating_add(p.captured)).unwrap_or(&[]);
            out.extend_from_slice(bytes);
            if p.captured < p.to.saturating_sub(p.from) as usize {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{MacAddr, Tunnel};
    use decode::Vlans;

    fn push(d: &mut Defrag, id: u32, secs: u64, f: (u32, &[u8], bool)) -> Option<(Vec<u8>, Arrival)> {
        let l4 = Layer4::Fragment(Fragment { id, offset: f.0, more: f.2, data: f.1, len: f.1.len() as u32 });
        push_as(d, secs, l4)
    }

    fn push_as(d: &mut Defrag, secs: u64, l4: Layer4<'_>) -> Option<(Vec<u8>, Arrival)> {
        let p = Packet {
            smac: MacAddr::default(),
            dmac: MacAddr::default(),
            vlans: Vlans::default(),
            mpls: 0,
            tunnel: Tunnel::None,
            vni: None,
            src: IpAddr::from([10, 0, 0, 1]),
            dst: IpAddr::from([10, 0, 0, 2]),
            proto: 17,
            ip_len: 100,
            l4,
            payload: &[],
            payload_len: 0,
        };
        let time = Timestamp::new(1000 + secs, 0);
        let at = Arrival { time, wire_len: 100, frames: 1, tiny: 1, ifindex: 3 };
        d.push(&p, &at).map(|w| (w.payload.to_vec(), w.arrival))
    }

    #[test]
    fn any_order_gives_the_datagram() {
        let text: Vec<u8> = (0..200).collect();
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1]] {
            let mut d = Defrag::new(Seed(1), 1 << 20);
            let mut got = None;
            for n in order {
                assert!(got.is_none());
                let (a, z) = (n * 80, (n * 80 + 80).min(200));
                got = push(&mut d, 5, n as u64, (a as u32, &text[a..z], z < 200));
            }
            let (bytes, at) = got.unwrap();
            assert_eq!(bytes, text);
            assert_eq!((at.wire_len, at.frames, at.tiny, at.time), (300, 3, 3, Timestamp::new(1002, 0)));
            assert_eq!((d.parts.len(), d.order.len()), (0, 0));
        }
    }

    #[test]
    fn first_bytes_win_and_overlaps_are_counted() {
        let mut d = Defrag::new(Seed(1), 1 << 20);
        push(&mut d, 5, 0, (8, b"BBBBBBBB", true));
        push(&mut d, 5, 0, (24, b"DD", false));
        assert!(push(&mut d, 5, 0, (0, b"aaaaaaaabbbbbbbb", true)).is_none());
        let (bytes, _) = push(&mut d, 5, 0, (8, b"xxxxxxxxccccccccdd", false)).unwrap();
        assert_eq!(bytes, b"aaaaaaaaBBBBBBBBccccccccDD");
        assert_eq!((d.counters.fragment_overlaps, d.counters.fragments_whole), (2, 4));
    }

    #[test]
    fn impossible_fragments_are_bad() {
        let mut d = Defrag::new(Seed(1), 1 << 20);
        push(&mut d, 5, 0, (65_528, &[0; 16], true));
        push(&mut d, 5, 0, (8, b"12345678", false));
        push(&mut d, 5, 0, (8, b"123456", false));
        push(&mut d, 5, 0, (16, b"12345678", true));
        assert_eq!(d.counters.fragments_bad, 3);
        assert!(push(&mut d, 5, 0, (0, b"abcdefgh", true)).is_some());
    }

    #[test]
    fn a_cut_fragment_cuts_the_datagram() {
        let mut d = Defrag::new(Seed(1), 1 << 20);
        let cut = Fragment { id: 5, offset: 0, more: true, data: b"abc", len: 16 };
        push_as(&mut d, 0, Layer4::Fragment(cut));
        assert_eq!(push(&mut d, 5, 0, (16, b"rest", false)).unwrap().0, b"abc");
    }

    #[test]
    fn what_stays_incomplete_times_out_or_gives_way() {
        let mut d = Defrag::new(Seed(1), 100_000);
        push(&mut d, 1, 0, (0, &[0; 80], true));
        push(&mut d, 2, 29, (0, &[0; 80], true));
        assert!(push(&mut d, 1, 31, (80, b"x", false)).is_none(), "the first part is gone");
        assert_eq!((d.counters.datagrams_timed_out, d.counters.fragments_lost), (1, 1));
        for id in 10..10_000 {
            push(&mut d, id, 31, (0, &[0; 1000], true));
            assert!(d.held() <= 101_500, "{}", d.held());
        }
        assert!(d.counters.datagrams_evicted > 9000);
        let mut tiny = Defrag::new(Seed(1), 1 << 30);
        for id in 0..10_000 {
            push(&mut tiny, id, 0, (65_000, &[0; 8], true));
        }
        assert_eq!(tiny.parts.len(), MAX_DATAGRAMS);
        assert!(tiny.held() < MAX_DATAGRAMS * 500, "offsets cost nothing: {}", tiny.held());
        for id in 0..20_000 {
            push(&mut d, id, 31, (8, b"x", false));
            push(&mut d, id, 31, (0, &[0; 8], true));
        }
        assert!(d.order.len() <= 2 * MAX_DATAGRAMS, "{}", d.order.len());
        for n in 0..1000u32 {
            push(&mut tiny, 77_777, 0, (n * 16, &[0; 8], true));
        }
        assert_eq!(tiny.counters.fragments_bad, 1000 - MAX_FRAGMENTS as u64);
    }
}
