//! Conversations: created once per name, listed by the people in them, closed for good.

use eunoe_core::data::{
    self, ConversationRow, ConversationState, CreateConversation, HeadRow, NewParticipant, Operation,
    ParticipantRow, Profile, Reply,
};
use eunoe_custody::Tenant;
use eunoe_types::{ConversationId, ErrorCode, Fault, Kid, Seq, TenantId, TimeMs};

use super::append::refused;
use super::content::{Naming, ROW_CONVERSATION};
use super::tokens::{decode_conversation, encode_conversation};
use super::{ApiError, ApiResult, ConversationName, Edge, Opened, ParticipantView, Person, Reader};
use crate::groups::SubmitError;
use crate::surroundings;

/// Conversations that may be looked at for one page, those that are left out included.
const LOOKED_AT_MAX: usize = 4_000;

/// A conversation to create, checked against the limits.
pub struct NewConversation {
    /// Whose keys its parts need.
    pub profile: Profile,
    /// May be empty.
    pub external_ref: String,
    /// What it is found by when there is no external reference.
    pub request_id: String,
    /// May be empty.
    pub title: String,
    /// The first is the principal of a SUPPORT conversation.
    pub participants: Vec<Person>,
    /// What messages may be stored and read for.
    pub purposes: Vec<String>,
}

/// A conversation without its messages.
pub struct ConversationView {
    /// Its id.
    pub id: ConversationId,
    /// Ownership rule.
    pub profile: Profile,
    /// Title and external reference.
    pub naming: Opened<Naming>,
    /// In the order of their first appearance.
    pub participants: Vec<ParticipantView>,
    /// Open, or closed since.
    pub state: ConversationState,
    /// Purposes.
    pub purposes: Vec<String>,
    /// When it was created.
    pub created: TimeMs,
    /// The last message.
    pub head: Seq,
}

/// The name under which an external reference is filed: the first byte keeps it apart from request ids.
pub(super) fn by_external_ref(reference: &str) -> Vec<u8> {
    [&[0], reference.as_bytes()].concat()
}

fn by_request_id(request_id: &str) -> Vec<u8> {
    [&[1], request_id.as_bytes()].concat()
}

/// Rows of a conversation, still sealed.
type Rows = (ConversationRow, HeadRow, Vec<ParticipantRow>);

impl Edge {
    /// Creates a conversation, or finds it; says whether it was created.
    pub async fn create_conversation(
        &self,
        tenant: &TenantId,
        new: NewConversation,
    ) -> ApiResult<(ConversationView, bool)> {
        self.inner.quota.take(tenant, 1)?;
        let tenant = self.inner.keys.tenant(tenant).await?;
        let subjects = new
            .participants
            .iter()
            .map(|person| self.inner.keys.subject(&tenant, &person.subject));
        let kids = futures::future::try_join_all(subjects).await?;
        let principal = match new.profile {
            Profile::Support => kids.first().copied(),
            Profile::Peer => None,
        };
        let name = match new.external_ref.as_str() {
            "" => by_request_id(&new.request_id),
            reference => by_external_ref(reference),
        };
        let id = self.inner.keys.conversation(&tenant, principal, &name).await?;
        if let Profile::Support = new.profile
            && principal.map(|kid| kid.shard()) != Some(id.shard())
        {
            return Err(refused(&data::Rejection::ConversationDiffers));
        }
        let operation = self.creation(&tenant, &id, &new, &kids).await?;
        // Waiting for a majority may take long.
        drop(tenant);
        let created = match self.carry_out(&id, operation).await? {
            Reply::Created { new } => new,
            Reply::Rejected(rejection) => return Err(refused(&rejection)),
            Reply::Appended(_) | Reply::Closed { .. } => return Err(other_reply()),
        };
        let view = self.view(&id).await.map_err(ApiError::after_the_effect)?;
        Ok((view, created))
    }

    async fn creation(
        &self,
        tenant: &Tenant,
        id: &ConversationId,
        new: &NewConversation,
        kids: &[Kid],
    ) -> ApiResult<Vec<u8>> {
        let key = self.keys_of_conversation(id).await?.key.newest();
        let mut refs = vec![key, tenant.key().newest()];
        let principal = match (new.profile, kids.first()) {
            (Profile::Support, Some(principal)) => {
                refs.push(self.newest(*principal)?);
                *principal
            }
            (Profile::Support | Profile::Peer, _) => id.kid(),
        };
        let naming = Naming {
            title: new.title.clone(),
            external_ref: new.external_ref.clone(),
        };
        let sealed = self.seal_row(refs, id, ROW_CONVERSATION, &naming.encode())?;
        let references = new
            .participants
            .iter()
            .zip(kids)
            .map(|(person, kid)| self.seal_participant(tenant, id, key, *kid, person))
            .collect::<ApiResult<Vec<_>>>()?;
        let people = new.participants.iter().zip(kids).zip(&references);
        let participants = people
            .map(|((person, kid), sealed)| NewParticipant {
                kid: *kid,
                kind: person.kind,
                sealed,
            })
            .collect();
        Ok(data::encode_operation(&Operation::Create(CreateConversation {
            id: *id,
            profile: new.profile,
            principal,
            tenant: tenant.key().kid(),
            time: surroundings::now(),
            purposes: new.purposes.iter().map(String::as_str).collect(),
            sealed: &sealed,
            participants,
        })))
    }

