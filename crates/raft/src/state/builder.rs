//! Makes snapshots.

use std::io;
use std::sync::Arc;

use eunoe_types::Fault;
use openraft::RaftSnapshotBuilder;
use tokio::sync::Mutex;

use super::machine::{blocking, stored_position};
use super::{GroupState, SnapshotDir, Snapshots};
use crate::alive::Alive;
use crate::types::TypeConfig;

/// Makes one snapshot of a group's state, beside the applying of entries.
#[derive(Clone)]
pub(crate) struct Builder {
    state: Arc<dyn GroupState>,
    snapshots: Arc<Snapshots>,
    gate: Arc<Mutex<()>>,
    _alive: Alive,
}

impl Builder {
    pub(super) fn new(
        state: Arc<dyn GroupState>,
        snapshots: Arc<Snapshots>,
        gate: Arc<Mutex<()>>,
        alive: Alive,
    ) -> Self {
        Self {
            state,
            snapshots,
            gate,
            _alive: alive,
        }
    }

    fn build(&self) -> Result<SnapshotDir, Fault> {
        let (last, _) = stored_position(&*self.state)?;
        let current = self.snapshots.current();
        if let Some(current) = current.filter(|current| current.last() >= last.as_ref()) {
            return Ok(current);
        }
        // What is flushed here need not be flushed while the gate is held and nothing is applied.
        self.state.flush()?;
        self.snapshots.build(|directory| {
            let _gate = self.gate.blocking_lock();
            let applied = self.state.applied()?.unwrap_or_default();
            self.state.checkpoint(directory)?;
            Ok(applied)
        })
    }
}

impl RaftSnapshotBuilder<TypeConfig> for Builder {
    type SnapshotData = SnapshotDir;

    async fn build_snapshot(
        &mut self,
    ) -> Result<openraft::alias::SnapshotOf<TypeConfig, SnapshotDir>, io::Error> {
        let builder = self.clone();
        Ok(blocking(move || builder.build()).await?.into_snapshot())
    }
}
