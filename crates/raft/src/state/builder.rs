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

    pub(super) async fn build(&self) -> Result<SnapshotDir, Fault> {
        let how = self.snapshots.blocking();
        let builder = self.clone();
        if let Some(current) = blocking(how, move || builder.prepare()).await? {
            return Ok(current);
        }
        let gate = Arc::clone(&self.gate).lock_owned().await;
        let builder = self.clone();
        blocking(how, move || {
            builder.snapshots.build(|directory| {
                // Let go before the hashing.
                let _gate = gate;
                let applied = builder.state.applied()?.unwrap_or_default();
                builder.state.checkpoint(directory)?;
                Ok(applied)
            })
        })
        .await
    }

    /// The current snapshot, if it is of what is applied; else nothing, with everything flushed: what is flushed
    /// here need not be flushed while the gate is held and nothing is applied.
    fn prepare(&self) -> Result<Option<SnapshotDir>, Fault> {
        let (last, _) = stored_position(&*self.state)?;
        let current = self.snapshots.current();
        if let Some(current) = current.filter(|current| current.last() >= last.as_ref()) {
            return Ok(Some(current));
        }
        self.state.flush()?;
        Ok(None)
    }
}

impl RaftSnapshotBuilder<TypeConfig> for Builder {
    type SnapshotData = SnapshotDir;

    async fn build_snapshot(
        &mut self,
    ) -> Result<openraft::alias::SnapshotOf<TypeConfig, SnapshotDir>, io::Error> {
        Ok(self.build().await?.into_snapshot())
    }
}
