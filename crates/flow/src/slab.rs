//! Where flows live: chunks that never move, grown on demand, with freed slots used again.

/// Slots of a chunk: large enough that chunks are few, small enough that a small table is small.
const CHUNK: usize = 256;

/// A slab of `F`, addressed by slot number.
#[derive(Debug)]
pub(crate) struct Slab<F> {
    chunks: Vec<Vec<Option<F>>>,
    free: Vec<u32>,
    slots: u32,
    len: usize,
}

impl<F> Slab<F> {
    /// An empty slab: nothing is allocated yet.
    pub(crate) const fn new() -> Slab<F> {
        Slab { chunks: Vec::new(), free: Vec::new(), slots: 0, len: 0 }
    }

    /// Values held.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Slots ever used: all slot numbers are below.
    pub(crate) const fn slots(&self) -> u32 {
        self.slots
    }

    /// Bytes of heap.
    pub(crate) fn held(&self) -> usize {
        let chunk = CHUNK.saturating_mul(size_of::<Option<F>>());
        self.chunks
            .len()
            .saturating_mul(chunk)
            .saturating_add(self.chunks.capacity().saturating_mul(size_of::<Vec<Option<F>>>()))
            .saturating_add(self.free.capacity().saturating_mul(4))
    }

    /// Puts a value into a free slot.
    pub(crate) fn insert(&mut self, value: F) -> Option<u32> {
        if let Some(slot) = self.free.pop() {
            *self.cell(slot)? = Some(value);
            self.len = self.len.saturating_add(1);
            return Some(slot);
        }
        let slot = self.slots;
        if self.chunks.last().is_none_or(|c| c.len() >= CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        self.chunks.last_mut()?.push(Some(value));
        self.slots = self.slots.checked_add(1)?;
        self.len = self.len.saturating_add(1);
        Some(slot)
    }

    #[inline]
    fn cell(&mut self, slot: u32) -> Option<&mut Option<F>> {
        let at = slot as usize;
        self.chunks.get_mut(at / CHUNK)?.get_mut(at % CHUNK)
    }

    /// The value in a slot.
    #[inline]
    pub(crate) fn get(&self, slot: u32) -> Option<&F> {
        let at = slot as usize;
        self.chunks.get(at / CHUNK)?.get(at % CHUNK)?.as_ref()
    }

    /// The value in a slot, to change.
    #[inline]
    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut F> {
        self.cell(slot)?.as_mut()
    }

    /// Drops the value of a slot and frees the slot.
    pub(crate) fn remove(&mut self, slot: u32) {
        if self.cell(slot).and_then(Option::take).is_some() {
            self.free.push(slot);
            self.len = self.len.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freed_slots_are_used_again_before_new_ones() {
        let mut s = Slab::new();
        let slots: Vec<u32> = (0..600).map(|n| s.insert(n).unwrap()).collect();
        assert_eq!(slots, (0..600).collect::<Vec<u32>>());
        s.remove(17);
        s.remove(17);
        assert_eq!((s.len(), s.get(17)), (599, None));
        assert_eq!(s.insert(9000), Some(17));
        assert_eq!((s.get(17), s.get(599), s.get(600)), (Some(&9000), Some(&599), None));
        assert_eq!(s.slots(), 600);
    }
}
