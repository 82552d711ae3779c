//! An index of equal things by their hash.

/// Finds equal things: open addressing over numbers of things held elsewhere,
/// offset by one; zero is free. Much smaller code than a map.
#[derive(Default)]
pub(super) struct Index {
    slots: Vec<(u64, u32)>,
    used: usize,
}

impl Index {
    /// The number of a thing that is the same, or `next`, which is then remembered.
    pub(super) fn find_or_add(&mut self, hash: u64, next: u32, same: impl Fn(u32) -> bool) -> u32 {
        if self.used * 2 >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        while let Some(slot) = self.slots.get_mut(at) {
            if slot.1 == 0 {
                *slot = (hash, next + 1);
                self.used += 1;
                break;
            }
            if slot.0 == hash && same(slot.1 - 1) {
                return slot.1 - 1;
            }
            at = (at + 1) & mask;
        }
        next
    }

    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(64);
        let old = std::mem::replace(&mut self.slots, vec![(0, 0); size]);
        for (hash, number) in old.into_iter().filter(|slot| slot.1 != 0) {
            let mut at = hash as usize & (size - 1);
            while let Some(slot) = self.slots.get_mut(at) {
                if slot.1 == 0 {
                    *slot = (hash, number);
                    break;
                }
                at = (at + 1) & (size - 1);
            }
        }
    }
}
