//! Receipts: which entries of the transparency log say that a key is destroyed (erasure.md §5, §6.3).
//!
//! Which ones are picked decides nothing: a receipt says only what follows from its entries, and whoever makes one out of too
//! few gets none.

use std::collections::BTreeSet;

use eunoe_core::StateView;
use eunoe_core::control::{self, ErasureState, KeyState, LogTree, NodeKeys};
use eunoe_evidence::merkle::inclusion_proof;
use eunoe_evidence::{Object, Proof, Receipt, SignedCheckpoint};
use eunoe_types::{ErasureId, Fault, NodeId};

/// Events of the cluster that are looked at together.
const EVENTS: usize = 256;
/// Events that are looked at for one receipt.
const EVENTS_MAX: usize = 100_000;

/// The entries for an erasure's receipt, by their index.
pub(super) type Entries = BTreeSet<u64>;

/// Which entries a receipt of an erasure is made of; none before it is DESTROYED.
pub(super) fn entries(view: &dyn StateView, id: &ErasureId) -> Result<Option<Entries>, Fault> {
    let Some(erasure) = control::erasure(view, id)? else {
        return Ok(None);
    };
    let ErasureState::Destroyed { full, .. } = erasure.state else {
        return Ok(None);
    };
    let key = control::key_state(view, &erasure.target)?.ok_or_else(|| missing("an erased key"))?;
    let KeyState::Erased { epoch } = key.state else {
        return Err(missing("the end of an erased key"));
    };
    let made = began(view, epoch)?;
    let switched = began(view, epoch + 1)?;
    let mut entries = Entries::from([key.created_leaf, made, switched]);
    entries.insert(left_out(view, switched, &key.commit)?);
    let words = Words {
        view,
        epoch,
        switched,
        concerned: concerned(view, made, switched)?,
        until_full: full.is_some(),
        entries,
        spoken: BTreeSet::new(),
        is_summed_up: false,
    };
    Ok(Some(words.collect(made)?))
}

/// A receipt of these entries at a checkpoint; none if they do not say enough.
pub(super) fn assemble(
    view: &dyn StateView,
    (id, entries): (&ErasureId, &Entries),
    signed: &SignedCheckpoint,
    policy_sha256: [u8; 32],
) -> Result<Receipt, Fault> {
    let checkpoint = signed.checkpoint();
    let proved = entries.iter().map(|index| {
        let hashes = inclusion_proof(&LogTree(view), *index, checkpoint.size());
        let hashes = hashes.map_err(|_| missing("a hash of the transparency log"))?;
        let proof = Proof::new(*index, hashes, signed.clone());
        let proof = proof.map_err(|_| missing("an entry before the checkpoint"))?;
        Ok((leaf(view, *index)?, proof))
    });
    let proved = proved.collect::<Result<_, Fault>>()?;
    let receipt = Receipt::assemble(checkpoint.origin(), policy_sha256, id.0, proved);
    receipt.map_err(|error| Fault::broken(format!("a receipt cannot be made: {error}")))
}

fn missing(what: &str) -> Fault {
    Fault::broken(format!("{what} is missing"))
}

fn leaf(view: &dyn StateView, index: u64) -> Result<Vec<u8>, Fault> {
    control::event(view, index)?.ok_or_else(|| missing("a leaf of the transparency log"))
}

fn read(bytes: &[u8]) -> Result<Object<'_>, Fault> {
    Object::parse(bytes).map_err(|_| Fault::broken("a leaf of the transparency log is no canonical JSON"))
}

/// The leaf that began an epoch.
fn began(view: &dyn StateView, epoch: u64) -> Result<u64, Fault> {
    control::epoch_event(view, epoch)?.ok_or_else(|| missing("the beginning of an epoch"))
}

/// The leaf that says that a key was left out: they all stand right before the switch.
fn left_out(view: &dyn StateView, switched: u64, commit: &[u8; 32]) -> Result<u64, Fault> {
    for index in (0..switched).rev() {
        let bytes = leaf(view, index)?;
        let said = read(&bytes)?;
        if said.text("t") != Ok("eunoe/key-erased@v1") {
            break;
        }
        if said.array("c").as_ref() == Ok(commit) {
            return Ok(index);
        }
    }
    Err(missing("the word that a key was left out"))
}

/// Holders of an epoch's root, and nodes that had it in memory.
fn concerned(view: &dyn StateView, made: u64, switched: u64) -> Result<BTreeSet<u64>, Fault> {
    let malformed = |_| Fault::broken("a leaf of the transparency log has not the fields of its type");
    let (root, switch) = (leaf(view, made)?, leaf(view, switched)?);
    let mut nodes: BTreeSet<u64> = read(&root)?
        .numbers("holders")
        .map_err(malformed)?
        .into_iter()
        .collect();
    for process in read(&switch)?.objects("memory").map_err(malformed)? {
        nodes.insert(process.number("node").map_err(malformed)?);
    }
    Ok(nodes)
}

/// What nodes said about the destruction.
struct Words<'a> {
    view: &'a dyn StateView,
    epoch: u64,
    switched: u64,
    concerned: BTreeSet<u64>,
    /// Go on until the log says that all have spoken.
    until_full: bool,
    entries: Entries,
    /// Nodes whose word is among them.
    spoken: BTreeSet<u64>,
    /// Whether a summary of the log is among them.
    is_summed_up: bool,
}

impl Words<'_> {
    /// Adds the first word of each node concerned, the keys that it is signed with, and the log's own summary.
    fn collect(mut self, made: u64) -> Result<Entries, Fault> {
        let (mut from, mut seen) = (made, 0);
        while seen < EVENTS_MAX {
            let events = control::cluster_events(self.view, from, EVENTS)?;
            let Some(last) = events.last() else { break };
            (from, seen) = (last + 1, seen + events.len());
            for index in events {
                if self.look(index)? {
                    return Ok(self.entries);
                }
            }
        }
        Ok(self.entries)
    }

    /// Looks at one event; says whether nothing more is needed.
    fn look(&mut self, index: u64) -> Result<bool, Fault> {
        let bytes = leaf(self.view, index)?;
        let said = read(&bytes)?;
        let number = |name| said.number(name).unwrap_or_default();
        let is_after = index > self.switched && number("epoch") > self.epoch;
        let node = number("node");
        match said.text("t").unwrap_or_default() {
            "eunoe/holder-attest@v1" if is_after => self.take_word(index, node)?,
            "eunoe/holder-retired@v1" => self.take_word(index, node)?,
            "eunoe/decommissioned@v1" if self.concerned.contains(&node) => {
                self.entries.insert(index);
            }
            "eunoe/lease-expired@v1" if is_after && self.concerned.contains(&node) => {
                self.entries.insert(index);
            }
            "eunoe/epoch-destroyed@v1" if index > self.switched => {
                let (before, full) = (number("destroyed_before"), number("full_before"));
                let is_new = before > self.epoch;
                if is_new && (full > self.epoch || !self.is_summed_up) {
                    self.entries.insert(index);
                    self.is_summed_up = true;
                }
                return Ok(is_new && (full > self.epoch || !self.until_full));
            }
            _ => {}
        }
        Ok(false)
    }

    fn take_word(&mut self, index: u64, node: u64) -> Result<(), Fault> {
        if !self.concerned.contains(&node) || !self.spoken.insert(node) {
            return Ok(());
        }
        self.entries.insert(index);
        let keys = control::keys_of(self.view, NodeId(node))?;
        let newest = keys.iter().rev().find(|keys: &&NodeKeys| keys.leaf < index);
        self.entries.extend(newest.map(|keys| keys.leaf));
        Ok(())
    }
}
