//! `apply` of who may hold roots: a node is named before it is given one, and its own word ends that (erasure.md §4.5).

use eunoe_types::{BootId, ErasureId, Fault, NodeId, TimeMs, limits};

use super::apply::{self, Answer};
use super::epoch::epoch;
use super::erase::named_erasure;
use super::erasure_command::AttestDestroyed;
use super::erasure_query::rekeyed_at;
use super::erasure_row::{EpochRow, ErasureRow, ErasureState, HolderRow, kid_of};
use super::event::Event;
use super::reply::{Rejection, Reply};
use super::row::ram_set_key;
use crate::{Txn, table};

fn holder(txn: &Txn<'_>, node: NodeId) -> Result<Option<HolderRow>, Fault> {
    txn.decoded(&HolderRow::key(node), HolderRow::decode)
}

/// Whether a node may be given a root: it is admitted, and has not said that it holds none for good.
pub(super) fn may_be_given(txn: &Txn<'_>, node: NodeId) -> Result<bool, Fault> {
    let is_retired = holder(txn, node)?.is_some_and(|row| row.is_retired());
    Ok(!is_retired && apply::is_admitted(txn, node)?)
}

/// Remembers that a process is about to be given the root of an epoch: the current one, or one that an attempt makes.
///
/// The root of an attempt leads to everything that is alive now, and outlives the attempt on a disk until its node
/// speaks, whatever becomes of the attempt: it counts like the current root.
pub(super) fn note_grant(
    txn: &mut Txn<'_>,
    now: &EpochRow,
    epoch: u64,
    (node, boot): (NodeId, &BootId),
) -> Result<(), Fault> {
    let leads_to = epoch.min(now.epoch);
    let row = HolderRow {
        oldest: holder(txn, node)?.map_or(leads_to, |row| row.oldest.min(leads_to)),
        boot: *boot,
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
        .record(txn)
}

/// A node's word that it holds no root older than an epoch's, or none at all for good; erasures for which it was the
/// last word are DESTROYED.
pub(super) fn attest(txn: &mut Txn<'_>, said: &AttestDestroyed) -> Result<Answer, Fault> {
    let Some(row) = epoch(txn)? else {
        return Ok(Err(Rejection::NoGenesis));
    };
    let new = HolderRow {
        oldest: said.epoch,
        boot: said.boot,
    };
    if said.epoch > row.epoch && !new.is_retired() {
        return Ok(Err(Rejection::WrongEpoch));
    }
    let Some(held) = holder(txn, said.node)? else {
        return Ok(Err(Rejection::NoSuchNode));
    };
    if held.oldest < said.epoch {
        txn.put(HolderRow::key(said.node), new.encode());
        record(txn, said, new.is_retired())?;
    }
    // One attestation moves only so many erasures on; a repetition takes the next ones.
    note_destroyed(txn, said.time)?;
    Ok(Ok(Reply::Done))
}

fn record(txn: &mut Txn<'_>, said: &AttestDestroyed, is_retired: bool) -> Result<(), Fault> {
    let event = Event::new().bytes("boot", said.boot.as_bytes());
    if is_retired {
        let event = event.number("node", said.node.0);
        return event.text("t", "eunoe/holder-retired@v1").record(txn);
    }
    event
        .number("epoch", said.epoch)
        .number("node", said.node.0)
        .text("t", "eunoe/holder-attest@v1")
        .record(txn)
}

/// Moves erasures on whose last epoch no node holds a root any more.
fn note_destroyed(txn: &mut Txn<'_>, time: TimeMs) -> Result<(), Fault> {
    let mut oldest = u64::MAX;
    for (_, row) in txn.scan_prefix(&[table::HOLDER], None, 10 * limits::HOLDERS_MAX)? {
        oldest = oldest.min(HolderRow::decode(&row)?.oldest);
    }
    for (key, _) in txn.scan_prefix(&[table::REKEYED], None, limits::EPOCH_ERASURES_MAX)? {
        if rekeyed_at(&key)? >= oldest {
            return Ok(());
        }
        let id = ErasureId(kid_of(&key)?.0);
        let mut row = named_erasure(txn, &id)?;
        if let ErasureState::Rekeyed { epoch, time: rekeyed } = row.state {
            row.state = ErasureState::Destroyed { epoch, rekeyed, time };
            txn.put(ErasureRow::key(&id), row.encode());
        }
        txn.delete(key);
    }
    Ok(())
}
