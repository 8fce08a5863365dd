//! The file beside the keys: which slot is sealed under which key, and the sealed secrets. Without the keys it is
//! noise, so it may be copied, backed up and replaced by renaming.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use eunoe_types::{DecodeError, Decoder, Encoder, TimeMs};
use rustix::fs::FlockOperation;

use crate::{SLOTS, Slot, VaultError};

/// Destroyed slots that a keeper may still have copies of, at most: one an hour for five months.
pub(crate) const PENDING_MAX: usize = 4096;

const MAGIC: &[u8; 8] = b"EUNOEWRP";
const VERSION: u8 = 1;
const HELD: u8 = 1;
const PENDING: u8 = 2;
const CHECKSUM_BYTES: usize = 32;
const FILE_BYTES_MAX: u64 = 1 << 20;
const OWNER_ONLY: u32 = 0o600;

/// What the catalog knows of one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// A secret is in it.
    Held {
        /// Which key of the vault.
        serial: u64,
        /// What the key gives the sealing key for.
        wrapped: Vec<u8>,
        /// The secret under the sealing key.
        sealed: Vec<u8>,
    },
    /// Its key is deleted; copies of the key end then.
    Pending {
        /// When.
        until: TimeMs,
    },
}

/// The content of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Catalog {
    /// The provider whose keys these are.
    pub(crate) kind: String,
    /// Tells one vault from another.
    pub(crate) id: [u8; 16],
    /// Changes so far.
    pub(crate) counter: u64,
    /// The slots, in order, each once.
    pub(crate) slots: Vec<(Slot, State)>,
}

impl Catalog {
    /// What is known of `slot`.
    pub(crate) fn get(&self, slot: Slot) -> Option<&State> {
        let at = self.slots.binary_search_by_key(&slot, |(slot, _)| *slot).ok()?;
        Some(&self.slots[at].1)
    }

    /// Changes what is known of `slot`.
    pub(crate) fn set(&mut self, slot: Slot, state: Option<State>) {
        match (self.slots.binary_search_by_key(&slot, |(slot, _)| *slot), state) {
            (Ok(at), Some(state)) => self.slots[at].1 = state,
            (Ok(at), None) => drop(self.slots.remove(at)),
            (Err(at), Some(state)) => self.slots.insert(at, (slot, state)),
            (Err(_), None) => {}
        }
    }

    /// Drops what nothing is left of.
    pub(crate) fn forget_expired(&mut self, now: TimeMs) {
        self.slots
            .retain(|(_, state)| !matches!(state, State::Pending { until } if *until <= now));
    }

    /// How many slots hold a secret, and how many wait for the end of copies.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let held = |(_, state): &&(Slot, State)| matches!(state, State::Held { .. });
        let held = self.slots.iter().filter(held).count();
        (held, self.slots.len() - held)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.encode_body();
        let checksum = blake3::hash(&bytes);
        bytes.extend_from_slice(checksum.as_bytes());
        bytes
    }

    /// All but the checksum.
    pub(crate) fn encode_body(&self) -> Vec<u8> {
        let mut e = Encoder::new();
        e.fixed(MAGIC)
            .u8(VERSION)
            .text(&self.kind)
            .fixed(&self.id)
            .varint(self.counter)
            .varint(self.slots.len() as u64);
        for (slot, state) in &self.slots {
            e.varint(slot.epoch).varint(u64::from(slot.attempt));
            match state {
                State::Held {
                    serial,
                    wrapped,
                    sealed,
                } => e.u8(HELD).varint(*serial).bytes(wrapped).bytes(sealed),
                State::Pending { until } => e.u8(PENDING).varint(until.0),
            };
        }
        e.finish()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, checksum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM_BYTES)?)?;
        if blake3::hash(body).as_bytes() != checksum {
            return None;
        }
        Self::decode_body(body).ok()
    }

    pub(crate) fn decode_body(body: &[u8]) -> Result<Self, DecodeError> {
        let mut d = Decoder::new(body);
        if d.array()? != *MAGIC || d.u8()? != VERSION {
            return Err(DecodeError::Range);
        }
        let mut catalog = Self {
            kind: d.text()?.to_owned(),
            id: d.array()?,
            counter: d.varint()?,
            slots: Vec::new(),
        };
        for _ in 0..d.count(SLOTS + PENDING_MAX)? {
            let slot = Slot {
                epoch: d.varint()?,
                attempt: d.varint_u32()?,
            };
            let state = match d.u8()? {
                HELD => State::Held {
                    serial: d.varint()?,
                    wrapped: d.bytes()?.to_vec(),
                    sealed: d.bytes()?.to_vec(),
                },
                PENDING => State::Pending {
                    until: TimeMs(d.varint()?),
                },
                _ => return Err(DecodeError::Range),
            };
            if catalog.slots.last().is_some_and(|(last, _)| *last >= slot) {
                return Err(DecodeError::Range);
            }
            catalog.slots.push((slot, state));
        }
        d.finish()?;
        Ok(catalog)
    }
}

