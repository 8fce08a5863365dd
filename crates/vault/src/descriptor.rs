//! What a vault says of itself.

use eunoe_types::VaultClass;

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
