//! A copy of all files of a stopped node, and what lies open in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use eunoe_core::control::{self, KeyState};
use eunoe_core::{Row, ScanRange, StateView};
use eunoe_crypto::{KeyArena, KeyKind, LeafName, Levels, Locking, OsEntropy, PageId, RootKey};
use eunoe_store::{
    LogEngine as _, LogRecord, RocksOptions, RocksStates, SegmentLog, SegmentLogOptions, StateEngine as _,
    StateFactory as _,
};
use eunoe_types::{GroupId, Kid, Realm};
use eunoe_vault::{ErasableVault as _, FileVault, FileVaultOptions};
use tempfile::TempDir;

use super::{Reached, Sealed};
use crate::scan::files_below;

/// The table of keys' states: its rows are open to everybody.
const KEY_STATE: u8 = 0x26;
/// The control group's state and snapshots below a node's folder.
const CONTROL: &str = "state/group-0";
/// Roots that an attacker holds at a time.
const ROOTS_MAX: usize = 8;
const LOG_READ_BYTES: usize = 1 << 20;

/// The files of a node, in a folder of their own.
pub struct Carried {
    folder: TempDir,
    realm: Realm,
    levels: Levels,
    keys: BTreeMap<Kid, Key>,
    sealed: Sealed,
}

/// What the control group says of a key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// What its death erases.
    pub kind: KeyKind,
    /// Where it is in its life.
    pub state: KeyState,
    /// The leaf page that its record is in.
    pub page: PageId,
    /// The key that it dies with.
    pub parent: Option<Kid>,
}

impl Carried {
    /// Copies the files of a stopped node and reads everything of the control group: log, state and snapshots.
    ///
    /// # Panics
    ///
    /// If they cannot be read, or if the log does not begin with the realm: then it would not be everything.
    pub fn from(node_dir: &Path) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("eunoe-carried-")
            .tempdir()
            .expect("a folder is made");
        for file in files_below(node_dir) {
            let place = file.strip_prefix(node_dir).expect("a file below its folder");
            copy(&file, &folder.path().join(place));
        }
        let mut sealed = Sealed::default();
        for record in log_records(&folder.path().join("log")) {
            sealed.take_log_entry(&record.data);
        }
        let mut states = Sealed::default();
        let control = folder.path().join(CONTROL);
        for snapshot in snapshots(&control) {
            let apart = tempfile::tempdir().expect("a folder is made");
            let group = apart.path().join("group-0");
            copy(&control.join("FORMAT"), &group.join("FORMAT"));
            for file in files_below(&snapshot) {
                let place = file.strip_prefix(&snapshot).expect("a file below its folder");
                copy(&file, &group.join("state").join(place));
            }
            states.take_state(&with_state(apart.path(), all_rows));
        }
        let current = folder.path().join("state");
        states.take_state(&with_state(&current, all_rows));
        // So what a state has overwritten or deleted, and its files may hold still, is found too.
        assert!(sealed.includes(&states), "a state has what no command brought");
        let (realm, levels, keys) = with_state(&current, read_open_rows);
        Self {
            folder,
            realm,
            levels,
            keys,
            sealed,
        }
    }

    /// Where the copy is.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// All keys that the realm ever had.
    pub fn keys(&self) -> &BTreeMap<Kid, Key> {
        &self.keys
    }

    /// Everything sealed that was found.
    pub fn sealed(&self) -> &Sealed {
        &self.sealed
    }

    /// The roots in the vault.
    ///
    /// # Panics
    ///
    /// If the vault does not open.
    pub fn roots(&self) -> Vec<RootKey> {
        let options = FileVaultOptions {
            allow_unsafe_medium: true,
        };
        let vault = FileVault::open(&self.folder().join("vault"), options, Box::new(OsEntropy));
        let vault = vault.expect("the copy of a vault is opened");
        let arena = KeyArena::new(Locking::BestEffort, ROOTS_MAX).expect("memory for keys");
        let slots = vault.list().expect("the vault is read");
        let secrets = slots
            .iter()
            .map(|slot| vault.get(*slot).expect("the vault is read"));
        secrets
            .map(|secret| RootKey::decode(&arena, &secret).expect("a vault holds roots"))
            .collect()
    }

    /// What these roots open of everything that was found.
    pub fn reach(&self, roots: &[RootKey]) -> Reached {
        Reached::from(self.realm, self.levels, &self.sealed, roots)
    }
}

fn copy(from: &Path, to: &Path) {
    let folder = to.parent().expect("a file is in a folder");
    fs::create_dir_all(folder).expect("a folder is made");
    fs::copy(from, to).expect("a file of a stopped node is copied");
}

fn log_records(dir: &Path) -> Vec<LogRecord> {
    let log = SegmentLog::open(dir, &SegmentLogOptions::default()).expect("the copy of a log is opened");
    let held = log.group(GroupId::CONTROL);
    assert_eq!(
        held.purged, None,
        "the log does not begin with the realm any more"
    );
    let (mut next, end) = (held.first.expect("a log"), held.last.expect("a log") + 1);
    let mut records = Vec::new();
    while next < end {
        let read = log
            .read(GroupId::CONTROL, next, end, LOG_READ_BYTES)
            .expect("the log is read");
        next = read.last().expect("an entry is held").index + 1;
        records.extend(read);
    }
    records
}

/// The databases of the finished and unfinished snapshots in a group's folder.
fn snapshots(group: &Path) -> Vec<PathBuf> {
    let Ok(found) = fs::read_dir(group.join("snapshots")) else {
        return Vec::new();
    };
    let paths = found.map(|entry| entry.expect("an entry is read").path().join("state"));
    paths.filter(|path| path.is_dir()).collect()
}

fn with_state<T>(root: &Path, read: impl FnOnce(&dyn StateView) -> T) -> T {
    let states = RocksStates::new(root, &RocksOptions::default()).expect("the copy of a state is opened");
    let state = states
        .open(GroupId::CONTROL)
        .expect("the copy of a state is opened");
    read(&state.view())
}

fn rows_of(view: &dyn StateView, from: &[u8], to: &[u8]) -> Vec<Row> {
    let range = ScanRange {
        from,
        to,
        backward: false,
        rows_max: usize::MAX,
        bytes_max: usize::MAX,
    };
    view.scan(&range).expect("the state is read")
}

fn all_rows(view: &dyn StateView) -> Vec<Row> {
    rows_of(view, &[1], &[u8::MAX])
}

fn read_open_rows(view: &dyn StateView) -> (Realm, Levels, BTreeMap<Kid, Key>) {
    let genesis = control::genesis(view)
        .expect("the state is read")
        .expect("a realm");
    let levels = Levels::new(genesis.levels).expect("a depth");
    let rows = rows_of(view, &[KEY_STATE], &[KEY_STATE + 1]);
    let keys = rows.iter().map(|(key, _)| {
        let kid = Kid(key[1..].try_into().expect("a kid"));
        let row = control::key_state(view, &kid)
            .expect("the state is read")
            .expect("a key");
        let key = Key {
            kind: KeyKind::from_tag(row.kind).expect("a kind"),
            state: row.state,
            page: levels.leaf(&LeafName::Key(kid)),
            parent: row.parent,
        };
        (kid, key)
    });
    (genesis.realm, levels, keys.collect())
}
