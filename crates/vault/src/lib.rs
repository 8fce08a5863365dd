//! Erasable vaults: the only places where an epoch's root outlives the process, built to forget.
//!
//! A vault keeps a few small secrets, each in a slot of its own, and can destroy one so that it is gone from
//! the medium rather than only unlinked. Nothing else of Eunoe writes a root to a disk.

mod descriptor;
mod error;
mod file;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod pkcs11;
mod secret_file;
mod transit;
mod vault;
mod wrapped;

pub use descriptor::VaultDescriptor;
pub use error::VaultError;
pub use eunoe_types::{UnknownVaultClass, VaultClass};
pub use file::{FileVault, FileVaultOptions};
pub use pkcs11::{Pkcs11Options, Pkcs11Vault};
pub use transit::{TransitAddress, TransitAddressError, TransitOptions, TransitVault};
pub use vault::{Destroyed, ErasableVault, SECRET_BYTES_MAX, SLOTS, Slot};
