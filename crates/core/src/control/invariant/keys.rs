//! Keys, their families, and the erasures that take them.

use eunoe_types::{DecodeError, ErasureId, Kid, limits};

use super::super::erasure_query::prefixed;
use super::super::erasure_row::{
    ErasureRow, ErasureState, child_key, destroyed_key, erasure_of_key, expand_key, fenced_key,
    key_of_erasure, rekeyed_key,
};
use super::super::row::{KeyState, KeyStateRow};
use super::super::standing::Standing;
use super::epoch_row;
use crate::invariant::Invariant as Rule;
use crate::invariant::pass::{Pass, Unchecked, beside, is_there, part};
use crate::{StateView, table};

fn key_row(view: &dyn StateView, kid: &Kid) -> Result<Option<KeyStateRow>, Unchecked> {
    Ok(beside(view, &KeyStateRow::key(kid), KeyStateRow::decode)?)
}

fn erasure_row(view: &dyn StateView, id: &ErasureId) -> Result<Option<ErasureRow>, Unchecked> {
    Ok(beside(view, &ErasureRow::key(id), ErasureRow::decode)?)
}

pub(super) fn key_state(
    pass: &mut Pass,
    view: &dyn StateView,
    kid: &Kid,
    value: &[u8],
) -> Result<(), Unchecked> {
    let key = KeyStateRow::decode(value)?;
    let right = match &key.state {
        KeyState::Active => true,
        KeyState::Fenced { erasure, index } => {
            let row = erasure_row(view, erasure)?;
            row.is_some_and(|row| has_fenced_keys(&row) && row.left > 0)
                && is_there(view, &fenced_key(*index, kid))?
                && is_there(view, &key_of_erasure(erasure, kid))?
        }
        KeyState::Erased { epoch } => {
            let over = epoch_row(view)?.is_some_and(|row| *epoch < row.epoch);
            over && key.parent.is_none()
        }
    };
    pass.expect(right, Rule::KeyStates);
    if let Some(parent) = &key.parent {
        let known = is_there(view, &child_key(parent, kid))?;
        pass.expect(known && has_place_below(view, &key, parent)?, Rule::KeyParents);
    }
    Ok(())
}

/// Whether it is in a state in which keys are fenced by it.
fn has_fenced_keys(row: &ErasureRow) -> bool {
    matches!(row.state, ErasureState::Fenced | ErasureState::Cancelling { .. })
}

/// A key in use stands below one in use, below one whose children are still to be fenced, or below one that is to come
/// back.
fn has_place_below(view: &dyn StateView, key: &KeyStateRow, parent: &Kid) -> Result<bool, Unchecked> {
    let Some(above) = key_row(view, parent)? else {
        return Ok(false);
    };
    Ok(match (key.state, above.state) {
        (KeyState::Fenced { .. } | KeyState::Erased { .. }, _) | (_, KeyState::Active) => true,
        (KeyState::Active, KeyState::Erased { .. }) => false,
        (KeyState::Active, KeyState::Fenced { erasure, .. }) => {
            let row = erasure_row(view, &erasure)?;
            let is_returning = row.is_some_and(|row| matches!(row.state, ErasureState::Cancelling { .. }));
            is_returning || is_there(view, &expand_key(&erasure, parent))?
        }
    })
}

pub(super) fn child(pass: &mut Pass, view: &dyn StateView, key: &[u8]) -> Result<(), Unchecked> {
    let (parent, child) = (Kid(part(key, 0)?), Kid(part(key, 16)?));
    let known = key_row(view, &child)?.is_some_and(|row| row.parent == Some(parent));
    pass.expect(known, Rule::KeyParents);
    Ok(())
}

pub(super) fn fenced(pass: &mut Pass, view: &dyn StateView, key: &[u8]) -> Result<(), Unchecked> {
    let (at, kid) = (u64::from_be_bytes(part(key, 0)?), Kid(part(key, 8)?));
    let state = key_row(view, &kid)?.map(|row| row.state);
    let is_fenced = matches!(state, Some(KeyState::Fenced { index, .. }) if index == at);
    pass.expect(is_fenced, Rule::KeyStates);
    Ok(())
}

