//! One line of the file: a conversation and its turns. Checked as a whole before any of it is sent.

use eunoe_client::input;
use eunoe_client::types::{CreateConversationRequest, MessageInput, Participant, ParticipantKind};
use eunoe_types::limits;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::encoding::hex;

/// Who serves when the line does not say.
const DEFAULT_AGENT: &str = "agent/desk";

/// Why a line was refused. Never repeats what the line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    /// The field, for example `turns[3].from`; `line` for the whole.
    pub(super) field: String,
    /// What is wrong with it.
    pub(super) problem: String,
}

/// A conversation to import.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chat {
    /// Number of its line, from 1.
    pub(super) line: u64,
    /// The tenant's own reference.
    pub(super) external_ref: String,
    visitor: String,
    agent: String,
    turns: Vec<Turn>,
}

#[derive(Debug, PartialEq, Eq)]
struct Turn {
    from_visitor: bool,
    text: String,
}

impl Chat {
    /// Reads a line.
    pub(super) fn parse(line: u64, text: &[u8]) -> Result<Self, Malformed> {
        let value: Value = serde_json::from_slice(text).map_err(|error| {
            // The parser's own words could repeat the line; where it stopped does not.
            malformed("line", format!("is not JSON (column {})", error.column()))
        })?;
        let Value::Object(mut object) = value else {
            return Err(malformed("line", "is not an object"));
        };
        let external_ref = reference(&mut object, "id")?.ok_or_else(|| malformed("id", "is missing"))?;
        check_topics(object.remove("topics"))?;
        let visitor = reference(&mut object, "visitor")?;
        let visitor = match visitor {
            Some(visitor) => visitor,
            None => default_visitor(&external_ref)?,
        };
        let agent = reference(&mut object, "agent")?.unwrap_or_else(|| DEFAULT_AGENT.to_owned());
        let turns = match object.remove("turns") {
            Some(Value::Array(turns)) => turns,
            Some(_) => return Err(malformed("turns", "is not a list")),
            None => return Err(malformed("turns", "is missing")),
        };
        let turns = turns.into_iter().enumerate();
        let turns = turns
            .map(|(index, turn)| Turn::parse(index, turn))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            line,
            external_ref,
            visitor,
            agent,
            turns,
        })
    }

    /// The request that opens the conversation; the external reference makes it idempotent.
    pub(super) fn create_request(&self, purpose: &str) -> CreateConversationRequest {
        let mut request = input::support(&self.external_ref, self.participant(true), purpose);
        request.participants.push(self.participant(false));
        request
    }

    /// The messages in order, under request ids that are the same whenever this line is imported.
    pub(super) fn into_messages(self, conversation_id: &str, purpose: &str) -> Vec<MessageInput> {
        let prefix = request_id_prefix(&self.external_ref);
        let (visitor, agent) = (self.participant(true), self.participant(false));
        let turns = self.turns.into_iter().enumerate();
        turns
            .map(|(index, turn)| {
                let author = if turn.from_visitor { &visitor } else { &agent };
                let mut message = input::text_message(conversation_id, author.clone(), purpose, turn.text);
                message.request_id = format!("{prefix}-{}", index + 1);
                message
            })
            .collect()
    }

    fn participant(&self, visitor: bool) -> Participant {
        if visitor {
            input::participant(ParticipantKind::Visitor, self.visitor.clone())
        } else {
            input::participant(ParticipantKind::Agent, self.agent.clone())
        }
    }
}

