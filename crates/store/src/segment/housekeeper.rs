//! The thread that makes and removes segment files, so that neither stands between a write and its sync.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};

use super::file::{self, Prepared};
use super::shared::Shared;
use crate::disk;

/// What the writer asks for.
pub(crate) enum Job {
    /// Prepare the file of this segment.
    Prepare(u64),
    /// Remove the segments before this one, the oldest first.
    RemoveBefore(u64),
}

pub(crate) struct Housekeeper {
    pub(crate) dir: PathBuf,
    pub(crate) segment_bytes: u64,
    pub(crate) shared: Arc<Shared>,
    pub(crate) jobs: Receiver<Job>,
    pub(crate) prepared: SyncSender<io::Result<Prepared>>,
}

impl Housekeeper {
    /// Works until the writer ends.
    pub(crate) fn run(self) {
        while let Ok(job) = self.jobs.recv() {
            match job {
                Job::Prepare(segment) => {
                    let file = file::prepare(&self.dir, segment, self.segment_bytes);
                    if self.prepared.send(file).is_err() {
                        return;
                    }
                }
                Job::RemoveBefore(segment) => self.remove_before(segment),
            }
        }
    }

    /// The directory is synced after each file: were a younger one gone and an older one not, the log would
    /// look as if a segment were missing.
    fn remove_before(&self, segment: u64) {
        loop {
            let oldest = self.shared.lock().segments.keys().next().copied();
            let Some(oldest) = oldest.filter(|oldest| *oldest < segment) else {
                return;
            };
            let path = file::path(&self.dir, oldest);
            let removed = std::fs::remove_file(&path).map_err(disk::fault("remove", &path));
            if let Err(fault) = removed.and_then(|()| disk::sync_dir(&self.dir)) {
                tracing::error!(error = %fault, "the log stops: a segment cannot be removed");
                self.shared.lock().failed.get_or_insert(Arc::new(fault.into()));
                return;
            }
            self.shared.lock().segments.remove(&oldest);
        }
    }
}
