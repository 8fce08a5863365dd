//! Why a node does not start, or stops.

use std::path::PathBuf;

use eunoe_core::placement::Refusal;
use eunoe_custody::KeyringError;
use eunoe_raft::{MembershipError, StartError};
use eunoe_types::{Fault, NodeId};
use eunoe_vault::VaultError;

use crate::oidc::IssuerError;
use crate::telemetry::TelemetryError;
use crate::tls::TlsError;

/// Why a node does not start, or stops.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// A witness of the configuration cannot be asked.
    #[error("a witness of the transparency log cannot be asked")]
    Witness(#[source] eunoe_witness::ClientError),
    /// The data directory belongs to something else.
    #[error("the data directory {0} belongs to another node, realm or number of groups")]
    ForeignData(PathBuf),
    /// The disk of a known member is blank.
    #[error(
        "node {0} is a member of a realm that has begun, but its data directory is empty: \
         a lost disk cannot be replaced under the same id; remove the node and add a new one"
    )]
    BlankMember(NodeId),
    /// The first members were refused.
    #[error("a group could not begin: {0}")]
    Founding(#[source] MembershipError),
    /// A member stands where the placement policy does not allow it.
    #[error("the realm cannot begin: the placement policy does not allow the site of a member")]
    FoundingOutside,
    /// The cluster's placement policy does not allow this node's site.
    #[error("the cluster does not allow this node: {0}")]
    Misplaced(Box<Refusal>),
    /// The depth of the key trees is wrong.
    #[error("the depth of the key trees is out of its range")]
    Levels,
    /// No randomness.
    #[error("the source of randomness failed")]
    Entropy,
    /// Keys were still in use when the lease was over.
    #[error("work under way holds on to keys although the key lease is over")]
    KeysInUse,
    /// A task that must not end did.
    #[error("a task panicked")]
    Panicked,
    /// The groups are not running yet.
    #[error("the groups are not running yet")]
    NotRunning,
    /// A listener could not be opened.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: std::net::SocketAddr,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// Certificates or keys are unusable.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The issuer's keys are unusable.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// There is no telemetry.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// A group does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The data directory has a vault that the configuration does not say.
    #[error(
        "{0} is of another kind of vault than vault.kind: what it holds would never be destroyed; \
         remove the node and add a new one to change the kind"
    )]
    OtherVault(PathBuf),
    /// The vault is unusable.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Keys are unusable.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// Memory for keys.
    #[error(transparent)]
    Arena(#[from] eunoe_crypto::ArenaError),
    /// A service ended.
    #[error("a service ended: {0}")]
    Serve(#[from] crate::serve::ServerFailed),
    /// The node is unfit.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The node found itself unfit while it ran.
    #[error("the node is unfit: {0}")]
    Unfit(String),
}
