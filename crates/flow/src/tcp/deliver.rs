//! From segments to the events `data`, `gap` and `end`.

use super::Verdict;
use super::reassembly::{Run, Waiting};
use super::seq::{after, dist};
use super::state::{Segment, Stream};
use crate::contract::Events;
use crate::flow::{Body, Flow};
use crate::shared::Shared;
use base::{Mark, Side, Timestamp};

/// After the receiver acknowledged missing bytes, this many packets of the flow may still come
/// before the gap is told: what a capture with several queues puts out of order is closer.
const LATER: u32 = 64;

impl<T> Flow<T> {
    fn stream(&mut self, side: Side) -> Option<&mut Stream> {
        match &mut self.body {
            Body::Tcp(tcp) => Some(tcp.stream_mut(side)),
            _ => None,
        }
    }

    /// Tells bytes in order; what the capture cut of them is a gap.
    #[inline]
    fn tell(
        &mut self,
        side: Side,
        mark: &Mark,
        run: Run<'_>,
        sh: &mut Shared,
        ev: &mut impl Events<Flow<T>>,
    ) {
        self.told = true;
        let dir = self.direction(side);
        if !run.bytes.is_empty() {
            ev.data(self, dir, mark, run.bytes);
        }
        let missing = u64::from(run.len).saturating_sub(run.bytes.len() as u64);
        if missing > 0 && self.follow {
            self.tell_gap(side, mark, missing, sh, ev);
        }
    }

    fn tell_gap(
        &mut self,
        side: Side,
        mark: &Mark,
        len: u64,
        sh: &mut Shared,
        ev: &mut impl Events<Flow<T>>,
    ) {
        sh.counters.gaps = sh.counters.gaps.wrapping_add(1);
        sh.counters.gap_bytes = sh.counters.gap_bytes.wrapping_add(len);
        self.told = true;
        let dir = self.direction(side);
        ev.gap(self, dir, mark, len);
    }

    /// Takes the data and the FIN of a segment in.
    #[inline]
    pub(crate) fn take_in(
        &mut self,
        side: Side,
        seg: &Segment<'_>,
        sh: &mut Shared,
        ev: &mut impl Events<Flow<T>>,
    ) {
        if *self.ended.of(side) {
            return;
        }
        let now = self.last_seen;
        let Some(s) = self.stream(side) else { return };
        let run = Run { seq: seg.data_seq(), len: seg.len, bytes: seg.payload };
        if !s.bytes.known || !s.bytes.started && s.isn_unseen() && after(s.bytes.next, run.seq) {
            // Midstream: the stream begins with the first segment, or before it when nothing
            // was told yet.
            s.bytes.known = true;
            s.bytes.next = run.seq;
        }
        let ahead = dist(run.seq, s.bytes.next);
        if run.len > 0 {
            if ahead == 0 && s.bytes.waiting.is_none() {
                s.bytes.next = run.end();
                s.bytes.started = true;
                let mark = self.mark();
                self.tell(side, &mark, run, sh, ev);
            } else {
                self.sort_in(side, run, sh, ev);
            }
        } else if ahead > 0 {
            // Nothing is held, but bytes before this one were missed.
            self.open_hole(side, now);
        }
        self.end_in_order(side, ev);
    }

    /// A hole begins, unless there is one already.
    fn open_hole(&mut self, side: Side, now: Timestamp) {
        let Some(s) = self.stream(side) else { return };
        let w = s.bytes.waiting.get_or_insert_default();
        if !w.open {
            w.open = true;
            w.progress(now);
        }
    }

