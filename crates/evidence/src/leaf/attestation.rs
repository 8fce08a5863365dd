//! A holder's own word that it destroyed: what it says, and the signature over it.

use ed25519_dalek::{SIGNATURE_LENGTH, Signature, VerifyingKey};

use super::{Process, VaultClass, process, wrong};
use crate::json::{JsonError, Object};

/// What is signed begins with this, where a holder speaks of all epochs before one.
pub const HOLDER_ATTEST_DOMAIN: &[u8] = b"eunoe/holder-attest/v1\0";

/// What is signed begins with this, where a holder speaks of all epochs for good.
pub const HOLDER_RETIRED_DOMAIN: &[u8] = b"eunoe/holder-retired/v1\0";

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
    let domain = match leaf.text("t") {
        Ok("eunoe/holder-attest@v1") => HOLDER_ATTEST_DOMAIN,
        Ok("eunoe/holder-retired@v1") => HOLDER_RETIRED_DOMAIN,
        Ok(_) | Err(_) => return None,
    };
    Some([domain, realm, leaf.without("sig").to_string().as_bytes()].concat())
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
        let domain = match self.epoch {
            Some(_) => HOLDER_ATTEST_DOMAIN,
            None => HOLDER_RETIRED_DOMAIN,
        };
        let message = [domain, realm, &self.unsigned].concat();
        // A key of small order is refused here too.
        key.verify_strict(&message, &Signature::from_bytes(&self.signature))
            .map_err(|_| AttestationError::Signature)
    }

    /// Whether the holder says that nothing leads to keys of `epoch` and before any more.
    pub(crate) fn is_beyond(&self, epoch: u64) -> bool {
        self.epoch.is_none_or(|before| before > epoch)
    }
}
