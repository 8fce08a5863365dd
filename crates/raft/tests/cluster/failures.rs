//! A node that is unfit says so and stops; bad messages hurt nobody but their sender.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eunoe_core::Effect;
use eunoe_raft::{Blocking, CallKind, NodeParts, ProposeError, RaftNode, ServeError, StartError};
use eunoe_store::{MemLog, MemStates};
use eunoe_types::{GroupId, NodeId};
use futures::StreamExt;
use tempfile::TempDir;

use crate::support::ledger::Ledger;
use crate::support::net::{Link, Net};
use crate::support::{GROUP, MemCluster as Cluster, command, config, eventually, peer, within};

struct Single {
    raft: RaftNode,
    log: MemLog,
    states: MemStates,
    _dir: TempDir,
}

async fn single() -> Single {
    let dir = TempDir::new().unwrap();
    let (log, states) = (MemLog::new(), MemStates::new(dir.path().to_owned()));
    let parts = NodeParts {
        id: NodeId(1),
        config: config(),
        log: log.clone(),
        states: Arc::new(states.clone()),
        transport: Arc::new(Link {
            from: 1,
            net: Arc::new(Net::default()),
        }),
        observer: Arc::new(|_: GroupId, _: &[Effect]| {}),
        blocking: Blocking::Pool,
    };
    let raft = RaftNode::new(parts).unwrap();
    let group = raft.start_group(GROUP, Arc::new(Ledger)).await.unwrap();
    group.initialize([(NodeId(1), peer(1))].into()).await.unwrap();
    eventually("it leads", || group.leadership().is_leader).await;
    assert!(group.propose(command(1, 10)).await.is_ok());
    Single {
        raft,
        log,
        states,
        _dir: dir,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_cannot_sync_ends_the_group_without_an_acknowledgement() {
    let node = single().await;
    let group = node.raft.group(GROUP).unwrap();
    node.log.fail_next_sync();
    let outcome = within("an outcome", group.propose(command(2, 10))).await;
    assert!(
        matches!(outcome, Err(ProposeError::Unknown | ProposeError::Stopped)),
        "{outcome:?}"
    );
    assert_eq!(within("the failure", node.raft.failed()).await.group, GROUP);
    assert!(group.status().failure.is_some());
    assert_eq!(group.propose(command(3, 10)).await, Err(ProposeError::Stopped));
    within("shutdown", node.raft.shutdown()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_that_cannot_commit_ends_the_group_without_an_acknowledgement() {
    let node = single().await;
    let group = node.raft.group(GROUP).unwrap();
    node.states.fail_commits(true);
    let outcome = within("an outcome", group.propose(command(2, 10))).await;
    assert!(outcome.is_err());
    within("the failure", node.raft.failed()).await;
    within("shutdown", node.raft.shutdown()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_hangs_is_seen() {
    let node = single().await;
    let group = node.raft.group(GROUP).unwrap();
    node.log.hold();
    let waiting = tokio::spawn(async move { group.propose(command(2, 10)).await });
    eventually("a stalled write", || node.raft.log_stalled_for() > Duration::ZERO).await;
    assert!(!waiting.is_finished(), "acknowledged before it was durable");
    node.log.release();
    assert!(within("an outcome", waiting).await.unwrap().is_ok());
    within("shutdown", node.raft.shutdown()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_is_down_is_tried_with_pauses() {
    let mut cluster = Cluster::start(3, config()).await;
    cluster.acknowledge(&[1, 2, 3], 1, 10).await;
    let leader = cluster.leader().await;
    let down = 1 + leader % 3;
    cluster.crash(down).await;
    cluster.acknowledge(&[leader, 6 - leader - down], 2, 10).await;
    let before = cluster.net.streams(leader, down);
    tokio::time::sleep(Duration::from_secs(1)).await;
    // Pauses of 50, 100, 200 and more milliseconds leave room for a handful.
    let tried = cluster.net.streams(leader, down) - before;
    assert!(tried < 30, "{tried} attempts in a second");
    cluster.open(down).await;
    cluster.all_show([1, 2]).await;
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_are_none_are_refused_and_change_nothing() {
    let cluster = Cluster::start(1, config()).await;
    let raft = &cluster.member(1).raft;
    let term = cluster.group(1).leadership().term;
    let nonsense = Bytes::from_static(b"\x01nonsense");
    for kind in [
        CallKind::Vote,
        CallKind::PreVote,
        CallKind::Heartbeat,
        CallKind::TransferLeader,
    ] {
        let answer = raft.handle_call(GROUP, kind, nonsense.clone()).await;
        assert!(matches!(answer, Err(ServeError::Malformed(_))), "{kind:?}");
    }
    let unknown = raft
        .handle_call(GroupId(7), CallKind::Vote, nonsense.clone())
        .await;
    assert!(matches!(unknown, Err(ServeError::UnknownGroup)));
    let requests = futures::stream::iter([nonsense.clone()]);
    let answers: Vec<_> = raft
        .handle_append_stream(GROUP, requests)
        .unwrap()
        .collect()
        .await;
    assert!(matches!(&answers[..], [Err(ServeError::Malformed(_))]));
    let chunks = futures::stream::iter([Ok(nonsense.clone())]);
    let answer = raft.handle_snapshot(GROUP, nonsense, chunks).await;
    assert!(matches!(answer, Err(ServeError::Malformed(_))));
    assert!(matches!(
        raft.start_group(GROUP, Arc::new(Ledger)).await,
        Err(StartError::Running)
    ));
    cluster.acknowledge(&[1], 1, 10).await;
    assert_eq!(cluster.group(1).leadership().term, term);
    cluster.shutdown().await;
}
