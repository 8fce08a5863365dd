//! What a node does for its peers, beside Raft.

use bytes::Bytes;
use eunoe_crypto::SecretBytes;
use eunoe_types::{BootId, ConversationId, GroupId, NodeId};
use eunoe_vault::Slot;

use super::{
    ChangeOutcome, GivenRoot, GrantedLease, GroupChange, PeerState, ProposeOutcome, RefusedGrant, RootPart,
};

/// Answers peers. `from` is the node that the connection's certificate proved, and admitted.
///
/// ### To ensure correctness
///
/// - An outcome that claims no effect is never given once a command may be in a log: a handler that is dropped
///   (the peer went away, or its deadline passed) may leave the command there.
#[tonic::async_trait]
pub trait PeerHandler: Send + Sync + 'static {
    /// Proposes a command to `group`, if this node leads it.
    async fn propose(&self, from: NodeId, group: GroupId, command: Bytes) -> ProposeOutcome;

    /// Changes the members or the leadership of `group`, if this node leads it.
    async fn change_group(&self, from: NodeId, group: GroupId, change: GroupChange) -> ChangeOutcome;

    /// Gives this node's part of a root to `from`, in the run `boot_id`, if the control group's log names it for that.
    async fn release_root(
        &self,
        from: NodeId,
        part: RootPart,
        slot: Slot,
        boot_id: BootId,
    ) -> Result<SecretBytes, RefusedGrant>;

    /// A line under a checkpoint of the transparency log, unless this node has another tree, or none so large.
    async fn cosign(&self, checkpoint: &str) -> Option<String>;

    /// Keeps what `from`, which must lead the control group, gives of a root. Answers once the share is durable.
    async fn install_root(&self, from: NodeId, given: GivenRoot) -> Result<(), RefusedGrant>;

    /// Grants `from` a lease on keys, if this node leads the control group.
    async fn renew_lease(&self, from: NodeId) -> Result<GrantedLease, RefusedGrant>;

    /// Ends when the control group's entry is applied here; false if that takes too long.
    async fn await_applied(&self, control_index: u64) -> bool;

    /// Passes a typing notice to the tails on this node. It must not wait for a slow one.
    async fn relay_typing(&self, conversation: ConversationId, participant: u32, active: bool);

    /// Hands over all leaderships of this node, which takes none until it is restarted. Says which are left.
    async fn drain(&self) -> Vec<GroupId>;

    /// Destroys every root that this node has, and takes none any more; true when the control group's log says so. The
    /// node must be out of the control group, and others must hold the root. `from` is asked first to say it for this node.
    async fn retire(&self, from: NodeId) -> bool;

    /// How this node is, for `asker`.
    fn state(&self, asker: NodeId) -> PeerState;
}
