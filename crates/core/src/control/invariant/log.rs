//! The transparency log: its leaves, its right edge, and the hashes that are kept beside them.

use eunoe_merkle::{Frontier, Hash};
use eunoe_types::DecodeError;

use super::super::event::{append_leaf, is_kept_level};
use super::super::root_row::SummaryRow;
use super::super::row::{NodeRow, event_key, frontier_key};
use super::super::signing::NodeKeys;
use super::super::standing::Standing;
use super::epoch_row;
use crate::StateView;
use crate::invariant::Invariant as Rule;
use crate::invariant::pass::{Pass, Unchecked, is_there, part};

/// Leaves that came while a pass went on, and that it looks at in one step.
const LATE_LEAVES_MAX: u64 = 4_096;

fn stored_frontier(view: &dyn StateView) -> Result<Option<Frontier>, Unchecked> {
    let bytes = view.get(&frontier_key())?;
    Ok(bytes.and_then(|bytes| Frontier::decode(&bytes).ok()))
}

pub(super) fn leaf(pass: &mut Pass, view: &dyn StateView, index: u64, value: &[u8]) -> Result<(), Unchecked> {
    let size = stored_frontier(view)?.map_or(0, |frontier| frontier.size());
    let in_order = index == pass.leaves.size() && index < size;
    pass.expect(in_order, Rule::TransparencyLog);
    if in_order {
        append(pass, view, value)?;
    }
    Ok(())
}

/// Counts a leaf, and looks whether the hashes that it completes are kept.
fn append(pass: &mut Pass, view: &dyn StateView, leaf: &[u8]) -> Result<(), Unchecked> {
    let mut kept = Vec::new();
    append_leaf(&mut pass.leaves, leaf, |key, hash| kept.push((key, *hash)));
    for (key, hash) in kept {
        let is_kept = view.get(&key)?.is_some_and(|stored| stored == hash);
        pass.expect(is_kept, Rule::TransparencyLog);
    }
    Ok(())
}

/// Leaves never change, so those of the pass's earlier steps count in this state too.
pub(super) fn frontier(pass: &mut Pass, view: &dyn StateView, value: &[u8]) -> Result<(), Unchecked> {
    let stored = Frontier::decode(value).map_err(|_| Unchecked::Malformed)?;
    let late = stored.size().saturating_sub(pass.leaves.size());
    if late > LATE_LEAVES_MAX {
        // So many since the last step: the next pass sees them.
        return Ok(());
    }
    for index in pass.leaves.size()..stored.size() {
        match view.get(&event_key(index))? {
            Some(leaf) => append(pass, view, &leaf)?,
            None => break,
        }
    }
    pass.expect(pass.leaves == stored, Rule::TransparencyLog);
    Ok(())
}

/// Whether the hash is the right one its last leaf tells; here, that there are leaves for it.
pub(super) fn subtree(
    pass: &mut Pass,
    view: &dyn StateView,
    key: &[u8],
    value: &[u8],
) -> Result<(), Unchecked> {
    let level = u32::from_be_bytes(part(key, 0)?);
    let index = u64::from_be_bytes(part(key, 4)?);
    Hash::try_from(value).map_err(|_| DecodeError::Truncated)?;
    let size = stored_frontier(view)?.map_or(0, |frontier| frontier.size());
    let whole = size.checked_shr(level).unwrap_or_default();
    pass.expect(is_kept_level(level) && index < whole, Rule::TransparencyLog);
    Ok(())
}

/// A leaf that another row names.
pub(super) fn named_leaf(pass: &mut Pass, view: &dyn StateView, index: u64) -> Result<(), Unchecked> {
    pass.expect(is_there(view, &event_key(index))?, Rule::TransparencyLog);
    Ok(())
}

pub(super) fn epoch_event(
    pass: &mut Pass,
    view: &dyn StateView,
    key: &[u8],
    value: &[u8],
) -> Result<(), Unchecked> {
    let epoch = u64::from_be_bytes(part(key, 0)?);
    let began = epoch_row(view)?.is_some_and(|now| epoch <= now.epoch);
    pass.expect(began, Rule::EpochNumbers);
    let index = value.try_into().map_err(|_| DecodeError::Truncated)?;
    named_leaf(pass, view, u64::from_be_bytes(index))
}

pub(super) fn node_keys(
    pass: &mut Pass,
    view: &dyn StateView,
    key: &[u8],
    value: &[u8],
) -> Result<(), Unchecked> {
    let keys = NodeKeys::decode(key, value)?;
    pass.expect(is_there(view, &NodeRow::key(keys.node))?, Rule::NodesFiled);
    named_leaf(pass, view, keys.leaf)
}

/// The log says no more than what the state shows.
pub(super) fn summary(pass: &mut Pass, view: &dyn StateView, value: &[u8]) -> Result<(), Unchecked> {
    let said = SummaryRow::decode(value)?;
    let standing = Standing::read(view)?;
    let (destroyed, full) = (standing.destroyed_before(), standing.full_before());
    let is_so = said.destroyed_before <= destroyed && said.full_before <= full;
    pass.expect(is_so, Rule::DestroyedByAll);
    Ok(())
}
