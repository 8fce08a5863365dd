//! A holder's own word that it destroyed: what it says, and the signature over it.

use ed25519_dalek::{SIGNATURE_LENGTH, Signature, VerifyingKey};

use super::{Process, VaultClass, process, wrong};
use crate::json::{JsonError, Object};

/// What is signed begins with this, where a holder speaks of all epochs before one.
pub const HOLDER_ATTEST_DOMAIN: &[u8] = b"eunoe/holder-attest/v1\0";

/// What is signed begins with this, where a holder speaks of all epochs for good.
pub const HOLDER_RETIRED_DOMAIN: &[u8] = b"eunoe/holder-retired/v1\0";

/// What a node says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statement {
    /// `eunoe/holder-attest@v1`: it holds nothing older than an epoch.
    Destroyed,
    /// `eunoe/holder-retired@v1`: it holds nothing, for good.
    Retired,
}

impl Statement {
    /// What stands in front of the realm and the leaf in the signed message.
    pub fn domain(self) -> &'static [u8] {
        match self {
            Self::Destroyed => HOLDER_ATTEST_DOMAIN,
            Self::Retired => HOLDER_RETIRED_DOMAIN,
        }
    }

    /// The signed message: `leaf` is the statement's leaf without the field `sig`.
    pub fn message(self, realm: &[u8; 16], leaf: &[u8]) -> Vec<u8> {
        [self.domain(), realm, leaf].concat()
    }
}

/// Why a holder's word does not count as its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttestationError {
    /// No key of the node is known.
    #[error("no earlier entry says what the node's key is")]
    NoKey,
    /// The key is no point of the curve, or one for which a signature proves nothing.
    #[error("the node's key is none")]
    Key,
    /// It was not made by this key over this entry.
    #[error("the signature is not the node's")]
    Signature,
}

/// A holder's word: its vault and its memory hold no share and no root that is older than an epoch, or none at all for
/// good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attestation {
    pub(crate) process: Process,
    /// The epoch; none for good.
    pub(crate) epoch: Option<u64>,
    pub(crate) vault: VaultClass,
    signature: [u8; SIGNATURE_LENGTH],
    /// The entry without its signature.
    unsigned: Vec<u8>,
}

/// What a node signs to attest: the domain, the realm, and the entry as it is without `sig`.
///
/// `leaf` has the type `holder-attest` or `holder-retired`; none if it has another.
pub fn attested_message(realm: &[u8; 16], leaf: &Object<'_>) -> Option<Vec<u8>> {
    let statement = match leaf.text("t") {
        Ok("eunoe/holder-attest@v1") => Statement::Destroyed,
        Ok("eunoe/holder-retired@v1") => Statement::Retired,
        Ok(_) | Err(_) => return None,
    };
    Some(statement.message(realm, leaf.without("sig").to_string().as_bytes()))
}

impl Attestation {
    pub(super) fn read(role: &str, leaf: &Object<'_>) -> Result<Self, JsonError> {
        let epoch = if role == "holder-attest" {
            leaf.expect_only(&["boot", "epoch", "node", "sig", "t", "vault"])?;
            Some(leaf.number("epoch")?)
        } else {
            leaf.expect_only(&["boot", "node", "sig", "t", "vault"])?;
            None
        };
        let vault = VaultClass::from_name(leaf.text("vault")?);
        Ok(Self {
            process: process(leaf)?,
            epoch,
            vault: vault.ok_or_else(|| wrong("vault", "a class of vaults"))?,
            signature: leaf.array("sig")?,
            unsigned: leaf.without("sig").to_string().into_bytes(),
        })
    }

    /// Checks that the node's key signed this, in this realm. Ed25519 is checked strictly, as everywhere.
    pub(crate) fn verify(&self, realm: &[u8; 16], key: Option<&[u8; 32]>) -> Result<(), AttestationError> {
        let key = VerifyingKey::from_bytes(key.ok_or(AttestationError::NoKey)?);
        let key = key.map_err(|_| AttestationError::Key)?;
        let statement = match self.epoch {
            Some(_) => Statement::Destroyed,
            None => Statement::Retired,
        };
        let message = statement.message(realm, &self.unsigned);
        // A key of small order is refused here too.
        key.verify_strict(&message, &Signature::from_bytes(&self.signature))
            .map_err(|_| AttestationError::Signature)
    }

    /// Whether the holder says that nothing leads to keys of `epoch` and before any more.
    pub(crate) fn is_beyond(&self, epoch: u64) -> bool {
        self.epoch.is_none_or(|before| before > epoch)
    }
}
