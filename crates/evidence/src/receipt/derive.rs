//! What entries of the log say together about an erasure: P1 to P3, from the entries alone.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "each clause asks for one type of entry out of many"
)]

use std::collections::{BTreeMap, BTreeSet};

use super::{Failed, Grade, ReceiptEntry, ReceiptFacts};
use crate::leaf::{KeyLeaf, Kind, Leaf, Process, Root, VaultClass};

/// What follows from the entries.
pub(super) struct Derived {
    pub(super) facts: ReceiptFacts,
    /// Nodes whose own word counts.
    pub(super) attested: BTreeSet<u64>,
    /// Nodes that are gone, on evidence.
    pub(super) decommissioned: BTreeSet<u64>,
    /// Nodes that had the root in memory and of which only a lease says that they have it no more.
    pub(super) by_lease: BTreeSet<u64>,
    /// Holders that said nothing and may have their shares still.
    pub(super) silent: BTreeSet<u64>,
}

/// Derives P1 to P3, and what each receipt of these entries says.
pub(super) fn derive(
    realm: &[u8; 16],
    request: &[u8; 16],
    entries: &[ReceiptEntry],
) -> Result<Derived, Failed> {
    let entries = Entries::read(realm, entries)?;
    let erased = entries.erased(request)?;
    let made = entries.root(erased.epoch)?;
    let destroyed = entries.destroyed(erased.epoch, erased.switched)?;
    entries.check_holders(made, &destroyed)?;
    let full_before = entries.check_older(erased.epoch, erased.switched)?;
    let by_lease = entries.check_memory(&erased, &destroyed)?;

    let own_word = |node: &u64| destroyed.attested.contains_key(node);
    let holders = &made.sharing.holders;
    let everybody =
        holders.iter().all(own_word) && erased.memory.iter().all(|process| own_word(&process.node));
    let grade = match everybody && full_before > erased.epoch {
        true => Grade::Full,
        false => Grade::Threshold,
    };
    let classes = holders.iter().filter_map(|node| destroyed.attested.get(node));
    let facts = ReceiptFacts {
        request: *request,
        kind: erased.kind,
        commit: erased.key.c,
        key_commit: erased.key.kc,
        epoch: erased.epoch,
        grade,
        // Where all who count are gone on evidence, no vault said anything.
        strength: classes.min().copied().unwrap_or(VaultClass::Test),
    };
    let silent = holders
        .iter()
        .copied()
        .filter(|node| !destroyed.is_said_of(*node));
    Ok(Derived {
        facts,
        silent: silent.collect(),
        by_lease,
        attested: destroyed.attested.into_keys().collect(),
        decommissioned: destroyed.decommissioned,
    })
}

/// Entries in the log's order, with their indexes.
struct Entries(Vec<(u64, Leaf)>);

/// P1.
struct Erased<'a> {
    key: &'a KeyLeaf,
    kind: Kind,
    epoch: u64,
    /// Where in the log the next epoch began.
    switched: u64,
    /// All processes that had the root of the key's last epoch.
    memory: &'a [Process],
}

/// Who destroyed what led to the keys of an epoch.
struct Destroyed {
    /// By their own word, with the weakest vault that they named.
    attested: BTreeMap<u64, VaultClass>,
    /// On evidence.
    decommissioned: BTreeSet<u64>,
}

impl Destroyed {
    fn is_said_of(&self, node: u64) -> bool {
        self.attested.contains_key(&node) || self.decommissioned.contains(&node)
    }
}

impl Entries {
    /// Reads entries, and checks every word of a holder: whatever it is for, a false one has no place in a receipt.
    fn read(realm: &[u8; 16], entries: &[ReceiptEntry]) -> Result<Self, Failed> {
        let mut keys = BTreeMap::new();
        let mut read = Vec::with_capacity(entries.len());
        for entry in entries {
            let index = entry.proof.index();
            let leaf = Leaf::parse(&entry.leaf).map_err(|error| Failed::Entry { index, error })?;
            match &leaf {
                Leaf::NodeKeys { node, attest } => {
                    keys.insert(*node, *attest);
                }
                Leaf::Attested(said) => {
                    let node = said.process.node;
                    said.verify(realm, keys.get(&node))
                        .map_err(|error| Failed::Attestation { index, node, error })?;
                }
                Leaf::Genesis { realm: other, .. } if other != realm => return Err(Failed::Origin),
                _ => {}
            }
            read.push((index, leaf));
        }
        Ok(Self(read))
    }

    /// What one entry says and no other one does.
    fn only<'a, T>(&'a self, said: impl Fn(u64, &'a Leaf) -> Option<T>) -> Option<T> {
        let mut found = self.0.iter().filter_map(|(index, leaf)| said(*index, leaf));
        found.next().filter(|_| found.next().is_none())
    }

