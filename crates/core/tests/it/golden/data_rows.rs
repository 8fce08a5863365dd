//! Every table of a data group, keys and values, as the golden operations leave them.

use eunoe_core::data::{self, ConversationState, DataMachine, ParticipantKind};
use eunoe_types::{Day, Kid, MessageId, Seq, TimeMs};

use super::data_commands::{CONVERSATION, VISITOR, operations};
use crate::data::generate::commands;
use crate::support::table::{assert_golden, rows_of, unhex};
use crate::support::{Rows, run};

const GOLDEN: &[(&str, &str)] = &[
    (
        "1011111111111111111111111111111111",
        "0101212121212121212121212121212121213131313131313131313131313131313180d095ffbc310207737570706f7274087175616c6974c3a9057469746c65",
    ),
    (
        "1012121212121212121212121212121212",
        "01021212121212121212121212121212121231313131313131313131313131313131000000",
    ),
    ("1111111111111111111111111111111111", "0102acd295ffbc31030201"),
    ("1112121212121212121212121212121212", "01000000000281d095ffbc31"),
    (
        "121111111111111111111111111111111100000000",
        "0121212121212121212121212121212121010176",
    ),
    (
        "121111111111111111111111111111111100000001",
        "01222222222222222222222222222222220200",
    ),
    (
        "121111111111111111111111111111111100000002",
        "01242424242424242424242424242424240303626f74",
    ),
    ("131111111111111111111111111111111100000000", "01db99010472656673"),
    ("131111111111111111111111111111111100000001", "010000"),
    (
        "14111111111111111111111111111111110000000000000001",
        "0141414141414141414141414141414141acd295ffbc3101010100056669727374",
    ),
    (
        "14111111111111111111111111111111110000000000000002",
        "0142424242424242424242424242424242acd295ffbc31020002008201eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee0100",
    ),
    (
        "151111111111111111111111111111111141414141414141414141414141414141",
        "01015151515151515151",
    ),
    (
        "151111111111111111111111111111111142424242424242424242424242424242",
        "01025252525252525252",
    ),
    (
        "162121212121212121212121212121212111111111111111111111111111111111",
        "0101",
    ),
    (
        "162222222222222222222222222222222211111111111111111111111111111111",
        "0102",
    ),
    (
        "162323232323232323232323232323232311111111111111111111111111111111",
        "0100",
    ),
    (
        "162424242424242424242424242424242411111111111111111111111111111111",
        "0103",
    ),
];

#[test]
fn rows_have_their_bytes() {
    let mut rows = Rows::default();
    let operations: Vec<_> = operations().into_iter().map(|(_, operation)| operation).collect();
    run(&DataMachine, &mut rows, &commands(&operations), 1);
    assert_golden(GOLDEN, &rows_of(&rows));
}

#[test]
fn rows_of_the_table_are_read() {
    let rows = Rows(
        GOLDEN
            .iter()
            .map(|(key, value)| (unhex(key), unhex(value)))
            .collect(),
    );
    let conversation = data::conversation(&rows, &CONVERSATION)
        .expect("decodes")
        .expect("is there");
    assert_eq!(
        (conversation.principal, conversation.purposes[1].as_str()),
        (VISITOR, "qualité")
    );
    let head = data::head(&rows, &CONVERSATION)
        .expect("decodes")
        .expect("is there");
    assert_eq!((head.last_seq, head.participants, head.key_sets), (Seq(2), 3, 2));
    assert_eq!(head.state, ConversationState::Open);
    let bot = data::participant(&rows, &CONVERSATION, 2)
        .expect("decodes")
        .expect("is there");
    assert_eq!((bot.kind, &bot.sealed[..]), (ParticipantKind::Bot, &b"bot"[..]));
    let set = data::key_set(&rows, &CONVERSATION, 0)
        .expect("decodes")
        .expect("is there");
    assert_eq!((set.day, &set.refs[..]), (Day(19_675), &b"refs"[..]));
    let message = data::message(&rows, &CONVERSATION, Seq(2))
        .expect("decodes")
        .expect("is there");
    assert_eq!(
        (message.id, message.time),
        (MessageId([0x42; 16]), TimeMs(1_700_000_000_300))
    );
    assert_eq!(message.sections[0].envelope, [0xee; 130]);
    let found = data::message_seq(&rows, &CONVERSATION, &message.id).expect("decodes");
    assert_eq!(found, Some(Seq(2)));
    let only_about = data::conversations_of(&rows, &Kid([0x23; 16]), None, 9).expect("decodes");
    assert_eq!(only_about, [CONVERSATION]);
    assert_eq!(
        data::participant_number(&rows, &CONVERSATION, &Kid([0x23; 16])).expect("decodes"),
        None
    );
}
