//! Data under way: from its sending to the ACK that covers it.
//!
//! One entry a data segment. Data that was sent again gives no network delay (Karn's rule,
//! RFC 6298 section 3) but a retransmission delay, from its first sending.

use super::seq::{after, dist};
use crate::contract::Delay;
use base::Timestamp;
use std::collections::VecDeque;

/// Segments under way in one direction that are measured; 256 are enough to sample any
/// connection, and 4 KB. The samples of more are skipped and counted.
const MAX_IN_FLIGHT: usize = 256;
/// Room for this many at first.
const FIRST: usize = 4;
/// Queues up to this size are kept for the next connection.
const KEEP: usize = 16;

#[derive(Clone, Copy, Debug)]
struct Sent {
    time: Timestamp,
    end: u32,
    again: bool,
}

/// Queues kept for the next use.
const SPARE: usize = 256;

/// Queues that are not in use, and what those in use cost. A stream has one only while it has
/// data under way.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    #[expect(clippy::vec_box, reason = "streams hold 8 bytes, not 32")]
    spare: Vec<Box<VecDeque<Sent>>>,
    /// Bytes of all queues, in use or not.
    bytes: usize,
    /// What they may come to.
    max: usize,
}

impl Pool {
    /// A pool of at most `max` bytes.
    pub(crate) fn new(max: usize) -> Pool {
        Pool { max, ..Pool::default() }
    }

    /// Bytes of heap.
    pub(crate) const fn held(&self) -> usize {
        self.bytes
    }

    fn cost(q: &VecDeque<Sent>) -> usize {
        q.capacity().saturating_mul(size_of::<Sent>()).saturating_add(size_of::<VecDeque<Sent>>())
    }

    #[expect(clippy::box_collection, reason = "as above")]
    fn get(&mut self) -> Option<Box<VecDeque<Sent>>> {
        if let Some(q) = self.spare.pop() {
            return Some(q);
        }
        let q = Box::new(VecDeque::with_capacity(FIRST));
        self.bytes = self.bytes.saturating_add(Pool::cost(&q));
        if self.bytes > self.max {
            self.bytes = self.bytes.saturating_sub(Pool::cost(&q));
            return None;
        }
        Some(q)
    }

    #[expect(clippy::box_collection, reason = "as above")]
    fn put(&mut self, mut q: Box<VecDeque<Sent>>) {
        if self.spare.len() < SPARE && q.capacity() <= KEEP {
            q.clear();
            self.spare.push(q);
        } else {
            self.bytes = self.bytes.saturating_sub(Pool::cost(&q));
        }
    }

    /// Makes room for one more; false when there is none.
    fn grow(&mut self, q: &mut VecDeque<Sent>) -> bool {
        if q.len() < q.capacity() {
            return true;
        }
        let more = q.capacity().saturating_mul(size_of::<Sent>());
        if q.len() >= MAX_IN_FLIGHT || self.bytes.saturating_add(more) > self.max {
            return false;
        }
        let before = Pool::cost(q);
        q.reserve_exact(q.capacity());
        self.bytes = self.bytes.saturating_sub(before).saturating_add(Pool::cost(q));
        true
    }
}

/// The segments of one direction that wait for their ACK, by sequence number.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    #[expect(clippy::box_collection, reason = "as above")]
    queue: Option<Box<VecDeque<Sent>>>,
    /// There are as many as are measured: nothing more is until some are acknowledged.
    full: bool,
    /// Entries that were not sent again: without one there is nothing to mark.
    once: u32,
}

impl InFlight {
    /// A word of where the next entry goes.
    #[inline]
    pub(crate) fn glance(&self) -> u64 {
        if self.full || self.once == 0 {
            return 0;
        }
        self.queue.as_ref().and_then(|q| q.back()).map_or(0, |s| s.time.0)
    }

    /// Forgets all.
    pub(crate) fn reset(&mut self, pool: &mut Pool) {
        (self.full, self.once) = (false, 0);
        if let Some(q) = self.queue.take() {
            pool.put(q);
        }
    }

