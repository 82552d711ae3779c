//! What networks and captures do to segments, done on purpose: a list of frames in, another out.
//!
//! Only whole TCP segments of IPv4 and IPv6 in Ethernet (VLAN tags allowed, no extension headers,
//! no fragments) are touched; lengths, sequence numbers and checksums are kept right. All other
//! frames pass unchanged.

use crate::packet::{be16, set_checksums};
use crate::{Noise, TimedFrame};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const PSH: u8 = 8;

/// Address and port of two ends.
pub type Ends = [(Vec<u8>, u16); 2];

/// Where things are in a frame that holds a TCP segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Addresses and ports of the sender, then of the receiver.
    pub ends: Ends,
    /// Sequence number.
    pub seq: u32,
    /// Flags.
    pub flags: u8,
    /// The bytes it carries.
    pub payload: Range<usize>,
    ip: usize,
    tcp: usize,
}

impl Segment {
    /// Reads a frame; `None` when it is not a whole segment.
    #[must_use]
    pub fn of(frame: &[u8]) -> Option<Segment> {
        let mut ip = 14;
        while matches!(frame.get(ip - 2..ip)?, [0x81, 0] | [0x88, 0xa8]) {
            ip += 4;
        }
        let (header, addresses, end, proto) = match (frame.get(ip - 2..ip)?, *frame.get(ip)?) {
            ([8, 0], first @ 0x45..=0x4f) => {
                let head = frame.get(ip..ip + 20)?;
                if be16(head, 6) & 0x3fff != 0 {
                    return None;
                }
                (usize::from(first & 15) * 4, ip + 12..ip + 20, ip + usize::from(be16(head, 2)), head[9])
            }
            ([0x86, 0xdd], 0x60..=0x6f) => {
                let head = frame.get(ip..ip + 40)?;
                (40, ip + 8..ip + 40, ip + 40 + usize::from(be16(head, 4)), head[6])
            }
            _ => return None,
        };
        let tcp = ip + header;
        let head = frame.get(tcp..end).filter(|h| proto == 6 && h.len() >= 20)?;
        let start = tcp + usize::from(head[12] >> 4) * 4;
        if start < tcp + 20 || start > end {
            return None;
        }
        let (s, d) = frame[addresses.clone()].split_at(addresses.len() / 2);
        Some(Segment {
            ends: [(s.to_vec(), be16(head, 0)), (d.to_vec(), be16(head, 2))],
            seq: u32::from_be_bytes([head[4], head[5], head[6], head[7]]),
            flags: head[13],
            payload: start..end,
            ip,
            tcp,
        })
    }

    /// Carries data and neither opens nor ends anything.
    fn is_plain(&self) -> bool {
        !self.payload.is_empty() && self.flags & (SYN | RST | FIN) == 0
    }

    /// The connection, the same for both directions.
    fn connection(&self) -> Ends {
        let mut ends = self.ends.clone();
        ends.sort();
        ends
    }

    /// The frame with another payload, that begins at `seq`; what trails the IP packet is left off.
    fn with(&self, frame: &[u8], seq: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = frame[..self.payload.start].to_vec();
        out.extend_from_slice(payload);
        let v6 = out[self.ip] >> 4 == 6;
        let (field, from) = if v6 { (self.ip + 4, self.ip + 40) } else { (self.ip + 2, self.ip) };
        let len = u16::try_from(out.len() - from).expect("a packet fits its length field");
        out[field..field + 2].copy_from_slice(&len.to_be_bytes());
        out[self.tcp + 4..self.tcp + 8].copy_from_slice(&seq.to_be_bytes());
        out[self.tcp + 13] = flags;
        set_checksums(&mut out, self.ip);
        out
    }
}

/// Splits each segment into pieces of 1 to `most` bytes.
#[must_use]
pub fn split(frames: &[TimedFrame], most: usize, seed: u64) -> Vec<TimedFrame> {
    let mut noise = Noise::new(seed);
    let mut out = Vec::new();
    for (time, frame) in frames {
        let Some(s) = Segment::of(frame).filter(|s| s.payload.len() > 1 && s.flags & (SYN | RST) == 0) else {
            out.push((*time, frame.clone()));
            continue;
        };
        let (mut rest, mut seq) = (&frame[s.payload.clone()], s.seq);
        while !rest.is_empty() {
            let (piece, tail) = rest.split_at((noise.below(most) + 1).min(rest.len()));
            let flags = if tail.is_empty() { s.flags } else { s.flags & !(FIN | PSH) };
            out.push((*time, s.with(frame, seq, flags, piece)));
            seq = seq.wrapping_add(piece.len() as u32);
            rest = tail;
        }
    }
    out
}

