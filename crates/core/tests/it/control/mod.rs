//! The control machine.

pub(crate) mod generate;
mod malformed;
mod placement;
mod properties;
mod transparency;
