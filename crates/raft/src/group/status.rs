//! What a group says about itself.

use std::collections::BTreeMap;

use eunoe_types::{GroupId, LogPosition, NodeId};

use crate::Node;

/// Who leads a group and who belongs to it, as this node knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leadership {
    /// The term of the vote.
    pub term: u64,
    /// The leader, if one is known.
    pub leader: Option<NodeId>,
    /// Whether this node is the leader.
    pub is_leader: bool,
    /// The members that are in effect.
    pub members: Members,
}

impl Leadership {
    /// The leader with its address, if both are known.
    pub fn leader_node(&self) -> Option<(NodeId, Node)> {
        let id = self.leader?;
        Some((id, self.members.nodes.get(&id)?.clone()))
    }
}

/// The members of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// Index of the entry that made them members, if there is one.
    pub index: Option<u64>,
    /// The voters; while a change is under way, those of both sides.
    pub voters: Vec<NodeId>,
    /// Whether a change of voters is under way.
    pub changing: bool,
    /// All members with their addresses and keys.
    pub nodes: BTreeMap<NodeId, Node>,
}

impl Members {
    /// Whether `id` votes.
    pub fn is_voter(&self, id: NodeId) -> bool {
        self.voters.contains(&id)
    }

    /// The members that do not vote.
    pub fn learners(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes.keys().copied().filter(|id| !self.is_voter(*id))
    }
}

/// How far a group is, on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupStatus {
    /// The group.
    pub group: GroupId,
    /// Leader and members.
    pub leadership: Leadership,
    /// Why the group does not work, if it failed.
    pub failure: Option<String>,
    /// Index of the last entry of the log.
    pub last_log: Option<u64>,
    /// The last entry known to be committed.
    pub committed: Option<LogPosition>,
    /// The last entry applied.
    pub applied: Option<LogPosition>,
    /// The last entry in the newest snapshot.
    pub snapshot: Option<LogPosition>,
    /// The last entry purged from the log.
    pub purged: Option<LogPosition>,
    /// Bytes of log that are not purged.
    pub live_log_bytes: u64,
    /// On the leader: how far each other member is.
    pub replication: Vec<Replication>,
}

/// How far the leader knows a member to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replication {
    /// The member.
    pub node: NodeId,
    /// Index of the last entry that is known to be the same there.
    pub matched: Option<u64>,
    /// Entries that it lacks.
    pub lag: u64,
}
