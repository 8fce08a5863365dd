//! The contract of the log that all groups of a node share.

use bytes::Bytes;
use eunoe_types::{Fault, GroupId};

/// One entry of a group's log: its index and its encoded content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// The entry's index in its group.
    pub index: u64,
    /// The whole entry, term and payload included, as the raft crate encoded it.
    pub data: Bytes,
}

/// Called once, on the writer's thread, when the write it came with is durable or has failed. It must not block.
pub type Completion = Box<dyn FnOnce(Result<(), std::io::Error>) + Send>;

/// What the log holds of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupLog {
    /// The last saved vote, encoded.
    pub vote: Option<Bytes>,
    /// The last saved committed position, encoded. It may be older than what was saved last before a crash.
    pub committed: Option<Bytes>,
    /// Index and encoded log id of the last purged entry.
    pub purged: Option<(u64, Bytes)>,
    /// Index of the first entry held.
    pub first: Option<u64>,
    /// Index of the last entry held.
    pub last: Option<u64>,
}

/// A log shared by all groups of a node.
///
/// One writer serialises all writes of all groups, gathers what waits into one batch, and syncs once per batch.
///
/// ### To ensure correctness
///
/// - Writes of one group take effect, become durable and complete in the order of the calls; a completion says
///   that everything before it is durable too, votes included.
/// - When `append` returns, the records can be read.
/// - A completion reports success only after the bytes are on stable storage.
/// - After the first failed write every later write fails: the log is fail-stop, the node must end.
/// - A crash leaves, per group, a prefix of the calls made, at least as long as the last completion said.
/// - There is never a hole between `first` and `last`.
/// - Damage that a crash cannot explain is a [`Fault`] when the log is opened or read, never a shorter log.
pub trait LogEngine: Clone + Send + Sync + 'static {
    /// What the log holds of `group` now, writes that are not yet durable included.
    fn group(&self, group: GroupId) -> GroupLog;

    /// Appends consecutive records after `last` (or after `purged`, or anywhere in an empty log).
    fn append(&self, group: GroupId, records: Vec<LogRecord>, done: Completion);

    /// Drops the records after `index`; `None` drops all.
    fn truncate_after(&self, group: GroupId, index: Option<u64>, done: Completion);

    /// Drops the records up to `index`, inclusive, and remembers `log_id` as the last purged one. Purging beyond
    /// `last` (after a snapshot was installed) leaves an empty log that goes on after `index`.
    fn purge(&self, group: GroupId, index: u64, log_id: Bytes, done: Completion);

    /// Saves the vote.
    fn save_vote(&self, group: GroupId, vote: Bytes, done: Completion);

    /// Saves the committed position with the next batch; no sync is made for it.
    fn save_committed(&self, group: GroupId, committed: Bytes);

    /// Reads records of `[from, to)`, at least one if there is any, then as many as fit `bytes_max`.
    fn read(&self, group: GroupId, from: u64, to: u64, bytes_max: usize) -> Result<Vec<LogRecord>, Fault>;

    /// Bytes of records of `group` that are not purged: what a snapshot and a purge would free.
    fn live_bytes(&self, group: GroupId) -> u64;

    /// Bytes that the whole log takes on disk.
    fn disk_bytes(&self) -> u64;

    /// The group whose oldest record keeps the oldest part of the log from being freed, if more than one part exists.
    fn pinning_group(&self) -> Option<GroupId>;
}