    /// The slow path: a segment out of order, or one that comes while others are held.
    fn sort_in(&mut self, side: Side, mut run: Run<'_>, sh: &mut Shared, ev: &mut impl Events<Flow<T>>) {
        let (now, mark) = (self.last_seen, self.mark());
        while run.len > 0 && self.follow {
            let Some(s) = self.stream(side) else { return };
            let next = s.bytes.next;
            let behind = dist(next, run.seq);
            if behind > 0 {
                run = run.split(behind.unsigned_abs()).1;
                continue;
            }
            let w = s.bytes.waiting.get_or_insert_default();
            let first = w.first();
            if first.is_some() {
                let differ = w.conflicts(run);
                sh.counters.overlap_conflicts = sh.counters.overlap_conflicts.wrapping_add(differ);
            }
            if behind == 0 {
                // In order up to the first segment held; that one goes on.
                let free = first.map_or(run.len, |f| f.wrapping_sub(next));
                let (head, rest) = run.split(free);
                s.bytes.next = head.end();
                s.bytes.started = true;
                w.told = now;
                self.tell(side, &mark, head, sh, ev);
                self.drain(side, now, sh, ev);
                run = rest;
                continue;
            }
            let max = sh.cfg.max_held_per_stream.min(w.bytes.saturating_add(sh.room()));
            if w.fits(run.bytes.len(), max) {
                let charged = w.hold(run, &mark, || sh.buffers.pop().unwrap_or_default());
                sh.held = sh.held.saturating_add(charged);
                self.open_hole(side, now);
                return;
            }
            sh.counters.gaps_for_room = sh.counters.gaps_for_room.wrapping_add(1);
            let to = match first {
                Some(f) if after(run.seq, f) => f,
                _ => run.seq,
            };
            self.skip_to(side, to, now, sh, ev);
        }
    }

    /// Tells a gap up to `to`, and what is held from there.
    fn skip_to(
        &mut self,
        side: Side,
        to: u32,
        now: Timestamp,
        sh: &mut Shared,
        ev: &mut impl Events<Flow<T>>,
    ) {
        let mut mark = self.mark();
        let Some(s) = self.stream(side) else { return };
        let len = dist(to, s.bytes.next);
        if len > 0 {
            s.bytes.next = to;
            s.bytes.started = true;
            mark.time = s.bytes.waiting.as_ref().map_or(now, |w| w.told).max(mark.time);
            self.tell_gap(side, &mark, u64::from(len.unsigned_abs()), sh, ev);
        }
        self.drain(side, now, sh, ev);
    }

    /// Tells what is held and has come into order.
    fn drain(&mut self, side: Side, now: Timestamp, sh: &mut Shared, ev: &mut impl Events<Flow<T>>) {
        while self.follow {
            let Some(s) = self.stream(side) else { return };
            let (next, end) = (s.bytes.next, s.data_end());
            let Some(w) = &mut s.bytes.waiting else { return };
            let Some(h) = w.pop(next) else {
                w.open = !w.held.is_empty() || after(end, next);
                w.progress(now);
                return;
            };
            sh.held = sh.held.saturating_sub(h.cost());
            let run = Run { seq: h.seq, len: h.len, bytes: &h.bytes };
            let run = run.split(next.wrapping_sub(h.seq)).1;
            s.bytes.next = run.end();
            w.told = w.told.max(h.mark.time);
            let mark = Mark { time: w.told, ..h.mark };
            self.tell(side, &mark, run, sh, ev);
            sh.recycle(h.bytes);
        }
        self.release(sh);
    }

    /// The end of a direction whose FIN has come into order.
    fn end_in_order(&mut self, side: Side, ev: &mut impl Events<Flow<T>>) {
        let Some(s) = self.stream(side) else { return };
        if s.fin.is_some_and(|fin| dist(s.bytes.next, fin) >= 0) && self.follow {
            self.tell_end(side, ev);
        }
    }

    fn tell_end(&mut self, side: Side, ev: &mut impl Events<Flow<T>>) {
        let told = std::mem::replace(self.ended.of_mut(side), true);
        if !told && self.follow {
            self.told = true;
            let (dir, mark) = (self.direction(side), self.mark());
            ev.end(self, dir, &mark);
        }
    }