/// Where the catalog is, locked against other processes.
pub(crate) struct CatalogFile {
    path: PathBuf,
    // Another file than the catalog, which is replaced by each change. Closing it ends the lock.
    _lock: File,
}

impl CatalogFile {
    /// Makes the file, where there must be none.
    pub(crate) fn create(path: &Path, catalog: &Catalog) -> Result<Self, VaultError> {
        let file = Self::lock(path)?;
        let written = file.write_aside(catalog)?;
        // A hard link, unlike a rename, never replaces a catalog that is there already.
        let named = std::fs::hard_link(&written, path);
        std::fs::remove_file(&written).map_err(VaultError::io("removing an unfinished catalog"))?;
        named.map_err(VaultError::io("naming the vault's catalog"))?;
        file.sync_directory()?;
        Ok(file)
    }

    /// Takes the file over. Whether there is one shows when it is read.
    pub(crate) fn lock(path: &Path) -> Result<Self, VaultError> {
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(OWNER_ONLY)
            .open(path.with_extension("lock"))
            .map_err(VaultError::io("opening the vault's lock"))?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                _lock: lock,
            }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(VaultError::InUse),
            Err(error) => Err(VaultError::io("locking the vault")(error)),
        }
    }

    pub(crate) fn read(&self) -> Result<Catalog, VaultError> {
        let file = File::open(&self.path).map_err(VaultError::io("opening the vault's catalog"))?;
        let metadata = file
            .metadata()
            .map_err(VaultError::io("inspecting the vault's catalog"))?;
        let mode = metadata.mode() & 0o777;
        if mode != OWNER_ONLY {
            return Err(VaultError::Permissions(mode));
        }
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX)
            .read_to_end(&mut bytes)
            .map_err(VaultError::io("reading the vault's catalog"))?;
        Catalog::decode(&bytes).ok_or(VaultError::Damaged("its catalog"))
    }

    /// Replaces the content: after a crash it is the old or the new one.
    pub(crate) fn write(&self, catalog: &Catalog) -> Result<(), VaultError> {
        let written = self.write_aside(catalog)?;
        std::fs::rename(&written, &self.path).map_err(VaultError::io("renaming the vault's catalog"))?;
        self.sync_directory()?;
        if self.read()? == *catalog {
            Ok(())
        } else {
            Err(VaultError::ReadBack)
        }
    }

    /// Makes sure that what is read is also on the disk: the writer may have ended before it was.
    pub(crate) fn sync(&self) -> Result<(), VaultError> {
        File::open(&self.path)
            .and_then(|file| file.sync_all())
            .map_err(VaultError::io("syncing the vault's catalog"))?;
        self.sync_directory()
    }

    fn write_aside(&self, catalog: &Catalog) -> Result<PathBuf, VaultError> {
        let aside = self.path.with_extension("unfinished");
        let write = || -> io::Result<()> {
            match std::fs::remove_file(&aside) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(OWNER_ONLY)
                .open(&aside)?;
            file.write_all(&catalog.encode())?;
            file.sync_all()
        };
        write().map_err(VaultError::io("writing the vault's catalog"))?;
        Ok(aside)
    }

    fn sync_directory(&self) -> Result<(), VaultError> {
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))
            .and_then(|directory| directory.sync_all())
            .map_err(VaultError::io("syncing the vault's directory"))
    }
}
