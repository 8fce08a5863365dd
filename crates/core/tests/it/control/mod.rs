//! The control machine.

mod cancel;
mod erasure_properties;
mod erasures;
pub(crate) mod generate;
pub(crate) mod group;
mod holders;
mod ladder;
mod malformed;
mod placement;
mod properties;
mod reach;
mod sharing;
mod transparency;
