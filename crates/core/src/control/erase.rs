//! `apply` of erasures: fencing a key and everything that dies with it.

use eunoe_types::{ErasureId, Fault, Kid, LogPosition, TimeMs, limits};

use super::apply::Answer;
use super::cancel;
use super::erasure_command::{RequestErasure, are_two_people};
use super::erasure_row::{
    ErasureRow, ErasureState, child_key, children_prefix, erasure_of_key, expand_key, fenced_key,
    key_of_erasure, kid_of,
};
use super::event::Event;
use super::reply::{Rejection, Reply};
use super::row::{KeyState, KeyStateRow};
use crate::{Txn, table};

/// How deep keys are below each other: a conversation's below a subject's below a tenant's.
const DEPTH: usize = 3;

/// A key's row.
pub(super) fn key_row(txn: &Txn<'_>, kid: &Kid) -> Result<Option<KeyStateRow>, Fault> {
    txn.decoded(&KeyStateRow::key(kid), KeyStateRow::decode)
}

/// An erasure.
pub(super) fn erasure(txn: &Txn<'_>, id: &ErasureId) -> Result<Option<ErasureRow>, Fault> {
    txn.decoded(&ErasureRow::key(id), ErasureRow::decode)
}

/// An erasure that other rows name.
pub(super) fn named_erasure(txn: &Txn<'_>, id: &ErasureId) -> Result<ErasureRow, Fault> {
    erasure(txn, id)?.ok_or_else(|| Fault::broken("a row names an erasure that is not there"))
}

/// Whether a key and all that it dies with are in use.
pub(super) fn is_in_use(txn: &Txn<'_>, kid: Kid) -> Result<bool, Fault> {
    lineage_is(txn, Some(kid), |key| Ok(key.state == KeyState::Active))
}

/// Whether a key and all that it dies with are there and like this.
pub(super) fn lineage_is(
    txn: &Txn<'_>,
    mut next: Option<Kid>,
    like: impl Fn(&KeyStateRow) -> Result<bool, Fault>,
) -> Result<bool, Fault> {
    for _ in 0..DEPTH {
        let Some(kid) = next else { return Ok(true) };
        match key_row(txn, &kid)? {
            Some(key) if like(&key)? => next = key.parent,
            Some(_) | None => return Ok(false),
        }
    }
    Ok(next.is_none())
}

/// Records a request, and fences its target unless a second person has to ask for the same.
pub(super) fn request(txn: &mut Txn<'_>, at: LogPosition, request: &RequestErasure) -> Result<Answer, Fault> {
    if let Some(known) = erasure(txn, &request.id)? {
        return again(txn, at, request, known);
    }
    let Some(key) = key_row(txn, &request.target)? else {
        return Ok(Err(Rejection::NoSuchKey));
    };
    if let Some(answer) = taken(txn, &key)? {
        return Ok(answer);
    }
    let mut row = ErasureRow {
        number: count(txn, &request.tenant)?,
        kind: key.kind,
        state: ErasureState::Requested,
        reason: request.reason,
        urgent: request.urgent,
        hold_s: request.hold_s,
        target: request.target,
        tenant: request.tenant,
        mac: request.mac,
        requester: request.requester,
        commit: key.commit,
        requested: request.time,
        fenced: (TimeMs(0), 0),
        keys: 0,
        left: 0,
        expanding: 0,
    };
    txn.put(erasure_of_key(&request.tenant, row.number), request.id.0.to_vec());
    if !request.two_people {
        fence_target(txn, at, request, &mut row)?;
    }
    txn.put(ErasureRow::key(&request.id), row.encode());
    Ok(Ok(Reply::Erasure {
        id: request.id,
        created: true,
    }))
}

/// The same request again: a repetition, or the second person.
fn again(
    txn: &mut Txn<'_>,
    at: LogPosition,
    request: &RequestErasure,
    mut known: ErasureRow,
) -> Result<Answer, Fault> {
    if known.mac != request.mac || known.tenant != request.tenant {
        return Ok(Err(Rejection::RequestIdReused));
    }
    let is_second =
        known.state == ErasureState::Requested && are_two_people(&known.requester, &request.requester);
    if is_second {
        let key = key_row(txn, &known.target)?
            .ok_or_else(|| Fault::broken("the target of an erasure is not there"))?;
        // Meanwhile another erasure may have taken the target.
        if let Some(answer) = taken(txn, &key)? {
            return Ok(answer);
        }
        known.urgent |= request.urgent;
        known.hold_s = known.hold_s.max(request.hold_s);
        fence_target(txn, at, request, &mut known)?;
        txn.put(ErasureRow::key(&request.id), known.encode());
    }
    Ok(Ok(Reply::Erasure {
        id: request.id,
        created: false,
    }))
}

/// What is answered if another erasure has a target, or had it. One that would come back is free: this one takes it.
fn taken(txn: &Txn<'_>, key: &KeyStateRow) -> Result<Option<Answer>, Fault> {
    Ok(match key.state {
        KeyState::Active => None,
        KeyState::Fenced { erasure, .. } if cancel::is_returning(txn, &erasure)? => None,
        KeyState::Fenced { erasure: id, .. } => Some(Ok(Reply::Erasure { id, created: false })),
        KeyState::Erased { .. } => Some(Err(Rejection::KeyErased)),
    })
}

