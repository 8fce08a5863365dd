//! How long to pause before another attempt, and when to give up.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use eunoe_types::{Outcome, Retry};
use tokio::time::Instant;

use crate::ClientError;

const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Whether the server takes the same call twice for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// A read, or a call whose request id makes it idempotent.
    Safe,
    /// Only an attempt that is known to have had no effect may be repeated.
    OnlyWithoutEffect,
}

/// The attempts of one call, or of one stretch of a stream without progress.
pub(crate) struct Attempts {
    backoff: ExponentialBackoff,
    until: Instant,
}

impl Attempts {
    pub(crate) fn within(budget: Duration) -> Self {
        let backoff = ExponentialBuilder::new()
            .with_min_delay(PAUSE_MIN)
            .with_max_delay(PAUSE_MAX)
            .with_jitter()
            .without_max_times()
            .build();
        Self {
            backoff,
            until: Instant::now() + budget,
        }
    }

    /// The time that is left for the next attempt.
    pub(crate) fn attempt_time(&self, most: Duration) -> Duration {
        self.until.saturating_duration_since(Instant::now()).min(most)
    }

    /// The pause after `error`; nothing when another attempt is no use, not safe or too late.
    pub(crate) fn pause_after(&mut self, error: &ClientError, repeat: Repeat) -> Option<Duration> {
        let unsafe_to_repeat = repeat == Repeat::OnlyWithoutEffect && error.outcome == Outcome::Unknown;
        if unsafe_to_repeat || !error.is_retryable() {
            return None;
        }
        let pause = self.backoff.next()?;
        let pause = match error.retry {
            // The server's wish is the least; the jitter above it keeps callers from coming back together.
            Retry::AfterMs(ms) => Duration::from_millis(ms) + pause.min(PAUSE_MIN * 2),
            Retry::Never | Retry::SameRequestId | Retry::OtherNode => pause,
        };
        (Instant::now() + pause < self.until).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_without_request_id_is_repeated_only_when_nothing_happened() {
        let mut attempts = Attempts::within(Duration::from_secs(60));
        let lost = ClientError::interrupted("lost");
        assert!(attempts.pause_after(&lost, Repeat::Safe).is_some());
        assert!(attempts.pause_after(&lost, Repeat::OnlyWithoutEffect).is_none());
        let unreachable = ClientError::connect_failed("refused".to_owned());
        assert!(
            attempts
                .pause_after(&unreachable, Repeat::OnlyWithoutEffect)
                .is_some()
        );
    }

    #[test]
    fn pauses_are_bounded_and_never_shorter_than_asked() {
        let mut attempts = Attempts::within(Duration::from_secs(3_600));
        let lost = ClientError::interrupted("lost");
        for _ in 0..50 {
            let pause = attempts
                .pause_after(&lost, Repeat::Safe)
                .expect("within the budget");
            assert!(pause >= PAUSE_MIN && pause <= PAUSE_MAX + PAUSE_MAX, "{pause:?}");
        }
        let mut full = lost.clone();
        full.retry = Retry::AfterMs(700);
        assert!(attempts.pause_after(&full, Repeat::Safe) >= Some(Duration::from_millis(700)));
        assert!(
            Attempts::within(Duration::ZERO)
                .pause_after(&full, Repeat::Safe)
                .is_none()
        );
    }
}
