//! Messages that must not be stored.

use eunoe_client::input::text;
use eunoe_client::types::{MessageInput, Part, Participant, part};
use eunoe_proto::chat::{AppendMessageRequest, AppendMessagesRequest, Data, StreamAppendRequest};
use tonic::Code;

use super::TENANT;
use super::chat::NO_ID;
use super::table::{Row, Rows};
use super::world::{World, message, visitor};

pub(super) const APPEND: &str = "/eunoe.chat.v1.ChatService/AppendMessage";
pub(super) const APPEND_MANY: &str = "/eunoe.chat.v1.ChatService/AppendMessages";
pub(super) const STREAM: &str = "/eunoe.chat.v1.ChatService/StreamAppend";

fn append(message: MessageInput) -> AppendMessageRequest {
    AppendMessageRequest {
        tenant: TENANT.into(),
        message: Some(message),
    }
}

fn many(messages: Vec<MessageInput>) -> AppendMessagesRequest {
    AppendMessagesRequest {
        tenant: TENANT.into(),
        messages,
    }
}

fn about(people: &[&str]) -> Part {
    Part {
        about: people.iter().map(|person| (*person).into()).collect(),
        ..text("about somebody")
    }
}

fn with(content: part::Content) -> Part {
    Part {
        content: Some(content),
        ..Part::default()
    }
}

pub(super) fn malformed(world: &World) -> Vec<Row> {
    let mut rows = Rows::of(world.certified("platform"));
    let good = || message(&world.open, "anna", 99);
    let person = |subject: &str, kind| Participant {
        subject: subject.into(),
        kind,
        ..Participant::default()
    };
    let untyped = with(part::Content::Data(Data {
        content_type: String::new(),
        value: bytes::Bytes::from_static(b"x"),
    }));
    let quote = with(part::Content::QuotedMessageId("x".into()));
    #[rustfmt::skip]
    let calls = [
        ("no conversation", MessageInput { conversation_id: String::new(), ..good() }, "conversation_id"),
        ("no id", MessageInput { conversation_id: "z".repeat(32), ..good() }, "conversation_id"),
        ("a request id of 129 bytes", MessageInput { request_id: "x".repeat(129), ..good() }, "request_id"),
        ("no part", MessageInput { parts: Vec::new(), ..good() }, "parts"),
        ("17 parts", MessageInput { parts: vec![text("x"); 17], ..good() }, "parts"),
        ("256 KiB and a byte", MessageInput { parts: vec![text("x".repeat(256 << 10)), text("x")], ..good() }, "parts"),
        ("a part without content", MessageInput { parts: vec![Part::default()], ..good() }, "parts[0]"),
        ("about 4 people", MessageInput { parts: vec![about(&["a", "b", "c", "d"])], ..good() }, "parts[0].about"),
        ("about nobody", MessageInput { parts: vec![text("x"), about(&[""])], ..good() }, "parts[1].about[0]"),
        ("data of no type", MessageInput { parts: vec![untyped], ..good() }, "parts[0].data.content_type"),
        ("a quotation of nothing", MessageInput { parts: vec![quote], ..good() }, "parts[0].quoted_message_id"),
        ("no author", MessageInput { author: None, ..good() }, "author"),
        ("an author of no kind", MessageInput { author: Some(person("visitor/anna", 0)), ..good() }, "author.kind"),
        ("an author of an unknown kind", MessageInput { author: Some(person("visitor/anna", 44)), ..good() }, "author.kind"),
        ("an author without a name", MessageInput { author: Some(person("", 1)), ..good() }, "author.subject"),
        ("an author of 129 bytes", MessageInput { author: Some(person(&"x".repeat(129), 1)), ..good() }, "author.subject"),
        ("no purpose", MessageInput { purpose: String::new(), ..good() }, "purpose"),
    ];
    for (name, call, field) in calls {
        let field = format!("message.{field}");
        rows.invalid(name, APPEND, &append(call.clone()), &field);
        rows.invalid(name, APPEND_MANY, &many(vec![call]), &field);
    }
    let nothing = AppendMessageRequest {
        tenant: TENANT.into(),
        message: None,
    };
    rows.invalid("no message", APPEND, &nothing, "message");
    rows.invalid("no message", APPEND_MANY, &many(Vec::new()), "messages");
    rows.invalid(
        "1,001 messages",
        APPEND_MANY,
        &many(vec![good(); 1_001]),
        "messages",
    );
    rows.finish()
}

