//! The `transit` provider: a key per slot at an OpenBao or Vault server, which is told to delete it with the slot.
//!
//! The server sees neither the secret nor what is sealed: it wraps the key of a slot. How well it forgets is its
//! operator's affair: its disks, its Raft log, its snapshots and its backups.

mod address;
mod client;
mod keys;

use std::path::{Path, PathBuf};
use std::time::Duration;

use eunoe_crypto::{Entropy, SecretBytes};
use eunoe_types::TimeMs;

pub use self::address::{TransitAddress, TransitAddressError};
use self::client::Client;
use self::keys::ServerKeys;
use crate::wrapped::{Keys as _, Retention, WrappedVault};
use crate::{Destroyed, ErasableVault, Slot, VaultClass, VaultDescriptor, VaultError};

const KIND: &str = "transit";
const SECONDS_PER_DAY: u64 = 86_400;

/// Which server keeps the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransitOptions {
    /// Where it is.
    pub address: TransitAddress,
    /// The authority of its certificate; needed for `https`.
    pub ca_file: Option<PathBuf>,
    /// A file with a token in one line, read at each call.
    pub token_file: PathBuf,
    /// Whose keys these are: part of their names.
    pub node: u64,
    /// Days for which the server's operator keeps copies of a deleted key. The slot counts as alive for so long.
    pub retention_days: u32,
}

/// A vault whose keys are in a transit engine.
pub struct TransitVault {
    vault: WrappedVault<ServerKeys>,
    retention_days: u32,
}

impl TransitVault {
    /// Makes a vault with its catalog at `path`, where there must be nothing, once the server has let us in. `now` tells
    /// the time of day.
    pub fn create(
        path: &Path,
        options: &TransitOptions,
        now: Box<dyn Fn() -> TimeMs + Send + Sync>,
        entropy: Box<dyn Entropy>,
    ) -> Result<Self, VaultError> {
        let keys = connect(options)?;
        keys.list(&[0; 16])?;
        let vault = WrappedVault::create(path, KIND, keys, retention(options, now), entropy)?;
        Ok(Self {
            vault,
            retention_days: options.retention_days,
        })
    }

    /// Opens the vault with its catalog at `path`. The server need not answer yet: a node may start before it.
    pub fn open(
        path: &Path,
        options: &TransitOptions,
        now: Box<dyn Fn() -> TimeMs + Send + Sync>,
        entropy: Box<dyn Entropy>,
    ) -> Result<Self, VaultError> {
        let keys = connect(options)?;
        let vault = WrappedVault::open(path, KIND, keys, retention(options, now), entropy)?;
        Ok(Self {
            vault,
            retention_days: options.retention_days,
        })
    }
}

fn connect(options: &TransitOptions) -> Result<ServerKeys, VaultError> {
    let client = Client::new(
        options.address.clone(),
        options.ca_file.as_deref(),
        options.token_file.clone(),
    )?;
    Ok(ServerKeys::new(client, options.node))
}

fn retention(options: &TransitOptions, now: Box<dyn Fn() -> TimeMs + Send + Sync>) -> Retention {
    Retention {
        period: Duration::from_secs(u64::from(options.retention_days) * SECONDS_PER_DAY),
        now,
    }
}

impl ErasableVault for TransitVault {
    fn descriptor(&self) -> VaultDescriptor {
        let (id, counter) = self.vault.identity();
        VaultDescriptor {
            kind: KIND,
            class: VaultClass::Delegated,
            id,
            counter,
            medium: format!(
                "transit engine, copies of deleted keys kept for {} days",
                self.retention_days
            ),
            unsafe_medium: None,
        }
    }

    fn put(&self, slot: Slot, secret: &SecretBytes) -> Result<(), VaultError> {
        self.vault.put(slot, secret)
    }

    fn get(&self, slot: Slot) -> Result<SecretBytes, VaultError> {
        self.vault.get(slot)
    }

    fn destroy(&self, slot: Slot) -> Result<Destroyed, VaultError> {
        self.vault.destroy(slot)
    }

    fn list(&self) -> Result<Vec<Slot>, VaultError> {
        self.vault.list()
    }
}
