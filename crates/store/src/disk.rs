//! The few file operations whose order and syncing decide what a crash can leave behind.
//!
//! A rename is durable only after its directory was synced, and a new file only after both were.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use eunoe_types::Fault;
use rustix::fs::FlockOperation;

/// Turns an I/O error into a fault that names the action and the file.
pub(crate) fn fault(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Fault {
    let what = format!("{action} {}", path.display());
    move |source| Fault::io(what, source)
}

/// Makes the names in a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), Fault> {
    File::open(dir)
        .and_then(|file| file.sync_all())
        .map_err(fault("sync directory", dir))
}

/// Makes a file's bytes durable.
pub(crate) fn sync_file(path: &Path) -> Result<(), Fault> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(fault("sync", path))
}

/// Creates a directory with its parents, durably.
pub(crate) fn create_dir(dir: &Path) -> Result<(), Fault> {
    if dir.is_dir() {
        return Ok(());
    }
    let parent = parent(dir)?;
    create_dir(parent)?;
    match fs::create_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(fault("create directory", dir)(error))
        }
        _ => sync_dir(parent),
    }
}

/// The directory that holds `path`.
pub(crate) fn parent(path: &Path) -> Result<&Path, Fault> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Ok(Path::new(".")),
        Some(parent) => Ok(parent),
        None => Err(Fault::broken(format!(
            "{} has no parent directory",
            path.display()
        ))),
    }
}

/// Renames `from` to `to` and makes it durable in both directories.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), Fault> {
    fs::rename(from, to).map_err(fault("rename", from))?;
    let (source, target) = (parent(from)?, parent(to)?);
    sync_dir(target)?;
    if source != target {
        sync_dir(source)?;
    }
    Ok(())
}

/// Writes a small file whole: after a crash it is there with all its bytes, or not at all.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    let draft = path.with_extension("tmp");
    let written = File::create(&draft).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(fault("write", &draft))?;
    rename(&draft, path)
}

/// Reads a small file; `None` if there is none; a fault if it is longer than `bytes_max`.
pub(crate) fn read_small(path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, Fault> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(fault("open", path))?,
    };
    let mut bytes = Vec::new();
    file.take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .map_err(fault("read", path))?;
    if bytes.len() as u64 > bytes_max {
        return Err(Fault::broken(format!(
            "{} is longer than it can be",
            path.display()
        )));
    }
    Ok(Some(bytes))
}

/// Removes a directory and everything in it, if it is there, durably.
pub(crate) fn remove_dir(dir: &Path) -> Result<(), Fault> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(fault("remove directory", dir)(error)),
        Ok(()) => sync_dir(parent(dir)?),
    }
}

/// The entries of a directory, sorted; none if there is no such directory.
pub(crate) fn list(dir: &Path) -> Result<Vec<PathBuf>, Fault> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(fault("list", dir))?,
    };
    let paths: io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(fault("list", dir))?;
    paths.sort();
    Ok(paths)
}

/// The last part of a path as text; empty if it is not text, which no name of ours is.
pub(crate) fn name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
}

/// Bytes of all files below a directory. Files that vanish meanwhile count nothing.
#[cfg(feature = "rocks")]
pub(crate) fn bytes_below(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => bytes_below(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// Holds a directory for this process until it is dropped.
#[derive(Debug)]
pub(crate) struct DirLock {
    _file: File,
}

impl DirLock {
    /// Takes the lock, or says that another process has it.
    pub(crate) fn take(dir: &Path) -> Result<Self, Fault> {
        let path = dir.join("LOCK");
        let options = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .open(&path);
        Self::lock(
            options.map_err(fault("open", &path))?,
            &path,
            FlockOperation::NonBlockingLockExclusive,
        )
    }

    /// Takes the lock without writing anything; `None` if the directory was never locked.
    pub(crate) fn take_shared(dir: &Path) -> Result<Option<Self>, Fault> {
        let path = dir.join("LOCK");
        match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(fault("open", &path)(error)),
            Ok(file) => Self::lock(file, &path, FlockOperation::NonBlockingLockShared).map(Some),
        }
    }

    fn lock(file: File, path: &Path, how: FlockOperation) -> Result<Self, Fault> {
        rustix::fs::flock(&file, how)
            .map_err(|error| fault("lock (is another process using the directory?)", path)(error.into()))?;
        Ok(Self { _file: file })
    }
}
