//! A stream of appends, each naming the one in front of it, over lost and repeated and late deliveries.

use eunoe_core::data::{
    Append, CreateConversation, DataMachine, NewParticipant, Operation, ParticipantKind, ParticipantRef,
    Profile,
};
use eunoe_types::{ConversationId, Kid, MessageId, RequestMac, TimeMs};
use proptest::prelude::*;

use super::generate::commands;
use super::invariants::checked_messages;
use crate::support::{Rows, run};

const CONVERSATION: ConversationId = ConversationId([1; 16]);

fn created() -> Operation<'static> {
    Operation::Create(CreateConversation {
        id: CONVERSATION,
        profile: Profile::Support,
        principal: Kid([0x41; 16]),
        tenant: Kid([0x44; 16]),
        time: TimeMs(1),
        purposes: vec!["support"],
        sealed: b"",
        participants: vec![NewParticipant {
            kid: Kid([0x41; 16]),
            kind: ParticipantKind::Visitor,
            sealed: b"",
        }],
    })
}

/// Message `number` of stream `stream`; the first one names no predecessor.
fn sent(stream: u8, number: u8) -> Operation<'static> {
    let id = |number: u8| MessageId([stream << 6 | number; 16]);
    Operation::Append(Append {
        conversation: CONVERSATION,
        id: id(number),
        mac: RequestMac([number; 8]),
        time: TimeMs(u64::from(number)),
        author: ParticipantRef::Number(0),
        purpose: 0,
        sections: Vec::new(),
        after: number.checked_sub(1).map(id),
    })
}

proptest! {
    #[test]
    fn a_stream_never_reorders_however_its_messages_arrive(
        deliveries in prop::collection::vec((0u8..2, 0u8..20), 0..200),
    ) {
        let mut rows = Rows::default();
        let arrived: Vec<_> = deliveries.iter().map(|(stream, number)| sent(*stream, *number)).collect();
        run(&DataMachine, &mut rows, &commands(&[created()]), 1);
        run(&DataMachine, &mut rows, &commands(&arrived), 7);
        let stored = checked_messages(&rows, &CONVERSATION);
        for stream in 0..2 {
            let numbers: Vec<u8> =
                stored.iter().filter(|id| id.0[0] >> 6 == stream).map(|id| id.0[0] & 0x3f).collect();
            let gap_free: Vec<u8> = (0..numbers.len() as u8).collect();
            prop_assert_eq!(numbers, gap_free);
        }
    }

    #[test]
    fn retrying_in_order_until_all_are_there_gives_each_once(
        lost in prop::collection::vec(any::<bool>(), 40),
    ) {
        let mut rows = Rows::default();
        run(&DataMachine, &mut rows, &commands(&[created()]), 1);
        let all: Vec<_> = (0..20).map(|number| sent(0, number)).collect();
        // Two rounds in which some get lost, then one in which none does.
        for round in [&lost[..20], &lost[20..], &[false; 20]] {
            let arrived: Vec<_> =
                all.iter().zip(round).filter(|(_, lost)| !**lost).map(|(message, _)| message.clone()).collect();
            run(&DataMachine, &mut rows, &commands(&arrived), 3);
        }
        let expected: Vec<MessageId> = (0..20).map(|number| MessageId([number; 16])).collect();
        prop_assert_eq!(checked_messages(&rows, &CONVERSATION), expected);
    }
}
