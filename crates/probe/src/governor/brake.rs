//! The brake: workers rest until the CPU time of the process is within its allowance again.
//!
//! The allowance grows with the wall clock at the rate of the limit. What was not used is saved up to a small
//! amount only, so that no burst follows a quiet time; what was used too much is made up for, within reason.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// CPU time that is saved at most, ns: a point and a third over 3 s, so that noise is no reason to rest.
const SAVED: f64 = 40e6;
/// Debts are made up for as far as this time pays for them, ns.
const DEBT: f64 = 3e9;
/// Nobody rests longer at a time: there is news to hear.
const LONGEST: Duration = Duration::from_millis(100);

/// The allowance: at wall time `wall` it is `cpu`, and grows at `rate` from there.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    rate: f64,
    cpu: f64,
    wall: u64,
}

impl Allowance {
    /// CPU time in ns that is left; below 0 it is overdrawn.
    fn left(self, cpu: u64, wall: u64) -> f64 {
        let grown = wall.saturating_sub(self.wall) as f64 * self.rate;
        grown - (cpu as f64 - self.cpu)
    }
}

/// Shared by the governor and the workers.
#[derive(Debug, Default)]
pub struct Brake {
    allowance: Mutex<Option<Allowance>>,
    on: AtomicBool,
    held: AtomicBool,
}

impl Brake {
    /// On at a rate (share of one CPU), or off. The clocks are told, ns.
    pub fn set(&self, rate: Option<f64>, cpu: u64, wall: u64) {
        let mut allowance = self.allowance.lock().unwrap_or_else(PoisonError::into_inner);
        *allowance = rate.map(|rate| {
            let before = allowance.map_or(SAVED, |a| a.left(cpu, wall));
            let left = before.clamp(-rate * DEBT, SAVED);
            Allowance { rate, cpu: cpu as f64 + left, wall }
        });
        self.on.store(rate.is_some(), Ordering::Relaxed);
    }

    /// Is it on? To be asked before the clocks are read: that costs a system call.
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// How long to rest now; `None`: work.
    pub fn rest(&self, cpu: u64, wall: u64) -> Option<Duration> {
        let allowance = (*self.allowance.lock().unwrap_or_else(PoisonError::into_inner))?;
        let left = allowance.left(cpu, wall);
        if left >= 0.0 {
            return None;
        }
        self.held.store(true, Ordering::Relaxed);
        Some(
            Duration::from_nanos((-left / allowance.rate.max(1e-6)) as u64)
                .clamp(Duration::from_millis(1), LONGEST),
        )
    }

    /// Did anybody rest since the last call?
    pub fn was_held(&self) -> bool {
        self.held.swap(false, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn who_works_whenever_it_may_uses_the_rate() {
        for rate in [0.02, 0.2, 0.5] {
            let b = Brake::default();
            assert!(!b.is_on() && b.rest(0, 0).is_none());
            b.set(Some(rate), 7 * MS, 1000 * MS);
            let (mut cpu, mut wall) = (7 * MS, 1000 * MS);
            while wall < 11_000 * MS {
                match b.rest(cpu, wall) {
                    Some(rest) => wall += rest.as_nanos() as u64,
                    // A piece of 4 ms.
                    None => (cpu, wall) = (cpu + 4 * MS, wall + 4 * MS),
                }
                b.set(Some(rate), cpu, wall);
            }
            let used = (cpu - 7 * MS) as f64 / 10e9;
            assert!((used - rate).abs() < 0.005, "{used} of {rate}");
            assert!(b.was_held() && !b.was_held());
        }
    }

    #[test]
    fn a_quiet_time_is_no_reason_for_a_burst() {
        let b = Brake::default();
        b.set(Some(0.5), 0, 0);
        for s in 1..10 {
            b.set(Some(0.5), 0, s * 1000 * MS);
        }
        assert!(
            b.rest(49 * MS, 9000 * MS).is_some_and(|r| r <= LONGEST),
            "saved: nothing of the nine seconds"
        );
        b.set(None, 0, 0);
        assert!(!b.is_on() && b.rest(1 << 60, 0).is_none());
    }
}
