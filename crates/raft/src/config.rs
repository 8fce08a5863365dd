//! Settings of the crate, and what they mean for openraft.

use std::sync::Arc;
use std::time::Duration;

use crate::StartError;

/// Settings of all groups of a node.
#[derive(Clone, Debug)]
pub struct RaftConfig {
    /// The leader shows that it is alive at least so often.
    pub heartbeat_interval: Duration,
    /// A follower waits at least so long for the leader before it stands for election.
    pub election_timeout_min: Duration,
    /// A follower waits at most so long for the leader before it stands for election.
    pub election_timeout_max: Duration,
    /// An append stream without an answer for so long is given up and opened again.
    pub append_timeout: Duration,
    /// A snapshot must be sent and installed within this time.
    pub snapshot_timeout: Duration,
    /// Proposals of one group that may wait for their reply.
    pub proposals_in_flight_max: usize,
    /// Bytes of proposals of one group that may wait for their reply.
    pub proposal_bytes_in_flight_max: usize,
    /// A snapshot is made when so many bytes were logged since the last one.
    pub snapshot_log_bytes: u64,
    /// Bytes of log kept behind a snapshot, so that a follower that was briefly away needs no snapshot.
    pub log_tail_bytes: u64,
    /// Bytes of log of all groups beyond which the group that pins the oldest part is snapshotted and purged.
    pub log_disk_bytes_max: u64,
    /// How often the log's size is looked at.
    pub maintenance_interval: Duration,
    /// Bytes of one chunk of a snapshot on the wire.
    pub snapshot_chunk_bytes: usize,
    /// Replicate entries as soon as they are handed to the log rather than with the next batch: lower latency,
    /// smaller batches.
    pub broadcast_submitted_on_append: bool,
}

impl Default for RaftConfig {
    fn default() -> Self {
        Self {
            heartbeat_interval: Duration::from_millis(250),
            election_timeout_min: Duration::from_millis(1_500),
            election_timeout_max: Duration::from_millis(3_000),
            append_timeout: Duration::from_millis(1_500),
            snapshot_timeout: Duration::from_secs(600),
            proposals_in_flight_max: 4_096,
            proposal_bytes_in_flight_max: 64 << 20,
            snapshot_log_bytes: 64 << 20,
            log_tail_bytes: 16 << 20,
            log_disk_bytes_max: 1 << 30,
            maintenance_interval: Duration::from_millis(500),
            snapshot_chunk_bytes: 256 << 10,
            broadcast_submitted_on_append: false,
        }
    }
}

impl RaftConfig {
    /// Settings with short times, for tests and for clusters within one machine.
    pub fn fast() -> Self {
        Self {
            heartbeat_interval: Duration::from_millis(50),
            election_timeout_min: Duration::from_millis(300),
            election_timeout_max: Duration::from_millis(600),
            append_timeout: Duration::from_millis(500),
            maintenance_interval: Duration::from_millis(20),
            ..Self::default()
        }
    }

    /// openraft's settings. Every one whose default we could not live with is set, with the reason.
    pub(crate) fn for_openraft(&self) -> Result<Arc<openraft::Config>, StartError> {
        let config = openraft::Config {
            cluster_name: "eunoe".to_owned(),
            heartbeat_interval: millis(self.heartbeat_interval),
            election_timeout_min: millis(self.election_timeout_min),
            election_timeout_max: millis(self.election_timeout_max),
            install_snapshot_timeout: millis(self.snapshot_timeout),
            // A node that was away must not raise the term and depose a healthy leader when it is back.
            enable_pre_vote: Some(true),
            // State is written without a write-ahead log: a restarted leader may be behind what it answered
            // before, so it must win an election, and with it learn the commit index, before it leads.
            enable_leader_restore: Some(false),
            // A log that went backwards lost acknowledged entries. The node must be replaced under a new id.
            allow_log_reversion: Some(false),
            // Snapshots and purges are triggered by bytes (maintenance.rs): entries differ in size by 10^4.
            snapshot_policy: openraft::SnapshotPolicy::Never,
            // openraft purges by itself what a snapshot holds beyond this count: never, our tail is in bytes.
            max_in_snapshot_log_to_keep: u64::MAX,
            // Every proposal holds a permit, so the channel is never full of them; the rest is for RPCs.
            api_channel_size: Some(self.proposals_in_flight_max as u64 + 1_024),
            // One entry is up to 1 MiB; messages to the state machine worker hold indices, not entries.
            max_payload_entries: 1_024,
            // The leader's replies and reads of a batch wait for its slowest part, so batches stay moderate.
            max_append_entries: Some(1_024),
            // Pauses before an unreachable peer is tried again: quick at first, then gentle.
            backoff: "50ms 100ms 200ms ..1s".to_owned(),
            broadcast_submitted_on_append: Some(self.broadcast_submitted_on_append),
            ..openraft::Config::default()
        };
        let config = config
            .validate()
            .map_err(|error| StartError::Config(error.to_string()))?;
        Ok(Arc::new(config))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
