//! A busy reader rests: with hundreds of full blocks a second, waking for each of them costs more
//! than reading it, and what the reader needs is out of the caches each time. So it lets some come
//! together, while the ring has room for many more.

use std::time::{Duration, Instant};

/// Blocks that are to come together.
const TOGETHER: u32 = 4;
/// No rest is longer, whatever room the ring has: somebody may wait for the records.
const LONGEST: Duration = Duration::from_millis(8);
/// Bytes that may come in a nanosecond, at most: 10 Gbit/s. A rest fills half of the ring then.
const FASTEST: f64 = 1.25;

/// When the reader rests, and how long.
#[derive(Debug)]
pub(super) struct Rest {
    longest: Duration,
    /// The beginning of the last rest, or of the wait for frames.
    since: Instant,
    /// Blocks read since then.
    blocks: u32,
}

impl Rest {
    /// For a ring of so many bytes.
    pub(super) fn new(ring: usize, now: Instant) -> Rest {
        let fill = Duration::from_nanos((ring as f64 / 2.0 / FASTEST) as u64);
        Rest { longest: fill.min(LONGEST), since: now, blocks: 0 }
    }

    /// A block was read.
    pub(super) fn read(&mut self) {
        self.blocks = self.blocks.saturating_add(1);
    }

    /// All blocks are read: how long to rest before the kernel is asked for the next one.
    pub(super) fn due(&mut self, now: Instant) -> Option<Duration> {
        let passed = now.saturating_duration_since(self.since);
        let each = passed.checked_div(std::mem::take(&mut self.blocks));
        self.since = now;
        each.filter(|each| *each < self.longest).map(|each| (each * TOGETHER).min(self.longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn fast_blocks_come_together_and_slow_ones_at_once() {
        let now = Instant::now();
        let mut rest = Rest::new(16 << 20, now);
        let mut after = |blocks: u32, ms: u32| {
            (0..blocks).for_each(|_| rest.read());
            rest.since = now;
            rest.due(now + MS * ms)
        };
        assert_eq!(after(0, 50), None, "nothing came");
        assert_eq!(after(1, 50), None, "the time of a block was up");
        assert_eq!(after(1, 1), Some(4 * MS));
        assert_eq!(after(20, 10), Some(2 * MS));
        assert!(after(1, 3).is_some_and(|rest| rest > 6 * MS && rest < 7 * MS), "half the ring at 10 Gbit/s");
        assert!(Rest::new(1 << 20, now).longest < MS / 2, "a small ring is full soon");
    }
}
