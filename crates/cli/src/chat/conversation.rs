//! `eunoe conversation …`

use eunoe_client::input;
use eunoe_client::types::{Conversation, CreateConversationRequest, Participant, ParticipantKind, Profile};
use eunoe_types::limits;
use serde_json::Value;

use super::name_of;
use super::show::{conversation_json, conversation_text};
use crate::args::{ConversationCommand, CreateArgs, Global, ProfileName};
use crate::context::tenant_client;
use crate::erasure;
use crate::failure::Failure;
use crate::output;

/// Does what was asked.
pub(crate) async fn run(global: &Global, command: ConversationCommand) -> Result<(), Failure> {
    let client = tenant_client(global).await?;
    match command {
        ConversationCommand::Create(arguments) => {
            let created = client.create_conversation(request(global, arguments)).await?;
            let mut json = conversation_json(&created.conversation);
            json.insert("created".to_owned(), created.created.into());
            let existed = if created.created { "" } else { "  (existed)" };
            output::result(global.output, &json.into(), || {
                format!("{}{existed}", conversation_text(&created.conversation))
            })
        }
        ConversationCommand::Show(which) => print(
            global,
            &client.get_conversation(name_of(which), &global.purpose).await?,
        ),
        ConversationCommand::Close(which) => print(
            global,
            &client.close_conversation(name_of(which), &global.purpose).await?,
        ),
        ConversationCommand::Erase(arguments) => erasure::conversation(global, &client, arguments).await,
        ConversationCommand::List { subject, limit } => {
            let mut left = limit.unwrap_or(usize::MAX);
            let page_size = i32::try_from(left.min(limits::PAGE_MAX)).unwrap_or(0);
            let mut pages = client.list_conversations(&subject, &global.purpose, page_size);
            while left > 0
                && let Some(page) = pages.next_page().await?
            {
                for conversation in page.conversations.iter().take(left) {
                    print(global, conversation)?;
                }
                left = left.saturating_sub(page.conversations.len());
            }
            Ok(())
        }
    }
}

fn print(global: &Global, conversation: &Conversation) -> Result<(), Failure> {
    let json = Value::from(conversation_json(conversation));
    output::result(global.output, &json, || conversation_text(conversation))
}

fn request(global: &Global, arguments: CreateArgs) -> CreateConversationRequest {
    let all = |kind, subjects: Vec<String>| {
        subjects
            .into_iter()
            .map(move |subject| input::participant(kind, subject))
    };
    let participants: Vec<Participant> = all(ParticipantKind::Visitor, arguments.visitor)
        .chain(all(ParticipantKind::Agent, arguments.agent))
        .chain(all(ParticipantKind::Bot, arguments.bot))
        .collect();
    let profile = match arguments.profile {
        ProfileName::Support => Profile::Support,
        ProfileName::Peer => Profile::Peer,
    };
    CreateConversationRequest {
        profile: profile.into(),
        external_ref: arguments.r#ref.unwrap_or_default(),
        title: arguments.title,
        participants,
        purposes: vec![global.purpose.clone()],
        ..Default::default()
    }
}
