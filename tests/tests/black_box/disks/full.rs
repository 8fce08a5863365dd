//! A disk that is full, and one on which a sync fails: the node stops at once and says why, and starts again when there
//! is space.

use eunoe_tests::wait::until_true;

use super::{Failing, NODE, exit_code, last_words};

/// Snapshots are made soon, which need space.
const LIMITS: &str = "snapshot_log_bytes = 1048576";
/// Free space at first: some tables, not a segment of the log.
const FREE_BYTES: u64 = 1 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_disk_is_full_stops_and_catches_up_when_there_is_space() {
    let mut on = Failing::begin(LIMITS).await;
    on.advance().await;
    on.disk.leave_free(FREE_BYTES);
    assert_eq!(exit_code(&mut on.child).await, Some(1));
    let said = last_words(&on.cluster, NODE);
    assert!(says_why(&said, "No space left on device"), "{said}");
    on.advance().await;

    on.disk.make_space();
    on.recover().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_stops_at_the_first_sync_that_fails_and_acknowledges_nothing_after_it() {
    let mut on = Failing::begin("").await;
    on.advance().await;
    // One at a time: the sync after it says that all is well. The first may be for a file that is not used yet.
    until_true("a node stops when a sync fails", async || {
        on.disk.fail_syncs(1);
        !on.process.is_alive()
    })
    .await;
    on.disk.fail_syncs(0);
    assert_eq!(exit_code(&mut on.child).await, Some(1));
    let said = last_words(&on.cluster, NODE);
    assert!(says_why(&said, "Input/output error"), "{said}");
    on.advance().await;

    // What the sync was for is gone with the power; had it been acknowledged, it would be missed.
    on.disk.lose_unsynced();
    on.recover().await;
}

/// A write of the log says the system's reason; one in RocksDB's background says it only to its own log.
fn says_why(last_words: &str, reason: &str) -> bool {
    last_words.contains(reason) || last_words.contains("a flush or compaction of the state of group")
}
