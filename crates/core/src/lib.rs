//! The deterministic machines of Eunoe.
//!
//! A machine turns a committed command into writes and a reply: `apply(txn, at, command)`. It reads no clock,
//! draws no randomness, decrypts nothing, does no I/O beyond its [`StateView`], and iterates nothing in hash
//! order, so that every replica and every replay gives the same bytes. Times, ids and ciphertext arrive in
//! the command. `apply` is total: a command that breaks a rule gets a *rejection* as its reply; only a broken
//! store or a broken invariant is a [`Fault`](eunoe_types::Fault), which stops the node.

mod machine;
mod state_view;
mod txn;

pub use machine::{Applied, Effect, Machine};
pub use state_view::{Row, ScanRange, StateView};
pub use txn::{Changes, Txn};
