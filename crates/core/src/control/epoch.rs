//! `apply` of epochs: a new root, under which the fenced keys are left out (erasure.md §4.5).
//!
//! Rows of a replaced leaf page are staged under the page's next generation, where nobody looks before the switch,
//! so that the switch is small; the old generation is swept away afterwards. It is unreadable by then: its page key
//! hung on the old root.

use std::collections::{BTreeMap, BTreeSet};

use eunoe_merkle::{leaf_hash, node_hash};
use eunoe_types::{ErasureId, Fault, Kid, TimeMs, limits};

use super::apply::{self, Answer};
use super::command::PageName;
use super::epoch_command::{BeginEpoch, EpochChunk, ShareEpoch, SwitchEpoch, VerifyEpoch};
use super::erase::{key_row, named_erasure};
use super::erasure_row::{
    EpochRow, ErasureRow, ErasureState, PendingEpoch, PendingRow, child_key, fenced_key, frozen_key,
    key_of_erasure, rekeyed_key, sweep_key,
};
use super::event::Event;
use super::holder;
use super::reply::{Rejection, Reply};
use super::root_row::RootRow;
use super::row::{KeyState, KeyStateRow, epoch_event_key, page_generation_key, page_key};
use crate::{Txn, table};

/// Staged pages that are looked at together.
const STAGED_PAGES: usize = 1_024;

/// The digest over chunks: each command's bytes, in order.
pub fn chunk_digest(before: &[u8; 32], command: &[u8]) -> [u8; 32] {
    node_hash(before, &leaf_hash(command))
}

/// The epoch; none before genesis.
pub(super) fn epoch(txn: &Txn<'_>) -> Result<Option<EpochRow>, Fault> {
    txn.decoded(&EpochRow::key(), EpochRow::decode)
}

fn pending(txn: &Txn<'_>) -> Result<PendingRow, Fault> {
    let found = txn.decoded(&PendingRow::key(), PendingRow::decode)?;
    found.ok_or_else(|| Fault::broken("the epoch under preparation has no list"))
}

/// Begins an attempt. Whatever attempt was under way is over.
pub(super) fn begin(txn: &mut Txn<'_>, new: &BeginEpoch) -> Result<Answer, Fault> {
    let Some(mut row) = epoch(txn)? else {
        return Ok(Err(Rejection::NoGenesis));
    };
    if new.epoch != row.epoch + 1 {
        return Ok(Err(Rejection::WrongEpoch));
    }
    if new.attempt != row.last_attempt + 1 {
        return Ok(Err(Rejection::WrongAttempt));
    }
    for kid in &new.keys {
        if !is_ripe(txn, kid)? {
            return Ok(Err(Rejection::KeyNotFenced));
        }
    }
    for (id, _) in &new.recipients {
        // A holder that does not exist would never say that it destroyed anything.
        if !holder::may_be_given(txn, *id)? {
            return Ok(Err(Rejection::NoSuchNode));
        }
    }
    let sharing = &new.sharing;
    for holder in &sharing.holders {
        if !holder::may_keep_share(txn, *holder)? {
            return Ok(Err(Rejection::NoSuchNode));
        }
    }
    let is_given = |node| new.recipients.iter().any(|(id, _)| id == node);
    if !sharing.is_sound() || !sharing.holders.iter().all(is_given) {
        return Ok(Err(Rejection::BadSharing));
    }
    give_up(txn, &mut row)?;
    // Nothing is left out or replaced twice: the second time, the generation just made would be swept away.
    let list = PendingRow {
        keys: distinct(&new.keys),
        pages: distinct(&new.pages),
    };
    for (tree, page) in &list.pages {
        txn.put(frozen_key(*tree, *page), Vec::new());
    }
    for (node, boot) in &new.recipients {
        holder::note_memory(txn, &row, new.epoch, (*node, boot))?;
    }
    for node in &sharing.holders {
        holder::note_share(txn, *node, row.epoch)?;
    }
    let root = RootRow {
        leads_to: row.epoch,
        sharing: sharing.clone(),
        made: None,
        verified: Vec::new(),
    };
    txn.put(RootRow::key(new.epoch, new.attempt.into()), root.encode());
    txn.put(PendingRow::key(), list.encode());
    row.last_attempt = new.attempt;
    row.pending = Some(PendingEpoch {
        chunks: 0,
        digest: [0; 32],
    });
    txn.put(EpochRow::key(), row.encode());
    Ok(Ok(Reply::Done))
}

fn distinct<T: Ord + Copy>(items: &[T]) -> Vec<T> {
    BTreeSet::from_iter(items.iter().copied()).into_iter().collect()
}

