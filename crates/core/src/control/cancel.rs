//! `apply` of taking an erasure back: its keys are in use again, some at a time.
//!
//! As long as some are fenced still, a later erasure takes what it meets of them, so that nothing that it covers comes
//! back (see [`hand_over`]).

use eunoe_types::{ErasureId, Fault, Kid, LogPosition, RequestMac, TimeMs, limits};

use super::apply::Answer;
use super::epoch;
use super::erase::{erasure, key_row, lineage_is, may_be_fenced, named_erasure};
use super::erasure_command::CancelErasure;
use super::erasure_row::{
    ErasureRow, ErasureState, ReturnedRow, expand_key, fenced_key, key_of_erasure, keys_of_erasure_prefix,
    kid_of,
};
use super::event::Event;
use super::reply::{Rejection, Reply};
use super::row::{KeyState, KeyStateRow};
use crate::Txn;

/// The keys that came back last.
pub(super) fn returned(txn: &Txn<'_>) -> Result<ReturnedRow, Fault> {
    Ok(txn
        .decoded(&ReturnedRow::key(), ReturnedRow::decode)?
        .unwrap_or_default())
}

/// Whether an erasure was taken back and its keys are on their way. One whose request is being applied has no row yet.
pub(super) fn is_returning(txn: &Txn<'_>, id: &ErasureId) -> Result<bool, Fault> {
    let state = erasure(txn, id)?.map(|row| row.state);
    Ok(matches!(state, Some(ErasureState::Cancelling { .. })))
}

/// Takes an erasure back as long as no key of it is erased. An attempt at an epoch that would erase one is given up:
/// until its switch, taking back wins.
pub(super) fn cancel(txn: &mut Txn<'_>, at: LogPosition, asked: &CancelErasure) -> Result<Answer, Fault> {
    let Some(mut row) = erasure(txn, &asked.id)? else {
        return Ok(Err(Rejection::NoSuchErasure));
    };
    let (time, by) = (asked.time, asked.requester);
    match row.state {
        ErasureState::Cancelling { .. } | ErasureState::Cancelled { .. } => return Ok(Ok(Reply::Done)),
        ErasureState::Rekeyed { .. } | ErasureState::Destroyed { .. } => return Ok(Err(Rejection::TooLate)),
        ErasureState::Requested => {
            // Nothing was fenced, and the transparency log never heard of it.
            row.state = ErasureState::Cancelled { time, by };
            txn.put(ErasureRow::key(&asked.id), row.encode());
            return Ok(Ok(Reply::Done));
        }
        ErasureState::Fenced if row.left < row.keys || !may_return(txn, &row.target)? => {
            return Ok(Err(Rejection::TooLate));
        }
        ErasureState::Fenced => {}
    }
    epoch::spare(txn, &asked.id)?;
    txn.delete(row.under_way_key(&asked.id));
    row.state = ErasureState::Cancelling { time, by };
    txn.put(row.under_way_key(&asked.id), Vec::new());
    Event::new()
        .bytes("c", &row.commit)
        .number("index", at.index)
        .number("kind", u64::from(row.kind))
        .bytes("request", asked.id.as_bytes())
        .text("t", "eunoe/erase-cancelled@v1")
        .record_of_key(txn)?;
    // What a person usually has is back in the same moment.
    return_more(txn, &asked.id, &mut row, (time, by))?;
    txn.put(ErasureRow::key(&asked.id), row.encode());
    Ok(Ok(Reply::Done))
}

/// Whether all that a key dies with is in use, or on its way back.
fn may_return(txn: &Txn<'_>, kid: &Kid) -> Result<bool, Fault> {
    let parent = key_row(txn, kid)?.and_then(|key| key.parent);
    lineage_is(txn, parent, |key| may_be_fenced(txn, key))
}

/// Brings some keys of an erasure back that was taken back, its target first.
pub(super) fn return_more(
    txn: &mut Txn<'_>,
    id: &ErasureId,
    row: &mut ErasureRow,
    taken_back: (TimeMs, RequestMac),
) -> Result<(), Fault> {
    let mut kids = Vec::new();
    if txn.contains(&key_of_erasure(id, &row.target))? {
        kids.push(row.target);
    }
    for (key, _) in txn.scan_prefix(&keys_of_erasure_prefix(id), None, limits::EXPAND_KEYS_MAX)? {
        let kid = kid_of(&key)?;
        if kid != row.target {
            kids.push(kid);
        }
    }
    for kid in &kids {
        let mut key = key_row(txn, kid)?.ok_or_else(|| Fault::broken("a fenced key is not there"))?;
        let KeyState::Fenced { erasure, index } = key.state else {
            return Err(Fault::broken("a key of an erasure is not fenced"));
        };
        if erasure != *id {
            return Err(Fault::broken("a key of an erasure is fenced by another"));
        }
        key.state = KeyState::Active;
        txn.put(KeyStateRow::key(kid), key.encode());
        leave(txn, id, row, index, kid)?;
    }
    note_end(txn, id, row, taken_back);
    let number = returned(txn)?.number + 1;
    txn.put(ReturnedRow::key(), ReturnedRow { number, kids }.encode());
    Ok(())
}

/// Takes a key from an erasure that was taken back: a later one fences it.
pub(super) fn hand_over(txn: &mut Txn<'_>, id: &ErasureId, index: u64, kid: &Kid) -> Result<(), Fault> {
    let mut row = named_erasure(txn, id)?;
    let ErasureState::Cancelling { time, by } = row.state else {
        return Err(Fault::broken(
            "a key is taken from an erasure that was not taken back",
        ));
    };
    leave(txn, id, &mut row, index, kid)?;
    note_end(txn, id, &mut row, (time, by));
    txn.put(ErasureRow::key(id), row.encode());
    Ok(())
}

/// Deletes what makes a key one of an erasure's.
fn leave(
    txn: &mut Txn<'_>,
    id: &ErasureId,
    row: &mut ErasureRow,
    index: u64,
    kid: &Kid,
) -> Result<(), Fault> {
    txn.delete(fenced_key(index, kid));
    txn.delete(key_of_erasure(id, kid));
    if txn.contains(&expand_key(id, kid))? {
        txn.delete(expand_key(id, kid));
        row.expanding -= 1;
    }
    row.left -= 1;
    Ok(())
}

/// Says so when no key is left to come back.
fn note_end(txn: &mut Txn<'_>, id: &ErasureId, row: &mut ErasureRow, (time, by): (TimeMs, RequestMac)) {
    if row.left == 0 {
        txn.delete(row.under_way_key(id));
        row.state = ErasureState::Cancelled { time, by };
    }
}