    /// Gives up holes that were waited for long enough. `packet`: a packet of the flow came.
    #[inline]
    pub(crate) fn look_at_holes(
        &mut self,
        now: Timestamp,
        packet: bool,
        sh: &mut Shared,
        ev: &mut impl Events<Flow<T>>,
    ) -> Verdict {
        let Body::Tcp(tcp) = &mut self.body else { return Verdict::Done };
        if !tcp.has_holes() {
            return Verdict::Done;
        }
        for side in [Side::A, Side::B] {
            while let Some(to) = self.given_up(side, now, packet, sh) {
                self.skip_to(side, to, now, sh, ev);
                self.end_in_order(side, ev);
            }
        }
        let Body::Tcp(tcp) = &mut self.body else { return Verdict::Done };
        if tcp.has_holes() && !std::mem::replace(&mut tcp.queued, true) {
            return Verdict::Waits;
        }
        Verdict::Done
    }

    /// A check that was asked for by [`Verdict::Waits`].
    pub(crate) fn check_holes(
        &mut self,
        now: Timestamp,
        sh: &mut Shared,
        ev: &mut impl Events<Flow<T>>,
    ) -> Verdict {
        if let Body::Tcp(tcp) = &mut self.body {
            tcp.queued = false;
        }
        if !self.follow {
            self.release(sh);
            return Verdict::Done;
        }
        self.look_at_holes(now, false, sh, ev)
    }

    /// Where a hole ends that is given up now.
    fn given_up(&mut self, side: Side, now: Timestamp, packet: bool, sh: &Shared) -> Option<u32> {
        let ended = *self.ended.of(side);
        let Body::Tcp(tcp) = &mut self.body else { return None };
        let peer = tcp.stream(side.other()).acks;
        let s = tcp.stream_mut(side);
        let (next, end) = (s.bytes.next, s.data_end());
        let w = s.bytes.waiting.as_mut().filter(|w| w.open)?;
        let to = w.first().unwrap_or(end);
        if ended || !after(to, next) {
            w.open = false;
            return None;
        }
        w.later = w.later.saturating_add(u32::from(packet));
        if w.acked.is_none() && peer.covers(to) {
            w.acked = Some(now);
            w.later = 0;
        }
        let acked = w.acked.is_some_and(|t| now.since(t) >= sh.cfg.acked_hole_wait || w.later > LATER);
        (acked || now.since(w.since) >= sh.cfg.hole_wait).then_some(to)
    }

    /// All that is held is told, with gaps, and both directions end.
    pub(crate) fn close_both(&mut self, sh: &mut Shared, ev: &mut impl Events<Flow<T>>) {
        let now = self.last_seen;
        for side in [self.initiator(), self.initiator().other()] {
            if !*self.ended.of(side) {
                while let Some(to) = self.hole_end(side).filter(|_| self.follow) {
                    self.skip_to(side, to, now, sh, ev);
                }
            }
            self.tell_end(side, ev);
        }
        self.release(sh);
    }

    /// Where the first hole ends, if there is one.
    fn hole_end(&mut self, side: Side) -> Option<u32> {
        let s = self.stream(side)?;
        let w = s.bytes.waiting.as_ref().filter(|w| w.open)?;
        let to = w.first().unwrap_or(s.data_end());
        after(to, s.bytes.next).then_some(to)
    }

    /// Drops what is held: nobody follows the flow.
    pub(crate) fn release(&mut self, sh: &mut Shared) {
        let Body::Tcp(tcp) = &mut self.body else { return };
        for side in [Side::A, Side::B] {
            let b = &mut tcp.stream_mut(side).bytes;
            b.known = false;
            if let Some(w) = b.waiting.take() {
                let w: Waiting = *w;
                sh.held = sh.held.saturating_sub(w.bytes);
                for h in w.held {
                    sh.recycle(h.bytes);
                }
            }
        }
    }
}
