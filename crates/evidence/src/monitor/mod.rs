//! Watching a whole log: whether its entries can all be true, and whether it says more than they show.
//!
//! A monitor is given every entry in its order, and keeps what is alive: keys that were made and not left out, with their
//! commitments; roots of which somebody may have a share; nodes. Of a key that was left out it keeps eight bytes, because it
//! could not notice otherwise that one comes back. Everything has a limit; the tree itself takes a hash for each of its
//! levels.

mod alarm;
mod keys;
mod standing;

use eunoe_merkle::{Frontier, leaf_hash};

use crate::checkpoint::Checkpoint;
use crate::encoding::decode_realm;
use crate::leaf::{Attestation, AttestationError, Leaf, Process, Root, Sharing};

pub use alarm::{Alarm, Problem};
pub use keys::{MONITOR_ERASED_MAX, MONITOR_KEYS_MAX};
pub use standing::{MONITOR_NODES_MAX, MONITOR_PROCESSES_MAX, MONITOR_ROOTS_MAX};

use keys::Keys;
use standing::Standing;

/// Why a log cannot be watched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MonitorError {
    /// The origin is not `eunoe/` and a realm.
    #[error("a log whose name does not say its realm")]
    Origin,
    /// An entry was left out, or given twice.
    #[error("entry {wanted} is next, and not {given}")]
    Next {
        /// The index that is next.
        wanted: u64,
        /// The one that was given.
        given: u64,
    },
    /// The log is not the one that was seen before: two are shown.
    #[error("the first {0} entries are others than those of a checkpoint that was seen: the log is forked")]
    Forked(u64),
    /// A checkpoint of other entries than were given.
    #[error("a checkpoint of another number of entries than were read")]
    Size,
    /// More keys, roots or nodes than the limit.
    #[error("more {0} than the limit")]
    TooMany(&'static str),
}

/// What a monitor knows after the entries so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonitorSummary {
    /// Entries.
    pub size: u64,
    /// The epoch; none before the first entry.
    pub epoch: Option<u64>,
    /// Keys that were made and not left out.
    pub keys: u64,
    /// Keys that were left out.
    pub erased: u64,
    /// Keys whose last epoch is before this one can be reached by nobody, as the entries show.
    pub destroyed_before: u64,
    /// The same by the word of all.
    pub full_before: u64,
    /// Entries of types that are not known here.
    pub unknown: u64,
}

/// A log that is watched.
pub struct Monitor {
    origin: String,
    realm: [u8; 16],
    tree: Frontier,
    /// The last checkpoint, or the one that the entries have yet to reach.
    seen: Option<Checkpoint>,
    epoch: Option<u64>,
    keys: Keys,
    standing: Standing,
    unknown: u64,
}

impl Monitor {
    /// Begins to watch a log, from its first entry on.
    pub fn new(origin: &str) -> Result<Self, MonitorError> {
        Ok(Self {
            origin: origin.to_owned(),
            realm: decode_realm(origin).ok_or(MonitorError::Origin)?,
            tree: Frontier::new(),
            seen: None,
            epoch: None,
            keys: Keys::default(),
            standing: Standing::default(),
            unknown: 0,
        })
    }

    /// Makes the entries that follow have to be those of a checkpoint that was seen earlier.
    pub fn remember(&mut self, seen: Checkpoint) -> Result<(), MonitorError> {
        if seen.origin() != self.origin {
            return Err(MonitorError::Origin);
        }
        self.seen = Some(seen);
        self.check_seen()
    }

