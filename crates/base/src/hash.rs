//! A keyed, fast hash for tables that hostile traffic fills.
//!
//! Folded multiplication (as in wyhash): two rounds for a flow key. The seed is drawn by the
//! program at start, so that nobody can aim at one bucket; offline reading uses a fixed seed
//! and is repeatable.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

/// The key of the hash. The program draws a random one; `Seed::default()` is fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u64);

impl Default for Seed {
    fn default() -> Seed {
        Seed(0x9e37_79b9_7f4a_7c15)
    }
}

const K0: u64 = 0xa076_1d64_78bd_642f;
const K1: u64 = 0xe703_7ed1_a0b4_28db;

/// Multiplies to 128 bits and folds the halves together.
#[inline]
const fn fold(a: u64, b: u64) -> u64 {
    let wide = (a as u128).wrapping_mul(b as u128);
    (wide as u64) ^ (wide.wrapping_shr(64) as u64)
}

impl Seed {
    /// Hashes one word.
    #[inline]
    #[must_use]
    pub const fn word(self, w: u64) -> u64 {
        fold(w ^ self.0 ^ K0, K1)
    }

    /// Hashes two words.
    #[inline]
    #[must_use]
    pub const fn pair(self, a: u64, b: u64) -> u64 {
        fold(a ^ self.0 ^ K0, b ^ K1 ^ self.0.rotate_left(32))
    }
}

/// A [`std::hash::Hasher`] over the same function, for maps.
#[derive(Clone, Copy, Debug)]
pub struct Hasher {
    seed: Seed,
    state: u64,
}

impl std::hash::Hasher for Hasher {
    fn finish(&self) -> u64 {
        self.state
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.state = self.seed.pair(self.state, u64::from_le_bytes(*word) ^ 8);
        }
        if !rest.is_empty() {
            let word = rest.iter().rev().fold(0, |word, b| word << 8 | u64::from(*b));
            self.state = self.seed.pair(self.state, word ^ rest.len() as u64);
        }
    }

    fn write_u64(&mut self, w: u64) {
        self.state = self.seed.pair(self.state, w);
    }

    fn write_u32(&mut self, w: u32) {
        self.write_u64(u64::from(w));
    }

    fn write_u16(&mut self, w: u16) {
        self.write_u64(u64::from(w));
    }

    fn write_u8(&mut self, w: u8) {
        self.write_u64(u64::from(w));
    }

    fn write_usize(&mut self, w: usize) {
        self.write_u64(w as u64);
    }
}

impl BuildHasher for Seed {
    type Hasher = Hasher;

    fn build_hasher(&self) -> Hasher {
        Hasher { seed: *self, state: self.0 }
    }
}

/// A map keyed by this hash: `FastMap::with_hasher(seed)`.
pub type FastMap<K, V> = HashMap<K, V, Seed>;
/// A set keyed by this hash.
pub type FastSet<K> = HashSet<K, Seed>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_changes_the_order_and_spreads_low_bits() {
        let (a, b) = (Seed(1), Seed(2));
        assert_ne!(a.pair(3, 4), b.pair(3, 4));
        let mut buckets = [0u32; 64];
        for i in 0..64_000u64 {
            buckets[(a.pair(i, 80) & 63) as usize] += 1;
        }
        assert!(buckets.iter().all(|n| (800..1200).contains(n)), "{buckets:?}");
    }
}