/// Joins neighbouring segments of one direction, while the other is silent, up to `most` bytes. The
/// joined one comes when its last part came.
#[must_use]
pub fn merge(frames: &[TimedFrame], most: usize) -> Vec<TimedFrame> {
    /// What an IPv4 packet holds besides the longest headers.
    const ROOM: usize = 65_535 - 120;
    let most = most.min(ROOM);
    let mut out: Vec<Option<TimedFrame>> = Vec::new();
    // The latest frame of each connection.
    let mut latest: HashMap<Ends, usize> = HashMap::new();
    for (time, frame) in frames {
        let mut now = (*time, frame.clone());
        if let Some(s) = Segment::of(frame) {
            let before = latest.get(&s.connection()).copied();
            if let Some(at) = before
                && let Some((_, first)) = &out[at]
                && let Some(f) = Segment::of(first)
                && f.ends == s.ends
                && f.is_plain()
                && !s.payload.is_empty()
                && s.flags & (SYN | RST) == 0
                && f.seq.wrapping_add(f.payload.len() as u32) == s.seq
                && f.payload.len() + s.payload.len() <= most
                // Receive offload joins what acknowledges the same only; and where an answer
                // between two requests was lost, the ACK alone tells that it was there.
                && first[f.tcp + 8..f.tcp + 12] == frame[s.tcp + 8..s.tcp + 12]
            {
                let bytes = [&first[f.payload.clone()], &frame[s.payload.clone()]].concat();
                // The later header: its window is the newer one.
                now.1 = s.with(frame, f.seq, f.flags | s.flags, &bytes);
                out[at] = None;
            }
            latest.insert(s.connection(), out.len());
        }
        out.push(Some(now));
    }
    out.into_iter().flatten().collect()
}

/// Shuffles the plain data segments of each direction within every `window` frames. The times of
/// the places stay.
#[must_use]
pub fn reorder(frames: &[TimedFrame], window: usize, seed: u64) -> Vec<TimedFrame> {
    let mut noise = Noise::new(seed);
    let mut out = frames.to_vec();
    for chunk in out.chunks_mut(window.max(1)) {
        let mut places: Vec<(Ends, Vec<usize>)> = Vec::new();
        for (i, (_, frame)) in chunk.iter().enumerate() {
            let Some(s) = Segment::of(frame).filter(Segment::is_plain) else { continue };
            match places.iter_mut().find(|(ends, _)| *ends == s.ends) {
                Some((_, at)) => at.push(i),
                None => places.push((s.ends, vec![i])),
            }
        }
        for (_, at) in places {
            for i in (1..at.len()).rev() {
                let j = noise.below(i + 1);
                let (a, b) = (at[j], at[i]);
                let (ta, tb) = (chunk[a].0, chunk[b].0);
                chunk.swap(a, b);
                (chunk[a].0, chunk[b].0) = (ta, tb);
            }
        }
    }
    out
}

/// As [`reorder`], but only what a network could: segments of one direction of a connection change
/// places with those next to them, and nothing passes a frame of the other direction, which may
/// have been sent because of it, nor the first segment seen of a direction, by which a probe joins
/// a stream.
#[must_use]
pub fn reorder_runs(frames: &[TimedFrame], window: usize, seed: u64) -> Vec<TimedFrame> {
    let mut noise = Noise::new(seed);
    let mut out = frames.to_vec();
    // Of each connection: who sent last, and the places of the run under way.
    let mut runs: HashMap<Ends, (Ends, Vec<usize>)> = HashMap::new();
    let mut known: HashSet<Ends> = HashSet::new();
    let mut shuffle = |at: &mut Vec<usize>| {
        for i in (1..at.len()).rev() {
            let j = noise.below(i + 1);
            let (a, b) = (at[j], at[i]);
            let (ta, tb) = (out[a].0, out[b].0);
            out.swap(a, b);
            (out[a].0, out[b].0) = (ta, tb);
        }
        at.clear();
    };
    for (i, (_, frame)) in frames.iter().enumerate() {
        let Some(s) = Segment::of(frame) else { continue };
        let (sender, at) = runs.entry(s.connection()).or_insert_with(|| (s.ends.clone(), Vec::new()));
        let free = s.is_plain() && !known.insert(s.ends.clone());
        if !free || *sender != s.ends || at.len() >= window {
            shuffle(at);
            *sender = s.ends.clone();
        }
        if free {
            at.push(i);
        }
    }
    let mut rest: Vec<_> = runs.into_iter().collect();
    rest.sort();
    for (_, (_, mut at)) in rest {
        shuffle(&mut at);
    }
    out
}

