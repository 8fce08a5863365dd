//! The life of a node: what is opened in which order, what runs beside the services, how it ends.

mod custodian;
mod disk;
mod drain;
mod epochs;
mod error;
mod founding;
mod gauges;
mod lease;
mod peers;
mod placement;
mod services;
mod shared;
mod unsealing;

use std::sync::Arc;
use std::time::Duration;

use eunoe_core::Machine;
use eunoe_core::control::{self, ControlMachine};
use eunoe_core::data::DataMachine;
use eunoe_raft::{NodeParts, RaftConfig, RaftNode};
use eunoe_types::{Fault, GroupId};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::HealthState;
use crate::config::Config;
use crate::groups::Groups;
use crate::grpc::Operator;
use crate::peer::GrpcTransport;
use crate::telemetry::Telemetry;
use disk::Disk;
pub use disk::{LOG_DIR, STATE_DIR};
pub use error::NodeError;
use shared::Shared;

/// A log write that takes longer means that the disk is hung: the node ends, so that others lead.
const DISK_STALL_MAX: Duration = Duration::from_secs(20);
/// How long recovery to the committed index may take before it is reported, again and again.
const RECOVERY_REPORT: Duration = Duration::from_secs(30);
/// A node that must not go on has so long to close its files.
const CLOSE_MAX: Duration = Duration::from_secs(5);
/// After a signal, calls under way have so long.
const GRACE: Duration = Duration::from_secs(5);

/// Why the node's work ended.
enum End {
    /// Somebody asked it to.
    Asked,
    /// It must not go on.
    Unfit(NodeError),
}

/// Runs a node until it is asked to end (`Ok`) or becomes unfit.
pub async fn run(config: Config) -> Result<(), NodeError> {
    let disk = {
        let config = config.clone();
        founding::blocking(move || Disk::open(&config)).await??
    };
    let shared = Shared::new(config, &disk)?;
    let telemetry = Telemetry::start(&shared.config, &shared.material)?;
    gauges::observe_all(&shared);
    let ended = serve(&shared, &disk).await;
    telemetry.end().await;
    ended
}

async fn serve(shared: &Arc<Shared>, disk: &Disk) -> Result<(), NodeError> {
    let raft = raft_node(shared, disk)?;
    let tasks = TaskTracker::new();
    let (stop_clients, stop_peers) = (CancellationToken::new(), CancellationToken::new());
    let admin = services::admin(shared, &stop_peers).await?;
    let peer_service = services::peers(shared, raft.clone(), &stop_peers).await?;

    let end = tokio::select! {
        end = life(shared, disk, &raft, &tasks, &stop_clients) => end.unwrap_or_else(End::Unfit),
        end = watch(shared, &raft) => end,
        ended = peer_service => End::Unfit(ended.err().unwrap_or(NodeError::Panicked)),
        ended = admin => End::Unfit(ended.err().unwrap_or(NodeError::Panicked)),
    };
    match end {
        End::Asked => {
            shared.groups_gone();
            raft.shutdown().await;
            stop_peers.cancel();
            tracing::info!("the node ends");
            Ok(())
        }
        End::Unfit(error) => {
            // It must not answer anything more: no graceful end.
            shared.health.set(HealthState::Faulted("the node is unfit"));
            end_for_certain(&error)?;
            Err(error)
        }
    }
}

/// Kills this process if it has not ended in time: threads that wait for a disk that hangs hold its end for as long, and
/// with it its locks and whoever would start it again.
fn end_for_certain(error: &NodeError) -> Result<(), NodeError> {
    let why = error.to_string();
    let last_resort = std::thread::Builder::new().name("last-resort".to_owned());
    let armed = last_resort.spawn(move || {
        std::thread::sleep(CLOSE_MAX);
        tracing::error!("the node kills itself, because its end hangs: {why}");
        // Not an abort: no copy of its memory may be left.
        let killed = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        if let Err(error) = killed {
            tracing::error!(%error, "the node cannot kill itself");
        }
    });
    armed.map_err(|error| Fault::io("start a thread", error))?;
    Ok(())
}

fn raft_node(shared: &Arc<Shared>, disk: &Disk) -> Result<RaftNode, NodeError> {
    let limits = &shared.config.limits;
    let config = RaftConfig {
        proposals_in_flight_max: limits.proposals_in_flight,
        snapshot_log_bytes: limits.snapshot_log_bytes,
        log_tail_bytes: (limits.snapshot_log_bytes / 4).max(1 << 20),
        ..RaftConfig::default()
    };
    Ok(RaftNode::new(NodeParts {
        id: shared.config.node_id,
        config,
        log: disk.log.clone(),
        states: Arc::clone(&disk.states),
        transport: Arc::new(GrpcTransport::new(shared.links.clone())),
        observer: shared.custodian.clone(),
    })?)
}

