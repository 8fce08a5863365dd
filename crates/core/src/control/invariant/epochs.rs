//! Epochs, the pages that they replace, and who holds their roots.

use eunoe_types::{DecodeError, NodeId};

use super::super::erasure_row::{EpochRow, ErasureRow, ErasureState, PendingRow, frozen_key, sweep_key};
use super::super::root_row::{HOLDS_NONE, HolderRow, MadeRoot, RootRow};
use super::super::row::{KeyState, KeyStateRow, NodeRow, page_generation_key};
use super::epoch_row;
use crate::StateView;
use crate::invariant::Invariant as Rule;
use crate::invariant::pass::{Pass, Unchecked, beside, is_there, part};

/// A leaf page: its tree and its index.
type Leaf = (u8, u32);

pub(super) fn epoch(pass: &mut Pass, view: &dyn StateView, value: &[u8]) -> Result<(), Unchecked> {
    let row = EpochRow::decode(value)?;
    let last = u64::from(row.last_attempt);
    // The attempt at a genesis has a number of its own.
    let could_be = row.epoch == 0 || (row.epoch <= last && row.attempt <= last);
    let is_new = row.pending.is_none() || (last > 0 && (row.epoch == 0 || row.attempt < last));
    pass.expect(could_be && is_new, Rule::EpochNumbers);
    let listed = is_there(view, &PendingRow::key())?;
    pass.expect(listed == row.pending.is_some(), Rule::EpochUnderPreparation);
    let current = is_there(view, &RootRow::key(row.epoch, row.attempt))?;
    let next = is_there(view, &RootRow::key(row.epoch + 1, last))?;
    pass.expect(current && (next || row.pending.is_none()), Rule::RootsShared);
    Ok(())
}

pub(super) fn pending(pass: &mut Pass, view: &dyn StateView, value: &[u8]) -> Result<(), Unchecked> {
    let list = PendingRow::decode(value)?;
    let under_way = epoch_row(view)?.is_some_and(|row| row.pending.is_some());
    pass.expect(under_way, Rule::EpochUnderPreparation);
    for kid in &list.keys {
        let key = beside(view, &KeyStateRow::key(kid), KeyStateRow::decode)?;
        let ripe = match key.map(|key| key.state) {
            Some(KeyState::Fenced { erasure, .. }) => {
                let erasure = beside(view, &ErasureRow::key(&erasure), ErasureRow::decode)?;
                erasure.is_some_and(|row| row.state == ErasureState::Fenced && row.expanding == 0)
            }
            Some(KeyState::Active | KeyState::Erased { .. }) | None => false,
        };
        pass.expect(ripe, Rule::EpochUnderPreparation);
    }
    for (tree, page) in &list.pages {
        pass.expect(
            is_there(view, &frozen_key(*tree, *page))?,
            Rule::EpochUnderPreparation,
        );
    }
    Ok(())
}

pub(super) fn frozen(pass: &mut Pass, view: &dyn StateView, key: &[u8]) -> Result<(), Unchecked> {
    let leaf = leaf_of(key)?;
    let list = beside(view, &PendingRow::key(), PendingRow::decode)?;
    let named = list.is_some_and(|list| list.pages.contains(&leaf));
    pass.expect(named, Rule::EpochUnderPreparation);
    Ok(())
}

pub(super) fn staged_page(pass: &mut Pass, view: &dyn StateView, value: &[u8]) -> Result<(), Unchecked> {
    let attempt = value.first_chunk().ok_or(DecodeError::Truncated)?;
    let attempt = u64::from_be_bytes(*attempt);
    // What a genesis left stays until the first attempt at an epoch.
    let Some(epoch) = epoch_row(view)?.filter(|row| row.last_attempt > 0) else {
        return Ok(());
    };
    let is_due = epoch.pending.is_some() && attempt == u64::from(epoch.last_attempt);
    pass.expect(is_due, Rule::EpochUnderPreparation);
    Ok(())
}

fn leaf_of(key: &[u8]) -> Result<Leaf, DecodeError> {
    let [tree] = part(key, 0)?;
    Ok((tree, u32::from_be_bytes(part(key, 1)?)))
}

fn generation_of(view: &dyn StateView, (tree, page): Leaf) -> Result<u32, Unchecked> {
    let bytes = view.get(&page_generation_key(tree, page))?;
    let number = bytes.as_deref().and_then(|bytes| bytes.try_into().ok());
    Ok(number.map_or(0, u32::from_be_bytes))
}

