//! The configuration file: what it may say, and that it makes sense.

mod audit;
mod error;
mod file;
mod oidc;
mod telemetry;
mod vault;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use eunoe_core::placement::{Policy, Site};
use eunoe_types::limits::{DATA_GROUPS_MAX, VOTERS_MAX};
use eunoe_types::{NodeId, Realm};

pub use audit::{AuditConfig, WitnessConfig};
pub use error::ConfigError;
pub use oidc::Oidc;
pub use telemetry::{Collector, TelemetryConfig};
pub use vault::VaultConfig;

use crate::edge::TailLimits;
use crate::tls::{PeerEntry, SpkiHash};

/// Members that a file may name.
pub const MEMBERS_MAX: usize = 64;
/// Bytes of an address.
const TEXT_BYTES_MAX: usize = 256;

/// The configuration of a node. It holds paths of keys, never keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// This node. Never 0, never reused.
    pub node_id: NodeId,
    /// The identity of the data.
    pub realm: Realm,
    /// Where this node stands; its certificate says the same.
    pub site: Site,
    /// Where it keeps everything.
    pub data_dir: PathBuf,
    /// Data groups of the cluster; all members say the same, for ever.
    pub data_groups: u32,
    /// Relaxes what a developer's machine cannot give (locked memory).
    pub development: bool,
    /// Join a cluster that exists, rather than found one.
    pub join: bool,
    /// Where nodes may stand: what a realm begins with, and what holds here until the control group's is known.
    pub placement: Policy,
    /// Where it listens.
    pub listen: Listen,
    /// Its certificate and authority.
    pub tls: TlsPaths,
    /// Whose tokens are taken beside certificates; none by default.
    pub oidc: Option<Oidc>,
    /// The known nodes, this one included, in the order of their ids.
    pub members: Vec<Member>,
    /// What it writes about itself.
    pub log: LogConfig,
    /// What it takes.
    pub limits: Limits,
    /// How it erases.
    pub erasure: Erasure,
    /// Where spans and metrics go.
    pub telemetry: TelemetryConfig,
    /// Where shares of the root are kept.
    pub vault: VaultConfig,
    /// Who else signs checkpoints of the transparency log.
    pub audit: AuditConfig,
}

/// How erasures are carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Longest wait of an erasure that is not urgent before an epoch begins, in seconds: 1 to 86,400.
    pub epoch_period_s: u32,
    /// How long keys may be used without hearing from the cluster, in seconds: 5 to 900 (erasure.md R3).
    pub lease_s: u32,
}

impl Default for Erasure {
    fn default() -> Self {
        Self {
            epoch_period_s: 600,
            lease_s: 30,
        }
    }
}

/// Addresses to listen on, all different.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// For clients.
    pub client: SocketAddr,
    /// For peers.
    pub peer: SocketAddr,
    /// For probes: plain HTTP, not for the public.
    pub admin: SocketAddr,
}

/// PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsPaths {
    /// The authority of clients and nodes.
    pub ca: PathBuf,
    /// This node's certificate, and what leads to the authority.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// A known node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub node_id: NodeId,
    /// Host and port for clients.
    pub client: String,
    /// Host and port for peers.
    pub peer: String,
    /// The key that it must show.
    pub spki_sha256: SpkiHash,
    /// Where it stands.
    pub site: Site,
}

/// What a node writes about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// The least important line that is written.
    pub level: tracing::level_filters::LevelFilter,
}

/// What a node takes; everything has a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Messages a second of one tenant on this node.
    pub tenant_messages_per_second: u32,
    /// Proposals of one group that may wait for their reply.
    pub proposals_in_flight: usize,
    /// A snapshot is taken when so many bytes were logged since the last one.
    pub snapshot_log_bytes: u64,
    /// Connections of clients at once.
    pub client_connections: usize,
    /// Requests and streams of one client connection at once.
    pub streams_per_connection: u32,
    /// Tails at once. One that nobody reads keeps about 768 KiB.
    pub tails: TailLimits,
}

impl Default for Limits {
    fn default() -> Self {
        let raft = eunoe_raft::RaftConfig::default();
        Self {
            tenant_messages_per_second: 100_000,
            proposals_in_flight: raft.proposals_in_flight_max,
            snapshot_log_bytes: raft.snapshot_log_bytes,
            client_connections: 4_096,
            streams_per_connection: 1_024,
            tails: TailLimits {
                all: 4_096,
                per_tenant: 2_048,
                per_person: 32,
            },
        }
    }
}