    fn erased(&self, request: &[u8; 16]) -> Result<Erased<'_>, Failed> {
        let erased = self.only(|at, leaf| match leaf {
            Leaf::KeyErased { key, request } => Some((at, key, request)),
            _ => None,
        });
        let (erased_at, key, of) = erased.ok_or(Failed::NotErased(
            "no entry, or more than one, says that a key was left out",
        ))?;
        if of != request {
            return Err(Failed::NotErased("the key was left out for another erasure"));
        }
        self.check_fence(key, request)?;
        let created = self.only(|at, leaf| match leaf {
            Leaf::KeyCreated { key, kind } => Some((at, key, *kind)),
            _ => None,
        });
        let (created_at, created, kind) = created.ok_or(Failed::NotErased(
            "no entry, or more than one, says that a key was made",
        ))?;
        if (created.c, created.kc) != (key.c, key.kc) {
            return Err(Failed::NotErased(
                "the key that was made is another than the one that was left out",
            ));
        }
        if created_at > erased_at || created.epoch > key.epoch {
            return Err(Failed::NotErased("the key was left out before it was made"));
        }
        let switch = self.only(|at, leaf| match leaf {
            Leaf::EpochSwitch { root, memory } if Some(root.epoch) == key.epoch.checked_add(1) => {
                Some((at, memory))
            }
            _ => None,
        });
        let (switched, memory) = switch.ok_or(Failed::NotErased(
            "no entry, or more than one, begins the epoch without the key",
        ))?;
        if switched < erased_at {
            return Err(Failed::NotErased(
                "the epoch without the key began before the key was left out",
            ));
        }
        Ok(Erased {
            key,
            kind,
            epoch: key.epoch,
            switched,
            memory,
        })
    }

    /// A fence, where there is one, is that of this erasure.
    fn check_fence(&self, key: &KeyLeaf, request: &[u8; 16]) -> Result<(), Failed> {
        let is_other = |leaf: &Leaf| matches!(leaf, Leaf::EraseFenced { c, request: of } if (c, of) != (&key.c, request));
        if self.0.iter().any(|(_, leaf)| is_other(leaf)) {
            return Err(Failed::NotErased("a fence is that of another key or erasure"));
        }
        Ok(())
    }

    /// How the root of an epoch is shared, as the entry that made it says.
    fn root(&self, epoch: u64) -> Result<&Root, Failed> {
        let root = self.only(|_, leaf| match leaf {
            Leaf::Genesis { root, .. } | Leaf::EpochSwitch { root, .. } if root.epoch == epoch => Some(root),
            _ => None,
        });
        root.ok_or(Failed::NoRoot(epoch))
    }

    /// Who said, after the epoch without the key began, that nothing older is left; or said for good, whenever it was: he
    /// spoke of every epoch, and is given nothing after it.
    fn destroyed(&self, epoch: u64, switched: u64) -> Result<Destroyed, Failed> {
        let mut attested = BTreeMap::new();
        let mut decommissioned = BTreeSet::new();
        for (at, leaf) in &self.0 {
            match leaf {
                Leaf::Attested(said) if said.epoch.is_none() || (*at > switched && said.is_beyond(epoch)) => {
                    let weakest = attested.entry(said.process.node).or_insert(said.vault);
                    *weakest = said.vault.min(*weakest);
                }
                Leaf::Decommissioned { node } => {
                    decommissioned.insert(*node);
                }
                _ => {}
            }
        }
        Ok(Destroyed {
            attested,
            decommissioned,
        })
    }

    /// P2 of the root of the key's last epoch.
    fn check_holders(&self, root: &Root, destroyed: &Destroyed) -> Result<(), Failed> {
        let holders = &root.sharing.holders;
        let count = holders.len() as u64;
        let said = holders.iter().filter(|node| destroyed.is_said_of(**node)).count() as u64;
        // The threshold is at most their number.
        let wanted = count - root.sharing.threshold + 1;
        if said < wanted {
            return Err(Failed::TooFewHolders {
                epoch: root.epoch,
                holders: count,
                destroyed: said,
                wanted,
            });
        }
        Ok(())
    }

    /// P2 of older roots, and of attempts: the log's own summary, which a monitor recomputes. Returns up to which epoch all
    /// spoke for themselves.
    fn check_older(&self, epoch: u64, switched: u64) -> Result<u64, Failed> {
        let later = self.0.iter().filter(|(at, _)| *at > switched);
        let summaries = later.filter_map(|(_, leaf)| match leaf {
            Leaf::EpochDestroyed {
                destroyed_before,
                full_before,
            } if *destroyed_before > epoch => Some(*full_before),
            _ => None,
        });
        summaries.max().ok_or(Failed::OlderRoots(epoch))
    }

    /// P3. Returns the nodes of which only a lease says it.
    fn check_memory(&self, erased: &Erased<'_>, destroyed: &Destroyed) -> Result<BTreeSet<u64>, Failed> {
        let mut by_lease = BTreeSet::new();
        for process in erased.memory {
            if destroyed.is_said_of(process.node) {
                continue;
            }
            let is_over = self.0.iter().any(|(at, leaf)| {
                // Of whatever run: the lease is of the node's last one, and an earlier one ended before it.
                matches!(leaf, Leaf::LeaseExpired { epoch, process: of, waited_ms }
                    if *at > erased.switched && *epoch > erased.epoch && of.node == process.node && *waited_ms > 0)
            });
            if !is_over {
                return Err(Failed::InMemory(process.node));
            }
            by_lease.insert(process.node);
        }
        Ok(by_lease)
    }
}