/// Erasures of a tenant so far.
fn count(txn: &Txn<'_>, tenant: &Kid) -> Result<u64, Fault> {
    let prefix = table::key(table::ERASURE_OF, &[tenant.as_bytes()]);
    let last = txn.last_with_prefix(&prefix)?;
    let number = last.map(|(key, _)| key.last_chunk::<8>().map(|tail| u64::from_be_bytes(*tail)));
    match number {
        None => Ok(0),
        Some(Some(number)) => Ok(number + 1),
        Some(None) => Err(Fault::broken("the key of a tenant's erasure is short")),
    }
}

fn fence_target(
    txn: &mut Txn<'_>,
    at: LogPosition,
    request: &RequestErasure,
    row: &mut ErasureRow,
) -> Result<(), Fault> {
    let (id, target) = (&request.id, row.target);
    row.state = ErasureState::Fenced;
    row.fenced = (request.time, at.index);
    txn.put(row.under_way_key(id), Vec::new());
    let parent = key_row(txn, &target)?.and_then(|key| key.parent);
    fence(txn, at, id, row, &target)?;
    for kid in &request.namesakes {
        let namesake = key_row(txn, kid)?.filter(|key| (key.kind, key.parent) == (row.kind, parent));
        if let Some(key) = namesake
            && may_be_fenced(txn, &key)?
        {
            fence(txn, at, id, row, kid)?;
        }
    }
    // What a person usually has is fenced in the same moment.
    fence_more(txn, at, id, row)?;
    Event::new()
        .bytes("c", &row.commit)
        .number("index", at.index)
        .number("kind", u64::from(row.kind))
        .number("reason", u64::from(row.reason))
        .bytes("request", id.as_bytes())
        .text("t", "eunoe/erase-fenced@v1")
        .record_of_key(txn)?;
    Ok(())
}

/// Whether a key is in use, or on its way back.
pub(super) fn may_be_fenced(txn: &Txn<'_>, key: &KeyStateRow) -> Result<bool, Fault> {
    match key.state {
        KeyState::Active => Ok(true),
        KeyState::Fenced { erasure, .. } => cancel::is_returning(txn, &erasure),
        KeyState::Erased { .. } => Ok(false),
    }
}

/// Fences a key that is in use, or on its way back. Its children follow.
fn fence(
    txn: &mut Txn<'_>,
    at: LogPosition,
    id: &ErasureId,
    row: &mut ErasureRow,
    kid: &Kid,
) -> Result<(), Fault> {
    let mut key = key_row(txn, kid)?.ok_or_else(|| Fault::broken("a key to fence is not there"))?;
    if let KeyState::Fenced { erasure, index } = key.state {
        cancel::hand_over(txn, &erasure, index, kid)?;
    }
    key.state = KeyState::Fenced {
        erasure: *id,
        index: at.index,
    };
    txn.put(KeyStateRow::key(kid), key.encode());
    txn.put(fenced_key(at.index, kid), Vec::new());
    txn.put(key_of_erasure(id, kid), Vec::new());
    row.keys += 1;
    row.left += 1;
    if !txn.scan_prefix(&children_prefix(kid), None, 1)?.is_empty() {
        txn.put(expand_key(id, kid), Vec::new());
        row.expanding += 1;
    }
    Ok(())
}

/// Fences some more keys below those that an erasure fenced, or takes some more back. No new ones can come: a key is
/// created only below keys that are in use.
pub(super) fn expand(txn: &mut Txn<'_>, at: LogPosition, id: &ErasureId) -> Result<Answer, Fault> {
    let Some(mut row) = erasure(txn, id)? else {
        return Ok(Err(Rejection::NothingToExpand));
    };
    match row.state {
        ErasureState::Fenced if row.expanding > 0 => fence_more(txn, at, id, &mut row)?,
        ErasureState::Cancelling { time, by } => cancel::return_more(txn, id, &mut row, (time, by))?,
        ErasureState::Requested
        | ErasureState::Fenced
        | ErasureState::Rekeyed { .. }
        | ErasureState::Destroyed { .. }
        | ErasureState::Cancelled { .. } => return Ok(Err(Rejection::NothingToExpand)),
    }
    txn.put(ErasureRow::key(id), row.encode());
    Ok(Ok(Reply::Done))
}

fn fence_more(txn: &mut Txn<'_>, at: LogPosition, id: &ErasureId, row: &mut ErasureRow) -> Result<(), Fault> {
    let prefix = table::key(table::EXPAND, &[id.as_bytes()]);
    let Some((expand, cursor)) = txn.scan_prefix(&prefix, None, 1)?.pop() else {
        return Ok(());
    };
    let parent = kid_of(&expand)?;
    let children = children_prefix(&parent);
    let after = (!cursor.is_empty()).then(|| [&children[..], &cursor].concat());
    let found = txn.scan_prefix(&children, after.as_deref(), limits::EXPAND_KEYS_MAX)?;
    for (key, _) in &found {
        let child = kid_of(key)?;
        // One that has an erasure of its own is destroyed with that.
        if let Some(key) = key_row(txn, &child)?
            && may_be_fenced(txn, &key)?
        {
            fence(txn, at, id, row, &child)?;
        }
    }
    match found.last() {
        Some((key, _)) if found.len() == limits::EXPAND_KEYS_MAX => {
            txn.put(expand, kid_of(key)?.0.to_vec());
        }
        Some(_) | None => {
            txn.delete(expand);
            row.expanding -= 1;
        }
    }
    Ok(())
}

/// Makes a new key die with its parent.
pub(super) fn note_child(txn: &mut Txn<'_>, parent: &Kid, child: &Kid) {
    txn.put(child_key(parent, child), Vec::new());
}
