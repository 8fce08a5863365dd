//! What is left of old roots, as the entries show it: which keys nobody can reach any more.
//!
//! A key hangs on every root that ever led to it: those of all epochs up to its last, and those of attempts until then.
//! Looking at its last epoch alone would not do: holders of an older root may have been replaced before they destroyed
//! their shares, and still rebuild that one.

use std::collections::{BTreeMap, BTreeSet};

use super::{MonitorError, Problem};
use crate::leaf::{Process, Sharing};

/// Nodes at most, those that are gone included.
pub const MONITOR_NODES_MAX: usize = 100_000;

/// Roots at most of which somebody may have a share.
pub const MONITOR_ROOTS_MAX: usize = 100_000;

/// Processes at most that were given the roots of the current epoch and the next.
pub const MONITOR_PROCESSES_MAX: usize = 1_000_000;

/// In the place of an epoch: no share and no root of any.
const NONE: u64 = u64::MAX;

/// A node, and what may be left with it.
pub(super) struct Node {
    pub(super) is_admitted: bool,
    /// What it signs its word with.
    pub(super) key: Option<[u8; 32]>,
    /// The oldest epoch to whose keys a share leads that its vault may have, by its own word.
    share: u64,
    /// The oldest epoch to whose keys a root leads that its memory may have, by its own word.
    memory: u64,
    /// The same, as it follows from the end of its lease.
    dark: u64,
    /// The run of its process that spoke or was given a root last.
    boot: [u8; 16],
    is_retired: bool,
}

impl Node {
    const NEW: Self = Self {
        is_admitted: false,
        key: None,
        share: NONE,
        memory: NONE,
        dark: NONE,
        boot: [0; 16],
        is_retired: false,
    };

    fn may_be_given(&self, node: u64) -> Option<Problem> {
        if self.is_retired {
            Some(Problem::Retired { node })
        } else if !self.is_admitted {
            Some(Problem::NotAdmitted { node })
        } else {
            None
        }
    }
}

/// A root of which somebody may have a share.
struct SharedRoot {
    /// The newest epoch whose keys it leads to.
    leads_to: u64,
    sharing: Sharing,
}

/// All roots and all nodes.
#[derive(Default)]
pub(super) struct Standing {
    nodes: BTreeMap<u64, Node>,
    roots: Vec<SharedRoot>,
    /// Epochs with processes that were given their roots, as single entries say.
    granted: BTreeSet<(u64, Process)>,
}

impl Standing {
    pub(super) fn node(&mut self, node: u64) -> Result<&mut Node, MonitorError> {
        if self.nodes.len() >= MONITOR_NODES_MAX && !self.nodes.contains_key(&node) {
            return Err(MonitorError::TooMany("nodes"));
        }
        Ok(self.nodes.entry(node).or_insert(Node::NEW))
    }

    pub(super) fn key(&self, node: u64) -> Option<&[u8; 32]> {
        self.nodes.get(&node)?.key.as_ref()
    }

    /// Holders were given shares of a root, of which `since` is the oldest epoch that they led to when they got them.
    pub(super) fn share(&mut self, leads_to: u64, since: u64, sharing: Sharing) -> Result<(), MonitorError> {
        for holder in &sharing.holders {
            let node = self.node(*holder)?;
            if !node.is_retired {
                node.share = node.share.min(since);
            }
        }
        self.drop_forgotten();
        if self.roots.len() >= MONITOR_ROOTS_MAX {
            return Err(MonitorError::TooMany("roots"));
        }
        self.roots.push(SharedRoot { leads_to, sharing });
        Ok(())
    }

    /// Holders of a root of an epoch that should not have been given any. Those who got it by a single entry were judged
    /// then: one may have ceased to hold any since.
    pub(super) fn unfit(&self, epoch: u64, sharing: &Sharing) -> Vec<Problem> {
        let was_given = |node: u64| {
            self.granted
                .iter()
                .any(|(of, to)| (*of, to.node) == (epoch, node))
        };
        let judge = |node: &u64| self.nodes.get(node).unwrap_or(&Node::NEW).may_be_given(*node);
        let unasked = sharing.holders.iter().filter(|node| !was_given(**node));
        unasked.filter_map(judge).collect()
    }

