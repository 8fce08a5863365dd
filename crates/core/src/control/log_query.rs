//! Reads of the transparency log.

use eunoe_merkle::{Frontier, Hash, HashSource, leaf_hash};
use eunoe_types::{Fault, limits};

use super::root_row::SummaryRow;
use super::row::{cluster_event_key, epoch_event_key, event_key, frontier_key, log_tree_key};
use crate::state_view::decoded;
use crate::table::{self, after_prefix};
use crate::{ScanRange, StateView};

/// The transparency log's right edge: its size and its root.
pub fn frontier(view: &dyn StateView) -> Result<Frontier, Fault> {
    let Some(bytes) = view.get(&frontier_key())? else {
        return Ok(Frontier::new());
    };
    Frontier::decode(&bytes).map_err(|_| Fault::broken("the transparency log's frontier does not decode"))
}

/// Leaves of the transparency log.
pub fn event_count(view: &dyn StateView) -> Result<u64, Fault> {
    Ok(frontier(view)?.size())
}

/// The transparency log as proofs and tiles are made of it.
pub struct LogTree<'a>(pub &'a dyn StateView);

impl HashSource for LogTree<'_> {
    type Error = Fault;

    fn leaf(&self, index: u64) -> Result<Hash, Fault> {
        let leaf = event(self.0, index)?;
        leaf.map(|leaf| leaf_hash(&leaf))
            .ok_or_else(|| Fault::broken("a leaf of the transparency log is missing"))
    }

    fn subtree(&self, level: u32, index: u64) -> Result<Option<Hash>, Fault> {
        let kept = self.0.get(&log_tree_key(level, index))?;
        let hash = kept.map(|hash| hash.as_slice().try_into());
        hash.transpose()
            .map_err(|_| Fault::broken("a hash of the transparency log is malformed"))
    }
}

/// Leaves from `from` on that are events of the cluster, not of one key: the first `rows_max`.
pub fn cluster_events(view: &dyn StateView, from: u64, rows_max: usize) -> Result<Vec<u64>, Fault> {
    let rows = view.scan(&ScanRange {
        from: &cluster_event_key(from),
        to: &after_prefix(&[table::CLUSTER_EVENT]),
        backward: false,
        rows_max,
        bytes_max: limits::PAGE_BYTES_MAX,
    })?;
    rows.iter().map(|(key, _)| event_index(&key[1..])).collect()
}

/// Which leaf of the transparency log began an epoch.
pub fn epoch_event(view: &dyn StateView, epoch: u64) -> Result<Option<u64>, Fault> {
    let row = view.get(&epoch_event_key(epoch))?;
    row.as_deref().map(event_index).transpose()
}

fn event_index(bytes: &[u8]) -> Result<u64, Fault> {
    let index = bytes.try_into().map(u64::from_be_bytes);
    index.map_err(|_| Fault::broken("the place of an event is malformed"))
}

/// What the transparency log says to be destroyed.
pub fn summary(view: &dyn StateView) -> Result<SummaryRow, Fault> {
    Ok(decoded(view, &SummaryRow::key(), SummaryRow::decode)?.unwrap_or_default())
}

/// A leaf of the transparency log.
pub fn event(view: &dyn StateView, index: u64) -> Result<Option<Vec<u8>>, Fault> {
    view.get(&event_key(index))
}
