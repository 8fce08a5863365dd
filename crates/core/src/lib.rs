//! The deterministic machines of Eunoe.
//!
//! A machine turns a committed command into writes and a reply: `apply(txn, at, command)`. It reads no clock,
//! draws no randomness, decrypts nothing, does no I/O beyond its [`StateView`], and iterates nothing in hash
//! order, so that every replica and every replay gives the same bytes. Times, ids and ciphertext arrive in
//! the command. `apply` is total: a command that breaks a rule gets a *rejection* as its reply; only a broken
//! store or a broken invariant is a [`Fault`](eunoe_types::Fault), which stops the node.
#![forbid(unsafe_code)]

pub mod control;
pub mod data;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod invariant;
mod machine;
pub mod placement;
mod state_view;
mod table;
mod txn;

pub use machine::{Applied, Effect, Machine};
pub use state_view::{Row, ScanRange, StateView};
pub use txn::{Changes, Txn};

/// Version of commands, replies and rows that this release writes. Readers refuse what they do not know.
pub const FORMAT: u8 = 1;

/// The newest cluster version that this release can run; the replicated one gates which commands are used.
pub const CLUSTER_VERSION: u32 = 1;

/// Takes the version byte off a stored form.
fn known_format(d: &mut eunoe_types::Decoder<'_>) -> Result<(), eunoe_types::DecodeError> {
    match d.u8()? {
        FORMAT => Ok(()),
        unknown => Err(eunoe_types::DecodeError::UnknownTag(unknown)),
    }
}
