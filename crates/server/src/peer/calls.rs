//! What a node asks of its peers, beside Raft.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eunoe_crypto::SecretBytes;
use eunoe_raft::TransportError;
use eunoe_types::{BootId, ConversationId, GroupId, NodeId};
use eunoe_vault::Slot;

use super::{
    ChangeOutcome, GivenRoot, GrantError, GrantedLease, GroupChange, PeerState, ProposeOutcome, RootPart,
};

/// Calls to peers, however they travel. Clones share the connections.
pub type Peers = Arc<dyn PeerCalls>;

/// Calls to peers; the other end is a [`super::PeerHandler`].
///
/// ### To ensure correctness
///
/// - A call reaches the admitted node that it names, or none.
/// - Every call ends: with an answer, or with an error soon after its timeout.
/// - An outcome that claims no effect is only given when the call was never sent, or answered so.
#[tonic::async_trait]
pub trait PeerCalls: Send + Sync + 'static {
    /// Hands a sealed command to `to`, which should lead `group`. The answer comes within `deadline`.
    async fn propose(&self, to: NodeId, group: GroupId, command: Bytes, deadline: Duration)
    -> ProposeOutcome;

    /// Asks `to`, which should lead `group`, for a change. The answer comes within `deadline`.
    async fn change_group(
        &self,
        to: NodeId,
        group: GroupId,
        change: GroupChange,
        deadline: Duration,
    ) -> ChangeOutcome;

    /// Asks `from` for its part of a root, for this run of this node. It ends within `timeout`.
    async fn release_root(
        &self,
        from: NodeId,
        part: RootPart,
        slot: Slot,
        boot_id: BootId,
        timeout: Duration,
    ) -> Result<SecretBytes, GrantError>;

    /// Asks `to` for its signature under a checkpoint of the transparency log: a line, unless its tree is another.
    async fn cosign(
        &self,
        to: NodeId,
        checkpoint: String,
        timeout: Duration,
    ) -> Result<Option<String>, TransportError>;

    /// Brings `to` a root for its memory, or a share for its vault, or both. `Ok` when the share is durable there.
    async fn install_root(&self, to: NodeId, given: GivenRoot) -> Result<(), TransportError>;

    /// Asks `to`, which should lead the control group, for a lease. The answer comes within `timeout`.
    async fn renew_lease(&self, to: NodeId, timeout: Duration) -> Result<GrantedLease, TransportError>;

    /// Waits until `to` has applied an entry of the control group.
    async fn await_applied(
        &self,
        to: NodeId,
        control_index: u64,
        timeout: Duration,
    ) -> Result<(), TransportError>;

    /// Passes a typing notice to the tails on `to`.
    async fn relay_typing(
        &self,
        to: NodeId,
        conversation: ConversationId,
        participant: u32,
        active: bool,
    ) -> Result<(), TransportError>;

    /// Asks `to` how it is.
    async fn ping(&self, to: NodeId) -> Result<PeerState, TransportError>;

    /// Makes `to`, which is out of the control group, destroy every root that it has. `Ok` when the log says that it holds
    /// none.
    async fn retire(&self, to: NodeId) -> Result<(), TransportError>;

    /// Makes `to` hand over its leaderships, and says which groups it still leads.
    async fn drain(&self, to: NodeId) -> Result<Vec<GroupId>, TransportError>;
}
