//! A key of 32 bytes on its way; a key that stays lives in the [`KeyArena`](crate::KeyArena).

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use crate::{Entropy, EntropyError};

/// 32 secret bytes, wiped when dropped.
///
/// It has no `Clone` and no `==`: a copy is asked for by name, and a comparison takes constant time.
#[repr(transparent)]
pub struct SecretKey([u8; SecretKey::BYTES]);

impl SecretKey {
    /// Bytes of a key.
    pub const BYTES: usize = 32;

    /// A fresh random key.
    pub fn generate(entropy: &mut dyn Entropy) -> Result<Self, EntropyError> {
        let mut key = Self([0; Self::BYTES]);
        entropy.fill(&mut key.0)?;
        Ok(key)
    }

    /// A copy of `bytes`, which the caller wipes.
    pub const fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        Self(*bytes)
    }

    /// A key derived from secret `material` (BLAKE3 `derive_key`); `context` is a constant of the program.
    pub fn derive(context: &'static str, material: &[u8]) -> Self {
        crate::hash::derive(context, &[material])
    }

    /// The bytes.
    pub fn expose(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// The bytes, to be filled in.
    pub(crate) fn expose_mut(&mut self) -> &mut [u8; Self::BYTES] {
        &mut self.0
    }

    /// Whether both are the same, in constant time.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// A second copy.
    pub fn duplicate(&self) -> Self {
        Self(self.0)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        #[cfg(feature = "export-keys")]
        super::export::key(&self.0);
        self.0.zeroize();
    }
}
