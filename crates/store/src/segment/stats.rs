//! What the log counts, for metrics and for the watchdog over a hanging disk.

/// A snapshot of a log's counters; all but the last two only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogStats {
    /// Syncs of segment files.
    pub syncs: u64,
    /// Batches written.
    pub batches: u64,
    /// Bytes written, checkpoints included.
    pub bytes: u64,
    /// Records written.
    pub records: u64,
    /// Records of those that lagged, written again so that old segments can go.
    pub carried: u64,
    /// Calls completed.
    pub calls: u64,
    /// The time that completed calls waited between the call and its completion, summed, in microseconds.
    pub wait_us: u64,
    /// Bytes of calls that wait now.
    pub queued_bytes: u64,
    /// How long the oldest unfinished call has waited, in microseconds: when it grows, the disk hangs.
    pub stalled_us: u64,
}
