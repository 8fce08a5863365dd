//! `apply` of who may hold shares and roots: a node is named before it is given one, and its own word ends that; what its
//! memory holds ends with its lease too (erasure.md §4.5, §4.6).

use eunoe_types::{BootId, ErasureId, Fault, NodeId, TimeMs, limits};

use super::apply::{self, Answer};
use super::epoch::epoch;
use super::epoch_command::{AttestDestroyed, Decommission, LeaseOver, VaultRolledBack};
use super::erase::named_erasure;
use super::erasure_query::last_epoch_of;
use super::erasure_row::{EpochRow, ErasureRow, ErasureState, destroyed_key, kid_of};
use super::event::Event;
use super::reply::{Rejection, Reply};
use super::root_row::{HOLDS_NONE, HolderRow, RootRow, SummaryRow};
use super::row::{NodeState, ram_set_key, ram_set_node, ram_set_prefix};
use super::standing::Standing;
use crate::{Txn, table};

fn holder(txn: &Txn<'_>, node: NodeId) -> Result<Option<HolderRow>, Fault> {
    txn.decoded(&HolderRow::key(node), HolderRow::decode)
}

/// Whether a node may be given a root: it is admitted, and has not said that it holds none for good.
pub(super) fn may_be_given(txn: &Txn<'_>, node: NodeId) -> Result<bool, Fault> {
    let is_retired = holder(txn, node)?.is_some_and(|row| row.retired);
    Ok(!is_retired && apply::is_admitted(txn, node)?)
}

/// Whether a node may be given a share of a root that is made now: it may be given a root, and is not about to leave.
pub(super) fn may_keep_share(txn: &Txn<'_>, node: NodeId) -> Result<bool, Fault> {
    let is_leaving = apply::node(txn, node)?.is_some_and(|row| row.state == NodeState::Leaving);
    Ok(!is_leaving && may_be_given(txn, node)?)
}

/// Remembers that a node's vault is about to be given a share that leads to keys of an epoch.
pub(super) fn note_share(txn: &mut Txn<'_>, node: NodeId, leads_to: u64) -> Result<(), Fault> {
    let known = holder(txn, node)?.unwrap_or(HolderRow::NONE);
    let row = HolderRow {
        share: known.share.min(leads_to),
        ..known
    };
    txn.put(HolderRow::key(node), row.encode());
    Ok(())
}

/// Remembers that a process is about to be given the root of an epoch: the current one, or one that an attempt makes.
///
/// The root of an attempt leads to everything that is alive now, whatever becomes of the attempt: it counts like the
/// current root.
pub(super) fn note_memory(
    txn: &mut Txn<'_>,
    now: &EpochRow,
    epoch: u64,
    (node, boot): (NodeId, &BootId),
) -> Result<(), Fault> {
    let leads_to = epoch.min(now.epoch);
    let known = holder(txn, node)?.unwrap_or(HolderRow::NONE);
    let row = HolderRow {
        memory: known.memory.min(leads_to),
        dark: known.dark.min(leads_to),
        boot: *boot,
        ..known
    };
    let key = ram_set_key(epoch, node, boot);
    let is_known = txn.contains(&key)?;
    txn.put(HolderRow::key(node), row.encode());
    if is_known {
        return Ok(());
    }
    txn.put(key, Vec::new());
    Event::new()
        .bytes("boot", boot.as_bytes())
        .number("epoch", epoch)
        .number("node", node.0)
        .text("t", "eunoe/root-granted@v1")
        .record(txn)?;
    Ok(())
}