impl Config {
    /// Reads and checks the file at `path`. It does not open the files that this one names.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text)
    }

    /// Reads and checks a file's text.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let file: file::File = toml::from_str(text).map_err(|error| ConfigError::syntax(text, &error))?;
        let mut config = file.read()?;
        config.check()?;
        config.members.sort_by_key(|member| member.node_id);
        Ok(config)
    }

    /// The member with this id.
    pub fn member(&self, id: NodeId) -> Option<&Member> {
        self.members.iter().find(|member| member.node_id == id)
    }

    /// The members as the directory of peers holds them.
    pub fn peer_entries(&self) -> impl Iterator<Item = (NodeId, PeerEntry)> + '_ {
        self.members.iter().map(|member| {
            (
                member.node_id,
                PeerEntry {
                    address: member.peer.clone(),
                    spki_sha256: member.spki_sha256,
                    site: member.site,
                },
            )
        })
    }

    fn check(&self) -> Result<(), ConfigError> {
        require(self.node_id.0 != 0, "node_id", "must not be 0")?;
        require(
            !self.data_dir.as_os_str().is_empty(),
            "data_dir",
            "must not be empty",
        )?;
        require(
            (1..=DATA_GROUPS_MAX).contains(&self.data_groups),
            "data_groups",
            "must be 1 to 64",
        )?;
        let Listen { client, peer, admin } = self.listen;
        let distinct = |a: SocketAddr, b: SocketAddr| a != b || a.port() == 0;
        require(
            distinct(client, peer),
            "listen.peer",
            "must differ from listen.client",
        )?;
        require(
            distinct(client, admin) && distinct(peer, admin),
            "listen.admin",
            "must differ from the others",
        )?;
        self.check_members()?;
        self.oidc.as_ref().map_or(Ok(()), Oidc::check)?;
        self.limits.check()
    }

    fn check_members(&self) -> Result<(), ConfigError> {
        let max = if self.join { MEMBERS_MAX } else { VOTERS_MAX };
        require(
            (1..=max).contains(&self.members.len()),
            "members",
            "must be 1 to 7 (1 to 64 to join a cluster)",
        )?;
        let (mut ids, mut addresses, mut keys) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for (index, member) in self.members.iter().enumerate() {
            let require =
                |holds, field: &str, problem| require(holds, &format!("members[{index}].{field}"), problem);
            require(member.node_id.0 != 0, "node_id", "must not be 0")?;
            require(ids.insert(member.node_id), "node_id", "is named twice")?;
            require(is_address(&member.client), "client", "must be host:port")?;
            require(is_address(&member.peer), "peer", "must be host:port")?;
            require(
                addresses.insert(&member.client),
                "client",
                "is an address named twice",
            )?;
            require(
                addresses.insert(&member.peer),
                "peer",
                "is an address named twice",
            )?;
            require(
                keys.insert(member.spki_sha256),
                "spki_sha256",
                "is a key named twice",
            )?;
        }
        let own = self.member(self.node_id);
        require(own.is_some(), "members", "must include this node")?;
        require(
            own.is_some_and(|own| own.site == self.site),
            "site",
            "must be this node's site in `members`",
        )
    }
}

impl Limits {
    fn check(&self) -> Result<(), ConfigError> {
        let between = |holds, field| require(holds, field, "is out of range");
        between(
            (1..=10_000_000).contains(&self.tenant_messages_per_second),
            "limits.tenant_messages_per_second",
        )?;
        between(
            (1..=1 << 20).contains(&self.proposals_in_flight),
            "limits.proposals_in_flight",
        )?;
        between(
            (1 << 20..=1 << 40).contains(&self.snapshot_log_bytes),
            "limits.snapshot_log_bytes",
        )?;
        between(
            (1..=1 << 20).contains(&self.client_connections),
            "limits.client_connections",
        )?;
        between(
            (1..=1 << 16).contains(&self.streams_per_connection),
            "limits.streams_per_connection",
        )?;
        let TailLimits {
            all,
            per_tenant,
            per_person,
        } = self.tails;
        between((1..=1 << 20).contains(&all), "limits.tails")?;
        between((1..=1 << 20).contains(&per_tenant), "limits.tails_per_tenant")?;
        between((1..=1 << 20).contains(&per_person), "limits.tails_per_person")
    }
}

fn require(holds: bool, field: &str, problem: &'static str) -> Result<(), ConfigError> {
    if holds {
        Ok(())
    } else {
        Err(ConfigError::field(field, problem))
    }
}

fn is_text(text: &str) -> bool {
    (1..=TEXT_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn is_address(text: &str) -> bool {
    let port = |port: &str| port.parse::<u16>().is_ok_and(|port| port != 0);
    let parts = text.rsplit_once(':');
    is_text(text) && parts.is_some_and(|(host, number)| !host.is_empty() && port(number))
}

#[cfg(test)]
mod tests;
