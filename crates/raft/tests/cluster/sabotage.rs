//! Faults put in on purpose show: `cargo test -p eunoe-raft --features sabotage`. They are selected per thread, so the
//! clusters here run on one.

use std::time::Duration;

use eunoe_raft::ReadError;
use eunoe_types::sabotage::{Sabotage, select};

use crate::support::{MemCluster as Cluster, command, config, ledger};

const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_leader_without_a_majority_acknowledges_what_is_lost() {
    let cluster = Cluster::start(3, config()).await;
    cluster.acknowledge(&[1, 2, 3], 1, 10).await;
    let old = cluster.leader().await;
    let others: Vec<u64> = cluster.ids().into_iter().filter(|id| *id != old).collect();
    cluster.isolate(old);
    let group = cluster.group(old);
    let honest = tokio::time::timeout(SHORT, group.propose(command(2, 10))).await;
    assert!(honest.is_err(), "acknowledged without a majority");
    select(Some(Sabotage::AckBeforeCommit));
    let place = group.propose(command(3, 10)).await.unwrap();
    assert_eq!(place.to_vec(), 1u64.to_be_bytes(), "as if it were applied");
    select(None);
    cluster.leader_among(&others).await;
    cluster.acknowledge(&others, 4, 10).await;
    cluster.net.heal();
    assert_eq!(cluster.read(others[0]).await, [1, 4]);
    cluster.shutdown().await;
}

#[tokio::test]
async fn a_node_that_is_cut_off_shows_what_is_old() {
    let cluster = Cluster::start(3, config()).await;
    cluster.acknowledge(&[1, 2, 3], 1, 10).await;
    let leader = cluster.leader().await;
    let away = 1 + leader % 3;
    cluster.read(away).await;
    cluster.isolate(away);
    cluster.acknowledge(&[leader, 6 - leader - away], 2, 10).await;
    let group = cluster.group(away);
    // This group is not the control group.
    select(Some(Sabotage::SkipControlBarrier));
    assert_eq!(group.read_barrier(SHORT).await, Err(ReadError::Timeout));
    select(Some(Sabotage::StaleRead));
    assert!(group.read_barrier(SHORT).await.is_ok());
    assert_eq!(ledger::read(&group), [1]);
    select(None);
    cluster.shutdown().await;
}
