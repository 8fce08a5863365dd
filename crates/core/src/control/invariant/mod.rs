//! What holds in every state of the control group.

mod epochs;
mod keys;
mod log;

use eunoe_types::{Decoder, ErasureId, Kid, NodeId};

use super::row::{GenesisRow, NodeRow, frontier_key, version_key};
use super::{EpochRow, ReturnedRow, placement};
use crate::invariant::Invariant as Rule;
use crate::invariant::pass::{Pass, Unchecked, beside, is_there, part};
use crate::{CLUSTER_VERSION, StateView, table};

/// Checks what one row says, and what other rows must say for it.
pub(crate) fn check_row(
    pass: &mut Pass,
    view: &dyn StateView,
    key: &[u8],
    value: &[u8],
) -> Result<(), Unchecked> {
    let table = key.first().copied().unwrap_or_default();
    match table {
        table::GENESIS => genesis(pass, view, value)?,
        table::NODE => node(pass, key, value)?,
        table::VERSION => version(pass, value)?,
        table::PLACEMENT => drop(placement::decode(value)?),
        table::EVENT => log::leaf(pass, view, u64::from_be_bytes(part(key, 0)?), value)?,
        table::FRONTIER => log::frontier(pass, view, value)?,
        table::LOG_TREE => log::subtree(pass, view, key, value)?,
        table::CLUSTER_EVENT => log::named_leaf(pass, view, u64::from_be_bytes(part(key, 0)?))?,
        table::EPOCH_EVENT => log::epoch_event(pass, view, key, value)?,
        table::NODE_KEYS => log::node_keys(pass, view, key, value)?,
        table::SUMMARY => log::summary(pass, view, value)?,
        table::EPOCH => epochs::epoch(pass, view, value)?,
        table::PENDING => epochs::pending(pass, view, value)?,
        table::FROZEN => epochs::frozen(pass, view, key)?,
        table::STAGED_PAGE => epochs::staged_page(pass, view, value)?,
        table::PAGE_GENERATION => epochs::generation(pass, view, value)?,
        table::SWEEP => epochs::swept(pass, view, key)?,
        table::LEAF_ROW => epochs::leaf_row(pass, view, key)?,
        table::RAM_SET => epochs::grant(pass, view, key)?,
        table::HOLDER => epochs::holder(pass, view, key, value)?,
        table::KEY_STATE => keys::key_state(pass, view, &Kid(part(key, 0)?), value)?,
        table::KEY_CHILD => keys::child(pass, view, key)?,
        table::FENCED => keys::fenced(pass, view, key)?,
        table::ERASURE => keys::erasure(pass, view, &ErasureId(part(key, 0)?), value)?,
        table::ERASURE_OF => keys::erasure_of(pass, view, key, value)?,
        table::EXPAND => keys::expand(pass, view, key)?,
        table::REKEYED => keys::rekeyed(pass, view, key)?,
        table::KEY_OF_ERASURE => keys::of_erasure(pass, view, key)?,
        table::UNDER_WAY => keys::under_way(pass, view, key)?,
        table::RETURNED => drop(ReturnedRow::decode(value)?),
        table::DESTROYED => keys::destroyed(pass, view, key)?,
        table::ROOT => epochs::root(pass, view, key, value)?,
        // Sealed pages: nothing to see. The seal has no value.
        table::PAGE | table::SEAL => {}
        _ => return Err(Unchecked::Malformed),
    }
    // Everything but staged pages came with the genesis or after it.
    if table != table::STAGED_PAGE {
        pass.expect(is_there(view, &GenesisRow::key())?, Rule::GenesisWhole);
    }
    Ok(())
}

fn genesis(pass: &mut Pass, view: &dyn StateView, value: &[u8]) -> Result<(), Unchecked> {
    GenesisRow::decode(value)?;
    let whole = is_there(view, &EpochRow::key())?
        && is_there(view, &version_key())?
        && is_there(view, &placement::policy_key())?
        && is_there(view, &frontier_key())?;
    pass.expect(whole, Rule::GenesisWhole);
    Ok(())
}

fn node(pass: &mut Pass, key: &[u8], value: &[u8]) -> Result<(), Unchecked> {
    let row = NodeRow::decode(value)?;
    pass.expect(
        row.id == NodeId(u64::from_be_bytes(part(key, 0)?)),
        Rule::NodesFiled,
    );
    Ok(())
}

fn version(pass: &mut Pass, value: &[u8]) -> Result<(), Unchecked> {
    let mut d = Decoder::new(value);
    let version = u32::from_be_bytes(d.array()?);
    d.finish()?;
    pass.expect((1..=CLUSTER_VERSION).contains(&version), Rule::GenesisWhole);
    Ok(())
}

fn epoch_row(view: &dyn StateView) -> Result<Option<EpochRow>, Unchecked> {
    Ok(beside(view, &EpochRow::key(), EpochRow::decode)?)
}
