//! The `file` provider: a fixed, preallocated file whose slots are forgotten by overwriting in place.
//!
//! A slot's secret is sealed under a hash of 64 KiB of random bytes, its *blob*: losing any part of the blob
//! loses the secret, so a half-finished destruction is already a destruction. The file never grows, shrinks
//! or moves, because all of that leaves old blocks behind.

mod disk;
mod extents;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod layout;
mod medium;

use std::fs::File;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use eunoe_crypto::{Entropy, SealingKey, SecretBytes, SecretKey};

use self::disk::{Block, Disk};
use self::layout::{BLOB_BYTES, Header, Record, blob_offset, record_offset};
use crate::vault::check_secret;
use crate::{Destroyed, ErasableVault, SLOTS, Slot, VaultClass, VaultDescriptor, VaultError};

/// How a vault's file is opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileVaultOptions {
    /// Development only: accept a file system that may keep copies of what is overwritten. The descriptor,
    /// and so every receipt, says so.
    pub allow_unsafe_medium: bool,
}

/// A vault in one file, locked while open.
pub struct FileVault {
    medium: String,
    unsafe_medium: Option<String>,
    state: Mutex<State>,
}

struct State {
    disk: Disk,
    header: Header,
    entropy: Box<dyn Entropy>,
}

impl FileVault {
    /// Makes a vault at `path`, where there must be nothing, and opens it.
    ///
    /// Only a new node does this: a known node whose vault is missing has lost it, and must not get an empty
    /// one in silence.
    pub fn create(
        path: &Path,
        options: FileVaultOptions,
        mut entropy: Box<dyn Entropy>,
    ) -> Result<Self, VaultError> {
        let mut id = [0; 16];
        entropy.fill(&mut id).map_err(eunoe_crypto::SealError::from)?;
        let header = Header {
            id,
            counter: 0,
            busy: None,
        };
        Disk::create(path, &header.encode(), |file| accept(file, options).map(drop))?;
        Self::open(path, options, entropy)
    }

    /// Opens the vault at `path` and ends what a crash left unfinished.
    pub fn open(
        path: &Path,
        options: FileVaultOptions,
        entropy: Box<dyn Entropy>,
    ) -> Result<Self, VaultError> {
        let disk = Disk::open(path)?;
        let unsafe_medium = match accept(disk.file(), options)? {
            Some(why) => Some(why),
            None => accept_extents(disk.file(), options)?,
        };
        let header = Header::read(&disk)?;
        let mut state = State {
            disk,
            header,
            entropy,
        };
        state.recover()?;
        let medium = medium::describe(state.disk.file(), state.disk.is_direct())?;
        Ok(Self {
            medium,
            unsafe_medium,
            state: Mutex::new(state),
        })
    }

