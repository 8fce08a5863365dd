//! Tells when all that openraft runs for a group is gone.
//!
//! openraft's shutdown joins its core, but not the tasks that replicate, apply and build snapshots. As long as one
//! of them lives, the log and the state are in use and must not be opened again.

use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};

/// Held by whatever uses a group's log or state.
#[derive(Clone)]
pub(crate) struct Alive {
    _tx: mpsc::Sender<Infallible>,
}

/// Waits for the end of all [`Alive`]s.
pub(crate) struct Gone {
    rx: Mutex<mpsc::Receiver<Infallible>>,
}

/// One token, to be cloned by all users, and the end of them.
pub(crate) fn alive() -> (Alive, Gone) {
    let (tx, rx) = mpsc::channel(1);
    (Alive { _tx: tx }, Gone { rx: Mutex::new(rx) })
}

impl Gone {
    /// Waits until the last token is gone; `false` if that takes longer than `timeout`.
    pub(crate) async fn wait(&self, timeout: Duration) -> bool {
        let mut rx = self.rx.lock().await;
        tokio::time::timeout(timeout, rx.recv()).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_ends_with_the_last_token_and_stays_ended() {
        let (first, gone) = alive();
        let second = first.clone();
        drop(first);
        assert!(!gone.wait(Duration::from_millis(1)).await);
        drop(second);
        assert!(gone.wait(Duration::from_secs(60)).await);
        assert!(gone.wait(Duration::from_secs(60)).await);
    }
}
