//! Nodes come back with what their disks hold.

use std::time::Duration;

use eunoe_raft::{RaftConfig, ReadError};

use eunoe_store::{MemStates, RocksStates};

use crate::support::{Cluster, PATIENCE, States, config, ledger};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_nodes_crash_and_nothing_acknowledged_is_lost() {
    all_nodes_crash_and_nothing_acknowledged_is_lost_on::<MemStates>().await;
    all_nodes_crash_and_nothing_acknowledged_is_lost_on::<RocksStates>().await;
}

async fn all_nodes_crash_and_nothing_acknowledged_is_lost_on<S: States>() {
    let mut cluster = Cluster::<S>::start(3, config()).await;
    for number in 0..50 {
        cluster.acknowledge(&[1, 2, 3], number, 100).await;
    }
    cluster.all_show(0..50).await;
    let terms = cluster.group(1).leadership().term;
    for id in 1..=3 {
        cluster.crash(id).await;
    }
    cluster.open(1).await;
    // Alone it cannot know what is committed, and says so.
    let alone = cluster.group(1).wait_recovered(Duration::from_millis(300)).await;
    assert_eq!(alone, Err(ReadError::Timeout));
    for id in 2..=3 {
        cluster.open(id).await;
    }
    for id in 1..=3 {
        cluster.group(id).wait_recovered(PATIENCE).await.unwrap();
        // Without a barrier: what this node had shown before the crash it shows again.
        assert_eq!(ledger::read(&cluster.group(id)).len(), 50);
    }
    assert!(
        cluster.group(1).leadership().term > terms,
        "a restarted leader must be elected"
    );
    cluster.all_show(0..50).await;
    cluster.acknowledge(&[1, 2, 3], 50, 100).await;
    cluster.all_show(0..51).await;
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_node_comes_back_with_everything() {
    a_single_node_comes_back_with_everything_on::<MemStates>().await;
    a_single_node_comes_back_with_everything_on::<RocksStates>().await;
}

async fn a_single_node_comes_back_with_everything_on<S: States>() {
    let small = RaftConfig {
        snapshot_log_bytes: 64 << 10,
        log_tail_bytes: 16 << 10,
        ..config()
    };
    let mut cluster = Cluster::<S>::start(1, small).await;
    for round in 0..3 {
        for number in round * 20..round * 20 + 20 {
            cluster.acknowledge(&[1], number, 10_000).await;
        }
        cluster.crash(1).await;
        cluster.open(1).await;
        cluster.group(1).wait_recovered(PATIENCE).await.unwrap();
        assert_eq!(ledger::read(&cluster.group(1)).len() as u64, round * 20 + 20);
    }
    cluster.all_show(0..60).await;
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_after_the_other_is_restarted_while_clients_write() {
    let mut cluster = Cluster::<MemStates>::start(3, config()).await;
    let mut next = 0;
    for id in 1..=3 {
        cluster.crash(id).await;
        let others: Vec<u64> = (1..=3).filter(|other| *other != id).collect();
        for _ in 0..10 {
            cluster.acknowledge(&others, next, 100).await;
            next += 1;
        }
        cluster.open(id).await;
        cluster.group(id).wait_recovered(PATIENCE).await.unwrap();
        cluster.all_show(0..next).await;
    }
    cluster.shutdown().await;
}
