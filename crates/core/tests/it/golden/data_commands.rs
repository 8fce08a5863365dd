//! Operations and commands of a data group.

use eunoe_core::data::{
    Append, CreateConversation, KeySetRef, NewParticipant, Operation, ParticipantKind, ParticipantRef,
    Profile, Section, encode_command, encode_operation,
};
use eunoe_types::{ConversationId, Day, Kid, MessageId, RequestMac, TimeMs};

use crate::support::table::assert_golden;

const GOLDEN: &[(&str, &str)] = &[
    (
        "create a SUPPORT conversation",
        "011111111111111111111111111111111101212121212121212121212121212121213131313131313131313131313131313180d095ffbc310207737570706f7274087175616c6974c3a9057469746c650221212121212121212121212121212121010176222222222222222222222222222222220200",
    ),
    (
        "create a PEER conversation",
        "011212121212121212121212121212121202121212121212121212121212121212123131313131313131313131313131313100000000",
    ),
    (
        "append with an inline key set",
        "0211111111111111111111111111111111414141414141414141414141414141415151515151515151acd295ffbc310001010101db9901047265667302212121212121212121212121212121212323232323232323232323232323232305666972737400",
    ),
    (
        "append by somebody new, after a predecessor",
        "02111111111111111111111111111111114242424242424242424242424242424252525252525252528080babbc82e01242424242424242424242424242424240303626f74000200008201eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee01000000000141414141414141414141414141414141",
    ),
    ("close", "031212121212121212121212121212121281d095ffbc31"),
    ("a command of none", "0100"),
    (
        "a command of two",
        "0102011212121212121212121212121212121202121212121212121212121212121212123131313131313131313131313131313100000000031212121212121212121212121212121281d095ffbc31",
    ),
];

pub(super) const CONVERSATION: ConversationId = ConversationId([0x11; 16]);
const PEER: ConversationId = ConversationId([0x12; 16]);
pub(super) const VISITOR: Kid = Kid([0x21; 16]);
const AGENT: Kid = Kid([0x22; 16]);
const TENANT: Kid = Kid([0x31; 16]);

fn participant(kid: Kid, kind: ParticipantKind, sealed: &'static [u8]) -> NewParticipant<'static> {
    NewParticipant { kid, kind, sealed }
}

fn create() -> Operation<'static> {
    Operation::Create(CreateConversation {
        id: CONVERSATION,
        profile: Profile::Support,
        principal: VISITOR,
        tenant: TENANT,
        time: TimeMs(1_700_000_000_000),
        purposes: vec!["support", "qualité"],
        sealed: b"title",
        participants: vec![
            participant(VISITOR, ParticipantKind::Visitor, b"v"),
            participant(AGENT, ParticipantKind::Agent, b""),
        ],
    })
}

fn create_peer() -> Operation<'static> {
    Operation::Create(CreateConversation {
        id: PEER,
        profile: Profile::Peer,
        principal: PEER.kid(),
        tenant: TENANT,
        time: TimeMs(0),
        purposes: Vec::new(),
        sealed: b"",
        participants: Vec::new(),
    })
}

fn append_by_number() -> Operation<'static> {
    let inline = KeySetRef::Inline {
        day: Day(19_675),
        refs: b"refs",
        owners: vec![VISITOR, Kid([0x23; 16])],
    };
    Operation::Append(Append {
        conversation: CONVERSATION,
        id: MessageId([0x41; 16]),
        mac: RequestMac([0x51; 8]),
        time: TimeMs(1_700_000_000_300),
        author: ParticipantRef::Number(1),
        purpose: 1,
        sections: vec![Section {
            keys: inline,
            envelope: b"first",
        }],
        after: None,
    })
}

fn append_by_newcomer() -> Operation<'static> {
    let other = KeySetRef::Inline {
        day: Day(0),
        refs: b"",
        owners: Vec::new(),
    };
    Operation::Append(Append {
        conversation: CONVERSATION,
        id: MessageId([0x42; 16]),
        mac: RequestMac([0x52; 8]),
        // Earlier than the one in front of it: apply makes it monotone.
        time: TimeMs(1_600_000_000_000),
        author: ParticipantRef::New(participant(Kid([0x24; 16]), ParticipantKind::Bot, b"bot")),
        purpose: 0,
        sections: vec![
            Section {
                keys: KeySetRef::Number(0),
                envelope: &[0xee; 130],
            },
            Section {
                keys: other,
                envelope: b"",
            },
        ],
        after: Some(MessageId([0x41; 16])),
    })
}

fn close() -> Operation<'static> {
    Operation::Close {
        conversation: PEER,
        time: TimeMs(1_700_000_000_001),
    }
}

/// A name and an operation of every kind.
pub(crate) fn operations() -> Vec<(&'static str, Operation<'static>)> {
    vec![
        ("create a SUPPORT conversation", create()),
        ("create a PEER conversation", create_peer()),
        ("append with an inline key set", append_by_number()),
        (
            "append by somebody new, after a predecessor",
            append_by_newcomer(),
        ),
        ("close", close()),
    ]
}

#[test]
fn operations_and_commands_have_their_bytes() {
    let encoded: Vec<(String, Vec<u8>)> = operations()
        .iter()
        .map(|(name, operation)| ((*name).to_owned(), encode_operation(operation)))
        .collect();
    let two = [&encoded[1].1[..], &encoded[4].1];
    let commands = [
        ("a command of none".to_owned(), encode_command(std::iter::empty())),
        ("a command of two".to_owned(), encode_command(two.into_iter())),
    ];
    assert_golden(GOLDEN, &[&encoded[..], &commands].concat());
}
