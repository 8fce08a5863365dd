//! Appending: from a checked message to sealed sections, to an operation, to an ack.

use std::sync::Arc;

use eunoe_core::data::{
    self, Append, Appended, KeySetRef, NewParticipant, Operation, ParticipantKind, ParticipantRef, Profile,
    Section,
};
use eunoe_crypto::{ConversationRowAad, Entropy, KeyRef, KeyRefs, MessageAad, seal};
use eunoe_custody::{Conversation, Tenant};
use eunoe_types::{
    ConversationId, Day, Encoder, ErrorCode, Kid, MessageId, Outcome, RequestMac, Retry, Seq, TenantId,
    TimeMs,
};

use super::cache::Known;
use super::content::{self, PartInput, ROW_PARTICIPANT};
use super::{ApiError, ApiResult, Edge, Person, Position, with_nonces};
use crate::failpoint::{self, Failpoint};
use crate::groups::Submitted;
use crate::surroundings::{self, SystemEntropy};
use crate::telemetry::{self, metrics};

/// A message to append, checked against the limits.
pub struct MessageInput {
    /// The conversation.
    pub conversation: ConversationId,
    /// Chosen by the caller; none means that the caller cannot repeat.
    pub request_id: Option<String>,
    /// Who writes.
    pub author: Person,
    /// What.
    pub parts: Vec<PartInput>,
    /// What for.
    pub purpose: String,
}

/// That a message is durable and in its place.
#[derive(Clone, Copy, Debug)]
pub struct Ack {
    /// Its id.
    pub id: MessageId,
    /// Its place.
    pub seq: Seq,
    /// Its time.
    pub time: TimeMs,
    /// Resume point after it.
    pub position: Position,
    /// Whether an earlier call had added it.
    pub replayed: bool,
    /// Whether a key of it is erased already, as far as this node knows: it is in its place and unreadable.
    pub erased: bool,
}

/// A sealed message that is not in the log yet.
pub(super) struct Sealed {
    pub(super) known: Arc<Known>,
    pub(super) id: MessageId,
    mac: RequestMac,
    time: TimeMs,
    author: Author,
    purpose: u8,
    sections: Vec<SealedSection>,
}

struct Author {
    kid: Kid,
    kind: ParticipantKind,
    /// The sealed reference, unless the author has a number already.
    sealed: Option<Vec<u8>>,
}

struct SealedSection {
    refs: KeyRefs,
    encoded_refs: Vec<u8>,
    owners: Vec<Kid>,
    day: Day,
    envelope: Vec<u8>,
}

/// Parts that have the same owners.
struct OpenSection {
    owners: Vec<Kid>,
    parts: Vec<(u8, Vec<u8>)>,
}

impl Edge {
    /// Appends one message.
    pub async fn append(&self, tenant: &TenantId, message: MessageInput) -> ApiResult<Ack> {
        self.inner.quota.take(tenant, 1)?;
        let tenant = self.known_tenant(tenant).await?;
        let sealed = self.seal_message(&tenant, message).await?;
        // Waiting for a majority may take long.
        drop(tenant);
        let submitted = self
            .inner
            .groups
            .try_submit(&sealed.known.id, sealed.operation(None))?;
        self.acknowledge(&sealed, submitted)
            .await?
            .map_err(|rejection| refused(&rejection))
    }

