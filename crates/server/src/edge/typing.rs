//! Typing notices: relayed to the tails of all nodes, stored nowhere, lost without notice.

use std::sync::Arc;

use eunoe_core::control;
use eunoe_core::data;
use eunoe_types::{ConversationId, TenantId};

use super::cache::absent;
use super::{ApiError, ApiResult, Edge, Person, Reader, TypingNotice};

impl Edge {
    /// Tells the tails of a conversation that one of its participants types, or stopped. To a person who does not take part
    /// there is no such conversation.
    pub async fn typing(
        &self,
        tenant: &TenantId,
        id: &ConversationId,
        reader: &Reader,
        person: &Person,
        active: bool,
    ) -> ApiResult<()> {
        self.inner.quota.take(tenant, 1)?;
        let tenant = self.known_tenant(tenant).await?;
        self.conversation(&tenant, id, "conversation_id").await?;
        let kid = self.inner.keys.present_subject(&tenant, &person.subject)?;
        let number = match kid {
            Some(kid) => {
                let group = self.inner.groups.of(id);
                let find = || group.with_view(|view| data::participant_number(view, id, &kid));
                match find()?? {
                    Some(number) => Some(number),
                    None => {
                        self.barrier_of(group).await?;
                        find()??
                    }
                }
            }
            None => None,
        };
        let participant = number.ok_or_else(|| match reader {
            Reader::Tenant => ApiError::invalid("participant.subject", "must take part in the conversation"),
            // As absent as one that is not there, and in the same words.
            Reader::Participant(_) | Reader::Visitor(_) => absent("conversation_id"),
        })?;
        self.relay(id, TypingNotice { participant, active })
    }

    fn relay(&self, id: &ConversationId, notice: TypingNotice) -> ApiResult<()> {
        self.inner.hub.typing(id, notice);
        let here = self.inner.groups.control().node_id();
        let nodes = self.inner.groups.control().with_view(control::nodes)??;
        let others = nodes
            .into_iter()
            .filter(|node| node.id != here && node.state.is_admitted());
        for node in others {
            // A notice that finds no room is lost, as notices may be.
            let Ok(turn) = Arc::clone(&self.inner.relays).try_acquire_owned() else {
                break;
            };
            let (peers, id) = (self.inner.peers.clone(), *id);
            tokio::spawn(async move {
                let _lost_or_told = peers
                    .relay_typing(node.id, id, notice.participant, notice.active)
                    .await;
                drop(turn);
            });
        }
        Ok(())
    }
}
