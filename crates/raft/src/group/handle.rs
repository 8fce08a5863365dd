//! The handle of a group.

use std::sync::Arc;
use std::time::Duration;

use eunoe_core::{Machine, StateView};
use eunoe_types::{Fault, GroupId, LogPosition, NodeId};
use openraft::async_runtime::watch::WatchReceiver;

use super::{Admission, Barrier, GroupStatus, Leadership, Replication};
use crate::alive::Gone;
use crate::log_store::LogMeter;
use crate::state::GroupState;
use crate::types::{GroupRaft, Metrics, position};
use crate::{ReadError, node::TaskSet, watch};

/// What is under way when a group stops, the making of a snapshot above all, gets so long to end.
const SHUTDOWN_MAX: Duration = Duration::from_secs(60);

/// A group on this node. Clones are cheap and all mean the same group.
#[derive(Clone)]
pub struct GroupHandle {
    pub(crate) inner: Arc<GroupInner>,
}

/// What all handles of a group share.
pub(crate) struct GroupInner {
    pub(crate) group: GroupId,
    pub(crate) node: NodeId,
    pub(crate) raft: GroupRaft,
    pub(crate) state: Arc<dyn GroupState>,
    pub(crate) machine: Arc<dyn Machine>,
    pub(crate) applied: watch::Receiver<Option<LogPosition>>,
    pub(crate) leadership: watch::Receiver<Leadership>,
    pub(crate) admission: Admission,
    pub(crate) barrier: Barrier,
    pub(crate) meter: Arc<LogMeter>,
    pub(crate) tasks: TaskSet,
    pub(crate) gone: Gone,
}

impl GroupHandle {
    /// The group's id.
    pub fn id(&self) -> GroupId {
        self.inner.group
    }

    /// The id of this node.
    pub fn node_id(&self) -> NodeId {
        self.inner.node
    }

    /// The position of the last entry applied on this node.
    pub fn applied(&self) -> Option<LogPosition> {
        *self.inner.applied.borrow()
    }

    /// Watches [`Self::applied`]. It also moves when a snapshot was installed, which emits no effects.
    pub fn watch_applied(&self) -> watch::Receiver<Option<LogPosition>> {
        self.inner.applied.clone()
    }

    /// Leader and members, as this node knows them.
    pub fn leadership(&self) -> Leadership {
        self.inner.leadership.borrow().clone()
    }

    /// Watches [`Self::leadership`].
    pub fn watch_leadership(&self) -> watch::Receiver<Leadership> {
        self.inner.leadership.clone()
    }

    /// Runs `read` over a consistent view of the state as applied on this node.
    ///
    /// The state cannot be replaced by a snapshot meanwhile, so `read` must be short: it blocks the installation.
    pub fn with_view<T>(&self, read: impl FnOnce(&dyn StateView) -> T) -> Result<T, Fault> {
        let mut read = Some(read);
        let mut value = None;
        self.inner
            .state
            .with_view(&mut |view| value = read.take().map(|read| read(view)))?;
        Ok(value.expect("with_view runs the closure once or returns an error"))
    }

    /// Bytes that the state takes on disk.
    pub fn state_bytes(&self) -> Result<u64, Fault> {
        self.inner.state.disk_bytes()
    }

    /// Waits until the entry at `index` is applied on this node.
    pub async fn wait_applied(&self, index: u64, timeout: Duration) -> Result<LogPosition, ReadError> {
        let mut applied = self.inner.applied.clone();
        let reached = applied.wait_for(|applied| applied.is_some_and(|at| at.index >= index));
        match tokio::time::timeout(timeout, reached).await {
            Ok(Ok(applied)) => Ok(applied.unwrap_or_default()),
            Ok(Err(_)) => Err(ReadError::Stopped),
            Err(_) => Err(ReadError::Timeout),
        }
    }

    /// Waits until everything that was ever applied on this node, before it was restarted, is applied again.
    ///
    /// State is not synced with every commit; a node that served before this could show an older state than it
    /// had shown already.
    pub async fn wait_recovered(&self, timeout: Duration) -> Result<(), ReadError> {
        match self.inner.raft.wait_for_recovery(Some(timeout)).await {
            Ok(_) => Ok(()),
            Err(openraft::metrics::WaitError::Timeout(..)) => Err(ReadError::Timeout),
            Err(openraft::metrics::WaitError::ShuttingDown) => Err(ReadError::Stopped),
        }
    }

    /// How far the group is.
    pub fn status(&self) -> GroupStatus {
        let metrics = self.metrics();
        GroupStatus {
            group: self.inner.group,
            leadership: self.leadership(),
            failure: match &metrics.running_state {
                Ok(()) | Err(openraft::errors::Fatal::Stopped) => None,
                Err(fatal) => Some(fatal.to_string()),
            },
            last_log: metrics.last_log_index,
            committed: metrics.local_committed.as_ref().map(position),
            applied: self.applied(),
            snapshot: metrics.snapshot.as_ref().map(position),
            purged: metrics.purged.as_ref().map(position),
            live_log_bytes: self.inner.meter.live_bytes(),
            replication: self.replication(&metrics),
        }
    }

    /// How long ago the group had a quorum, as far as this node knows: for its leader, since a majority last answered; for
    /// a node that hears a leader, no time; none if it knows no leader, or no majority has answered this one yet.
    pub fn quorum_silence(&self) -> Option<Duration> {
        let now = self.leadership();
        if !now.is_leader {
            return now.leader.map(|_| Duration::ZERO);
        }
        if now.members.voters == [self.inner.node] {
            return Some(Duration::ZERO);
        }
        self.metrics()
            .last_quorum_acked
            .map(|at| openraft::Instant::elapsed(&*at))
    }

    fn replication(&self, metrics: &Metrics) -> Vec<Replication> {
        let next = metrics.last_log_index.map_or(0, |last| last + 1);
        let others = metrics
            .replication
            .iter()
            .flatten()
            .filter(|(id, _)| **id != self.inner.node.0);
        others
            .map(|(id, matched)| {
                let matched = matched.as_ref().map(|id| id.index);
                let lag = next.saturating_sub(matched.map_or(0, |matched| matched + 1));
                Replication {
                    node: NodeId(*id),
                    matched,
                    lag,
                }
            })
            .collect()
    }

    /// Asks for a snapshot of the applied state. It is made in the background.
    pub async fn trigger_snapshot(&self) -> Result<(), ReadError> {
        self.inner
            .raft
            .trigger()
            .snapshot()
            .await
            .map_err(|_| ReadError::Stopped)
    }

    /// Asks to purge the log up to `index`, no further than the newest snapshot.
    pub async fn trigger_purge(&self, index: u64) -> Result<(), ReadError> {
        self.inner
            .raft
            .trigger()
            .purge_log(index)
            .await
            .map_err(|_| ReadError::Stopped)
    }

    /// A copy of openraft's metrics: its core blocks while the original is borrowed.
    pub(crate) fn metrics(&self) -> Metrics {
        self.inner.raft.metrics().borrow_watched().clone()
    }

    /// Stops the group on this node and waits until nothing of it runs, for a minute at most. The peer server must
    /// be closed first, and the log is free only when all handles are dropped.
    pub async fn shutdown(&self) {
        if self.inner.raft.shutdown().await.is_err() {
            tracing::error!(group = %self.inner.group, "the group's task panicked");
        }
        self.inner.tasks.stop().await;
        if !self.inner.gone.wait(SHUTDOWN_MAX).await {
            tracing::error!(group = %self.inner.group, "the group's log or state is still in use");
        }
    }
}
