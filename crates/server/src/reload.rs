//! Files that platforms replace while a node runs: certificates, authorities, the issuer's keys.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use crate::telemetry::{Attribute, count, metrics};

/// Files are looked at so often.
const INTERVAL: Duration = Duration::from_secs(5);

/// What a look at files found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// They are as they were when they were last looked at.
    Same,
    /// They changed, and are in use now.
    New,
    /// They are as they were when they were last looked at, and cannot be used: that was told then.
    StillBad,
}

/// Looks for new contents for ever. What cannot be used is told in the log, once for the same contents if
/// `reload` does so, and counted with every look; what was in use before stays for as long as `reload` lets it.
pub(crate) async fn follow<E: Display + Send + 'static>(
    what: &'static str,
    reload: impl Fn() -> Result<Look, E> + Send + Sync + 'static,
) {
    let reload = Arc::new(reload);
    loop {
        tokio::time::sleep(INTERVAL).await;
        let reload = Arc::clone(&reload);
        let Ok(look) = tokio::task::spawn_blocking(move || reload()).await else {
            // The runtime ends.
            return;
        };
        match &look {
            Ok(Look::New) => tracing::info!(what, "changed files are in use now"),
            Ok(Look::Same | Look::StillBad) => {}
            Err(error) => tracing::error!(what, %error, "changed files cannot be used"),
        }
        if !matches!(look, Ok(Look::Same | Look::New)) {
            count(&metrics::RELOADS_FAILED, 1, &[Attribute::Files(what)]);
        }
    }
}
