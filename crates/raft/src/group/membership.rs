//! Members: who votes, who learns, who leads.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use eunoe_types::NodeId;
use eunoe_types::limits::VOTERS_MAX;
use openraft::ChangeMembers;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{ChangeMembershipError, ClientWriteError, InitializeError, RaftError};

use super::GroupHandle;
use crate::types::{LeaderId, Metrics, TypeConfig, leader};
use crate::{MembershipError, Node};

type Changes = ChangeMembers<u64, Node>;

impl GroupHandle {
    /// Makes `members` the first voters of a new group. Exactly once in the life of a group, on one node.
    pub async fn initialize(&self, members: BTreeMap<NodeId, Node>) -> Result<(), MembershipError> {
        check_voters(members.len())?;
        let members: BTreeMap<u64, Node> = members.into_iter().map(|(id, node)| (id.0, node)).collect();
        self.inner
            .raft
            .initialize(members)
            .await
            .map_err(|error| match error {
                RaftError::APIError(InitializeError::NotAllowed(_)) => MembershipError::Initialized,
                RaftError::APIError(InitializeError::NotInMembers(_)) => MembershipError::NotMember,
                RaftError::Fatal(_) => MembershipError::Stopped,
            })
    }

    /// Adds a member that does not vote. It gets the log, or a snapshot and then the log.
    ///
    /// An id must never come again: not after the node was removed, and not with an empty disk.
    pub async fn add_learner(&self, id: NodeId, node: Node) -> Result<(), MembershipError> {
        let known = self.leadership().members.nodes.get(&id).cloned();
        match known {
            Some(known) if known == node => Ok(()),
            Some(_) => Err(MembershipError::NodeChanged),
            None => {
                self.change(ChangeMembers::AddNodes(BTreeMap::from([(id.0, node)])))
                    .await
            }
        }
    }

    /// Waits until learner `id` has everything that the log has now, then makes it a voter.
    ///
    /// A voter that lacks the log would count for the majority without being able to help it.
    pub async fn promote(&self, id: NodeId, timeout: Duration) -> Result<(), MembershipError> {
        let members = self.leadership().members;
        if members.is_voter(id) && !members.changing {
            return Ok(());
        }
        if !members.nodes.contains_key(&id) {
            return Err(MembershipError::NotLearner(id));
        }
        check_voters(members.voters.len() + usize::from(!members.is_voter(id)))?;
        self.wait_caught_up(id, timeout).await?;
        self.change(ChangeMembers::AddVoterIds(BTreeSet::from([id.0])))
            .await
    }

    /// Makes exactly these members the voters; voters that are left out become learners.
    ///
    /// It also ends a change that an earlier leader began and did not finish.
    pub async fn change_voters(&self, voters: BTreeSet<NodeId>) -> Result<(), MembershipError> {
        check_voters(voters.len())?;
        let voters = voters.into_iter().map(|id| id.0).collect();
        self.change_retaining(ChangeMembers::ReplaceAllVoters(voters), true)
            .await
    }

    /// Removes a member, voter or learner. A leader that removes itself hands over and stops leading.
    pub async fn remove(&self, id: NodeId) -> Result<(), MembershipError> {
        let members = self.leadership().members;
        if !members.nodes.contains_key(&id) {
            return Ok(());
        }
        if !members.is_voter(id) {
            return self
                .change(ChangeMembers::RemoveNodes(BTreeSet::from([id.0])))
                .await;
        }
        check_voters(members.voters.len() - 1)?;
        self.change(ChangeMembers::RemoveVoters(BTreeSet::from([id.0])))
            .await
    }

