//! Every row and command decodes to what was encoded, in one form only, and no bytes make a decoder panic.

use eunoe_types::{ConversationId, Day, Kid, MessageId, RequestMac, Seq, TimeMs, limits};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::command::{
    Append, CreateConversation, KeySetRef, NewParticipant, Operation, ParticipantRef, Section,
    decode_command, encode_command, encode_operation,
};
use super::row::{
    ConversationRow, ConversationState, HeadRow, KeySetRow, MessageIdRow, MessageRow, ParticipantKind,
    ParticipantRow, Profile, StoredSection, SubjectRow,
};

fn kid() -> impl Strategy<Value = Kid> {
    any::<[u8; 16]>().prop_map(Kid)
}

fn time() -> impl Strategy<Value = TimeMs> {
    any::<u64>().prop_map(TimeMs)
}

fn profile() -> impl Strategy<Value = Profile> {
    select(vec![Profile::Support, Profile::Peer])
}

fn kind() -> impl Strategy<Value = ParticipantKind> {
    select(vec![
        ParticipantKind::Visitor,
        ParticipantKind::Agent,
        ParticipantKind::Bot,
    ])
}

/// Sealed bytes that outlive a command which borrows them.
fn sealed() -> impl Strategy<Value = &'static [u8]> {
    select(vec![&b""[..], &[0], &[0x80; 127], &[0xff; 128], &[7; 20_000]])
}

fn conversation_row() -> impl Strategy<Value = ConversationRow> {
    let purposes = vec("\\PC{0,20}", 0..=limits::PURPOSES_MAX);
    (
        profile(),
        kid(),
        kid(),
        time(),
        purposes,
        vec(any::<u8>(), 0..200),
    )
        .prop_map(
            |(profile, principal, tenant, created, purposes, sealed)| ConversationRow {
                profile,
                principal,
                tenant,
                created,
                purposes,
                sealed,
            },
        )
}

fn head_row() -> impl Strategy<Value = HeadRow> {
    let state = prop_oneof![
        Just(ConversationState::Open),
        time().prop_map(ConversationState::Closed)
    ];
    (any::<u64>(), time(), any::<u32>(), any::<u32>(), state).prop_map(
        |(last_seq, last_time, participants, key_sets, state)| HeadRow {
            last_seq: Seq(last_seq),
            last_time,
            participants,
            key_sets,
            state,
        },
    )
}

fn message_row() -> impl Strategy<Value = MessageRow> {
    let section = (any::<u32>(), vec(any::<u8>(), 0..200))
        .prop_map(|(key_set, envelope)| StoredSection { key_set, envelope });
    let sections = vec(section, 0..=limits::PARTS_MAX);
    (any::<[u8; 16]>(), time(), any::<u32>(), any::<u8>(), sections).prop_map(
        |(id, time, participant, purpose, sections)| MessageRow {
            id: MessageId(id),
            time,
            participant,
            purpose,
            sections,
        },
    )
}

fn encoded(row: &MessageRow) -> Vec<u8> {
    let sections = row
        .sections
        .iter()
        .map(|section| (section.key_set, section.envelope.as_slice()));
    MessageRow::encode(&row.id, row.time, row.participant, row.purpose, sections)
}

fn participant() -> impl Strategy<Value = NewParticipant<'static>> {
    (kid(), kind(), sealed()).prop_map(|(kid, kind, sealed)| NewParticipant { kid, kind, sealed })
}

fn create() -> impl Strategy<Value = Operation<'static>> {
    let purposes = vec(select(vec!["", "support", "qualité"]), 0..=limits::PURPOSES_MAX);
    (
        kid(),
        profile(),
        kid(),
        kid(),
        time(),
        purposes,
        sealed(),
        vec(participant(), 0..5),
    )
        .prop_map(
            |(id, profile, principal, tenant, time, purposes, sealed, participants)| {
                let id = ConversationId(id.0);
                Operation::Create(CreateConversation {
                    id,
                    profile,
                    principal,
                    tenant,
                    time,
                    purposes,
                    sealed,
                    participants,
                })
            },
        )
}

fn section() -> impl Strategy<Value = Section<'static>> {
    let inline = (any::<u32>(), sealed(), vec(kid(), 0..=limits::ABOUT_MAX + 1));
    let keys = prop_oneof![
        any::<u32>().prop_map(KeySetRef::Number),
        inline.prop_map(|(day, refs, owners)| KeySetRef::Inline {
            day: Day(day),
            refs,
            owners
        }),
    ];
    (keys, sealed()).prop_map(|(keys, envelope)| Section { keys, envelope })
}

