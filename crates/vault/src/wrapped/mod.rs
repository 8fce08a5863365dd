//! Vaults whose keys live elsewhere: a secret is sealed under a key of its own, that key is wrapped by one that never
//! leaves its keeper, and what is left lies in a file of ciphertext. Forgetting is deleting the keeper's key.
//!
//! The keeper never sees the secret, and the file's copies are worth nothing without the keeper.

mod catalog;
mod keys;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use eunoe_crypto::{Entropy, SealError, SealingKey, SecretBytes, SecretKey};
use eunoe_types::TimeMs;

pub(crate) use self::catalog::{Catalog, PENDING_MAX};
use self::catalog::{CatalogFile, State};
pub(crate) use self::keys::{KeyName, Keys};
use crate::vault::check_secret;
use crate::{Destroyed, SLOTS, Slot, VaultError};

const SEAL_DOMAIN: &[u8] = b"eunoe/vault/wrapped/v1";

/// How long copies of a deleted key live on, and what tells the time.
pub(crate) struct Retention {
    pub(crate) period: Duration,
    pub(crate) now: Box<dyn Fn() -> TimeMs + Send + Sync>,
}

impl Retention {
    /// A deleted key is gone.
    pub(crate) fn none() -> Self {
        Self {
            period: Duration::ZERO,
            now: Box::new(TimeMs::default),
        }
    }

    fn ends(&self) -> TimeMs {
        let period = u64::try_from(self.period.as_millis()).unwrap_or(u64::MAX);
        TimeMs((self.now)().0.saturating_add(period))
    }
}

/// A vault over keys that are kept elsewhere.
pub(crate) struct WrappedVault<K> {
    keys: K,
    retention: Retention,
    // Held for whole calls: what they read must not change until they write.
    state: Mutex<Inner>,
}

struct Inner {
    file: CatalogFile,
    entropy: Box<dyn Entropy>,
    id: [u8; 16],
    counter: u64,
}

impl<K: Keys> WrappedVault<K> {
    /// Makes a vault at `path`, where there must be nothing.
    pub(crate) fn create(
        path: &Path,
        kind: &str,
        keys: K,
        retention: Retention,
        mut entropy: Box<dyn Entropy>,
    ) -> Result<Self, VaultError> {
        let mut id = [0; 16];
        entropy.fill(&mut id).map_err(SealError::from)?;
        let catalog = Catalog {
            kind: kind.to_owned(),
            id,
            counter: 0,
            slots: Vec::new(),
        };
        let file = CatalogFile::create(path, &catalog)?;
        Ok(Self::over(file, &catalog, keys, retention, entropy))
    }

    /// Opens the vault at `path`.
    pub(crate) fn open(
        path: &Path,
        kind: &str,
        keys: K,
        retention: Retention,
        entropy: Box<dyn Entropy>,
    ) -> Result<Self, VaultError> {
        let file = CatalogFile::lock(path)?;
        let catalog = file.read()?;
        if catalog.kind != kind {
            return Err(VaultError::Damaged("its catalog is of another kind of vault"));
        }
        Ok(Self::over(file, &catalog, keys, retention, entropy))
    }

    fn over(
        file: CatalogFile,
        catalog: &Catalog,
        keys: K,
        retention: Retention,
        entropy: Box<dyn Entropy>,
    ) -> Self {
        Self {
            keys,
            retention,
            state: Mutex::new(Inner {
                file,
                entropy,
                id: catalog.id,
                counter: catalog.counter,
            }),
        }
    }

    /// The vault's id and how often it changed.
    pub(crate) fn identity(&self) -> ([u8; 16], u64) {
        let inner = self.lock();
        (inner.id, inner.counter)
    }

    /// See [`crate::ErasableVault::put`].
    pub(crate) fn put(&self, slot: Slot, secret: &SecretBytes) -> Result<(), VaultError> {
        check_secret(secret)?;
        let mut inner = self.lock();
        let mut catalog = self.read(&inner)?;
        match catalog.get(slot) {
            Some(State::Held { .. }) => {
                let held = self.open_slot(&catalog, slot)?;
                return if held.matches(secret) {
                    inner.file.sync()
                } else {
                    Err(VaultError::Taken(slot))
                };
            }
            // What copies may give back is alive: it is not replaced.
            Some(State::Pending { .. }) => return Err(VaultError::Dead(slot)),
            None => {}
        }
        if catalog.counts().0 >= SLOTS {
            return Err(VaultError::Full);
        }
        // An earlier call may have ended between its key and the catalog.
        self.delete_all(&catalog, slot)?;
        let name = KeyName {
            vault: catalog.id,
            slot,
            serial: serial(inner.entropy.as_mut())?,
        };
        let state = self.seal(&name, secret, inner.entropy.as_mut())?;
        catalog.set(slot, Some(state));
        if !self.open_slot(&catalog, slot)?.matches(secret) {
            return Err(VaultError::ReadBack);
        }
        inner.write(&mut catalog)
    }

    /// See [`crate::ErasableVault::get`].
    pub(crate) fn get(&self, slot: Slot) -> Result<SecretBytes, VaultError> {
        let inner = self.lock();
        self.open_slot(&self.read(&inner)?, slot)
    }

