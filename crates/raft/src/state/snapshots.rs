//! The snapshots of a group on disk: one current, those that are still in use, those that are being made.
//!
//! Those that this node may start from are named by numbers. One that arrived from a peer is not: before openraft
//! takes it, the log may contradict it, so after a crash it must not be found (`arrived-…`).

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use eunoe_store::{Snapshot, SnapshotError, snapshot};
use eunoe_types::Fault;

use super::SnapshotDir;
use crate::Blocking;

/// What the name of a snapshot begins with that openraft did not take yet.
const ARRIVED: &str = "arrived-";
/// Where the state engine gets its copy of the snapshot that it consumes.
const INSTALLING: &str = "tmp-install";

/// The snapshots of one group.
pub(crate) struct Snapshots {
    root: PathBuf,
    current: Mutex<Option<SnapshotDir>>,
    next: AtomicU64,
    blocking: Blocking,
    /// Held by the one snapshot that may be arriving at a time.
    pub(super) receiving: Arc<tokio::sync::Mutex<()>>,
}

impl Snapshots {
    /// Opens `root`: the newest finished snapshot is the current one, everything else is deleted. What blocks on
    /// them for long later is run as `blocking` says.
    pub(crate) fn open(root: PathBuf, blocking: Blocking) -> Result<Self, Fault> {
        snapshot::clean(&root)?;
        let mut newest: Option<SnapshotDir> = None;
        let mut last_number = 0;
        for found in snapshot::list(&root).map_err(unusable)? {
            let Ok(number) = found.name().parse::<u64>() else {
                found.remove()?;
                continue;
            };
            last_number = last_number.max(number);
            let found = SnapshotDir::new(found)?;
            let is_newer = newest.as_ref().is_none_or(|newest| newest.last() < found.last());
            if !is_newer {
                found.retire();
            } else if let Some(older) = newest.replace(found) {
                older.retire();
            }
        }
        Ok(Self {
            root,
            current: Mutex::new(newest),
            next: AtomicU64::new(last_number + 1),
            blocking,
            receiving: Arc::default(),
        })
    }

    /// Where calls that block for long run.
    pub(super) fn blocking(&self) -> Blocking {
        self.blocking
    }

    /// The current snapshot.
    pub(crate) fn current(&self) -> Option<SnapshotDir> {
        self.lock().clone()
    }

    /// Makes a snapshot of what `checkpoint` writes and makes it the current one.
    pub(super) fn build(
        &self,
        checkpoint: impl FnOnce(&Path) -> Result<Vec<u8>, Fault>,
    ) -> Result<SnapshotDir, Fault> {
        let name = self.new_name();
        self.publish(snapshot::build_with(&self.root, &name, checkpoint).map_err(unusable)?)
    }

    /// Makes a finished snapshot the current one, unless a newer one came meanwhile; answers the current one.
    fn publish(&self, finished: Snapshot) -> Result<SnapshotDir, Fault> {
        let finished = SnapshotDir::new(finished)?;
        let mut current = self.lock();
        if let Some(newer) = current
            .as_ref()
            .filter(|current| current.last() >= finished.last())
        {
            finished.retire();
            return Ok(newer.clone());
        }
        if let Some(old) = current.replace(finished.clone()) {
            old.retire();
        }
        Ok(finished)
    }

    /// Where snapshots are received.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The name for the next snapshot that arrives. It changes when one has arrived, so that what an interrupted
    /// one left is overwritten by the next.
    pub(super) fn arriving_name(&self) -> String {
        format!("{ARRIVED}{}", self.next.load(Ordering::Relaxed))
    }

    /// A snapshot that has arrived and was verified, to be deleted when it is no longer used.
    pub(super) fn arrived(&self, snapshot: Snapshot) -> Result<SnapshotDir, Fault> {
        self.new_name();
        let arrived = SnapshotDir::new(snapshot)?;
        arrived.retire();
        Ok(arrived)
    }

    /// Makes `snapshot` current if it is not, and a copy of it that may be consumed. The order matters: when the
    /// state is replaced there must be a snapshot of it, and one that is newer than the state is installed again.
    pub(super) fn prepare_install(&self, snapshot: &SnapshotDir) -> Result<PathBuf, Fault> {
        let kept = self.keep(snapshot)?;
        let copy = self.root.join(INSTALLING);
        kept.on_disk().copy_state(&copy)?;
        Ok(copy)
    }

    fn keep(&self, snapshot: &SnapshotDir) -> Result<SnapshotDir, Fault> {
        if let Some(current) = self.current().filter(|current| current.is(snapshot)) {
            current.on_disk().verify().map_err(unusable)?;
            return Ok(current);
        }
        let arrived = snapshot.on_disk();
        let name = self.new_name();
        let copy = snapshot::build_with(&self.root, &name, |into| {
            arrived.copy_state(into)?;
            Ok(arrived.meta().to_vec())
        });
        let copy = copy.map_err(unusable)?;
        // It was verified when it arrived, but disks also lose what was good.
        if copy.manifest() != arrived.manifest() {
            copy.remove()?;
            return Err(Fault::broken("a snapshot changed on disk after it had arrived"));
        }
        self.publish(copy)
    }

    fn new_name(&self) -> String {
        format!("{:020}", self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn lock(&self) -> MutexGuard<'_, Option<SnapshotDir>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A snapshot of this node's own that is damaged makes the node unfit.
pub(super) fn unusable(error: SnapshotError) -> Fault {
    match error {
        SnapshotError::Refused(why) => Fault::broken(format!("a snapshot on disk is unusable: {why}")),
        SnapshotError::Fault(fault) => fault,
    }
}