/// Whether a key is fenced, and so are all keys that its erasure takes with it: else an erasure could run out of keys
/// before it knows them all.
fn is_ripe(txn: &Txn<'_>, kid: &Kid) -> Result<bool, Fault> {
    match key_row(txn, kid)?.map(|key| key.state) {
        Some(KeyState::Fenced { erasure, .. }) => {
            let erasure = named_erasure(txn, &erasure)?;
            Ok(erasure.state == ErasureState::Fenced && erasure.expanding == 0)
        }
        Some(KeyState::Active | KeyState::Erased { .. }) | None => Ok(false),
    }
}

/// Ends the attempt under way, if there is one: its pages thaw, what it staged goes.
fn give_up(txn: &mut Txn<'_>, row: &mut EpochRow) -> Result<(), Fault> {
    // Also those that a genesis left: its attempts have numbers of their own.
    take_staged(txn, |_, _, _| {})?;
    if row.pending.take().is_none() {
        return Ok(());
    }
    let list = pending(txn)?;
    for (tree, page) in &list.pages {
        txn.delete(frozen_key(*tree, *page));
        txn.put(sweep_key(*tree, *page, row.last_attempt), Vec::new());
    }
    txn.delete(PendingRow::key());
    let sharing = pending_root(txn, row)?.sharing;
    Event::new()
        .number("attempt", u64::from(row.last_attempt))
        .number("epoch", row.epoch + 1)
        .nodes("holders", &sharing.holders)
        .processes("memory", &holder::granted(txn, row.epoch + 1)?)
        .text("t", "eunoe/epoch-aborted@v1")
        .number("threshold", sharing.threshold.into())
        .record(txn)?;
    Ok(())
}

/// Gives the attempt under way up if it would leave out keys of an erasure.
pub(super) fn spare(txn: &mut Txn<'_>, id: &ErasureId) -> Result<(), Fault> {
    let Some(mut row) = epoch(txn)?.filter(|row| row.pending.is_some()) else {
        return Ok(());
    };
    for kid in &pending(txn)?.keys {
        let state = key_row(txn, kid)?.map(|key| key.state);
        if matches!(state, Some(KeyState::Fenced { erasure, .. }) if erasure == *id) {
            give_up(txn, &mut row)?;
            txn.put(EpochRow::key(), row.encode());
            return Ok(());
        }
    }
    Ok(())
}

/// Gives an attempt up.
pub(super) fn abort(txn: &mut Txn<'_>, attempt: u32) -> Result<Answer, Fault> {
    match epoch(txn)? {
        Some(mut row) if row.pending.is_some() && row.last_attempt == attempt => {
            give_up(txn, &mut row)?;
            txn.put(EpochRow::key(), row.encode());
            Ok(Ok(Reply::Done))
        }
        Some(_) | None => Ok(Err(Rejection::WrongAttempt)),
    }
}

/// Stages a chunk; `command` is its bytes.
pub(super) fn stage(txn: &mut Txn<'_>, chunk: &EpochChunk<'_>, command: &[u8]) -> Result<Answer, Fault> {
    let Some(mut row) = epoch(txn)? else {
        return Ok(Err(Rejection::NoGenesis));
    };
    let Some(pending) = row.pending.as_mut().filter(|_| row.last_attempt == chunk.attempt) else {
        return Ok(Err(Rejection::WrongAttempt));
    };
    if chunk.number != pending.chunks {
        return Ok(Err(Rejection::WrongChunk));
    }
    for row in &chunk.rows {
        if !txn.contains(&frozen_key(row.tree, row.page))? {
            return Ok(Err(Rejection::WrongChunk));
        }
    }
    for page in &chunk.pages {
        apply::stage_page(txn, u64::from(chunk.attempt), page);
    }
    for row in &chunk.rows {
        let key = super::row::leaf_row_key(row.tree, row.page, chunk.attempt, &row.tag);
        txn.put(key, row.sealed.to_vec());
    }
    pending.chunks += 1;
    pending.digest = chunk_digest(&pending.digest, command);
    txn.put(EpochRow::key(), row.encode());
    let mut root = pending_root(txn, &row)?;
    if !root.verified.is_empty() {
        // They looked at less.
        root.verified.clear();
        put_pending_root(txn, &row, &root);
    }
    Ok(Ok(Reply::Done))
}

/// Where the root of the last attempt is.
fn pending_root_key(row: &EpochRow) -> Vec<u8> {
    RootRow::key(row.epoch + 1, row.last_attempt.into())
}

