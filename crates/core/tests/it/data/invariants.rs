//! What holds in every state that a history can lead to.

use eunoe_core::data::{self, HeadRow};
use eunoe_types::{ConversationId, MessageId, Seq};

use crate::support::Rows;

const ALL: usize = usize::MAX;

fn head(rows: &Rows, id: &ConversationId) -> HeadRow {
    data::head(rows, id)
        .expect("a head decodes")
        .expect("a conversation has a head")
}

/// Ids of the messages of a conversation in their order; panics where a rule is broken.
pub(crate) fn checked_messages(rows: &Rows, id: &ConversationId) -> Vec<MessageId> {
    let Some(conversation) = data::conversation(rows, id).expect("a conversation decodes") else {
        assert_eq!(
            data::head(rows, id).expect("decodes"),
            None,
            "no conversation, so no head"
        );
        return Vec::new();
    };
    let head = head(rows, id);
    let messages =
        data::messages(rows, id, (Seq(0), Seq(u64::MAX)), false, ALL, ALL).expect("messages decode");
    let seqs: Vec<u64> = messages.iter().map(|(seq, _)| seq.0).collect();
    let expected: Vec<u64> = (1..=head.last_seq.0).collect();
    assert_eq!(seqs, expected, "sequence numbers have a gap");
    let mut before = conversation.created;
    for (seq, message) in &messages {
        assert!(message.time >= before, "time went back at {seq:?}");
        before = message.time;
        assert!(message.participant < head.participants, "an author has no row");
        for section in &message.sections {
            assert!(section.key_set < head.key_sets, "a section names no key set");
            let set = data::key_set(rows, id, section.key_set).expect("a key set decodes");
            assert!(set.is_some(), "a key set is missing");
        }
        let found = data::message_seq(rows, id, &message.id).expect("an id row decodes");
        assert_eq!(found, Some(*seq), "an id leads to another message");
    }
    assert_eq!(head.last_time, before, "the head's time is the last message's");
    participants_are_numbered(rows, id, &head);
    messages.into_iter().map(|(_, message)| message.id).collect()
}

fn participants_are_numbered(rows: &Rows, id: &ConversationId, head: &HeadRow) {
    let participants = data::participants(rows, id).expect("participants decode");
    assert_eq!(participants.len(), head.participants as usize);
    for (number, participant) in (0u32..).zip(&participants) {
        let found = data::participant_number(rows, id, &participant.kid).expect("a subject row decodes");
        assert_eq!(found, Some(number), "a person has two numbers");
        let listed = data::conversations_of(rows, &participant.kid, None, ALL).expect("subject rows decode");
        assert!(
            listed.contains(id),
            "a conversation is not listed for somebody who takes part"
        );
    }
}
