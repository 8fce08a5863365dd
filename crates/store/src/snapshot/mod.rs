//! Snapshots on disk and on their way between nodes: a checkpoint of a state engine and a manifest that tells
//! every file's size and BLAKE3 hash, so that a flipped byte anywhere is found before anything is installed.
//!
//! ```text
//! <dir>/<name>/MANIFEST     and   <dir>/<name>/state/<files>
//! <dir>/tmp-…               whatever was not finished; removed by clean()
//! ```
//!
//! A snapshot gets its name by one rename, after all of it is durable. What the caller keeps in `meta`
//! (position, membership) is opaque here.

mod incoming;
mod manifest;
mod outgoing;

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use eunoe_types::Fault;

use crate::{StateEngine, disk};
pub use incoming::Incoming;
pub use manifest::{FileEntry, Manifest};
pub use outgoing::{Chunk, Chunks};

/// Files of one snapshot.
pub const FILES_MAX: usize = 100_000;
/// Bytes of a snapshot's or a file's name.
pub const NAME_BYTES_MAX: usize = 128;
/// Bytes of an encoded manifest.
pub const MANIFEST_BYTES_MAX: usize = 32 << 20;

const MANIFEST_FILE: &str = "MANIFEST";
const STATE_DIR: &str = "state";
/// RocksDB writes a table once and never again.
const SEALED_SUFFIX: &str = ".sst";
const UNFINISHED: &str = "tmp-";
const READ_BYTES: usize = 256 * 1024;

/// Why a snapshot cannot be taken from a peer or from disk.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// What was received or read is not a whole and unchanged snapshot. Fetch another.
    #[error("the snapshot is refused: {0}")]
    Refused(&'static str),
    /// This node is unfit.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// A snapshot under its name, whole when it got it.
#[derive(Debug)]
pub struct Snapshot {
    path: PathBuf,
    manifest: Manifest,
}

impl Snapshot {
    /// Reads the manifest of the snapshot in `path`; the files are not looked at.
    pub fn open(path: &Path) -> Result<Self, SnapshotError> {
        let bytes = disk::read_small(&path.join(MANIFEST_FILE), MANIFEST_BYTES_MAX as u64)?;
        let bytes = bytes.ok_or(SnapshotError::Refused("it has no manifest"))?;
        Ok(Self {
            path: path.to_owned(),
            manifest: Manifest::decode(&bytes)?,
        })
    }

    /// Checks size and hash of every file, and that there is no other.
    pub fn verify(&self) -> Result<(), SnapshotError> {
        let found = disk::list(&self.state_dir())?;
        if !found.iter().map(|path| disk::name(path)).eq(self
            .manifest
            .files
            .iter()
            .map(|file| file.name.as_str()))
        {
            return Err(SnapshotError::Refused("its files are not those of its manifest"));
        }
        for (path, expected) in found.iter().zip(&self.manifest.files) {
            if hash_file(path)? != (expected.bytes, expected.hash) {
                return Err(SnapshotError::Refused("a file does not match its hash"));
            }
        }
        Ok(())
    }

    /// The name that it was built or received under.
    pub fn name(&self) -> &str {
        disk::name(&self.path)
    }

    /// The directory of the whole snapshot.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory that the state engine wrote, and that [`crate::StateFactory::replace`] takes.
    pub fn state_dir(&self) -> PathBuf {
        self.path.join(STATE_DIR)
    }

    /// The caller's bytes.
    pub fn meta(&self) -> &[u8] {
        &self.manifest.meta
    }

    /// The manifest: what a receiver needs first.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.manifest.bytes()
    }

    /// The files' content in chunks of at most `chunk_bytes`, read as they are asked for.
    pub fn chunks(&self, chunk_bytes: usize) -> Chunks<&Self> {
        Chunks::new(self, chunk_bytes)
    }

    /// Copies the state into the new directory `into`, for [`crate::StateFactory::replace`] to consume while the
    /// snapshot stays. Files that no engine ever writes again are linked, not copied.
    pub fn copy_state(&self, into: &Path) -> Result<(), Fault> {
        disk::remove_dir(into)?;
        fs::create_dir(into).map_err(disk::fault("create directory", into))?;
        for file in &self.manifest.files {
            let (from, to) = (self.state_dir().join(&file.name), into.join(&file.name));
            if file.name.ends_with(SEALED_SUFFIX) {
                fs::hard_link(&from, &to).map_err(disk::fault("link", &to))?;
            } else {
                fs::copy(&from, &to).map_err(disk::fault("copy", &to))?;
            }
        }
        Ok(())
    }

    /// Deletes it.
    pub fn remove(self) -> Result<(), Fault> {
        discard(&self.path)
    }
}

