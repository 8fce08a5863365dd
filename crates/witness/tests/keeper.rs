//! A witness's memory: a bit that flips in it is seen, and after a write that fails nothing is cosigned.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use eunoe_evidence::merkle::{Hash, leaf_hash, root_at};
use eunoe_evidence::{
    AddCheckpoint, Checkpoint, KeyName, LogKey, SignedCheckpoint, VerifierKey, prove_consistency,
};
use eunoe_witness::{Keeper, KeeperError, LOG_KEYS_MAX, ORIGINS_MAX, Outcome};

const TIME_S: u64 = 1_795_305_600;

fn name(name: &str) -> KeyName {
    KeyName::new(name).unwrap()
}

fn log_key(origin: &str) -> LogKey {
    LogKey::from_seed(name(origin), &[1; 32]).unwrap()
}

fn request(origin: &str, old: u64, new: u64, extensions: Vec<String>) -> AddCheckpoint {
    let leaves: Vec<Hash> = (0..new).map(|index| leaf_hash(&index.to_be_bytes())).collect();
    let root = root_at(&leaves[..], new).unwrap();
    let checkpoint = Checkpoint::new(origin, new, root, extensions).unwrap();
    let line = log_key(origin).sign(&checkpoint).unwrap();
    let signed = SignedCheckpoint::new(checkpoint, vec![line]).unwrap();
    AddCheckpoint::new(old, prove_consistency(&leaves[..], old, new).unwrap(), signed).unwrap()
}

fn keys(origins: &[&str]) -> Vec<VerifierKey> {
    origins
        .iter()
        .map(|origin| log_key(origin).verifier().clone())
        .collect()
}

fn open(folder: &Path) -> Result<Keeper, KeeperError> {
    Keeper::open(folder, name("w"), keys(&["a", "b"]))
}

fn cosign(keeper: &mut Keeper, origin: &str, old: u64, new: u64) {
    let decided = keeper
        .decide(&request(origin, old, new, Vec::new()), TIME_S)
        .unwrap();
    assert!(matches!(decided, Outcome::Cosigned(_)), "{decided:?}");
}

#[test]
fn a_bit_that_flips_in_any_byte_of_its_memory_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let mut keeper = open(folder.path()).unwrap();
    cosign(&mut keeper, "a", 0, 3);
    cosign(&mut keeper, "b", 0, 5);
    drop(keeper);
    for file in ["heads", "key"] {
        let path = folder.path().join(file);
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << (at % 8);
            fs::write(&path, bytes).unwrap();
            match open(folder.path()) {
                Err(KeeperError::Damaged { path: said, .. }) => assert_eq!(said, path),
                // A line of the log's key with another name or id says nothing any more; the witness's own line
                // vouches for the checkpoint all the same.
                Ok(_) => assert!(is_in_a_line_of_a_log(&good, at), "{file}, {at}"),
                Err(other) => panic!("{file}, {at}: {other}"),
            }
        }
        fs::write(&path, &good).unwrap();
    }
    let mut keeper = open(folder.path()).unwrap();
    cosign(&mut keeper, "a", 3, 4);
    cosign(&mut keeper, "b", 5, 5);
}

fn is_in_a_line_of_a_log(bytes: &[u8], at: usize) -> bool {
    let begin = bytes[..at]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |newline| newline + 1);
    let line = String::from_utf8_lossy(&bytes[begin..]).into_owned();
    line.starts_with("— a ") || line.starts_with("— b ")
}

#[test]
fn a_memory_without_its_other_half_is_not_started_with() {
    let folder = tempfile::tempdir().unwrap();
    let mut keeper = open(folder.path()).unwrap();
    cosign(&mut keeper, "a", 0, 3);
    drop(keeper);
    for file in ["heads", "key"] {
        let (path, aside) = (folder.path().join(file), folder.path().join("aside"));
        fs::rename(&path, &aside).unwrap();
        let refused = open(folder.path()).err();
        assert!(
            matches!(&refused, Some(KeeperError::Damaged { path: said, .. }) if *said == path),
            "{refused:?}"
        );
        fs::rename(&aside, &path).unwrap();
    }
    // A first start that ended between the two files is begun again.
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    fs::remove_file(folder.path().join("key")).unwrap();
    open(folder.path()).unwrap();
}

#[test]
fn after_a_write_that_failed_nothing_is_cosigned() {
    let folder = tempfile::tempdir().unwrap();
    let mut keeper = open(folder.path()).unwrap();
    cosign(&mut keeper, "a", 0, 3);
    // Where the next file would be written is a folder.
    let next = folder.path().join("heads.next");
    fs::create_dir(&next).unwrap();
    let failed = keeper.decide(&request("a", 3, 4, Vec::new()), TIME_S).err();
    assert!(matches!(failed, Some(KeeperError::Io { .. })), "{failed:?}");
    fs::remove_dir(&next).unwrap();
    for request in [request("a", 3, 4, Vec::new()), request("b", 0, 1, Vec::new())] {
        let stopped = keeper.decide(&request, TIME_S).err();
        assert!(matches!(stopped, Some(KeeperError::Stopped)), "{stopped:?}");
    }
    drop(keeper);
    cosign(&mut open(folder.path()).unwrap(), "a", 3, 4);
}

#[test]
fn a_checkpoint_without_room_for_a_signature_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut keeper = open(folder.path()).unwrap();
    let line = "x".repeat(256 * 1024 - 200);
    let decided = keeper.decide(&request("a", 0, 3, vec![line]), TIME_S).unwrap();
    assert_eq!(decided, Outcome::TooLarge);
    cosign(&mut keeper, "a", 0, 3);
}

#[test]
fn the_key_is_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    let path = folder.path().join("key");
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let refused = open(folder.path()).err();
    assert!(
        matches!(refused, Some(KeeperError::OpenToOthers { .. })),
        "{refused:?}"
    );
}

#[test]
fn the_logs_of_a_witness_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let many = |prefix: &str| -> Vec<VerifierKey> {
        let origin = |index| format!("{prefix}{index}");
        (0..LOG_KEYS_MAX)
            .map(|index| log_key(&origin(index)).verifier().clone())
            .collect()
    };
    let too_many = [many("a"), keys(&["b"])].concat();
    let refused = Keeper::open(folder.path(), name("w"), too_many).err();
    assert!(matches!(refused, Some(KeeperError::TooManyKeys)), "{refused:?}");
    for prefix in ["a", "b"] {
        let mut keeper = Keeper::open(folder.path(), name("w"), many(prefix)).unwrap();
        for index in 0..LOG_KEYS_MAX {
            cosign(&mut keeper, &format!("{prefix}{index}"), 0, 1);
        }
    }
    assert_eq!(ORIGINS_MAX, 2 * LOG_KEYS_MAX);
    let refused = Keeper::open(folder.path(), name("w"), keys(&["c"])).err();
    assert!(matches!(refused, Some(KeeperError::TooManyLogs)), "{refused:?}");
}
