//! `eunoe tail`: events as they come, until the conversation is closed, enough has come or the user interrupts.

use eunoe_client::types::Timestamp;
use eunoe_client::{TailEvent, TailStart};
use serde_json::{Map, Value, json};

use super::name_of;
use super::show::{message_json, message_text, participant_json};
use crate::args::{Global, TailArgs};
use crate::context::tenant_client;
use crate::failure::Failure;
use crate::json::insert_time;
use crate::output::{self, printable};

/// Prints events, a line each.
pub(crate) async fn run(global: &Global, arguments: TailArgs) -> Result<(), Failure> {
    let client = tenant_client(global).await?;
    let start = match (arguments.from_seq, arguments.position) {
        (Some(seq), _) => TailStart::AfterSeq(seq.saturating_sub(1)),
        (None, Some(position)) => TailStart::Position(position),
        (None, None) => TailStart::Now,
    };
    let mut left = arguments.limit.unwrap_or(usize::MAX);
    let mut tail = client
        .tail(name_of(arguments.which), &global.purpose, start)
        .await?;
    while left > 0 {
        let event = tokio::select! {
            event = tail.next() => event,
            interrupted = tokio::signal::ctrl_c() => {
                return interrupted.map_err(|error| Failure::io("wait for an interrupt", &error));
            }
        };
        let Some(event) = event else { break };
        let event = event?;
        if matches!(event, TailEvent::Message(_)) {
            left -= 1;
        }
        let mut json = event_json(&event);
        if let Some(position) = tail.position() {
            json.insert("position".to_owned(), position.into());
        }
        output::result(global.output, &json.into(), || event_text(&event))?;
    }
    Ok(())
}

fn event_json(event: &TailEvent) -> Map<String, Value> {
    let (name, mut object) = match event {
        TailEvent::Message(message) => ("message", message_json(message)),
        TailEvent::Closed(time) => {
            let mut object = Map::new();
            insert_time(&mut object, "time_ms", time.as_ref());
            ("closed", object)
        }
        TailEvent::Typing(notice) => {
            let who = participant_json(&notice.participant.clone().unwrap_or_default());
            let fields = [("participant", who), ("active", json!(notice.active))];
            let fields = fields.map(|(name, value)| (name.to_owned(), value));
            ("typing", fields.into_iter().collect())
        }
        TailEvent::Erased => ("erased", Map::new()),
    };
    object.insert("event".to_owned(), name.into());
    object
}

fn event_text(event: &TailEvent) -> String {
    match event {
        TailEvent::Message(message) => message_text(message),
        TailEvent::Closed(time) => {
            let time = time.as_ref().map(Timestamp::to_string).unwrap_or_default();
            format!("[closed {time}]")
        }
        TailEvent::Typing(notice) => {
            let who = notice.participant.clone().unwrap_or_default().subject;
            let what = if notice.active { "types" } else { "stopped typing" };
            format!("[{} {what}]", printable(&who))
        }
        TailEvent::Erased => "[something of this conversation was erased]".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use eunoe_client::input;
    use eunoe_client::types::{ContentState, ParticipantKind, TypingNotice};

    use super::*;

    fn json_of(event: &TailEvent) -> String {
        Value::from(event_json(event)).to_string()
    }

    #[test]
    fn events_other_than_messages_are_lines_too() {
        let closed = TailEvent::Closed(Some(Timestamp { seconds: 1, nanos: 0 }));
        assert_eq!(json_of(&closed), r#"{"event":"closed","time_ms":1000}"#);
        assert_eq!(event_text(&closed), "[closed 1970-01-01T00:00:01Z]");
        let mut participant = input::participant(ParticipantKind::Agent, "agent/desk");
        participant.set_state(ContentState::Ok);
        let typing = TailEvent::Typing(TypingNotice {
            participant: Some(participant),
            active: true,
        });
        assert_eq!(
            json_of(&typing),
            r#"{"active":true,"event":"typing","participant":{"kind":"agent","state":"OK","subject":"agent/desk"}}"#
        );
        assert_eq!(event_text(&typing), "[agent/desk types]");
        assert_eq!(json_of(&TailEvent::Erased), r#"{"event":"erased"}"#);
        assert_eq!(
            event_text(&TailEvent::Erased),
            "[something of this conversation was erased]"
        );
    }
}
