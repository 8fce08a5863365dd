//! The data machine.

pub(crate) mod generate;
mod invariants;
mod malformed;
mod properties;
mod queries;
mod stream;
