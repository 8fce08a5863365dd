//! Reads of a data group's state. Every read that can grow is bounded by the caller's limits.

use eunoe_types::{ConversationId, Fault, Kid, MessageId, Seq, TimeMs, limits};

use super::row::{ConversationRow, HeadRow, KeySetRow, MessageIdRow, MessageRow, ParticipantRow, SubjectRow};
use crate::state_view::decoded;
use crate::{ScanRange, StateView, table};

/// The fixed part of a conversation.
pub fn conversation(view: &dyn StateView, id: &ConversationId) -> Result<Option<ConversationRow>, Fault> {
    decoded(view, &ConversationRow::key(id), ConversationRow::decode)
}

/// The moving part of a conversation.
pub fn head(view: &dyn StateView, id: &ConversationId) -> Result<Option<HeadRow>, Fault> {
    decoded(view, &HeadRow::key(id), HeadRow::decode)
}

/// One participant.
pub fn participant(
    view: &dyn StateView,
    id: &ConversationId,
    number: u32,
) -> Result<Option<ParticipantRow>, Fault> {
    decoded(view, &ParticipantRow::key(id, number), ParticipantRow::decode)
}

/// All participants, in the order of their numbers.
pub fn participants(view: &dyn StateView, id: &ConversationId) -> Result<Vec<ParticipantRow>, Fault> {
    let prefix = table::key(table::PARTICIPANT, &[id.as_bytes()]);
    let rows = view.scan(&ScanRange {
        from: &prefix,
        to: &table::after_prefix(&prefix),
        backward: false,
        rows_max: limits::PARTICIPANTS_MAX,
        bytes_max: limits::PAGE_BYTES_MAX,
    })?;
    rows.iter()
        .map(|(_, row)| Ok(ParticipantRow::decode(row)?))
        .collect()
}

/// The number under which somebody takes part.
pub fn participant_number(
    view: &dyn StateView,
    id: &ConversationId,
    kid: &Kid,
) -> Result<Option<u32>, Fault> {
    let row = decoded(view, &SubjectRow::key(kid, id), SubjectRow::decode)?;
    Ok(row.and_then(|row| row.participant))
}

/// Whether a kid takes part in a conversation or owns parts of it.
pub fn is_of(view: &dyn StateView, id: &ConversationId, kid: &Kid) -> Result<bool, Fault> {
    Ok(view.get(&SubjectRow::key(kid, id))?.is_some())
}

/// A key set by its number.
pub fn key_set(view: &dyn StateView, id: &ConversationId, number: u32) -> Result<Option<KeySetRow>, Fault> {
    decoded(view, &KeySetRow::key(id, number), KeySetRow::decode)
}

/// One message.
pub fn message(view: &dyn StateView, id: &ConversationId, seq: Seq) -> Result<Option<MessageRow>, Fault> {
    decoded(view, &MessageRow::key(id, seq), MessageRow::decode)
}

/// The place of a message that is known by its id.
pub fn message_seq(
    view: &dyn StateView,
    id: &ConversationId,
    message: &MessageId,
) -> Result<Option<Seq>, Fault> {
    Ok(decoded(view, &MessageIdRow::key(id, message), MessageIdRow::decode)?.map(|row| row.seq))
}

/// Messages from `from` to `to`, both included, in the order asked for. Ends early at `bytes_max`, but never before
/// the first message.
pub fn messages(
    view: &dyn StateView,
    id: &ConversationId,
    (from, to): (Seq, Seq),
    backward: bool,
    rows_max: usize,
    bytes_max: usize,
) -> Result<Vec<(Seq, MessageRow)>, Fault> {
    let rows = view.scan(&ScanRange {
        from: &MessageRow::key(id, from),
        to: &MessageRow::key(id, Seq(to.0.saturating_add(1))),
        backward,
        rows_max,
        bytes_max,
    })?;
    rows.iter()
        .map(|(key, row)| Ok((MessageRow::seq_of(key)?, MessageRow::decode(row)?)))
        .collect()
}

/// The first message at or after `time`; one past the last message if there is none. Times never go back in a
/// conversation, so this is a binary search.
pub fn seq_at_time(view: &dyn StateView, id: &ConversationId, time: TimeMs, last: Seq) -> Result<Seq, Fault> {
    let (mut low, mut high) = (1, last.0 + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let row = message(view, id, Seq(middle))?
            .ok_or_else(|| Fault::broken("a conversation has a gap in its messages"))?;
        if row.time < time {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(Seq(low))
}

/// Conversations that a kid takes part in or owns parts of, in the order of their ids, after `after`.
pub fn conversations_of(
    view: &dyn StateView,
    kid: &Kid,
    after: Option<&ConversationId>,
    rows_max: usize,
) -> Result<Vec<ConversationId>, Fault> {
    let prefix = table::key(table::SUBJECT, &[kid.as_bytes()]);
    // The first key after the one of `after`: the same with a byte appended.
    let from = after.map_or_else(
        || prefix.clone(),
        |id| [&SubjectRow::key(kid, id)[..], &[0]].concat(),
    );
    let rows = view.scan(&ScanRange {
        from: &from,
        to: &table::after_prefix(&prefix),
        backward: false,
        rows_max,
        bytes_max: limits::PAGE_BYTES_MAX,
    })?;
    let id_of = |key: &[u8]| key.last_chunk::<16>().map(|tail| ConversationId(*tail));
    let ids = rows
        .iter()
        .map(|(key, _)| id_of(key).ok_or_else(|| Fault::broken("a subject row's key is short")));
    ids.collect()
}
