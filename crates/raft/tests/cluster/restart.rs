//! Nodes come back with what their disks hold.

use std::time::Duration;

use eunoe_raft::{RaftConfig, ReadError};

use eunoe_store::{Completion, LogEngine as _, MemStates, RocksStates};
use tokio::time::timeout;

use crate::support::{Cluster, GROUP, MemCluster, PATIENCE, States, command, config, ledger, within};

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

/// After a power failure the state may be ahead of the log: it was flushed, the log was not synced.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_ends_before_the_state_and_behind_the_snapshot_serves_all_others() {
    let small = RaftConfig {
        snapshot_log_bytes: 64 << 10,
        log_tail_bytes: 16 << 10,
        ..config()
    };
    let mut cluster = Cluster::<RocksStates>::start(3, small).await;
    for number in 0..20 {
        cluster.acknowledge(&[1, 2, 3], number, 10_000).await;
    }
    cluster.all_show(0..20).await;
    // Far behind: what it lacks is to be purged everywhere.
    cluster.crash(2).await;
    for number in 20..34 {
        cluster.acknowledge(&[1, 3], number, 10_000).await;
    }
    cluster.read(3).await;
    for id in [1, 3] {
        cluster.crash(id).await;
        let log = cluster.log_of(id).await;
        let last = log.group(GROUP).last.unwrap();
        done(|done| log.truncate_after(GROUP, Some(last - 5), done)).await;
    }
    for id in [1, 3] {
        cluster.open(id).await;
    }
    cluster.leader_among(&[1, 3]).await;
    cluster.open(2).await;
    cluster.all_show(0..34).await;
    cluster.acknowledge(&[1, 2, 3], 34, 100).await;
    cluster.all_show(0..35).await;
    cluster.shutdown().await;
}

/// The same, and where the state has gone on the log holds what an older leader wrote and nobody committed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_of_an_older_term_do_not_come_back_where_the_state_has_gone_past_them() {
    let mut cluster = Cluster::<RocksStates>::start(3, config()).await;
    for number in 0..10 {
        cluster.acknowledge(&[1, 2, 3], number, 100).await;
    }
    cluster.all_show(0..10).await;
    let old = cluster.leader().await;
    let others: Vec<u64> = (1..=3).filter(|id| *id != old).collect();
    let common = cluster.group(old).applied().unwrap().index;
    cluster.isolate(old);
    // It writes them, and nobody else has them.
    let stale = (100..130).map(|number| command(number, 100)).collect();
    let unanswered = timeout(Duration::from_millis(300), cluster.group(old).propose_many(stale)).await;
    assert!(unanswered.is_err(), "a leader without followers answered");
    cluster.crash(old).await;
    let log = cluster.log_of(old).await;
    let stale = log.read(GROUP, common + 1, common + 100, usize::MAX).unwrap();
    assert_eq!(stale.len(), 30);
    drop(log);

    for number in 10..15 {
        cluster.acknowledge(&others, number, 100).await;
    }
    cluster.net.heal();
    cluster.open(old).await;
    cluster.all_show(0..15).await;
    for id in 1..=3 {
        cluster.crash(id).await;
    }
    // What it wrote since was never synced, except for the state.
    let log = cluster.log_of(old).await;
    done(|done| log.truncate_after(GROUP, Some(common), done)).await;
    done(|done| log.append(GROUP, stale, done)).await;
    drop(log);
    for id in 1..=3 {
        cluster.open(id).await;
    }
    cluster.all_show(0..15).await;
    cluster.acknowledge(&[1, 2, 3], 15, 100).await;
    cluster.all_show(0..16).await;
    cluster.shutdown().await;
}

/// Somebody put it back from an older copy of its data, say.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_lost_what_it_had_acknowledged_ends_no_leader() {
    let mut cluster = MemCluster::start(3, config()).await;
    for number in 0..10 {
        cluster.acknowledge(&[1, 2, 3], number, 100).await;
    }
    cluster.all_show(0..10).await;
    let leader = cluster.leader().await;
    let reverted = (1..=3).find(|id| *id != leader).unwrap();
    cluster.crash(reverted).await;
    let log = cluster.log_of(reverted).await;
    let last = log.group(GROUP).last.unwrap();
    done(|done| log.truncate_after(GROUP, Some(last - 5), done)).await;
    drop(log);
    cluster.open(reverted).await;
    // The others go on, under the same leader.
    let others: Vec<u64> = (1..=3).filter(|id| *id != reverted).collect();
    for number in 10..20 {
        cluster.acknowledge(&others, number, 100).await;
    }
    let term = cluster.group(leader).leadership().term;
    let behind = cluster.group(reverted);
    let late = behind.read_barrier(Duration::from_secs(1)).await;
    assert!(late.is_err(), "it has what its leader does not give it");
    assert_eq!(cluster.leader_among(&others).await, leader);
    assert_eq!(cluster.group(leader).leadership().term, term);
    cluster.shutdown().await;
}

/// Calls a log and waits until it has done it.
async fn done(call: impl FnOnce(Completion)) {
    let (told, done) = tokio::sync::oneshot::channel();
    call(Box::new(move |result| told.send(result).unwrap()));
    within("a call of a log", done).await.unwrap().unwrap();
}