/// Sends one in `one_in` data segments twice.
#[must_use]
pub fn duplicate(frames: &[TimedFrame], one_in: usize, seed: u64) -> Vec<TimedFrame> {
    let mut noise = Noise::new(seed);
    let twice = |f: &TimedFrame| {
        let chosen = is_data(f) && noise.below(one_in) == 0;
        std::iter::repeat_n(f.clone(), if chosen { 2 } else { 1 })
    };
    frames.iter().flat_map(twice).collect()
}

/// Loses one in `one_in` data segments.
#[must_use]
pub fn lose(frames: &[TimedFrame], one_in: usize, seed: u64) -> Vec<TimedFrame> {
    let mut noise = Noise::new(seed);
    frames.iter().filter(|f| !(is_data(f) && noise.below(one_in) == 0)).cloned().collect()
}

fn is_data(f: &TimedFrame) -> bool {
    Segment::of(&f.1).is_some_and(|s| s.is_plain())
}

/// What a hostile end may go on with: the frames up to the `n`th that carries data, and from that one on `times`
/// messages of `size` bytes, each the beginning of its payload, `keep` bytes with the length in them put right, and
/// then `fill` over and over. `None` where there is no such frame.
#[must_use]
pub fn swell(
    frames: &[TimedFrame],
    n: usize,
    keep: usize,
    fill: &[u8],
    (size, times): (usize, usize),
) -> Option<Vec<TimedFrame>> {
    let (at, (time, frame)) = frames.iter().enumerate().filter(|(_, f)| is_data(f)).nth(n)?;
    let s = Segment::of(frame)?;
    let old = &frame[s.payload.clone()];
    let mut new = old[..keep.min(old.len())].to_vec();
    set_length(&mut new, old.len(), size);
    let missing = size.saturating_sub(new.len());
    new.extend(fill.iter().cycle().take(missing));
    let mut out = frames[..at].to_vec();
    for i in 0..times {
        let seq = s.seq.wrapping_add((i * new.len()) as u32);
        out.push((time.plus(i as u64 * 1000), s.with(frame, seq, s.flags, &new)));
    }
    Some(out)
}

/// Looks at the head of a message of `old` bytes for a number that is its length, or up to 16 less, and makes it that
/// of one of `new` bytes.
fn set_length(head: &mut [u8], old: usize, new: usize) {
    for (width, big) in [(4, true), (4, false), (3, false), (3, true), (2, true), (2, false)] {
        for at in 0..head.len().saturating_sub(width - 1).min(8) {
            let mut number = head[at..at + width].to_vec();
            if !big {
                number.reverse();
            }
            let value = number.iter().fold(0, |n, b| n << 8 | usize::from(*b));
            if value > 0 && (value..=value + 16).contains(&old) {
                let mut changed = (value + new - old).to_be_bytes()[8 - width..].to_vec();
                if !big {
                    changed.reverse();
                }
                head[at..at + width].copy_from_slice(&changed);
                return;
            }
        }
    }
}

