//! How strongly a vault forgets.

use std::fmt;
use std::str::FromStr;

use crate::{DecodeError, Decoder, Encoder};

/// How strongly a vault forgets: the words of receipts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VaultClass {
    /// No claim: for tests and development.
    Test = 1,
    /// Overwritten in place on a file system: NIST SP 800-88 *Clear* at best.
    File,
    /// Another server deletes it, some time.
    Delegated,
    /// A TPM's non-volatile memory.
    Tpm,
    /// A hardware security module.
    Hsm,
}

impl VaultClass {
    /// The word that receipts use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::File => "file",
            Self::Delegated => "delegated",
            Self::Tpm => "tpm",
            Self::Hsm => "hsm",
        }
    }
}

impl FromStr for VaultClass {
    type Err = UnknownVaultClass;

    /// Reads [`as_str`](Self::as_str).
    fn from_str(name: &str) -> Result<Self, UnknownVaultClass> {
        Self::ALL
            .into_iter()
            .find(|class| class.as_str() == name)
            .ok_or(UnknownVaultClass)
    }
}

/// A word that names no class of vaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no class of vaults has this name")]
pub struct UnknownVaultClass;

impl fmt::Display for VaultClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl VaultClass {
    const ALL: [Self; 5] = [Self::Test, Self::File, Self::Delegated, Self::Tpm, Self::Hsm];

    /// Appends it to `e`.
    pub fn encode(self, e: &mut Encoder) {
        e.u8(self as u8);
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let number = d.u8()?;
        let known = Self::ALL.into_iter().find(|class| *class as u8 == number);
        known.ok_or(DecodeError::UnknownTag(number))
    }
}
