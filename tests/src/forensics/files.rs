//! A copy of all files of a stopped node, and what lies open in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use eunoe_attack::{Evidence, Opened, Sealed};
use eunoe_core::control::{self, KeyState};
use eunoe_core::{Row, ScanRange, StateView};
use eunoe_crypto::{KeyKind, LeafName, Levels, PageId, SecretKey};
use eunoe_store::{RocksOptions, RocksStates, StateEngine as _, StateFactory as _};
use eunoe_types::{GroupId, Kid, Realm};
use tempfile::TempDir;

use crate::scan::files_below;

/// The table of keys' states: its rows are open to everybody.
const KEY_STATE: u8 = 0x26;
/// The files of a node, in a folder of their own.
pub struct Carried {
    folder: TempDir,
    realm: Realm,
    levels: Levels,
    keys: BTreeMap<Kid, Key>,
    evidence: Evidence,
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
        copy_dir(node_dir, folder.path());
        let mut evidence = Evidence::new();
        for segment in files_below(&folder.path().join("log")) {
            evidence.add_file(&segment).expect("the copy of a log is read");
        }
        let mut states = Evidence::new();
        let added = states.add_states(folder.path());
        added.expect("the copies of the states are opened");
        assert_eq!(states.unread().next(), None, "a state does not open");
        // So what a state has overwritten or deleted, and its files may hold still, is found too.
        assert!(
            evidence.sealed().includes(states.sealed()),
            "a state has what no command brought"
        );
        let (realm, levels, keys) = with_state(&folder.path().join("state"), read_open_rows);
        Self {
            folder,
            realm,
            levels,
            keys,
            evidence,
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
        self.evidence.sealed()
    }

    /// What these roots open of everything that was found.
    pub fn reach(&self, roots: &[SecretKey]) -> Opened {
        let roots: Vec<&SecretKey> = roots.iter().collect();
        Opened::from_sealed(self.realm, self.levels, self.sealed(), &roots)
    }
}

/// The roots that the vaults of these nodes give together.
///
/// # Panics
///
/// If a vault does not open.
pub fn roots(carried: &[Carried]) -> Vec<SecretKey> {
    let mut evidence = Evidence::new();
    for node in carried {
        let added = evidence.add_vault(&node.folder().join("vault"));
        added.expect("the copy of a vault is copied");
    }
    assert_eq!(
        evidence.unread().next(),
        None,
        "the copy of a vault does not open"
    );
    evidence
        .roots()
        .found()
        .into_iter()
        .map(|root| root.key)
        .collect()
}

/// Copies all files below a folder into another one.
///
/// # Panics
///
/// If they cannot be.
pub fn copy_dir(from: &Path, to: &Path) {
    for file in files_below(from) {
        let place = file.strip_prefix(from).expect("a file below its folder");
        copy(&file, &to.join(place));
    }
}

fn copy(from: &Path, to: &Path) {
    let folder = to.parent().expect("a file is in a folder");
    fs::create_dir_all(folder).expect("a folder is made");
    fs::copy(from, to).expect("a file of a stopped node is copied");
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
