//! Replication: openraft behind a handle per group, over one log per node.
//!
//! This is the only crate that names openraft. Above it, a group is a [`GroupHandle`]: bytes are proposed and
//! answered, reads wait behind a barrier, members change. Below it are [`eunoe_store`]'s engines and a
//! [`PeerTransport`], which moves bytes. All messages and stored forms of Raft are encoded here (`codec`).
//!
//! Which version of openraft, and why: `docs/adr/0001-openraft-version.md`.

#![forbid(unsafe_code)]

mod alive;
mod blocking;
mod codec;
mod config;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod group;
mod log_store;
mod network;
mod node;
mod peer;
mod runtime;
mod state;
#[cfg(test)]
mod suite_test;
mod transport;
mod types;
pub mod watch;

pub use blocking::{Blocking, Panicked};
pub use codec::applied_position;
pub use config::RaftConfig;
pub use error::{MembershipError, ProposeError, ReadError, ServeError, StartError};
pub use group::{GroupFailure, GroupHandle, GroupStatus, Leadership, Members, Replication};
pub use node::{NodeParts, RaftNode};
pub use peer::Node;
pub use runtime::seed_elections;
pub use state::StateObserver;
pub use transport::{CallKind, Channel, PeerTransport, Target, TransportError};
