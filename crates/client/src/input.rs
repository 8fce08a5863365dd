//! Small constructors for the messages that callers build most.

use eunoe_proto::chat::{
    ConversationName, CreateConversationRequest, MessageInput, Part, Participant, ParticipantKind, Profile,
    conversation_name, part,
};

/// A participant by role and reference.
pub fn participant(kind: ParticipantKind, subject: impl Into<String>) -> Participant {
    Participant {
        subject: subject.into(),
        kind: kind.into(),
        ..Default::default()
    }
}

/// A part that is text.
pub fn text(text: impl Into<String>) -> Part {
    Part {
        content: Some(part::Content::Text(text.into())),
        ..Default::default()
    }
}

/// A message of one text part, without a request id.
pub fn text_message(
    conversation_id: impl Into<String>,
    author: Participant,
    purpose: impl Into<String>,
    content: impl Into<String>,
) -> MessageInput {
    MessageInput {
        conversation_id: conversation_id.into(),
        request_id: String::new(),
        author: Some(author),
        parts: vec![text(content)],
        purpose: purpose.into(),
    }
}

/// A SUPPORT conversation with one participant, the principal.
pub fn support(
    external_ref: impl Into<String>,
    principal: Participant,
    purpose: impl Into<String>,
) -> CreateConversationRequest {
    CreateConversationRequest {
        profile: Profile::Support.into(),
        external_ref: external_ref.into(),
        participants: vec![principal],
        purposes: vec![purpose.into()],
        ..Default::default()
    }
}

/// A conversation by the server's id.
pub fn by_id(id: impl Into<String>) -> ConversationName {
    ConversationName {
        name: Some(conversation_name::Name::Id(id.into())),
    }
}

/// A conversation by the tenant's own reference.
pub fn by_ref(external_ref: impl Into<String>) -> ConversationName {
    ConversationName {
        name: Some(conversation_name::Name::ExternalRef(external_ref.into())),
    }
}
