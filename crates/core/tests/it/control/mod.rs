//! The control machine.

mod erasure_properties;
mod erasures;
pub(crate) mod generate;
mod group;
mod ladder;
mod malformed;
mod properties;
mod transparency;
