//! A node without its doors: groups, keys and what drives them, over any engines, links and clocks. `eunoed` puts
//! listeners in front of it; the simulator runs it as it is.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use eunoe_core::Machine;
use eunoe_raft::{Blocking, NodeParts, PeerTransport, RaftConfig, RaftNode, ReadError};
use eunoe_store::{LogEngine, StateFactory};
use eunoe_types::{Fault, GroupId};
use eunoe_vault::ErasableVault;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::peers::Handler;
use super::{
    NodeError, Shared, SigningSeeds, custodian, drain, epochs, founding, lease, placement, scrub, signing,
    unsealing, verifying,
};
use crate::admin::HealthState;
use crate::config::Config;
use crate::edge::{Edge, Quota};
use crate::groups::Groups;
use crate::keys::Keys;
use crate::peer::{PeerHandler, Peers};
use crate::tls::PeerDirectory;

/// A log write that takes longer means that the disk is hung: the node ends, so that others lead.
const DISK_STALL_MAX: Duration = Duration::from_secs(20);
/// How long recovery to the committed index may take before it is reported, again and again.
const RECOVERY_REPORT: Duration = Duration::from_secs(30);

/// What a node is made of.
pub struct CoreParts<L, F> {
    /// Its configuration; paths and addresses in it are not looked at.
    pub config: Config,
    /// The settings of its groups.
    pub raft: RaftConfig,
    /// The log of all groups.
    pub log: L,
    /// Their states.
    pub states: Arc<F>,
    /// The machine of the control group, and that of data groups.
    pub machines: (Arc<dyn Machine>, Arc<dyn Machine>),
    /// Where this node's share of the root outlives the process.
    pub vault: Arc<dyn ErasableVault>,
    /// Raft's messages to other nodes.
    pub transport: Arc<dyn PeerTransport>,
    /// Other calls to them.
    pub peers: Peers,
    /// Which nodes are admitted.
    pub directory: PeerDirectory,
    /// Where calls that block run.
    pub blocking: Blocking,
    /// What the node signs with.
    pub seeds: SigningSeeds,
    /// Binds the node's id to its disk, if that was never done.
    pub claim: Option<Claim>,
}

/// Notes durably that the node runs on its disk.
pub type Claim = Box<dyn Fn() -> Result<(), Fault> + Send + Sync>;

/// A node without its doors. Clones mean the same node.
#[derive(Clone)]
pub struct Core {
    pub(super) shared: Arc<Shared>,
    pub(super) raft: RaftNode,
    machines: (Arc<dyn Machine>, Arc<dyn Machine>),
    claim: Arc<Option<Claim>>,
    tasks: TaskTracker,
}

impl Core {
    /// Puts a node together. Nothing runs yet, but it can answer its peers.
    pub fn new<L: LogEngine, F: StateFactory>(parts: CoreParts<L, F>) -> Result<Self, NodeError> {
        let shared = Shared::new(
            parts.config,
            parts.vault,
            parts.peers,
            parts.directory,
            parts.blocking,
            &parts.seeds,
        )?;
        let raft = RaftNode::new(NodeParts {
            id: shared.config.node_id,
            config: parts.raft,
            log: parts.log,
            states: parts.states,
            transport: parts.transport,
            observer: shared.custodian.clone(),
            blocking: parts.blocking,
        })?;
        Ok(Self {
            shared,
            raft,
            machines: parts.machines,
            claim: Arc::new(parts.claim),
            tasks: TaskTracker::new(),
        })
    }

    /// What answers the peers' calls beside Raft.
    pub fn handler(&self) -> Arc<impl PeerHandler + use<>> {
        Arc::new(Handler {
            shared: Arc::clone(&self.shared),
        })
    }

    /// What answers the peers' Raft messages.
    pub fn raft(&self) -> &RaftNode {
        &self.raft
    }

    /// The groups, once they run.
    pub fn groups(&self) -> Result<Arc<Groups>, NodeError> {
        self.shared.groups()
    }

