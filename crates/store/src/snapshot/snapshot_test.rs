//! A snapshot survives the way to another node whole, or is refused.

use std::fs;

use bytes::Bytes;
use eunoe_core::Changes;
use eunoe_types::GroupId;

use super::*;
use crate::test_support::{hex, unhex};
use crate::{MemState, MemStates, StateFactory};

const NAME: &str = "00000000000000000007-1";

struct Place {
    root: tempfile::TempDir,
    states: MemStates,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let states = MemStates::new(root.path().to_owned());
        Self { root, states }
    }

    fn engine(&self) -> MemState {
        let engine = self.states.open(GroupId(1)).unwrap();
        let changes: Changes = (1..=50u8).map(|row| (vec![row], Some(vec![row; 40]))).collect();
        engine.commit(changes, b"7").unwrap();
        engine
    }

    fn built(&self) -> Snapshot {
        build(&self.engine(), &self.dir(), NAME, b"meta").unwrap()
    }

    fn dir(&self) -> PathBuf {
        self.root.path().join("snapshots")
    }
}

fn receive(snapshot: &Snapshot, dir: &Path, chunks: &[Chunk]) -> Result<Snapshot, SnapshotError> {
    let mut incoming = Incoming::begin(dir, NAME, &snapshot.manifest().encode(), 1 << 20)?;
    chunks.iter().try_for_each(|chunk| incoming.write(chunk))?;
    incoming.finish()
}

fn chunks(snapshot: &Snapshot, bytes: usize) -> Vec<Chunk> {
    snapshot.chunks(bytes).map(Result::unwrap).collect()
}

#[test]
fn a_snapshot_travels_in_chunks_of_any_size() {
    let place = Place::new();
    let built = place.built();
    for chunk_bytes in [1, 100, 1 << 20] {
        let there = tempfile::tempdir().unwrap();
        let received = receive(&built, there.path(), &chunks(&built, chunk_bytes)).unwrap();
        received.verify().unwrap();
        assert_eq!((received.meta(), received.name()), (&b"meta"[..], NAME));
        let engine = place.states.open(GroupId(2)).unwrap();
        let engine = place
            .states
            .replace(GroupId(2), engine, &received.state_dir())
            .unwrap();
        assert_eq!(engine.applied().unwrap(), Some(b"7".to_vec()));
    }
}

#[test]
fn a_flipped_byte_anywhere_is_found() {
    let place = Place::new();
    let built = place.built();
    let files = [built.path().join(MANIFEST_FILE), built.state_dir().join("rows")];
    for file in files {
        let sound = fs::read(&file).unwrap();
        for at in 0..sound.len() {
            let mut flipped = sound.clone();
            flipped[at] ^= 0x10;
            fs::write(&file, &flipped).unwrap();
            let checked = Snapshot::open(built.path()).and_then(|snapshot| snapshot.verify());
            assert!(
                matches!(checked, Err(SnapshotError::Refused(_))),
                "{} byte {at}",
                file.display()
            );
        }
        fs::write(&file, &sound).unwrap();
    }
    built.verify().unwrap();
    fs::write(built.state_dir().join("stranger"), b"").unwrap();
    assert!(matches!(built.verify(), Err(SnapshotError::Refused(_))));
}

type Change = fn(&mut Vec<Chunk>);

#[test]
fn wrong_chunks_are_refused_and_leave_no_snapshot() {
    let place = Place::new();
    let built = place.built();
    let sound = chunks(&built, 100);
    let changed = |change: Change| {
        let mut chunks = sound.clone();
        change(&mut chunks);
        chunks
    };
    let cases: [(&str, Change); 7] = [
        ("missing", |chunks| _ = chunks.pop()),
        ("repeated", |chunks| chunks.insert(1, chunks[0].clone())),
        ("swapped", |chunks| chunks.swap(0, 1)),
        ("of another file", |chunks| chunks[0].file = 1),
        ("empty", |chunks| chunks[0].data = Bytes::new()),
        ("longer than the file", |chunks| {
            chunks[0].data = Bytes::from(vec![0; 1 << 16])
        }),
        ("flipped", |chunks| {
            chunks[1].data = chunks[1].data.iter().map(|byte| byte ^ 1).collect()
        }),
    ];
    for (what, change) in cases {
        let there = tempfile::tempdir().unwrap();
        let received = receive(&built, there.path(), &changed(change));
        assert!(
            matches!(received, Err(SnapshotError::Refused(_))),
            "a chunk that is {what}"
        );
        assert!(list(there.path()).unwrap().is_empty());
        clean(there.path()).unwrap();
        assert_eq!(fs::read_dir(there.path()).unwrap().count(), 0);
    }
}