/// Whether rows of this generation are made for the epoch under preparation.
fn is_prepared(view: &dyn StateView, (tree, page): Leaf, generation: u32) -> Result<bool, Unchecked> {
    let under_way =
        epoch_row(view)?.is_some_and(|row| row.pending.is_some() && row.last_attempt == generation);
    Ok(under_way && is_there(view, &frozen_key(tree, page))?)
}

pub(super) fn generation(pass: &mut Pass, view: &dyn StateView, value: &[u8]) -> Result<(), Unchecked> {
    let generation = value.try_into().map_err(|_| DecodeError::Truncated)?;
    let generation = u32::from_be_bytes(generation);
    let last = epoch_row(view)?.map_or(0, |row| row.last_attempt);
    pass.expect((1..=last).contains(&generation), Rule::PageGenerations);
    Ok(())
}

pub(super) fn swept(pass: &mut Pass, view: &dyn StateView, key: &[u8]) -> Result<(), Unchecked> {
    let (leaf, generation) = (leaf_of(key)?, u32::from_be_bytes(part(key, 5)?));
    let in_use = generation == generation_of(view, leaf)? || is_prepared(view, leaf, generation)?;
    pass.expect(!in_use, Rule::PageGenerations);
    Ok(())
}

pub(super) fn leaf_row(pass: &mut Pass, view: &dyn StateView, key: &[u8]) -> Result<(), Unchecked> {
    let (leaf, generation) = (leaf_of(key)?, u32::from_be_bytes(part(key, 5)?));
    let known = generation == generation_of(view, leaf)?
        || is_prepared(view, leaf, generation)?
        || is_there(view, &sweep_key(leaf.0, leaf.1, generation))?;
    pass.expect(known, Rule::PageGenerations);
    Ok(())
}

pub(super) fn grant(pass: &mut Pass, view: &dyn StateView, key: &[u8]) -> Result<(), Unchecked> {
    let node = NodeId(u64::from_be_bytes(part(key, 8)?));
    let epoch = u64::from_be_bytes(part(key, 0)?);
    let could_be = epoch_row(view)?.is_some_and(|row| epoch <= row.epoch + 1);
    let known = is_there(view, &HolderRow::key(node))?;
    pass.expect(could_be && known, Rule::HoldersKnown);
    Ok(())
}

pub(super) fn holder(
    pass: &mut Pass,
    view: &dyn StateView,
    key: &[u8],
    value: &[u8],
) -> Result<(), Unchecked> {
    let row = HolderRow::decode(value)?;
    // One that retired holds none, for good. The root of an attempt counts from the epoch in which the attempt began.
    let could_be =
        row.oldest() == HOLDS_NONE || epoch_row(view)?.is_some_and(|epoch| row.oldest() <= epoch.epoch);
    let is_node = is_there(view, &NodeRow::key(HolderRow::node_of(key)?))?;
    pass.expect(
        could_be && is_node && (!row.retired || row.oldest() == HOLDS_NONE),
        Rule::HoldersKnown,
    );
    Ok(())
}

pub(super) fn root(pass: &mut Pass, view: &dyn StateView, key: &[u8], value: &[u8]) -> Result<(), Unchecked> {
    let row = RootRow::decode(value)?;
    let (epoch, attempt) = (
        u64::from_be_bytes(part(key, 0)?),
        u64::from_be_bytes(part(key, 8)?),
    );
    let Some(now) = epoch_row(view)? else {
        return Ok(());
    };
    let is_current = (epoch, attempt) == (now.epoch, now.attempt);
    let leads = row.leads_to == epoch || (!is_current && row.leads_to + 1 == epoch);
    let in_time = epoch <= now.epoch + 1;
    let enough = |made: &MadeRoot| {
        let own = made.kept.iter().all(|node| row.sharing.holders.contains(node));
        own && made.kept.len() >= usize::from(row.sharing.threshold)
    };
    let made = row.made.as_ref().map_or(row.leads_to < epoch, enough);
    let committed = !is_current
        || row
            .made
            .as_ref()
            .is_some_and(|made| made.root_commit == now.root_commit);
    pass.expect(
        row.sharing.is_sound() && leads && in_time && made && committed,
        Rule::RootsShared,
    );
    for node in &row.sharing.holders {
        pass.expect(is_there(view, &HolderRow::key(*node))?, Rule::HoldersKnown);
    }
    Ok(())
}
