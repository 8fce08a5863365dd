//! A snapshot in use: it is deleted when it is obsolete and nobody uses it any more.

use std::borrow::Borrow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use eunoe_store::Snapshot;
use eunoe_types::Fault;

use crate::codec::decode_applied;
use crate::types::{LogId, SnapshotMeta, StoredMembership, TypeConfig};

/// A snapshot. Clones mean the same directory.
#[derive(Clone, Debug)]
pub(crate) struct SnapshotDir {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Taken only when it is dropped.
    snapshot: Option<Snapshot>,
    last: Option<LogId>,
    members: StoredMembership,
    obsolete: AtomicBool,
}

impl SnapshotDir {
    /// A snapshot with the position that it was made at.
    pub(super) fn new(snapshot: Snapshot) -> Result<Self, Fault> {
        let (last, members) = match snapshot.meta() {
            [] => (None, StoredMembership::default()),
            applied => decode_applied(applied)?,
        };
        Ok(Self {
            inner: Arc::new(Inner {
                snapshot: Some(snapshot),
                last,
                members,
                obsolete: AtomicBool::new(false),
            }),
        })
    }

    /// What is on disk.
    pub(super) fn on_disk(&self) -> &Snapshot {
        let snapshot = self.inner.snapshot.as_ref();
        snapshot.expect("it is taken only when nobody can call this any more")
    }

    /// The last entry it holds.
    pub(super) fn last(&self) -> Option<&LogId> {
        self.inner.last.as_ref()
    }

    /// Whether it is the same directory.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Its position and members.
    pub(crate) fn meta(&self) -> SnapshotMeta {
        SnapshotMeta {
            last_log_id: self.inner.last,
            last_membership: self.inner.members.clone(),
        }
    }

    /// The directory is to be deleted when its last user is gone.
    pub(super) fn retire(&self) {
        self.inner.obsolete.store(true, Ordering::Release);
    }

    /// As openraft takes it.
    pub(crate) fn into_snapshot(self) -> openraft::alias::SnapshotOf<TypeConfig, SnapshotDir> {
        openraft::Snapshot {
            meta: self.meta(),
            snapshot: self,
        }
    }
}

/// So that its files can be read while it is held.
impl Borrow<Snapshot> for SnapshotDir {
    fn borrow(&self) -> &Snapshot {
        self.on_disk()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let obsolete = self.obsolete.load(Ordering::Acquire);
        if let Some(snapshot) = self.snapshot.take().filter(|_| obsolete) {
            // What stays is deleted when the group starts the next time.
            if let Err(error) = snapshot.remove() {
                tracing::warn!(%error, "an old snapshot was not deleted");
            }
        }
    }
}
