//! Conversations and messages as JSON and as text. The JSON is a contract: fields may be added, never changed.

use eunoe_client::types::part::Content;
use eunoe_client::types::{
    ContentState, Conversation, ConversationState, Message, Participant, ParticipantKind, Profile, Timestamp,
};
use serde_json::{Map, Value, json};

use crate::json::{insert_text, insert_time, short};
use crate::output::printable;

/// `OK`, `ERASED` or `PARTLY_ERASED`.
pub(super) fn content_state(state: ContentState) -> &'static str {
    short(state.as_str_name(), "CONTENT_STATE_")
}

fn kind(participant: &Participant) -> String {
    short(participant.kind().as_str_name(), "PARTICIPANT_KIND_").to_lowercase()
}

/// `{"subject"?,"kind","state"}`; no subject once it is erased.
pub(super) fn participant_json(participant: &Participant) -> Value {
    let mut object = Map::new();
    insert_text(&mut object, "subject", &participant.subject);
    object.insert("kind".to_owned(), kind(participant).into());
    object.insert("state".to_owned(), content_state(participant.state()).into());
    object.into()
}

/// A conversation without its messages.
pub(super) fn conversation_json(conversation: &Conversation) -> Map<String, Value> {
    let participants: Vec<Value> = conversation.participants.iter().map(participant_json).collect();
    let mut object = Map::new();
    object.insert("id".to_owned(), conversation.id.clone().into());
    insert_text(&mut object, "ref", &conversation.external_ref);
    insert_text(&mut object, "title", &conversation.title);
    let profile = Profile::try_from(conversation.profile).unwrap_or_default();
    object.insert(
        "profile".to_owned(),
        short(profile.as_str_name(), "PROFILE_").into(),
    );
    object.insert("state".to_owned(), state_name(conversation).into());
    object.insert("participants".to_owned(), participants.into());
    object.insert("purposes".to_owned(), conversation.purposes.clone().into());
    object.insert("head_seq".to_owned(), conversation.head_seq.into());
    let content = content_state(conversation.content_state());
    object.insert("content_state".to_owned(), content.into());
    insert_time(&mut object, "create_time_ms", conversation.create_time.as_ref());
    insert_time(&mut object, "close_time_ms", conversation.close_time.as_ref());
    object
}

fn state_name(conversation: &Conversation) -> &'static str {
    let state = ConversationState::try_from(conversation.state).unwrap_or_default();
    short(state.as_str_name(), "CONVERSATION_STATE_")
}

/// One line for a person.
pub(super) fn conversation_text(conversation: &Conversation) -> String {
    let participants: Vec<String> = conversation
        .participants
        .iter()
        .map(|participant| named(participant, &participant.subject))
        .collect();
    let reference = match conversation.external_ref.as_str() {
        "" => "-".to_owned(),
        reference => printable(reference),
    };
    format!(
        "{}  {reference}  {}  {} messages  {}",
        conversation.id,
        state_name(conversation),
        conversation.head_seq,
        participants.join(", ")
    )
}

fn named(participant: &Participant, subject: &str) -> String {
    match subject {
        "" => kind(participant),
        subject => format!("{} ({})", printable(subject), kind(participant)),
    }
}

/// A message; `text` only while all of it can be read.
pub(super) fn message_json(message: &Message) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("seq".to_owned(), message.seq.into());
    object.insert("id".to_owned(), message.id.clone().into());
    insert_time(&mut object, "time_ms", message.time.as_ref());
    let author = message.author.clone().unwrap_or_default();
    if author.kind() != ParticipantKind::Unspecified {
        object.insert("from".to_owned(), kind(&author).into());
    }
    insert_text(&mut object, "author", &author.subject);
    object.insert("state".to_owned(), content_state(message.state()).into());
    if message.state() == ContentState::Ok {
        object.insert("text".to_owned(), text_of(message).into());
        let data: Vec<Value> = message
            .parts
            .iter()
            .filter_map(|part| match &part.content {
                Some(Content::Data(data)) => {
                    Some(json!({"content_type": data.content_type, "bytes": data.value.len()}))
                }
                _ => None,
            })
            .collect();
        if !data.is_empty() {
            object.insert("data".to_owned(), data.into());
        }
    }
    object
}

