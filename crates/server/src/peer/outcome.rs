//! What becomes of a request to another node.

use bytes::Bytes;
use eunoe_crypto::SecretBytes;
use eunoe_raft::TransportError;
use eunoe_types::{BootId, GroupId, NodeId, Outcome};
use eunoe_vault::{Slot, VaultClass};

/// What became of a proposal.
///
/// It shows no command and no reply.
#[derive(Clone, PartialEq, Eq)]
pub enum ProposeOutcome {
    /// It was applied; the reply in the core crate's form.
    Reply(Bytes),
    /// It had no effect: the node does not lead the group. The leader, if it knows one.
    NotLeader(Option<NodeId>),
    /// It had no effect: the leader has no room.
    Overloaded,
    /// It had no effect: it was never sent. A handler that answers this is reported as not leading.
    Unreachable,
    /// It may have taken effect, or may do so later.
    Unknown,
}

impl ProposeOutcome {
    /// Whether it is known that the proposal had no effect; nothing for a reply, which is an effect.
    pub fn outcome(&self) -> Option<Outcome> {
        match self {
            ProposeOutcome::Reply(_) => None,
            ProposeOutcome::NotLeader(_) | ProposeOutcome::Overloaded | ProposeOutcome::Unreachable => {
                Some(Outcome::NoEffect)
            }
            ProposeOutcome::Unknown => Some(Outcome::Unknown),
        }
    }
}

impl std::fmt::Debug for ProposeOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ProposeOutcome::Reply(reply) => write!(f, "Reply({} bytes)", reply.len()),
            ProposeOutcome::NotLeader(leader) => write!(f, "NotLeader({leader:?})"),
            ProposeOutcome::Overloaded => f.write_str("Overloaded"),
            ProposeOutcome::Unreachable => f.write_str("Unreachable"),
            ProposeOutcome::Unknown => f.write_str("Unknown"),
        }
    }
}

/// A change of a group's members or leadership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupChange {
    /// Add this node as a learner.
    AddLearner {
        /// Its id.
        id: NodeId,
        /// Its address and key.
        node: eunoe_raft::Node,
    },
    /// Wait until this learner has caught up, then make it a voter.
    Promote(NodeId),
    /// Take this node out.
    Remove(NodeId),
    /// Hand the leadership to this node.
    TransferLeader(NodeId),
}

/// What became of a [`GroupChange`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeOutcome {
    /// It happened.
    Done,
    /// It had no effect: the node does not lead the group. The leader, if it knows one.
    NotLeader(Option<NodeId>),
    /// It had no effect: the group's state forbids it.
    Refused,
    /// It had no effect: it was never sent. A handler that answers this is reported as not leading.
    Unreachable,
    /// It may have happened, or may do so later.
    Unknown,
}

/// What a node asks another one for, to have a root in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootPart {
    /// The share in the other one's vault.
    Share,
    /// The current root, from the other one's memory: its last way back when too few vaults can be reached.
    Whole,
}

/// What a node is given of a root.
#[derive(Debug)]
pub struct GivenRoot {
    /// Which root.
    pub slot: Slot,
    /// The root for its memory, as `RootKey::encode` gives it; none for a realm that begins.
    pub root: Option<SecretBytes>,
    /// Its share for its vault, as `RootShare::encode` gives it; none for a node that is no holder.
    pub share: Option<SecretBytes>,
}

/// Leave to use keys, from the moment when it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantedLease {
    /// How long it lasts.
    pub ttl_ms: u64,
    /// No key may be used under it before this entry of the control group is applied.
    pub control_index: u64,
}

/// Why a node gives no share, takes none, or grants no lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusedGrant {
    /// It does not have what is asked for, or may not use keys itself.
    #[error("the node is sealed itself, or keeps no such share")]
    Sealed,
    /// The asking node is not admitted, or this run of it is not named for it.
    #[error("the asking node is not admitted, or not named for it")]
    NotAdmitted,
    /// It could not be done now; worth another attempt.
    #[error("it could not be done now")]
    NotRecorded,
}

/// Why a node did not get a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// The peer said no.
    #[error(transparent)]
    Refused(#[from] RefusedGrant),
    /// There was no answer, or it was none.
    #[error(transparent)]
    Transport(#[from] TransportError),
}

/// How a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerState {
    /// The id that it gives itself; the same that its certificate proved.
    pub node: NodeId,
    /// Whether it holds the root.
    pub unsealed: bool,
    /// Groups that have a log or a state on it.
    pub begun: Vec<GroupId>,
    /// Whether it knows that the realm has begun.
    pub genesis: bool,
    /// Whether it hands its leaderships over and takes none.
    pub draining: bool,
    /// Whether the asking node votes, or was given the root before.
    pub knows_asker: bool,
    /// Whether its id is bound to the disk that it has, and its groups run.
    pub started: bool,
    /// The run of its process.
    pub boot: BootId,
    /// What is left of its key lease, in milliseconds.
    pub lease_left_ms: u64,
    /// Whether its vault has a share of the current root.
    pub share_kept: bool,
    /// How strongly its vault forgets.
    pub vault: VaultClass,
}
