//! Rows of states and snapshots.

use eunoe_core::{Row, ScanRange, StateView, control, data};
use eunoe_types::{ConversationId, Decoder, Fault, GroupId, Kid};

use crate::Evidence;

/// Tables, by the first byte of their keys.
const CONVERSATION: u8 = 0x10;
const PAGE: u8 = 0x22;
const LEAF_ROW: u8 = 0x23;
const STAGED_PAGE: u8 = 0x24;
const KEY_STATE: u8 = 0x26;
/// Bytes of the attempt before a staged page.
const ATTEMPT_BYTES: usize = 8;

/// Takes all that a group's state holds.
pub(crate) fn take(evidence: &mut Evidence, group: GroupId, view: &dyn StateView) -> Result<(), Fault> {
    match group.is_control() {
        true => take_control(evidence, view),
        false => take_data(evidence, view),
    }
}

fn take_data(evidence: &mut Evidence, view: &dyn StateView) -> Result<(), Fault> {
    for (key, _) in rows_of(view, CONVERSATION)? {
        let id = key.get(1..).and_then(|id| ConversationId::try_from(id).ok());
        if let Some(id) = id.filter(|id| data::conversation(view, id).is_ok_and(|row| row.is_some())) {
            evidence.contents.take_state(view, id)?;
        }
    }
    Ok(())
}

fn take_control(evidence: &mut Evidence, view: &dyn StateView) -> Result<(), Fault> {
    if let Some(genesis) = control::genesis(view)? {
        evidence.realms.insert(genesis.realm);
        evidence.levels.insert(genesis.levels);
    }
    if let Some(epoch) = control::epoch(view)? {
        evidence.take_root_commitment(epoch.root_commit, Some(epoch.epoch));
        let current = control::current_root(view, &epoch)?.map(|root| (root, epoch.epoch));
        let pending = control::pending_root(view, &epoch)?.map(|root| (root, epoch.epoch + 1));
        for (root, epoch) in current.into_iter().chain(pending) {
            if let Some(made) = root.made {
                evidence.take_made_root(&made, Some(epoch));
            }
        }
    }
    for (key, _) in rows_of(view, KEY_STATE)? {
        let kid = key.get(1..).and_then(|kid| Kid::try_from(kid).ok());
        let Some(kid) = kid else { continue };
        if let Some(row) = control::key_state(view, &kid)? {
            evidence.take_state(kid, row.state);
            evidence.take_key_commitment(kid, row.key_commit);
        }
    }
    for table in [PAGE, STAGED_PAGE, LEAF_ROW] {
        for (key, value) in rows_of(view, table)? {
            // A key of another form is no page's and no row's.
            let _taken = take_sealed(evidence, table, &key, &value);
        }
    }
    Ok(())
}

fn take_sealed(evidence: &mut Evidence, table: u8, key: &[u8], value: &[u8]) -> Option<()> {
    let mut d = Decoder::new(key.get(1..)?);
    let tree = d.u8().ok()?;
    if table == LEAF_ROW {
        let page = u32::from_be_bytes(d.array().ok()?);
        let _generation: [u8; 4] = d.array().ok()?;
        evidence.sealed.take_row(tree, page, d.array().ok()?, value);
        return Some(());
    }
    let (level, index) = (d.u8().ok()?, u32::from_be_bytes(d.array().ok()?));
    let skipped = if table == STAGED_PAGE { ATTEMPT_BYTES } else { 0 };
    evidence
        .sealed
        .take_page(tree, level, index, value.get(skipped..)?);
    Some(())
}

fn rows_of(view: &dyn StateView, table: u8) -> Result<Vec<Row>, Fault> {
    view.scan(&ScanRange {
        from: &[table],
        to: &[table + 1],
        backward: false,
        rows_max: usize::MAX,
        bytes_max: usize::MAX,
    })
}
