//! Changes of members and leadership, wherever the leader is.

use std::time::Duration;

use eunoe_raft::{GroupHandle, MembershipError};
use eunoe_types::NodeId;
use tokio::time::Instant;

use super::news;
use crate::peer::{ChangeOutcome, GroupChange, Peers};

/// How long a learner may take to catch up before it is made a voter.
const PROMOTE_TIMEOUT: Duration = Duration::from_secs(120);
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(5);
/// A change that got no answer for so long is looked at again.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(130);
const PAUSE: Duration = Duration::from_millis(100);

/// Why a group was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The group's state forbids it.
    #[error("the group's state forbids the change")]
    Refused,
    /// No leader took it in time. It had no effect.
    #[error("no leader took the change in time")]
    NoLeader,
    /// It may have happened, or may do so later. Asking again is safe.
    #[error("the outcome of the change is unknown")]
    Unknown,
}

/// Carries a change out on this node, if it leads the group.
pub async fn change_here(group: &GroupHandle, change: GroupChange) -> ChangeOutcome {
    let done = match change {
        GroupChange::AddLearner { id, node } => group.add_learner(id, node).await,
        GroupChange::Promote(id) => group.promote(id, PROMOTE_TIMEOUT).await,
        GroupChange::Remove(id) => group.remove(id).await,
        GroupChange::TransferLeader(id) => group.transfer_leader(id, TRANSFER_TIMEOUT).await,
    };
    match done {
        Ok(()) => ChangeOutcome::Done,
        Err(MembershipError::NotLeader { leader }) => ChangeOutcome::NotLeader(leader.map(|(id, _)| id)),
        Err(MembershipError::InProgress | MembershipError::Stopped) => ChangeOutcome::NotLeader(None),
        Err(MembershipError::Unknown | MembershipError::Timeout(_)) => ChangeOutcome::Unknown,
        Err(
            error @ (MembershipError::NotLearner(_)
            | MembershipError::NotVoter(_)
            | MembershipError::Voters(_)
            | MembershipError::NodeChanged
            | MembershipError::Initialized
            | MembershipError::NotMember),
        ) => {
            tracing::info!(group = %group.id(), %error, "a change of members was refused");
            ChangeOutcome::Refused
        }
    }
}

/// Carries a change out on the group's leader, looking for it until `within` is over.
pub async fn change(
    group: &GroupHandle,
    peers: &Peers,
    change: &GroupChange,
    within: Duration,
) -> Result<(), ChangeError> {
    let deadline = Instant::now() + within;
    let mut leadership = group.watch_leadership();
    let mut unknown = false;
    loop {
        leadership.mark_unchanged();
        match attempt(group, peers, change.clone()).await {
            ChangeOutcome::Done => return Ok(()),
            ChangeOutcome::Refused => return Err(ChangeError::Refused),
            ChangeOutcome::Unknown => unknown = true,
            ChangeOutcome::NotLeader(_) | ChangeOutcome::Unreachable => {}
        }
        if Instant::now() >= deadline {
            return Err(if unknown {
                ChangeError::Unknown
            } else {
                ChangeError::NoLeader
            });
        }
        news(&mut leadership, PAUSE).await;
    }
}

async fn attempt(group: &GroupHandle, peers: &Peers, change: GroupChange) -> ChangeOutcome {
    let now = group.leadership();
    match now.leader {
        _ if now.is_leader => change_here(group, change).await,
        Some(leader) => {
            peers
                .change_group(leader, group.id(), change, ATTEMPT_TIMEOUT)
                .await
        }
        None => ChangeOutcome::NotLeader(None),
    }
}

/// Hands the leadership of a group that this node leads to another voter that has the log. Says to whom.
pub async fn hand_over(group: &GroupHandle) -> Option<NodeId> {
    let here = group.node_id();
    let mut candidates: Vec<_> = group
        .status()
        .replication
        .into_iter()
        .filter(|replica| replica.node != here && group.leadership().members.is_voter(replica.node))
        .collect();
    candidates.sort_by_key(|replica| (replica.lag, replica.node));
    for candidate in candidates {
        match group.transfer_leader(candidate.node, TRANSFER_TIMEOUT).await {
            Ok(()) => return Some(candidate.node),
            Err(error) => {
                tracing::info!(group = %group.id(), to = %candidate.node, %error, "no hand-over");
            }
        }
    }
    None
}
