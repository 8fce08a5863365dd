//! Who may still have a share of a root, or a root itself, as the history alone says it: a model that knows every root ever
//! begun, and none of the rows.

use std::collections::{BTreeMap, BTreeSet};

use eunoe_core::control::{self, Command, HOLDS_NONE, Reply, Sharing};
use eunoe_types::NodeId;

use crate::support::Rows;

/// The epoch and the attempt that a root was made for.
type Name = (u64, u64);

struct Root {
    /// A root leads to everything that was alive when it was made, whether its attempt came to anything or not.
    leads_to: u64,
    sharing: Sharing,
    /// Holders whose vaults may have their shares.
    keeping: BTreeSet<NodeId>,
}

/// What everybody may have.
#[derive(Default)]
pub(super) struct Reach {
    roots: BTreeMap<Name, Root>,
    /// To which epochs' keys the roots lead that each node may have in memory.
    memory: BTreeMap<NodeId, BTreeSet<u64>>,
    /// The same, if the end of a lease counts for nothing.
    unspoken: BTreeMap<NodeId, BTreeSet<u64>>,
}

impl Reach {
    /// Takes in a command and its reply, in the state before it.
    pub(super) fn follow(&mut self, before: &Rows, command: &Command<'_>, reply: &Reply) {
        if *reply != Reply::Done {
            return;
        }
        let row = control::epoch(before).expect("decodes");
        let present = row.as_ref().map_or(0, |row| row.epoch);
        match command {
            Command::Genesis(genesis) => {
                self.shared((0, genesis.attempt), 0, &genesis.sharing);
                self.given(genesis.founder.0, 0);
            }
            Command::BeginEpoch(begin) => {
                self.shared((begin.epoch, begin.attempt.into()), present, &begin.sharing);
                begin
                    .recipients
                    .iter()
                    .for_each(|(node, _)| self.given(*node, present));
            }
            Command::SwitchEpoch(switch) => {
                let name = (present + 1, switch.attempt.into());
                self.roots.get_mut(&name).expect("has begun").leads_to = present + 1;
            }
            Command::GrantRoot { node, .. } => self.given(*node, present),
            Command::AttestDestroyed(said) => self.spoke(said.node, said.epoch),
            Command::Decommission(said) => self.spoke(said.node, HOLDS_NONE),
            Command::LeaseOver(said) => forget(&mut self.memory, said.node, said.epoch),
            Command::StagePages { .. }
            | Command::CreateKeys { .. }
            | Command::AdmitNode { .. }
            | Command::LetLeave(_)
            | Command::RemoveNode(_)
            | Command::RaiseVersion(_)
            | Command::RequestErasure(_)
            | Command::ExpandErasure(_)
            | Command::CancelErasure(_)
            | Command::EpochChunk(_)
            | Command::AbortEpoch { .. }
            | Command::Sweep
            | Command::ShareEpoch(_)
            | Command::VerifyEpoch(_)
            | Command::VaultRolledBack(_)
            | Command::Seal(_)
            | Command::RegisterKeys(_) => {}
        }
    }

    fn shared(&mut self, name: Name, leads_to: u64, sharing: &Sharing) {
        let root = Root {
            leads_to,
            sharing: sharing.clone(),
            keeping: sharing.holders.iter().copied().collect(),
        };
        assert!(self.roots.insert(name, root).is_none(), "a root was begun twice");
    }

    fn given(&mut self, node: NodeId, leads_to: u64) {
        self.memory.entry(node).or_default().insert(leads_to);
        self.unspoken.entry(node).or_default().insert(leads_to);
    }

    fn spoke(&mut self, node: NodeId, epoch: u64) {
        for root in self.roots.values_mut().filter(|root| root.leads_to < epoch) {
            root.keeping.remove(&node);
        }
        forget(&mut self.memory, node, epoch);
        forget(&mut self.unspoken, node, epoch);
    }

    fn leading_to(&self, epoch: u64) -> impl Iterator<Item = &Root> {
        self.roots.values().filter(move |root| root.leads_to <= epoch)
    }

    /// Whether nobody has a root, or enough shares of one, that led to keys whose last epoch is `epoch`.
    pub(super) fn is_out_of_reach(&self, epoch: u64) -> bool {
        let is_open = |root: &Root| root.keeping.len() >= root.sharing.threshold.into();
        !self.leading_to(epoch).any(is_open) && !may_have(&self.memory, epoch)
    }

    /// Whether every node said itself, or evidence says for it, that it has nothing of such a root.
    pub(super) fn is_gone(&self, epoch: u64) -> bool {
        self.leading_to(epoch).all(|root| root.keeping.is_empty()) && !may_have(&self.unspoken, epoch)
    }
}

fn forget(memory: &mut BTreeMap<NodeId, BTreeSet<u64>>, node: NodeId, epoch: u64) {
    if let Some(roots) = memory.get_mut(&node) {
        roots.retain(|leads_to| *leads_to >= epoch);
    }
}

fn may_have(memory: &BTreeMap<NodeId, BTreeSet<u64>>, epoch: u64) -> bool {
    memory.values().flatten().any(|leads_to| *leads_to <= epoch)
}