    /// Seals a message for its place. Keys that it needs are made.
    pub(super) async fn seal_message(&self, tenant: &Tenant, message: MessageInput) -> ApiResult<Sealed> {
        let known = self
            .conversation(tenant, &message.conversation, "conversation_id")
            .await?;
        let purpose = known.purpose(&message.purpose)?;
        let keys = self.keys_of_conversation(&known.id).await?;
        if let Profile::Support = known.profile {
            // Before a key is made for anybody: once its principal is erased, it takes nothing for good (R6).
            self.newest_of_principal(known.principal).await?;
        }
        let author_kid = self.inner.keys.subject(tenant, &message.author.subject).await?;
        let time = surroundings::now();
        let bucket = self.inner.keys.bucket(tenant, time.day()).await?;
        let (id, mac) = identify(&keys, &message)?;
        let owner = match known.profile {
            Profile::Support => known.principal,
            Profile::Peer => author_kid,
        };
        let sections = self.sections(tenant, owner, &message.parts).await?;
        let realm = self.inner.keys.unsealed()?.realm();
        let place = |envelope| MessageAad {
            realm,
            conversation: known.id,
            message: id,
            envelope,
            day: time.day(),
        };
        let common = [keys.key.newest(), self.newest(bucket)?, tenant.key().newest()];
        let sections = (0u8..)
            .zip(sections)
            .map(|(number, section)| self.seal_section(&common, &section, &place(number)))
            .collect::<ApiResult<_>>()?;
        let author = self.author(tenant, &known, &keys, author_kid, &message.author)?;
        failpoint::reached(Failpoint::AppendSealed);
        Ok(Sealed {
            known,
            id,
            mac,
            time,
            author,
            purpose,
            sections,
        })
    }

    /// Waits for the reply to a sealed message. A rejection is an answer, not an error.
    pub(super) async fn acknowledge(
        &self,
        sealed: &Sealed,
        submitted: Submitted,
    ) -> ApiResult<Result<Ack, data::Rejection>> {
        let reply = submitted
            .await
            .unwrap_or(Err(crate::groups::SubmitError::Unknown))?;
        match reply {
            data::Reply::Appended(appended) => Ok(Ok(self.ack(sealed, &appended)?)),
            data::Reply::Rejected(rejection) => {
                if rejection == data::Rejection::UnknownNumber {
                    self.inner.cache.forget(&sealed.known.id);
                }
                Ok(Err(rejection))
            }
            data::Reply::Created { .. } | data::Reply::Closed { .. } => {
                Err(ApiError::internal("an append was answered with another reply"))
            }
        }
    }

    /// Hands in a sealed message, waiting for room.
    pub(super) async fn submit(&self, sealed: &Sealed, after: Option<MessageId>) -> ApiResult<Submitted> {
        self.hand_in(&sealed.known.id, sealed.operation(after)).await
    }

    fn ack(&self, sealed: &Sealed, appended: &Appended) -> ApiResult<Ack> {
        let sets = sealed.sections.iter().map(|section| &section.refs);
        if !appended.replayed {
            telemetry::count(&metrics::APPENDED, 1, &[]);
            telemetry::count(&metrics::APPENDED_BYTES, sealed.bytes(), &[]);
            sealed.known.learn(sealed.author.kid, sets, appended);
        }
        let keys = self.inner.keys.unsealed();
        let fenced = |kid| keys.as_ref().is_ok_and(|keys| keys.is_fenced(kid));
        let mut kids = sealed.sections.iter().flat_map(|section| section.refs.as_slice());
        Ok(Ack {
            erased: kids.any(|key_ref| fenced(&key_ref.kid)),
            id: sealed.id,
            seq: appended.seq,
            time: appended.time,
            position: self.position(appended.seq)?,
            replayed: appended.replayed,
        })
    }

    /// A conversation's keys. They may have been made on another node a moment ago.
    pub(super) async fn keys_of_conversation(&self, id: &ConversationId) -> ApiResult<Arc<Conversation>> {
        if let Some(keys) = self.inner.keys.of_conversation(id)? {
            return Ok(keys);
        }
        self.inner.keys.barrier().await?;
        self.inner.keys.of_conversation(id)?.ok_or_else(ApiError::erased)
    }

    /// The ref of a key's newest generation.
    pub(super) fn newest(&self, kid: Kid) -> ApiResult<KeyRef> {
        Ok(self.inner.keys.key(kid)?.ok_or_else(ApiError::erased)?.newest())
    }

    /// A principal's key may have been made on another node a moment ago.
    async fn newest_of_principal(&self, kid: Kid) -> ApiResult<KeyRef> {
        if let Ok(newest) = self.newest(kid) {
            return Ok(newest);
        }
        self.inner.keys.barrier().await?;
        self.newest(kid)
    }

