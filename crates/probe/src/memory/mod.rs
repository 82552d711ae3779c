//! Memory for a program that allocates little and often: a cache of small blocks in front of the
//! system's allocator, and copying for the static build.
//!
//! The C library of the static build (musl) keeps its allocator and `memcpy` small, at the price of
//! speed. A connection needs a handful of small blocks for its life, and records are copied from
//! buffer to buffer: with the system's own functions half of the probe's time goes there (figures
//! in `bench/README.md`).

mod sys;

pub use sys::Cached;

/// Sizes are rounded up to a class: steps of 16 bytes up to 512, then of 128 up to 2,048.
const FINE: usize = 16;
const FINE_END: usize = 512;
const COARSE: usize = 128;
/// Larger blocks go straight to the system.
const LARGEST: usize = 2048;
/// Number of classes.
const CLASSES: usize = FINE_END / FINE + (LARGEST - FINE_END) / COARSE;
/// Bytes that a thread keeps of one class; what is freed above it goes back to the system, so
/// that a burst of one size is not lost for the others. All classes together: 2.75 MB a thread.
const KEEP: usize = 64 * 1024;

/// The class of a size from 1 to [`LARGEST`].
const fn class(size: usize) -> usize {
    if size <= FINE_END { (size - 1) / FINE } else { FINE_END / FINE + (size - FINE_END - 1) / COARSE }
}

/// Bytes of a block of a class.
const fn bytes(class: usize) -> usize {
    let fine = FINE_END / FINE;
    if class < fine { (class + 1) * FINE } else { FINE_END + (class - fine + 1) * COARSE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_size_fits_its_class_and_no_smaller_one() {
        for size in 1..=LARGEST {
            let c = class(size);
            assert!(c < CLASSES && bytes(c) >= size, "{size}");
            assert!(c == 0 || bytes(c - 1) < size, "{size}");
        }
        assert_eq!(bytes(CLASSES - 1), LARGEST);
    }

    #[test]
    fn blocks_keep_their_contents_while_others_come_and_go() {
        let mut held: Vec<Vec<u8>> = Vec::new();
        let mut n = 12345u64;
        for round in 0..20_000u64 {
            n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let size = (n >> 40) as usize % 3000;
            held.push(vec![(round % 251) as u8; size]);
            if held.len() > 100 {
                let gone = held.swap_remove((n >> 20) as usize % held.len());
                assert!(gone.iter().all(|b| *b == gone[0]));
            }
        }
    }
}