    /// How far it is, and how it is.
    pub fn health(&self) -> HealthState {
        self.shared.health.get()
    }

    /// Everything up to the moment when the node can serve.
    pub async fn start(&self) -> Result<(), NodeError> {
        let shared = &self.shared;
        let starting = |what| shared.health.set(HealthState::Starting(what));
        if let Some(claim) = &*self.claim {
            starting("waiting for the other members");
            founding::may_start_blank(&shared.config, &shared.peers).await?;
            claim()?;
        }
        self.start_groups().await?;
        let groups = shared.groups()?;
        shared.spawn(placement::follow_members(Arc::clone(shared)));
        shared.spawn(founding::begin_realm(Arc::clone(shared)));
        starting("founding or joining the cluster");
        let all: Vec<_> = groups.all().cloned().collect();
        founding::found_groups(shared, &all).await?;
        starting("applying what was committed");
        for group in &all {
            while let Err(error) = group.wait_recovered(RECOVERY_REPORT).await {
                if error == ReadError::Stopped {
                    // Whoever watches the groups says why, and ends the node.
                    std::future::pending::<()>().await;
                }
                tracing::warn!(group = %group.id(), "the group has not recovered to its committed index yet");
            }
        }
        starting("waiting for the root key");
        shared.spawn(scrub::scrub(Arc::clone(shared)));
        shared.spawn(signing::register(Arc::clone(shared)));
        shared.spawn(lease::keep(Arc::clone(shared)));
        shared.spawn(lease::watch(Arc::clone(shared)));
        shared.spawn(verifying::verify_attempts(Arc::clone(shared)));
        shared.spawn(unsealing::keep_unsealed(Arc::clone(shared)));
        shared.spawn(custodian::destroy_old_roots(Arc::clone(shared)));
        shared.spawn(epochs::drive(Arc::clone(shared)));
        unsealing::first_time(shared).await;
        let balanced = Arc::clone(shared);
        shared.spawn(async move {
            drain::spread_leaders(balanced).await;
            Ok(())
        });
        Ok(())
    }

    async fn start_groups(&self) -> Result<(), NodeError> {
        let (shared, (control, data)) = (&self.shared, &self.machines);
        let control = self
            .raft
            .start_group(GroupId::CONTROL, Arc::clone(control))
            .await?;
        let mut groups = Vec::new();
        for id in 1..=shared.config.data_groups {
            groups.push(self.raft.start_group(GroupId(id), Arc::clone(data)).await?);
        }
        shared.set_groups(Groups::new(control, groups, shared.peers.clone(), &self.tasks));
        Ok(())
    }

    /// What clients' calls mean on this node, once its groups run. Long calls end when `stopping` is cancelled.
    pub fn edge(&self, stopping: CancellationToken) -> Result<Edge, NodeError> {
        let (shared, groups) = (&self.shared, self.shared.groups()?);
        let keys = Keys::new(Arc::clone(&shared.keyring), Arc::clone(&groups), &self.tasks);
        let quota = Quota::new(NonZeroU32::new(shared.config.limits.tenant_messages_per_second));
        let (peers, hub) = (shared.peers.clone(), Arc::clone(&shared.hub));
        let tails = shared.config.limits.tails;
        Ok(Edge::new(groups, keys, peers, hub, quota, tails, stopping))
    }

    /// Ends when the node must not go on.
    pub async fn unfit(&self) -> NodeError {
        let stalled = async {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                if self.raft.log_stalled_for() > DISK_STALL_MAX {
                    return NodeError::Unfit("a write to the log does not end: the disk hangs".into());
                }
            }
        };
        tokio::select! {
            biased;
            failure = self.raft.failed() => NodeError::Unfit(failure.what),
            fault = self.shared.faults.raised() => NodeError::Unfit(fault),
            error = self.shared.failed() => error,
            error = stalled => error,
        }
    }

    /// Ends the groups. Peers must still be answered meanwhile.
    pub async fn shutdown(&self) {
        self.shared.groups_gone();
        self.raft.shutdown().await;
    }
}
