//! How long fences have waited for an epoch.

use std::collections::BTreeMap;
use std::time::Duration;

use eunoe_types::TimeMs;
use tokio::time::Instant;

/// How long fences have waited. What their erasures say is another node's time of day, which may be wrong by days: a fence
/// waits no longer than the period from when this node saw it first.
pub(super) struct Waiting {
    period: Duration,
    /// When fences, by their places in the log, were seen first.
    seen: BTreeMap<u64, Instant>,
}

impl Waiting {
    /// A fence waits for `period`.
    pub(super) fn new(period: Duration) -> Self {
        Self {
            period,
            seen: BTreeMap::new(),
        }
    }

    /// Sees these fences; others are forgotten.
    pub(super) fn look(&mut self, fences: impl Iterator<Item = u64>) {
        let now = Instant::now();
        self.seen = fences
            .map(|index| (index, self.seen.get(&index).copied().unwrap_or(now)))
            .collect();
    }

    /// Whether a fence at `index`, of `fenced` by its proposer's clock, waited for the period: by the clocks, if this
    /// node's says `now`, or since this node saw it first.
    pub(super) fn is_over(&self, index: u64, fenced: TimeMs, now: TimeMs) -> bool {
        let by_clocks = Duration::from_millis(now.0.saturating_sub(fenced.0));
        let since_seen = self.seen.get(&index).map_or(Duration::ZERO, Instant::elapsed);
        by_clocks.max(since_seen) >= self.period
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: u64 = 24 * 3_600 * 1_000;
    const PERIOD: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_fence_of_tomorrow_waits_for_the_period_and_not_for_a_day() {
        let (now, tomorrow) = (TimeMs(DAY_MS), TimeMs(2 * DAY_MS));
        let mut waiting = Waiting::new(PERIOD);
        waiting.look([7].into_iter());
        tokio::time::advance(PERIOD / 2).await;
        waiting.look([7, 9].into_iter());
        assert!(!waiting.is_over(7, tomorrow, now));
        tokio::time::advance(PERIOD / 2).await;
        waiting.look([7, 9].into_iter());
        assert!(waiting.is_over(7, tomorrow, now));
        assert!(!waiting.is_over(9, tomorrow, now), "it was seen later");
        waiting.look([9].into_iter());
        assert!(
            !waiting.is_over(7, tomorrow, now),
            "what is not there any more is forgotten"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_fence_that_waited_under_another_leader_does_not_wait_again() {
        let mut waiting = Waiting::new(PERIOD);
        waiting.look([7].into_iter());
        let (fenced, now) = (TimeMs(DAY_MS), TimeMs(DAY_MS + 60_000));
        assert!(waiting.is_over(7, fenced, now));
        assert!(!waiting.is_over(7, TimeMs(fenced.0 + 1), now));
    }
}
