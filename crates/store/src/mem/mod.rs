//! In-memory twins of both engines, for tests and the simulator: no thread, no clock, no chance, and every
//! fault a disk can have, on command.
//!
//! A twin keeps what is durable apart from what was called, so that a crash can lose any part that the
//! contract lets it lose. Handles from before a crash are dead: they fail, and their completions never come.

mod log;
mod state;

pub use log::MemLog;
pub use state::{MemState, MemStates, MemView};

#[cfg(test)]
#[path = "mem_test.rs"]
mod tests;
