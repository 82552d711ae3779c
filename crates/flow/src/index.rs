//! From the hash of a flow key to its slot: open addressing with linear probing.
//!
//! An entry is 8 bytes: 32 bits of the hash and the slot plus one. A lookup touches one cache
//! line here and the flow itself only when 32 bits agree. The hash is keyed, so nobody can aim
//! at one run of entries. Growing moves entries without looking at the flows.

/// Entries at first.
const FIRST: usize = 1024;

/// The index.
#[derive(Debug)]
pub(crate) struct Index {
    entries: Vec<u64>,
    used: usize,
}

const fn entry(tag: u32, slot: u32) -> u64 {
    (tag as u64) << 32 | (slot as u64).wrapping_add(1)
}

impl Index {
    /// An empty index.
    pub(crate) fn new() -> Index {
        Index { entries: vec![0; FIRST], used: 0 }
    }

    /// Bytes of heap.
    pub(crate) fn held(&self) -> usize {
        self.entries.capacity().saturating_mul(8)
    }

    fn mask(&self) -> usize {
        self.entries.len().wrapping_sub(1)
    }

    /// The entry where the search for a tag begins.
    #[inline]
    pub(crate) fn glance(&self, tag: u32) -> u64 {
        self.entries.get(tag as usize & self.mask()).copied().unwrap_or(0)
    }

    /// The slot with this tag for which `is` says yes.
    #[inline]
    pub(crate) fn find(&self, tag: u32, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        let mask = self.mask();
        let mut at = tag as usize & mask;
        loop {
            let e = *self.entries.get(at)?;
            if e == 0 {
                return None;
            }
            let slot = (e as u32).wrapping_sub(1);
            if (e >> 32) as u32 == tag && is(slot) {
                return Some(slot);
            }
            at = at.wrapping_add(1) & mask;
        }
    }

    fn place(entries: &mut [u64], e: u64) {
        let mask = entries.len().wrapping_sub(1);
        let mut at = (e >> 32) as usize & mask;
        while let Some(cell) = entries.get_mut(at) {
            if *cell == 0 {
                *cell = e;
                return;
            }
            at = at.wrapping_add(1) & mask;
        }
    }

    /// Adds an entry. At most five eighths of the entries are in use, so that runs stay short.
    pub(crate) fn insert(&mut self, tag: u32, slot: u32) {
        if self.used.saturating_mul(8) >= self.entries.len().saturating_mul(5) {
            let mut wider = vec![0; self.entries.len().saturating_mul(2)];
            for e in self.entries.iter().filter(|e| **e != 0) {
                Index::place(&mut wider, *e);
            }
            self.entries = wider;
        }
        Index::place(&mut self.entries, entry(tag, slot));
        self.used = self.used.saturating_add(1);
    }

    /// Takes an entry out and closes the hole, so that there are no tombstones.
    pub(crate) fn remove(&mut self, tag: u32, slot: u32) {
        let mask = self.mask();
        let goal = entry(tag, slot);
        let mut hole = tag as usize & mask;
        loop {
            match self.entries.get(hole) {
                Some(e) if *e == goal => break,
                Some(0) | None => return,
                Some(_) => hole = hole.wrapping_add(1) & mask,
            }
        }
        self.used = self.used.saturating_sub(1);
        let mut at = hole;
        loop {
            at = at.wrapping_add(1) & mask;
            let e = self.entries.get(at).copied().unwrap_or(0);
            if e == 0 {
                break;
            }
            // An entry may move back to the hole when its home is not between hole and here.
            let home = (e >> 32) as usize & mask;
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(hole) & mask {
                if let Some(cell) = self.entries.get_mut(hole) {
                    *cell = e;
                }
                hole = at;
            }
        }
        if let Some(cell) = self.entries.get_mut(hole) {
            *cell = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Seed;
    use std::collections::HashMap;

    #[test]
    fn agrees_with_a_map_under_random_work() {
        let (mut ix, mut map, mut rng) = (Index::new(), HashMap::new(), 1u64);
        for step in 0..60_000u32 {
            rng = Seed(5).word(rng);
            // few tags, so that runs and equal tags happen
            let tag = (rng >> 7) as u32 % 3000;
            if rng & 3 != 0 {
                if let std::collections::hash_map::Entry::Vacant(v) = map.entry((tag, step % 7)) {
                    v.insert(step);
                    ix.insert(tag, step);
                }
            } else if let Some(slot) = map.remove(&(tag, step % 7)) {
                ix.remove(tag, slot);
            }
        }
        assert_eq!(ix.used, map.len());
        for ((tag, _), slot) in &map {
            assert_eq!(ix.find(*tag, |s| s == *slot), Some(*slot));
        }
        for ((tag, _), slot) in map {
            ix.remove(tag, slot);
        }
        assert!(ix.entries.iter().all(|e| *e == 0));
    }
}
