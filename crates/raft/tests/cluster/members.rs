//! Members come and go.

use std::collections::BTreeSet;

use eunoe_raft::{CallKind, MembershipError};
use eunoe_types::NodeId;

use crate::support::{MemCluster as Cluster, PATIENCE, config, eventually, peer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_node_learns_votes_and_replaces_an_old_one() {
    let mut cluster = Cluster::start(3, config()).await;
    for number in 0..50 {
        cluster.acknowledge(&[1, 2, 3], number, 100).await;
    }
    cluster.open(4).await;
    let leader = cluster.leader_among(&[1, 2, 3]).await;
    let group = cluster.group(leader);
    assert_eq!(
        group.promote(NodeId(4), PATIENCE).await,
        Err(MembershipError::NotLearner(NodeId(4)))
    );
    group.add_learner(NodeId(4), peer(4)).await.unwrap();
    assert_eq!(group.add_learner(NodeId(4), peer(4)).await, Ok(()), "again");
    assert_eq!(
        group.add_learner(NodeId(4), peer(5)).await,
        Err(MembershipError::NodeChanged)
    );
    group.promote(NodeId(4), PATIENCE).await.unwrap();
    cluster.all_show(0..50).await;

    // An old follower goes; its vote goes with it.
    let gone = 1 + leader % 3;
    group.remove(NodeId(gone)).await.unwrap();
    let voters: BTreeSet<u64> = [1, 2, 3, 4].into_iter().filter(|id| *id != gone).collect();
    let members = group.leadership().members;
    assert_eq!(
        members.voters.iter().map(|id| id.0).collect::<BTreeSet<_>>(),
        voters
    );
    assert!(!members.nodes.contains_key(&NodeId(gone)));
    let left: Vec<u64> = voters.iter().copied().collect();
    for id in &left {
        eventually("all know", || {
            !cluster
                .group(*id)
                .leadership()
                .members
                .nodes
                .contains_key(&NodeId(gone))
        })
        .await;
    }

    // One voter and the removed node are no majority: the voter asks for pre-votes, and not the removed node.
    let alone = *left.iter().find(|id| **id != leader).unwrap();
    let asked_before = cluster.net.calls(alone, gone, CallKind::PreVote);
    let silent: Vec<u64> = left.iter().copied().filter(|id| *id != alone).collect();
    cluster.net.isolate(alone, silent.iter().copied());
    eventually("pre-votes", || {
        silent
            .iter()
            .all(|id| cluster.net.calls(alone, *id, CallKind::PreVote) >= 3)
    })
    .await;
    assert_eq!(cluster.net.calls(alone, gone, CallKind::PreVote), asked_before);
    assert!(!cluster.group(alone).leadership().is_leader);
    // The other two are one: they go on without the removed node, which hears nothing more.
    cluster.acknowledge(&silent, 100, 100).await;
    cluster.net.heal();
    assert!(cluster.read(alone).await.contains(&100));
    assert!(!crate::support::ledger::read(&cluster.group(gone)).contains(&100));
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_removes_itself_hands_over() {
    let cluster = Cluster::start(3, config()).await;
    cluster.acknowledge(&[1, 2, 3], 1, 100).await;
    let old = cluster.leader().await;
    cluster.group(old).remove(NodeId(old)).await.unwrap();
    let left: Vec<u64> = (1..=3).filter(|id| *id != old).collect();
    eventually("it stops leading", || !cluster.group(old).leadership().is_leader).await;
    cluster.leader_among(&left).await;
    cluster.acknowledge(&left, 2, 100).await;
    for id in left {
        assert_eq!(cluster.read(id).await, [1, 2]);
    }
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_has_members_once_and_never_none() {
    let cluster = Cluster::start(1, config()).await;
    let members = [(NodeId(1), peer(1))].into();
    let group = cluster.group(1);
    assert_eq!(group.initialize(members).await, Err(MembershipError::Initialized));
    assert_eq!(group.remove(NodeId(1)).await, Err(MembershipError::Voters(0)));
    assert_eq!(
        group.change_voters([].into()).await,
        Err(MembershipError::Voters(0))
    );
    let eight = (1..=8).map(NodeId).collect();
    assert_eq!(group.change_voters(eight).await, Err(MembershipError::Voters(8)));
    cluster.acknowledge(&[1], 1, 100).await;
    cluster.shutdown().await;
}