/// Starts groups, begins or joins the realm, serves. Ends when the node was asked to, and has drained.
async fn life(
    shared: &Arc<Shared>,
    disk: &Disk,
    raft: &RaftNode,
    tasks: &TaskTracker,
    stop_clients: &CancellationToken,
) -> Result<End, NodeError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(signal_fault)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(signal_fault)?;
    let asked = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    tokio::pin!(asked);
    let serving = async {
        start(shared, disk, raft, tasks).await?;
        services::clients(shared, stop_clients).await
    };
    tokio::pin!(serving);
    tokio::select! {
        served = &mut serving => return Ok(End::Unfit(served.err().unwrap_or(NodeError::Panicked))),
        () = &mut asked => {}
    }
    tracing::info!("the node was asked to end; it drains");
    shared.health.set(HealthState::Draining);
    let left = tokio::time::timeout(GRACE * 2, drain::drain(shared)).await;
    if let Ok(left) = left
        && !left.is_empty()
    {
        let left: Vec<u32> = left.iter().map(|group| group.0).collect();
        tracing::warn!(?left, "some leaderships could not be handed over");
    }
    stop_clients.cancel();
    let _served_or_late = tokio::time::timeout(GRACE, &mut serving).await;
    Ok(End::Asked)
}

fn signal_fault(error: std::io::Error) -> NodeError {
    Fault::io("listen to signals", error).into()
}

/// Everything up to the moment when the node can serve.
async fn start(
    shared: &Arc<Shared>,
    disk: &Disk,
    raft: &RaftNode,
    tasks: &TaskTracker,
) -> Result<(), NodeError> {
    if disk.is_new {
        shared
            .health
            .set(HealthState::Starting("waiting for the other members"));
        founding::may_start_blank(&shared.config, &shared.peers).await?;
        disk.claim()?;
    }
    let control = raft
        .start_group(GroupId::CONTROL, Arc::new(ControlMachine))
        .await?;
    let machine: Arc<dyn Machine> = Arc::new(DataMachine);
    let mut data = Vec::new();
    for id in 1..=shared.config.data_groups {
        data.push(raft.start_group(GroupId(id), Arc::clone(&machine)).await?);
    }
    shared.set_groups(Groups::new(control, data, shared.peers.clone(), tasks));
    let groups = shared.groups()?;
    shared.spawn(follow_members(Arc::clone(shared)));
    shared.spawn(founding::begin_realm(Arc::clone(shared)));
    shared
        .health
        .set(HealthState::Starting("founding or joining the cluster"));
    let all: Vec<_> = groups.all().cloned().collect();
    founding::found_groups(shared, &all).await?;
    shared
        .health
        .set(HealthState::Starting("applying what was committed"));
    for group in &all {
        while group.wait_recovered(RECOVERY_REPORT).await.is_err() {
            tracing::warn!(group = %group.id(), "the group has not recovered to its committed index yet");
        }
    }
    shared
        .health
        .set(HealthState::Starting("waiting for the root key"));
    shared.spawn(lease::keep(Arc::clone(shared)));
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

/// What the cluster service works on.
fn operator(shared: &Arc<Shared>) -> Result<Operator, NodeError> {
    let own = Arc::clone(shared);
    Ok(Operator {
        groups: shared.groups()?,
        peers: shared.peers.clone(),
        realm: shared.config.realm,
        own: Box::new(move || peers::state(&own, own.config.node_id)),
        log: shared.log.clone(),
        faults: shared.faults.clone(),
    })
}

/// Keeps the directory of peers and the placement policy as the control group has them.
async fn follow_members(shared: Arc<Shared>) -> Result<(), NodeError> {
    let control = shared.groups()?.control().clone();
    let mut applied = control.watch_applied();
    loop {
        applied.mark_unchanged();
        let (policy, nodes) = control
            .with_view(|view| Ok::<_, Fault>((control::placement_policy(view)?, control::nodes(view)?)))??;
        placement::follow(&shared, policy)?;
        if !nodes.is_empty() {
            shared.directory.replace(placement::entries(nodes)?);
        }
        if applied.changed().await.is_err() {
            return Ok(());
        }
        // Members change rarely and keys often: not every entry is worth a scan.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Ends when the node must not go on.
async fn watch(shared: &Arc<Shared>, raft: &RaftNode) -> End {
    let stalled = async {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if raft.log_stalled_for() > DISK_STALL_MAX {
                return NodeError::Unfit("a write to the log does not end: the disk hangs".into());
            }
        }
    };
    End::Unfit(tokio::select! {
        failure = raft.failed() => NodeError::Unfit(failure.what),
        fault = shared.faults.raised() => NodeError::Unfit(fault),
        error = shared.failed() => error,
        error = stalled => error,
    })
}