    /// Parts by owners, in the order of their first part.
    async fn sections(
        &self,
        tenant: &Tenant,
        owner: Kid,
        parts: &[PartInput],
    ) -> ApiResult<Vec<OpenSection>> {
        let mut sections: Vec<OpenSection> = Vec::with_capacity(1);
        for (place, part) in (0u8..).zip(parts) {
            let mut owners = vec![owner];
            for subject in &part.about {
                let kid = self.inner.keys.subject(tenant, subject).await?;
                if !owners.contains(&kid) {
                    owners.push(kid);
                }
            }
            owners.sort_unstable();
            let mut e = Encoder::with_capacity(64);
            part.encode(&mut e);
            let part = (place, e.finish());
            match sections.iter_mut().find(|section| section.owners == owners) {
                Some(section) => section.parts.push(part),
                None => sections.push(OpenSection {
                    owners,
                    parts: vec![part],
                }),
            }
        }
        Ok(sections)
    }

    fn seal_section(
        &self,
        common: &[KeyRef],
        section: &OpenSection,
        place: &MessageAad,
    ) -> ApiResult<SealedSection> {
        let mut refs = common.to_vec();
        for owner in &section.owners {
            refs.push(self.newest(*owner)?);
        }
        let refs = KeyRefs::new(refs).map_err(|_| ApiError::internal("keys do not make a list"))?;
        let key = self.inner.keys.content_key(&refs)?.ok_or_else(ApiError::erased)?;
        let content = content::encode_section(&section.parts);
        let envelope = with_nonces(|nonces| seal(&key, place, &content, nonces)).map_err(|_| not_sealed())?;
        let mut e = Encoder::with_capacity(80);
        refs.encode(&mut e);
        let owners = section.owners.clone();
        Ok(SealedSection {
            encoded_refs: e.finish(),
            refs,
            owners,
            day: place.day,
            envelope,
        })
    }

    fn author(
        &self,
        tenant: &Tenant,
        known: &Known,
        keys: &Conversation,
        kid: Kid,
        person: &Person,
    ) -> ApiResult<Author> {
        let sealed = match known.numbers().participant(&kid) {
            Some(_) => None,
            None => Some(self.seal_participant(tenant, &known.id, keys.key.newest(), kid, person)?),
        };
        Ok(Author {
            kid,
            kind: person.kind,
            sealed,
        })
    }

    /// A participant's reference, sealed under the participant's own key.
    pub(super) fn seal_participant(
        &self,
        tenant: &Tenant,
        conversation: &ConversationId,
        conversation_key: KeyRef,
        kid: Kid,
        person: &Person,
    ) -> ApiResult<Vec<u8>> {
        let refs = vec![self.newest(kid)?, conversation_key, tenant.key().newest()];
        self.seal_row(
            refs,
            conversation,
            ROW_PARTICIPANT,
            &content::encode_reference(&person.subject),
        )
    }

    /// A sealed row of a conversation.
    pub(super) fn seal_row(
        &self,
        refs: Vec<KeyRef>,
        conversation: &ConversationId,
        row: u8,
        plain: &[u8],
    ) -> ApiResult<Vec<u8>> {
        let refs = KeyRefs::new(refs).map_err(|_| ApiError::internal("keys do not make a list"))?;
        let key = self.inner.keys.content_key(&refs)?.ok_or_else(ApiError::erased)?;
        let place = self.row_place(conversation, row)?;
        with_nonces(|nonces| content::seal_row(&key, &place, plain, nonces)).map_err(|_| not_sealed())
    }

    /// The place of a row. What tells two participants apart is whose keys they are sealed under.
    pub(super) fn row_place(&self, conversation: &ConversationId, row: u8) -> ApiResult<ConversationRowAad> {
        let realm = self.inner.keys.unsealed()?.realm();
        Ok(ConversationRowAad {
            realm,
            conversation: *conversation,
            row,
            item: 0,
            version: 0,
        })
    }
}

