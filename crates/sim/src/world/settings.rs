//! How simulated nodes are set: as in production, with shorter times.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use eunoe_core::placement::{Policy, Site};
use eunoe_raft::RaftConfig;
use eunoe_server::config::{
    AuditConfig, Config, Erasure, Limits, Listen, LogConfig, Member, TelemetryConfig, TlsPaths, VaultConfig,
};
use eunoe_types::{NodeId, Realm};
use tokio::runtime::Runtime;
use tracing::level_filters::LevelFilter;

/// Data groups of a world.
pub(super) const DATA_GROUPS: u32 = 2;
/// How long keys may be used without hearing from the cluster, in s: the shortest that a configuration may say.
pub(super) const LEASE_S: u32 = 3;
/// How long an erasure that is not urgent waits for an epoch, in s.
const EPOCH_PERIOD_S: u32 = 3;

/// A runtime of one thread whose clock stands still unless it is told to go.
pub(super) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime of one thread")
}

/// Short times and small logs, so that much happens.
pub(super) fn raft() -> RaftConfig {
    RaftConfig {
        snapshot_log_bytes: 48 << 10,
        log_tail_bytes: 8 << 10,
        snapshot_timeout: Duration::from_secs(5),
        maintenance_interval: Duration::from_millis(100),
        snapshot_chunk_bytes: 16 << 10,
        ..RaftConfig::fast()
    }
}

/// A node of a cluster that begins with `founders`; others join it.
pub(super) fn node(id: NodeId, founders: &[NodeId]) -> Config {
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut members: Vec<Member> = founders.iter().map(|id| member(*id)).collect();
    let join = !founders.contains(&id);
    if join {
        members.push(member(id));
    }
    Config {
        node_id: id,
        realm: Realm([7; 16]),
        site: site(),
        data_dir: PathBuf::new(),
        data_groups: DATA_GROUPS,
        development: true,
        join,
        placement: Policy::Eu27,
        listen: Listen {
            client: nowhere,
            peer: nowhere,
            admin: nowhere,
        },
        tls: TlsPaths {
            ca: PathBuf::new(),
            cert: PathBuf::new(),
            key: PathBuf::new(),
        },
        oidc: None,
        members,
        log: LogConfig {
            level: LevelFilter::OFF,
        },
        limits: Limits::default(),
        erasure: Erasure {
            epoch_period_s: EPOCH_PERIOD_S,
            lease_s: LEASE_S,
        },
        telemetry: TelemetryConfig {
            otlp: None,
            trace_sample_millionths: 0,
            metrics_interval: Duration::from_secs(60),
        },
        vault: VaultConfig::File,
        audit: AuditConfig::default(),
    }
}

fn site() -> Site {
    Site::parse("de/fra/fra1").expect("a site")
}

/// A node as others know it.
pub(super) fn member(id: NodeId) -> Member {
    let [.., last] = id.0.to_be_bytes();
    Member {
        node_id: id,
        client: format!("node-{id}:1"),
        peer: format!("node-{id}:2"),
        spki_sha256: [last; 32],
        site: site(),
    }
}
