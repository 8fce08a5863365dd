//! What the numbers of a history are called by the servers, and back.

use eunoe_core::data::{ParticipantKind, Profile as Owner};
use eunoe_server::edge::{
    MessageView, NewConversation, Opened, PartContent, PartInput, ParticipantView, Person as Named,
};
use eunoe_types::TenantId;

use crate::history::{Create, Person, Profile, Request, Row, Shown, Tenant, Text};

/// What everything is stored and read for.
pub(super) const PURPOSE: &str = "support";

/// A tenant's id.
pub(super) fn tenant(tenant: Tenant) -> TenantId {
    TenantId::new(&format!("t{}", tenant.0)).expect("a tenant's name")
}

/// A person's reference.
pub(super) fn reference(person: Person) -> String {
    format!("person-{}", person.0)
}

/// A person as a caller names it.
pub(super) fn person(person: Person) -> Named {
    Named {
        subject: reference(person),
        kind: ParticipantKind::Visitor,
    }
}

fn number(text: &str, prefix: &str) -> u32 {
    let number = text.strip_prefix(prefix).and_then(|digits| digits.parse().ok());
    number.expect("a server shows what it was given")
}

/// A request id.
pub(super) fn request(request: Request) -> String {
    format!("request-{}", request.0)
}

/// A message's content.
pub(super) fn part(text: Text, about: &[Person]) -> PartInput {
    PartInput {
        content: PartContent::Text(format!("text-{}", text.0)),
        about: about.iter().map(|person| reference(*person)).collect(),
    }
}

/// A conversation to create, under a name of its own.
pub(super) fn conversation(create: &Create) -> NewConversation {
    let (profile, participants) = match create.profile {
        Profile::Support(principal) => (Owner::Support, vec![person(principal)]),
        Profile::Peer => (Owner::Peer, Vec::new()),
    };
    NewConversation {
        profile,
        external_ref: format!("chat-{}", create.chat.0),
        request_id: String::new(),
        title: String::new(),
        participants,
        purposes: vec![PURPOSE.into()],
    }
}

fn author(author: &ParticipantView) -> Option<Person> {
    match &author.subject {
        Opened::Ok(subject) => Some(Person(number(subject, "person-"))),
        Opened::Erased => None,
    }
}

/// A message as it was shown.
pub(super) fn row(message: &MessageView) -> Row {
    let content = message.parts.first().map(|part| part.content.clone());
    let shown = match content {
        Some(Opened::Ok(PartContent::Text(text))) => Shown::Text(Text(number(&text, "text-"))),
        Some(Opened::Ok(_)) => panic!("a server shows what it was given"),
        Some(Opened::Erased) | None => Shown::Erased,
    };
    Row {
        seq: message.seq.0,
        time: message.time.0,
        author: author(&message.author),
        shown,
    }
}
