//! All groups of a node over one log.

mod maintenance;
mod recovery;
mod serve;
mod start;
mod tasks;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use eunoe_core::Machine;
use eunoe_store::{LogEngine, StateFactory};
use eunoe_types::{GroupId, NodeId};
use futures::future::join_all;

use crate::group::GroupFailure;
use crate::state::{Snapshots, StateObserver};
use crate::{Blocking, GroupHandle, PeerTransport, RaftConfig, StartError, watch};
use start::Starter;
pub(crate) use tasks::TaskSet;

/// What a node's groups are made of.
pub struct NodeParts<L, F> {
    /// This node's id.
    pub id: NodeId,
    /// The settings of all groups.
    pub config: RaftConfig,
    /// The log of all groups.
    pub log: L,
    /// Their state stores.
    pub states: Arc<F>,
    /// The connections to the other nodes.
    pub transport: Arc<dyn PeerTransport>,
    /// Who is told about changes of state.
    pub observer: Arc<dyn StateObserver>,
    /// Where its calls to the disk run that block for long.
    pub blocking: Blocking,
}

/// A node: its groups, and what serves other nodes' messages to them. Clones mean the same node.
#[derive(Clone)]
pub struct RaftNode {
    inner: Arc<Inner>,
}

struct Inner {
    starter: Box<dyn Starter>,
    groups: RwLock<BTreeMap<GroupId, Running>>,
    failure: watch::Sender<Option<GroupFailure>>,
    tasks: TaskSet,
}

/// A group that runs here.
#[derive(Clone)]
struct Running {
    handle: GroupHandle,
    snapshots: Arc<Snapshots>,
}

impl RaftNode {
    /// A node without groups. Must be called within a tokio runtime.
    pub fn new<L: LogEngine, F: StateFactory>(parts: NodeParts<L, F>) -> Result<Self, StartError> {
        let (log, config) = (parts.log.clone(), parts.config.clone());
        let starter = start::starter(parts)?;
        let failure = watch::Sender::new(None);
        let inner = Inner {
            starter,
            groups: RwLock::default(),
            failure,
            tasks: TaskSet::default(),
        };
        let node = Self {
            inner: Arc::new(inner),
        };
        // The task holds the node weakly: a node that is dropped without a shutdown ends it.
        node.inner
            .tasks
            .spawn(maintenance::run(Arc::downgrade(&node.inner), log, config));
        Ok(node)
    }

    /// Starts `group` with what its log and state hold, empty at first. Its members come with
    /// [`GroupHandle::initialize`] on one node, or from the leader that adds this node.
    pub async fn start_group(
        &self,
        group: GroupId,
        machine: Arc<dyn Machine>,
    ) -> Result<GroupHandle, StartError> {
        if self.group(group).is_some() {
            return Err(StartError::Running);
        }
        let running = self
            .inner
            .starter
            .start(group, machine, self.inner.failure.clone())
            .await?;
        let handle = running.handle.clone();
        self.inner
            .groups
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(group, running);
        Ok(handle)
    }

    /// The handle of `group`, if it runs here.
    pub fn group(&self, group: GroupId) -> Option<GroupHandle> {
        self.inner.running(group).map(|running| running.handle)
    }

    /// The handles of all groups that run here, in the order of their ids.
    pub fn groups(&self) -> Vec<GroupHandle> {
        self.inner.handles()
    }

    /// Ends when a group failed: this node is unfit and must stop.
    pub async fn failed(&self) -> GroupFailure {
        let mut failure = self.inner.failure.subscribe();
        loop {
            if let Some(failure) = failure.borrow_and_update().clone() {
                return failure;
            }
            if failure.changed().await.is_err() {
                // The node is gone, and with it whatever could fail.
                std::future::pending::<()>().await;
            }
        }
    }

    /// For how long the oldest write to the log has waited for the disk. A leader with a hung disk still sends
    /// heartbeats, so whoever runs the node should end it when this grows too long.
    pub fn log_stalled_for(&self) -> Duration {
        let stalls = self
            .groups()
            .into_iter()
            .map(|group| group.inner.meter.stalled_for());
        stalls.max().unwrap_or_default()
    }

    /// Stops all groups and waits until nothing of them runs. The peer server must be closed first.
    pub async fn shutdown(&self) {
        self.inner.tasks.stop().await;
        let groups = std::mem::take(&mut *self.inner.groups.write().unwrap_or_else(PoisonError::into_inner));
        join_all(groups.values().map(|running| running.handle.shutdown())).await;
    }
}

impl Inner {
    fn running(&self, group: GroupId) -> Option<Running> {
        self.groups
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&group)
            .cloned()
    }

    fn handles(&self) -> Vec<GroupHandle> {
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        groups.values().map(|running| running.handle.clone()).collect()
    }
}