    /// See [`crate::ErasableVault::destroy`].
    pub(crate) fn destroy(&self, slot: Slot) -> Result<Destroyed, VaultError> {
        let mut inner = self.lock();
        let mut catalog = self.read(&inner)?;
        let deleted = self.delete_all(&catalog, slot)?;
        let pending = match catalog.get(slot) {
            // A key that came back was copied: its copies end later than was thought.
            Some(State::Pending { until }) if !deleted => Some(*until),
            _ if deleted && !self.retention.period.is_zero() => Some(self.retention.ends()),
            _ => None,
        };
        let state = pending.map(|until| State::Pending { until });
        if catalog.get(slot) != state.as_ref() {
            catalog.set(slot, state);
            if catalog.counts().1 > PENDING_MAX {
                return Err(VaultError::Full);
            }
            inner.write(&mut catalog)?;
        }
        Ok(pending.map_or(Destroyed::Now, |until| Destroyed::Pending { until }))
    }

    /// See [`crate::ErasableVault::list`].
    pub(crate) fn list(&self) -> Result<Vec<Slot>, VaultError> {
        let inner = self.lock();
        let catalog = self.read(&inner)?;
        let mut slots: Vec<Slot> = catalog.slots.iter().map(|(slot, _)| *slot).collect();
        slots.extend(self.keys.list(&catalog.id)?.iter().map(|name| name.slot));
        slots.sort_unstable();
        slots.dedup();
        Ok(slots)
    }

    /// The catalog as it is now, without what nothing is left of.
    fn read(&self, inner: &Inner) -> Result<Catalog, VaultError> {
        let mut catalog = inner.file.read()?;
        catalog.forget_expired((self.retention.now)());
        Ok(catalog)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each call reads anew what is there, so a panic in one does the next no harm.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seal(
        &self,
        name: &KeyName,
        secret: &SecretBytes,
        entropy: &mut dyn Entropy,
    ) -> Result<State, VaultError> {
        let key = SecretKey::generate(entropy).map_err(SealError::from)?;
        let copy = SecretBytes::from(&key.expose()[..]);
        let sealed = SealingKey::new(key).seal(&name.context(SEAL_DOMAIN), secret.expose(), entropy)?;
        Ok(State::Held {
            serial: name.serial,
            wrapped: self.keys.wrap(name, &copy)?,
            sealed,
        })
    }

    fn open_slot(&self, catalog: &Catalog, slot: Slot) -> Result<SecretBytes, VaultError> {
        let (serial, wrapped, sealed) = match catalog.get(slot) {
            Some(State::Held {
                serial,
                wrapped,
                sealed,
            }) => (*serial, wrapped, sealed),
            Some(State::Pending { .. }) => return Err(VaultError::Dead(slot)),
            None => return Err(VaultError::NotFound(slot)),
        };
        let name = KeyName {
            vault: catalog.id,
            slot,
            serial,
        };
        let unwrapped = self.keys.unwrap(&name, wrapped)?;
        unwrapped
            .and_then(|key| sealing_key(&key))
            .and_then(|key| key.open(&name.context(SEAL_DOMAIN), sealed).ok())
            .ok_or(VaultError::Dead(slot))
    }

    /// Deletes every key of `slot`, and looks again; says whether the slot had one or should have.
    fn delete_all(&self, catalog: &Catalog, slot: Slot) -> Result<bool, VaultError> {
        let of_slot = || -> Result<Vec<KeyName>, VaultError> {
            let mut names = self.keys.list(&catalog.id)?;
            names.retain(|name| name.slot == slot);
            Ok(names)
        };
        let mut names = of_slot()?;
        if let Some(State::Held { serial, .. }) = catalog.get(slot) {
            // Also if it is not listed: whether it is gone is for its keeper to say.
            let held = KeyName {
                vault: catalog.id,
                slot,
                serial: *serial,
            };
            names.retain(|name| *name != held);
            names.push(held);
        }
        for name in &names {
            self.keys.delete(name)?;
        }
        if !names.is_empty() && !of_slot()?.is_empty() {
            return Err(VaultError::Undeleted(slot));
        }
        Ok(!names.is_empty())
    }
}

impl Inner {
    /// Writes the catalog as the next one.
    fn write(&mut self, catalog: &mut Catalog) -> Result<(), VaultError> {
        catalog.counter = next(catalog.counter)?;
        self.file.write(catalog)?;
        self.counter = catalog.counter;
        Ok(())
    }
}

fn next(counter: u64) -> Result<u64, VaultError> {
    counter.checked_add(1).ok_or(VaultError::Damaged("its counter"))
}

/// Random, so that a catalog put back from a copy names no key again.
fn serial(entropy: &mut dyn Entropy) -> Result<u64, VaultError> {
    let mut serial = [0; 8];
    entropy.fill(&mut serial).map_err(SealError::from)?;
    Ok(u64::from_le_bytes(serial))
}

fn sealing_key(bytes: &SecretBytes) -> Option<SealingKey> {
    let bytes: &[u8; SecretKey::BYTES] = bytes.expose().try_into().ok()?;
    Some(SealingKey::new(SecretKey::from_bytes(bytes)))
}

#[cfg(test)]
mod golden_test;
#[cfg(test)]
mod tests;
