//! A snapshot directory in use: it is deleted when it is obsolete and nobody uses it any more.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::types::{LogId, SnapshotMeta, StoredMembership, TypeConfig};

/// A snapshot directory. Clones mean the same directory.
#[derive(Clone, Debug)]
pub(crate) struct SnapshotDir {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    last: Option<LogId>,
    members: StoredMembership,
    obsolete: AtomicBool,
}

impl SnapshotDir {
    /// A directory with what its manifest says.
    pub(super) fn new(path: PathBuf, last: Option<LogId>, members: StoredMembership) -> Self {
        Self {
            inner: Arc::new(Inner {
                path,
                last,
                members,
                obsolete: AtomicBool::new(false),
            }),
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.inner.path
    }

    /// The last entry it holds.
    pub(super) fn last(&self) -> Option<&LogId> {
        self.inner.last.as_ref()
    }

    /// Its position and members.
    pub(crate) fn meta(&self) -> SnapshotMeta {
        SnapshotMeta {
            last_log_id: self.inner.last,
            last_membership: self.inner.members.clone(),
        }
    }

    /// The directory, to be deleted when its last user is gone.
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

impl Drop for Inner {
    fn drop(&mut self) {
        if self.obsolete.load(Ordering::Acquire) {
            // What stays is deleted when the group starts the next time.
            if let Err(error) = fs::remove_dir_all(&self.path) {
                tracing::warn!(path = %self.path.display(), %error, "an old snapshot was not deleted");
            }
        }
    }
}