impl Turn {
    fn parse(index: usize, value: Value) -> Result<Self, Malformed> {
        let field = |name: &str| format!("turns[{index}].{name}");
        let Value::Object(mut object) = value else {
            return Err(malformed(format!("turns[{index}]"), "is not an object"));
        };
        let from_visitor = match object.get("from") {
            Some(Value::String(from)) if from == "visitor" => true,
            Some(Value::String(from)) if from == "agent" => false,
            Some(_) => return Err(malformed(field("from"), "is neither visitor nor agent")),
            None => return Err(malformed(field("from"), "is missing")),
        };
        let text = match object.remove("text") {
            Some(Value::String(text)) => text,
            Some(_) => return Err(malformed(field("text"), "is not text")),
            None => return Err(malformed(field("text"), "is missing")),
        };
        if text.is_empty() {
            return Err(malformed(field("text"), "is empty"));
        }
        if text.len() > limits::MESSAGE_BYTES_MAX {
            let problem = format!("is longer than {} bytes", limits::MESSAGE_BYTES_MAX);
            return Err(malformed(field("text"), problem));
        }
        Ok(Self { from_visitor, text })
    }
}

fn malformed(field: impl Into<String>, problem: impl Into<String>) -> Malformed {
    Malformed {
        field: field.into(),
        problem: problem.into(),
    }
}

/// A reference of 1 to 128 bytes, if the field is there.
fn reference(object: &mut Map<String, Value>, field: &str) -> Result<Option<String>, Malformed> {
    match object.remove(field) {
        None => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Err(malformed(field, "is empty")),
        Some(Value::String(text)) if text.len() > limits::REFERENCE_BYTES_MAX => {
            let problem = format!("is longer than {} bytes", limits::REFERENCE_BYTES_MAX);
            Err(malformed(field, problem))
        }
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(malformed(field, "is not text")),
    }
}

fn default_visitor(external_ref: &str) -> Result<String, Malformed> {
    let visitor = format!("visitor/{external_ref}");
    if visitor.len() > limits::REFERENCE_BYTES_MAX {
        let problem = "is too long to name the visitor after it: give the visitor a name of its own";
        return Err(malformed("id", problem));
    }
    Ok(visitor)
}

/// Topics are not stored, but a line that has others than a list of texts is not what it should be.
fn check_topics(topics: Option<Value>) -> Result<(), Malformed> {
    match topics {
        None => Ok(()),
        Some(Value::Array(topics)) => match topics.iter().position(|topic| !topic.is_string()) {
            Some(index) => Err(malformed(format!("topics[{index}]"), "is not text")),
            None => Ok(()),
        },
        Some(_) => Err(malformed("topics", "is not a list")),
    }
}

