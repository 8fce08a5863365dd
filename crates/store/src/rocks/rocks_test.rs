//! RocksDB passes the suites; groups are apart; a replacement is atomic over crashes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use eunoe_core::data::{
    CreateConversation, DataMachine, Operation, Profile, encode_command, encode_operation,
};
use eunoe_core::{Changes, Machine as _, Txn};
use eunoe_types::{ConversationId, Kid, LogPosition, TimeMs};
use rocksdb::{DB, Options};

use super::swap::{STEPS, Swap};
use super::*;
use crate::conformance::{StateFaults, StateHarness, state_fault_suite, state_suite};
use crate::fsck::{self, Condition};
use crate::test_support::{copy_files, hex};
use crate::{StateEngine, StateFactory, disk, snapshot};

const A: GroupId = GroupId(1);
const B: GroupId = GroupId(2);

/// The states of one node after another, each in a directory of its own.
struct Place {
    root: tempfile::TempDir,
    lives: u32,
}

impl Place {
    fn new() -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
            lives: 0,
        }
    }

    fn dir(&self) -> PathBuf {
        self.root.path().join(format!("life-{}", self.lives))
    }

    fn states(&self) -> RocksStates {
        let options = RocksOptions {
            cache_bytes: 1 << 20,
            ..RocksOptions::default()
        };
        RocksStates::new(&self.dir(), &options).unwrap()
    }
}

impl StateHarness for Place {
    type Factory = RocksStates;

    fn create(&mut self) -> RocksStates {
        self.lives += 1;
        self.states()
    }

    fn reopen(&mut self, factory: RocksStates) -> RocksStates {
        drop(factory);
        self.states()
    }
}

/// Where a group's database is while the disk is broken: flushes do not find its directory.
fn away(state: &Path) -> PathBuf {
    state.with_extension("away")
}

impl StateFaults for Place {
    /// The files are copied while the database is open: what is only in memory is lost.
    fn crash(&mut self, factory: RocksStates, engines: Vec<RocksState>) -> RocksStates {
        for state in disk::list(&self.dir())
            .unwrap()
            .iter()
            .map(|group| group.join(STATE_DIR))
        {
            if away(&state).exists() {
                fs::rename(away(&state), &state).unwrap();
            }
        }
        let before = self.dir();
        self.lives += 1;
        copy_files(&before, &self.dir());
        drop((engines, factory));
        self.states()
    }

    fn break_disk(&mut self, _: &RocksStates) {
        for group in disk::list(&self.dir()).unwrap() {
            let state = group.join(STATE_DIR);
            fs::rename(&state, away(&state)).unwrap();
        }
    }
}

fn put(engine: &RocksState, key: &str, value: &str, applied: &[u8]) {
    let changes: Changes = [(key.as_bytes().to_vec(), Some(value.as_bytes().to_vec()))].into();
    engine.commit(changes, applied).unwrap();
}

fn applied(states: &RocksStates, group: GroupId) -> String {
    let applied = states.open(group).unwrap().applied().unwrap().unwrap();
    String::from_utf8(applied).unwrap()
}

#[test]
fn it_passes_the_suites() {
    state_suite(&mut Place::new());
    state_fault_suite(&mut Place::new());
}

/// Every file below `dir`: path, content and time of the last change.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>, SystemTime)> {
    let mut found = Vec::new();
    for path in disk::list(dir).unwrap() {
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let changed = fs::metadata(&path).unwrap().modified().unwrap();
            found.push((path.clone(), fs::read(&path).unwrap(), changed));
        }
    }
    found
}

#[test]
fn removing_a_group_touches_no_other_groups_files() {
    let place = Place::new();
    let states = place.states();
    let (first, second) = (states.open(A).unwrap(), states.open(B).unwrap());
    for engine in [&first, &second] {
        put(engine, "key", "value", b"1");
        engine.flush().unwrap();
    }
    snapshot::build(&second, &states.snapshot_dir(B), "1", b"meta").unwrap();
    drop(first);
    let of_second = place.dir().join("group-2");
    let before = files(&of_second);
    assert!(before.len() > 5);
    states.remove(A).unwrap();
    assert_eq!(files(&of_second), before);
    assert_eq!(disk::list(&place.dir()).unwrap(), [of_second]);
    put(&second, "key", "later", b"2");
    second.flush().unwrap();
}

#[test]
fn a_removal_that_a_crash_cut_short_is_finished() {
    let place = Place::new();
    let states = place.states();
    for group in [A, B] {
        put(&states.open(group).unwrap(), "key", "value", b"1");
    }
    fs::rename(place.dir().join("group-1"), place.dir().join("removed-1")).unwrap();
    fs::remove_file(place.dir().join("removed-1/state/CURRENT")).unwrap();
    let states = place.states();
    assert_eq!(disk::list(&place.dir()).unwrap(), [place.dir().join("group-2")]);
    assert_eq!(applied(&states, B), "1");
    assert_eq!(states.open(A).unwrap().applied().unwrap(), None);
}

