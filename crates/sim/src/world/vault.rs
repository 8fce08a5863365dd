//! A vault in memory, which outlives the processes of its node.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use eunoe_crypto::SecretBytes;
use eunoe_vault::{Destroyed, ErasableVault, Slot, VaultClass, VaultDescriptor, VaultError};

#[derive(Default)]
struct State {
    secrets: BTreeMap<Slot, SecretBytes>,
    counter: u64,
    fails: bool,
}

/// A vault that forgets when it is told to, and fails when the world says so.
#[derive(Default)]
pub(super) struct MemVault(Mutex<State>);

impl MemVault {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets every call fail, or not.
    pub(super) fn fail(&self, fails: bool) {
        self.lock().fails = fails;
    }

    /// Whether it has anything in a slot, whether it answers or not.
    pub(super) fn has(&self, slot: Slot) -> bool {
        self.lock().secrets.contains_key(&slot)
    }

    /// Loses what is in a slot.
    pub(super) fn lose(&self, slot: Slot) {
        self.lock().secrets.remove(&slot);
    }

    fn answering(&self) -> Result<MutexGuard<'_, State>, VaultError> {
        let state = self.lock();
        if state.fails {
            let source = io::Error::other("the vault does not answer");
            return Err(VaultError::Io {
                what: "ask the vault",
                source,
            });
        }
        Ok(state)
    }
}

impl ErasableVault for MemVault {
    fn descriptor(&self) -> VaultDescriptor {
        VaultDescriptor {
            kind: "memory",
            class: VaultClass::Test,
            id: [0; 16],
            counter: self.lock().counter,
            medium: "memory".into(),
            unsafe_medium: None,
        }
    }

    fn put(&self, slot: Slot, secret: &SecretBytes) -> Result<(), VaultError> {
        let mut state = self.answering()?;
        match state.secrets.get(&slot) {
            Some(kept) if kept.expose() != secret.expose() => return Err(VaultError::Taken(slot)),
            Some(_) => return Ok(()),
            None => {}
        }
        state.counter += 1;
        state.secrets.insert(slot, SecretBytes::from(secret.expose()));
        Ok(())
    }

    fn get(&self, slot: Slot) -> Result<SecretBytes, VaultError> {
        let state = self.answering()?;
        let kept = state.secrets.get(&slot).ok_or(VaultError::NotFound(slot))?;
        Ok(SecretBytes::from(kept.expose()))
    }

    fn destroy(&self, slot: Slot) -> Result<Destroyed, VaultError> {
        let mut state = self.answering()?;
        state.counter += 1;
        state.secrets.remove(&slot);
        Ok(Destroyed::Now)
    }

    fn list(&self) -> Result<Vec<Slot>, VaultError> {
        Ok(self.answering()?.secrets.keys().copied().collect())
    }
}
