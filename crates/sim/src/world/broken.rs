//! Worlds with a fault on purpose: a search that does not find it would find nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use eunoe_core::{Applied, Machine, Txn};
use eunoe_types::{Fault, LogPosition};

/// A fault on purpose that needs no change of the code: disks, operators and machines that break their contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Disks report syncs that they do not make.
    SkippedSync,
    /// State stores report flushes that they do not make, and a snapshot is gone with the power of its machine.
    UnflushedSnapshot,
    /// A machine that lost its disk comes back empty under its old id, as if it had never been.
    ReusedNodeId,
    /// One replica applies a little different from the others.
    UnstableApply,
}

impl Broken {
    /// All of them.
    pub const ALL: &[Broken] = &[
        Broken::SkippedSync,
        Broken::UnflushedSnapshot,
        Broken::ReusedNodeId,
        Broken::UnstableApply,
    ];
}

/// A machine whose replicas do not agree: every so often one of them skips a command.
pub(super) struct Unstable {
    inner: Arc<dyn Machine>,
    applied: AtomicU64,
}

impl Unstable {
    pub(super) fn new(inner: Arc<dyn Machine>) -> Self {
        Self {
            inner,
            applied: AtomicU64::new(0),
        }
    }
}

impl Machine for Unstable {
    fn apply(&self, txn: &mut Txn<'_>, position: LogPosition, command: &[u8]) -> Result<Applied, Fault> {
        // All replicas of the world share the counter, so which one skips it is a matter of who comes when.
        if self.applied.fetch_add(1, Ordering::Relaxed) % 50 == 49 {
            return Ok(Applied::default());
        }
        self.inner.apply(txn, position, command)
    }
}
