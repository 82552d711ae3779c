//! The state of a connection and its account (RFC 9293 section 3.3.2, as seen from outside).

use super::delay::{InFlight, Pool};
use super::reassembly::Reassembly;
use super::seen::{Acks, FAR, Kind, Piece, Seen};
use super::seq::{after, dist};
use crate::contract::{Counters, Delay, End, SideStats};
use crate::pair::Pair;
use crate::timers::Class;
use base::{Mark, Side, Timestamp};
use decode::{Layer4, Packet, Tcp as Header};

/// A TCP segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment<'a> {
    pub(crate) h: Header,
    /// Data bytes on the wire.
    pub(crate) len: u32,
    pub(crate) payload: &'a [u8],
}

impl<'a> Segment<'a> {
    /// The segment of a packet, if it is TCP.
    #[inline]
    pub(crate) fn new(p: &Packet<'a>) -> Option<Segment<'a>> {
        match p.l4 {
            Layer4::Tcp(h) => {
                // No datagram is longer; a header that says so is not believed.
                let len = p.payload_len.min(0xffff);
                let payload = p.payload.get(..len as usize).unwrap_or(p.payload);
                Some(Segment { h, len, payload })
            }
            _ => None,
        }
    }

    /// Number of the first data byte: a SYN takes one number before it.
    #[inline]
    pub(crate) const fn data_seq(&self) -> u32 {
        self.h.seq.wrapping_add(self.h.flags.syn() as u32)
    }
}

/// What one side sends. What each segment touches lies together.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Stream {
    pub(crate) seen: Seen,
    pub(crate) bytes: Reassembly,
    /// Number of the FIN: the end of the data.
    pub(crate) fin: Option<u32>,
    pub(crate) flight: InFlight,
    pub(crate) acks: Acks,
    rare: Option<Box<Rare>>,
    /// Initial sequence number.
    isn: Option<u32>,
    /// What the segment with the FIN acknowledges.
    pub(crate) fin_ack: Option<u32>,
    st: Counts,
    /// All samples of the network delay, over the life of the flow.
    delay_cnt: u32,
    delay_sum: u64,
}

/// What is counted in an interval.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    syn: u32,
    synack: u32,
    rst: u32,
    fin: u32,
    retrans: u32,
    net: Delay,
}

/// What few streams have, of an interval.
#[derive(Clone, Copy, Debug, Default)]
struct Rare {
    zerowin: u32,
    ooo: u32,
    again: Delay,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closed {
    Fin,
    Rst(Side),
    Refused,
}

/// The state of a connection.
#[derive(Debug, Default)]
pub(crate) struct Tcp {
    streams: Pair<Stream>,
    syn_time: Option<Timestamp>,
    hand: Option<u64>,
    /// The handshake ended in this interval.
    hand_new: bool,
    established: bool,
    closed: Option<Closed>,
    /// Checks of the holes are under way: after the long wait, after the short one.
    pub(crate) queued: [bool; 2],
    /// Packets that came while there were holes.
    pub(crate) packets: u32,
    retrans: u32,
    rst: u32,
    synack: u32,
    /// Who sent a SYN-ACK.
    server: Option<Side>,
}

/// What a segment brought.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) kind: Kind,
    /// It has data that was not seen before.
    pub(crate) fresh: bool,
    /// With it, all data of the other side is acknowledged, which it was not before.
    pub(crate) all_acked: bool,
    /// A valid RST.
    pub(crate) reset: bool,
}

impl Stream {
    /// The beginning of the stream was not seen.
    pub(crate) const fn isn_unseen(&self) -> bool {
        self.isn.is_none()
    }

    /// After the newest data byte.
    pub(crate) fn data_end(&self) -> u32 {
        self.fin.unwrap_or(self.seen.high)
    }
}

impl Tcp {
    #[inline]
    pub(crate) fn stream(&self, side: Side) -> &Stream {
        self.streams.of(side)
    }

    #[inline]
    pub(crate) fn stream_mut(&mut self, side: Side) -> &mut Stream {
        self.streams.of_mut(side)
    }

