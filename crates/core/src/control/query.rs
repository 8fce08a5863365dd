//! Reads of the control group's state.

use eunoe_types::{BootId, DecodeError, Fault, Kid, NodeId, limits};

use super::command::PageName;
use super::erasure_query::prefixed;
use super::erasure_row::EpochRow;
use super::row::{
    GenesisRow, KeyStateRow, NODES_MAX, NodeRow, leaf_row_key, page_generation_key, page_key, ram_set_key,
    staged_page_key, version_key,
};
use crate::state_view::decoded;
use crate::{ScanRange, StateView, table};

/// A big-endian number under a key.
fn number(view: &dyn StateView, key: &[u8]) -> Result<Option<u32>, Fault> {
    decoded(view, key, |bytes| {
        bytes
            .try_into()
            .map(u32::from_be_bytes)
            .map_err(|_| DecodeError::Truncated)
    })
}

/// What genesis fixed; none before it.
pub fn genesis(view: &dyn StateView) -> Result<Option<GenesisRow>, Fault> {
    decoded(view, &GenesisRow::key(), GenesisRow::decode)
}

/// The epoch; none before genesis.
pub fn epoch(view: &dyn StateView) -> Result<Option<EpochRow>, Fault> {
    decoded(view, &EpochRow::key(), EpochRow::decode)
}

/// The cluster version; none before genesis.
pub fn cluster_version(view: &dyn StateView) -> Result<Option<u32>, Fault> {
    number(view, &version_key())
}

/// A node, removed or not.
pub fn node(view: &dyn StateView, id: NodeId) -> Result<Option<NodeRow>, Fault> {
    decoded(view, &NodeRow::key(id), NodeRow::decode)
}

/// Whether a node is admitted.
pub fn is_admitted(view: &dyn StateView, id: NodeId) -> Result<bool, Fault> {
    Ok(node(view, id)?.is_some_and(|node| node.state.is_admitted()))
}

/// All nodes, removed ones included, in the order of their ids.
pub fn nodes(view: &dyn StateView) -> Result<Vec<NodeRow>, Fault> {
    let prefix = [table::NODE];
    let rows = view.scan(&ScanRange {
        from: &prefix,
        to: &table::after_prefix(&prefix),
        backward: false,
        rows_max: NODES_MAX,
        bytes_max: limits::PAGE_BYTES_MAX,
    })?;
    rows.iter().map(|(_, row)| Ok(NodeRow::decode(row)?)).collect()
}

/// Whether a run of a node's process was named to be given the root of an epoch.
pub fn was_granted(view: &dyn StateView, epoch: u64, (node, boot): (NodeId, &BootId)) -> Result<bool, Fault> {
    Ok(view.get(&ram_set_key(epoch, node, boot))?.is_some())
}

/// A page that the attempt under way staged.
pub fn staged_page(view: &dyn StateView, name: PageName, attempt: u32) -> Result<Option<Vec<u8>>, Fault> {
    let staged = view.get(&staged_page_key(name))?;
    let own = staged.and_then(|value| {
        value
            .strip_prefix(&u64::from(attempt).to_be_bytes())
            .map(<[u8]>::to_vec)
    });
    Ok(own)
}

/// A sealed interior page.
pub fn page(view: &dyn StateView, name: PageName) -> Result<Option<Vec<u8>>, Fault> {
    view.get(&page_key(name))
}

/// How many pages are staged.
pub fn staged_pages(view: &dyn StateView) -> Result<usize, Fault> {
    Ok(prefixed(view, &[table::STAGED_PAGE], usize::MAX)?.len())
}

/// The generation that rows of a leaf page must be sealed for.
pub fn page_generation(view: &dyn StateView, tree: u8, page: u32) -> Result<u32, Fault> {
    Ok(number(view, &page_generation_key(tree, page))?.unwrap_or(0))
}

/// A sealed row of a leaf page, of the page's current generation.
pub fn leaf_row(view: &dyn StateView, tree: u8, page: u32, tag: &[u8; 16]) -> Result<Option<Vec<u8>>, Fault> {
    let generation = page_generation(view, tree, page)?;
    view.get(&leaf_row_key(tree, page, generation, tag))
}

/// A key's state.
pub fn key_state(view: &dyn StateView, kid: &Kid) -> Result<Option<KeyStateRow>, Fault> {
    decoded(view, &KeyStateRow::key(kid), KeyStateRow::decode)
}