    /// Refuses to change what lies in a copy too by now: the old bytes would stay with it.
    fn check_extents(&self, state: &State) -> Result<(), VaultError> {
        if self.unsafe_medium.is_some() {
            return Ok(());
        }
        accept_extents(state.disk.file(), FileVaultOptions::default()).map(drop)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each call begins by ending what the one before left unfinished, so a panic in between does no harm.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ErasableVault for FileVault {
    fn descriptor(&self) -> VaultDescriptor {
        let header = self.lock().header;
        VaultDescriptor {
            kind: "file",
            class: if self.unsafe_medium.is_some() {
                VaultClass::Test
            } else {
                VaultClass::File
            },
            id: header.id,
            counter: header.counter,
            medium: self.medium.clone(),
            unsafe_medium: self.unsafe_medium.clone(),
        }
    }

    fn put(&self, slot: Slot, secret: &SecretBytes) -> Result<(), VaultError> {
        check_secret(secret)?;
        let mut state = self.lock();
        state.recover()?;
        let records = state.records()?;
        if let Some(index) = position(&records, slot) {
            let held = state.unseal(index, &records[index])?;
            return if held.matches(secret) {
                Ok(())
            } else {
                Err(VaultError::Taken(slot))
            };
        }
        let free = records
            .iter()
            .position(|record| *record == Record::Free)
            .ok_or(VaultError::Full)?;
        self.check_extents(&state)?;
        state.begin(free)?;
        state.fill(free, slot, secret)?;
        state.end()
    }

    fn get(&self, slot: Slot) -> Result<SecretBytes, VaultError> {
        let state = self.lock();
        let records = state.records()?;
        let index = position(&records, slot).ok_or(VaultError::NotFound(slot))?;
        state.unseal(index, &records[index])
    }

    fn destroy(&self, slot: Slot) -> Result<Destroyed, VaultError> {
        let mut state = self.lock();
        state.recover()?;
        // One place holds it, unless the file was damaged: then each is wiped.
        while let Some(index) = position(&state.records()?, slot) {
            self.check_extents(&state)?;
            state.begin(index)?;
            state.wipe(index)?;
            state.end()?;
        }
        Ok(Destroyed::Now)
    }

    fn list(&self) -> Result<Vec<Slot>, VaultError> {
        let mut slots: Vec<Slot> = self.lock().records()?.iter().filter_map(Record::slot).collect();
        slots.sort_unstable();
        Ok(slots)
    }
}

/// Refuses an unsafe medium, or accepts it and says why it is one.
fn accept(file: &File, options: FileVaultOptions) -> Result<Option<String>, VaultError> {
    match medium::check(file) {
        Ok(()) => Ok(None),
        Err(VaultError::Medium(why)) if options.allow_unsafe_medium => Ok(Some(why)),
        Err(error) => Err(error),
    }
}

/// As [`accept`], for where the file lies.
fn accept_extents(file: &File, options: FileVaultOptions) -> Result<Option<String>, VaultError> {
    match extents::problem(file)? {
        Some(why) if !options.allow_unsafe_medium => Err(VaultError::Medium(why)),
        problem => Ok(problem),
    }
}

fn position(records: &[Record], slot: Slot) -> Option<usize> {
    records.iter().position(|record| record.slot() == Some(slot))
}

impl State {
    fn records(&self) -> Result<Vec<Record>, VaultError> {
        (0..SLOTS).map(|index| self.record(index)).collect()
    }

    fn record(&self, index: usize) -> Result<Record, VaultError> {
        let mut block = Block::zeroed(layout::BLOCK_BYTES);
        self.disk.read(record_offset(index), &mut block)?;
        Record::decode(&block)
    }

    /// Notes on disk that slot `index` is about to change, so that a crash leaves no doubt which one.
    fn begin(&mut self, index: usize) -> Result<(), VaultError> {
        let counter = self.header.counter.checked_add(1);
        self.write_header(Header {
            counter: counter.ok_or(VaultError::Damaged("its counter"))?,
            busy: Some(index),
            ..self.header
        })
    }

    fn end(&mut self) -> Result<(), VaultError> {
        self.write_header(Header {
            busy: None,
            ..self.header
        })
    }

    fn write_header(&mut self, header: Header) -> Result<(), VaultError> {
        // In memory first: if the write fails half-way, the next call must treat the slot as unfinished.
        self.header = header;
        let block = header.encode();
        layout::HEADER_OFFSETS
            .iter()
            .try_for_each(|offset| self.disk.write(*offset, &block))
    }

    /// Ends an unfinished change: a slot that gives its secret stays, any other is wiped.
    fn recover(&mut self) -> Result<(), VaultError> {
        let Some(index) = self.header.busy else {
            return Ok(());
        };
        let whole = self
            .record(index)
            .is_ok_and(|record| self.unseal(index, &record).is_ok());
        if !whole {
            self.wipe(index)?;
        }
        self.end()
    }

    fn fill(&mut self, index: usize, slot: Slot, secret: &SecretBytes) -> Result<(), VaultError> {
        let mut blob = Block::zeroed(BLOB_BYTES);
        self.entropy
            .fill(blob.as_mut())
            .map_err(eunoe_crypto::SealError::from)?;
        let sealed = sealing_key(&blob).seal(&self.aad(slot), secret.expose(), self.entropy.as_mut())?;
        self.disk.write(blob_offset(index), &blob)?;
        let record = Record::Held { slot, sealed };
        self.disk.write(record_offset(index), &record.encode())?;
        let kept = self.unseal(index, &self.record(index)?)?;
        if kept.matches(secret) {
            Ok(())
        } else {
            Err(VaultError::ReadBack)
        }
    }

    fn unseal(&self, index: usize, record: &Record) -> Result<SecretBytes, VaultError> {
        let Record::Held { slot, sealed } = record else {
            return Err(VaultError::Damaged("an empty slot"));
        };
        let mut blob = Block::zeroed(BLOB_BYTES);
        self.disk.read(blob_offset(index), &mut blob)?;
        sealing_key(&blob)
            .open(&self.aad(*slot), sealed)
            .map_err(|_| VaultError::Dead(*slot))
    }

    /// Overwrites blob and record with random bytes, then with zeros, and reads each back.
    fn wipe(&mut self, index: usize) -> Result<(), VaultError> {
        for (offset, bytes) in [
            (blob_offset(index), BLOB_BYTES),
            (record_offset(index), layout::BLOCK_BYTES),
        ] {
            let mut block = Block::zeroed(bytes);
            self.entropy
                .fill(block.as_mut())
                .map_err(eunoe_crypto::SealError::from)?;
            self.disk.write(offset, &block)?;
            self.disk.write(offset, &Block::zeroed(bytes))?;
        }
        Ok(())
    }

    fn aad(&self, slot: Slot) -> Vec<u8> {
        [
            &b"eunoe/vault/v1"[..],
            &self.header.id,
            &slot.epoch.to_le_bytes(),
            &slot.attempt.to_le_bytes(),
        ]
        .concat()
    }
}

fn sealing_key(blob: &Block) -> SealingKey {
    SealingKey::new(SecretKey::derive("eunoe v1 vault blob", blob.as_ref()))
}

#[cfg(test)]
mod golden_test;
#[cfg(test)]
mod tests;