#[test]
fn names_cannot_leave_the_directory() {
    let place = Place::new();
    let built = place.built();
    for name in [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "/etc",
        ".hidden",
        "tmp-x",
        "a\0b",
        &"n".repeat(129),
    ] {
        assert!(
            build(&place.engine(), &place.dir(), name, b"").is_err(),
            "{name:?}"
        );
        let file = FileEntry {
            name: name.to_owned(),
            bytes: 0,
            hash: [0; 32],
        };
        let manifest = Manifest {
            meta: Vec::new(),
            files: vec![file],
        }
        .encode();
        assert!(
            Incoming::begin(&place.dir(), NAME, &manifest, 10).is_err(),
            "{name:?}"
        );
        assert!(
            Incoming::begin(&place.dir(), name, &built.manifest().encode(), 1 << 20).is_err(),
            "{name:?}"
        );
    }
}

#[test]
fn a_snapshot_above_the_limit_is_refused_before_anything_is_written() {
    let place = Place::new();
    let built = place.built();
    let there = tempfile::tempdir().unwrap();
    let begun = Incoming::begin(there.path(), NAME, &built.manifest().encode(), built.bytes() - 1);
    assert!(matches!(begun, Err(SnapshotError::Refused(_))));
    assert_eq!(fs::read_dir(there.path()).unwrap().count(), 0);
}

#[test]
fn files_without_bytes_are_carried_too() {
    let place = Place::new();
    let built = place.built();
    let mut manifest = built.manifest().clone();
    let empty = |name: &str| FileEntry {
        name: name.to_owned(),
        bytes: 0,
        hash: *blake3::hash(b"").as_bytes(),
    };
    manifest.files.insert(0, empty("a"));
    manifest.files.push(empty("z"));
    for name in ["a", "z"] {
        fs::write(built.state_dir().join(name), b"").unwrap();
    }
    fs::write(built.path().join(MANIFEST_FILE), manifest.encode()).unwrap();
    let built = Snapshot::open(built.path()).unwrap();
    let there = tempfile::tempdir().unwrap();
    receive(&built, there.path(), &chunks(&built, 64))
        .unwrap()
        .verify()
        .unwrap();
}

#[test]
fn old_and_unfinished_snapshots_go() {
    let place = Place::new();
    let dir = place.dir();
    for name in ["1", "2", "3"] {
        build(&place.engine(), &dir, name, name.as_bytes()).unwrap();
    }
    build(&place.engine(), &dir, "3", b"again").unwrap();
    fs::create_dir(dir.join("tmp-4")).unwrap();
    clean(&dir).unwrap();
    keep_only(&dir, "3").unwrap();
    let left = list(&dir).unwrap();
    assert_eq!(
        left.iter().map(|snapshot| snapshot.meta()).collect::<Vec<_>>(),
        [b"again"]
    );
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
}

#[test]
fn the_manifest_never_changes() {
    let golden = "01046d6574610104726f7773ac020707070707070707070707070707070707070707070707070707070707070707\
                  1d320675007a5d482762d631cf3fe8e9879f88df2923d77b7ccb1a91e53dff7a";
    let file = FileEntry {
        name: "rows".into(),
        bytes: 300,
        hash: [7; 32],
    };
    let manifest = Manifest {
        meta: b"meta".to_vec(),
        files: vec![file],
    };
    assert_eq!(hex(&manifest.encode()), golden);
    assert_eq!(Manifest::decode(&unhex(golden)).unwrap(), manifest);
}
