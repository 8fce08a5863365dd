//! Receives a snapshot that a peer sends: nothing it says is trusted until every hash was checked.
//!
//! Chunks come in the order of the manifest, without gaps, so that hashes are computed as bytes arrive and
//! nothing is written beyond the sizes that were accepted at the beginning.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::{Chunk, Manifest, STATE_DIR, Snapshot, SnapshotError, begin, finish};
use crate::disk;

/// A snapshot that is being received.
pub struct Incoming {
    dir: PathBuf,
    name: String,
    draft: PathBuf,
    manifest: Manifest,
    open: Option<Open>,
    /// The file that comes next.
    next: usize,
}

struct Open {
    file: File,
    path: PathBuf,
    hasher: blake3::Hasher,
}

impl Incoming {
    /// Begins to receive into `dir`, under `name`, what `manifest` (encoded) announces: at most `bytes_max` bytes.
    pub fn begin(dir: &Path, name: &str, manifest: &[u8], bytes_max: u64) -> Result<Self, SnapshotError> {
        let manifest = Manifest::decode(manifest)?;
        if manifest.bytes() > bytes_max {
            return Err(SnapshotError::Refused("it is too large"));
        }
        let draft = begin(dir, name)?;
        let state = draft.join(STATE_DIR);
        std::fs::create_dir(&state).map_err(disk::fault("create directory", &state))?;
        let mut incoming = Self {
            dir: dir.to_owned(),
            name: name.to_owned(),
            draft,
            manifest,
            open: None,
            next: 0,
        };
        incoming.advance()?;
        Ok(incoming)
    }

    /// Takes the next chunk.
    pub fn write(&mut self, chunk: &Chunk) -> Result<(), SnapshotError> {
        let (Some(open), Some(entry)) = (&mut self.open, self.manifest.files.get(self.next)) else {
            return Err(SnapshotError::Refused("it goes on after its end"));
        };
        let at = open.hasher.count();
        if chunk.file as usize != self.next || chunk.offset != at {
            return Err(SnapshotError::Refused("a chunk is out of order"));
        }
        if chunk.data.is_empty() || chunk.data.len() as u64 > entry.bytes - at {
            return Err(SnapshotError::Refused("a chunk is empty or goes beyond its file"));
        }
        open.file
            .write_all(&chunk.data)
            .map_err(disk::fault("write", &open.path))?;
        open.hasher.update(&chunk.data);
        self.advance()
    }

    /// Whether all bytes are here.
    pub fn is_complete(&self) -> bool {
        self.next == self.manifest.files.len()
    }

    /// The caller's bytes in the manifest.
    pub fn meta(&self) -> &[u8] {
        &self.manifest.meta
    }

    /// Makes the verified snapshot durable and gives it its name.
    pub fn finish(self) -> Result<Snapshot, SnapshotError> {
        if !self.is_complete() {
            return Err(SnapshotError::Refused("it ends too early"));
        }
        finish(&self.dir, &self.name, &self.draft, self.manifest)
    }

    /// Closes the file that is complete and opens the next; files without bytes come and go at once.
    fn advance(&mut self) -> Result<(), SnapshotError> {
        while let Some(entry) = self.manifest.files.get(self.next) {
            let path = self.draft.join(STATE_DIR).join(&entry.name);
            let open = match self.open.take() {
                Some(open) => open,
                None => Open {
                    file: File::create_new(&path).map_err(disk::fault("create", &path))?,
                    path: path.clone(),
                    hasher: blake3::Hasher::new(),
                },
            };
            if open.hasher.count() < entry.bytes {
                self.open = Some(open);
                return Ok(());
            }
            if open.hasher.finalize() != entry.hash {
                return Err(SnapshotError::Refused("a file does not match its hash"));
            }
            open.file.sync_all().map_err(disk::fault("sync", &path))?;
            self.next += 1;
        }
        Ok(())
    }
}
