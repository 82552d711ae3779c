//! From segments to the events `data`, `gap` and `end`.

use super::Verdict;
use super::reassembly::{Came, Run, Waiting};
use super::seq::{after, dist};
use super::state::{Segment, Stream};
use crate::contract::Events;
use crate::flow::{Body, Flow};
use crate::shared::Shared;
use base::{Direction, Mark, Side, Timestamp};

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
        // Behind a FIN, or an RST, that was told there is nothing, whatever the numbers say.
        if *self.ended.of(side) {
            return;
        }
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
        if *self.ended.of(side) {
            return;
        }
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
        let (fast, fin) = (ahead == 0 && s.bytes.waiting.is_none(), s.fin.is_some());
        if run.len > 0 {
            let ack = seg.h.flags.ack().then_some(seg.h.ack);
            if fast && self.owed(side, ack).is_none() {
                let Some(s) = self.stream(side) else { return };
                s.bytes.told_to(run.end());
                let mark = self.mark();
                self.tell(side, &mark, run, sh, ev);
            } else {
                self.sort_in(side, run, ack, sh, ev);
            }
        } else if ahead > 0 {
            // Nothing is held, but bytes before this one were missed.
            self.note_hole(side, now);
        }
        if fin {
            self.ends_in_order(ev);
            // A FIN may wait for the other direction too.
            self.note_hole(side.other(), now);
        }
    }

    /// The slow path: a segment out of order, or one that comes while others are held, or that
    /// answers bytes which are missing.
    fn sort_in(
        &mut self,
        side: Side,
        mut run: Run<'_>,
        mut ack: Option<u32>,
        sh: &mut Shared,
        ev: &mut impl Events<Flow<T>>,
    ) {
        let (now, mark) = (self.last_seen, self.mark());
        while run.len > 0 && self.follow {
            let owed = self.owed(side, ack);
            let Body::Tcp(tcp) = &mut self.body else { return };
            let packet = tcp.packets.wrapping_add(1);
            let s = tcp.stream_mut(side);
            let next = s.bytes.next;
            let behind = dist(next, run.seq);
            if behind > 0 {
                run = run.split(behind.unsigned_abs()).1;
                continue;
            }
            let first = s.bytes.waiting.as_ref().and_then(|w| w.first());
            if let Some(w) = s.bytes.waiting.as_ref().filter(|_| first.is_some()) {
                let differ = w.conflicts(run);
                sh.counters.overlap_conflicts = sh.counters.overlap_conflicts.wrapping_add(differ);
            }
            if behind == 0 && owed.is_none() && first.is_none_or(|f| after(f, next)) {
                // In order up to the first segment held; that one goes on.
                let free = first.map_or(run.len, |f| f.wrapping_sub(next));
                let (head, rest) = run.split(free);
                s.bytes.told_to(head.end());
                if let Some(w) = &mut s.bytes.waiting {
                    w.told = now;
                }
                self.tell(side, &mark, head, sh, ev);
                self.drain(sh, ev);
                run = rest;
                continue;
            }
            let room = sh.room();
            let w = s.bytes.waiting.get_or_insert_default();
            if w.fits(run.bytes.len(), sh.cfg.max_held_per_stream.min(w.bytes.saturating_add(room))) {
                let came = Came { ack, packet, mark };
                let charged = w.hold(run, &came, || sh.buffers.pop().unwrap_or_default());
                sh.held = sh.held.saturating_add(charged);
                self.note_hole(side, now);
                self.note_hole(side.other(), now);
                return;
            }
            sh.counters.gaps_for_room = sh.counters.gaps_for_room.wrapping_add(1);
            let to = owed.filter(|_| behind == 0);
            if !self.make_room(side, run.seq, to, &mark, sh, ev) {
                // Each side waits for the other, and there is no room for it.
                if std::mem::take(&mut ack).is_none() {
                    return;
                }
            }
        }
    }

    /// There is no room to hold a segment of `side` that begins at `seq`: the hole that it waits
    /// for is given up, or one before that. `owed`: it is next, but for the other direction,
    /// which is to be told up to there. False when there is no such hole.
    fn make_room(
        &mut self,
        side: Side,
        seq: u32,
        owed: Option<u32>,
        mark: &Mark,
        sh: &mut Shared,
        ev: &mut impl Events<Flow<T>>,
    ) -> bool {
        let other = side.other();
        let (of, to) = match (self.hole(side), self.hole(other), owed) {
            (_, Some(h), Some(to)) => (other, if after(to, h.to) { h.to } else { to }),
            // What is owed is not held, or it would have come.
            (_, None, Some(to)) if !self.is_held_up(other) => (other, to),
            (_, None, Some(_)) => return false,
            (Some(h), _, None) if !after(h.to, seq) => (side, h.to),
            (None, Some(h), None) => (other, h.to),
            _ => (side, seq),
        };
        let before = self.stream(of).map(|s| s.bytes.next);
        self.skip_to(of, to, mark, sh, ev);
        before != self.stream(of).map(|s| s.bytes.next)
    }

    /// Tells a gap up to `to`, and what is held from there. `mark`: of what waited for it.
    fn skip_to(&mut self, side: Side, to: u32, mark: &Mark, sh: &mut Shared, ev: &mut impl Events<Flow<T>>) {
        let Some(s) = self.stream(side) else { return };
        let len = dist(to, s.bytes.next);
        if len > 0 {
            s.bytes.told_to(to);
            let told = s.bytes.waiting.as_ref().map_or(mark.time, |w| w.told);
            let mark = Mark { time: told.max(mark.time), ..*mark };
            self.tell_gap(side, &mark, u64::from(len.unsigned_abs()), sh, ev);
        }
        self.drain(sh, ev);
    }

    /// Tells what is held and has come into order, of both directions in the order of arrival.
    fn drain(&mut self, sh: &mut Shared, ev: &mut impl Events<Flow<T>>) {
        while self.follow {
            self.ends_in_order(ev);
            let Some(side) = self.ready() else {
                let now = self.last_seen;
                self.note_hole(Side::A, now);
                self.note_hole(Side::B, now);
                return self.acked_meanwhile(ev);
            };
            let Body::Tcp(tcp) = &mut self.body else { return };
            let other = tcp.stream(side.other()).bytes.next;
            let s = tcp.stream_mut(side);
            let next = s.bytes.next;
            let Some(w) = &mut s.bytes.waiting else { return };
            let Some(h) = w.pop(next) else { return };
            sh.held = sh.held.saturating_sub(h.cost());
            w.told = w.told.max(h.came.mark.time);
            let mark = Mark { time: w.told, ..h.came.mark };
            let run = Run { seq: h.seq, len: h.len, bytes: &h.bytes };
            let run = run.split(next.wrapping_sub(h.seq)).1;
            if run.len > 0 {
                s.bytes.told_to(run.end());
                if self.watch_acks && h.came.ack.is_some_and(|ack| dist(ack, other) >= 0) {
                    let dir = self.direction(side.other());
                    ev.acked(self, dir, &mark);
                }
                self.tell(side, &mark, run, sh, ev);
            }
            sh.recycle(h.bytes);
        }
        self.release(sh);
    }

    /// What was told late may be acknowledged already.
    fn acked_meanwhile(&mut self, ev: &mut impl Events<Flow<T>>) {
        for dir in Direction::BOTH {
            if self.watch_acks && self.all_acked(dir) {
                let mark = self.mark();
                ev.acked(self, dir, &mark);
            }
        }
    }

    /// The ends of directions whose FIN has come into order.
    fn ends_in_order(&mut self, ev: &mut impl Events<Flow<T>>) {
        for side in [self.initiator(), self.initiator().other()] {
            if self.is_at_end(side) {
                self.tell_end(side, ev);
            }
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
        tcp.packets = tcp.packets.wrapping_add(u32::from(packet));
        self.give_up_holes(now, sh, ev)
    }

    /// The part of [`Flow::look_at_holes`] that is rare.
    #[cold]
    fn give_up_holes(&mut self, now: Timestamp, sh: &mut Shared, ev: &mut impl Events<Flow<T>>) -> Verdict {
        let mark = self.mark();
        while self.follow
            && let Some((side, hole)) = self.given_up(now, sh)
        {
            self.skip_to(side, hole.to, hole.mark.as_ref().unwrap_or(&mark), sh, ev);
        }
        let Body::Tcp(tcp) = &mut self.body else { return Verdict::Done };
        let (open, acked) = (tcp.has_holes(), tcp.has_acked_holes());
        let [long, brief] = &mut tcp.queued;
        if acked && !std::mem::replace(brief, true) {
            return Verdict::WaitsBriefly;
        }
        if open && !*brief && !std::mem::replace(long, true) {
            return Verdict::Waits;
        }
        Verdict::Done
    }

    /// A check that was asked for by [`Verdict::Waits`] or [`Verdict::WaitsBriefly`].
    pub(crate) fn check_holes(
        &mut self,
        now: Timestamp,
        brief: bool,
        sh: &mut Shared,
        ev: &mut impl Events<Flow<T>>,
    ) -> Verdict {
        if let Body::Tcp(tcp) = &mut self.body {
            let [l, b] = &mut tcp.queued;
            *(if brief { b } else { l }) = false;
        }
        if !self.follow {
            self.release(sh);
            return Verdict::Done;
        }
        self.look_at_holes(now, false, sh, ev)
    }

    /// All that is held is told, with gaps, and both directions end.
    pub(crate) fn close_both(&mut self, sh: &mut Shared, ev: &mut impl Events<Flow<T>>) {
        let mark = self.mark();
        let sides = [self.initiator(), self.initiator().other()];
        while self.follow {
            let holes = sides.map(|side| self.hole(side).map(|h| (side, h)));
            let Some((side, hole)) = holes.into_iter().flatten().min_by_key(|(_, h)| h.order()) else {
                break;
            };
            self.skip_to(side, hole.to, hole.mark.as_ref().unwrap_or(&mark), sh, ev);
        }
        for side in sides {
            self.tell_end(side, ev);
        }
        self.release(sh);
    }

    /// Drops what is held: nobody follows the flow.
    #[inline]
    pub(crate) fn release(&mut self, sh: &mut Shared) {
        if !self.released {
            self.drop_held(sh);
            self.released = !self.follow;
        }
    }

    fn drop_held(&mut self, sh: &mut Shared) {
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
