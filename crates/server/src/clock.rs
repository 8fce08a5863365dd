//! The node's clocks: the only place that reads the time of day.

use std::time::{SystemTime, UNIX_EPOCH};

use eunoe_types::TimeMs;

/// The time of day, UTC. It may jump; whatever must not go back is made monotone where it is applied.
pub fn now() -> TimeMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimeMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The clock of leases: it never goes back, and counts while the machine sleeps.
#[derive(Clone, Copy, Debug, Default)]
pub struct BootClock;

impl eunoe_custody::LeaseClock for BootClock {
    fn now_ms(&self) -> u64 {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        // Neither part is negative on this clock.
        let (seconds, nanos) = (now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs());
        seconds * 1_000 + nanos / 1_000_000
    }
}
