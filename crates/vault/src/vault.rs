//! The contract of a vault.

use eunoe_crypto::SecretBytes;
use eunoe_types::TimeMs;

use crate::{VaultDescriptor, VaultError};

/// Secrets that a vault holds at once: current and next epoch, and what aborted attempts left, with room to spare.
pub const SLOTS: usize = 16;
/// Largest secret that a vault takes, in bytes; the smallest has one.
pub const SECRET_BYTES_MAX: usize = 2048;

/// Where one secret lives: one attempt at one epoch. A slot is never reused for another content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// The epoch.
    pub epoch: u64,
    /// Which attempt at it.
    pub attempt: u32,
}

/// Refuses a secret that is no secret or too large, before anything is asked or written.
pub(crate) fn check_secret(secret: &SecretBytes) -> Result<(), VaultError> {
    if secret.is_empty() {
        return Err(VaultError::Empty);
    }
    if secret.len() > SECRET_BYTES_MAX {
        return Err(VaultError::TooLarge);
    }
    Ok(())
}

/// What is known of a destroyed secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destroyed {
    /// Nothing of it is left in the vault (or nothing ever was).
    Now,
    /// The provider deletes later; until then the secret counts as alive.
    Pending {
        /// When it will be gone.
        until: TimeMs,
    },
}

/// A store for a few secrets that can forget one for good.
///
/// The methods block, on a disk, a token or a network: call them on a blocking thread, never from an async
/// task. A blocking trait is what token libraries offer, needs no runtime in the simulator, and costs nothing
/// where a call comes once per epoch.
///
/// ### To ensure correctness
///
/// - `put` returns only after the secret is durable and was read back. It never changes a slot that holds
///   another secret, and repeating it with the same secret succeeds.
/// - After `destroy` gave [`Destroyed::Now`], no copy of everything the vault's medium holds from then on
///   gives the secret back. It is idempotent, and a crash in the middle leaves the slot either readable or
///   dead, and listed until it is destroyed entirely.
/// - `list` names every slot that may still hold something: it is what a node attests.
pub trait ErasableVault: Send + Sync {
    /// What kind of vault this is, for attestations and status.
    fn descriptor(&self) -> VaultDescriptor;

    /// Keeps `secret`, of 1 to [`SECRET_BYTES_MAX`] bytes, in `slot`.
    fn put(&self, slot: Slot, secret: &SecretBytes) -> Result<(), VaultError>;

    /// The secret in `slot`.
    fn get(&self, slot: Slot) -> Result<SecretBytes, VaultError>;

    /// Forgets the secret in `slot`.
    fn destroy(&self, slot: Slot) -> Result<Destroyed, VaultError>;

    /// All slots that may hold something, in order.
    fn list(&self) -> Result<Vec<Slot>, VaultError>;
}
