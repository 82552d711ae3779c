//! What all flows of a table share: limits, counters, pools.

use crate::contract::{Config, Counters};
use crate::initiator::Learned;
use crate::tcp::Tcp;
use std::collections::VecDeque;

/// TCP states kept for the next connections, so that a connection costs no allocation.
const SPARE: usize = 1024;

/// A stream that waits for a hole to be filled: looked at again at `at`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HoleCheck {
    pub(crate) at: base::Timestamp,
    pub(crate) slot: u32,
    pub(crate) generation: u16,
}

/// Shared by all flows of a table.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) cfg: Config,
    pub(crate) counters: Counters,
    pub(crate) learned: Learned,
    /// Bytes held in reassembly.
    pub(crate) held: usize,
    /// Heap of TCP states and their queues, in use.
    pub(crate) tcps: usize,
    spare: Vec<Box<Tcp>>,
    pub(crate) checks: VecDeque<HoleCheck>,
}

impl Shared {
    pub(crate) fn new(cfg: Config) -> Shared {
        Shared {
            cfg,
            counters: Counters::default(),
            learned: Learned::default(),
            held: 0,
            tcps: 0,
            spare: Vec::new(),
            checks: VecDeque::new(),
        }
    }

    /// Bytes of heap.
    pub(crate) fn heap(&self) -> usize {
        self.tcps
            .saturating_add(self.spare.len())
            .saturating_mul(size_of::<Tcp>())
            .saturating_add(self.held)
            .saturating_add(self.learned.held())
            .saturating_add(self.checks.capacity().saturating_mul(size_of::<HoleCheck>()))
    }

    /// A fresh TCP state.
    pub(crate) fn tcp(&mut self) -> Box<Tcp> {
        self.tcps = self.tcps.saturating_add(1);
        self.spare.pop().unwrap_or_default()
    }

    /// Takes a TCP state back.
    pub(crate) fn take_back(&mut self, mut tcp: Box<Tcp>) {
        self.tcps = self.tcps.saturating_sub(1);
        if self.spare.len() < SPARE {
            *tcp = Tcp::default();
            self.spare.push(tcp);
        }
    }
}

impl Shared {
    /// Look at the holes of the flow in `slot` again after the shorter of the waits.
    pub(crate) fn wait(&mut self, now: base::Timestamp, slot: u32, generation: u16) {
        let at = now.plus(self.cfg.acked_hole_wait);
        self.checks.push_back(HoleCheck { at, slot, generation });
    }

    /// The next check that is due: waits are equal, so they are due in order.
    pub(crate) fn next_check(&mut self, now: base::Timestamp) -> Option<HoleCheck> {
        let first = self.checks.front()?;
        if first.at > now {
            return None;
        }
        self.checks.pop_front()
    }
}
