//! What this node does for its peers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eunoe_core::control::{self, Command};
use eunoe_crypto::SecretBytes;
use eunoe_evidence::SignedCheckpoint;
use eunoe_raft::ProposeError;
use eunoe_types::{BootId, ConversationId, GroupId, NodeId};
use eunoe_vault::Slot;

use super::{Shared, drain, founding, lease, retiring, unsealing};
use crate::edge::TypingNotice;
use crate::groups::change_here;
use crate::peer::{
    ChangeOutcome, GivenRoot, GrantedLease, GroupChange, PeerHandler, PeerState, ProposeOutcome,
    RefusedGrant, RootPart,
};

/// How long a peer may wait for an entry to be applied here.
const AWAIT_TIMEOUT: Duration = Duration::from_secs(2);

/// Answers peers.
pub(super) struct Handler {
    pub(super) shared: Arc<Shared>,
}

#[tonic::async_trait]
impl PeerHandler for Handler {
    async fn propose(&self, from: NodeId, group: GroupId, command: Bytes) -> ProposeOutcome {
        if group.is_control() && !may_propose(from, &command) {
            tracing::error!(node = %from, "a node proposed what only another one may say");
            return ProposeOutcome::NotLeader(None);
        }
        let Some(group) = self.shared.group(group) else {
            return ProposeOutcome::NotLeader(None);
        };
        match group.propose(command).await {
            Ok(reply) => ProposeOutcome::Reply(reply),
            Err(ProposeError::NotLeader { leader }) => ProposeOutcome::NotLeader(leader.map(|(id, _)| id)),
            Err(ProposeError::Overloaded) => ProposeOutcome::Overloaded,
            Err(ProposeError::Stopped | ProposeError::TooLarge { .. }) => ProposeOutcome::NotLeader(None),
            Err(ProposeError::Unknown) => ProposeOutcome::Unknown,
        }
    }

    async fn change_group(&self, _from: NodeId, group: GroupId, change: GroupChange) -> ChangeOutcome {
        match self.shared.group(group) {
            Some(group) => change_here(&group, change).await,
            None => ChangeOutcome::NotLeader(None),
        }
    }

    async fn cosign(&self, checkpoint: &str) -> Option<String> {
        let signed = SignedCheckpoint::parse(checkpoint.as_bytes()).ok()?;
        let (shared, control) = (Arc::clone(&self.shared), self.shared.group(GroupId::CONTROL)?);
        let line = self
            .shared
            .blocking(move || control.with_view(|view| shared.signer.cosign(view, &signed)));
        line.await.ok()?.ok()?.ok()?
    }

    async fn release_root(
        &self,
        from: NodeId,
        part: RootPart,
        slot: Slot,
        boot_id: BootId,
    ) -> Result<SecretBytes, RefusedGrant> {
        unsealing::release(&self.shared, from, part, (slot, boot_id)).await
    }

    async fn install_root(&self, from: NodeId, given: GivenRoot) -> Result<(), RefusedGrant> {
        unsealing::install(&self.shared, from, given).await
    }

    async fn renew_lease(&self, from: NodeId) -> Result<GrantedLease, RefusedGrant> {
        lease::grant(&self.shared, from).await
    }

    async fn await_applied(&self, control_index: u64) -> bool {
        match self.shared.group(GroupId::CONTROL) {
            Some(control) => control.wait_applied(control_index, AWAIT_TIMEOUT).await.is_ok(),
            None => false,
        }
    }

    async fn relay_typing(&self, conversation: ConversationId, participant: u32, active: bool) {
        self.shared
            .hub
            .typing(&conversation, TypingNotice { participant, active });
    }

    async fn drain(&self) -> Vec<GroupId> {
        drain::drain(&self.shared).await
    }

    async fn retire(&self, from: NodeId) -> bool {
        retiring::retire(&self.shared, from).await
    }

    fn state(&self, asker: NodeId) -> PeerState {
        state(&self.shared, asker)
    }
}

/// Whether a node may propose this: what a node says of its own vault and memory only it can say.
fn may_propose(from: NodeId, command: &[u8]) -> bool {
    match Command::decode(command) {
        Ok(Command::AttestDestroyed(said)) => said.node == from,
        Ok(Command::VerifyEpoch(said)) => said.node == from,
        Ok(Command::VaultRolledBack(said)) => said.node == from,
        Ok(Command::RegisterKeys(said)) => said.node == from,
        Ok(Command::GrantRoot { node, .. }) => node == from,
        // Whoever leads says it without asking anybody.
        Ok(Command::LeaseOver(_)) => false,
        Ok(_) | Err(_) => true,
    }
}

/// Whether a node votes, or was given the root before: what is given one, or named to get one, has started. Unknown while
/// the groups do not run.
fn knows(shared: &Shared, node: NodeId) -> Option<bool> {
    let control = shared.group(GroupId::CONTROL)?;
    if control.leadership().members.is_voter(node) {
        return Some(true);
    }
    let holder = control.with_view(|view| control::holder(view, node)).ok()?.ok()?;
    Some(holder.is_some())
}

/// How this node is, for `asker`.
pub(super) fn state(shared: &Shared, asker: NodeId) -> PeerState {
    let groups = shared.groups().ok();
    let handles = groups.iter().flat_map(|groups| groups.all().cloned());
    PeerState {
        node: shared.config.node_id,
        unsealed: shared.keyring.unsealed().is_ok(),
        begun: founding::begun(handles),
        genesis: shared.has_genesis(),
        draining: shared.is_draining(),
        knows_asker: knows(shared, asker).unwrap_or_default(),
        started: groups.is_some(),
        boot: shared.boot,
        lease_left_ms: shared.keyring.lease().left_ms(),
        share_kept: shared.keeps_share(),
        vault: shared.vault.descriptor().class,
    }
}
