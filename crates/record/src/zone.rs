//! Time zones: seconds since the epoch to the offset of local time.

/// A time zone.
#[derive(Clone, Debug, Default)]
pub struct Zone {
    offset: i32,
}

impl Zone {
    /// UTC.
    #[must_use]
    pub fn utc() -> Zone {
        Zone::default()
    }

    /// The offset in seconds east of Greenwich at `secs`, and the span `from..until` of seconds in
    /// which it stands for sure.
    #[must_use]
    pub fn span_at(&self, _secs: i64) -> (i32, i64, i64) {
        (self.offset, i64::MIN, i64::MAX)
    }
}
