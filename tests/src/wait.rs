//! Waiting for a condition, never for a time.

use std::time::{Duration, Instant};

/// Longer than any step takes on a busy machine; only a failing test waits for it to pass.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks at the condition.
const POLL: Duration = Duration::from_millis(50);

/// Asks until there is an answer, and returns it.
///
/// # Panics
///
/// If there is none within [`PATIENCE`]; `what` says what was waited for.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "not within {} s: {what}",
            PATIENCE.as_secs()
        );
        tokio::time::sleep(POLL).await;
    }
}

/// Asks until `holds` says yes.
///
/// # Panics
///
/// If it does not within [`PATIENCE`].
pub async fn until_true(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    until(what, async || holds().await.then_some(())).await;
}
