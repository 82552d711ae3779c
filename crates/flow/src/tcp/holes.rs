//! What holds bytes back: missing bytes before them, in their own stream or in the other one.
//!
//! A segment that acknowledges bytes of the other direction was sent after these had arrived
//! (RFC 9293 section 3.4). Where the capture lost them, or shows them later, the segment waits:
//! an answer must not come to the parser before its request, or before the gap that stands for it.
//! One comparison of the ACK with what was told finds this out, so that a lost packet is noticed
//! by its answer, and costs what it carried and no more.

use super::reassembly::Held;
use super::seen::FAR;
use super::seq::{after, dist};
use crate::flow::{Body, Flow};
use crate::shared::Shared;
use base::{Mark, Side, Timestamp};

/// After the receiver acknowledged missing bytes, this many packets of the flow may still come
/// before the gap is told. Captures with several queues, and kernels that show what was sent
/// before what had arrived, put packets out of order by one to three places.
const LATER: u32 = 8;

/// Missing bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hole {
    /// Where it ends.
    pub(crate) to: u32,
    /// The arrival of what waits for it; `None` when no bytes do.
    pub(crate) mark: Option<Mark>,
    /// Which packet that was.
    packet: u32,
}

impl Hole {
    fn before(held: &Held, to: u32) -> Hole {
        Hole { to, mark: Some(held.came.mark), packet: held.came.packet }
    }

    /// The order of arrival of what waits.
    pub(crate) fn order(&self) -> u64 {
        self.mark.map_or(u64::MAX, |m| m.bytes)
    }
}

impl<T> Flow<T> {
    /// Up to where the other direction must be told before a segment of `side` with this ACK,
    /// if it is not yet.
    #[inline]
    pub(crate) fn owed(&self, side: Side, ack: Option<u32>) -> Option<u32> {
        let Body::Tcp(tcp) = &self.body else { return None };
        let other = tcp.stream(side.other());
        let ack = ack.filter(|_| other.bytes.known)?;
        if dist(ack, other.bytes.next) <= 0 || *self.ended.of(side.other()) {
            return None;
        }
        // A FIN takes a number, but is no byte.
        let to = other.fin.filter(|fin| after(ack, *fin)).unwrap_or(ack);
        let n = dist(to, other.bytes.next);
        (n > 0 && n <= FAR).then_some(to)
    }

    /// The first held segment of `side`, when nothing is missing before it in its own stream.
    fn head(&self, side: Side) -> Option<&Held> {
        let Body::Tcp(tcp) = &self.body else { return None };
        let b = &tcp.stream(side).bytes;
        b.waiting.as_ref()?.held.front().filter(|h| !after(h.seq, b.next))
    }

    /// Bytes of `side` are held that only wait for the other direction.
    pub(crate) fn is_held_up(&self, side: Side) -> bool {
        self.head(side).is_some()
    }

    /// The side whose first held segment is next.
    pub(crate) fn ready(&self) -> Option<Side> {
        let one = |side| self.head(side).map(|h| (self.owed(side, h.came.ack).is_some(), h.came.mark.bytes));
        match (one(Side::A), one(Side::B)) {
            (Some((false, a)), Some((false, b))) => Some(if a <= b { Side::A } else { Side::B }),
            // Each acknowledges the other. Old bytes sent again with a new ACK do so: these came
            // later. (As may a liar's.)
            (Some((true, a)), Some((true, b))) => Some(if a > b { Side::A } else { Side::B }),
            (Some((false, _)), _) => Some(Side::A),
            (_, Some((false, _))) => Some(Side::B),
            _ => None,
        }
    }

    /// The FIN of `side` is next: all of its data was told, and what it acknowledges.
    pub(crate) fn is_at_end(&self, side: Side) -> bool {
        self.has_all_data(side).is_some_and(|ack| self.owed(side, ack).is_none())
    }