    /// A word of each line that a segment touches.
    #[inline]
    pub(crate) fn glance(&self) -> u64 {
        let one = |s: &Stream| u64::from(s.seen.high ^ s.acks.ack ^ s.st.retrans ^ s.delay_cnt);
        one(self.streams.of(Side::A)) ^ one(self.streams.of(Side::B)) ^ u64::from(self.packets)
    }

    /// Some stream waits for a hole to be filled.
    #[inline]
    pub(crate) fn has_holes(&self) -> bool {
        let open = |s: Side| self.streams.of(s).bytes.waiting.as_ref().is_some_and(|w| w.open);
        open(Side::A) || open(Side::B)
    }

    /// Some stream waits for a hole that its receiver has acknowledged.
    pub(crate) fn has_acked_holes(&self) -> bool {
        let acked = |s: Side| {
            let w = self.streams.of(s).bytes.waiting.as_ref();
            w.is_some_and(|w| w.open && w.acked.is_some())
        };
        acked(Side::A) || acked(Side::B)
    }

    /// Bytes of heap for holes and rare counts.
    #[inline]
    pub(crate) fn held(&self) -> usize {
        let plain = |s: Side| {
            let s = self.streams.of(s);
            s.rare.is_none() && s.seen.is_plain()
        };
        if plain(Side::A) && plain(Side::B) { 0 } else { self.rough() }
    }

    fn rough(&self) -> usize {
        let one = |s: Side| {
            let s = self.streams.of(s);
            let rare = if s.rare.is_some() { size_of::<Rare>() } else { 0 };
            s.seen.held().saturating_add(rare)
        };
        one(Side::A).saturating_add(one(Side::B))
    }

    /// As new.
    pub(crate) fn reset(&mut self, pool: &mut Pool) {
        for side in [Side::A, Side::B] {
            self.streams.of_mut(side).flight.reset(pool);
        }
        *self = Tcp::default();
    }

    /// Everything that `side` sent is acknowledged.
    pub(crate) fn all_acked(&self, side: Side) -> bool {
        let s = self.streams.of(side);
        !s.seen.known || self.streams.of(side.other()).acks.covers(s.fin.unwrap_or(s.seen.high))
    }

    pub(crate) fn fill_mark(&self, initiator: Side, m: &mut Mark) {
        (m.retrans, m.rst, m.synack) = (self.retrans, self.rst, self.synack);
        let (s, c) = (self.streams.of(initiator), self.streams.of(initiator.other()));
        m.delay_cnt = [s.delay_cnt, c.delay_cnt];
        m.delay_sum = [s.delay_sum, c.delay_sum];
    }

    pub(crate) fn fill_stats(&self, side: Side, st: &mut SideStats) {
        let c = &self.streams.of(side).st;
        (st.syn, st.synack, st.rst, st.fin) = (c.syn, c.synack, c.rst, c.fin);
        (st.retrans, st.net_delay) = (c.retrans, c.net);
        if let Some(r) = &self.streams.of(side).rare {
            (st.zerowin, st.ooo, st.retrans_delay) = (r.zerowin, r.ooo, r.again);
        }
    }

    pub(crate) fn hand_delay(&self) -> Option<u64> {
        self.hand.filter(|_| self.hand_new)
    }

    pub(crate) fn clear_interval(&mut self) {
        self.hand_new = false;
        for side in [Side::A, Side::B] {
            let s = self.streams.of_mut(side);
            s.st = Counts::default();
            if let Some(r) = &mut s.rare {
                **r = Rare::default();
            }
        }
    }

    #[inline]
    pub(crate) fn class(&self) -> Class {
        if self.closed.is_some() {
            Class::Closed
        } else if self.established {
            Class::Open
        } else {
            Class::HalfOpen
        }
    }

