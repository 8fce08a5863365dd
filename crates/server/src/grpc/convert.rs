//! Answers as the protocol has them.

use eunoe_core::data::{ConversationState, ParticipantKind, Profile};
use eunoe_proto::chat as proto;
use eunoe_types::TimeMs;
use prost_types::Timestamp;

use crate::edge::{Ack, ConversationView, MessageView, Opened, PartContent, PartView, ParticipantView};

/// A moment.
pub(super) fn timestamp(at: TimeMs) -> Timestamp {
    Timestamp {
        seconds: i64::try_from(at.0 / 1_000).unwrap_or(i64::MAX),
        nanos: i32::try_from(at.0 % 1_000).unwrap_or_default() * 1_000_000,
    }
}

fn kind(kind: ParticipantKind) -> proto::ParticipantKind {
    match kind {
        ParticipantKind::Visitor => proto::ParticipantKind::Visitor,
        ParticipantKind::Agent => proto::ParticipantKind::Agent,
        ParticipantKind::Bot => proto::ParticipantKind::Bot,
    }
}

/// Somebody who takes part.
pub(super) fn participant(view: ParticipantView) -> proto::Participant {
    let (subject, state) = match view.subject {
        Opened::Ok(subject) => (subject, proto::ContentState::Ok),
        Opened::Erased => (String::new(), proto::ContentState::Erased),
    };
    proto::Participant {
        subject,
        kind: kind(view.kind).into(),
        state: state.into(),
    }
}

fn part(view: PartView) -> proto::Part {
    let content = view.content.ok().map(|content| match content {
        PartContent::Text(text) => proto::part::Content::Text(text),
        PartContent::Data { content_type, value } => {
            proto::part::Content::Data(proto::Data { content_type, value })
        }
        PartContent::Quote(id) => proto::part::Content::QuotedMessageId(id.to_string()),
    });
    let state = match content {
        Some(_) => proto::ContentState::Ok,
        None => proto::ContentState::Erased,
    };
    proto::Part {
        content,
        about: view.about,
        state: state.into(),
    }
}

/// A message.
pub(super) fn message(view: MessageView) -> proto::Message {
    let erased = view
        .parts
        .iter()
        .filter(|part| matches!(part.content, Opened::Erased))
        .count();
    let state = match erased {
        // A message has at least one part: one that shows none has lost them all.
        _ if erased == view.parts.len() => proto::ContentState::Erased,
        0 => proto::ContentState::Ok,
        _ => proto::ContentState::PartlyErased,
    };
    proto::Message {
        id: view.id.to_string(),
        seq: view.seq.0,
        time: Some(timestamp(view.time)),
        author: Some(participant(view.author)),
        parts: view.parts.into_iter().map(part).collect(),
        state: state.into(),
    }
}

/// A conversation.
pub(super) fn conversation(view: ConversationView) -> proto::Conversation {
    let (state, close_time) = match view.state {
        ConversationState::Open => (proto::ConversationState::Open, None),
        ConversationState::Closed(time) => (proto::ConversationState::Closed, Some(timestamp(time))),
    };
    let profile = match view.profile {
        Profile::Support => proto::Profile::Support,
        Profile::Peer => proto::Profile::Peer,
    };
    let content_state = match &view.naming {
        Opened::Ok(_) => proto::ContentState::Ok,
        Opened::Erased => proto::ContentState::Erased,
    };
    let naming = view.naming.ok().unwrap_or_default();
    proto::Conversation {
        id: view.id.to_string(),
        profile: profile.into(),
        external_ref: naming.external_ref,
        title: naming.title,
        participants: view.participants.into_iter().map(participant).collect(),
        state: state.into(),
        purposes: view.purposes,
        create_time: Some(timestamp(view.created)),
        close_time,
        head_seq: view.head.0,
        content_state: content_state.into(),
    }
}

/// An ack.
pub(super) fn ack(ack: &Ack) -> proto::Ack {
    proto::Ack {
        message_id: ack.id.to_string(),
        seq: ack.seq.0,
        time: Some(timestamp(ack.time)),
        position: ack.position.encode(),
        replayed: ack.replayed,
        state: if ack.erased {
            proto::ContentState::Erased
        } else {
            proto::ContentState::Ok
        }
        .into(),
    }
}