    /// All data before the FIN of `side` was told, but not the end: the ACK of the FIN.
    fn has_all_data(&self, side: Side) -> Option<Option<u32>> {
        let Body::Tcp(tcp) = &self.body else { return None };
        let s = tcp.stream(side);
        let done = s.fin.is_some_and(|fin| dist(s.bytes.next, fin) >= 0) && !self.ended.of(side);
        done.then_some(s.fin_ack)
    }

    /// The first hole of `side`'s stream.
    pub(crate) fn hole(&self, side: Side) -> Option<Hole> {
        let Body::Tcp(tcp) = &self.body else { return None };
        let s = tcp.stream(side);
        if *self.ended.of(side) || !s.bytes.known {
            return None;
        }
        let (next, end) = (s.bytes.next, s.data_end());
        let last = |to| Hole { to, mark: None, packet: tcp.packets };
        let first = s.bytes.waiting.as_ref().and_then(|w| w.held.front());
        let own = match first {
            Some(h) if after(h.seq, next) => Some(Hole::before(h, h.seq)),
            Some(_) => return None,
            None => after(end, next).then(|| last(end)),
        };
        let other = side.other();
        let asked = match self.head(other) {
            Some(h) => self.owed(other, h.came.ack).map(|to| Hole::before(h, to)),
            None => self.has_all_data(other).and_then(|ack| self.owed(other, ack)).map(last),
        };
        match (own, asked) {
            (Some(own), Some(asked)) => {
                let to = if after(own.to, asked.to) { asked.to } else { own.to };
                Some(Hole { to, ..if asked.order() < own.order() { asked } else { own } })
            }
            (own, asked) => own.or(asked),
        }
    }

    /// Finds out whether there is a hole in `side`'s stream, after something changed.
    pub(crate) fn note_hole(&mut self, side: Side, now: Timestamp) {
        let hole = self.hole(side);
        let Body::Tcp(tcp) = &mut self.body else { return };
        let acked = hole.filter(|h| tcp.stream(side.other()).acks.covers(h.to));
        let b = &mut tcp.stream_mut(side).bytes;
        if hole.is_none() {
            // Without a hole, and nothing held, the fast path is open again.
            b.waiting.take_if(|w| w.held.is_empty());
            if let Some(w) = &mut b.waiting {
                w.open = false;
            }
            return;
        }
        let w = b.waiting.get_or_insert_default();
        if !w.open || w.at != b.next {
            (w.open, w.at, w.since) = (true, b.next, now);
            // A hole behind another one was there already: it is not waited for twice.
            w.acked = acked.map(|h| (h.mark.map_or(now, |m| m.time), h.packet));
        }
    }

    /// The hole that is given up now: of two, the one for which something has waited longer.
    pub(crate) fn given_up(&mut self, now: Timestamp, sh: &Shared) -> Option<(Side, Hole)> {
        let a = self.waited_for(Side::A, now, sh).map(|h| (Side::A, h));
        let b = self.waited_for(Side::B, now, sh).map(|h| (Side::B, h));
        [a, b].into_iter().flatten().min_by_key(|(_, h)| h.order())
    }

    /// The hole of `side`, when it was waited for long enough.
    fn waited_for(&mut self, side: Side, now: Timestamp, sh: &Shared) -> Option<Hole> {
        let Body::Tcp(tcp) = &self.body else { return None };
        tcp.stream(side).bytes.waiting.as_ref().filter(|w| w.open)?;
        let Some(hole) = self.hole(side) else {
            self.note_hole(side, now);
            return None;
        };
        let Body::Tcp(tcp) = &mut self.body else { return None };
        let (acks, packets) = (tcp.stream(side.other()).acks, tcp.packets);
        let w = tcp.stream_mut(side).bytes.waiting.as_mut()?;
        if w.acked.is_none() && acks.covers(hole.to) {
            w.acked = Some((now, packets));
        }
        let acked = w.acked.is_some_and(|(time, packet)| {
            now.since(time) >= sh.cfg.acked_hole_wait || packets.wrapping_sub(packet) >= LATER
        });
        (acked || now.since(w.since) >= sh.cfg.hole_wait).then_some(hole)
    }
}