impl Sealed {
    /// Bytes of the sealed content.
    fn bytes(&self) -> u64 {
        let sizes = self.sections.iter().map(|section| section.envelope.len() as u64);
        sizes.sum()
    }

    /// The operation, with what this node knows by number.
    pub(super) fn operation(&self, after: Option<MessageId>) -> Vec<u8> {
        let numbers = self.known.numbers();
        let author = match (&self.author.sealed, numbers.participant(&self.author.kid)) {
            (_, Some(number)) => ParticipantRef::Number(number),
            (sealed, None) => ParticipantRef::New(NewParticipant {
                kid: self.author.kid,
                kind: self.author.kind,
                sealed: sealed.as_deref().unwrap_or_default(),
            }),
        };
        let sections = self.sections.iter().map(|section| Section {
            keys: match numbers.key_set(&section.refs) {
                Some(number) => KeySetRef::Number(number),
                None => KeySetRef::Inline {
                    day: section.day,
                    refs: &section.encoded_refs,
                    owners: section.owners.clone(),
                },
            },
            envelope: &section.envelope,
        });
        data::encode_operation(&Operation::Append(Append {
            conversation: self.known.id,
            id: self.id,
            mac: self.mac,
            time: self.time,
            author,
            purpose: self.purpose,
            sections: sections.collect(),
            after,
        }))
    }
}

/// Id and MAC: the same request gives the same.
fn identify(keys: &Conversation, message: &MessageInput) -> ApiResult<(MessageId, RequestMac)> {
    let id = match &message.request_id {
        Some(request) => keys.lookup.message_id(request.as_bytes()),
        None => MessageId(random_id()?),
    };
    let mut e = Encoder::with_capacity(64);
    e.text(&message.author.subject).text(&message.purpose);
    message.parts.iter().for_each(|part| part.encode(&mut e));
    let body = zeroize::Zeroizing::new(e.finish());
    Ok((id, keys.lookup.body_mac(id, [body.as_slice()])))
}

/// An id of something whose caller named none.
pub(super) fn random_id() -> ApiResult<[u8; 16]> {
    let mut id = [0; 16];
    SystemEntropy
        .fill(&mut id)
        .map_err(|_| ApiError::internal("there is no randomness"))?;
    Ok(id)
}

fn not_sealed() -> ApiError {
    ApiError::internal("the content was not sealed")
}

/// What a rejection means to a caller.
pub(super) fn refused(rejection: &data::Rejection) -> ApiError {
    match rejection {
        data::Rejection::NoSuchConversation => ApiError::not_found("conversation_id", "no such conversation"),
        data::Rejection::ConversationDiffers => ApiError {
            field: Some("external_ref".into()),
            ..ApiError::new(
                ErrorCode::AlreadyExists,
                "CONVERSATION_DIFFERS",
                "the conversation exists with another principal or profile",
            )
        },
        data::Rejection::ConversationClosed => {
            ApiError::precondition("CONVERSATION_CLOSED", "the conversation takes no more messages")
        }
        data::Rejection::RequestIdReused => ApiError {
            field: Some("request_id".into()),
            ..ApiError::new(
                ErrorCode::AlreadyExists,
                "REQUEST_ID_REUSED",
                "this request id was used for another message",
            )
        },
        data::Rejection::OutOfOrder => predecessor_refused(),
        data::Rejection::UnknownNumber => ApiError {
            retry: Retry::SameRequestId,
            ..ApiError::new(
                ErrorCode::Aborted,
                "STALE_NUMBERS",
                "the conversation changed; try again",
            )
        },
        data::Rejection::TooManyParticipants => ApiError::exhausted(
            "TOO_MANY_PARTICIPANTS",
            "the conversation takes no more participants",
            0,
        ),
    }
}

/// A message in front of this one is not in its place, so neither is this one.
pub(super) fn predecessor_refused() -> ApiError {
    ApiError {
        retry: Retry::SameRequestId,
        outcome: Outcome::NoEffect,
        ..ApiError::new(
            ErrorCode::Aborted,
            "PREDECESSOR_REFUSED",
            "an earlier message of this conversation was not stored",
        )
    }
}
