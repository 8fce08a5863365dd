//! Reads of what is not there, or from where there is nothing.

use eunoe_client::input::by_id;
use eunoe_client::types::{Participant, ParticipantKind};
use eunoe_proto::chat::{
    GetMessageRequest, ListMessagesRequest, TailConversationRequest, get_message_request,
    list_messages_request, tail_conversation_request,
};
use prost_types::Timestamp;

use super::table::{Row, Rows};
use super::world::{World, visitor};
use super::{PURPOSE, TENANT, chat};

const GET_MESSAGE: &str = "/eunoe.chat.v1.ChatService/GetMessage";
const TAIL: &str = "/eunoe.chat.v1.ChatService/TailConversation";

pub(super) fn pages(world: &World, foreign_token: &str, foreign_position: &str) -> Vec<Row> {
    use get_message_request::Message as Named;
    use list_messages_request::Start as From;
    let mut rows = Rows::of(world.certified("platform"));
    let message = |message| GetMessageRequest {
        tenant: TENANT.into(),
        conversation: Some(by_id(&world.open)),
        message,
        purpose: PURPOSE.into(),
    };
    rows.invalid("no name", GET_MESSAGE, &message(None), "message");
    rows.invalid("place 0", GET_MESSAGE, &message(Some(Named::Seq(0))), "seq");
    rows.absent(
        "a place without a message",
        GET_MESSAGE,
        &message(Some(Named::Seq(999))),
        "message",
    );
    rows.invalid(
        "no id",
        GET_MESSAGE,
        &message(Some(Named::MessageId("x".into()))),
        "message_id",
    );
    rows.absent(
        "an unknown id",
        GET_MESSAGE,
        &message(Some(Named::MessageId(chat::NO_ID.into()))),
        "message",
    );

    let good = chat::page(&world.open);
    #[rustfmt::skip]
    let calls = [
        ("an unknown order", ListMessagesRequest { order: 9, ..good.clone() }, "order"),
        ("from 0", ListMessagesRequest { start: Some(From::FromSeq(0)), ..good.clone() }, "from_seq"),
        ("from before 1970", ListMessagesRequest { start: Some(From::FromTime(Timestamp { seconds: -1, nanos: 0 })), ..good.clone() }, "from_time"),
        ("from a time without end", ListMessagesRequest { start: Some(From::FromTime(Timestamp { seconds: i64::MAX, nanos: 0 })), ..good.clone() }, "from_time"),
        ("a second of 2 seconds", ListMessagesRequest { start: Some(From::FromTime(Timestamp { seconds: 0, nanos: 2_000_000_000 })), ..good.clone() }, "from_time"),
        ("a negative page size", ListMessagesRequest { page_size: i32::MIN, ..good.clone() }, "page_size"),
        ("no token", ListMessagesRequest { page_token: "%".into(), ..good.clone() }, "page_token"),
        ("another conversation's token", ListMessagesRequest { page_token: foreign_token.into(), ..good.clone() }, "page_token"),
        ("a position for a token", ListMessagesRequest { page_token: foreign_position.into(), ..good }, "page_token"),
    ];
    for (name, call, field) in calls {
        rows.invalid(name, chat::LIST_MESSAGES, &call, field);
    }
    rows.finish()
}

pub(super) fn tails(world: &World, foreign_position: &str) -> Vec<Row> {
    use tail_conversation_request::Start;
    let mut rows = Rows::of(world.certified("platform"));
    let tail = |start| TailConversationRequest {
        tenant: TENANT.into(),
        conversation: Some(by_id(&world.closed)),
        purpose: PURPOSE.into(),
        start: Some(start),
    };
    rows.invalid(
        "after what has not come",
        TAIL,
        &tail(Start::AfterSeq(99)),
        "after_seq",
    );
    rows.invalid(
        "no position",
        TAIL,
        &tail(Start::Position("?".into())),
        "position",
    );
    rows.invalid(
        "an empty position",
        TAIL,
        &tail(Start::Position(String::new())),
        "position",
    );
    // It is behind the end of this one.
    rows.invalid(
        "another's position",
        TAIL,
        &tail(Start::Position(foreign_position.into())),
        "position",
    );
    let absent = TailConversationRequest {
        conversation: Some(by_id(&world.foreign)),
        ..tail(Start::AfterSeq(0))
    };
    rows.absent("another tenant's", TAIL, &absent, "conversation");
    rows.finish()
}

pub(super) fn typing(world: &World) -> Vec<Row> {
    let mut rows = Rows::of(world.certified("platform"));
    let anna = Some(visitor("anna"));
    rows.invalid(
        "no id",
        chat::TYPING,
        &chat::typing("", anna.clone()),
        "conversation_id",
    );
    rows.absent(
        "another tenant's",
        chat::TYPING,
        &chat::typing(&world.foreign, anna),
        "conversation_id",
    );
    rows.invalid(
        "nobody",
        chat::TYPING,
        &chat::typing(&world.open, None),
        "participant",
    );
    let unknown = Participant {
        kind: ParticipantKind::Unspecified.into(),
        ..visitor("anna")
    };
    rows.invalid(
        "no kind",
        chat::TYPING,
        &chat::typing(&world.open, Some(unknown)),
        "participant.kind",
    );
    for name in ["bert", "nobody"] {
        let call = chat::typing(&world.open, Some(visitor(name)));
        rows.invalid("somebody outside", chat::TYPING, &call, "participant.subject");
    }
    rows.finish()
}
