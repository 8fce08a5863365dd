//! Conviction: a key or a root that has come to light, although the log says that it is destroyed.

use sha2::{Digest as _, Sha256};

use crate::encoding::decode_hash;
use crate::json::JsonError;
use crate::leaf::Leaf;

/// What came to light.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surfaced {
    /// The key of a subject, a conversation, a day or a tenant.
    Key,
    /// The root of an epoch.
    Root,
}

/// The 32 bytes that a file has as they are, or as hexadecimal or base64 with or without blanks around it.
pub fn surfaced_bytes(file: &[u8]) -> Option<[u8; 32]> {
    if let Ok(bytes) = file.try_into() {
        return Some(bytes);
    }
    let text = std::str::from_utf8(file).ok()?.trim();
    decode_hash(text).or_else(|| decode_hex(text))
}

fn decode_hex(text: &str) -> Option<[u8; 32]> {
    let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let (high, low) = text.split_at_checked(32).filter(|_| is_hex)?;
    let half = |digits| u128::from_str_radix(digits, 16).ok().map(u128::to_be_bytes);
    [half(high)?, half(low)?].concat().try_into().ok()
}

/// That the log called destroyed what has come to light.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conviction {
    /// What it is.
    pub surfaced: Surfaced,
    /// The last epoch in which it was in use.
    pub epoch: u64,
    /// The entry that commits to it.
    pub index: u64,
    /// That entry, byte for byte.
    pub leaf: Vec<u8>,
    /// The entry that calls it destroyed.
    pub destroyed_index: u64,
}

/// Looks for the entries that 32 bytes convict. It takes the entries of a log whose checkpoint was checked, or those of a
/// receipt that holds, in their order.
pub struct Suspicion {
    kc: [u8; 32],
    root_commit: [u8; 32],
    found: Option<(Surfaced, u64, u64, Vec<u8>)>,
    destroyed: Option<u64>,
}

impl Suspicion {
    /// Of bytes that came to light.
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self {
            kc: commitment(b"eunoe/key-commit/v1\0", bytes),
            root_commit: commitment(b"eunoe/root-commit/v1\0", bytes),
            found: None,
            destroyed: None,
        }
    }

    /// Looks at the next entry.
    pub fn look_at(&mut self, index: u64, entry: &[u8]) -> Result<(), JsonError> {
        match Leaf::parse(entry)? {
            Leaf::KeyErased { key, .. } if key.kc == self.kc => {
                self.find(Surfaced::Key, key.epoch, index, entry);
            }
            Leaf::Genesis { root, .. } | Leaf::EpochSwitch { root, .. }
                if root.root_commit == self.root_commit =>
            {
                self.find(Surfaced::Root, root.epoch, index, entry);
            }
            Leaf::EpochDestroyed { destroyed_before, .. } => {
                // The one that says it first.
                if let Some((_, epoch, _, _)) = &self.found
                    && destroyed_before > *epoch
                    && self.destroyed.is_none()
                {
                    self.destroyed = Some(index);
                }
            }
            Leaf::Genesis { .. }
            | Leaf::KeyCreated { .. }
            | Leaf::EraseFenced { .. }
            | Leaf::EraseCancelled { .. }
            | Leaf::KeyErased { .. }
            | Leaf::EpochSwitch { .. }
            | Leaf::EpochAborted { .. }
            | Leaf::RootGranted { .. }
            | Leaf::Attested(_)
            | Leaf::LeaseExpired { .. }
            | Leaf::Decommissioned { .. }
            | Leaf::NodeKeys { .. }
            | Leaf::NodeAdmitted { .. }
            | Leaf::NodeRemoved { .. }
            | Leaf::VaultRolledBack { .. }
            | Leaf::Other { .. } => {}
        }
        Ok(())
    }

    fn find(&mut self, surfaced: Surfaced, epoch: u64, index: u64, entry: &[u8]) {
        if self.found.is_none() {
            self.found = Some((surfaced, epoch, index, entry.to_vec()));
        }
    }

    /// Whether an entry commits to the bytes, called destroyed or not.
    pub fn is_known(&self) -> bool {
        self.found.is_some()
    }

    /// The conviction, if an entry commits to the bytes and a later one calls them destroyed.
    pub fn finish(self) -> Option<Conviction> {
        let (surfaced, epoch, index, leaf) = self.found?;
        let destroyed_index = self.destroyed?;
        Some(Conviction {
            surfaced,
            epoch,
            index,
            leaf,
            destroyed_index,
        })
    }
}

fn commitment(domain: &[u8], bytes: &[u8; 32]) -> [u8; 32] {
    Sha256::new()
        .chain_update(domain)
        .chain_update(bytes)
        .finalize()
        .into()
}