    /// Hands leadership to the voter `to` and waits until it leads.
    ///
    /// The leader takes no proposals from here on: if `to` fails now, the others elect a leader as after a crash.
    pub async fn transfer_leader(&self, to: NodeId, timeout: Duration) -> Result<(), MembershipError> {
        let now = self.leadership();
        if now.leader == Some(to) {
            return Ok(());
        }
        if !now.is_leader {
            return Err(MembershipError::NotLeader {
                leader: now.leader_node(),
            });
        }
        if !now.members.is_voter(to) {
            return Err(MembershipError::NotVoter(to));
        }
        self.wait_caught_up(to, timeout).await?;
        self.inner
            .raft
            .trigger()
            .transfer_leader(to.0)
            .await
            .map_err(|_| MembershipError::Stopped)?;
        let mut leadership = self.watch_leadership();
        let handed_over = leadership.wait_for(|now| now.leader == Some(to));
        match tokio::time::timeout(timeout, handed_over).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(MembershipError::Stopped),
            Err(_) => Err(MembershipError::Timeout(timeout)),
        }
    }

    /// Waits until `id` has what the log has now. Only the leader knows.
    async fn wait_caught_up(&self, id: NodeId, timeout: Duration) -> Result<(), MembershipError> {
        let goal = self.metrics().last_log_index;
        let mut receiver = self.inner.raft.metrics();
        let caught_up = async {
            loop {
                let metrics: Metrics = receiver.borrow_watched().clone();
                if !metrics.state.is_leader() {
                    return Err(MembershipError::NotLeader {
                        leader: self.leadership().leader_node(),
                    });
                }
                let matched = metrics
                    .replication
                    .iter()
                    .flatten()
                    .find(|(node, _)| **node == id.0);
                let matched = matched.and_then(|(_, matched)| matched.as_ref().map(|id| id.index));
                if id == self.inner.node || matched >= goal {
                    return Ok(());
                }
                receiver.changed().await.map_err(|_| MembershipError::Stopped)?;
            }
        };
        tokio::time::timeout(timeout, caught_up)
            .await
            .unwrap_or(Err(MembershipError::Timeout(timeout)))
    }

    async fn change(&self, changes: Changes) -> Result<(), MembershipError> {
        self.change_retaining(changes, false).await
    }

    /// Runs a change to its end even if the caller goes away: a change of voters is two entries, and one that
    /// stops between them leaves the group with two majorities to find for everything.
    async fn change_retaining(&self, changes: Changes, retain: bool) -> Result<(), MembershipError> {
        let raft = self.inner.raft.clone();
        let change = tokio::spawn(async move { raft.change_membership(changes, retain).await.map(drop) });
        match change.await {
            Ok(result) => result.map_err(membership_error),
            Err(_) => Err(MembershipError::Unknown),
        }
    }
}

fn check_voters(count: usize) -> Result<(), MembershipError> {
    if (1..=VOTERS_MAX).contains(&count) {
        Ok(())
    } else {
        Err(MembershipError::Voters(count))
    }
}

fn membership_error(error: RaftError<TypeConfig, ClientWriteError<TypeConfig>>) -> MembershipError {
    match error {
        RaftError::APIError(ClientWriteError::ForwardToLeader(forward)) => MembershipError::NotLeader {
            leader: leader(forward.leader_id, forward.leader_node),
        },
        RaftError::APIError(ClientWriteError::LogEntryDiscarded(_)) => MembershipError::Unknown,
        RaftError::APIError(ClientWriteError::ChangeMembershipError(error)) => refused(error),
        RaftError::APIError(ClientWriteError::PreconditionFailed(_)) => MembershipError::InProgress,
        // A change that was begun may be in the log.
        RaftError::Fatal(_) => MembershipError::Unknown,
    }
}

fn refused(error: ChangeMembershipError<LeaderId, u64>) -> MembershipError {
    match error {
        ChangeMembershipError::InProgress(_)
        | ChangeMembershipError::UncommittedLeaderLog(_)
        | ChangeMembershipError::UnsupportedMembershipTransition(_) => MembershipError::InProgress,
        ChangeMembershipError::EmptyMembership(_) => MembershipError::Voters(0),
        ChangeMembershipError::LearnerNotFound(error) => MembershipError::NotLearner(NodeId(error.node_id)),
        ChangeMembershipError::NodeMetadataChanged(_) => MembershipError::NodeChanged,
    }
}