/// References can be as long as request ids, so a digest stands for them.
fn request_id_prefix(external_ref: &str) -> String {
    let digest = Sha256::new()
        .chain_update(b"eunoe import v1\0")
        .chain_update(external_ref.as_bytes())
        .finalize();
    format!("import-{}", hex(&digest[..16]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = r#"{"id":"t-1","topics":["parcel"],"turns":[{"from":"visitor","text":"Hi"},{"from":"agent","text":"Hello"}]}"#;

    fn refused(text: &str) -> (String, String) {
        let malformed = Chat::parse(1, text.as_bytes()).unwrap_err();
        (malformed.field, malformed.problem)
    }

    #[test]
    fn a_line_becomes_a_conversation_with_its_messages_in_order() {
        let chat = Chat::parse(4, GOOD.as_bytes()).unwrap();
        let request = chat.create_request("support");
        let subjects: Vec<_> = request
            .participants
            .iter()
            .map(|who| who.subject.as_str())
            .collect();
        assert_eq!(request.external_ref, "t-1");
        assert_eq!(subjects, ["visitor/t-1", "agent/desk"]);
        let messages = chat.into_messages("c", "support");
        let authors: Vec<_> = messages
            .iter()
            .map(|message| message.author.as_ref().unwrap().subject.as_str())
            .collect();
        assert_eq!(authors, ["visitor/t-1", "agent/desk"]);
        let ids: Vec<_> = messages
            .iter()
            .map(|message| message.request_id.as_str())
            .collect();
        let prefix = request_id_prefix("t-1");
        assert_eq!(ids, [format!("{prefix}-1"), format!("{prefix}-2")]);
    }

    #[test]
    fn the_request_ids_of_today_are_those_of_every_later_version() {
        assert_eq!(
            request_id_prefix("t-1"),
            "import-1d08702eabf1f9e7192a10562eccccb2"
        );
        assert_ne!(request_id_prefix("t-2"), request_id_prefix("t-1"));
    }

    #[test]
    fn visitor_and_agent_may_be_named() {
        let text = r#"{"id":"t","visitor":"v/9","agent":"a/9","turns":[{"from":"agent","text":"x"}]}"#;
        let request = Chat::parse(1, text.as_bytes()).unwrap().create_request("support");
        assert_eq!(request.participants[0].subject, "v/9");
        assert_eq!(request.participants[1].subject, "a/9");
    }

    #[test]
    fn a_malformed_line_is_refused_by_its_field() {
        let cases = [
            ("{", "line", "is not JSON (column 1)"),
            ("[]", "line", "is not an object"),
            (r#"{"turns":[]}"#, "id", "is missing"),
            (r#"{"id":"","turns":[]}"#, "id", "is empty"),
            (r#"{"id":7,"turns":[]}"#, "id", "is not text"),
            (r#"{"id":"t"}"#, "turns", "is missing"),
            (r#"{"id":"t","turns":{}}"#, "turns", "is not a list"),
            (
                r#"{"id":"t","topics":[1],"turns":[]}"#,
                "topics[0]",
                "is not text",
            ),
            (r#"{"id":"t","turns":["x"]}"#, "turns[0]", "is not an object"),
            (
                r#"{"id":"t","turns":[{"text":"x"}]}"#,
                "turns[0].from",
                "is missing",
            ),
            (
                r#"{"id":"t","turns":[{"from":"agent","text":"x"},{"from":"me","text":"x"}]}"#,
                "turns[1].from",
                "is neither visitor nor agent",
            ),
            (
                r#"{"id":"t","turns":[{"from":"agent"}]}"#,
                "turns[0].text",
                "is missing",
            ),
            (
                r#"{"id":"t","turns":[{"from":"agent","text":1}]}"#,
                "turns[0].text",
                "is not text",
            ),
            (
                r#"{"id":"t","turns":[{"from":"agent","text":""}]}"#,
                "turns[0].text",
                "is empty",
            ),
            (r#"{"id":"t","visitor":1,"turns":[]}"#, "visitor", "is not text"),
        ];
        for (text, field, problem) in cases {
            assert_eq!(refused(text), (field.to_owned(), problem.to_owned()), "{text}");
        }
    }

    #[test]
    fn limits_hold_before_anything_is_sent() {
        let long = |field: &str, bytes: usize| {
            format!(r#"{{"id":"t","{field}":"{}","turns":[]}}"#, "x".repeat(bytes))
        };
        assert!(Chat::parse(1, long("visitor", 128).as_bytes()).is_ok());
        assert_eq!(refused(&long("visitor", 129)).0, "visitor");
        let id = format!(r#"{{"id":"{}","turns":[]}}"#, "x".repeat(125));
        assert_eq!(refused(&id).0, "id");
        let text = format!(
            r#"{{"id":"t","turns":[{{"from":"agent","text":"{}"}}]}}"#,
            "x".repeat(limits::MESSAGE_BYTES_MAX + 1)
        );
        assert_eq!(refused(&text).0, "turns[0].text");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_fall_over(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Chat::parse(1, &bytes);
        }

        #[test]
        fn a_refusal_does_not_repeat_the_text(secret in "[a-z]{12}") {
            let text = format!(r#"{{"id":"t","turns":[{{"from":"{secret}","text":"{secret}"}}]}}"#);
            let malformed = Chat::parse(1, text.as_bytes()).unwrap_err();
            let said = format!("{malformed:?}");
            prop_assert!(!said.contains(&secret));
        }
    }
}
