//! What a wrapped vault needs of whoever keeps its keys.

use eunoe_crypto::SecretBytes;

use crate::{Slot, VaultError};

/// The name of one key. No two keys ever have the same: a vault's id and its keys' serials are random.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyName {
    /// The vault that the key belongs to.
    pub(crate) vault: [u8; 16],
    /// The slot whose secret it protects.
    pub(crate) slot: Slot,
    /// Which key of that vault.
    pub(crate) serial: u64,
}

impl KeyName {
    /// What a ciphertext under this key is bound to.
    pub(crate) fn context(&self, domain: &[u8]) -> Vec<u8> {
        [
            domain,
            &self.vault,
            &self.slot.epoch.to_le_bytes(),
            &self.slot.attempt.to_le_bytes(),
            &self.serial.to_le_bytes(),
        ]
        .concat()
    }
}

/// Keys that live elsewhere and cannot leave it: each wraps one secret of 32 bytes, once, and is then only deleted.
///
/// ### To ensure correctness
///
/// - Every call ends in bounded time.
/// - `wrap` returns only after the key is durable where it lives.
/// - `delete` succeeds only after the keeper was asked again and knew of no such key.
/// - `list` names every key of the vault that exists. A keeper that cannot tell fails.
pub(crate) trait Keys: Send + Sync {
    /// Makes the key `name`, which there was not, and wraps `secret` under it.
    fn wrap(&self, name: &KeyName, secret: &SecretBytes) -> Result<Vec<u8>, VaultError>;

    /// What was wrapped; nothing if the key is gone or did not wrap this.
    fn unwrap(&self, name: &KeyName, wrapped: &[u8]) -> Result<Option<SecretBytes>, VaultError>;

    /// Deletes the key; succeeds if there is none.
    fn delete(&self, name: &KeyName) -> Result<(), VaultError>;

    /// The keys of `vault` that exist.
    fn list(&self, vault: &[u8; 16]) -> Result<Vec<KeyName>, VaultError>;
}