    /// A process is given a root of an epoch, which leads to the keys of another.
    pub(super) fn grant(
        &mut self,
        epoch: u64,
        leads_to: u64,
        process: Process,
    ) -> Result<Option<Problem>, MonitorError> {
        if self.granted.len() >= MONITOR_PROCESSES_MAX {
            return Err(MonitorError::TooMany("processes"));
        }
        self.granted.insert((epoch, process));
        let node = self.node(process.node)?;
        node.memory = node.memory.min(leads_to);
        node.dark = node.dark.min(leads_to);
        node.boot = process.boot;
        Ok(node.may_be_given(process.node))
    }

    /// Nodes that were given the root of an epoch and are not in the list of them. The list has the run of each that was given
    /// a root last: what an earlier run had in memory went with it.
    pub(super) fn unnamed(&self, epoch: u64, listed: &[Process]) -> Vec<Problem> {
        let listed: BTreeSet<u64> = listed.iter().map(|process| process.node).collect();
        let given = self.granted.iter().filter(|(of, _)| *of == epoch);
        let given: BTreeSet<u64> = given.map(|(_, process)| process.node).collect();
        given
            .difference(&listed)
            .map(|node| Problem::Unnamed { node: *node, epoch })
            .collect()
    }

    /// Processes had a root that leads to the keys of `epoch`, whether or not a single entry said so.
    pub(super) fn remember(&mut self, epoch: u64, listed: &[Process]) -> Result<(), MonitorError> {
        for process in listed {
            let node = self.node(process.node)?;
            if !node.is_retired {
                node.memory = node.memory.min(epoch);
                node.dark = node.dark.min(epoch);
            }
        }
        Ok(())
    }

    /// The lists of those who were given roots up to an epoch are complete.
    pub(super) fn forget_grants(&mut self, epoch: u64) {
        self.granted.retain(|(of, _)| *of > epoch);
    }

    /// A node said that it has nothing older than an epoch.
    pub(super) fn attest(&mut self, epoch: u64, process: Process) {
        if let Some(node) = self.nodes.get_mut(&process.node) {
            node.share = node.share.max(epoch);
            node.memory = node.memory.max(epoch);
            node.dark = node.dark.max(epoch);
            node.boot = process.boot;
        }
    }

    /// A node has nothing for good.
    pub(super) fn retire(&mut self, node: u64) {
        if let Some(node) = self.nodes.get_mut(&node) {
            (node.share, node.memory, node.dark) = (NONE, NONE, NONE);
            node.is_retired = true;
        }
    }

    /// The lease of a process is over: its memory has nothing older than an epoch. False if it was not the last process of
    /// its node that was given a root.
    pub(super) fn expire(&mut self, epoch: u64, process: Process) -> bool {
        match self.nodes.get_mut(&process.node) {
            Some(node) if node.boot == process.boot => {
                node.dark = node.dark.max(epoch);
                true
            }
            Some(_) | None => false,
        }
    }

    /// Holders of a root that may have their shares of it.
    fn keeping(&self, root: &SharedRoot) -> u64 {
        let may_have = |node: &&u64| {
            self.nodes
                .get(node)
                .is_some_and(|node| node.share <= root.leads_to)
        };
        root.sharing.holders.iter().filter(may_have).count() as u64
    }

    /// Lets go of roots that nobody has a share of.
    fn drop_forgotten(&mut self) {
        let mut roots = std::mem::take(&mut self.roots);
        roots.retain(|root| self.keeping(root) > 0);
        self.roots = roots;
    }

    /// Keys whose last epoch is before this one are destroyed: too few shares are left of every root that led to them, and
    /// no memory has one.
    pub(super) fn destroyed_before(&self) -> u64 {
        let open = self
            .roots
            .iter()
            .filter(|root| self.keeping(root) >= root.sharing.threshold);
        let memories = self.nodes.values().map(|node| node.memory.max(node.dark));
        let all = open.map(|root| root.leads_to).chain(memories);
        all.min().unwrap_or_default()
    }

    /// Keys whose last epoch is before this one are destroyed by the word of all.
    pub(super) fn full_before(&self) -> u64 {
        let words = self.nodes.values().map(|node| node.share.min(node.memory));
        words.min().unwrap_or_default()
    }

    /// What a summary says beyond what the entries show.
    pub(super) fn early(&self, destroyed_before: u64, full_before: u64) -> Vec<Problem> {
        let mut problems = Vec::new();
        let (said, shown) = (destroyed_before, self.destroyed_before());
        if said > shown {
            problems.push(Problem::EarlyDestroyed { said, shown });
        }
        let (said, shown) = (full_before, self.full_before());
        if said > shown {
            problems.push(Problem::EarlyFull { said, shown });
        }
        problems
    }
}