/// Makes a snapshot of `engine` in `dir`, under `name`, in the place of one that had that name.
pub fn build<E: StateEngine>(
    engine: &E,
    dir: &Path,
    name: &str,
    meta: &[u8],
) -> Result<Snapshot, SnapshotError> {
    build_with(dir, name, |into| {
        engine.checkpoint(into)?;
        Ok(meta.to_vec())
    })
}

/// Makes a snapshot of what `checkpoint` writes into the new directory it is given; it answers the caller's bytes.
///
/// Whoever must hold writers off for the checkpoint does so within `checkpoint`: the hashing comes after it.
pub fn build_with(
    dir: &Path,
    name: &str,
    checkpoint: impl FnOnce(&Path) -> Result<Vec<u8>, Fault>,
) -> Result<Snapshot, SnapshotError> {
    let draft = begin(dir, name)?;
    let state = draft.join(STATE_DIR);
    let meta = checkpoint(&state)?;
    let mut files = Vec::new();
    for path in disk::list(&state)? {
        disk::sync_file(&path)?;
        let (bytes, hash) = hash_file(&path)?;
        files.push(FileEntry {
            name: disk::name(&path).to_owned(),
            bytes,
            hash,
        });
    }
    let manifest = Manifest { meta, files };
    manifest.check()?;
    finish(dir, name, &draft, manifest)
}

/// The snapshots in `dir`, in the order of their names. One whose manifest is damaged is an error.
pub fn list(dir: &Path) -> Result<Vec<Snapshot>, SnapshotError> {
    let finished = disk::list(dir)?
        .into_iter()
        .filter(|path| is_name(disk::name(path)) && path.is_dir());
    finished.map(|path| Snapshot::open(&path)).collect()
}

/// Removes what was left unfinished; to be called once at start, before anything is built or received.
pub fn clean(dir: &Path) -> Result<(), Fault> {
    for path in disk::list(dir)?.iter().filter(|path| is_unfinished(path)) {
        disk::remove_dir(path)?;
    }
    Ok(())
}

/// Removes all snapshots but the one named `name`.
pub fn keep_only(dir: &Path, name: &str) -> Result<(), Fault> {
    let others = disk::list(dir)?
        .into_iter()
        .filter(|path| path.is_dir() && disk::name(path) != name);
    for path in others.filter(|path| is_name(disk::name(path))) {
        discard(&path)?;
    }
    Ok(())
}

/// Whether something was left unfinished here.
pub(crate) fn is_unfinished(path: &Path) -> bool {
    disk::name(path).starts_with(UNFINISHED)
}

/// Whether `name` is one that a snapshot or a file in it can have: no separator, nothing hidden, not temporary.
fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(allowed)
        && !name.starts_with('.')
        && !name.starts_with(UNFINISHED)
}

fn begin(dir: &Path, name: &str) -> Result<PathBuf, SnapshotError> {
    if !is_name(name) {
        return Err(SnapshotError::Refused("its name is not a plain file name"));
    }
    disk::create_dir(dir)?;
    let draft = dir.join(format!("{UNFINISHED}{name}"));
    disk::remove_dir(&draft)?;
    fs::create_dir(&draft).map_err(disk::fault("create directory", &draft))?;
    Ok(draft)
}

/// Makes the draft durable, then gives it its name.
fn finish(dir: &Path, name: &str, draft: &Path, manifest: Manifest) -> Result<Snapshot, SnapshotError> {
    disk::write_whole(&draft.join(MANIFEST_FILE), &manifest.encode())?;
    disk::sync_dir(&draft.join(STATE_DIR))?;
    disk::sync_dir(draft)?;
    let path = dir.join(name);
    if path.is_dir() {
        discard(&path)?;
    }
    disk::rename(draft, &path)?;
    Ok(Snapshot { path, manifest })
}

/// Takes the name away first: no crash leaves half a snapshot under it.
fn discard(path: &Path) -> Result<(), Fault> {
    let doomed = disk::parent(path)?.join(format!("{UNFINISHED}old-{}", disk::name(path)));
    disk::remove_dir(&doomed)?;
    disk::rename(path, &doomed)?;
    disk::remove_dir(&doomed)
}

fn hash_file(path: &Path) -> Result<(u64, [u8; 32]), Fault> {
    let mut file = File::open(path).map_err(disk::fault("open", path))?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match file.read(&mut buffer).map_err(disk::fault("read", path))? {
            0 => return Ok((hasher.count(), *hasher.finalize().as_bytes())),
            bytes => hasher.update(&buffer[..bytes]),
        };
    }
}

#[cfg(test)]
#[path = "snapshot_test.rs"]
mod tests;
