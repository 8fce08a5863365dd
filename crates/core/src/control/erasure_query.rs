//! Reads of erasures, of the epoch under preparation, of roots and of who may hold them.

use eunoe_types::{ErasureId, Fault, Kid, NodeId, limits};

use super::erasure_row::{
    EpochRow, ErasureRow, ErasureState, PendingRow, ReturnedRow, Stage, erasure_of_key,
    keys_of_erasure_prefix, kid_of, under_way_key, under_way_prefix,
};
use super::query::epoch;
use super::root_row::{HolderRow, RootRow};
use super::row::leaf_rows_prefix;
use super::standing::Standing;
use crate::state_view::decoded;
use crate::{Row, ScanRange, StateView, table};

/// A key that is fenced and that the current root still leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FencedKey {
    /// Where its fence is in the log.
    pub index: u64,
    /// The key.
    pub kid: Kid,
}

/// A row of a leaf page: what it is filed under, and the sealed record.
pub type LeafRow = ([u8; 16], Vec<u8>);

fn range(
    view: &dyn StateView,
    (from, to): (&[u8], &[u8]),
    backward: bool,
    rows_max: usize,
) -> Result<Vec<Row>, Fault> {
    view.scan(&ScanRange {
        from,
        to,
        backward,
        rows_max,
        bytes_max: usize::MAX,
    })
}

pub(super) fn prefixed(view: &dyn StateView, prefix: &[u8], rows_max: usize) -> Result<Vec<Row>, Fault> {
    range(view, (prefix, &table::after_prefix(prefix)), false, rows_max)
}

/// Fenced keys in the order of their fences, from `after` on, which is not among them.
pub fn fenced(
    view: &dyn StateView,
    after: Option<&FencedKey>,
    rows_max: usize,
) -> Result<Vec<FencedKey>, Fault> {
    let from = match after {
        None => vec![table::FENCED],
        Some(last) => [&super::erasure_row::fenced_key(last.index, &last.kid)[..], &[0]].concat(),
    };
    let rows = range(
        view,
        (&from, &table::after_prefix(&[table::FENCED])),
        false,
        rows_max,
    )?;
    let read = |(key, _): &Row| {
        let index = key.get(1..9).and_then(|bytes| bytes.try_into().ok());
        let index = index.map(u64::from_be_bytes);
        Ok(FencedKey {
            index: index.ok_or_else(|| Fault::broken("the key of a fenced key's row is short"))?,
            kid: kid_of(key)?,
        })
    };
    rows.iter().map(read).collect()
}

/// An erasure.
pub fn erasure(view: &dyn StateView, id: &ErasureId) -> Result<Option<ErasureRow>, Fault> {
    decoded(view, &ErasureRow::key(id), ErasureRow::decode)
}

/// A tenant's erasures, newest first, those before number `before`.
pub fn erasures_of(
    view: &dyn StateView,
    tenant: &Kid,
    before: Option<u64>,
    rows_max: usize,
) -> Result<Vec<(ErasureId, ErasureRow)>, Fault> {
    let from = table::key(table::ERASURE_OF, &[tenant.as_bytes()]);
    let to = before.map_or_else(
        || table::after_prefix(&from),
        |number| erasure_of_key(tenant, number),
    );
    let mut found = Vec::new();
    for (_, id) in range(view, (&from, &to), true, rows_max)? {
        let id = ErasureId::try_from(&id[..]).map_err(|_| Fault::broken("an erasure's id is malformed"))?;
        let row = erasure(view, &id)?.ok_or_else(|| Fault::broken("a listed erasure is not there"))?;
        found.push((id, row));
    }
    Ok(found)
}

/// An erasure with keys below its own that are not fenced yet, or with keys that are to come back, if there is one.
pub fn expanding(view: &dyn StateView) -> Result<Option<ErasureId>, Fault> {
    let rows = prefixed(view, &[table::EXPAND], 1)?;
    let id = |(key, _): &Row| {
        let bytes = key.get(1..17).and_then(|bytes| ErasureId::try_from(bytes).ok());
        bytes.ok_or_else(|| Fault::broken("the key of an expansion is short"))
    };
    if let Some(id) = rows.first().map(id).transpose()? {
        return Ok(Some(id));
    }
    let returning = under_way(view, Stage::Returning, None, 1)?;
    Ok(returning.first().map(|(_, id)| *id))
}

/// Erasures with fenced keys that wait for the same, each after the place of its fence in the log and in that order,
/// from `after` on, which is not among them.
pub fn under_way(
    view: &dyn StateView,
    stage: Stage,
    after: Option<&(u64, ErasureId)>,
    rows_max: usize,
) -> Result<Vec<(u64, ErasureId)>, Fault> {
    let prefix = under_way_prefix(stage);
    let from = match after {
        None => prefix.clone(),
        Some((fence, id)) => [&under_way_key(stage, *fence, id)[..], &[0]].concat(),
    };
    let rows = range(view, (&from, &table::after_prefix(&prefix)), false, rows_max)?;
    let read = |(key, _): &Row| {
        let fence = key.get(2..10).and_then(|bytes| bytes.try_into().ok());
        let fence = fence.map(u64::from_be_bytes);
        let fence = fence.ok_or_else(|| Fault::broken("the key of an erasure under way is short"))?;
        Ok((fence, ErasureId(kid_of(key)?.0)))
    };
    rows.iter().map(read).collect()
}

/// Keys that an erasure fenced and that are neither erased nor back.
pub fn keys_of_erasure(view: &dyn StateView, id: &ErasureId, rows_max: usize) -> Result<Vec<Kid>, Fault> {
    let rows = prefixed(view, &keys_of_erasure_prefix(id), rows_max)?;
    rows.iter().map(|(key, _)| Ok(kid_of(key)?)).collect()
}

