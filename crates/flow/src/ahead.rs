//! Looking ahead: whose the next packets are, and their flows' memory on its way to the cache.
//!
//! With many flows, nearly all the time of a packet goes into waiting for memory: the entry of
//! the index, then the flow, then its TCP state. One packet after another they would be waited
//! for one by one. Here the same words of several packets are read in short loops in which no
//! read depends on another, so that the processor has them all under way at once. Nothing is
//! changed and nothing depends on what is read: [`Table::packet_of`] looks again.

use crate::table::{Table, key_of};
use base::{FlowKey, Side};
use decode::Packet;
use std::hint::black_box;

/// Whose a packet is.
#[derive(Clone, Copy, Debug)]
pub struct Whose {
    /// The key and who sent it; none for a fragment.
    pub(crate) key: Option<(FlowKey, Side)>,
    pub(crate) hash: u64,
    /// Where its flow seems to be.
    pub(crate) slot: Option<u32>,
}

impl Whose {
    /// Of no flow.
    pub const NOBODYS: Whose = Whose { key: None, hash: 0, slot: None };
}

impl<T: Default> Table<T> {
    /// Tells whose a packet is.
    #[inline(always)]
    #[must_use]
    pub fn whose(&self, p: &Packet<'_>) -> Whose {
        let key = key_of(p);
        let hash = key.map_or(0, |(key, _)| key.hash(self.shared.cfg.seed));
        Whose { key, hash, slot: None }
    }

    /// Brings the memory of these packets' flows near.
    #[inline]
    pub fn fetch(&self, ahead: &mut [Whose]) {
        let mut sum = 0;
        for w in &*ahead {
            sum ^= self.index.glance(w.hash as u32);
        }
        black_box(sum);
        for w in &mut *ahead {
            // The tag is enough: should another flow have the same, nothing is lost but time.
            w.slot = self.index.find(w.hash as u32, |_| true);
            let Some(slot) = w.slot else { continue };
            sum ^= self.timers.glance(slot);
            if let Some(flow) = self.slab.get(slot) {
                sum ^= flow.glance();
            }
        }
        black_box(sum);
        for w in &*ahead {
            if let Some(tcp) = w.slot.and_then(|slot| self.slab.get(slot)).and_then(|f| f.tcp()) {
                sum ^= tcp.glance();
            }
        }
        black_box(sum);
        for w in &*ahead {
            if let (Some(slot), Some((_, side))) = (w.slot, w.key)
                && let Some(tcp) = self.slab.get(slot).and_then(|f| f.tcp())
            {
                sum ^= tcp.stream(side).flight.glance();
            }
        }
        black_box(sum);
    }
}
