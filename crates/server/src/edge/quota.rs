//! What one tenant may write per second on one node, so that none starves the others.

use std::num::NonZeroU32;

use eunoe_types::TenantId;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, RateLimiter};

use super::{ApiError, ApiResult};

/// Writes per second and tenant.
pub struct Quota {
    limiter: Option<DefaultKeyedRateLimiter<TenantId>>,
    clock: DefaultClock,
}

impl Quota {
    /// At most `per_second` messages and conversations of one tenant, the same number at once; none: no limit.
    pub fn new(per_second: Option<NonZeroU32>) -> Self {
        let limiter = per_second.map(|rate| RateLimiter::keyed(governor::Quota::per_second(rate)));
        Self {
            limiter,
            clock: DefaultClock::default(),
        }
    }

    /// Takes `count` from the tenant's share, or refuses.
    pub(super) fn take(&self, tenant: &TenantId, count: u32) -> ApiResult<()> {
        let (Some(limiter), Some(count)) = (&self.limiter, NonZeroU32::new(count)) else {
            return Ok(());
        };
        match limiter.check_key_n(tenant, count) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(not_until)) => {
                let wait = not_until.wait_time_from(self.clock.now());
                let after_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
                Err(ApiError::exhausted(
                    "TENANT_QUOTA",
                    "the tenant's quota on this node is used up",
                    after_ms,
                ))
            }
            Err(_) => Err(ApiError::exhausted(
                "TENANT_QUOTA",
                "more than the tenant's quota at once",
                1_000,
            )),
        }
    }
}
