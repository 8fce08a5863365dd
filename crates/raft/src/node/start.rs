//! How a group is put together. The types of the engines end here: nothing above is generic over them.

use std::sync::Arc;

use eunoe_core::Machine;
use eunoe_store::{LogEngine, StateFactory};
use eunoe_types::{Fault, GroupId};
use futures::FutureExt;
use futures::future::BoxFuture;
use openraft::errors::Fatal;

use super::{NodeParts, Running, TaskSet, recovery};
use crate::alive::{Gone, alive};
use crate::group::{Admission, Barrier, GroupFailure, GroupInner, watch_leadership};
use crate::log_store::{LogMeter, LogStore};
use crate::network::Network;
use crate::state::{GroupState, Slot, Snapshots, StateMachine};
use crate::types::{GroupRaft, TypeConfig};
use crate::{GroupHandle, Leadership, Panicked, StartError, watch};

type Failures = watch::Sender<Option<GroupFailure>>;

/// Starts groups over engines whose types it hides.
pub(super) trait Starter: Send + Sync + 'static {
    /// Starts one group.
    fn start(
        &self,
        group: GroupId,
        machine: Arc<dyn Machine>,
        failures: Failures,
    ) -> BoxFuture<'_, Result<Running, StartError>>;
}

struct Parts<L, F> {
    parts: NodeParts<L, F>,
    openraft: Arc<openraft::Config>,
}

/// A starter of groups made of `parts`.
pub(super) fn starter<L: LogEngine, F: StateFactory>(
    parts: NodeParts<L, F>,
) -> Result<Box<dyn Starter>, StartError> {
    let openraft = parts.config.for_openraft()?;
    Ok(Box::new(Parts { parts, openraft }))
}

impl<L: LogEngine, F: StateFactory> Starter for Parts<L, F> {
    fn start(
        &self,
        group: GroupId,
        machine: Arc<dyn Machine>,
        failures: Failures,
    ) -> BoxFuture<'_, Result<Running, StartError>> {
        self.start_group(group, machine, failures).boxed()
    }
}

impl<L: LogEngine, F: StateFactory> Parts<L, F> {
    async fn start_group(
        &self,
        group: GroupId,
        machine: Arc<dyn Machine>,
        failures: Failures,
    ) -> Result<Running, StartError> {
        let states = Arc::clone(&self.parts.states);
        let state: Arc<dyn GroupState> = self.open(move || Slot::open(group, states)).await?;
        let (root, blocking) = (state.snapshot_dir(), self.parts.blocking);
        let snapshots = self.open(move || Snapshots::open(root, blocking)).await?;
        let (alive, gone) = alive();
        let observer = Arc::clone(&self.parts.observer);
        let (state_machine, applied) = StateMachine::new(
            group,
            Arc::clone(&machine),
            Arc::clone(&state),
            Arc::clone(&snapshots),
            observer,
            alive.clone(),
        )?;
        let mut log = LogStore::new(group, self.parts.log.clone(), alive);
        let meter = log.meter();
        recovery::settle(&mut log, &state_machine).await?;
        let raft = self.start_raft(group, log, state_machine).await?;
        let handle = self.handle(group, raft, (state, machine), applied, (meter, gone), failures);
        Ok(Running { handle, snapshots })
    }

    /// Opens what blocks, and shares it.
    async fn open<T: Send + Sync + 'static>(
        &self,
        open: impl FnOnce() -> Result<T, Fault> + Send + 'static,
    ) -> Result<Arc<T>, Fault> {
        match self.parts.blocking.run(open).await {
            Ok(opened) => opened.map(Arc::new),
            Err(Panicked) => Err(Fault::broken("opening a group's state panicked")),
        }
    }

    async fn start_raft(
        &self,
        group: GroupId,
        log: LogStore<L>,
        state_machine: StateMachine,
    ) -> Result<GroupRaft, Fault> {
        let network = Network {
            group,
            node: self.parts.id,
            transport: Arc::clone(&self.parts.transport),
            append_timeout: self.parts.config.append_timeout,
            snapshot_chunk_bytes: self.parts.config.snapshot_chunk_bytes,
            blocking: self.parts.blocking,
            acknowledged: Arc::default(),
        };
        let config = Arc::clone(&self.openraft);
        let started = GroupRaft::new(self.parts.id.0, config, network, log, state_machine).await;
        started.map_err(|fatal: Fatal<TypeConfig>| {
            Fault::broken(format!("group {group} does not start: {fatal}"))
        })
    }

    fn handle(
        &self,
        group: GroupId,
        raft: GroupRaft,
        (state, machine): (Arc<dyn GroupState>, Arc<dyn Machine>),
        applied: watch::Receiver<Option<eunoe_types::LogPosition>>,
        (meter, gone): (Arc<LogMeter>, Gone),
        failures: Failures,
    ) -> GroupHandle {
        let config = &self.parts.config;
        let transport = Arc::clone(&self.parts.transport);
        // A round that takes longer than an election has lost its leader.
        let (barrier, rounds) = Barrier::new(group, raft.clone(), transport, config.election_timeout_min);
        let (leadership_tx, leadership) = watch::channel(Leadership::default());
        let tasks = TaskSet::default();
        tasks.spawn(rounds.run());
        let watched = raft.clone();
        tasks.spawn(async move {
            if let Some(failure) = watch_leadership(group, watched, leadership_tx).await {
                tracing::error!(%group, what = failure.what, "the group failed; this node must stop");
                failures.send_replace(Some(failure));
            }
        });
        let admission = Admission::new(
            config.proposals_in_flight_max,
            config.proposal_bytes_in_flight_max,
        );
        let inner = GroupInner {
            group,
            node: self.parts.id,
            raft,
            state,
            machine,
            applied,
            leadership,
            admission,
            barrier,
            meter,
            tasks,
            gone,
        };
        GroupHandle {
            inner: Arc::new(inner),
        }
    }
}