    fn check_seen(&self) -> Result<(), MonitorError> {
        match &self.seen {
            Some(seen) if seen.size() == self.tree.size() && *seen.root() != self.tree.root() => {
                Err(MonitorError::Forked(seen.size()))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Checks that the entries so far are those of a checkpoint, and continue the last one. Who signed it is for a policy to
    /// say.
    pub fn reach(&mut self, checkpoint: &Checkpoint) -> Result<(), MonitorError> {
        if checkpoint.origin() != self.origin {
            return Err(MonitorError::Origin);
        }
        let is_shorter = |seen: &Checkpoint| seen.size() > checkpoint.size();
        if checkpoint.size() != self.tree.size() || self.seen.as_ref().is_some_and(is_shorter) {
            return Err(MonitorError::Size);
        }
        if *checkpoint.root() != self.tree.root() {
            return Err(MonitorError::Forked(checkpoint.size()));
        }
        self.seen = Some(checkpoint.clone());
        Ok(())
    }

    /// Takes the entry at `index`, which is the next one, and says what is wrong about it.
    pub fn feed(&mut self, index: u64, entry: &[u8]) -> Result<Vec<Alarm>, MonitorError> {
        let wanted = self.tree.size();
        if index != wanted {
            return Err(MonitorError::Next { wanted, given: index });
        }
        let mut problems = Vec::new();
        match Leaf::parse(entry) {
            Ok(leaf) => self.take(leaf, &mut problems)?,
            Err(error) => problems.push(Problem::Malformed(error)),
        }
        self.tree.append(leaf_hash(entry));
        self.check_seen()?;
        let alarm = |problem| Alarm { index, problem };
        Ok(problems.into_iter().map(alarm).collect())
    }

    /// What is known so far.
    pub fn summary(&self) -> MonitorSummary {
        MonitorSummary {
            size: self.tree.size(),
            epoch: self.epoch,
            keys: self.keys.live(),
            erased: self.keys.erased(),
            destroyed_before: self.standing.destroyed_before(),
            full_before: self.standing.full_before(),
            unknown: self.unknown,
        }
    }

    fn take(&mut self, leaf: Leaf, problems: &mut Vec<Problem>) -> Result<(), MonitorError> {
        if self.epoch.is_none() && !matches!(leaf, Leaf::Genesis { .. }) {
            problems.push(Problem::NoGenesis);
        }
        match leaf {
            Leaf::Genesis { root, realm } => self.begin(root, realm, problems)?,
            Leaf::KeyCreated { key, .. } => {
                self.expect_epoch(key.epoch, 0, problems);
                problems.extend(self.keys.create(&key)?);
            }
            Leaf::KeyErased { key, .. } => {
                self.expect_epoch(key.epoch, 0, problems);
                problems.extend(self.keys.erase(&key)?);
            }
            Leaf::EraseFenced { c, .. } | Leaf::EraseCancelled { c } => problems.extend(self.keys.name(&c)),
            Leaf::EpochSwitch { root, memory } => self.switch(root, &memory, problems)?,
            Leaf::EpochAborted {
                epoch,
                sharing,
                memory,
            } => self.abort(epoch, sharing, &memory, problems)?,
            Leaf::RootGranted { epoch, process } => self.grant(epoch, process, problems)?,
            Leaf::Attested(said) => self.attest(&said, problems),
            Leaf::LeaseExpired {
                epoch,
                process,
                waited_ms,
            } => {
                let is_ahead = self.epoch.is_none_or(|now| epoch > now);
                if is_ahead || waited_ms == 0 || !self.standing.expire(epoch, process) {
                    problems.push(Problem::NoSuchLease { node: process.node });
                }
            }
            Leaf::Decommissioned { node } => self.standing.retire(node),
            Leaf::NodeKeys { node, attest } => self.standing.node(node)?.key = Some(attest),
            Leaf::EpochDestroyed {
                destroyed_before,
                full_before,
            } => {
                problems.extend(self.standing.early(destroyed_before, full_before));
            }
            Leaf::NodeAdmitted { node } => self.standing.node(node)?.is_admitted = true,
            Leaf::NodeRemoved { node } => self.standing.node(node)?.is_admitted = false,
            Leaf::VaultRolledBack { node, epoch } => problems.push(Problem::VaultRolledBack { node, epoch }),
            Leaf::Other { is_known } => self.unknown += u64::from(!is_known),
        }
        Ok(())
    }

    /// Checks an epoch that an entry names, which is the current one or the next.
    fn expect_epoch(&self, said: u64, ahead: u64, problems: &mut Vec<Problem>) {
        if let Some(now) = self.epoch
            && said != now + ahead
        {
            let wanted = now + ahead;
            problems.push(Problem::WrongEpoch { said, wanted });
        }
    }

    fn begin(
        &mut self,
        root: Root,
        realm: [u8; 16],
        problems: &mut Vec<Problem>,
    ) -> Result<(), MonitorError> {
        if realm != self.realm {
            problems.push(Problem::OtherRealm);
        }
        if self.epoch.is_some() {
            problems.push(Problem::SecondGenesis);
            return Ok(());
        }
        self.epoch = Some(root.epoch);
        // Its nodes are admitted in the entries that follow.
        self.standing.share(root.epoch, root.epoch, root.sharing)
    }

    fn switch(
        &mut self,
        root: Root,
        memory: &[Process],
        problems: &mut Vec<Problem>,
    ) -> Result<(), MonitorError> {
        self.expect_epoch(root.epoch, 1, problems);
        let before = root.epoch.saturating_sub(1);
        problems.extend(self.standing.unnamed(before, memory));
        problems.extend(self.standing.unfit(root.epoch, &root.sharing));
        self.standing.remember(before, memory)?;
        self.standing.forget_grants(before);
        self.epoch = Some(root.epoch);
        self.standing.share(root.epoch, before, root.sharing)
    }

    /// The root of an attempt leads to everything that was alive before it.
    fn abort(
        &mut self,
        epoch: u64,
        sharing: Sharing,
        memory: &[Process],
        problems: &mut Vec<Problem>,
    ) -> Result<(), MonitorError> {
        self.expect_epoch(epoch, 1, problems);
        let before = epoch.saturating_sub(1);
        problems.extend(self.standing.unfit(epoch, &sharing));
        self.standing.remember(before, memory)?;
        self.standing.share(before, before, sharing)
    }

    /// A root is granted for the current epoch, or by an attempt at the next one.
    fn grant(
        &mut self,
        epoch: u64,
        process: Process,
        problems: &mut Vec<Problem>,
    ) -> Result<(), MonitorError> {
        let now = self.epoch.unwrap_or(epoch);
        if epoch < now || epoch > now + 1 {
            problems.push(Problem::WrongEpoch {
                said: epoch,
                wanted: now,
            });
        }
        problems.extend(self.standing.grant(epoch, epoch.min(now), process)?);
        Ok(())
    }

    /// A word that is not the node's own, or of an epoch that has not begun, counts for nothing.
    fn attest(&mut self, said: &Attestation, problems: &mut Vec<Problem>) {
        let node = said.process.node;
        let signed = said.verify(&self.realm, self.standing.key(node));
        let is_ahead = said
            .epoch
            .is_some_and(|epoch| self.epoch.is_none_or(|now| epoch > now));
        match signed {
            Err(AttestationError::NoKey) => problems.push(Problem::AttestedWithoutKey { node }),
            Err(error) => problems.push(Problem::Forged { node, error }),
            Ok(()) if is_ahead => problems.push(Problem::AttestedAhead { node }),
            Ok(()) => match said.epoch {
                Some(epoch) => self.standing.attest(epoch, said.process),
                None => self.standing.retire(node),
            },
        }
    }
}
