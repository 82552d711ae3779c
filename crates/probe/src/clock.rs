//! The wall clock, for the edge: the core gets its time with the packets.

use base::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};

/// Now.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::new(since.as_secs(), u64::from(since.subsec_nanos()))
}