fn append() -> impl Strategy<Value = Operation<'static>> {
    let author = prop_oneof![
        any::<u32>().prop_map(ParticipantRef::Number),
        participant().prop_map(ParticipantRef::New),
    ];
    let ids = (kid(), kid(), any::<[u8; 8]>(), proptest::option::of(kid()));
    (
        ids,
        time(),
        author,
        any::<u8>(),
        vec(section(), 0..=limits::PARTS_MAX),
    )
        .prop_map(
            |((conversation, id, mac, after), time, author, purpose, sections)| {
                Operation::Append(Append {
                    conversation: ConversationId(conversation.0),
                    id: MessageId(id.0),
                    mac: RequestMac(mac),
                    time,
                    author,
                    purpose,
                    sections,
                    after: after.map(|id| MessageId(id.0)),
                })
            },
        )
}

fn operation() -> impl Strategy<Value = Operation<'static>> {
    let close = (kid(), time()).prop_map(|(id, time)| Operation::Close {
        conversation: ConversationId(id.0),
        time,
    });
    prop_oneof![create(), append(), close]
}

proptest! {
    #[test]
    fn rows_decode_to_what_was_encoded(
        conversation in conversation_row(),
        head in head_row(),
        message in message_row(),
        (kid, kind, bytes) in (kid(), kind(), vec(any::<u8>(), 0..200)),
        (number, mac) in (any::<u64>(), any::<[u8; 8]>()),
        participant in proptest::option::of(0..u32::MAX),
    ) {
        prop_assert_eq!(ConversationRow::decode(&conversation.encode()), Ok(conversation));
        prop_assert_eq!(HeadRow::decode(&head.encode()), Ok(head));
        prop_assert_eq!(MessageRow::decode(&encoded(&message)), Ok(message));
        let row = ParticipantRow::encode(&kid, kind, &bytes);
        prop_assert_eq!(ParticipantRow::decode(&row), Ok(ParticipantRow { kid, kind, sealed: bytes.clone() }));
        let day = Day(number as u32);
        prop_assert_eq!(KeySetRow::decode(&KeySetRow::encode(day, &bytes)), Ok(KeySetRow { day, refs: bytes }));
        let row = MessageIdRow { seq: Seq(number), mac: RequestMac(mac) };
        prop_assert_eq!(MessageIdRow::decode(&row.encode()), Ok(row));
        let row = SubjectRow { participant };
        prop_assert_eq!(SubjectRow::decode(&row.encode()), Ok(row));
    }

    #[test]
    fn commands_decode_to_what_was_encoded(operations in vec(operation(), 0..6)) {
        let encoded: Vec<Vec<u8>> = operations.iter().map(encode_operation).collect();
        let command = encode_command(encoded.iter().map(Vec::as_slice));
        prop_assert_eq!(decode_command(&command), Ok(operations));
    }

    #[test]
    fn whatever_decodes_is_in_its_only_form(bytes in vec(any::<u8>(), 0..90), head in head_row(), at in 0usize..90) {
        // Random bytes rarely decode; a damaged row often does.
        let mut damaged = head.encode();
        let at = at % damaged.len();
        damaged[at] = bytes.first().copied().unwrap_or(0);
        for bytes in [&bytes[..], &[&[1][..], &bytes].concat(), &damaged] {
            if let Ok(row) = ConversationRow::decode(bytes) {
                prop_assert_eq!(row.encode(), bytes);
            }
            if let Ok(row) = HeadRow::decode(bytes) {
                prop_assert_eq!(row.encode(), bytes);
            }
            if let Ok(row) = MessageRow::decode(bytes) {
                prop_assert_eq!(encoded(&row), bytes);
            }
            if let Ok(row) = ParticipantRow::decode(bytes) {
                prop_assert_eq!(ParticipantRow::encode(&row.kid, row.kind, &row.sealed), bytes);
            }
            if let Ok(row) = KeySetRow::decode(bytes) {
                prop_assert_eq!(KeySetRow::encode(row.day, &row.refs), bytes);
            }
            if let Ok(row) = MessageIdRow::decode(bytes) {
                prop_assert_eq!(row.encode(), bytes);
            }
            if let Ok(row) = SubjectRow::decode(bytes) {
                prop_assert_eq!(row.encode(), bytes);
            }
        }
    }
}
