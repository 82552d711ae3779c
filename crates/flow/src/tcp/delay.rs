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

/// The segments of one direction that wait for their ACK, by sequence number.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    queue: VecDeque<Sent>,
}

impl InFlight {
    /// Bytes of heap.
    pub(crate) fn held(&self) -> usize {
        self.queue.capacity().saturating_mul(size_of::<Sent>())
    }

    /// Forgets all; gives the memory back when it is much.
    pub(crate) fn reset(&mut self) {
        self.queue.clear();
        if self.queue.capacity() > KEEP {
            self.queue = VecDeque::new();
        }
    }

    /// Gives memory back that is not in use.
    pub(crate) fn trim(&mut self) {
        if self.queue.is_empty() && self.queue.capacity() > KEEP {
            self.queue = VecDeque::new();
        }
    }

    /// Data up to `end` was sent. `room` is what the queue may grow by. False: not measured.
    #[inline]
    pub(crate) fn sent(&mut self, end: u32, now: Timestamp, room: usize) -> bool {
        if self.queue.len() >= self.queue.capacity() {
            let more = self.queue.capacity().max(FIRST);
            if self.queue.len() >= MAX_IN_FLIGHT || room < more.saturating_mul(size_of::<Sent>()) {
                return false;
            }
            self.queue.reserve_exact(more);
        }
        let sent = Sent { time: now, end, again: false };
        if self.queue.back().is_none_or(|b| dist(end, b.end) >= 0) {
            self.queue.push_back(sent);
        } else {
            let at = self.queue.partition_point(|s| !after(s.end, end));
            self.queue.insert(at, sent);
        }
        true
    }

    /// `seq..end` was sent again: what lies in it gives no network delay.
    pub(crate) fn again(&mut self, seq: u32, end: u32) {
        let first = self.queue.partition_point(|s| !after(s.end, seq));
        let mut begin = seq;
        for s in self.queue.range_mut(first..) {
            if !after(end, begin) {
                break;
            }
            s.again = true;
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
    ) -> (u32, u64) {
        let (mut cnt, mut sum) = (0u32, 0u64);
        while let Some(s) = self.queue.front()
            && dist(ack, s.end) >= 0
        {
            let ns = now.since(s.time);
            if s.again {
                again.add(ns);
            } else {
                net.add(ns);
                cnt = cnt.saturating_add(1);
                sum = sum.saturating_add(ns);
            }
            self.queue.pop_front();
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
        for (end, t) in [(0xffff_fff0, 1), (10, 2), (110, 3), (210, 4)] {
            assert!(q.sent(end, Timestamp(t), usize::MAX));
        }
        q.again(10, 110); // the third
        assert_eq!(q.acked(9, Timestamp(50), &mut net, &mut again), (1, 49), "partly covered is not");
        q.acked(210, Timestamp(60), &mut net, &mut again);
        assert_eq!((net.cnt, net.sum, net.max), (3, 49 + 58 + 56, 58));
        assert_eq!((again.cnt, again.sum), (1, 57));
    }

    #[test]
    fn is_bounded_by_number_and_by_room() {
        let mut q = InFlight::default();
        assert!(!q.sent(0, Timestamp(0), 10));
        let taken = (0..1000).filter(|n| q.sent(*n, Timestamp(0), usize::MAX)).count();
        assert_eq!(taken, MAX_IN_FLIGHT);
        assert_eq!(q.held(), MAX_IN_FLIGHT * 16);
        q.reset();
        assert_eq!(q.held(), 0);
    }

    #[test]
    fn a_filled_hole_is_put_in_its_place() {
        let (mut q, mut net, mut again) = (InFlight::default(), Delay::default(), Delay::default());
        for (end, t) in [(100, 1), (300, 2), (200, 3)] {
            q.sent(end, Timestamp(t), usize::MAX);
        }
        assert_eq!(q.acked(200, Timestamp(10), &mut net, &mut again), (2, 16));
    }
}
