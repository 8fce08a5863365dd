//! What a vault says of itself.

use std::fmt;
use std::str::FromStr;

/// How strongly a vault forgets: the words of receipts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VaultClass {
    /// No claim: for tests and development.
    Test,
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
    type Err = UnknownClass;

    /// Reads [`as_str`](Self::as_str).
    fn from_str(name: &str) -> Result<Self, UnknownClass> {
        let all = [Self::Test, Self::File, Self::Delegated, Self::Tpm, Self::Hsm];
        all.into_iter()
            .find(|class| class.as_str() == name)
            .ok_or(UnknownClass)
    }
}

/// A word that names no class of vaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no class of vaults has this name")]
pub struct UnknownClass;

impl fmt::Display for VaultClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a vault is and what it stands on. Public: attestations carry it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultDescriptor {
    /// The provider.
    pub kind: &'static str,
    /// How strongly it forgets; [`VaultClass::Test`] where its medium was accepted against the rules.
    pub class: VaultClass,
    /// Tells one vault from another: random at its creation.
    pub id: [u8; 16],
    /// Grows with every change, so that a vault put back from a copy shows.
    pub counter: u64,
    /// The medium, in words: file system and how it is written.
    pub medium: String,
    /// Why the medium would have been refused, if it was accepted by `allow_unsafe_medium`.
    pub unsafe_medium: Option<String>,
}
