//! Histories over few conversations, ids and people, so that operations meet each other.

use eunoe_core::data::{
    Append, CreateConversation, KeySetRef, NewParticipant, Operation, ParticipantKind, ParticipantRef,
    Profile, Reply, Section, decode_replies, encode_command, encode_operation,
};
use eunoe_types::{ConversationId, Day, Kid, MessageId, RequestMac, TimeMs};
use proptest::prelude::*;
use proptest::sample::select;

use crate::support::Answered;

pub(crate) fn conversation_id() -> impl Strategy<Value = ConversationId> {
    (1u8..=3).prop_map(|byte| ConversationId([byte; 16]))
}

fn message_id() -> impl Strategy<Value = MessageId> {
    (1u8..=12).prop_map(|byte| MessageId([byte; 16]))
}

pub(crate) fn kid() -> impl Strategy<Value = Kid> {
    (0x41u8..=0x44).prop_map(|byte| Kid([byte; 16]))
}

fn time() -> impl Strategy<Value = TimeMs> {
    prop_oneof![9 => 0u64..5_000, 1 => Just(u64::MAX)].prop_map(TimeMs)
}

fn sealed() -> impl Strategy<Value = &'static [u8]> {
    select(vec![&b""[..], b"\x00", b"sealed", &[0xff; 200]])
}

fn participant() -> impl Strategy<Value = NewParticipant<'static>> {
    let kind = select(vec![
        ParticipantKind::Visitor,
        ParticipantKind::Agent,
        ParticipantKind::Bot,
    ]);
    (kid(), kind, sealed()).prop_map(|(kid, kind, sealed)| NewParticipant { kid, kind, sealed })
}

fn author() -> impl Strategy<Value = ParticipantRef<'static>> {
    prop_oneof![
        (0u32..4).prop_map(ParticipantRef::Number),
        participant().prop_map(ParticipantRef::New)
    ]
}

fn section() -> impl Strategy<Value = Section<'static>> {
    let inline = (
        0u32..3,
        select(vec![&b"refs-a"[..], b"refs-b", b""]),
        prop::collection::vec(kid(), 0..=3),
    );
    let keys = prop_oneof![
        (0u32..4).prop_map(KeySetRef::Number),
        inline.prop_map(|(day, refs, owners)| KeySetRef::Inline {
            day: Day(day),
            refs,
            owners
        }),
    ];
    (keys, sealed()).prop_map(|(keys, envelope)| Section { keys, envelope })
}

fn create() -> impl Strategy<Value = CreateConversation<'static>> {
    let profile = select(vec![Profile::Support, Profile::Peer]);
    let purposes = prop::collection::vec(select(vec!["support", "quality"]), 0..=2);
    let participants = prop::collection::vec(participant(), 0..=3);
    (
        conversation_id(),
        profile,
        kid(),
        kid(),
        time(),
        purposes,
        sealed(),
        participants,
    )
        .prop_map(
            |(id, profile, principal, tenant, time, purposes, sealed, participants)| CreateConversation {
                id,
                profile,
                principal,
                tenant,
                time,
                purposes,
                sealed,
                participants,
            },
        )
}

fn append() -> impl Strategy<Value = Append<'static>> {
    let mac = (0u8..2).prop_map(|byte| RequestMac([byte; 8]));
    let sections = prop::collection::vec(section(), 0..=3);
    (
        conversation_id(),
        message_id(),
        mac,
        time(),
        author(),
        0u8..3,
        sections,
        prop::option::of(message_id()),
    )
        .prop_map(
            |(conversation, id, mac, time, author, purpose, sections, after)| Append {
                conversation,
                id,
                mac,
                time,
                author,
                purpose,
                sections,
                after,
            },
        )
}

pub(crate) fn operation() -> impl Strategy<Value = Operation<'static>> {
    prop_oneof![
        2 => create().prop_map(Operation::Create),
        10 => append().prop_map(Operation::Append),
        1 => (conversation_id(), time()).prop_map(|(conversation, time)| Operation::Close { conversation, time }),
    ]
}

/// A history that begins with its conversations, so that most appends find theirs.
pub(crate) fn history() -> impl Strategy<Value = Vec<Operation<'static>>> {
    (
        prop::collection::vec(create(), 0..4),
        prop::collection::vec(operation(), 0..60),
    )
        .prop_map(|(creates, rest)| creates.into_iter().map(Operation::Create).chain(rest).collect())
}

/// One command for `operations`.
pub(crate) fn command(operations: &[Operation<'_>]) -> Vec<u8> {
    let encoded: Vec<Vec<u8>> = operations.iter().map(encode_operation).collect();
    encode_command(encoded.iter().map(Vec::as_slice))
}

/// A command for each operation.
pub(crate) fn commands(operations: &[Operation<'_>]) -> Vec<Vec<u8>> {
    operations
        .iter()
        .map(|operation| command(std::slice::from_ref(operation)))
        .collect()
}

/// All replies of a run, one for each operation.
pub(crate) fn replies(answers: &[Answered]) -> Vec<Reply> {
    answers
        .iter()
        .flat_map(|answer| decode_replies(&answer.reply).expect("a reply decodes"))
        .collect()
}
