//! What a peer costs that cannot be reached.

use std::sync::Arc;
use std::time::Duration;

use eunoe_core::Effect;
use eunoe_raft::{GroupHandle, NodeParts, RaftNode};
use eunoe_store::{MemLog, MemStates};
use eunoe_types::{GroupId, NodeId};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::support::ledger::Ledger;
use crate::support::net::{Link, Net};
use crate::support::{GROUP, command, config, eventually, peer, within};

const ABSENT: u64 = 3;

async fn open(id: u64, net: &Arc<Net>, dir: &TempDir) -> (RaftNode, GroupHandle) {
    let raft = RaftNode::new(NodeParts {
        id: NodeId(id),
        config: config(),
        log: MemLog::new(),
        states: Arc::new(MemStates::new(dir.path().join(id.to_string()))),
        transport: Arc::new(Link {
            from: id,
            net: Arc::clone(net),
        }),
        observer: Arc::new(|_: GroupId, _: &[Effect]| {}),
        blocking: eunoe_raft::Blocking::Pool,
    })
    .unwrap();
    let group = raft.start_group(GROUP, Arc::new(Ledger)).await.unwrap();
    net.plug(id, raft.clone());
    (raft, group)
}

#[tokio::test(start_paused = true)]
async fn it_is_tried_about_once_a_second_however_much_there_is_to_send() {
    let (net, dir) = (Arc::<Net>::default(), TempDir::new().unwrap());
    let (first, second) = (open(1, &net, &dir).await, open(2, &net, &dir).await);
    let members = [1, 2, ABSENT].map(|id| (NodeId(id), peer(id)));
    first.1.initialize(members.into()).await.unwrap();
    let groups = [first.1, second.1];
    let mut number = 0;
    let mut attempts = Vec::new();
    for _ in 0..3 {
        let tried = || net.streams(1, ABSENT) + net.streams(2, ABSENT);
        let (before, mut stored) = (tried(), 0);
        for _ in 0..100 {
            for group in &groups {
                number += 1;
                stored += u32::from(group.propose(command(number, 10)).await.is_ok());
            }
            sleep(Duration::from_millis(100)).await;
        }
        attempts.push((tried() - before, stored));
    }
    // Ten seconds each, with proposals all the time: the pauses grow to a second, and no proposal cuts them short.
    let (last, stored) = attempts[2];
    assert!(stored > 50, "nothing is there to be sent: {attempts:?}");
    assert!((5..=15).contains(&last), "{attempts:?}");

    // When it comes, it gets everything.
    let (absent, group) = open(ABSENT, &net, &dir).await;
    let all = || groups.iter().map(GroupHandle::applied).max().flatten();
    eventually("the last proposal is there", || group.applied() == all()).await;
    for raft in [absent, first.0, second.0] {
        within("shutdown", raft.shutdown()).await;
    }
}
