//! Durability: the log that all groups of a node share, and one state store per group.
//!
//! Two narrow traits, [`LogEngine`] and [`StateEngine`], each with a production engine and an in-memory twin
//! that can lose, tear and fail writes, so that the code above runs unchanged in the simulator. Both engines
//! of a trait pass the same conformance suite. Only this crate may name `rocksdb`.
//!
//! Nothing here knows what a key or a message is: all bytes were sealed before they were proposed.

mod disk;
mod log_engine;
pub mod segment;
mod span;
mod state_engine;

pub use log_engine::{Completion, GroupLog, LogEngine, LogRecord};
pub use segment::{LogStats, SegmentLog, SegmentLogOptions};
pub use state_engine::{StateEngine, StateFactory};
