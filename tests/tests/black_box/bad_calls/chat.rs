//! Conversations: what is missing, huge, malformed, unknown, or somebody else's.

use eunoe_client::input::{by_id, support};
use eunoe_client::types::{ConversationName, Participant};
use eunoe_proto::chat::{
    CloseConversationRequest, CreateConversationRequest, GetConversationRequest, ListConversationsRequest,
    ListMessagesRequest, TypingRequest, conversation_name,
};
use tonic::Code;

use super::table::{Row, Rows};
use super::world::{World, visitor};
use super::{PURPOSE, TENANT};

pub(super) const CREATE: &str = "/eunoe.chat.v1.ChatService/CreateConversation";
pub(super) const GET: &str = "/eunoe.chat.v1.ChatService/GetConversation";
pub(super) const LIST_CONVERSATIONS: &str = "/eunoe.chat.v1.ChatService/ListConversations";
pub(super) const CLOSE: &str = "/eunoe.chat.v1.ChatService/CloseConversation";
pub(super) const LIST_MESSAGES: &str = "/eunoe.chat.v1.ChatService/ListMessages";
pub(super) const TYPING: &str = "/eunoe.chat.v1.ChatService/Typing";

/// An id that nothing has.
pub(super) const NO_ID: &str = "00000000000000000000000000000000";

/// A conversation that would be created if it were sent as it is.
pub(super) fn new() -> CreateConversationRequest {
    CreateConversationRequest {
        tenant: TENANT.into(),
        ..support("case/new", visitor("nobody"), PURPOSE)
    }
}

pub(super) fn get(conversation: Option<ConversationName>) -> GetConversationRequest {
    GetConversationRequest {
        tenant: TENANT.into(),
        conversation,
        purpose: PURPOSE.into(),
    }
}

pub(super) fn list(subject: &str) -> ListConversationsRequest {
    ListConversationsRequest {
        tenant: TENANT.into(),
        subject: subject.into(),
        purpose: PURPOSE.into(),
        ..ListConversationsRequest::default()
    }
}

pub(super) fn page(conversation: &str) -> ListMessagesRequest {
    ListMessagesRequest {
        tenant: TENANT.into(),
        conversation: Some(by_id(conversation)),
        purpose: PURPOSE.into(),
        ..ListMessagesRequest::default()
    }
}

pub(super) fn typing(conversation: &str, participant: Option<Participant>) -> TypingRequest {
    TypingRequest {
        tenant: TENANT.into(),
        conversation_id: conversation.into(),
        participant,
        active: true,
    }
}

fn by_ref(reference: impl Into<String>) -> ConversationName {
    ConversationName {
        name: Some(conversation_name::Name::ExternalRef(reference.into())),
    }
}

pub(super) fn creations(world: &World) -> Vec<Row> {
    let mut rows = Rows::of(world.certified("platform"));
    let unknown_kind = Participant {
        kind: 77,
        ..visitor("nobody")
    };
    let people = |count: usize| (0..count).map(|number| visitor(&number.to_string())).collect();
    let words = |count: usize| (0..count).map(|number| number.to_string()).collect();
    let long = Participant {
        subject: "x".repeat(129),
        ..visitor("")
    };
    let nameless = Participant {
        subject: String::new(),
        ..visitor("")
    };
    #[rustfmt::skip]
    let calls = [
        ("no tenant", CreateConversationRequest { tenant: String::new(), ..new() }, "tenant"),
        ("a tenant in capitals", CreateConversationRequest { tenant: "Demo".into(), ..new() }, "tenant"),
        ("a tenant of 65 bytes", CreateConversationRequest { tenant: "x".repeat(65), ..new() }, "tenant"),
        ("all tenants", CreateConversationRequest { tenant: "*".into(), ..new() }, "tenant"),
        ("no profile", CreateConversationRequest { profile: 0, ..new() }, "profile"),
        ("an unknown profile", CreateConversationRequest { profile: 99, ..new() }, "profile"),
        ("a negative profile", CreateConversationRequest { profile: -1, ..new() }, "profile"),
        ("a reference of 129 bytes", CreateConversationRequest { external_ref: "x".repeat(129), ..new() }, "external_ref"),
        ("neither reference nor request id", CreateConversationRequest { external_ref: String::new(), ..new() }, "request_id"),
        ("a request id of 129 bytes", CreateConversationRequest { request_id: "x".repeat(129), ..new() }, "request_id"),
        ("a title of 1,025 bytes", CreateConversationRequest { title: "x".repeat(1_025), ..new() }, "title"),
        ("nobody", CreateConversationRequest { participants: Vec::new(), ..new() }, "participants"),
        ("257 people", CreateConversationRequest { participants: people(257), ..new() }, "participants"),
        ("an unknown kind", CreateConversationRequest { participants: vec![unknown_kind], ..new() }, "participants[0].kind"),
        ("no name", CreateConversationRequest { participants: vec![nameless], ..new() }, "participants[0].subject"),
        ("a name of 129 bytes", CreateConversationRequest { participants: vec![long], ..new() }, "participants[0].subject"),
        ("one name twice", CreateConversationRequest { participants: vec![visitor("nobody"), visitor("nobody")], ..new() }, "participants[1].subject"),
        ("no purpose", CreateConversationRequest { purposes: Vec::new(), ..new() }, "purposes"),
        ("17 purposes", CreateConversationRequest { purposes: words(17), ..new() }, "purposes"),
        ("a purpose of 65 bytes", CreateConversationRequest { purposes: vec!["x".repeat(65)], ..new() }, "purposes[0]"),
        ("one purpose twice", CreateConversationRequest { purposes: vec!["a".into(), "a".into()], ..new() }, "purposes[1]"),
    ];
    for (name, call, field) in calls {
        rows.invalid(name, CREATE, &call, field);
    }
    let taken = CreateConversationRequest {
        tenant: TENANT.into(),
        ..support("case/anna", visitor("bert"), PURPOSE)
    };
    let differs = (Code::AlreadyExists, "CONVERSATION_DIFFERS", "external_ref");
    rows.refused("a reference with another principal", CREATE, &taken, differs);
    rows.bytes(
        "no message",
        CREATE,
        vec![0xff; 16],
        (Code::InvalidArgument, "REQUEST_MALFORMED", ""),
    );
    let huge = CreateConversationRequest {
        title: "x".repeat(6 << 20),
        ..new()
    };
    let too_large = (Code::ResourceExhausted, "REQUEST_TOO_LARGE", "");
    rows.refused("6 MiB", CREATE, &huge, too_large);
    rows.finish()
}

