//! Makes snapshots.

use std::io;
use std::sync::Arc;

use eunoe_types::Fault;
use openraft::RaftSnapshotBuilder;
use tokio::sync::Mutex;

use super::machine::{blocking, stored_position};
use super::{GroupState, SnapshotDir, Snapshots};
use crate::types::TypeConfig;

/// Makes one snapshot of a group's state, beside the applying of entries.
pub(crate) struct Builder {
    state: Arc<dyn GroupState>,
    snapshots: Arc<Snapshots>,
    gate: Arc<Mutex<()>>,
}

impl Builder {
    pub(super) fn new(state: Arc<dyn GroupState>, snapshots: Arc<Snapshots>, gate: Arc<Mutex<()>>) -> Self {
        Self {
            state,
            snapshots,
            gate,
        }
    }

    fn build(&self) -> Result<SnapshotDir, Fault> {
        // The log is purged up to a snapshot, so whatever a snapshot holds must be durable in the state as well;
        // and what is flushed here need not be flushed while the gate is held.
        self.state.flush()?;
        let gate = self.gate.blocking_lock();
        let (last, _) = stored_position(&*self.state)?;
        if let Some(current) = self
            .snapshots
            .current()
            .filter(|current| current.last() >= last.as_ref())
        {
            return Ok(current);
        }
        let applied = self.state.applied()?.unwrap_or_default();
        let directory = self.snapshots.new_directory("build");
        self.state.checkpoint(&directory)?;
        drop(gate);
        self.snapshots.seal(&directory, &applied)?;
        self.snapshots.publish(&directory)
    }
}

impl RaftSnapshotBuilder<TypeConfig> for Builder {
    type SnapshotData = SnapshotDir;

    async fn build_snapshot(
        &mut self,
    ) -> Result<openraft::alias::SnapshotOf<TypeConfig, SnapshotDir>, io::Error> {
        let builder = Builder::new(
            Arc::clone(&self.state),
            Arc::clone(&self.snapshots),
            Arc::clone(&self.gate),
        );
        Ok(blocking(move || builder.build()).await?.into_snapshot())
    }
}
