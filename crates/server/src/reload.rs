//! Files that platforms replace while a node runs: certificates, authorities, the issuer's keys.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

/// Files are looked at so often.
const INTERVAL: Duration = Duration::from_secs(5);

/// Looks for new contents for ever. What cannot be used is told in the log, once for the same contents if
/// `reload` does so; what was in use before stays.
pub(crate) async fn follow<E: Display + Send + 'static>(
    what: &'static str,
    reload: impl Fn() -> Result<bool, E> + Send + Sync + 'static,
) {
    let reload = Arc::new(reload);
    loop {
        tokio::time::sleep(INTERVAL).await;
        let reload = Arc::clone(&reload);
        match tokio::task::spawn_blocking(move || reload()).await {
            Ok(Ok(true)) => tracing::info!(what, "changed files are in use now"),
            Ok(Ok(false)) => {}
            Ok(Err(error)) => {
                tracing::error!(what, %error, "changed files cannot be used; the old ones stay")
            }
            // The runtime ends.
            Err(_) => return,
        }
    }
}