/// The nodes of which a process was ever given the root of an epoch, or one of an attempt at it, each with the run of its
/// process that was given a root last: whatever an earlier run had in memory is gone.
pub(super) fn granted(txn: &Txn<'_>, epoch: u64) -> Result<Vec<(NodeId, BootId)>, Fault> {
    let mut nodes = Vec::new();
    let mut after = None;
    while let Some((key, _)) = txn
        .scan_prefix(&ram_set_prefix(epoch), after.as_deref(), 1)?
        .pop()
    {
        let node = ram_set_node(&key)?;
        let known = holder(txn, node)?.ok_or_else(|| Fault::broken("a root's holder is not known"))?;
        nodes.push((node, known.boot));
        // The next node's, whatever runs this one had.
        after = Some(ram_set_key(epoch, node, &BootId([u8::MAX; 16])));
    }
    Ok(nodes)
}

/// A node's word that it holds no share and no root older than an epoch's, or none at all for good; erasures for which it
/// was what is missing move on.
pub(super) fn attest(txn: &mut Txn<'_>, said: &AttestDestroyed) -> Result<Answer, Fault> {
    let Some(row) = epoch(txn)? else {
        return Ok(Err(Rejection::NoGenesis));
    };
    let retired = said.epoch == HOLDS_NONE;
    if said.epoch > row.epoch && !retired {
        return Ok(Err(Rejection::WrongEpoch));
    }
    let Some(held) = holder(txn, said.node)? else {
        return Ok(Err(Rejection::NoSuchNode));
    };
    if held.oldest() < said.epoch {
        let new = HolderRow {
            share: held.share.max(said.epoch),
            memory: held.memory.max(said.epoch),
            dark: held.dark.max(said.epoch),
            boot: said.boot,
            retired,
        };
        txn.put(HolderRow::key(said.node), new.encode());
        said.event(Some(&said.signature)).record(txn)?;
    }
    // One attestation moves only so many erasures on; a repetition takes the next ones.
    note_destroyed(txn, said.time)?;
    Ok(Ok(Reply::Done))
}

/// The end of a process's lease: nothing of before is in its memory. That is no word about its vault.
pub(super) fn lease_over(txn: &mut Txn<'_>, said: &LeaseOver) -> Result<Answer, Fault> {
    let Some(row) = epoch(txn)? else {
        return Ok(Err(Rejection::NoGenesis));
    };
    if said.epoch > row.epoch {
        return Ok(Err(Rejection::WrongEpoch));
    }
    let Some(held) = holder(txn, said.node)?.filter(|held| held.boot == said.boot) else {
        return Ok(Err(Rejection::NoSuchNode));
    };
    if held.in_memory() < said.epoch {
        let new = HolderRow {
            dark: said.epoch,
            ..held
        };
        txn.put(HolderRow::key(said.node), new.encode());
        Event::new()
            .bytes("boot", said.boot.as_bytes())
            .number("epoch", said.epoch)
            .number("node", said.node.0)
            .text("t", "eunoe/lease-expired@v1")
            .number("waited_ms", said.waited_ms)
            .record(txn)?;
    }
    note_destroyed(txn, said.time)?;
    Ok(Ok(Reply::Done))
}

/// Takes a removed node's shares and memory for gone, on evidence.
pub(super) fn decommission(txn: &mut Txn<'_>, said: &Decommission) -> Result<Answer, Fault> {
    match apply::node(txn, said.node)?.map(|node| node.state.is_admitted()) {
        Some(false) => {}
        Some(true) => return Ok(Err(Rejection::NodeAdmitted)),
        None => return Ok(Err(Rejection::NoSuchNode)),
    }
    let Some(held) = holder(txn, said.node)? else {
        return Ok(Err(Rejection::NoSuchNode));
    };
    if held.oldest() < HOLDS_NONE {
        let new = HolderRow {
            boot: held.boot,
            retired: true,
            ..HolderRow::NONE
        };
        txn.put(HolderRow::key(said.node), new.encode());
        Event::new()
            .bytes("evidence", &said.evidence)
            .number("node", said.node.0)
            .text("t", "eunoe/decommissioned@v1")
            .record(txn)?;
    }
    note_destroyed(txn, said.time)?;
    Ok(Ok(Reply::Done))
}

