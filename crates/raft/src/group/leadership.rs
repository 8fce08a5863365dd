//! Turns openraft's metrics into what the layers above watch.

use eunoe_types::{GroupId, NodeId};
use openraft::async_runtime::watch::WatchReceiver;

use super::{Leadership, Members};
use crate::types::{GroupRaft, StoredMembership, TypeConfig};
use crate::watch;

/// A group that failed: this node is unfit and must stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupFailure {
    /// The group.
    pub group: GroupId,
    /// What openraft says about it.
    pub what: String,
}

/// Follows openraft's metrics until the group stops, and says whether it failed.
pub(crate) async fn watch_leadership(
    group: GroupId,
    raft: GroupRaft,
    tx: watch::Sender<Leadership>,
) -> Option<GroupFailure> {
    let mut metrics = raft.server_metrics();
    loop {
        // The borrow is a statement of its own: openraft's core blocks while somebody holds it.
        let now = leadership(&metrics.borrow_watched());
        tx.send_if_modified(|old| {
            let changed = *old != now;
            *old = now;
            changed
        });
        if metrics.changed().await.is_err() {
            break;
        }
    }
    failure(group, &raft)
}

fn failure(group: GroupId, raft: &GroupRaft) -> Option<GroupFailure> {
    let state = raft.metrics().borrow_watched().running_state.clone();
    match state {
        Ok(()) | Err(openraft::errors::Fatal::Stopped) => None,
        Err(fatal) => Some(GroupFailure {
            group,
            what: fatal.to_string(),
        }),
    }
}

pub(super) fn leadership(metrics: &openraft::metrics::RaftServerMetrics<TypeConfig>) -> Leadership {
    Leadership {
        term: metrics.vote.leader_id.term,
        leader: metrics.current_leader.map(NodeId),
        is_leader: metrics.state.is_leader(),
        members: members(&metrics.membership_config),
    }
}

fn members(stored: &StoredMembership) -> Members {
    Members {
        index: stored.log_id().as_ref().map(|id| id.index),
        voters: stored.voter_ids().map(NodeId).collect(),
        changing: stored.membership().get_joint_config().len() > 1,
        nodes: stored
            .nodes()
            .map(|(id, node)| (NodeId(*id), node.clone()))
            .collect(),
    }
}
