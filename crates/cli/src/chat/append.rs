//! `eunoe append`

use eunoe_client::types::{Conversation, Participant, ParticipantKind};
use eunoe_client::{Client, input};
use serde_json::json;

use super::show::content_state;
use super::{kind_of, name_of};
use crate::args::{AppendArgs, Global, Which};
use crate::context::tenant_client;
use crate::failure::Failure;
use crate::output;

/// Adds the message and prints its place.
pub(crate) async fn run(global: &Global, arguments: AppendArgs) -> Result<(), Failure> {
    let client = tenant_client(global).await?;
    let kind = kind_of(arguments.from);
    let (conversation_id, author) = resolve(&client, global, arguments.which, kind, arguments.author).await?;
    let mut message = input::text_message(conversation_id, author, &global.purpose, arguments.text);
    message.request_id = arguments.request_id;
    let ack = client.append(message).await?;
    let json = json!({
        "seq": ack.seq,
        "message_id": ack.message_id,
        "replayed": ack.replayed,
        "state": content_state(ack.state()),
        "position": ack.position,
    });
    output::result(global.output, &json, || {
        let replayed = if ack.replayed { "  (was there already)" } else { "" };
        format!("{}  {}{replayed}", ack.seq, ack.message_id)
    })
}

/// The conversation's id and the author; asks the cluster for what was not given.
async fn resolve(
    client: &Client,
    global: &Global,
    which: Which,
    kind: ParticipantKind,
    author: Option<String>,
) -> Result<(String, Participant), Failure> {
    if let (Some(id), Some(author)) = (&which.id, &author) {
        return Ok((id.clone(), input::participant(kind, author)));
    }
    let conversation = client.get_conversation(name_of(which), &global.purpose).await?;
    let author = match author {
        Some(author) => author,
        None => first_of_kind(&conversation, kind)?,
    };
    Ok((conversation.id, input::participant(kind, author)))
}

fn first_of_kind(conversation: &Conversation, kind: ParticipantKind) -> Result<String, Failure> {
    let mut known = conversation.participants.iter();
    known
        .find(|participant| participant.kind() == kind && !participant.subject.is_empty())
        .map(|participant| participant.subject.clone())
        .ok_or_else(|| Failure::usage("nobody takes part in that role yet: name the author with --author"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_author_is_the_first_readable_participant_of_the_role() {
        let participant = input::participant;
        let conversation = Conversation {
            participants: vec![
                participant(ParticipantKind::Visitor, "visitor/1"),
                participant(ParticipantKind::Agent, ""),
                participant(ParticipantKind::Agent, "agent/2"),
            ],
            ..Default::default()
        };
        assert_eq!(
            first_of_kind(&conversation, ParticipantKind::Agent).unwrap(),
            "agent/2"
        );
        let error = first_of_kind(&conversation, ParticipantKind::Bot).unwrap_err();
        assert_eq!(error.exit_code(), 2);
    }
}
