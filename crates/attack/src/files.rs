//! Data directories and vaults. What an engine must open is copied first, for opening writes.

use std::fs;
use std::path::{Path, PathBuf};

use eunoe_core::StateView;
use eunoe_crypto::OsEntropy;
use eunoe_store::{RocksOptions, RocksStates, StateEngine as _, StateFactory as _};
use eunoe_types::{Fault, GroupId};
use eunoe_vault::{ErasableVault as _, FileVault, FileVaultOptions, VaultError};

use crate::{AttackError, Evidence, entries, states};

/// The vault in a data directory.
const VAULT: &str = "vault";
/// Folders of groups, below a data directory.
const STATES: &str = "state";
const GROUP: &str = "group-";
/// Within a group's folder, and within a snapshot.
const STATE: &str = "state";
const SNAPSHOTS: &str = "snapshots";
const FORMAT: &str = "FORMAT";
/// Folders within each other; a data directory has five.
const DEPTH_MAX: usize = 16;

pub(crate) fn add_dir(evidence: &mut Evidence, dir: &Path, vaults: bool) -> Result<(), AttackError> {
    for file in files_below(dir, DEPTH_MAX)? {
        // A database and a vault are opened below; their bytes are searched all the same, for who knows what wrote there.
        let bytes = fs::read(&file).map_err(AttackError::input(&file))?;
        entries::search(evidence, &bytes);
    }
    add_states(evidence, dir)?;
    let vault = dir.join(VAULT);
    match vaults && vault.is_file() {
        true => add_vault(evidence, &vault),
        false => Ok(()),
    }
}

pub(crate) fn add_states(evidence: &mut Evidence, dir: &Path) -> Result<(), AttackError> {
    let states = dir.join(STATES);
    let groups = if states.is_dir() {
        list(&states)?
    } else {
        Vec::new()
    };
    for group in groups {
        let name = group
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let id = name.strip_prefix(GROUP).and_then(|id| id.parse().ok());
        let Some(id) = id.map(GroupId) else {
            continue;
        };
        add_state(evidence, id, &group, &group.join(STATE))?;
        let snapshots = group.join(SNAPSHOTS);
        let snapshots = if snapshots.is_dir() {
            list(&snapshots)?
        } else {
            Vec::new()
        };
        for snapshot in snapshots
            .iter()
            .map(|path| path.join(STATE))
            .filter(|path| path.is_dir())
        {
            add_state(evidence, id, &group, &snapshot)?;
        }
    }
    Ok(())
}

/// Opens a copy of a database and takes all of its rows.
fn add_state(evidence: &mut Evidence, id: GroupId, group: &Path, database: &Path) -> Result<(), AttackError> {
    let apart = tempfile::tempdir().map_err(AttackError::Copy)?;
    let copied = apart.path().join(format!("{GROUP}{id}"));
    copy(&group.join(FORMAT), &copied.join(FORMAT))?;
    for file in files_below(database, DEPTH_MAX)? {
        let place = file.strip_prefix(database).unwrap_or(&file);
        copy(&file, &copied.join(STATE).join(place))?;
    }
    let taken = with_state(apart.path(), id, |view| states::take(evidence, id, view));
    match taken {
        Ok(()) => evidence.counts.states += 1,
        Err(fault) => evidence.unread.push((database.to_owned(), fault.to_string())),
    }
    Ok(())
}

fn with_state(
    root: &Path,
    id: GroupId,
    read: impl FnOnce(&dyn StateView) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let states = RocksStates::new(root, &RocksOptions::default())?;
    let state = states.open(id)?;
    read(&state.view())
}

pub(crate) fn add_vault(evidence: &mut Evidence, path: &Path) -> Result<(), AttackError> {
    let apart = tempfile::tempdir().map_err(AttackError::Copy)?;
    let copied = apart.path().join(VAULT);
    copy(path, &copied)?;
    match take_vault(evidence, &copied) {
        Ok(()) => evidence.counts.vaults += 1,
        Err(error) => evidence.unread.push((path.to_owned(), error.to_string())),
    }
    Ok(())
}

fn take_vault(evidence: &mut Evidence, copied: &Path) -> Result<(), VaultError> {
    let options = FileVaultOptions {
        allow_unsafe_medium: true,
    };
    let vault = FileVault::open(copied, options, Box::new(OsEntropy))?;
    for slot in vault.list()? {
        // A slot that was half destroyed gives nothing, and the others do.
        if let Ok(secret) = vault.get(slot) {
            evidence.roots.take_secret(slot, &secret);
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), AttackError> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(AttackError::Copy)?;
    }
    fs::copy(from, to).map(drop).map_err(AttackError::input(from))
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, AttackError> {
    let found = fs::read_dir(folder).map_err(AttackError::input(folder))?;
    let paths = found.map(|entry| entry.map(|entry| entry.path()));
    let mut paths: Vec<PathBuf> = paths
        .collect::<Result<_, _>>()
        .map_err(AttackError::input(folder))?;
    paths.sort();
    Ok(paths)
}

fn files_below(folder: &Path, depth: usize) -> Result<Vec<PathBuf>, AttackError> {
    let mut files = Vec::new();
    for path in list(folder)? {
        if path.is_dir() && depth > 0 {
            files.extend(files_below(&path, depth - 1)?);
        } else if path.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}