pub(super) fn conversations(world: &World) -> Vec<Row> {
    let mut rows = Rows::of(world.certified("platform"));
    rows.invalid("no conversation", GET, &get(None), "conversation");
    rows.invalid("no id", GET, &get(Some(by_id("1"))), "conversation.id");
    rows.invalid(
        "capitals",
        GET,
        &get(Some(by_id("AB".repeat(16)))),
        "conversation.id",
    );
    let reference = "conversation.external_ref";
    rows.invalid("an empty reference", GET, &get(Some(by_ref(""))), reference);
    rows.invalid(
        "a reference of 129 bytes",
        GET,
        &get(Some(by_ref("x".repeat(129)))),
        reference,
    );
    rows.absent("an unknown id", GET, &get(Some(by_id(NO_ID))), "conversation");
    rows.absent(
        "an unknown reference",
        GET,
        &get(Some(by_ref("case/none"))),
        reference,
    );
    rows.absent(
        "another tenant's",
        GET,
        &get(Some(by_id(&world.foreign))),
        "conversation",
    );
    let good = get(Some(by_id(&world.open)));
    let call = GetConversationRequest {
        purpose: String::new(),
        ..good.clone()
    };
    rows.invalid("no purpose", GET, &call, "purpose");
    let call = GetConversationRequest {
        purpose: "marketing".into(),
        ..good.clone()
    };
    let not_allowed = (Code::InvalidArgument, "PURPOSE_NOT_ALLOWED", "purpose");
    rows.refused("another purpose", GET, &call, not_allowed);
    let call = GetConversationRequest {
        tenant: "nobody".into(),
        ..good.clone()
    };
    rows.absent("an unknown tenant", GET, &call, "tenant");
    rows.caller.timeout = Some("1n");
    let late = (Code::DeadlineExceeded, "DEADLINE_EXCEEDED", "");
    rows.refused("past the deadline", GET, &good, late);
    rows.finish()
}

pub(super) fn lists(world: &World) -> Vec<Row> {
    let mut rows = Rows::of(world.certified("platform"));
    rows.invalid("no subject", LIST_CONVERSATIONS, &list(""), "subject");
    rows.invalid(
        "a subject of 129 bytes",
        LIST_CONVERSATIONS,
        &list(&"x".repeat(129)),
        "subject",
    );
    rows.absent(
        "an unknown subject",
        LIST_CONVERSATIONS,
        &list("visitor/nobody"),
        "subject",
    );
    let call = ListConversationsRequest {
        page_size: -1,
        ..list("visitor/anna")
    };
    rows.invalid("a negative page size", LIST_CONVERSATIONS, &call, "page_size");
    for (name, token) in [
        ("no token", "!"),
        ("half a token", "AQ"),
        ("a huge token", &"A".repeat(200)),
    ] {
        let call = ListConversationsRequest {
            page_token: token.into(),
            ..list("visitor/anna")
        };
        rows.invalid(name, LIST_CONVERSATIONS, &call, "page_token");
    }
    let close = |conversation, purpose: &str| CloseConversationRequest {
        tenant: TENANT.into(),
        conversation,
        purpose: purpose.into(),
        ..CloseConversationRequest::default()
    };
    rows.invalid("no conversation", CLOSE, &close(None, PURPOSE), "conversation");
    rows.absent(
        "an unknown id",
        CLOSE,
        &close(Some(by_id(NO_ID)), PURPOSE),
        "conversation",
    );
    rows.invalid(
        "no purpose",
        CLOSE,
        &close(Some(by_id(&world.open)), ""),
        "purpose",
    );
    rows.refused(
        "another purpose",
        CLOSE,
        &close(Some(by_id(&world.open)), "marketing"),
        (Code::InvalidArgument, "PURPOSE_NOT_ALLOWED", "purpose"),
    );
    rows.finish()
}