pub(super) fn refused(world: &World) -> Vec<Row> {
    let mut rows = Rows::of(world.certified("platform"));
    let of = |conversation: &str| message(conversation, "anna", 98);
    let elsewhere = MessageInput {
        purpose: "marketing".into(),
        ..of(&world.open)
    };
    let reused = MessageInput {
        parts: vec![text("another text")],
        ..message(&world.open, "anna", 1)
    };
    let by_another = MessageInput {
        author: Some(visitor("bert")),
        ..message(&world.open, "anna", 2)
    };
    let to_gone = MessageInput {
        author: Some(visitor("bert")),
        ..of(&world.erased)
    };
    let id = "message.conversation_id";
    let reuse = (Code::AlreadyExists, "REQUEST_ID_REUSED", "message.request_id");
    for (name, call, expected) in [
        (
            "an unknown conversation",
            of(NO_ID),
            (Code::NotFound, "NOT_FOUND", id),
        ),
        (
            "another tenant's conversation",
            of(&world.foreign),
            (Code::NotFound, "NOT_FOUND", id),
        ),
        (
            "another purpose",
            elsewhere,
            (Code::InvalidArgument, "PURPOSE_NOT_ALLOWED", "message.purpose"),
        ),
        (
            "a closed conversation",
            message(&world.closed, "bert", 97),
            (Code::FailedPrecondition, "CONVERSATION_CLOSED", ""),
        ),
        (
            "an erased principal",
            to_gone,
            (Code::FailedPrecondition, "ERASED", ""),
        ),
        ("a request id with another text", reused, reuse),
        ("a request id of another author", by_another, reuse),
    ] {
        rows.refused(name, APPEND, &append(call.clone()), expected);
        rows.refused(name, APPEND_MANY, &many(vec![call.clone()]), expected);
        let streamed = StreamAppendRequest {
            tenant: TENANT.into(),
            message: Some(call),
        };
        rows.refused(name, STREAM, &streamed, expected);
    }
    rows.finish()
}

pub(super) fn sequences(world: &World) -> Vec<Row> {
    let mut rows = Rows::of(world.certified("platform"));
    let good = || message(&world.open, "anna", 93);
    let elsewhere = MessageInput {
        purpose: "marketing".into(),
        ..good()
    };
    let behind = (Code::Aborted, "PREDECESSOR_REFUSED", "");
    rows.refused(
        "behind a refused one",
        APPEND_MANY,
        &many(vec![elsewhere, good()]),
        behind,
    );
    let malformed = MessageInput {
        author: None,
        ..good()
    };
    let call = many(vec![malformed, good()]);
    rows.refused("behind a malformed one", APPEND_MANY, &call, behind);

    let stream = |tenant: &str| StreamAppendRequest {
        tenant: tenant.into(),
        message: None,
    };
    rows.invalid("no message", STREAM, &stream(TENANT), "message");
    rows.invalid("no tenant", STREAM, &stream(""), "tenant");
    rows.absent("an unknown tenant", STREAM, &stream("nobody"), "tenant");
    let unreadable = (Code::InvalidArgument, "REQUEST_MALFORMED", "");
    rows.bytes("no message of this method", STREAM, vec![0xff; 16], unreadable);
    let too_large = (Code::ResourceExhausted, "REQUEST_TOO_LARGE", "");
    rows.bytes("6 MiB", STREAM, vec![0; 6 << 20], too_large);
    rows.bytes("6 MiB", APPEND_MANY, vec![0; 6 << 20], too_large);
    rows.caller.timeout = Some("1n");
    // It is stored already: whether this call comes so far or not, nothing is new.
    let again = append(message(&world.open, "anna", 1));
    rows.refused(
        "past the deadline",
        APPEND,
        &again,
        (Code::DeadlineExceeded, "DEADLINE_EXCEEDED", ""),
    );
    rows.finish()
}
