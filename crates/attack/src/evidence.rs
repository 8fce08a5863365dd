//! All that was found of what nodes ever wrote: ciphertext, names of keys, and public commitments.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use eunoe_core::control::{KeyState, MadeRoot};
use eunoe_crypto::{Commitment, Levels};
use eunoe_types::{Kid, Realm};
use serde::Serialize;

use crate::{AttackError, Contents, Roots, Sealed, entries, files};

/// How much was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Log entries with a command, in whatever file they stood.
    pub log_entries: u64,
    /// States and snapshots that opened.
    pub states: u64,
    /// Vaults that opened.
    pub vaults: u64,
    /// Bytes that were searched for log entries.
    pub bytes_searched: u64,
}

/// What the control group says of a key.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Key {
    /// Its state in the latest state that was found, as far as one was.
    pub(crate) state: Option<KeyState>,
    /// The public commitment to it.
    pub(crate) commitment: Option<Commitment>,
}

/// Everything that was found, whatever node and time it is from.
#[derive(Debug, Default)]
pub struct Evidence {
    pub(crate) realms: BTreeSet<Realm>,
    pub(crate) levels: BTreeSet<u8>,
    pub(crate) sealed: Sealed,
    pub(crate) contents: Contents,
    pub(crate) keys: BTreeMap<Kid, Key>,
    /// Public commitments to roots, with the epoch where it is known.
    pub(crate) root_commitments: BTreeMap<Commitment, Option<u64>>,
    /// Public commitments to a root's sub-keys, by the one to the root.
    pub(crate) made_roots: BTreeMap<Commitment, Vec<Commitment>>,
    /// The epoch that an attempt was at.
    pub(crate) attempts: BTreeMap<u64, u64>,
    pub(crate) roots: Roots,
    pub(crate) counts: Counts,
    /// What could not be read of the evidence, and why.
    pub(crate) unread: Vec<(PathBuf, String)>,
}

impl Evidence {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the data directory of a node: log entries wherever they stand in its files, states, snapshots, and with
    /// `vaults` what its vault holds. Files that a running node changed while they were copied may be unreadable; they
    /// are named in the report.
    ///
    /// # Errors
    ///
    /// If it cannot be read or copied.
    pub fn add_dir(&mut self, dir: &Path, vaults: bool) -> Result<(), AttackError> {
        files::add_dir(self, dir, vaults)
    }

    /// Adds the states and snapshots of a node's data directory alone.
    ///
    /// # Errors
    ///
    /// If they cannot be read or copied.
    pub fn add_states(&mut self, dir: &Path) -> Result<(), AttackError> {
        files::add_states(self, dir)
    }

    /// Adds a file of any form, a disk image say, in which log entries are searched for at every byte.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn add_file(&mut self, path: &Path) -> Result<(), AttackError> {
        let bytes = std::fs::read(path).map_err(AttackError::input(path))?;
        entries::search(self, &bytes);
        Ok(())
    }

    /// Adds a vault's file.
    ///
    /// # Errors
    ///
    /// If it cannot be copied. A vault that does not open is named in the report.
    pub fn add_vault(&mut self, path: &Path) -> Result<(), AttackError> {
        files::add_vault(self, path)
    }

    /// Sealed pages and rows.
    pub fn sealed(&self) -> &Sealed {
        &self.sealed
    }

    /// What the vaults gave.
    pub fn roots(&self) -> &Roots {
        &self.roots
    }

    /// What could not be read, and why.
    pub fn unread(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.unread
            .iter()
            .map(|(path, why)| (path.as_path(), why.as_str()))
    }

    /// How much was found.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whose data it is, and the depth of its key trees.
    pub(crate) fn identities(&self) -> Result<Vec<(Realm, Levels)>, AttackError> {
        let levels: Vec<Levels> = self.levels.iter().filter_map(|l| Levels::new(*l).ok()).collect();
        let pairs = self
            .realms
            .iter()
            .flat_map(|realm| levels.iter().map(|l| (*realm, *l)));
        let pairs: Vec<_> = pairs.collect();
        match pairs.is_empty() {
            true => Err(AttackError::NoRealm),
            false => Ok(pairs),
        }
    }

    /// A key's state moves one way: the latest of several states says most.
    pub(crate) fn take_state(&mut self, kid: Kid, state: KeyState) {
        let known = &mut self.keys.entry(kid).or_default().state;
        if known.is_none_or(|known| rank(&known) < rank(&state)) {
            *known = Some(state);
        }
    }

    pub(crate) fn take_key_commitment(&mut self, kid: Kid, commitment: Commitment) {
        self.keys.entry(kid).or_default().commitment = Some(commitment);
    }

    pub(crate) fn take_made_root(&mut self, made: &MadeRoot, epoch: Option<u64>) {
        self.take_root_commitment(made.root_commit, epoch);
        self.made_roots.insert(made.root_commit, made.sub_keys.clone());
    }

    pub(crate) fn take_root_commitment(&mut self, commitment: Commitment, epoch: Option<u64>) {
        let known = self.root_commitments.entry(commitment).or_default();
        *known = known.or(epoch);
    }
}

fn rank(state: &KeyState) -> u8 {
    match state {
        KeyState::Active => 0,
        KeyState::Fenced { .. } => 1,
        KeyState::Erased { .. } => 2,
    }
}
