//! The attacker of the erasure promise: whoever has every directory, disk, vault and memory of nodes, of any age.
//!
//! It gathers every sealed page, row and message that it finds ([`Evidence`]), every root that the vaults give whole or
//! in enough shares ([`Roots`]), every key that lies in a memory ([`Dump`]), and opens whatever any found key opens
//! ([`Opened`]), each generation with each key. What it prints ([`Report`]) is how much of what was written is read by
//! that. It shares the wire formats with a node and no code that serves.
//!
//! Everything found is held in memory. Evidence is never changed: what must be opened by an engine is copied first.
#![forbid(unsafe_code)]

pub mod args;
mod closure;
mod contents;
mod entries;
mod error;
mod evidence;
mod files;
mod memory;
mod report;
mod roots;
mod sealed;
mod states;

pub use closure::Opened;
pub use contents::{Contents, Section};
pub use error::AttackError;
pub use evidence::{Counts, Evidence};
pub use memory::{Dump, MemoryKeys, Stage, Tried};
pub use report::{Report, Root, Tally, Text, Unread};
pub use roots::{FoundRoot, Roots};
pub use sealed::Sealed;

#[cfg(test)]
mod tests;
