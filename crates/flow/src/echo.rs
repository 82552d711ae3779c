//! ICMP echo: request to reply as a network delay.

use crate::contract::Delay;
use base::{Mark, Timestamp};

/// Requests waited for at a time: `ping -f` keeps a handful under way; older ones are given up.
const PENDING: usize = 16;

/// Requests of one identifier that wait for a reply.
#[derive(Debug, Default)]
pub(crate) struct Echo {
    waiting: [Option<(u16, Timestamp)>; PENDING],
    next: usize,
    /// Samples of this interval.
    pub(crate) delay: Delay,
    cnt: u32,
    sum: u64,
}

impl Echo {
    /// A request with this sequence number.
    pub(crate) fn request(&mut self, seq: u16, now: Timestamp) {
        if self.waiting.iter().flatten().any(|w| w.0 == seq) {
            return; // seen before: the first one counts
        }
        if let Some(w) = self.waiting.get_mut(self.next) {
            *w = Some((seq, now));
        }
        self.next = self.next.wrapping_add(1) % PENDING;
    }

    /// The reply to it.
    pub(crate) fn reply(&mut self, seq: u16, now: Timestamp) {
        for w in &mut self.waiting {
            if let Some((s, asked)) = *w
                && s == seq
            {
                *w = None;
                let ns = now.since(asked);
                self.delay.add(ns);
                self.cnt = self.cnt.saturating_add(1);
                self.sum = self.sum.saturating_add(ns);
                return;
            }
        }
    }

    /// The requester is the initiator.
    pub(crate) fn fill_mark(&self, m: &mut Mark) {
        let [to_server, _] = &mut m.delay_cnt;
        *to_server = self.cnt;
        let [to_server, _] = &mut m.delay_sum;
        *to_server = self.sum;
    }
}