    pub(crate) fn end_reason(&self, initiator: Side, why: End) -> End {
        match self.closed {
            Some(Closed::Fin) => End::Fin,
            Some(Closed::Refused) => End::Refused,
            Some(Closed::Rst(side)) if side == initiator => End::RstSrc,
            Some(Closed::Rst(_)) => End::RstDst,
            None if why == End::Timeout && !self.established && self.synack == 0 => End::Unanswered,
            None => why,
        }
    }

    /// True when this SYN begins another connection between the same ends.
    pub(crate) fn begins_anew(&self, side: Side, seg: &Segment<'_>) -> bool {
        if !seg.h.flags.syn() || seg.h.flags.ack() || seg.h.flags.rst() {
            return false;
        }
        let (s, o) = (self.streams.of(side), self.streams.of(side.other()));
        let first = seg.h.seq.wrapping_add(1);
        match s.isn {
            Some(isn) => isn != seg.h.seq,
            None if self.closed.is_some() => true,
            // The SYN of this very connection, overtaken by what followed it.
            None if s.seen.known => s.seen.base() != first,
            None if o.acks.known => o.acks.ack != first,
            // Both sides sent a SYN: simultaneous open.
            None => o.isn.is_none(),
        }
    }

    /// Takes a segment into the account.
    pub(crate) fn account(
        &mut self,
        side: Side,
        seg: &Segment<'_>,
        now: Timestamp,
        pool: &mut Pool,
        n: &mut Counters,
    ) -> Facts {
        let f = seg.h.flags;
        let s = self.streams.of_mut(side);
        let c = &mut s.st;
        if f.0 & 7 != 0 {
            c.syn = c.syn.saturating_add(u32::from(f.syn() && !f.ack()));
            c.synack = c.synack.saturating_add(u32::from(f.syn() && f.ack()));
            c.rst = c.rst.saturating_add(u32::from(f.rst()));
            c.fin = c.fin.saturating_add(u32::from(f.fin()));
            self.rst = self.rst.saturating_add(u32::from(f.rst()));
            self.synack = self.synack.saturating_add(u32::from(f.syn() && f.ack()));
        } else if seg.h.window == 0 {
            let r = s.rare.get_or_insert_default();
            r.zerowin = r.zerowin.saturating_add(1);
        }
        if f.rst() {
            return self.reset_by(side, seg, now, pool, n);
        }
        if f.syn() {
            self.opened_by(side, seg, now);
        }
        let rtt = self.hand;
        let (s, o) = self.streams.both_mut(side);
        let piece = Piece {
            seq: seg.h.seq,
            len: seg.len,
            flags: u32::from(f.syn()).wrapping_add(u32::from(f.fin())),
        };
        let kind = s.seen.take(piece, &o.acks, now, rtt);
        let fresh = matches!(kind, Kind::New | Kind::Fill) && seg.len > 0;
        let mut facts = Facts { kind, fresh, all_acked: false, reset: false };
        let end = seg.data_seq().wrapping_add(seg.len);
        match kind {
            Kind::Far => {
                n.out_of_window = n.out_of_window.wrapping_add(1);
                return facts;
            }
            Kind::Again => {
                s.st.retrans = s.st.retrans.saturating_add(1);
                self.retrans = self.retrans.saturating_add(1);
                s.flight.again(seg.h.seq, end);
            }
            Kind::Fill => {
                let r = s.rare.get_or_insert_default();
                r.ooo = r.ooo.saturating_add(1);
            }
            Kind::Empty | Kind::New | Kind::KeepAlive => {}
        }
        if fresh && !s.flight.sent(end, now, pool) {
            n.samples_skipped = n.samples_skipped.wrapping_add(1);
        }
        self.established |= !f.syn() && (seg.len > 0 || self.synack == 0 && self.syn_time.is_none());
        if f.fin() {
            s.fin = Some(end);
            s.fin_ack = f.ack().then_some(seg.h.ack);
            if o.fin.is_some() {
                self.closed.get_or_insert(Closed::Fin);
            }
        }
        if f.ack() {
            facts.all_acked = self.acknowledge(side, seg, now, pool);
        }
        facts
    }

