//! Files of a witness's folder: read whole or not at all, replaced as one step that outlasts a power failure.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use zeroize::Zeroizing;

use super::KeeperError;

/// A witness's folder, which no other process uses as long as this is held.
pub(super) struct Folder {
    path: PathBuf,
    /// Holds the lock, and is what makes renames durable.
    directory: File,
}

impl Folder {
    /// Takes the folder; makes it if it is not there.
    pub(super) fn take(path: &Path) -> Result<Self, KeeperError> {
        let io = |error| KeeperError::io(path, error);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(io)?;
        let directory = File::open(path).map_err(io)?;
        // Two processes would cosign two trees upon one memory.
        match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                directory,
            }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(KeeperError::Taken {
                path: path.to_owned(),
            }),
            Err(error) => Err(io(error.into())),
        }
    }

    /// The place of a file.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A file's bytes, unless there is no such file. One that is longer than `bytes_max` is damaged.
    pub(super) fn read(
        &self,
        name: &str,
        bytes_max: usize,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, KeeperError> {
        let path = self.file(name);
        let io = |error| KeeperError::io(&path, error);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(io)?,
        };
        let mut bytes = Zeroizing::new(Vec::new());
        let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
        file.take(limit).read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() > bytes_max {
            return Err(KeeperError::damaged(&path, "it is longer than any"));
        }
        Ok(Some(bytes))
    }

    /// Whether others than the owner may read a file.
    pub(super) fn is_open_to_others(&self, name: &str) -> Result<bool, KeeperError> {
        let path = self.file(name);
        let found = fs::metadata(&path).map_err(|error| KeeperError::io(&path, error))?;
        Ok(found.permissions().mode() & 0o077 != 0)
    }

    /// Replaces a file. When this returns, the new bytes are there for good; when it fails, it is not known which are.
    pub(super) fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), KeeperError> {
        let (path, next) = (self.file(name), self.file(&format!("{name}.next")));
        let replaced = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&next)
            .and_then(|mut file| {
                file.write_all(bytes)?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&next, &path))
            .and_then(|()| self.directory.sync_all());
        replaced.map_err(|error| KeeperError::io(&path, error))
    }
}