/// The root of the attempt under way.
fn pending_root(txn: &Txn<'_>, row: &EpochRow) -> Result<RootRow, Fault> {
    let root = txn.decoded(&pending_root_key(row), RootRow::decode)?;
    root.ok_or_else(|| Fault::broken("the epoch under preparation has no root"))
}

fn put_pending_root(txn: &mut Txn<'_>, row: &EpochRow, root: &RootRow) {
    txn.put(pending_root_key(row), root.encode());
}

/// The attempt that a command is about, if it is the one under way.
fn under_way(txn: &Txn<'_>, attempt: u32) -> Result<Result<EpochRow, Rejection>, Fault> {
    Ok(match epoch(txn)? {
        None => Err(Rejection::NoGenesis),
        Some(row) if row.pending.is_some() && row.last_attempt == attempt => Ok(row),
        Some(_) => Err(Rejection::WrongAttempt),
    })
}

/// Records what commits to an attempt's root, and whose vaults keep shares of it.
pub(super) fn share(txn: &mut Txn<'_>, new: &ShareEpoch) -> Result<Answer, Fault> {
    let row = match under_way(txn, new.attempt)? {
        Ok(row) => row,
        Err(rejection) => return Ok(Err(rejection)),
    };
    let mut root = pending_root(txn, &row)?;
    match &root.made {
        // The same again, after an answer that got lost.
        Some(made) if *made == new.made => return Ok(Ok(Reply::Done)),
        Some(_) => return Ok(Err(Rejection::BadSharing)),
        None => {}
    }
    let is_holder = |node| root.sharing.holders.contains(node);
    let ordered = new.made.kept.windows(2).all(|pair| pair[0] < pair[1]);
    if new.made.sub_keys.len() != root.sharing.sub_keys() || !ordered || !new.made.kept.iter().all(is_holder)
    {
        return Ok(Err(Rejection::BadSharing));
    }
    if new.made.kept.len() < usize::from(root.sharing.threshold) {
        return Ok(Err(Rejection::TooFewHolders));
    }
    root.made = Some(new.made.clone());
    put_pending_root(txn, &row, &root);
    Ok(Ok(Reply::Done))
}

/// Records that a node looked at the attempt, and at what.
pub(super) fn verify(txn: &mut Txn<'_>, said: &VerifyEpoch) -> Result<Answer, Fault> {
    let row = match under_way(txn, said.attempt)? {
        Ok(row) => row,
        Err(rejection) => return Ok(Err(rejection)),
    };
    let mut root = pending_root(txn, &row)?;
    let same_root = root
        .made
        .as_ref()
        .is_some_and(|made| made.root_commit == said.root_commit);
    let same_trees = row.pending.is_some_and(|pending| pending.digest == said.digest);
    if !same_root || !same_trees {
        return Ok(Err(Rejection::WrongDigest));
    }
    if !root.sharing.holders.contains(&said.node) {
        return Ok(Err(Rejection::NoSuchNode));
    }
    if !root.verified.contains(&said.node) {
        root.verified.push(said.node);
        put_pending_root(txn, &row, &root);
    }
    Ok(Ok(Reply::Done))
}

/// Makes the attempt's root the current one.
pub(super) fn switch(txn: &mut Txn<'_>, new: &SwitchEpoch) -> Result<Answer, Fault> {
    let mut row = match under_way(txn, new.attempt)? {
        Ok(row) => row,
        Err(rejection) => return Ok(Err(rejection)),
    };
    if row.pending.is_none_or(|pending| pending.digest != new.digest) {
        return Ok(Err(Rejection::WrongDigest));
    }
    let mut root = pending_root(txn, &row)?;
    let Some(made) = &root.made else {
        return Ok(Err(Rejection::TooFewHolders));
    };
    let mut keeping = 0;
    for node in &made.kept {
        keeping += usize::from(holder::may_keep_share(txn, *node)?);
    }
    if keeping < usize::from(root.sharing.threshold) {
        return Ok(Err(Rejection::TooFewHolders));
    }
    if !root.is_verified() {
        return Ok(Err(Rejection::NotVerified));
    }
    let root_commit = made.root_commit;
    let list = pending(txn)?;
    replace_pages(txn, new.attempt, &list)?;
    let erased = row.epoch;
    drop_keys(txn, &list.keys, erased, new.time)?;
    txn.delete(PendingRow::key());
    root.leads_to = row.epoch + 1;
    put_pending_root(txn, &row, &root);
    row.epoch += 1;
    row.attempt = u64::from(new.attempt);
    row.root_commit = root_commit;
    row.pending = None;
    txn.put(EpochRow::key(), row.encode());
    let began = Event::new()
        .number("attempt", row.attempt)
        .number("epoch", row.epoch)
        .number("erased", list.keys.len() as u64)
        .nodes("holders", &root.sharing.holders)
        .processes("memory", &holder::granted(txn, erased)?)
        .bytes("root_commit", &row.root_commit)
        .text("t", "eunoe/epoch-switch@v1")
        .number("threshold", root.sharing.threshold.into())
        .record(txn)?;
    txn.put(epoch_event_key(row.epoch), began.to_be_bytes().to_vec());
    Ok(Ok(Reply::Done))
}

