//! The epoch root: the one key that everything hangs on, whole in memory only, never in a log, a vault, a snapshot or a
//! backup. How it is made and kept is in [`crate::Sharing`].

use eunoe_types::{DecodeError, Decoder};

use crate::commitment::root_commitment;
use crate::tree::PageKeys;
use crate::{Commitment, KeyArena, KeyError, LockedKey, SecretBytes, SecretKey};

pub(crate) const VERSION: u8 = 1;
/// The whole root, as it travels between memories.
const FORM_WHOLE: u8 = 0;
/// A share of it, as vaults keep it.
pub(crate) const FORM_SHARE: u8 = 1;

/// The root of one epoch.
#[derive(Debug)]
pub struct RootKey(LockedKey);

impl RootKey {
    /// A root that is made elsewhere in this crate.
    pub(crate) fn store(arena: &KeyArena, key: &SecretKey) -> Result<Self, KeyError> {
        Ok(Self(arena.store(key)?))
    }

    /// The public commitment to it.
    pub fn commitment(&self) -> Commitment {
        root_commitment(&self.0)
    }

    /// The keys that the `meta` page and both trees' top pages are sealed under.
    pub fn page_keys(&self) -> PageKeys {
        PageKeys::derive(&self.0)
    }

    /// The same root, counted among the keys of `arena`.
    pub fn kept_in(&self, arena: &KeyArena) -> Result<Self, KeyError> {
        Self::store(arena, &self.0)
    }

    /// The form in which it goes from memory to memory. No vault ever keeps it.
    pub fn encode(&self) -> SecretBytes {
        form_of(&self.0)
    }

    /// Reads that form. Whoever calls compares [`commitment`](Self::commitment) with the epoch's.
    pub fn decode(arena: &KeyArena, bytes: &SecretBytes) -> Result<Self, KeyError> {
        let key = read_whole(bytes.expose())?;
        Ok(Self(arena.store(&key)?))
    }
}

fn form_of(key: &SecretKey) -> SecretBytes {
    let mut bytes = Vec::with_capacity(2 + SecretKey::BYTES);
    bytes.extend_from_slice(&[VERSION, FORM_WHOLE]);
    bytes.extend_from_slice(key.expose());
    SecretBytes::new(bytes)
}

fn read_whole(bytes: &[u8]) -> Result<SecretKey, DecodeError> {
    let mut d = Decoder::new(bytes);
    for expected in [VERSION, FORM_WHOLE] {
        let found = d.u8()?;
        if found != expected {
            return Err(DecodeError::UnknownTag(found));
        }
    }
    let key: &[u8; SecretKey::BYTES] = d
        .fixed(SecretKey::BYTES)?
        .try_into()
        .map_err(|_| DecodeError::Truncated)?;
    d.finish()?;
    Ok(SecretKey::from_bytes(key))
}

/// Decodes the form and encodes it again.
#[cfg(feature = "fuzzing")]
pub(crate) fn recode(
    bytes: &eunoe_types::fuzzing::Bytes,
) -> Result<eunoe_types::fuzzing::Bytes, DecodeError> {
    Ok(form_of(&read_whole(bytes)?).expose().to_vec().into())
}
