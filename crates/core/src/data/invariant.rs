//! What holds in every state of a data group.

use eunoe_types::{ConversationId, Fault, Kid, MessageId, Seq};

use super::row::{ConversationRow, HeadRow, KeySetRow, MessageIdRow, MessageRow, ParticipantRow, SubjectRow};
use crate::invariant::Invariant as Rule;
use crate::invariant::pass::{Pass, Unchecked, beside, is_there, part};
use crate::{StateView, table};

/// Checks what one row says, and what other rows must say for it.
pub(crate) fn check_row(
    pass: &mut Pass,
    view: &dyn StateView,
    key: &[u8],
    value: &[u8],
) -> Result<(), Unchecked> {
    let table = key.first().copied().unwrap_or_default();
    let id = |skip| Ok::<_, Unchecked>(ConversationId(part(key, skip)?));
    match table {
        table::CONVERSATION => conversation(pass, view, &id(0)?, value),
        table::HEAD => head(pass, view, &id(0)?, value),
        table::PARTICIPANT => participant(pass, view, &id(0)?, u32::from_be_bytes(part(key, 16)?), value),
        table::KEY_SET => key_set(pass, view, &id(0)?, u32::from_be_bytes(part(key, 16)?), value),
        table::MESSAGE => message(pass, view, &id(0)?, MessageRow::seq_of(key)?, value),
        table::MESSAGE_ID => message_id(pass, view, &id(0)?, &MessageId(part(key, 16)?), value),
        table::SUBJECT => subject(pass, view, &Kid(part(key, 0)?), &id(16)?, value),
        _ => Err(Unchecked::Malformed),
    }
}

fn head_of(view: &dyn StateView, id: &ConversationId) -> Result<Option<HeadRow>, Unchecked> {
    Ok(beside(view, &HeadRow::key(id), HeadRow::decode)?)
}

fn message_at(view: &dyn StateView, id: &ConversationId, seq: Seq) -> Result<Option<MessageRow>, Unchecked> {
    Ok(beside(view, &MessageRow::key(id, seq), MessageRow::decode)?)
}

fn conversation(
    pass: &mut Pass,
    view: &dyn StateView,
    id: &ConversationId,
    value: &[u8],
) -> Result<(), Unchecked> {
    let row = ConversationRow::decode(value)?;
    let head = head_of(view, id)?;
    pass.expect(head.is_some(), Rule::ConversationHasHead);
    if let Some(head) = head.filter(|head| head.last_seq == Seq(0)) {
        pass.expect(head.last_time == row.created, Rule::TimesRise);
    }
    Ok(())
}

fn head(pass: &mut Pass, view: &dyn StateView, id: &ConversationId, value: &[u8]) -> Result<(), Unchecked> {
    let head = HeadRow::decode(value)?;
    pass.expect(
        is_there(view, &ConversationRow::key(id))?,
        Rule::ConversationHasHead,
    );
    if head.last_seq > Seq(0) {
        let last = message_at(view, id, head.last_seq)?;
        pass.expect(last.is_some(), Rule::MessagesWithoutGap);
        pass.expect(last.is_none_or(|row| row.time == head.last_time), Rule::TimesRise);
    }
    if let Some(last) = head.participants.checked_sub(1) {
        let there = is_there(view, &ParticipantRow::key(id, last))?;
        pass.expect(there, Rule::ParticipantsNumbered);
    }
    if let Some(last) = head.key_sets.checked_sub(1) {
        pass.expect(is_there(view, &KeySetRow::key(id, last))?, Rule::KeySetsNumbered);
    }
    Ok(())
}

/// Whether a numbered row is the first, or has the one of the number before.
fn follows(view: &dyn StateView, number: u32, key: impl Fn(u32) -> Vec<u8>) -> Result<bool, Fault> {
    match number.checked_sub(1) {
        Some(before) => is_there(view, &key(before)),
        None => Ok(true),
    }
}

fn participant(
    pass: &mut Pass,
    view: &dyn StateView,
    id: &ConversationId,
    number: u32,
    value: &[u8],
) -> Result<(), Unchecked> {
    let row = ParticipantRow::decode(value)?;
    let counted = head_of(view, id)?.is_some_and(|head| number < head.participants);
    let follows = follows(view, number, |before| ParticipantRow::key(id, before))?;
    let found = beside(view, &SubjectRow::key(&row.kid, id), SubjectRow::decode)?;
    let found = found.is_some_and(|found| found.participant == Some(number));
    pass.expect(counted && follows && found, Rule::ParticipantsNumbered);
    Ok(())
}

fn key_set(
    pass: &mut Pass,
    view: &dyn StateView,
    id: &ConversationId,
    number: u32,
    value: &[u8],
) -> Result<(), Unchecked> {
    KeySetRow::decode(value)?;
    let counted = head_of(view, id)?.is_some_and(|head| number < head.key_sets);
    let follows = follows(view, number, |before| KeySetRow::key(id, before))?;
    pass.expect(counted && follows, Rule::KeySetsNumbered);
    Ok(())
}

fn message(
    pass: &mut Pass,
    view: &dyn StateView,
    id: &ConversationId,
    seq: Seq,
    value: &[u8],
) -> Result<(), Unchecked> {
    let row = MessageRow::decode(value)?;
    let Some(head) = head_of(view, id)? else {
        pass.expect(false, Rule::MessagesWithoutGap);
        return Ok(());
    };
    let in_range = seq > Seq(0) && seq <= head.last_seq;
    let before = match seq {
        Seq(0) => None,
        Seq(1) => beside(view, &ConversationRow::key(id), ConversationRow::decode)?.map(|row| row.created),
        Seq(later) => message_at(view, id, Seq(later - 1))?.map(|row| row.time),
    };
    // Without a conversation, the head is what is wrong.
    let follows = before.is_some() || seq == Seq(1);
    pass.expect(in_range && follows, Rule::MessagesWithoutGap);
    pass.expect(before.is_none_or(|before| before <= row.time), Rule::TimesRise);
    let known_sets = row.sections.iter().all(|section| section.key_set < head.key_sets);
    pass.expect(
        known_sets && row.participant < head.participants,
        Rule::NumbersInRange,
    );
    let index = beside(view, &MessageIdRow::key(id, &row.id), MessageIdRow::decode)?;
    pass.expect(index.is_some_and(|index| index.seq == seq), Rule::MessageIdsLead);
    Ok(())
}

fn message_id(
    pass: &mut Pass,
    view: &dyn StateView,
    id: &ConversationId,
    message: &MessageId,
    value: &[u8],
) -> Result<(), Unchecked> {
    let index = MessageIdRow::decode(value)?;
    let there = message_at(view, id, index.seq)?.is_some_and(|row| row.id == *message);
    pass.expect(there, Rule::MessageIdsLead);
    Ok(())
}

fn subject(
    pass: &mut Pass,
    view: &dyn StateView,
    kid: &Kid,
    id: &ConversationId,
    value: &[u8],
) -> Result<(), Unchecked> {
    let row = SubjectRow::decode(value)?;
    let right = match row.participant {
        Some(number) => {
            let there = beside(view, &ParticipantRow::key(id, number), ParticipantRow::decode)?;
            there.is_some_and(|row| row.kid == *kid)
        }
        None => is_there(view, &HeadRow::key(id))?,
    };
    pass.expect(right, Rule::ParticipantsNumbered);
    Ok(())
}
