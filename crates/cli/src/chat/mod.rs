//! Commands on conversations and their messages.

pub(crate) mod append;
pub(crate) mod conversation;
pub(crate) mod read;
mod show;
pub(crate) mod tail;

use eunoe_client::input;
use eunoe_client::types::{ConversationName, ParticipantKind};

use crate::args::{Which, Writer};

/// How the API names what the command line named.
fn name_of(which: Which) -> ConversationName {
    match (which.id, which.r#ref) {
        (Some(id), _) => input::by_id(id),
        (None, reference) => input::by_ref(reference.unwrap_or_default()),
    }
}

fn kind_of(writer: Writer) -> ParticipantKind {
    match writer {
        Writer::Visitor => ParticipantKind::Visitor,
        Writer::Agent => ParticipantKind::Agent,
        Writer::Bot => ParticipantKind::Bot,
    }
}
