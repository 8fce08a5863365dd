//! What is left of old roots: which keys nobody can reach any more, and who stands in the way (erasure.md §5, P2 and P3).
//!
//! A key that the current root does not lead to hangs on every root that ever led to it: those of all epochs up to its
//! last, and those of attempts begun until then. Looking at its last epoch alone would not do: holders of an older root
//! may have been replaced before they destroyed their shares, and still rebuild that one.

use eunoe_types::sabotage::{self, Sabotage};
use eunoe_types::{DecodeError, Fault, NodeId, limits};

use super::erasure_query::prefixed;
use super::root_row::{HolderRow, RootRow};
use crate::{Row, StateView, Txn, table};

/// Roots of which somebody may still have a share. Attempts leave one each until all of their holders have spoken.
const ROOTS_MAX: usize = 100_000;

/// All roots that may still have shares, and all nodes that may still hold some.
#[derive(Clone, Debug)]
pub struct Standing {
    holders: Vec<(NodeId, HolderRow)>,
    roots: Vec<(Vec<u8>, RootRow)>,
}

impl Standing {
    /// As the state has it.
    pub fn read(view: &dyn StateView) -> Result<Self, Fault> {
        let holders = prefixed(view, &[table::HOLDER], 10 * limits::HOLDERS_MAX)?;
        Ok(Self::of(holders, prefixed(view, &[table::ROOT], ROOTS_MAX)?)?)
    }

    pub(super) fn in_txn(txn: &Txn<'_>) -> Result<Self, Fault> {
        let holders = txn.scan_prefix(&[table::HOLDER], None, 10 * limits::HOLDERS_MAX)?;
        Ok(Self::of(
            holders,
            txn.scan_prefix(&[table::ROOT], None, ROOTS_MAX)?,
        )?)
    }

    fn of(holders: Vec<Row>, roots: Vec<Row>) -> Result<Self, DecodeError> {
        let holder = |(key, row): &Row| Ok((HolderRow::node_of(key)?, HolderRow::decode(row)?));
        let root = |(key, row): Row| Ok((key, RootRow::decode(&row)?));
        Ok(Self {
            holders: holders.iter().map(holder).collect::<Result<_, DecodeError>>()?,
            roots: roots.into_iter().map(root).collect::<Result<_, DecodeError>>()?,
        })
    }

    fn holder(&self, node: NodeId) -> Option<&HolderRow> {
        self.holders
            .iter()
            .find(|(id, _)| *id == node)
            .map(|(_, row)| row)
    }

    /// Holders of a root that may still have their shares of it, by their own word.
    fn keeping<'a>(&'a self, root: &'a RootRow) -> impl Iterator<Item = NodeId> + 'a {
        let may_have = |node: &NodeId| self.holder(*node).is_some_and(|row| row.share <= root.leads_to);
        root.sharing.holders.iter().copied().filter(may_have)
    }

    /// Whether so few shares of a root are left that nobody can rebuild it.
    fn is_closed(&self, root: &RootRow) -> bool {
        self.keeping(root).count() < usize::from(root.sharing.threshold)
    }

    /// Keys whose last epoch is before this one are destroyed: too few shares are left of every root that led to them, and no
    /// memory holds one, by word or because its lease is over.
    pub fn destroyed_before(&self) -> u64 {
        if sabotage::is(Sabotage::DestroyedEarly) {
            let words = self.holders.iter().map(|(_, holder)| holder.oldest());
            return words.max().unwrap_or_default();
        }
        let open = self.roots.iter().filter(|(_, root)| !self.is_closed(root));
        let open = open.map(|(_, root)| root.leads_to);
        let memories = self.holders.iter().map(|(_, holder)| holder.in_memory());
        open.chain(memories).min().unwrap_or_default()
    }

    /// Keys whose last epoch is before this one are destroyed by the word of every node that ever held a share or a root.
    pub fn full_before(&self) -> u64 {
        let words = self.holders.iter().map(|(_, holder)| holder.oldest());
        words.min().unwrap_or_default()
    }

    /// Nodes that keep what hung on the roots of `epoch` and before from being destroyed.
    pub fn in_the_way(&self, epoch: u64) -> Vec<NodeId> {
        let open = self.roots.iter().map(|(_, root)| root);
        let open = open.filter(|root| root.leads_to <= epoch && !self.is_closed(root));
        let memories = self
            .holders
            .iter()
            .filter(|(_, holder)| holder.in_memory() <= epoch);
        let mut nodes: Vec<NodeId> = open.flat_map(|root| self.keeping(root)).collect();
        nodes.extend(memories.map(|(node, _)| *node));
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    /// Nodes that have not said that they hold nothing of `epoch` and before.
    pub fn silent(&self, epoch: u64) -> Vec<NodeId> {
        let silent = self.holders.iter().filter(|(_, holder)| holder.oldest() <= epoch);
        silent.map(|(node, _)| *node).collect()
    }

    /// Keys of rows of roots that nobody has a share of any more.
    pub(super) fn forgotten(&self) -> impl Iterator<Item = &Vec<u8>> {
        let forgotten = self
            .roots
            .iter()
            .filter(|(_, root)| self.keeping(root).next().is_none());
        forgotten.map(|(key, _)| key)
    }
}
