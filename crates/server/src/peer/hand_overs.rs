//! Keys of hand-overs that peers opened and have not used yet.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use eunoe_crypto::HandOver;
use eunoe_types::NodeId;

/// A hand-over that is opened is used at once.
const LASTS: Duration = Duration::from_secs(10);

/// The key for a root, and the one for a share.
type Keys = (HandOver, HandOver);

/// One open hand-over for each node: only admitted ones ask, so that their number is bounded.
#[derive(Default)]
pub(super) struct HandOvers(Mutex<BTreeMap<NodeId, (Instant, Keys)>>);

impl HandOvers {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeId, (Instant, Keys)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens one, in the place of the node's last.
    pub(super) fn open(&self, node: NodeId, keys: Keys) {
        let now = Instant::now();
        let mut open = self.lock();
        open.retain(|_, (since, _)| now.duration_since(*since) < LASTS);
        open.insert(node, (now, keys));
    }

    /// Takes the node's, if it was opened a moment ago.
    pub(super) fn take(&self, node: NodeId) -> Option<Keys> {
        let (since, keys) = self.lock().remove(&node)?;
        (since.elapsed() < LASTS).then_some(keys)
    }
}
