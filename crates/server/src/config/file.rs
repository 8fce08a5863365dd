//! The file as it is written; `mod.rs` has what it means.

use crate::edge::TailLimits;
use crate::hex;
use std::net::SocketAddr;
use std::path::PathBuf;

use eunoe_core::placement::{Policy, Site};
use eunoe_types::{NodeId, Realm};
use serde::Deserialize;
use tracing::level_filters::LevelFilter;

use super::audit::AuditFile;
use super::oidc::IdentityFile;
use super::telemetry::TelemetryFile;
use super::vault::VaultFile;
use super::{Config, ConfigError, Erasure, Limits, Listen, LogConfig, Member, TlsPaths};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    node_id: u64,
    realm: String,
    site: String,
    data_dir: PathBuf,
    #[serde(default = "default_data_groups")]
    data_groups: u32,
    #[serde(default)]
    development: bool,
    #[serde(default)]
    join: bool,
    #[serde(default)]
    placement: PlacementFile,
    listen: ListenFile,
    tls: TlsFile,
    #[serde(default)]
    identity: IdentityFile,
    members: Vec<MemberFile>,
    #[serde(default)]
    log: LogFile,
    #[serde(default)]
    limits: LimitsFile,
    #[serde(default)]
    erasure: ErasureFile,
    #[serde(default)]
    telemetry: TelemetryFile,
    #[serde(default)]
    vault: VaultFile,
    #[serde(default)]
    audit: AuditFile,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct ErasureFile {
    epoch_period_s: Option<u32>,
    lease_s: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListenFile {
    client: SocketAddr,
    peer: SocketAddr,
    admin: SocketAddr,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsFile {
    ca: PathBuf,
    cert: PathBuf,
    key: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberFile {
    node_id: u64,
    client: String,
    peer: String,
    spki_sha256: String,
    site: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct PlacementFile {
    policy: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct LogFile {
    level: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct LimitsFile {
    tenant_messages_per_second: Option<u32>,
    proposals_in_flight: Option<usize>,
    snapshot_log_bytes: Option<u64>,
    client_connections: Option<usize>,
    streams_per_connection: Option<u32>,
    tails: Option<usize>,
    tails_per_tenant: Option<usize>,
    tails_per_person: Option<usize>,
}

fn default_data_groups() -> u32 {
    4
}

impl File {
    pub(super) fn read(self) -> Result<Config, ConfigError> {
        let realm =
            hex::bytes(&self.realm).ok_or_else(|| ConfigError::field("realm", "must be 32 hex digits"))?;
        let members = self.members.into_iter().enumerate();
        let members = members
            .map(|(index, member)| member.read(index))
            .collect::<Result<Vec<_>, _>>()?;
        let ListenFile { client, peer, admin } = self.listen;
        let TlsFile { ca, cert, key } = self.tls;
        Ok(Config {
            node_id: NodeId(self.node_id),
            realm: Realm(realm),
            site: site(&self.site, "site")?,
            data_dir: self.data_dir,
            data_groups: self.data_groups,
            development: self.development,
            join: self.join,
            placement: self.placement.read()?,
            listen: Listen { client, peer, admin },
            tls: TlsPaths { ca, cert, key },
            oidc: self.identity.read(),
            members,
            log: self.log.read()?,
            limits: self.limits.read(),
            erasure: self.erasure.read()?,
            telemetry: self.telemetry.read()?,
            vault: self.vault.read(self.node_id)?,
            audit: self.audit.read()?,
        })
    }
}

impl MemberFile {
    fn read(self, index: usize) -> Result<Member, ConfigError> {
        let Some(spki_sha256) = hex::bytes(&self.spki_sha256) else {
            return Err(ConfigError::field(
                &format!("members[{index}].spki_sha256"),
                "must be 64 hex digits",
            ));
        };
        let Self {
            node_id,
            client,
            peer,
            site,
            ..
        } = self;
        Ok(Member {
            node_id: NodeId(node_id),
            client,
            peer,
            spki_sha256,
            site: self::site(&site, &format!("members[{index}].site"))?,
        })
    }
}

impl PlacementFile {
    fn read(self) -> Result<Policy, ConfigError> {
        let Some(name) = self.policy else {
            return Ok(Policy::default());
        };
        Policy::from_name(&name).ok_or_else(|| ConfigError::field("placement.policy", "must be EU27 or EEA"))
    }
}

fn site(text: &str, field: &str) -> Result<Site, ConfigError> {
    Site::parse(text).map_err(|error| ConfigError::field(field, error.rule()))
}

impl LogFile {
    fn read(self) -> Result<LogConfig, ConfigError> {
        let level = match self.level.as_deref().unwrap_or("info") {
            "error" => LevelFilter::ERROR,
            "warn" => LevelFilter::WARN,
            "info" => LevelFilter::INFO,
            "debug" => LevelFilter::DEBUG,
            "trace" => LevelFilter::TRACE,
            _ => {
                return Err(ConfigError::field(
                    "log.level",
                    "must be error, warn, info, debug or trace",
                ));
            }
        };
        Ok(LogConfig { level })
    }
}

impl ErasureFile {
    fn read(self) -> Result<Erasure, ConfigError> {
        let default = Erasure::default();
        let epoch_period_s = self.epoch_period_s.unwrap_or(default.epoch_period_s);
        if !(1..=86_400).contains(&epoch_period_s) {
            return Err(ConfigError::field("erasure.epoch_period_s", "must be 1 to 86400"));
        }
        let lease_s = self.lease_s.unwrap_or(default.lease_s);
        if !(5..=900).contains(&lease_s) {
            return Err(ConfigError::field("erasure.lease_s", "must be 5 to 900"));
        }
        Ok(Erasure {
            epoch_period_s,
            lease_s,
        })
    }
}

impl LimitsFile {
    fn read(self) -> Limits {
        let default = Limits::default();
        Limits {
            tenant_messages_per_second: self
                .tenant_messages_per_second
                .unwrap_or(default.tenant_messages_per_second),
            proposals_in_flight: self.proposals_in_flight.unwrap_or(default.proposals_in_flight),
            snapshot_log_bytes: self.snapshot_log_bytes.unwrap_or(default.snapshot_log_bytes),
            client_connections: self.client_connections.unwrap_or(default.client_connections),
            streams_per_connection: self
                .streams_per_connection
                .unwrap_or(default.streams_per_connection),
            tails: TailLimits {
                all: self.tails.unwrap_or(default.tails.all),
                per_tenant: self.tails_per_tenant.unwrap_or(default.tails.per_tenant),
                per_person: self.tails_per_person.unwrap_or(default.tails.per_person),
            },
        }
    }
}
