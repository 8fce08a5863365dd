//! The key lease: how long this process may use keys without hearing from the cluster (erasure.md §4.6, R3).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A clock that never goes back and counts while the machine sleeps (CLOCK_BOOTTIME).
pub trait LeaseClock: Send + Sync + 'static {
    /// Milliseconds since some moment before the process began.
    fn now_ms(&self) -> u64;
}

/// A lease. It begins expired.
pub struct Lease {
    clock: Arc<dyn LeaseClock>,
    end_ms: AtomicU64,
}

impl Lease {
    pub(crate) fn new(clock: Arc<dyn LeaseClock>) -> Self {
        Self {
            clock,
            end_ms: AtomicU64::new(0),
        }
    }

    /// The time of the lease's clock: to be taken *before* a renewal is asked for.
    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// Renews the lease: `asked_ms` is when the renewal was asked for, `ttl_ms` how long it lasts from then. Renewals
    /// that overtake each other never shorten it.
    pub fn renew(&self, asked_ms: u64, ttl_ms: u64) {
        self.end_ms
            .fetch_max(asked_ms.saturating_add(ttl_ms), Ordering::AcqRel);
    }

    /// What is left of it, 0 when it is over.
    pub fn left_ms(&self) -> u64 {
        let end = self.end_ms.load(Ordering::Acquire);
        end.saturating_sub(self.clock.now_ms())
    }
}