    /// Data up to `end` was sent. False: not measured, for want of room.
    #[inline]
    pub(crate) fn sent(&mut self, end: u32, now: Timestamp, pool: &mut Pool) -> bool {
        if self.full {
            return false;
        }
        if self.queue.is_none() {
            self.queue = pool.get();
        }
        let Some(q) = &mut self.queue else { return false };
        if !pool.grow(q) {
            self.full = q.len() >= MAX_IN_FLIGHT;
            return false;
        }
        let sent = Sent { time: now, end, again: false };
        if q.back().is_none_or(|b| dist(end, b.end) >= 0) {
            q.push_back(sent);
        } else {
            let at = q.partition_point(|s| !after(s.end, end));
            q.insert(at, sent);
        }
        self.once = self.once.saturating_add(1);
        true
    }

    /// `seq..end` was sent again: what lies in it gives no network delay.
    pub(crate) fn again(&mut self, seq: u32, end: u32) {
        let Some(q) = self.queue.as_mut().filter(|_| self.once > 0) else { return };
        let first = q.partition_point(|s| !after(s.end, seq));
        let mut begin = seq;
        for s in q.range_mut(first..) {
            if !after(end, begin) {
                break;
            }
            if !std::mem::replace(&mut s.again, true) {
                self.once = self.once.saturating_sub(1);
            }
            begin = s.end;
        }
    }

    /// Everything before `ack` arrived. The samples of new data and of data sent again are
    /// added to `net` and `again`; returns count and sum of the former.
    #[inline]
    pub(crate) fn acked(
        &mut self,
        ack: u32,
        now: Timestamp,
        net: &mut Delay,
        again: &mut Delay,
        pool: &mut Pool,
    ) -> (u32, u64) {
        let (mut cnt, mut sum) = (0u32, 0u64);
        let Some(q) = &mut self.queue else { return (0, 0) };
        while let Some(s) = q.front()
            && dist(ack, s.end) >= 0
        {
            let ns = now.since(s.time);
            if s.again {
                again.add(ns);
            } else {
                self.once = self.once.saturating_sub(1);
                net.add(ns);
                cnt = cnt.saturating_add(1);
                sum = sum.saturating_add(ns);
            }
            q.pop_front();
            self.full = false;
        }
        if q.is_empty() {
            self.reset(pool);
        }
        (cnt, sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_segment_is_measured_to_the_first_ack_that_covers_it() {
        let (mut q, mut net, mut again) = (InFlight::default(), Delay::default(), Delay::default());
        let mut p = Pool::new(1 << 20);
        for (end, t) in [(0xffff_fff0, 1), (10, 2), (110, 3), (210, 4)] {
            assert!(q.sent(end, Timestamp(t), &mut p));
        }
        q.again(10, 110); // the third
        assert_eq!(q.acked(9, Timestamp(50), &mut net, &mut again, &mut p), (1, 49), "partly is not");
        q.acked(210, Timestamp(60), &mut net, &mut again, &mut p);
        assert_eq!((net.cnt, net.sum, net.max), (3, 49 + 58 + 56, 58));
        assert_eq!((again.cnt, again.sum), (1, 57));
    }

    #[test]
    fn is_bounded_by_number_and_by_room() {
        let (mut q, mut small, mut p) = (InFlight::default(), Pool::new(100), Pool::new(1 << 20));
        assert_eq!((0..100).filter(|n| q.sent(*n, Timestamp(0), &mut small)).count(), FIRST);
        q.reset(&mut small);
        let taken = (0..1000).filter(|n| q.sent(*n, Timestamp(0), &mut p)).count();
        assert_eq!(taken, MAX_IN_FLIGHT);
        q.reset(&mut p);
        assert_eq!(p.held(), 0, "large ones are not kept");
    }

    #[test]
    fn a_filled_hole_is_put_in_its_place() {
        let (mut q, mut net, mut again) = (InFlight::default(), Delay::default(), Delay::default());
        let mut p = Pool::new(1 << 20);
        for (end, t) in [(100, 1), (300, 2), (200, 3)] {
            q.sent(end, Timestamp(t), &mut p);
        }
        assert_eq!(q.acked(200, Timestamp(10), &mut net, &mut again, &mut p), (2, 16));
    }
}
