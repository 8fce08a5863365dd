//! Errors of the crate. All of them say how an attempt failed; none carries a command or a reply.

use std::time::Duration;

use eunoe_types::{DecodeError, Fault, NodeId, Outcome};

use crate::Node;

/// Why a proposal has no reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// This node does not lead the group. The proposal had no effect.
    #[error("this node does not lead the group")]
    NotLeader {
        /// The leader, if this node knows one.
        leader: Option<(NodeId, Node)>,
    },
    /// Too many proposals wait already. This one had no effect.
    #[error("too many proposals are waiting")]
    Overloaded,
    /// The command is larger than the log takes. It had no effect.
    #[error("the command is larger than {max} bytes")]
    TooLarge {
        /// The limit.
        max: usize,
    },
    /// The group is stopping or has failed. The proposal had no effect.
    #[error("the group is stopped")]
    Stopped,
    /// It may have taken effect, or may do so later: leadership or the group was lost under way.
    #[error("the outcome of the proposal is unknown")]
    Unknown,
}

impl ProposeError {
    /// Whether it is known that the proposal had no effect.
    pub fn outcome(&self) -> Outcome {
        match self {
            ProposeError::Unknown => Outcome::Unknown,
            ProposeError::NotLeader { .. }
            | ProposeError::Overloaded
            | ProposeError::TooLarge { .. }
            | ProposeError::Stopped => Outcome::NoEffect,
        }
    }
}

/// Why a read barrier was not reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// No leader confirmed a position, or it was not applied here, in time.
    #[error("the group did not confirm a read position in time")]
    Timeout,
    /// Too many readers wait already.
    #[error("too many reads are waiting")]
    Overloaded,
    /// The group is stopping or has failed.
    #[error("the group is stopped")]
    Stopped,
}

/// Why a change of members did not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MembershipError {
    /// This node does not lead the group.
    #[error("this node does not lead the group")]
    NotLeader {
        /// The leader, if this node knows one.
        leader: Option<(NodeId, Node)>,
    },
    /// Another change is under way.
    #[error("another change of members is under way")]
    InProgress,
    /// A node that is to become a voter is not a learner yet.
    #[error("node {0} is not a learner yet")]
    NotLearner(NodeId),
    /// The new leader is not a voter.
    #[error("node {0} is not a voter")]
    NotVoter(NodeId),
    /// The group would be left without voters, or with more than the limit.
    #[error("the group would have {0} voters")]
    Voters(usize),
    /// The node is a member already, with another address or key.
    #[error("a member's address or key would change")]
    NodeChanged,
    /// The group has members already.
    #[error("the group has members already")]
    Initialized,
    /// The members do not name this node.
    #[error("the members do not name this node")]
    NotMember,
    /// It may have happened, or may do so later.
    #[error("the outcome of the change is unknown")]
    Unknown,
    /// It was not done in time; a change that was begun goes on.
    #[error("the change was not done in {0:?}")]
    Timeout(Duration),
    /// The group is stopping or has failed.
    #[error("the group is stopped")]
    Stopped,
}

/// Why a group did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings contradict each other.
    #[error("the Raft settings are wrong: {0}")]
    Config(String),
    /// It runs already.
    #[error("the group is running already")]
    Running,
    /// Its log or state is unusable.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why a peer's message got no answer.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// This node does not run the group (yet).
    #[error("this node does not run the group")]
    UnknownGroup,
    /// The bytes are not a message.
    #[error("the message is malformed: {0}")]
    Malformed(#[from] DecodeError),
    /// A snapshot did not arrive whole.
    #[error("the snapshot is not usable: {0}")]
    Snapshot(#[source] Fault),
    /// The node's disk failed while it took a snapshot.
    #[error("the snapshot could not be stored")]
    Io(#[from] std::io::Error),
    /// No leader confirmed a position.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The group is stopping or has failed.
    #[error("the group is stopped")]
    Stopped,
}
