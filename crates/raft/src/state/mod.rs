//! The applied state of a group: the state machine, its snapshots, and their way between nodes.

mod builder;
mod chunks;
mod machine;
mod observer;
mod receive;
mod slot;
mod snapshot_dir;
mod snapshots;

pub(crate) use builder::Builder;
pub(crate) use chunks::snapshot_chunks;
pub(crate) use machine::StateMachine;
pub use observer::StateObserver;
pub(crate) use receive::receive;
pub(crate) use slot::{GroupState, Slot};
pub(crate) use snapshot_dir::SnapshotDir;
pub(crate) use snapshots::Snapshots;