    async fn carry_out(&self, id: &ConversationId, operation: Vec<u8>) -> ApiResult<Reply> {
        let submitted = self.hand_in(id, operation).await?;
        Ok(submitted.await.unwrap_or(Err(SubmitError::Unknown))?)
    }

    /// One conversation.
    pub async fn get_conversation(
        &self,
        tenant: &TenantId,
        reader: &Reader,
        name: &ConversationName,
        purpose: &str,
    ) -> ApiResult<ConversationView> {
        let known = self.readable(tenant, reader, name, purpose).await?;
        self.open_conversation(&known.id, self.rows(&known.id)?)
    }

    /// Closes a conversation.
    pub async fn close_conversation(
        &self,
        tenant: &TenantId,
        name: &ConversationName,
        purpose: &str,
    ) -> ApiResult<ConversationView> {
        self.inner.quota.take(tenant, 1)?;
        let known = self.readable(tenant, &Reader::Tenant, name, purpose).await?;
        let operation = Operation::Close {
            conversation: known.id,
            time: surroundings::now(),
        };
        match self
            .carry_out(&known.id, data::encode_operation(&operation))
            .await?
        {
            Reply::Closed { .. } => self.view(&known.id).await.map_err(ApiError::after_the_effect),
            Reply::Rejected(rejection) => Err(refused(&rejection)),
            Reply::Created { .. } | Reply::Appended(_) => Err(other_reply()),
        }
    }

    /// Conversations that a subject takes part in, or that have parts about the subject, after a token. Those
    /// without the purpose, and those that `reader` may not read, are left out. Says the token of the next page.
    pub async fn list_conversations(
        &self,
        tenant: &TenantId,
        reader: &Reader,
        subject: &str,
        purpose: &str,
        size: usize,
        token: Option<&str>,
    ) -> ApiResult<(Vec<ConversationView>, Option<String>)> {
        let after = token.map(decode_conversation).transpose()?;
        let tenant = self.known_tenant(tenant).await?;
        self.barrier_of_all().await?;
        let Some(kid) = self.inner.keys.present_subject(&tenant, subject)? else {
            return Err(ApiError::not_found("subject", "no such subject"));
        };
        let mut page = Vec::new();
        let mut cursor = after;
        for _ in 0..LOOKED_AT_MAX {
            let Some(id) = self.next_conversation(&kid, cursor.as_ref())? else {
                return Ok((page, None));
            };
            if page.len() == size {
                return Ok((page, cursor.map(encode_conversation)));
            }
            cursor = Some(id);
            let rows = self.rows(&id)?;
            if rows.0.purposes.iter().any(|known| known == purpose) && self.may_read(&tenant, reader, &id)? {
                page.push(self.open_conversation(&id, rows)?);
            }
        }
        Ok((page, cursor.map(encode_conversation)))
    }

    /// The ids of a subject's conversations are spread over the groups: the smallest next one of all.
    fn next_conversation(
        &self,
        kid: &Kid,
        after: Option<&ConversationId>,
    ) -> ApiResult<Option<ConversationId>> {
        let mut next: Option<ConversationId> = None;
        for group in self.inner.groups.data() {
            let found = group.with_view(|view| data::conversations_of(view, kid, after, 1))??;
            next = next.into_iter().chain(found).min();
        }
        Ok(next)
    }

    async fn barrier_of_all(&self) -> ApiResult<()> {
        let groups = self.inner.groups.all().map(|group| self.barrier_of(group));
        futures::future::try_join_all(groups).await?;
        Ok(())
    }

    /// A conversation as it is now, for the answer to whoever changed it.
    async fn view(&self, id: &ConversationId) -> ApiResult<ConversationView> {
        self.barriers(id).await?;
        self.open_conversation(id, self.rows(id)?)
    }

    fn rows(&self, id: &ConversationId) -> ApiResult<Rows> {
        let rows = self.inner.groups.of(id).with_view(|view| {
            let (row, head) = (data::conversation(view, id)?, data::head(view, id)?);
            Ok::<_, Fault>((row.zip(head), data::participants(view, id)?))
        })??;
        match rows {
            (Some((row, head)), participants) => Ok((row, head, participants)),
            (None, _) => Err(ApiError::not_found("conversation", "no such conversation")),
        }
    }

    fn open_conversation(&self, id: &ConversationId, rows: Rows) -> ApiResult<ConversationView> {
        let (row, head, participants) = rows;
        let naming = match self.open_row(id, ROW_CONVERSATION, &row.sealed)? {
            Opened::Ok(content) => Opened::Ok(Naming::decode(&content).map_err(Fault::from)?),
            Opened::Erased => Opened::Erased,
        };
        let participants = participants
            .iter()
            .map(|row| self.open_participant(id, row))
            .collect::<ApiResult<_>>()?;
        Ok(ConversationView {
            id: *id,
            profile: row.profile,
            naming,
            participants,
            state: head.state,
            purposes: row.purposes,
            created: row.created,
            head: head.last_seq,
        })
    }
}

fn other_reply() -> ApiError {
    ApiError::new(
        ErrorCode::Internal,
        "INTERNAL",
        "an operation was answered with another reply",
    )
}
