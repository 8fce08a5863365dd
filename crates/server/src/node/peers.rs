//! What this node does for its peers.

use std::sync::Arc;

use bytes::Bytes;
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

    fn state(&self) -> PeerState {
        state(&self.shared)
    }
}

/// How this node is.
pub(super) fn state(shared: &Shared) -> PeerState {
    let groups = shared.groups().ok();
    let handles = groups.iter().flat_map(|groups| groups.all().cloned());
    PeerState {
        node: shared.config.node_id,
        unsealed: shared.keyring.unsealed().is_ok(),
        begun: founding::begun(handles),
        genesis: shared.has_genesis(),
        draining: shared.is_draining(),
    }
}