/// The text parts, a line each.
fn text_of(message: &Message) -> String {
    let texts = message.parts.iter().filter_map(|part| match &part.content {
        Some(Content::Text(text)) => Some(text.as_str()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// One line for a person.
pub(super) fn message_text(message: &Message) -> String {
    let author = message.author.clone().unwrap_or_default();
    let time = message
        .time
        .as_ref()
        .map(Timestamp::to_string)
        .unwrap_or_default();
    let content = if message.state() == ContentState::Ok {
        printable(&text_of(message))
    } else {
        format!("[{}]", content_state(message.state()))
    };
    let author = named(&author, &author.subject);
    format!("{:>6}  {time}  {author}: {content}", message.seq)
}

#[cfg(test)]
mod tests {
    use eunoe_client::input;

    use super::*;

    fn message() -> Message {
        let mut author = input::participant(ParticipantKind::Visitor, "visitor/7");
        author.set_state(ContentState::Ok);
        let mut message = Message {
            id: "0a".repeat(16),
            seq: 3,
            time: Some(Timestamp {
                seconds: 1_700_000_000,
                nanos: 250_000_000,
            }),
            author: Some(author),
            parts: vec![input::text("Where is my parcel?")],
            ..Default::default()
        };
        message.set_state(ContentState::Ok);
        message
    }

    fn line(message: &Message) -> String {
        Value::from(message_json(message)).to_string()
    }

    #[test]
    fn a_message_is_one_object() {
        assert_eq!(
            line(&message()),
            r#"{"author":"visitor/7","from":"visitor","id":"0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a","seq":3,"state":"OK","text":"Where is my parcel?","time_ms":1700000000250}"#
        );
        assert_eq!(
            message_text(&message()),
            "     3  2023-11-14T22:13:20.250Z  visitor/7 (visitor): Where is my parcel?"
        );
    }

    #[test]
    fn an_erased_message_keeps_its_place_and_has_no_text() {
        let mut message = message();
        message.set_state(ContentState::Erased);
        message.author = Some(input::participant(ParticipantKind::Visitor, ""));
        message.parts.clear();
        assert_eq!(
            line(&message),
            r#"{"from":"visitor","id":"0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a","seq":3,"state":"ERASED","time_ms":1700000000250}"#
        );
        assert_eq!(
            message_text(&message),
            "     3  2023-11-14T22:13:20.250Z  visitor: [ERASED]"
        );
    }

    #[test]
    fn what_is_left_of_a_partly_erased_message_is_not_shown_as_its_text() {
        let mut message = message();
        message.set_state(ContentState::PartlyErased);
        assert!(!line(&message).contains("parcel"));
        assert!(line(&message).contains(r#""state":"PARTLY_ERASED""#));
    }

    #[test]
    fn a_conversation_is_one_object() {
        let mut visitor = input::participant(ParticipantKind::Visitor, "visitor/7");
        visitor.set_state(ContentState::Ok);
        let conversation = Conversation {
            id: "0b".repeat(16),
            profile: Profile::Support.into(),
            external_ref: "t-7".to_owned(),
            participants: vec![visitor],
            state: ConversationState::Open.into(),
            purposes: vec!["support".to_owned()],
            head_seq: 2,
            content_state: ContentState::Ok.into(),
            ..Default::default()
        };
        assert_eq!(
            Value::from(conversation_json(&conversation)).to_string(),
            r#"{"content_state":"OK","head_seq":2,"id":"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b","participants":[{"kind":"visitor","state":"OK","subject":"visitor/7"}],"profile":"SUPPORT","purposes":["support"],"ref":"t-7","state":"OPEN"}"#
        );
        assert_eq!(
            conversation_text(&conversation),
            "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b  t-7  OPEN  2 messages  visitor/7 (visitor)"
        );
    }
}
