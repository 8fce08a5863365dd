//! Custody of keys while they are in memory: the keyring, and the making of keys and of a realm's first tree.
//!
//! Everything here is a machine without I/O: rows are read from a view that the caller gives, new rows are
//! returned for the caller to propose. The caller holds the control barrier (erasure.md R2) before it asks for a
//! key that opens something.
#![forbid(unsafe_code)]

mod create;
mod dead;
mod epoch;
mod error;
mod genesis;
mod held;
mod in_flight;
mod keyring;
mod lease;
mod pages;
mod shares;
mod unsealed;
mod verify;

pub use create::PreparedKey;
pub use epoch::{EpochPlan, PreparedEpoch};
pub use error::KeyringError;
pub use genesis::{Founding, PreparedGenesis, prepare_genesis};
pub use held::HeldKey;
pub use in_flight::RootInFlight;
pub use keyring::{Keyring, KeyringLimits, Reconciled};
pub use lease::{Lease, LeaseClock};
pub use shares::{Gathering, RefusedShare, dealing, made_root, share_among};
pub use unsealed::{Conversation, Tenant, Unsealed};
pub use verify::VerifyError;
