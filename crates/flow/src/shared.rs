//! What all flows of a table share: limits, counters, pools.

use crate::contract::{Config, Counters};
use crate::initiator::Learned;
use crate::tcp::{HELD_COST, Pool, Tcp, Verdict};
use base::Timestamp;
use std::collections::VecDeque;

/// TCP states kept for the next connections, so that a connection costs no allocation.
const SPARE: usize = 1024;
/// Buffers of held segments kept for the next ones.
const BUFFERS: usize = 256;
/// Larger buffers are given back: those of coalesced segments (GRO) would tie up memory.
const BUFFER_KEEP: usize = 4096;

/// A flow that waits for a hole to be filled: looked at again at `at`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HoleCheck {
    at: Timestamp,
    pub(crate) slot: u32,
    pub(crate) generation: u16,
    /// After the short wait.
    pub(crate) brief: bool,
}

/// Shared by all flows of a table.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) cfg: Config,
    pub(crate) counters: Counters,
    pub(crate) learned: Learned,
    /// Bytes held in reassembly.
    pub(crate) held: usize,
    /// Bytes of flows in the slab, in the index and among the timers.
    pub(crate) flow_bytes: usize,
    /// The queues of delay samples.
    pub(crate) pool: Pool,
    /// Bytes of holes and rare counts.
    pub(crate) rough: usize,
    /// TCP states in use.
    tcps: usize,
    #[expect(clippy::vec_box, reason = "the boxes themselves are what is kept")]
    spare: Vec<Box<Tcp>>,
    pub(crate) buffers: Vec<Vec<u8>>,
    /// All wait equally long, so they are due in order.
    checks: VecDeque<HoleCheck>,
    /// Those for acknowledged holes: they wait equally long too, but not as long.
    brief: VecDeque<HoleCheck>,
}

/// How often holes that are not acknowledged are looked at while they are waited for. Each look
/// touches the flow, and a sender may open holes in as many flows as it likes.
const LOOKS: u64 = 16;

impl Shared {
    pub(crate) fn new(cfg: Config) -> Shared {
        Shared {
            cfg,
            counters: Counters::default(),
            learned: Learned::default(),
            held: 0,
            flow_bytes: 0,
            // a quarter of what reassembly may hold
            pool: Pool::new(cfg.max_held / 4),
            rough: 0,
            tcps: 0,
            spare: Vec::new(),
            buffers: Vec::new(),
            checks: VecDeque::new(),
            brief: VecDeque::new(),
        }
    }

    /// Bytes of heap.
    pub(crate) fn heap(&self) -> usize {
        let buffers: usize = self.buffers.iter().map(Vec::capacity).sum();
        let checks = self.checks.capacity().saturating_add(self.brief.capacity());
        self.tcps
            .saturating_add(self.spare.len())
            .saturating_mul(size_of::<Tcp>())
            .saturating_add(self.held)
            .saturating_add(self.pool.held())
            .saturating_add(self.rough)
            .saturating_add(buffers)
            .saturating_add(self.learned.held())
            .saturating_add(checks.saturating_mul(size_of::<HoleCheck>()))
    }

    /// A fresh TCP state.
    pub(crate) fn tcp(&mut self) -> Box<Tcp> {
        self.tcps = self.tcps.saturating_add(1);
        self.spare.pop().unwrap_or_default()
    }

    /// Takes a TCP state back.
    pub(crate) fn take_back(&mut self, mut tcp: Box<Tcp>) {
        self.tcps = self.tcps.saturating_sub(1);
        self.rough = self.rough.saturating_sub(tcp.held());
        tcp.reset(&mut self.pool);
        if self.spare.len() < SPARE {
            self.spare.push(tcp);
        }
    }

    /// Bytes of flows, those of TCP with their state.
    const fn flows(&self) -> usize {
        self.flow_bytes.saturating_add(self.tcps.saturating_mul(size_of::<Tcp>()))
    }

    /// Bytes of held segments, delay samples and holes.
    fn streams(&self) -> usize {
        self.held.saturating_add(self.pool.held()).saturating_add(self.rough)
    }

    /// No room for one more flow: reassembly's eighth is kept free for it.
    pub(crate) fn is_crowded(&self) -> bool {
        let streams = self.streams().max(self.cfg.max_bytes / 8);
        self.flow_bytes > 0 && self.flows().saturating_add(streams) > self.cfg.max_bytes
    }

    /// Bytes that reassembly may still take.
    pub(crate) fn room(&self) -> usize {
        let all = self.cfg.max_bytes.saturating_sub(self.flows()).saturating_sub(self.streams());
        self.cfg.max_held.saturating_sub(self.held).min(all)
    }

    /// Takes back a buffer of a held segment.
    pub(crate) fn recycle(&mut self, mut buffer: Vec<u8>) {
        if self.buffers.len() < BUFFERS && buffer.capacity() <= BUFFER_KEEP {
            buffer.clear();
            self.buffers.push(buffer);
        }
    }

    /// Look at the holes of the flow in `slot` again, when the verdict says so.
    #[inline]
    pub(crate) fn wait(&mut self, now: Timestamp, verdict: Verdict, slot: u32, generation: u16) {
        let (brief, wait) = match verdict {
            Verdict::Done => return,
            Verdict::Waits => (false, self.cfg.hole_wait / LOOKS),
            Verdict::WaitsBriefly => (true, self.cfg.acked_hole_wait.min(self.cfg.hole_wait)),
        };
        let check = HoleCheck { at: now.plus(wait), slot, generation, brief };
        if brief { self.brief.push_back(check) } else { self.checks.push_back(check) }
    }

    /// The next check that is due. Flows that ended leave theirs behind: with many of those,
    /// checks are due early, which does no harm.
    #[inline]
    pub(crate) fn next_check(&mut self, now: Timestamp) -> Option<HoleCheck> {
        if self.brief.is_empty() && self.checks.is_empty() { None } else { self.due_check(now) }
    }

    fn due_check(&mut self, now: Timestamp) -> Option<HoleCheck> {
        let many = self.cfg.max_held / HELD_COST;
        let early = self.brief.len() > many;
        if let Some(check) = self.brief.pop_front_if(|c| c.at <= now || early) {
            return Some(check);
        }
        let early = self.checks.len() > many;
        self.checks.pop_front_if(|c| c.at <= now || early)
    }
}