    /// SYN and SYN-ACK.
    fn opened_by(&mut self, side: Side, seg: &Segment<'_>, now: Timestamp) {
        let s = self.streams.of_mut(side);
        if s.isn != Some(seg.h.seq) {
            let late = s.isn.is_none() && s.seen.known && s.seen.base() == seg.h.seq.wrapping_add(1);
            if !late {
                // Another answer to the same SYN, or the first: the stream begins here.
                s.seen = Seen::default();
                s.bytes.next = seg.data_seq();
                s.bytes.known = true;
            }
            s.isn = Some(seg.h.seq);
        }
        if !seg.h.flags.ack() {
            self.syn_time.get_or_insert(now);
        } else {
            self.server = Some(side);
        }
    }

    /// The ACK of a segment: delays, handshake. True when it completes the other side's data.
    #[inline]
    fn acknowledge(&mut self, side: Side, seg: &Segment<'_>, now: Timestamp, pool: &mut Pool) -> bool {
        let (ack, plain) = (seg.h.ack, seg.len == 0 && seg.h.flags.0 & 7 == 0);
        let (s, o) = self.streams.both_mut(side);
        if o.seen.known && dist(ack, o.seen.high).unsigned_abs() > FAR.unsigned_abs() {
            return false;
        }
        let target = o.fin.unwrap_or(o.seen.high);
        let before = !o.seen.known || s.acks.covers(target);
        if !s.acks.known || after(ack, s.acks.ack) {
            (s.acks.known, s.acks.ack, s.acks.dups) = (true, ack, 0);
            let mut again = Delay::default();
            let (cnt, sum) = o.flight.acked(ack, now, &mut o.st.net, &mut again, pool);
            if again.cnt > 0 {
                o.rare.get_or_insert_default().again.join(&again);
            }
            o.delay_cnt = o.delay_cnt.saturating_add(cnt);
            o.delay_sum = o.delay_sum.saturating_add(sum);
        } else if ack == s.acks.ack && plain && seg.h.window == s.acks.window {
            s.acks.dups = s.acks.dups.saturating_add(1);
        }
        (s.acks.window, s.acks.time) = (seg.h.window, now);
        let done = !before && s.acks.covers(target);
        if self.hand.is_none()
            && !seg.h.flags.syn()
            && let (Some(syn), Some(isn)) = (self.syn_time, o.isn)
            && dist(ack, isn) > 0
            && self.server == Some(side.other())
        {
            self.hand = Some(now.since(syn));
            self.hand_new = true;
        }
        self.established |= self.synack > 0 && !seg.h.flags.syn() && o.isn.is_some();
        done
    }

    /// An RST ends the connection when it lies where the receiver would take it (RFC 9293
    /// section 3.10.7), generously.
    fn reset_by(
        &mut self,
        side: Side,
        seg: &Segment<'_>,
        now: Timestamp,
        pool: &mut Pool,
        n: &mut Counters,
    ) -> Facts {
        let (s, o) = (self.streams.of(side), self.streams.of(side.other()));
        let near = |a: u32, b: u32| dist(a, b).unsigned_abs() <= 1 << 20;
        let by_seq = if s.seen.known { near(seg.h.seq, s.seen.high) } else { o.acks.covers(seg.h.seq) };
        let by_ack = seg.h.flags.ack() && o.seen.known && seg.h.ack == o.seen.high;
        let nothing = !s.seen.known && !o.acks.known && !o.seen.known;
        let valid = by_seq || by_ack || nothing || o.acks.known && seg.h.seq == o.acks.ack;
        let mut facts = Facts { kind: Kind::Empty, fresh: false, all_acked: false, reset: valid };
        if !valid {
            n.out_of_window = n.out_of_window.wrapping_add(1);
            facts.kind = Kind::Far;
            return facts;
        }
        let refused = !self.established && self.synack == 0 && o.isn.is_some();
        self.closed.get_or_insert(if refused { Closed::Refused } else { Closed::Rst(side) });
        if seg.h.flags.ack() {
            facts.all_acked = self.acknowledge(side, seg, now, pool);
        }
        facts
    }
}
