//! Whole files and directories, opened by what opens them in a node.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use eunoe_crypto::{OsEntropy, SecretBytes};
use eunoe_store::fsck::{self, Condition};
use eunoe_store::{LogEngine as _, SegmentLog, SegmentLogOptions};
use eunoe_types::fuzzing::Reader;
use eunoe_types::{DecodeError, Decoder, GroupId};
use eunoe_vault::{ErasableVault as _, FileVault, FileVaultOptions, Slot};

/// Bytes of one vault block.
const BLOCK_BYTES: usize = 4096;
/// Files and patches of one input; more only takes longer.
const PARTS_MAX: usize = 8;

pub(super) const LOG: &[Reader] = &[
    ("log directory", log_directory),
    ("snapshot directory", snapshot_directory),
];

pub(super) const VAULT: &[Reader] = &[("vault file", vault_file)];

/// A folder in memory where there is one, else where temporary files are.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    made.expect("a folder is made")
}

/// Segments, each a number, whether its frames need checksums, and its content. Checks the log, and opens it where the
/// check says that a node would: both must agree.
fn log_directory(script: &Bytes) -> bool {
    let (folder, mut d) = (folder(), Decoder::new(script));
    let mut is_new = true;
    for _ in 0..PARTS_MAX {
        let part = (|| Ok::<_, DecodeError>((d.u8()?, d.u8()?, d.bytes()?)))();
        let Ok((number, how, content)) = part else { break };
        let number = u64::from(number);
        let bytes = match how % 2 {
            0 => content.to_vec(),
            _ => eunoe_store::fuzzing::segment(number, content),
        };
        let path = folder.path().join(format!("seg-{number:016x}.log"));
        fs::write(path, bytes).expect("a segment is written");
        is_new = false;
    }
    let findings = fsck::check_log(folder.path()).expect("a log is checked");
    let sound = findings
        .iter()
        .all(|finding| finding.condition != Condition::Damaged);
    let options = SegmentLogOptions {
        segment_bytes: 4096,
        ..SegmentLogOptions::default()
    };
    let opened = SegmentLog::open(folder.path(), &options);
    assert_eq!(
        opened.is_ok(),
        sound || is_new,
        "the check of a log and its opening disagree"
    );
    let Ok(log) = opened else { return false };
    for group in 0..4 {
        let held = log.group(GroupId(group));
        if let Some(last) = held.last {
            let records = log.read(GroupId(group), last, last.saturating_add(1), 1 << 20);
            assert!(records.is_ok(), "a held record is not read");
        }
    }
    sound
}

/// A place in the manifest and what is changed there, then its own part and the snapshot's files. The files must be found
/// sound exactly if nothing is changed.
fn snapshot_directory(script: &Bytes) -> bool {
    let (folder, mut d) = (folder(), Decoder::new(script));
    let snapshot = folder.path().join("1");
    fs::create_dir_all(snapshot.join("state")).expect("a folder is made");
    let parts = (|| Ok::<_, DecodeError>((d.varint()?, d.u8()?, d.bytes()?)))();
    let Ok((at, change, meta)) = parts else {
        return false;
    };
    let mut files = BTreeMap::new();
    for _ in 0..PARTS_MAX {
        let (Ok(name), Ok(content)) = (d.u8(), d.bytes()) else {
            break;
        };
        files.insert(name.to_string(), content.to_vec());
    }
    let mut manifest = eunoe_store::fuzzing::manifest(meta, &files).encode();
    let byte = usize::try_from(at).ok().and_then(|at| manifest.get_mut(at));
    let changed = byte.is_some() && change != 0;
    if let Some(byte) = byte {
        *byte ^= change;
    }
    fs::write(snapshot.join("MANIFEST"), manifest).expect("a manifest is written");
    for (name, content) in &files {
        fs::write(snapshot.join("state").join(name), content).expect("a file is written");
    }
    let findings = fsck::check_snapshots(folder.path()).expect("snapshots are checked");
    let sound = findings
        .iter()
        .all(|finding| finding.condition == Condition::Sound);
    assert_eq!(
        sound, !changed,
        "a changed snapshot is sound, or one that is not changed is none"
    );
    sound
}

const OPTIONS: FileVaultOptions = FileVaultOptions {
    allow_unsafe_medium: true,
};

/// A vault's path and the bytes of a good one; made once per thread.
struct Vault {
    _folder: tempfile::TempDir,
    path: PathBuf,
    good: Vec<u8>,
}

impl Vault {
    fn make() -> Self {
        let folder = folder();
        let path = folder.path().join("vault");
        let vault = FileVault::create(&path, OPTIONS, Box::new(OsEntropy)).expect("a vault is made");
        for epoch in 0..2 {
            vault
                .put(Slot { epoch, attempt: 1 }, &SecretBytes::new(vec![7; 34]))
                .expect("a secret is kept");
        }
        drop(vault);
        let good = fs::read(&path).expect("the vault is read");
        Self {
            _folder: folder,
            path,
            good,
        }
    }

    fn write(&self, bytes: &[u8]) {
        let file = fs::OpenOptions::new().write(true).mode(0o600).open(&self.path);
        std::io::Write::write_all(&mut file.expect("the vault opens"), bytes).expect("the vault is written");
    }
}

/// Patches of headers and records, each a block's number, a place in it, whether the block's checksum is made good, and
/// bytes.
fn vault_file(script: &Bytes) -> bool {
    thread_local! {
        static VAULT: Vault = Vault::make();
    }
    VAULT.with(|vault| {
        let (mut bytes, mut d) = (vault.good.clone(), Decoder::new(script));
        for _ in 0..PARTS_MAX {
            let patch = (|| Ok::<_, DecodeError>((d.u8()?, d.varint()?, d.u8()?, d.bytes()?)))();
            let Ok((block, at, good, patch)) = patch else {
                break;
            };
            let blocks = eunoe_vault::fuzzing::BLOCKS;
            let offset =
                usize::try_from(blocks[usize::from(block) % blocks.len()]).expect("a place in a file");
            let block = &mut bytes[offset..offset + BLOCK_BYTES];
            let at = usize::try_from(at).unwrap_or(BLOCK_BYTES) % BLOCK_BYTES;
            let end = (at + patch.len()).min(BLOCK_BYTES);
            block[at..end].copy_from_slice(&patch[..end - at]);
            if good % 2 == 1 {
                eunoe_vault::fuzzing::repair(block);
            }
        }
        vault.write(&bytes);
        let Ok(opened) = FileVault::open(&vault.path, OPTIONS, Box::new(OsEntropy)) else {
            return false;
        };
        let Ok(slots) = opened.list() else { return false };
        let given = slots.iter().filter(|slot| opened.get(**slot).is_ok()).count() > 0;
        if let Some(slot) = slots.first()
            && opened.destroy(*slot).is_ok()
        {
            let left = opened.list();
            assert!(
                left.is_ok_and(|left| !left.contains(slot)),
                "a destroyed slot is held"
            );
        }
        given
    })
}