/// The keys that came back last.
pub fn returned(view: &dyn StateView) -> Result<ReturnedRow, Fault> {
    Ok(decoded(view, &ReturnedRow::key(), ReturnedRow::decode)?.unwrap_or_default())
}

/// What the epoch under preparation erases and replaces.
pub fn pending_epoch(view: &dyn StateView) -> Result<Option<PendingRow>, Fault> {
    decoded(view, &PendingRow::key(), PendingRow::decode)
}

/// Nodes that may hold roots, in the order of their ids.
pub fn holders(view: &dyn StateView) -> Result<Vec<(NodeId, HolderRow)>, Fault> {
    let rows = prefixed(view, &[table::HOLDER], 10 * limits::HOLDERS_MAX)?;
    rows.iter()
        .map(|(key, row)| Ok((HolderRow::node_of(key)?, HolderRow::decode(row)?)))
        .collect()
}

/// What a node may hold; none if it was never named for anything.
pub fn holder(view: &dyn StateView, node: NodeId) -> Result<Option<HolderRow>, Fault> {
    decoded(view, &HolderRow::key(node), HolderRow::decode)
}

/// The root of now; none before genesis.
pub fn root(view: &dyn StateView) -> Result<Option<RootRow>, Fault> {
    match epoch(view)? {
        Some(epoch) => current_root(view, &epoch),
        None => Ok(None),
    }
}

/// Whether a node is one of those that share the root of now.
pub fn shares_root(view: &dyn StateView, node: NodeId) -> Result<bool, Fault> {
    Ok(root(view)?.is_some_and(|root| root.sharing.holders.contains(&node)))
}

/// The root of the epoch that this is the row of.
pub fn current_root(view: &dyn StateView, epoch: &EpochRow) -> Result<Option<RootRow>, Fault> {
    decoded(view, &RootRow::key(epoch.epoch, epoch.attempt), RootRow::decode)
}

/// The root of the attempt under way, if there is one.
pub fn pending_root(view: &dyn StateView, epoch: &EpochRow) -> Result<Option<RootRow>, Fault> {
    let Some((epoch, attempt)) = epoch.preparing() else {
        return Ok(None);
    };
    decoded(view, &RootRow::key(epoch, attempt.into()), RootRow::decode)
}

/// All roots that somebody may still have shares of, with their epochs and attempts.
pub fn roots(view: &dyn StateView) -> Result<Vec<(u64, u64, RootRow)>, Fault> {
    let rows = prefixed(view, &[table::ROOT], usize::MAX)?;
    let read = |(key, row): &Row| {
        let (epoch, attempt) = RootRow::name_of(key)?;
        Ok((epoch, attempt, RootRow::decode(row)?))
    };
    rows.iter().map(read).collect()
}

/// Nodes that stand between an erasure and its next step: those that keep its keys from being destroyed, or, once they are,
/// those that have not said so themselves.
pub fn missing_holders(view: &dyn StateView, row: &ErasureRow) -> Result<Vec<NodeId>, Fault> {
    match row.state {
        ErasureState::Rekeyed { epoch, .. } => Ok(Standing::read(view)?.in_the_way(epoch)),
        ErasureState::Destroyed {
            epoch, full: None, ..
        } => Ok(Standing::read(view)?.silent(epoch)),
        ErasureState::Requested
        | ErasureState::Fenced
        | ErasureState::Destroyed { .. }
        | ErasureState::Cancelling { .. }
        | ErasureState::Cancelled { .. } => Ok(Vec::new()),
    }
}

/// The last epoch in the key of an erasure that is REKEYED or DESTROYED.
pub(super) fn last_epoch_of(key: &[u8]) -> Result<u64, Fault> {
    let epoch = key.get(1..9).and_then(|bytes| bytes.try_into().ok());
    let epoch = epoch.map(u64::from_be_bytes);
    epoch.ok_or_else(|| Fault::broken("the key of an erasure's last epoch is short"))
}

/// Whether an erasure has not moved on although nothing is in its way any more: an attestation moves only so many on, and
/// the next one, or the same again, takes the others.
pub fn destruction_is_due(view: &dyn StateView) -> Result<bool, Fault> {
    let first = |table| {
        let row = prefixed(view, &[table], 1)?.pop();
        row.map(|(key, _)| last_epoch_of(&key)).transpose()
    };
    let (rekeyed, destroyed) = (first(table::REKEYED)?, first(table::DESTROYED)?);
    if rekeyed.is_none() && destroyed.is_none() {
        return Ok(false);
    }
    let standing = Standing::read(view)?;
    let is_over = |epoch: Option<u64>, before| epoch.is_some_and(|epoch| epoch < before);
    Ok(is_over(rekeyed, standing.destroyed_before()) || is_over(destroyed, standing.full_before()))
}

/// Sealed rows of a leaf page's generation, after the row filed under `after`.
pub fn leaf_rows(
    view: &dyn StateView,
    (tree, page, generation): (u8, u32, u32),
    after: Option<&[u8; 16]>,
    rows_max: usize,
) -> Result<Vec<LeafRow>, Fault> {
    let prefix = leaf_rows_prefix(tree, page, generation);
    let from = after.map_or_else(|| prefix.clone(), |tag| [&prefix[..], tag, &[0]].concat());
    let rows = range(view, (&from, &table::after_prefix(&prefix)), false, rows_max)?;
    rows.into_iter()
        .map(|(key, sealed)| Ok((kid_of(&key)?.0, sealed)))
        .collect()
}

/// Whether rows of replaced pages wait to be deleted.
pub fn sweep_is_due(view: &dyn StateView) -> Result<bool, Fault> {
    Ok(!prefixed(view, &[table::SWEEP], 1)?.is_empty())
}
