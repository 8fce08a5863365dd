//! The control machine.

pub(crate) mod generate;
mod malformed;
mod properties;
mod transparency;
