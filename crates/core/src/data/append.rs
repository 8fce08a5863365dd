//! Appending a message: dedup, order, place. Performance-critical path: runs on every replica for every message.

use eunoe_types::{ConversationId, Fault, Seq};

use super::apply::{Answer, head, note_owner, participant_number};
use super::command::{Append, KeySetRef, ParticipantRef, Section};
use super::reply::{Appended, Rejection, Reply};
use super::row::{ConversationState, HeadRow, KeySetRow, MessageIdRow, MessageRow};
use crate::Txn;

/// How many of the newest key sets are compared with an inline one before it gets a number of its own. Sets repeat
/// for a day, so the newest few find nearly every repetition; a missed one costs a row, never correctness.
const KEY_SETS_COMPARED: u32 = 8;

pub(super) fn append(txn: &mut Txn<'_>, message: &Append<'_>) -> Result<Answer, Fault> {
    let Some(mut head) = head(txn, &message.conversation)? else {
        return Ok(Err(Rejection::NoSuchConversation));
    };
    let id_key = MessageIdRow::key(&message.conversation, &message.id);
    if let Some(bytes) = txn.get(&id_key)? {
        return replay(txn, message, MessageIdRow::decode(&bytes)?);
    }
    if let Err(rejection) = check(txn, message, &head)? {
        return Ok(Err(rejection));
    }
    let participant = match author_number(txn, message, &mut head)? {
        Ok(number) => number,
        Err(rejection) => return Ok(Err(rejection)),
    };
    let key_sets = message
        .sections
        .iter()
        .map(|section| key_set_number(txn, &message.conversation, &mut head, section))
        .collect::<Result<Vec<u32>, Fault>>()?;
    head.last_seq = Seq(head.last_seq.0 + 1);
    // A clock that went back must not put a message in front of its predecessor in time.
    head.last_time = head.last_time.max(message.time);
    let sections = message
        .sections
        .iter()
        .zip(&key_sets)
        .map(|(section, number)| (*number, section.envelope));
    let row = MessageRow::encode(
        &message.id,
        head.last_time,
        participant,
        message.purpose,
        sections,
    );
    txn.put(MessageRow::key(&message.conversation, head.last_seq), row);
    txn.put(
        id_key,
        MessageIdRow {
            seq: head.last_seq,
            mac: message.mac,
        }
        .encode(),
    );
    txn.put(HeadRow::key(&message.conversation), head.encode());
    let (seq, time) = (head.last_seq, head.last_time);
    Ok(Ok(Reply::Appended(Appended {
        seq,
        time,
        participant,
        key_sets,
        replayed: false,
    })))
}

/// Everything that can refuse a message is checked before the first write.
fn check(txn: &Txn<'_>, message: &Append<'_>, head: &HeadRow) -> Result<Result<(), Rejection>, Fault> {
    if head.state != ConversationState::Open {
        return Ok(Err(Rejection::ConversationClosed));
    }
    if let Some(after) = &message.after
        && !txn.contains(&MessageIdRow::key(&message.conversation, after))?
    {
        return Ok(Err(Rejection::OutOfOrder));
    }
    let known_set = |section: &Section<'_>| match section.keys {
        KeySetRef::Number(number) => number < head.key_sets,
        KeySetRef::Inline { .. } => true,
    };
    let known_author = match message.author {
        ParticipantRef::Number(number) => number < head.participants,
        ParticipantRef::New(_) => true,
    };
    let known = known_author && message.sections.iter().all(known_set);
    Ok(if known {
        Ok(())
    } else {
        Err(Rejection::UnknownNumber)
    })
}

/// The answer to an operation that took effect before: the same as then.
fn replay(txn: &Txn<'_>, message: &Append<'_>, known: MessageIdRow) -> Result<Answer, Fault> {
    if known.mac != message.mac {
        return Ok(Err(Rejection::RequestIdReused));
    }
    let stored = txn
        .get(&MessageRow::key(&message.conversation, known.seq))?
        .ok_or_else(|| Fault::broken("a message id leads to no message"))?;
    let row = MessageRow::decode(&stored)?;
    let key_sets = row.sections.iter().map(|section| section.key_set).collect();
    Ok(Ok(Reply::Appended(Appended {
        seq: known.seq,
        time: row.time,
        participant: row.participant,
        key_sets,
        replayed: true,
    })))
}

fn author_number(
    txn: &mut Txn<'_>,
    message: &Append<'_>,
    head: &mut HeadRow,
) -> Result<Result<u32, Rejection>, Fault> {
    match &message.author {
        ParticipantRef::Number(number) => Ok(Ok(*number)),
        ParticipantRef::New(participant) => participant_number(txn, &message.conversation, head, participant),
    }
}

fn key_set_number(
    txn: &mut Txn<'_>,
    conversation: &ConversationId,
    head: &mut HeadRow,
    section: &Section<'_>,
) -> Result<u32, Fault> {
    let (day, refs, owners) = match &section.keys {
        KeySetRef::Number(number) => return Ok(*number),
        KeySetRef::Inline { day, refs, owners } => (*day, *refs, owners),
    };
    let row = KeySetRow::encode(day, refs);
    for number in (head.key_sets.saturating_sub(KEY_SETS_COMPARED)..head.key_sets).rev() {
        if txn.get(&KeySetRow::key(conversation, number))?.as_deref() == Some(row.as_slice()) {
            return Ok(number);
        }
    }
    let number = head.key_sets;
    head.key_sets += 1;
    txn.put(KeySetRow::key(conversation, number), row);
    owners
        .iter()
        .try_for_each(|owner| note_owner(txn, conversation, owner))?;
    Ok(number)
}
