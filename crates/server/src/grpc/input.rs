//! Checked requests: every limit of the API is looked at here, and every refusal names the field.

use eunoe_core::data::{ParticipantKind, Profile};
use eunoe_proto::chat::{self as proto, conversation_name, part};
use eunoe_types::{ConversationId, MessageId, TimeMs, limits};
use prost_types::Timestamp;

use crate::edge::{
    ApiError, ApiResult, ConversationName, MessageInput, NewConversation, PartContent, PartInput, Person,
};
use crate::hex;

/// A text of `min` to `max` bytes.
pub(super) fn bounded(field: &str, value: &str, min: usize, max: usize) -> ApiResult<()> {
    if (min..=max).contains(&value.len()) {
        return Ok(());
    }
    Err(ApiError::invalid(
        field,
        format!("must have {min} to {max} bytes"),
    ))
}

/// A reference to a person.
pub(super) fn subject(field: &str, value: String) -> ApiResult<String> {
    bounded(field, &value, 1, limits::REFERENCE_BYTES_MAX)?;
    Ok(value)
}

/// A purpose of a read or an append.
pub(super) fn purpose(field: &str, value: String) -> ApiResult<String> {
    bounded(field, &value, 1, limits::PURPOSE_BYTES_MAX)?;
    Ok(value)
}

/// 32 lower-case hex digits.
pub(super) fn id16(field: &str, value: &str) -> ApiResult<[u8; 16]> {
    let id = hex::bytes(value).filter(|_| !value.bytes().any(|digit| digit.is_ascii_uppercase()));
    id.ok_or_else(|| ApiError::invalid(field, "must be 32 hex digits"))
}

/// A conversation's id.
pub(super) fn conversation_id(field: &str, value: &str) -> ApiResult<ConversationId> {
    Ok(ConversationId(id16(field, value)?))
}

/// A message's id.
pub(super) fn message_id(field: &str, value: &str) -> ApiResult<MessageId> {
    Ok(MessageId(id16(field, value)?))
}

/// How a request names a conversation.
pub(super) fn conversation_name(name: Option<proto::ConversationName>) -> ApiResult<ConversationName> {
    match name.and_then(|name| name.name) {
        Some(conversation_name::Name::Id(id)) => {
            Ok(ConversationName::Id(conversation_id("conversation.id", &id)?))
        }
        Some(conversation_name::Name::ExternalRef(reference)) => {
            bounded(
                "conversation.external_ref",
                &reference,
                1,
                limits::REFERENCE_BYTES_MAX,
            )?;
            Ok(ConversationName::ExternalRef(reference))
        }
        None => Err(ApiError::invalid(
            "conversation",
            "must name a conversation by id or external_ref",
        )),
    }
}

/// A participant.
pub(super) fn person(field: &str, participant: Option<proto::Participant>) -> ApiResult<Person> {
    let participant = participant.ok_or_else(|| ApiError::invalid(field, "must be set"))?;
    let kind = match participant.kind() {
        proto::ParticipantKind::Visitor => ParticipantKind::Visitor,
        proto::ParticipantKind::Agent => ParticipantKind::Agent,
        proto::ParticipantKind::Bot => ParticipantKind::Bot,
        proto::ParticipantKind::Unspecified => {
            return Err(ApiError::invalid(
                format!("{field}.kind"),
                "must be a known kind of participant",
            ));
        }
    };
    Ok(Person {
        subject: subject(&format!("{field}.subject"), participant.subject)?,
        kind,
    })
}

/// The token of a page; none for the first.
pub(super) fn page_token(token: &str) -> Option<&str> {
    Some(token).filter(|token| !token.is_empty())
}

/// Messages on a page.
pub(super) fn page_size(asked: i32) -> ApiResult<usize> {
    match usize::try_from(asked) {
        Ok(0) => Ok(limits::PAGE_DEFAULT),
        Ok(size) => Ok(size.min(limits::PAGE_MAX)),
        Err(_) => Err(ApiError::invalid("page_size", "must not be negative")),
    }
}

/// A moment.
pub(super) fn time(field: &str, at: Timestamp) -> ApiResult<TimeMs> {
    let invalid = || ApiError::invalid(field, "must be a time after 1970");
    let seconds = u64::try_from(at.seconds).map_err(|_| invalid())?;
    let nanos = u64::try_from(at.nanos)
        .ok()
        .filter(|nanos| *nanos < 1_000_000_000)
        .ok_or_else(invalid)?;
    seconds
        .checked_mul(1_000)
        .and_then(|ms| ms.checked_add(nanos / 1_000_000))
        .map(TimeMs)
        .ok_or_else(invalid)
}

