//! Nodes that write their keys to a file, so that a test can look for the keys everywhere else.

use std::fs;
use std::path::Path;

use eunoe_attack::Roots;
use eunoe_crypto::{OsEntropy, SecretBytes};
use eunoe_vault::{ErasableVault as _, FileVault, FileVaultOptions, Slot};

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;

/// Name of the environment variable that says where to.
pub const EXPORT: &str = "EUNOE_EXPORT_KEYS";

/// The keys in an export file.
///
/// # Panics
///
/// If it cannot be read or does not hold whole keys.
pub fn read(path: &Path) -> Vec<[u8; KEY_BYTES]> {
    let bytes = fs::read(path).expect("the nodes exported keys");
    let (keys, rest) = bytes.as_chunks::<KEY_BYTES>();
    assert!(rest.is_empty(), "half a key");
    let mut keys = keys.to_vec();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// The current root key, from the shares in the vaults of stopped nodes.
///
/// # Panics
///
/// If a vault cannot be opened or holds other than one share, or if they are too few.
pub fn root(node_dirs: &[&Path]) -> [u8; KEY_BYTES] {
    let mut roots = Roots::default();
    for dir in node_dirs {
        let (slot, share) = share(dir);
        roots.take_secret(slot, &share);
    }
    let found = roots.found();
    let [root] = found.as_slice() else {
        panic!("the shares make {} roots", found.len());
    };
    *root.key.expose()
}

/// The share in the vault of a stopped node, and where it keeps it.
fn share(node_dir: &Path) -> (Slot, SecretBytes) {
    let options = FileVaultOptions {
        allow_unsafe_medium: true,
    };
    let vault = FileVault::open(&node_dir.join("vault"), options, Box::new(OsEntropy));
    let vault = vault.expect("the vault of a stopped node is opened");
    let slots = vault.list().expect("the vault is read");
    let [slot] = slots.as_slice() else {
        panic!("the vault holds {} secrets", slots.len());
    };
    (*slot, vault.get(*slot).expect("the vault is read"))
}