/// Records that a destroyed share came back and was destroyed again. What was said of it before was true when it was said.
pub(super) fn rolled_back(txn: &mut Txn<'_>, said: &VaultRolledBack) -> Result<Answer, Fault> {
    if holder(txn, said.node)?.is_none() {
        return Ok(Err(Rejection::NoSuchNode));
    }
    Event::new()
        .number("attempt", u64::from(said.attempt))
        .bytes("boot", said.boot.as_bytes())
        .number("epoch", said.epoch)
        .number("node", said.node.0)
        .text("t", "eunoe/vault-rollback-detected@v1")
        .record(txn)?;
    Ok(Ok(Reply::Done))
}

/// Moves erasures on: those whose keys nobody can reach any more, and those of which every node has said so.
fn note_destroyed(txn: &mut Txn<'_>, time: TimeMs) -> Result<(), Fault> {
    let standing = Standing::in_txn(txn)?;
    summarize(txn, &standing)?;
    for (key, id) in over(txn, table::REKEYED, standing.destroyed_before())? {
        let mut row = named_erasure(txn, &id)?;
        if let ErasureState::Rekeyed { epoch, time: rekeyed } = row.state {
            row.state = ErasureState::Destroyed {
                epoch,
                rekeyed,
                time,
                full: None,
            };
            txn.put(ErasureRow::key(&id), row.encode());
            txn.put(destroyed_key(epoch, &id), Vec::new());
        }
        txn.delete(key);
    }
    for (key, id) in over(txn, table::DESTROYED, standing.full_before())? {
        let mut row = named_erasure(txn, &id)?;
        if let ErasureState::Destroyed { full, .. } = &mut row.state {
            *full = Some(time);
            txn.put(ErasureRow::key(&id), row.encode());
        }
        txn.delete(key);
    }
    let forgotten: Vec<Vec<u8>> = standing.forgotten().cloned().collect();
    for key in forgotten {
        // One that is made now may have holders that were named and hold nothing yet.
        if !is_in_use(txn, &key)? {
            txn.delete(key);
        }
    }
    Ok(())
}

/// Says in the log which keys are destroyed, if that are more than it says.
fn summarize(txn: &mut Txn<'_>, standing: &Standing) -> Result<(), Fault> {
    let Some(now) = epoch(txn)? else { return Ok(()) };
    let said = txn
        .decoded(&SummaryRow::key(), SummaryRow::decode)?
        .unwrap_or_default();
    let is = SummaryRow {
        destroyed_before: standing
            .destroyed_before()
            .min(now.epoch)
            .max(said.destroyed_before),
        full_before: standing.full_before().min(now.epoch).max(said.full_before),
    };
    if is == said {
        return Ok(());
    }
    txn.put(SummaryRow::key(), is.encode());
    Event::new()
        .number("destroyed_before", is.destroyed_before)
        .number("full_before", is.full_before)
        .text("t", "eunoe/epoch-destroyed@v1")
        .record(txn)?;
    Ok(())
}

/// Erasures in a table whose last epoch is before `epoch`.
fn over(txn: &Txn<'_>, table: u8, epoch: u64) -> Result<Vec<(Vec<u8>, ErasureId)>, Fault> {
    let mut found = Vec::new();
    for (key, _) in txn.scan_prefix(&[table], None, limits::EPOCH_ERASURES_MAX)? {
        if last_epoch_of(&key)? >= epoch {
            break;
        }
        let id = ErasureId(kid_of(&key)?.0);
        found.push((key, id));
    }
    Ok(found)
}

/// Whether a root is the current one or the one that is being prepared.
fn is_in_use(txn: &Txn<'_>, key: &[u8]) -> Result<bool, Fault> {
    let Some(row) = epoch(txn)? else { return Ok(false) };
    let preparing = row.preparing();
    let is_pending = preparing.is_some_and(|(epoch, attempt)| *key == RootRow::key(epoch, attempt.into()));
    Ok(is_pending || *key == RootRow::key(row.epoch, row.attempt))
}