/// A message to append.
pub(super) fn message(input: proto::MessageInput) -> ApiResult<MessageInput> {
    let conversation = conversation_id("conversation_id", &input.conversation_id)?;
    bounded("request_id", &input.request_id, 0, limits::REFERENCE_BYTES_MAX)?;
    if !(1..=limits::PARTS_MAX).contains(&input.parts.len()) {
        return Err(ApiError::invalid(
            "parts",
            format!("must be 1 to {}", limits::PARTS_MAX),
        ));
    }
    let author = person("author", input.author)?;
    let parts = input
        .parts
        .into_iter()
        .enumerate()
        .map(|(at, part)| part_input(&format!("parts[{at}]"), part))
        .collect::<ApiResult<Vec<_>>>()?;
    if parts.iter().map(part_bytes).sum::<usize>() > limits::MESSAGE_BYTES_MAX {
        return Err(ApiError::invalid(
            "parts",
            format!("must not exceed {} bytes in all", limits::MESSAGE_BYTES_MAX),
        ));
    }
    Ok(MessageInput {
        conversation,
        request_id: Some(input.request_id).filter(|id| !id.is_empty()),
        author,
        parts,
        purpose: purpose("purpose", input.purpose)?,
    })
}

fn part_input(field: &str, part: proto::Part) -> ApiResult<PartInput> {
    if part.about.len() > limits::ABOUT_MAX {
        return Err(ApiError::invalid(
            format!("{field}.about"),
            format!("must name at most {} subjects", limits::ABOUT_MAX),
        ));
    }
    let about = part
        .about
        .into_iter()
        .enumerate()
        .map(|(at, about)| subject(&format!("{field}.about[{at}]"), about))
        .collect::<ApiResult<Vec<_>>>()?;
    let content = match part.content {
        Some(part::Content::Text(text)) => PartContent::Text(text),
        Some(part::Content::Data(data)) => {
            bounded(&format!("{field}.data.content_type"), &data.content_type, 1, 128)?;
            PartContent::Data {
                content_type: data.content_type,
                value: data.value,
            }
        }
        Some(part::Content::QuotedMessageId(id)) => {
            PartContent::Quote(message_id(&format!("{field}.quoted_message_id"), &id)?)
        }
        None => return Err(ApiError::invalid(field, "must have a content")),
    };
    Ok(PartInput { content, about })
}

fn part_bytes(part: &PartInput) -> usize {
    match &part.content {
        PartContent::Text(text) => text.len(),
        PartContent::Data { value, .. } => value.len(),
        PartContent::Quote(_) => 16,
    }
}

/// A conversation to create.
pub(super) fn new_conversation(request: proto::CreateConversationRequest) -> ApiResult<NewConversation> {
    let profile = match request.profile() {
        proto::Profile::Support => Profile::Support,
        proto::Profile::Peer => Profile::Peer,
        proto::Profile::Unspecified => {
            return Err(ApiError::invalid("profile", "must be a known profile"));
        }
    };
    bounded(
        "external_ref",
        &request.external_ref,
        0,
        limits::REFERENCE_BYTES_MAX,
    )?;
    bounded("request_id", &request.request_id, 0, limits::REFERENCE_BYTES_MAX)?;
    if request.external_ref.is_empty() && request.request_id.is_empty() {
        return Err(ApiError::invalid(
            "request_id",
            "must be set where there is no external_ref",
        ));
    }
    bounded("title", &request.title, 0, limits::TITLE_BYTES_MAX)?;
    Ok(NewConversation {
        profile,
        external_ref: request.external_ref,
        request_id: request.request_id,
        title: request.title,
        participants: participants(request.participants)?,
        purposes: purposes(request.purposes)?,
    })
}

fn participants(given: Vec<proto::Participant>) -> ApiResult<Vec<Person>> {
    if !(1..=limits::PARTICIPANTS_MAX).contains(&given.len()) {
        return Err(ApiError::invalid(
            "participants",
            format!("must be 1 to {}", limits::PARTICIPANTS_MAX),
        ));
    }
    let mut people: Vec<Person> = Vec::with_capacity(given.len());
    for (at, participant) in given.into_iter().enumerate() {
        let person = person(&format!("participants[{at}]"), Some(participant))?;
        if people.iter().any(|known| known.subject == person.subject) {
            return Err(ApiError::invalid(
                format!("participants[{at}].subject"),
                "must not be named twice",
            ));
        }
        people.push(person);
    }
    Ok(people)
}

fn purposes(given: Vec<String>) -> ApiResult<Vec<String>> {
    if !(1..=limits::PURPOSES_MAX).contains(&given.len()) {
        return Err(ApiError::invalid(
            "purposes",
            format!("must be 1 to {}", limits::PURPOSES_MAX),
        ));
    }
    for (at, name) in given.iter().enumerate() {
        bounded(&format!("purposes[{at}]"), name, 1, limits::PURPOSE_BYTES_MAX)?;
        if given[..at].contains(name) {
            return Err(ApiError::invalid(
                format!("purposes[{at}]"),
                "must not be named twice",
            ));
        }
    }
    Ok(given)
}
