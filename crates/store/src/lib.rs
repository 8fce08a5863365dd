//! Durability: the log that all groups of a node share, and one state store per group.
//!
//! Two narrow traits, [`LogEngine`] and [`StateEngine`], each with a production engine and an in-memory twin
//! that can lose, tear and fail writes, so that the code above runs unchanged in the simulator. Both engines
//! of a trait pass the same [`conformance`] suite. Only this crate may name `rocksdb`.
//!
//! Nothing here knows what a key or a message is: all bytes were sealed before they were proposed.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod disk;
pub mod fsck;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod log_engine;
pub mod mem;
#[cfg(feature = "rocks")]
pub mod rocks;
mod rows;
pub mod segment;
pub mod snapshot;
mod span;
mod state_engine;
#[cfg(test)]
mod test_support;

pub use log_engine::{Completion, GroupLog, LogEngine, LogRecord};
pub use mem::{MemLog, MemState, MemStates};
#[cfg(feature = "rocks")]
pub use rocks::{RocksOptions, RocksState, RocksStates};
pub use segment::{LogStats, SegmentLog, SegmentLogOptions};
pub use snapshot::{Incoming, Snapshot, SnapshotError};
pub use state_engine::{StateEngine, StateFactory};
