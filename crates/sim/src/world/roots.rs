//! Roots, their shares in vaults, and what nobody may be able to do with them: looked at again and again, from outside.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use eunoe_core::StateView;
use eunoe_core::control::{self, Standing};
use eunoe_types::{Fault, GroupId};
use eunoe_vault::Slot;

use super::coverage::{Coverage, Event};
use super::{Shape, World};

/// All roots that were ever named, by what they lead to and how many shares have them.
#[derive(Default)]
pub(super) struct Roots {
    known: BTreeMap<Slot, Root>,
    /// How far the state was that was looked at last.
    applied: u64,
    current: Option<Slot>,
    /// The attempt that became each epoch.
    switched: BTreeMap<u64, u32>,
    /// Epochs of which more than one attempt was seen to count.
    twice: Vec<u64>,
    /// The last attempt that was seen to erase nothing.
    refreshing: Option<Slot>,
    destroyed_before: u64,
    full_before: u64,
}

#[derive(Clone, Copy)]
struct Root {
    leads_to: u64,
    threshold: usize,
}

fn slot(epoch: u64, attempt: u64) -> Result<Slot, Fault> {
    let attempt = u32::try_from(attempt).map_err(|_| Fault::broken("an attempt is too large"))?;
    Ok(Slot { epoch, attempt })
}

impl Roots {
    fn read(&mut self, view: &dyn StateView, coverage: &Coverage) -> Result<(), Fault> {
        let Some(epoch) = control::epoch(view)? else {
            return Ok(());
        };
        for (epoch, attempt, row) in control::roots(view)? {
            let root = Root {
                leads_to: row.leads_to,
                threshold: row.sharing.threshold.into(),
            };
            self.known.insert(slot(epoch, attempt)?, root);
        }
        let current = Some(slot(epoch.epoch, epoch.attempt)?);
        if self.current != current && self.refreshing == current {
            coverage.count(Event::Refreshed);
        }
        self.current = current;
        if let Some(slot) = current {
            let first = *self.switched.entry(slot.epoch).or_insert(slot.attempt);
            if first != slot.attempt {
                self.twice.push(slot.epoch);
            }
        }
        if control::pending_epoch(view)?.is_some_and(|list| list.keys.is_empty()) {
            let preparing = epoch.preparing();
            self.refreshing = preparing.map(|(epoch, attempt)| Slot { epoch, attempt });
        }
        let standing = Standing::read(view)?;
        let by_most = |before: u64, full: u64| before > full && before > 0;
        let now = by_most(standing.destroyed_before(), standing.full_before());
        if now && !by_most(self.destroyed_before, self.full_before) {
            coverage.count(Event::DestroyedByMost);
        }
        self.destroyed_before = standing.destroyed_before();
        self.full_before = standing.full_before();
        Ok(())
    }
}

impl World {
    /// How many vaults have a share of a root, those of nodes that do not run among them.
    fn shares(&self, slot: Slot) -> usize {
        self.nodes.iter().filter(|node| node.disk.vault.has(slot)).count()
    }

    /// Never fewer shares of the current root than it takes; never as many of one that led to what is called destroyed;
    /// none where every node said so (erasure.md §5). And one switch an epoch.
    pub(super) fn look_at_roots(&mut self) {
        let ahead = self.nodes.iter().filter_map(|node| {
            let group = node.core()?.raft().group(GroupId::CONTROL)?;
            Some((group.applied()?.index, group))
        });
        let Some((applied, group)) = ahead.max_by_key(|(applied, _)| *applied) else {
            return;
        };
        if applied <= self.roots.applied {
            return;
        }
        let mut roots = std::mem::take(&mut self.roots);
        roots.applied = applied;
        let read = group.with_view(|view| roots.read(view, &self.coverage));
        if matches!(read, Ok(Ok(()))) {
            if self.roots_noted != roots.current {
                self.roots_noted = roots.current;
                self.trace
                    .note(self.now, format_args!("the current root is {:?}", roots.current));
            }
            self.judge(&roots);
        }
        self.roots = roots;
    }

    fn judge(&mut self, roots: &Roots) {
        let twice = roots.twice.iter();
        let mut wrong: Vec<String> = twice
            .map(|epoch| format!("two attempts became epoch {epoch}"))
            .collect();
        for (slot, root) in &roots.known {
            let shares = self.shares(*slot);
            let name = format!("{}.{}", slot.epoch, slot.attempt);
            if roots.current == Some(*slot) && shares < root.threshold {
                wrong.push(format!(
                    "{shares} shares of the current root {name} are left, and it takes {}",
                    root.threshold
                ));
            }
            if root.leads_to < roots.destroyed_before && shares >= root.threshold {
                wrong.push(format!(
                    "{shares} shares of root {name} are left, of a time that is called destroyed"
                ));
            }
            if root.leads_to < roots.full_before && shares > 0 {
                wrong.push(format!(
                    "{shares} shares of root {name} are left, and every node said that it has none"
                ));
            }
        }
        for new in wrong {
            if self.seen.insert(new.clone()) {
                self.trace.note(self.now, format_args!("wrong: {new}"));
            }
        }
    }

    /// A vault loses its share of the current root, if that is not one too many. A node that leaves the control group gives
    /// its share to nobody any more, and until the others have shared the root anew they can lose none.
    pub(super) fn lose_share(&mut self, node: usize) {
        let shape = self.shape.load(Ordering::Relaxed);
        if shape == Shape::Shrinking as u8 || shape == Shape::Grown as u8 {
            return;
        }
        let Some(current) = self.roots.current else { return };
        let Some(root) = self.roots.known.get(&current).copied() else {
            return;
        };
        let vault = &self.nodes[node].disk.vault;
        if vault.has(current) && self.shares(current) > root.threshold {
            vault.lose(current);
            self.trace.note(
                self.now,
                format_args!(
                    "the vault of node {} loses its share of {current:?}",
                    self.nodes[node].id
                ),
            );
            self.coverage.count(Event::ShareLost);
        }
    }
}
