//! Time as it comes with the packets.

/// One nanosecond, the unit of all durations here (`u64` nanoseconds).
pub const NANO: u64 = 1;
/// Nanoseconds of a microsecond.
pub const MICRO: u64 = 1_000;
/// Nanoseconds of a millisecond.
pub const MILLI: u64 = 1_000_000;
/// Nanoseconds of a second.
pub const SECOND: u64 = 1_000_000_000;

/// A moment: nanoseconds since 1970-01-01 00:00:00 UTC. Reaches the year 2554.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// From seconds and nanoseconds; saturates.
    #[must_use]
    pub const fn new(secs: u64, nanos: u64) -> Timestamp {
        Timestamp(secs.saturating_mul(SECOND).saturating_add(nanos))
    }

    /// Nanoseconds from `earlier` to here; 0 when `earlier` is later (clocks step back).
    #[must_use]
    pub const fn since(self, earlier: Timestamp) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This moment and `nanos` more; saturates.
    #[must_use]
    pub const fn plus(self, nanos: u64) -> Timestamp {
        Timestamp(self.0.saturating_add(nanos))
    }

    /// Whole seconds since the epoch.
    #[must_use]
    pub const fn secs(self) -> u64 {
        self.0 / SECOND
    }

    /// Nanoseconds within the second.
    #[must_use]
    pub const fn subsec_nanos(self) -> u32 {
        (self.0 % SECOND) as u32
    }
}