/// A group with an old state, and a snapshot of a newer one beside it.
fn group_and_snapshot() -> (Place, PathBuf) {
    let place = Place::new();
    let states = place.states();
    let (target, source) = (states.open(A).unwrap(), states.open(B).unwrap());
    put(&target, "key", "old", b"old");
    put(&source, "key", "new", b"new");
    let built = snapshot::build(&source, &states.snapshot_dir(A), "1", b"").unwrap();
    let from = built.path().join("install");
    built.copy_state(&from).unwrap();
    (place, from)
}

#[test]
fn a_crash_at_any_point_of_an_installation_leaves_the_old_state_or_the_new() {
    let (place, from) = group_and_snapshot();
    fs::remove_file(from.join("CURRENT")).unwrap();
    assert_eq!(applied(&place.states(), A), "old", "half a copy counts nothing");
    for steps_done in 0..=STEPS.len() {
        let (place, from) = group_and_snapshot();
        let group_dir = place.dir().join("group-1");
        assert_eq!(applied(&place.states(), A), "old");
        let swap = Swap::new(&group_dir);
        swap.decide(&from).unwrap();
        STEPS[..steps_done].iter().for_each(|step| step(&swap).unwrap());
        let unfinished = steps_done < STEPS.len();
        assert_eq!(is_replacement_unfinished(&group_dir), unfinished);
        let found = fsck::check_states(&place.dir()).unwrap();
        let repairable = found
            .iter()
            .any(|finding| finding.condition == Condition::Repairable);
        assert_eq!(repairable, unfinished, "after step {steps_done}: {found:?}");
        assert_eq!(applied(&place.states(), A), "new", "after step {steps_done}");
        assert_eq!(applied(&place.states(), B), "new");
        assert!(!is_replacement_unfinished(&group_dir));
    }
}

#[test]
fn fsck_finds_a_flipped_byte_in_a_table() {
    let place = Place::new();
    let engine = place.states().open(A).unwrap();
    engine.commit(a_conversation(&engine), b"1").unwrap();
    drop(engine);
    let conditions = || -> Vec<Condition> {
        let found = fsck::check_states(&place.dir()).unwrap();
        found.iter().map(|finding| finding.condition).collect()
    };
    assert_eq!(conditions(), [Condition::Sound]);
    let state = place.dir().join("group-1").join(STATE_DIR);
    let tables = disk::list(&state).unwrap();
    let table = tables
        .iter()
        .find(|path| disk::name(path).ends_with(".sst"))
        .unwrap();
    let mut bytes = fs::read(table).unwrap();
    bytes[40] ^= 1;
    fs::write(table, bytes).unwrap();
    assert_eq!(conditions(), [Condition::Damaged]);
}

#[test]
fn fsck_names_the_rules_that_whole_rows_break() {
    let place = Place::new();
    let engine = place.states().open(A).unwrap();
    let mut changes = a_conversation(&engine);
    engine.commit(changes.clone(), b"1").unwrap();
    // Its head goes, which no command does.
    changes.retain(|key, _| key[0] == 0x11);
    changes.values_mut().for_each(|change| *change = None);
    engine.commit(changes, b"2").unwrap();
    drop(engine);
    let found = fsck::check_states(&place.dir()).unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].condition, Condition::Damaged);
    // The other row is the applied position.
    assert_eq!(
        found[0].detail,
        "1 of 2 rows break the rule conversation_has_head"
    );
}

/// The rows of an empty conversation, as the machine of a data group writes them.
fn a_conversation(engine: &RocksState) -> Changes {
    let create = Operation::Create(CreateConversation {
        id: ConversationId([1; 16]),
        profile: Profile::Peer,
        principal: Kid([2; 16]),
        tenant: Kid([3; 16]),
        time: TimeMs(4),
        purposes: vec!["support"],
        sealed: &[5; 200],
        participants: Vec::new(),
    });
    let at = LogPosition { term: 1, index: 1 };
    let view = engine.view();
    let mut txn = Txn::new(&view);
    let command = encode_command([encode_operation(&create).as_slice()].into_iter());
    DataMachine.apply(&mut txn, at, &command).unwrap();
    txn.into_changes()
}

#[test]
fn the_stores_rows_and_names_never_change() {
    let place = Place::new();
    let engine = place.states().open(A).unwrap();
    put(&engine, "key", "value", b"position");
    drop(engine);
    let group = place.dir().join("group-1");
    let format = fs::read(group.join("FORMAT")).unwrap();
    assert_eq!(hex(&format), "65756e6f6520737461746520310a");
    let db = DB::open_for_read_only(&Options::default(), group.join("state"), false).unwrap();
    let rows: Vec<(String, String)> = db
        .iterator(rocksdb::IteratorMode::Start)
        .map(Result::unwrap)
        .map(|(key, value)| (hex(&key), hex(&value)))
        .collect();
    let golden = [("006170706c696564", "706f736974696f6e"), ("6b6579", "76616c7565")];
    assert_eq!(
        rows,
        golden.map(|(key, value)| (key.to_owned(), value.to_owned()))
    );
}

#[test]
fn a_state_of_another_format_is_refused() {
    let place = Place::new();
    drop(place.states().open(A).unwrap());
    let format = place.dir().join("group-1/FORMAT");
    fs::write(&format, b"eunoe state 2\n").unwrap();
    assert!(place.states().open(A).is_err());
    fs::remove_file(&format).unwrap();
    assert!(place.states().open(A).is_err());
}