/// The bytes of each direction in order, as a receiver would have them: for tests of tests.
#[must_use]
pub fn streams(frames: &[TimedFrame]) -> Vec<(Ends, Vec<u8>)> {
    let mut out: Vec<(Ends, u32, Vec<Option<u8>>)> = Vec::new();
    for (_, frame) in frames {
        let Some(s) = Segment::of(frame) else { continue };
        let first = s.seq.wrapping_add(u32::from(s.flags & SYN != 0));
        let at = match out.iter().position(|(ends, ..)| *ends == s.ends) {
            Some(at) => at,
            None => {
                out.push((s.ends.clone(), first, Vec::new()));
                out.len() - 1
            }
        };
        let (_, base, bytes) = &mut out[at];
        let offset = first.wrapping_sub(*base) as usize;
        // Before the first segment seen (reordering), or far away: not of this stream.
        if offset > 1 << 26 {
            continue;
        }
        for (i, b) in frame[s.payload.clone()].iter().enumerate() {
            if bytes.len() <= offset + i {
                bytes.resize(offset + i + 1, None);
            }
            bytes[offset + i].get_or_insert(*b);
        }
    }
    let stream = |bytes: Vec<Option<u8>>| bytes.into_iter().map_while(|b| b).collect();
    out.into_iter().map(|(ends, _, bytes)| (ends, stream(bytes))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Conversation, Packet, Sender};

    fn talk(client: &str, server: &str) -> Vec<TimedFrame> {
        let request: Vec<u8> = (0..300u32).map(|n| n as u8).collect();
        let answer: Vec<u8> = (0..5000u32).map(|n| (n / 7) as u8).collect();
        Conversation::new(client, server)
            .isn(u32::MAX - 100, 9)
            .handshake()
            .send(Sender::Client, &request)
            .send(Sender::Server, &answer)
            .send(Sender::Client, b"more")
            .close()
            .frames()
    }

    fn frames() -> Vec<TimedFrame> {
        let mut out = talk("10.0.0.1:40000", "10.0.0.2:80");
        out.extend(talk("[2001:db8::1]:40000", "[2001:db8::2]:80"));
        let mut dns = Packet::udp("10.0.0.1:5", "10.0.0.2:53").payload(b"unchanged").build();
        dns.extend_from_slice(&[0; 3]);
        out.push((out[0].0, dns));
        out.push((out[0].0, vec![1, 2, 3]));
        out
    }

    /// All checksums are right already.
    fn is_right(frames: &[TimedFrame]) -> bool {
        frames.iter().all(|(_, f)| {
            Segment::of(f).is_none_or(|s| {
                let mut again = f.clone();
                set_checksums(&mut again, s.ip);
                again == *f
            })
        })
    }

    #[test]
    fn a_message_swells_and_says_so() {
        let message = [&[0, 0, 1, 4][..], &[b'x'; 256]].concat();
        let frames =
            Conversation::new("10.0.0.1:40000", "10.0.0.2:80").send(Sender::Client, &message).frames();
        let swollen = swell(&frames, 0, 6, b"yz", (1000, 3)).unwrap();
        let sent = &streams(&swollen)[0].1;
        assert_eq!(
            (sent.len(), &sent[..8], &sent[1000..1008]),
            (3000, &b"\0\0\x03\xe8xxyz"[..], &b"\0\0\x03\xe8xxyz"[..])
        );
        assert!(is_right(&swollen));
        assert_eq!(swell(&frames, 9, 6, b"y", (1000, 3)), None);
    }

    #[test]
    fn what_is_sent_arrives_however_it_is_cut() {
        let whole = frames();
        let want = streams(&whole);
        assert_eq!(want.len(), 4);
        assert_eq!((want[0].1.len(), want[1].1.len()), (304, 5000));
        for seed in 0..8 {
            for most in [1, 3, 100, 2000] {
                let split = split(&whole, most, seed);
                assert_eq!(streams(&split), want, "split, {most}, {seed}");
                assert!(is_right(&split));
                let merged = merge(&split, 3000);
                assert_eq!(streams(&merged), want, "merged, {most}, {seed}");
                assert!(is_right(&merged));
                let mixed = duplicate(&reorder(&split, 16, seed), 3, seed);
                assert_eq!(streams(&mixed), want, "mixed, {most}, {seed}");
                let runs = reorder_runs(&split, 3, seed);
                assert_eq!(streams(&runs), want, "runs, {most}, {seed}");
                assert!(most > 100 || runs != split);
                assert!(mixed.is_sorted_by_key(|f| f.0) == split.is_sorted_by_key(|f| f.0));
            }
        }
    }

    #[test]
    fn each_does_what_it_says() {
        let whole = frames();
        let data = |f: &[TimedFrame]| f.iter().filter(|f| is_data(f)).count();
        assert_eq!(data(&whole), 12);
        assert_eq!(data(&split(&whole, 1, 1)), 2 * 5304);
        assert_eq!(data(&merge(&whole, 1 << 20)), 6);
        assert_eq!(merge(&split(&whole, 7, 1), 1460), merge(&merge(&split(&whole, 7, 1), 1460), 1460));
        assert_eq!(data(&duplicate(&whole, 1, 1)), 24);
        assert_eq!(data(&lose(&whole, 1, 1)), 0);
        assert_eq!(data(&lose(&whole, usize::MAX, 1)), 12);
        let long = split(&whole, 100, 1);
        assert_ne!(reorder(&long, 16, 1), long);
        assert_eq!(reorder(&long, 16, 1), reorder(&long, 16, 1), "repeatable");
        assert_eq!(reorder(&long, 1, 1), long);
        for changed in
            [split(&whole, 1, 1), merge(&whole, 9999), reorder(&whole, 9, 1), duplicate(&whole, 2, 1)]
        {
            assert_eq!(changed[changed.len() - 2..], whole[whole.len() - 2..], "others pass");
        }
    }

    #[test]
    fn what_is_not_a_whole_segment_is_left_alone() {
        let (time, frame) = talk("10.0.0.1:4", "10.0.0.2:80")[3].clone();
        assert!(Segment::of(&frame).is_some());
        for n in 0..frame.len() {
            assert_eq!(Segment::of(&frame[..n]), None, "cut at {n}");
        }
        let mut fragment = frame.clone();
        fragment[20] = 0x20;
        assert_eq!(split(&[(time, fragment.clone())], 1, 1), [(time, fragment)]);
        let mut padded = frame.clone();
        padded.extend_from_slice(&[0; 6]);
        assert_eq!(Segment::of(&padded), Segment::of(&frame), "padding is not payload");
    }
}
