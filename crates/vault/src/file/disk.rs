//! Reads and writes that reach the medium: direct, synchronous, in place, read back.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{Advice, FallocateFlags, FlockOperation, OFlags};
use zeroize::Zeroize;

use super::layout::{BLOCK_BYTES, FILE_BYTES, HEADER_OFFSETS};
use crate::VaultError;

const OWNER_ONLY: u32 = 0o600;

/// A buffer aligned for direct I/O, wiped when dropped.
pub(super) struct Block {
    memory: Vec<u8>,
    start: usize,
    len: usize,
}

impl Block {
    pub(super) fn zeroed(len: usize) -> Self {
        let memory = vec![0; len + BLOCK_BYTES];
        let address = memory.as_ptr().addr();
        Self {
            start: address.next_multiple_of(BLOCK_BYTES) - address,
            memory,
            len,
        }
    }
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.len]
    }
}

impl AsMut<[u8]> for Block {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.len]
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.memory.zeroize();
    }
}

/// The vault's file, locked against other processes.
pub(super) struct Disk {
    file: File,
    direct: bool,
}

impl Disk {
    /// Makes a whole file of zeros with `header` in it, under another name until it is durable and accepted.
    pub(super) fn create(
        path: &Path,
        header: &Block,
        accept: impl FnOnce(&File) -> Result<(), VaultError>,
    ) -> Result<(), VaultError> {
        let unfinished = path.with_extension("unfinished");
        // It never held a secret: what a crash left there may go by unlinking.
        match std::fs::remove_file(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(VaultError::io("removing an unfinished vault")(error));
            }
            _ => {}
        }
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(OWNER_ONLY)
            .open(&unfinished)
            .map_err(VaultError::io("creating the vault's file"))?;
        accept(&file)?;
        write_whole(&file, header).map_err(VaultError::io("preallocating the vault's file"))?;
        // A hard link, unlike a rename, never replaces a vault that is there already.
        std::fs::hard_link(&unfinished, path).map_err(VaultError::io("naming the vault's file"))?;
        std::fs::remove_file(&unfinished).map_err(VaultError::io("removing an unfinished vault"))?;
        sync_directory_of(path).map_err(VaultError::io("syncing the vault's directory"))
    }

    pub(super) fn open(path: &Path) -> Result<Self, VaultError> {
        let (file, direct) = open_direct(path).map_err(VaultError::io("opening the vault's file"))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(VaultError::InUse),
            Err(error) => return Err(VaultError::io("locking the vault's file")(error)),
        }
        check_metadata(&file)?;
        Ok(Self { file, direct })
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn is_direct(&self) -> bool {
        self.direct
    }

    pub(super) fn read(&self, offset: u64, block: &mut Block) -> Result<(), VaultError> {
        if !self.direct {
            // Only advice, but the nearest to reading the medium itself.
            let whole = std::num::NonZero::new(FILE_BYTES);
            rustix::fs::fadvise(&self.file, 0, whole, Advice::DontNeed)
                .map_err(VaultError::io("dropping the vault's cached pages"))?;
        }
        self.file
            .read_exact_at(block.as_mut(), offset)
            .map_err(VaultError::io("reading the vault"))
    }

    /// Writes in place and durably, and reads back.
    pub(super) fn write(&self, offset: u64, block: &Block) -> Result<(), VaultError> {
        self.file
            .write_all_at(block.as_ref(), offset)
            .map_err(VaultError::io("writing the vault"))?;
        let mut kept = Block::zeroed(block.len);
        self.read(offset, &mut kept)?;
        if kept.as_ref() == block.as_ref() {
            Ok(())
        } else {
            Err(VaultError::ReadBack)
        }
    }
}

fn write_whole(file: &File, header: &Block) -> io::Result<()> {
    rustix::fs::fallocate(file, FallocateFlags::empty(), 0, FILE_BYTES)?;
    // Written, not only allocated: a first write to an allocated block changes the file system's map.
    let zeros = vec![0; BLOCK_BYTES * 16];
    for offset in (0..FILE_BYTES).step_by(zeros.len()) {
        let rest = usize::try_from(FILE_BYTES - offset)
            .unwrap_or(usize::MAX)
            .min(zeros.len());
        file.write_all_at(&zeros[..rest], offset)?;
    }
    for offset in HEADER_OFFSETS {
        file.write_all_at(header.as_ref(), offset)?;
    }
    file.sync_all()
}

fn sync_directory_of(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// Opens for direct I/O, or for synchronous I/O where the file system has no direct one.
fn open_direct(path: &Path) -> io::Result<(File, bool)> {
    let open = |flags: OFlags| {
        let flags = (flags | OFlags::DSYNC | OFlags::NOFOLLOW).bits();
        OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(flags.cast_signed())
            .open(path)
    };
    match open(OFlags::DIRECT) {
        Ok(file) => Ok((file, true)),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok((open(OFlags::empty())?, false)),
        Err(error) => Err(error),
    }
}

fn check_metadata(file: &File) -> Result<(), VaultError> {
    let metadata = file
        .metadata()
        .map_err(VaultError::io("inspecting the vault's file"))?;
    let mode = metadata.mode() & 0o777;
    if mode != OWNER_ONLY {
        return Err(VaultError::Permissions(mode));
    }
    if metadata.nlink() > 1 {
        return Err(VaultError::Damaged("its file has several names"));
    }
    if metadata.len() != FILE_BYTES {
        return Err(VaultError::Damaged("its file's length"));
    }
    if metadata.blocks() * 512 < FILE_BYTES {
        return Err(VaultError::Damaged("its file is sparse"));
    }
    Ok(())
}
