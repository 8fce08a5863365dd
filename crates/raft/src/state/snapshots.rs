//! The snapshots of a group on disk: one current, those that are still in use, those that are being made.
//!
//! A snapshot is a sealed directory (`eunoe_store::snapshot`). It becomes current with a rename, so that after a
//! crash there is the old one or the new one, and what was being made is deleted at the next start.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use eunoe_types::Fault;

use super::{SnapshotDir, format};
use crate::codec::decode_applied;
use crate::types::{LogId, StoredMembership};

/// What the name of an unfinished directory begins with.
const UNFINISHED: &str = "tmp-";

/// The snapshots of one group.
pub(crate) struct Snapshots {
    root: PathBuf,
    current: Mutex<Option<SnapshotDir>>,
    unfinished: AtomicU64,
    /// Taken by the one snapshot that may be arriving at a time.
    pub(super) receiving: tokio::sync::Mutex<()>,
}

impl Snapshots {
    /// Opens `root`: the newest finished snapshot is the current one, everything else is deleted.
    pub(crate) fn open(root: PathBuf) -> Result<Self, Fault> {
        fs::create_dir_all(&root).map_err(|error| Fault::io("create the snapshot directory", error))?;
        let (mut finished, mut rest): (Vec<String>, Vec<String>) = names(&root)?
            .into_iter()
            .partition(|name| !name.starts_with(UNFINISHED));
        // The names are positions of one width, so the last one is the newest.
        finished.sort();
        let newest = finished.pop();
        rest.append(&mut finished);
        for name in rest {
            remove(&root.join(name))?;
        }
        let current = newest.map(|name| read(root.join(name))).transpose()?;
        Ok(Self {
            root,
            current: Mutex::new(current),
            unfinished: AtomicU64::new(0),
            receiving: tokio::sync::Mutex::new(()),
        })
    }

    /// The current snapshot.
    pub(crate) fn current(&self) -> Option<SnapshotDir> {
        self.lock().clone()
    }

    /// A name for a directory that is being made. The directory does not exist yet.
    pub(super) fn new_directory(&self, purpose: &str) -> PathBuf {
        let number = self.unfinished.fetch_add(1, Ordering::Relaxed);
        self.root.join(format!("{UNFINISHED}{purpose}-{number}"))
    }

    /// Seals a directory that a checkpoint of the state at `applied` was written to.
    pub(super) fn seal(&self, directory: &Path, applied: &[u8]) -> Result<(), Fault> {
        format::seal(directory, applied).map(drop)
    }

    /// Makes a sealed directory the current snapshot, unless a newer one came meanwhile; answers the current one.
    pub(super) fn publish(&self, directory: &Path) -> Result<SnapshotDir, Fault> {
        let mut current = self.lock();
        let (last, members) = position_of(directory)?;
        if let Some(newer) = current.as_ref().filter(|current| current.last() >= last.as_ref()) {
            remove(directory)?;
            return Ok(newer.clone());
        }
        let path = self
            .root
            .join(format!("{:020}", last.as_ref().map_or(0, |last| last.index + 1)));
        format::publish(directory, &path)?;
        let published = SnapshotDir::new(path, last, members);
        if let Some(old) = current.replace(published.clone()) {
            old.retire();
        }
        Ok(published)
    }

    /// A directory that has arrived and was verified, to be deleted when it is no longer used.
    pub(super) fn arrived(&self, directory: PathBuf) -> Result<SnapshotDir, Fault> {
        let (last, members) = position_of(&directory)?;
        let arrived = SnapshotDir::new(directory, last, members);
        arrived.retire();
        Ok(arrived)
    }

    /// Makes `snapshot` current if it is not, and a copy of it that may be consumed. The order matters: when the
    /// state is replaced there must be a snapshot of it, and one that is newer than the state is installed again.
    pub(super) fn prepare_install(&self, snapshot: SnapshotDir) -> Result<PathBuf, Fault> {
        let kept = self.keep(&snapshot)?;
        // It was verified when it arrived, but disks also lose what was good.
        format::verify(kept.path())?;
        let copy = self.new_directory("install");
        format::link(kept.path(), &copy)?;
        Ok(copy)
    }

    fn keep(&self, snapshot: &SnapshotDir) -> Result<SnapshotDir, Fault> {
        if let Some(current) = self.current().filter(|current| current.path() == snapshot.path()) {
            return Ok(current);
        }
        let copy = self.new_directory("keep");
        format::link(snapshot.path(), &copy)?;
        self.publish(&copy)
    }

    fn lock(&self) -> MutexGuard<'_, Option<SnapshotDir>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(path: PathBuf) -> Result<SnapshotDir, Fault> {
    let (last, members) = position_of(&path)?;
    Ok(SnapshotDir::new(path, last, members))
}

/// The position that the manifest of a sealed directory names.
fn position_of(directory: &Path) -> Result<(Option<LogId>, StoredMembership), Fault> {
    let applied = format::manifest(directory)?.applied;
    if applied.is_empty() {
        Ok((None, StoredMembership::default()))
    } else {
        Ok(decode_applied(&applied)?)
    }
}

fn names(root: &Path) -> Result<Vec<String>, Fault> {
    let list = || -> io::Result<Vec<String>> {
        let entries = fs::read_dir(root)?.collect::<io::Result<Vec<_>>>()?;
        Ok(entries
            .iter()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect())
    };
    list().map_err(|error| Fault::io("list the snapshot directory", error))
}

fn remove(path: &Path) -> Result<(), Fault> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Fault::io("delete a snapshot", error)),
        _ => Ok(()),
    }
}
