//! The life of a node: what is opened in which order, what runs beside the services, how it ends.

mod core;
mod cosigning;
mod custodian;
mod dark;
mod disk;
mod doors;
mod drain;
mod due;
mod epochs;
mod error;
mod founding;
mod gauges;
mod lease;
mod peers;
mod placement;
mod public_log;
mod quorum;
mod receipts;
mod refreshing;
mod retiring;
mod scrub;
mod services;
mod shared;
mod signing;
mod unsealing;
mod vaults;
mod verifying;
mod waiting;
mod witnesses;

use std::sync::Arc;
use std::time::Duration;

use eunoe_core::control::ControlMachine;
use eunoe_core::data::DataMachine;
use eunoe_raft::{Blocking, RaftConfig};
use eunoe_store::{RocksStates, SegmentLog};
use eunoe_types::Fault;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::admin::HealthState;
use crate::config::Config;
use crate::grpc::Operator;
use crate::peer::{GrpcTransport, PeerClient};
use crate::telemetry::Telemetry;
pub use core::{Claim, Core, CoreParts};
use disk::Disk;
pub use disk::{LOG_DIR, STATE_DIR};
use doors::Doors;
pub use error::NodeError;
use public_log::PublicLog;
use shared::Shared;
pub use signing::SigningSeeds;

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
        Blocking::Pool
            .run(move || Disk::open(&config))
            .await
            .map_err(|_| NodeError::Panicked)??
    };
    let log = disk.log.clone();
    let doors = Doors::open(&config)?;
    let core = Core::new(parts(config, disk, &doors))?;
    let telemetry = Telemetry::start(&core.shared.config, &doors.material)?;
    gauges::observe_all(&core.shared, &log);
    let ended = serve(&core, &doors, &log).await;
    telemetry.end().await;
    ended
}

fn parts(config: Config, disk: Disk, doors: &Doors) -> CoreParts<SegmentLog, RocksStates> {
    let limits = &config.limits;
    let raft = RaftConfig {
        proposals_in_flight_max: limits.proposals_in_flight,
        snapshot_log_bytes: limits.snapshot_log_bytes,
        log_tail_bytes: (limits.snapshot_log_bytes / 4).max(1 << 20),
        ..RaftConfig::default()
    };
    CoreParts {
        config,
        raft,
        log: disk.log.clone(),
        states: Arc::clone(&disk.states),
        machines: (Arc::new(ControlMachine), Arc::new(DataMachine)),
        vault: Arc::clone(&disk.vault),
        transport: Arc::new(GrpcTransport::new(doors.links.clone())),
        peers: Arc::new(PeerClient::new(doors.links.clone())),
        directory: doors.directory.clone(),
        blocking: Blocking::Pool,
        seeds: SigningSeeds::new(disk.seed.expose()),
        claim: disk.is_new.then(|| Box::new(move || disk.claim()) as Claim),
    }
}

async fn serve(core: &Core, doors: &Doors, log: &SegmentLog) -> Result<(), NodeError> {
    let shared = &core.shared;
    let (stop_clients, stop_peers) = (CancellationToken::new(), CancellationToken::new());
    let public = Arc::new(PublicLog::new(Arc::clone(shared))?);
    let admin = services::admin(shared, &public, &stop_peers).await?;
    let peer_service = services::peers(core, doors, &stop_peers).await?;

    let end = tokio::select! {
        biased;
        end = life(core, doors, (log, &public), &stop_clients) => end.unwrap_or_else(End::Unfit),
        error = core.unfit() => End::Unfit(error),
        ended = peer_service => End::Unfit(ended.err().unwrap_or(NodeError::Panicked)),
        ended = admin => End::Unfit(ended.err().unwrap_or(NodeError::Panicked)),
    };
    match end {
        End::Asked => {
            core.shutdown().await;
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

/// Starts groups, begins or joins the realm, serves. Ends when the node was asked to, and has drained.
async fn life(
    core: &Core,
    doors: &Doors,
    logs: (&SegmentLog, &Arc<PublicLog>),
    stop_clients: &CancellationToken,
) -> Result<End, NodeError> {
    let shared = &core.shared;
    let mut terminate = signal(SignalKind::terminate()).map_err(signal_fault)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(signal_fault)?;
    let asked = async {
        tokio::select! {
            biased;
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    tokio::pin!(asked);
    let serving = async {
        core.start().await?;
        services::clients(core, doors, logs, stop_clients).await
    };
    tokio::pin!(serving);
    tokio::select! {
        biased;
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

/// What the cluster service works on.
fn operator(shared: &Arc<Shared>, log: &SegmentLog) -> Result<Operator, NodeError> {
    let own = Arc::clone(shared);
    Ok(Operator {
        groups: shared.groups()?,
        peers: shared.peers.clone(),
        realm: shared.config.realm,
        own: Box::new(move || peers::state(&own, own.config.node_id)),
        log: log.clone(),
        faults: shared.faults.clone(),
    })
}
