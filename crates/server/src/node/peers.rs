//! What this node does for its peers.

use std::sync::Arc;

use bytes::Bytes;
use eunoe_core::control;
use eunoe_raft::ProposeError;
use eunoe_types::{BootId, ConversationId, GroupId, NodeId};

use super::{Shared, drain, founding, unsealing};
use crate::edge::TypingNotice;
use crate::groups::change_here;
use crate::peer::{
    ChangeOutcome, GrantedRoot, GroupChange, PeerHandler, PeerState, ProposeOutcome, RefusedGrant,
};

/// Answers peers.
pub(super) struct Handler {
    pub(super) shared: Arc<Shared>,
}

#[tonic::async_trait]
impl PeerHandler for Handler {
    async fn propose(&self, _from: NodeId, group: GroupId, command: Bytes) -> ProposeOutcome {
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

    async fn grant_root(&self, from: NodeId, boot_id: BootId) -> Result<GrantedRoot, RefusedGrant> {
        unsealing::grant(&self.shared, from, boot_id).await
    }

    async fn relay_typing(&self, conversation: ConversationId, participant: u32, active: bool) {
        self.shared
            .hub
            .typing(&conversation, TypingNotice { participant, active });
    }

    async fn drain(&self) -> Vec<GroupId> {
        drain::drain(&self.shared).await
    }

    fn state(&self, asker: NodeId) -> PeerState {
        state(&self.shared, asker)
    }
}

/// Whether a node votes, or was given the root before. Unknown while the groups do not run.
fn knows(shared: &Shared, node: NodeId) -> Option<bool> {
    let control = shared.group(GroupId::CONTROL)?;
    if control.leadership().members.is_voter(node) {
        return Some(true);
    }
    let granted = control.with_view(|view| match control::genesis(view)? {
        Some(genesis) => control::was_granted(view, genesis.epoch, node),
        None => Ok(false),
    });
    granted.ok()?.ok()
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
    }
}
