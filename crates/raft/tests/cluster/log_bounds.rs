//! The log stays small, and who lacks what was purged gets a snapshot.

use std::sync::atomic::Ordering;

use eunoe_raft::RaftConfig;

use eunoe_store::{MemStates, RocksStates};

use crate::support::{Cluster, States, config, eventually};

const SNAPSHOT_BYTES: u64 = 64 << 10;
const TAIL_BYTES: u64 = 16 << 10;

fn small() -> RaftConfig {
    RaftConfig {
        snapshot_log_bytes: SNAPSHOT_BYTES,
        log_tail_bytes: TAIL_BYTES,
        snapshot_chunk_bytes: 10_000,
        ..config()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_purged_behind_snapshots_that_bytes_trigger() {
    for count in [1, 3] {
        let cluster = Cluster::<MemStates>::start(count, small()).await;
        let ids = cluster.ids();
        for number in 0..60 {
            cluster.acknowledge(&ids, number, 20_000).await;
        }
        for id in &ids {
            eventually("a small log", || {
                let status = cluster.group(*id).status();
                // What one more snapshot would let go of, the tail, and a mark's worth of both.
                status.purged.is_some() && status.live_log_bytes < SNAPSHOT_BYTES + TAIL_BYTES + (2 << 16)
            })
            .await;
            let status = cluster.group(*id).status();
            assert!(status.purged <= status.snapshot, "purged without a snapshot");
        }
        cluster.all_show(0..60).await;
        cluster.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_lacks_what_was_purged_gets_a_snapshot_and_refuses_a_damaged_one() {
    a_node_that_lacks_what_was_purged_gets_a_snapshot_and_refuses_a_damaged_one_on::<MemStates>().await;
    a_node_that_lacks_what_was_purged_gets_a_snapshot_and_refuses_a_damaged_one_on::<RocksStates>().await;
}

async fn a_node_that_lacks_what_was_purged_gets_a_snapshot_and_refuses_a_damaged_one_on<S: States>() {
    let cluster = Cluster::<S>::start(3, small()).await;
    cluster.acknowledge(&[1, 2, 3], 1_000, 100).await;
    let leader = cluster.leader().await;
    let away = 1 + leader % 3;
    let others = [leader, 6 - leader - away];
    cluster.isolate(away);
    let had = cluster.group(away).status().last_log;
    for number in 0..40 {
        cluster.acknowledge(&others, number, 20_000).await;
    }
    eventually("a purge beyond what the node has", || {
        cluster.group(leader).status().purged.map(|at| at.index) > had
    })
    .await;
    cluster.net.damage_snapshots(true);
    cluster.net.heal();
    eventually("a refused snapshot", || cluster.net.snapshots(away, false) > 0).await;
    assert_eq!(cluster.net.snapshots(away, true), 0);
    assert_eq!(
        cluster.group(away).status().failure,
        None,
        "a bad snapshot is the sender's"
    );
    assert_eq!(cluster.member(away).observer.replacing.load(Ordering::SeqCst), 0);

    cluster.net.damage_snapshots(false);
    cluster.all_show((0..40).chain([1_000])).await;
    let observer = &cluster.member(away).observer;
    assert!(observer.replaced.load(Ordering::SeqCst) > 0);
    assert_eq!(
        observer.replaced.load(Ordering::SeqCst),
        observer.replacing.load(Ordering::SeqCst)
    );
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_node_gets_a_snapshot_and_starts_from_it_after_a_crash() {
    a_new_node_gets_a_snapshot_and_starts_from_it_after_a_crash_on::<MemStates>().await;
    a_new_node_gets_a_snapshot_and_starts_from_it_after_a_crash_on::<RocksStates>().await;
}

async fn a_new_node_gets_a_snapshot_and_starts_from_it_after_a_crash_on<S: States>() {
    let mut cluster = Cluster::<S>::start(1, small()).await;
    for number in 0..40 {
        cluster.acknowledge(&[1], number, 20_000).await;
    }
    eventually("a purge", || cluster.group(1).status().purged.is_some()).await;
    cluster.open(2).await;
    let peer = crate::support::peer(2);
    cluster
        .group(1)
        .add_learner(eunoe_types::NodeId(2), peer)
        .await
        .unwrap();
    cluster.all_show(0..40).await;
    assert!(cluster.net.snapshots(2, true) > 0);
    cluster.crash(2).await;
    cluster.open(2).await;
    cluster.all_show(0..40).await;
    cluster.shutdown().await;
}