fn replace_pages(txn: &mut Txn<'_>, attempt: u32, list: &PendingRow) -> Result<(), Fault> {
    take_staged(txn, |txn, name, sealed| {
        txn.put(page_key(name), sealed.to_vec());
    })?;
    for (tree, page) in &list.pages {
        let old = apply::generation(txn, *tree, *page)?;
        txn.put(sweep_key(*tree, *page, old), Vec::new());
        txn.put(page_generation_key(*tree, *page), attempt.to_be_bytes().to_vec());
        txn.delete(frozen_key(*tree, *page));
    }
    Ok(())
}

/// Takes every staged page away, after `each` saw it. An attempt begins without any, so all are its own.
fn take_staged(txn: &mut Txn<'_>, each: impl Fn(&mut Txn<'_>, PageName, &[u8])) -> Result<(), Fault> {
    loop {
        let staged = txn.scan_prefix(&[table::STAGED_PAGE], None, STAGED_PAGES)?;
        if staged.is_empty() {
            return Ok(());
        }
        for (key, value) in staged {
            let sealed = value.get(8..);
            let sealed = sealed.ok_or_else(|| Fault::broken("a staged page is short"))?;
            each(txn, staged_name(&key)?, sealed);
            txn.delete(key);
        }
    }
}

fn staged_name(key: &[u8]) -> Result<PageName, Fault> {
    let [_, tree, level, index @ ..] = key else {
        return Err(Fault::broken("the key of a staged page is short"));
    };
    let index = index.try_into().map(u32::from_be_bytes);
    let index = index.map_err(|_| Fault::broken("the key of a staged page is malformed"))?;
    Ok(PageName {
        tree: *tree,
        level: *level,
        index,
    })
}

/// Marks keys as erased, and the erasures that they were the last of as rekeyed.
fn drop_keys(txn: &mut Txn<'_>, keys: &[Kid], epoch: u64, time: TimeMs) -> Result<(), Fault> {
    let mut dropped: BTreeMap<ErasureId, u64> = BTreeMap::new();
    for kid in keys {
        let mut key = key_row(txn, kid)?.ok_or_else(|| Fault::broken("a fenced key is not there"))?;
        let KeyState::Fenced { erasure, index } = key.state else {
            return Err(Fault::broken("a key that is left out is not fenced"));
        };
        if let Some(parent) = key.parent.take() {
            txn.delete(child_key(&parent, kid));
        }
        txn.delete(fenced_key(index, kid));
        txn.delete(key_of_erasure(&erasure, kid));
        key.state = KeyState::Erased { epoch };
        txn.put(KeyStateRow::key(kid), key.encode());
        Event::new()
            .bytes("c", &key.commit)
            .number("epoch", epoch)
            .number("fence_index", index)
            .bytes("kc", &key.key_commit)
            .bytes("request", erasure.as_bytes())
            .text("t", "eunoe/key-erased@v1")
            .record_of_key(txn)?;
        *dropped.entry(erasure).or_default() += 1;
    }
    for (id, count) in dropped {
        let mut row = named_erasure(txn, &id)?;
        row.left = row.left.saturating_sub(count);
        if row.is_rekeyed() {
            txn.delete(row.under_way_key(&id));
            row.state = ErasureState::Rekeyed { epoch, time };
            txn.put(rekeyed_key(epoch, &id), Vec::new());
        }
        txn.put(ErasureRow::key(&id), row.encode());
    }
    Ok(())
}

/// Deletes some rows of a generation that nobody looks at any more.
pub(super) fn sweep(txn: &mut Txn<'_>) -> Result<Answer, Fault> {
    let Some((due, _)) = txn.scan_prefix(&[table::SWEEP], None, 1)?.pop() else {
        return Ok(Ok(Reply::Done));
    };
    // The same name in the table of rows.
    let mut prefix = due.clone();
    prefix[0] = table::LEAF_ROW;
    let rows = txn.scan_prefix(&prefix, None, limits::SWEEP_ROWS_MAX)?;
    if rows.len() < limits::SWEEP_ROWS_MAX {
        txn.delete(due);
    }
    rows.into_iter().for_each(|(key, _)| txn.delete(key));
    Ok(Ok(Reply::Done))
}