pub(super) fn erasure(
    pass: &mut Pass,
    view: &dyn StateView,
    id: &ErasureId,
    value: &[u8],
) -> Result<(), Unchecked> {
    let row = ErasureRow::decode(value)?;
    let listed = view.get(&erasure_of_key(&row.tenant, row.number))?;
    pass.expect(listed.is_some_and(|listed| listed == id.0), Rule::ErasuresListed);
    let target = key_row(view, &row.target)?.map(|key| key.state);
    let taken = match (row.state, target) {
        (_, None) => false,
        (
            ErasureState::Requested | ErasureState::Cancelling { .. } | ErasureState::Cancelled { .. },
            Some(_),
        ) => true,
        (_, Some(KeyState::Erased { .. })) => true,
        (_, Some(KeyState::Fenced { erasure, .. })) => erasure == *id,
        (_, Some(KeyState::Active)) => false,
    };
    let is_over = row.is_rekeyed();
    let counts = match row.state {
        ErasureState::Requested => is_over && row.keys == 0 && row.fenced.1 == 0,
        ErasureState::Fenced | ErasureState::Cancelling { .. } => {
            let could_be = row.left > 0 && row.left <= row.keys && row.fenced.1 > 0;
            could_be && is_there(view, &row.under_way_key(id))?
        }
        ErasureState::Cancelled { .. } => is_over,
        ErasureState::Rekeyed { epoch, .. } => {
            is_over && is_past(view, epoch)? && is_there(view, &rekeyed_key(epoch, id))?
        }
        ErasureState::Destroyed { epoch, full, .. } => {
            let waits = is_there(view, &destroyed_key(epoch, id))?;
            is_over && is_past(view, epoch)? && waits == full.is_none()
        }
    };
    pass.expect(taken && counts && expands(view, id, &row)?, Rule::ErasureLadder);
    if let ErasureState::Destroyed { epoch, .. } = row.state {
        let free = epoch < Standing::read(view)?.destroyed_before();
        pass.expect(free, Rule::DestroyedByAll);
    }
    Ok(())
}

fn is_past(view: &dyn StateView, epoch: u64) -> Result<bool, Unchecked> {
    Ok(epoch_row(view)?.is_some_and(|row| epoch < row.epoch))
}

/// Whether as many keys as it says have children that are not fenced yet. Of very many, only that they are.
fn expands(view: &dyn StateView, id: &ErasureId, row: &ErasureRow) -> Result<bool, Unchecked> {
    let prefix = table::key(table::EXPAND, &[id.as_bytes()]);
    let found = prefixed(view, &prefix, limits::EXPAND_KEYS_MAX)?.len();
    Ok(found as u64 == row.expanding.min(limits::EXPAND_KEYS_MAX as u64))
}

pub(super) fn erasure_of(
    pass: &mut Pass,
    view: &dyn StateView,
    key: &[u8],
    value: &[u8],
) -> Result<(), Unchecked> {
    let (tenant, number) = (Kid(part(key, 0)?), u64::from_be_bytes(part(key, 16)?));
    let id = ErasureId::try_from(value).map_err(|_| DecodeError::Truncated)?;
    let row = erasure_row(view, &id)?;
    let named = row.is_some_and(|row| (row.tenant, row.number) == (tenant, number));
    let follows = match number.checked_sub(1) {
        Some(before) => is_there(view, &erasure_of_key(&tenant, before))?,
        None => true,
    };
    pass.expect(named && follows, Rule::ErasuresListed);
    Ok(())
}

pub(super) fn expand(pass: &mut Pass, view: &dyn StateView, key: &[u8]) -> Result<(), Unchecked> {
    let (id, parent) = (ErasureId(part(key, 0)?), Kid(part(key, 16)?));
    let expanding = erasure_row(view, &id)?.is_some_and(|row| row.expanding > 0);
    let state = key_row(view, &parent)?.map(|row| row.state);
    let is_its = matches!(state, Some(KeyState::Fenced { erasure, .. }) if erasure == id);
    pass.expect(expanding && is_its, Rule::ErasureLadder);
    Ok(())
}

pub(super) fn of_erasure(pass: &mut Pass, view: &dyn StateView, key: &[u8]) -> Result<(), Unchecked> {
    let (id, kid) = (ErasureId(part(key, 0)?), Kid(part(key, 16)?));
    let state = key_row(view, &kid)?.map(|row| row.state);
    let is_its = matches!(state, Some(KeyState::Fenced { erasure, .. }) if erasure == id);
    pass.expect(is_its, Rule::KeyStates);
    Ok(())
}

pub(super) fn under_way(pass: &mut Pass, view: &dyn StateView, key: &[u8]) -> Result<(), Unchecked> {
    let id = ErasureId(part(key, 9)?);
    let row = erasure_row(view, &id)?;
    let waits = row.is_some_and(|row| has_fenced_keys(&row) && row.under_way_key(&id) == key);
    pass.expect(waits, Rule::ErasureLadder);
    Ok(())
}

pub(super) fn rekeyed(pass: &mut Pass, view: &dyn StateView, key: &[u8]) -> Result<(), Unchecked> {
    let (last, id) = (u64::from_be_bytes(part(key, 0)?), ErasureId(part(key, 8)?));
    let state = erasure_row(view, &id)?.map(|row| row.state);
    let waits = matches!(state, Some(ErasureState::Rekeyed { epoch, .. }) if epoch == last);
    pass.expect(waits, Rule::ErasureLadder);
    Ok(())
}

pub(super) fn destroyed(pass: &mut Pass, view: &dyn StateView, key: &[u8]) -> Result<(), Unchecked> {
    let (last, id) = (u64::from_be_bytes(part(key, 0)?), ErasureId(part(key, 8)?));
    let state = erasure_row(view, &id)?.map(|row| row.state);
    let waits = matches!(state, Some(ErasureState::Destroyed { epoch, full: None, .. }) if epoch == last);
    pass.expect(waits, Rule::ErasureLadder);
    Ok(())
}
