//! Order within a call: messages of one conversation are stored in the order given, or the later ones are refused.

use std::collections::HashMap;

use eunoe_core::data::Rejection;
use eunoe_types::{ConversationId, MessageId, TenantId};
use futures::future::{BoxFuture, FutureExt};
use tokio::sync::watch;

use super::append::{Sealed, predecessor_refused, refused};
use super::{Ack, ApiError, ApiResult, Edge, MessageInput};
use crate::groups::Submitted;

/// Attempts to store a message whose predecessor was late.
const ATTEMPTS: usize = 16;
/// Conversations of one stream whose order is remembered; older settled ones are forgotten first.
const CHAINS: usize = 4_096;

/// What became of the message in front: nothing yet, stored, or not.
type Settled = watch::Receiver<Option<bool>>;

/// The last message of a conversation in this call.
#[derive(Clone)]
struct Predecessor {
    id: Option<MessageId>,
    settled: Settled,
}

impl Predecessor {
    fn state(&self) -> Option<bool> {
        *self.settled.borrow()
    }

    /// Waits; a message whose task ended without a word was not stored as far as anybody knows.
    async fn stored(&mut self) -> bool {
        self.settled
            .wait_for(Option::is_some)
            .await
            .is_ok_and(|state| *state == Some(true))
    }
}

/// Puts the messages of one call in order. It lives as long as the call, so it holds no keys: those of a tenant that is
/// erased must be gone from memory while the call goes on.
pub struct Sequencer {
    edge: Edge,
    tenant: TenantId,
    last: HashMap<ConversationId, Predecessor>,
}

impl Edge {
    /// A sequencer for one call on behalf of `tenant`.
    pub async fn sequencer(&self, tenant: &TenantId) -> ApiResult<Sequencer> {
        self.known_tenant(tenant).await?;
        Ok(Sequencer {
            edge: self.clone(),
            tenant: tenant.clone(),
            last: HashMap::new(),
        })
    }
}

impl Sequencer {
    /// Hands in the next message; the future gives its result. Waits only for keys and room.
    pub async fn append(&mut self, message: MessageInput) -> BoxFuture<'static, ApiResult<Ack>> {
        let conversation = message.conversation;
        let before = self.last.get(&conversation).cloned();
        let (settle, settled) = watch::channel(None);
        let handed_in = self.hand_in(message, before).await;
        let id = handed_in.as_ref().ok().map(|(sealed, ..)| sealed.id);
        if handed_in.is_err() {
            // At once: whoever hands in many looks at the results later.
            settle.send_replace(Some(false));
        }
        self.remember(conversation, Predecessor { id, settled });
        let edge = self.edge.clone();
        async move {
            let result = match handed_in {
                Ok((sealed, submitted, before)) => edge.store(&sealed, submitted, before).await,
                Err(error) => Err(error),
            };
            settle.send_replace(Some(result.is_ok()));
            result
        }
        .boxed()
    }

    /// Refuses a message that is not even well-formed, and what comes after it in its conversation.
    pub fn refuse(&mut self, conversation: ConversationId) {
        let (_, settled) = watch::channel(Some(false));
        self.remember(conversation, Predecessor { id: None, settled });
    }

    async fn hand_in(
        &self,
        message: MessageInput,
        before: Option<Predecessor>,
    ) -> ApiResult<(Sealed, Submitted, Option<Predecessor>)> {
        if before
            .as_ref()
            .is_some_and(|before| before.state() == Some(false))
        {
            return Err(predecessor_refused());
        }
        self.edge.inner.quota.take(&self.tenant, 1)?;
        let tenant = self.edge.known_tenant(&self.tenant).await?;
        let sealed = self.edge.seal_message(&tenant, message).await?;
        // Waiting for room may take long.
        drop(tenant);
        // One that is stored already needs no watching.
        let before = before.filter(|before| before.state() != Some(true));
        let after = before.as_ref().and_then(|before| before.id);
        let submitted = self.edge.submit(&sealed, after).await?;
        Ok((sealed, submitted, before))
    }

    fn remember(&mut self, conversation: ConversationId, predecessor: Predecessor) {
        if self.last.len() >= CHAINS && !self.last.contains_key(&conversation) {
            // A refused predecessor must be remembered until the stream ends.
            self.last.retain(|_, last| last.state() != Some(true));
        }
        self.last.insert(conversation, predecessor);
    }

    /// Whether so many conversations have unsettled or refused messages that no other is taken.
    pub fn is_full(&self) -> bool {
        self.last.len() > 2 * CHAINS
    }
}

impl Edge {
    /// Waits until a message is stored, handing it in again when it overtook its predecessor.
    async fn store(
        &self,
        sealed: &Sealed,
        submitted: Submitted,
        mut before: Option<Predecessor>,
    ) -> ApiResult<Ack> {
        let mut submitted = submitted;
        for _ in 0..ATTEMPTS {
            match self.acknowledge(sealed, submitted).await? {
                Ok(ack) => return Ok(ack),
                Err(Rejection::OutOfOrder) => {
                    let Some(before) = &mut before else {
                        return Err(predecessor_refused());
                    };
                    if !before.stored().await {
                        return Err(predecessor_refused());
                    }
                    let after = before.id;
                    submitted = self.submit(sealed, after).await?;
                }
                Err(rejection) => return Err(refused(&rejection)),
            }
        }
        Err(ApiError::unavailable(
            "REORDERED",
            "the message kept overtaking its predecessor",
        ))
    }
}
