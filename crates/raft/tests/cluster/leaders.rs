//! Who leads, what is acknowledged, and what readers see.

use std::time::Duration;

use eunoe_raft::{CallKind, ProposeError, ReadError};
use eunoe_types::limits::COMMAND_BYTES_MAX;
use eunoe_types::{NodeId, Outcome};

use crate::support::{MemCluster as Cluster, PATIENCE, command, config, eventually, peer, within};

const SHORT: Duration = Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_on_any_node_sees_everything_acknowledged_before() {
    for count in [1, 3] {
        let cluster = Cluster::start(count, config()).await;
        let leader = cluster.leader().await;
        for round in 0..20 {
            let commands = (0..10).map(|at| command(round * 10 + at, 50)).collect();
            let replies = cluster.group(leader).propose_many(commands).await;
            for (at, reply) in replies.into_iter().enumerate() {
                let place = round * 10 + at as u64;
                assert_eq!(reply.unwrap().to_vec(), place.to_be_bytes(), "in the order given");
            }
            let reader = 1 + round % count;
            assert_eq!(cluster.read(reader).await.len() as u64, (round + 1) * 10);
        }
        cluster.all_show(0..200).await;
        cluster.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_leader_takes_proposals_and_none_that_are_too_large() {
    let cluster = Cluster::start(3, config()).await;
    let leader = cluster.leader().await;
    let other = 1 + leader % 3;
    assert_eq!(
        cluster.group(other).propose(command(1, 0)).await,
        Err(ProposeError::NotLeader {
            leader: Some((NodeId(leader), peer(leader)))
        })
    );
    assert_eq!(
        cluster.group(leader).propose(command(1, COMMAND_BYTES_MAX)).await,
        Err(ProposeError::TooLarge {
            max: COMMAND_BYTES_MAX
        })
    );
    cluster.acknowledge(&[1, 2, 3], 2, COMMAND_BYTES_MAX - 8).await;
    cluster.all_show([2]).await;
    assert_eq!(cluster.read(1).await, [2]);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_cut_off_confirms_nothing() {
    let cluster = Cluster::start(3, config()).await;
    cluster.acknowledge(&[1, 2, 3], 1, 50).await;
    let old = cluster.leader().await;
    let others: Vec<u64> = cluster.ids().into_iter().filter(|id| *id != old).collect();
    cluster.isolate(old);

    let orphan = tokio::spawn({
        let group = cluster.group(old);
        async move { group.propose(command(666, 50)).await }
    });
    assert_eq!(
        cluster.group(old).read_barrier(SHORT).await,
        Err(ReadError::Timeout)
    );
    let new = cluster.leader_among(&others).await;
    assert_ne!(new, old);
    for number in 2..10 {
        cluster.acknowledge(&others, number, 50).await;
    }
    // The old one still thinks that it leads, and must not show what it has as the newest.
    assert_eq!(
        cluster.group(old).read_barrier(SHORT).await,
        Err(ReadError::Timeout)
    );

    cluster.net.heal();
    let orphan = within("the orphan's outcome", orphan).await.unwrap();
    let error = orphan.expect_err("no majority had it");
    assert!(
        matches!(error, ProposeError::Unknown | ProposeError::NotLeader { .. }),
        "{error}"
    );
    cluster.leader().await;
    cluster.all_show(1..10).await;
    if error.outcome() == Outcome::NoEffect {
        assert!(!cluster.read(old).await.contains(&666));
    }
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_changes_of_leader() {
    let cluster = Cluster::start(3, config()).await;
    let mut next = 0;
    for round in 0..4 {
        let old = cluster.leader().await;
        // Proposals are on their way while the leader loses its connections, one way only in every other round.
        let group = cluster.group(old);
        let first = next;
        let on_their_way = tokio::spawn(async move {
            let commands = (first..first + 100).map(|number| command(number, 200)).collect();
            group.propose_many(commands).await
        });
        next += 100;
        let others: Vec<u64> = cluster.ids().into_iter().filter(|id| *id != old).collect();
        if round % 2 == 0 {
            cluster.isolate(old);
        } else {
            others.iter().for_each(|other| cluster.net.cut(old, *other));
        }
        cluster.leader_among(&others).await;
        for _ in 0..10 {
            cluster.acknowledge(&others, next, 200).await;
            next += 1;
        }
        cluster.net.heal();
        let outcomes = within("all outcomes", on_their_way).await.unwrap();
        let acknowledged = outcomes
            .iter()
            .zip(first..)
            .filter(|(outcome, _)| outcome.is_ok());
        let acknowledged: Vec<u64> = acknowledged.map(|(_, number)| number).collect();
        cluster.leader().await;
        cluster
            .all_show(acknowledged.into_iter().chain(next - 10..next))
            .await;
    }
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_away_does_not_depose_the_leader() {
    let cluster = Cluster::start(3, config()).await;
    cluster.acknowledge(&[1, 2, 3], 1, 50).await;
    let leader = cluster.leader().await;
    let term = cluster.group(leader).leadership().term;
    let away = 1 + leader % 3;
    cluster.isolate(away);
    // It asks in vain, several times, whether it would be elected.
    eventually("pre-votes", || {
        cluster.net.calls(away, leader, CallKind::PreVote) >= 3
    })
    .await;
    assert_eq!(
        cluster.net.calls(away, leader, CallKind::Vote),
        0,
        "it stood for election"
    );
    assert_eq!(cluster.group(away).leadership().term, term);
    cluster.acknowledge(&[leader, 6 - leader - away], 2, 50).await;
    cluster.net.heal();
    assert_eq!(cluster.read(away).await, [1, 2]);
    let now = cluster.group(leader).leadership();
    assert_eq!((now.term, now.is_leader), (term, true));
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leadership_is_handed_over_on_request() {
    let cluster = Cluster::start(3, config()).await;
    cluster.acknowledge(&[1, 2, 3], 1, 50).await;
    let old = cluster.leader().await;
    let new = 1 + old % 3;
    cluster
        .group(old)
        .transfer_leader(NodeId(new), PATIENCE)
        .await
        .unwrap();
    eventually("the new leader leads", || {
        cluster.group(new).leadership().is_leader
    })
    .await;
    assert!(cluster.net.calls(old, new, CallKind::TransferLeader) > 0);
    cluster.acknowledge(&[1, 2, 3], 2, 50).await;
    cluster.all_show([1, 2]).await;
    assert!(
        cluster
            .group(old)
            .transfer_leader(NodeId(9), PATIENCE)
            .await
            .is_err()
    );
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proposals_that_wait_are_bounded_and_the_room_comes_back() {
    let config = eunoe_raft::RaftConfig {
        proposals_in_flight_max: 4,
        ..config()
    };
    let cluster = Cluster::start(3, config).await;
    let old = cluster.leader().await;
    cluster.isolate(old);
    let group = cluster.group(old);
    let waiting: Vec<_> = (0..4)
        .map(|number| {
            let group = group.clone();
            tokio::spawn(async move { group.propose(command(number, 50)).await })
        })
        .collect();
    // They take their places as soon as they run.
    let refused = within("a refusal", async {
        loop {
            let attempt = tokio::time::timeout(SHORT, group.propose(command(9, 50))).await;
            if let Ok(refused) = attempt {
                return refused;
            }
        }
    });
    assert_eq!(refused.await, Err(ProposeError::Overloaded));
    cluster.net.heal();
    for outcome in waiting {
        // A proposal that found no place because the probe had it is refused; the others have an outcome.
        drop(within("an outcome", outcome).await.unwrap());
    }
    cluster.leader().await;
    for number in 10..20 {
        cluster.acknowledge(&[1, 2, 3], number, 50).await;
    }
    cluster.all_show(10..20).await;
    cluster.shutdown().await;
}
