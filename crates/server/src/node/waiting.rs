//! How long fences have waited for an epoch.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use eunoe_types::{ErasureId, TimeMs};
use tokio::time::Instant;

/// How long fences have waited. What their erasures say is another node's time of day, which may be wrong by days: a fence
/// waits no longer than the period from when this node saw it first.
pub(super) struct Waiting {
    period: Duration,
    /// When fences, by their places in the log, were seen first.
    seen: BTreeMap<u64, Instant>,
    /// Held erasures, with the places of their fences, by the ends of their holds.
    holds: BTreeSet<(Instant, Held)>,
    last_hold: Option<Held>,
}

/// The place of a fence in the log, and its erasure.
type Held = (u64, ErasureId);

impl Waiting {
    /// A fence waits for `period`.
    pub(super) fn new(period: Duration) -> Self {
        Self {
            period,
            seen: BTreeMap::new(),
            holds: BTreeSet::new(),
            last_hold: None,
        }
    }

    /// Sees an erasure that is held for so many seconds after its fence. Like the period, a hold is over by the clocks of
    /// the fence's proposer and this node, or when it has lasted since this node saw it first, whichever is first.
    pub(super) fn hold(&mut self, held: Held, fenced: TimeMs, hold_s: u32, (time, now): (TimeMs, Instant)) {
        let by_clocks = Duration::from_millis(time.0.saturating_sub(fenced.0));
        let left = Duration::from_secs(hold_s.into()).saturating_sub(by_clocks);
        self.holds.insert((now + left, held));
        self.last_hold = Some(held);
    }

    /// The hold that was seen last. They come in the order of their fences.
    pub(super) fn last_hold(&self) -> Option<&Held> {
        self.last_hold.as_ref()
    }

    /// Erasures whose holds are over, those first whose were over first.
    pub(super) fn let_go(&self, now: Instant, max: usize) -> Vec<Held> {
        let over = self.holds.iter().take_while(|(end, _)| *end <= now);
        over.take(max).map(|(_, held)| *held).collect()
    }

    /// Forgets erasures that are not held any more.
    pub(super) fn forget_holds(&mut self, gone: &BTreeSet<Held>) {
        if !gone.is_empty() {
            self.holds.retain(|(_, known)| !gone.contains(known));
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

    #[test]
    fn a_hold_is_over_when_it_lasted_by_one_of_two_clocks_and_in_the_order_of_the_ends() {
        let (today, tomorrow) = (TimeMs(DAY_MS), TimeMs(2 * DAY_MS));
        let begin = Instant::now();
        let (long, short, late) = (
            (7, ErasureId([1; 16])),
            (8, ErasureId([2; 16])),
            (9, ErasureId([3; 16])),
        );
        let mut waiting = Waiting::new(PERIOD);
        // Fenced half a minute ago, now, and tomorrow by a clock that is wrong.
        waiting.hold(long, TimeMs(DAY_MS - 30_000), 120, (today, begin));
        waiting.hold(short, today, 60, (today, begin));
        waiting.hold(late, tomorrow, 60, (today, begin));
        assert_eq!(waiting.last_hold(), Some(&late));
        let after = |seconds| begin + Duration::from_secs(seconds);
        assert!(waiting.let_go(after(59), 9).is_empty());
        assert_eq!(waiting.let_go(after(60), 9), [short, late]);
        assert_eq!(waiting.let_go(after(90), 9), [short, late, long]);
        assert_eq!(waiting.let_go(after(90), 1), [short]);
        waiting.forget_holds(&BTreeSet::from([short]));
        assert_eq!(waiting.let_go(after(90), 9), [late, long]);
    }
}
