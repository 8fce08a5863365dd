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

    /// Sees these fences `now`; others are forgotten.
    pub(super) fn look(&mut self, now: Instant, fences: impl Iterator<Item = u64>) {
        self.seen = fences
            .map(|index| (index, self.seen.get(&index).copied().unwrap_or(now)))
            .collect();
    }

    /// Whether a fence at `index`, of `fenced` by its proposer's clock, waited for the period: by the clocks, if this
    /// node's says `time`, or since this node saw it first, if it is `now`.
    pub(super) fn is_over(&self, index: u64, fenced: TimeMs, (time, now): (TimeMs, Instant)) -> bool {
        let by_clocks = Duration::from_millis(time.0.saturating_sub(fenced.0));
        let seen = self.seen.get(&index);
        let since_seen = seen.map_or(Duration::ZERO, |seen| now.saturating_duration_since(*seen));
        by_clocks.max(since_seen) >= self.period
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: u64 = 24 * 3_600 * 1_000;
    const PERIOD: Duration = Duration::from_secs(60);

    #[test]
    fn a_fence_of_tomorrow_waits_for_the_period_and_not_for_a_day() {
        let (today, tomorrow) = (TimeMs(DAY_MS), TimeMs(2 * DAY_MS));
        let begin = Instant::now();
        let (half, over) = (begin + PERIOD / 2, begin + PERIOD);
        let mut waiting = Waiting::new(PERIOD);
        waiting.look(begin, [7].into_iter());
        waiting.look(half, [7, 9].into_iter());
        assert!(!waiting.is_over(7, tomorrow, (today, half)));
        waiting.look(over, [7, 9].into_iter());
        assert!(waiting.is_over(7, tomorrow, (today, over)));
        assert!(!waiting.is_over(9, tomorrow, (today, over)), "it was seen later");
        waiting.look(over, [9].into_iter());
        assert!(
            !waiting.is_over(7, tomorrow, (today, over)),
            "what is not there any more is forgotten"
        );
    }

    #[test]
    fn a_fence_that_waited_under_another_leader_does_not_wait_again() {
        let begin = Instant::now();
        let mut waiting = Waiting::new(PERIOD);
        waiting.look(begin, [7].into_iter());
        let (fenced, now) = (TimeMs(DAY_MS), (TimeMs(DAY_MS + 60_000), begin));
        assert!(waiting.is_over(7, fenced, now));
        assert!(!waiting.is_over(7, TimeMs(fenced.0 + 1), now));
    }
}
