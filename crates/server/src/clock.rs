//! The node's clock: the only place that reads the time of day.

use std::time::{SystemTime, UNIX_EPOCH};

use eunoe_types::TimeMs;

/// The time of day, UTC. It may jump; whatever must not go back is made monotone where it is applied.
pub fn now() -> TimeMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimeMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
