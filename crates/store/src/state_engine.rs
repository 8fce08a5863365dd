//! The contract of a group's state store.

use std::path::Path;

use eunoe_core::{Changes, StateView};
use eunoe_types::{Fault, GroupId};

/// The state of one group on this node.
///
/// ### To ensure correctness
///
/// - `commit` is atomic: all changes and the applied position, or nothing, is seen by any view and after any crash.
/// - A crash may lose commits from the end, never from the middle: what is left is a prefix. Nothing is written to
///   a write-ahead log; the Raft log replays what was lost.
/// - After `flush` returned, all commits before it survive any crash.
/// - Calls block; callers run them where blocking is allowed.
pub trait StateEngine: Send + Sync + 'static {
    /// A consistent view of committed state.
    type View<'a>: StateView
    where
        Self: 'a;

    /// Opens a view.
    fn view(&self) -> Self::View<'_>;

    /// Commits `changes` together with `applied`, the caller's encoding of the position they bring the state to.
    fn commit(&self, changes: Changes, applied: &[u8]) -> Result<(), Fault>;

    /// The position of the last commit.
    fn applied(&self) -> Result<Option<Vec<u8>>, Fault>;

    /// Makes everything committed durable.
    fn flush(&self) -> Result<(), Fault>;

    /// Writes a consistent, durable copy of the state into the new directory `into`.
    fn checkpoint(&self, into: &Path) -> Result<(), Fault>;

    /// Bytes on disk.
    fn disk_bytes(&self) -> u64;
}

/// Opens, replaces and removes the state stores of a node, one directory per group, sharing caches and limits.
///
/// ### To ensure correctness
///
/// - `replace` is atomic over crashes: after a restart the group has its old state or the new one, whole.
/// - No call for one group touches another group's directory.
pub trait StateFactory: Send + Sync + 'static {
    /// The engine that it opens.
    type Engine: StateEngine;

    /// Opens the state of `group`, creating an empty one, and finishes or undoes a `replace` that a crash cut short.
    fn open(&self, group: GroupId) -> Result<Self::Engine, Fault>;

    /// Closes `old` and puts the verified snapshot in `from` (a directory on the same filesystem, consumed) in its place.
    fn replace(&self, group: GroupId, old: Self::Engine, from: &Path) -> Result<Self::Engine, Fault>;

    /// The directory for the snapshots of `group`, on the same filesystem as its state.
    fn snapshot_dir(&self, group: GroupId) -> std::path::PathBuf;

    /// Deletes everything of `group`.
    fn remove(&self, group: GroupId) -> Result<(), Fault>;
}
