//! A node's signed words about its vault and its memory.

use std::fmt;

use ed25519_dalek::{SECRET_KEY_LENGTH, SIGNATURE_LENGTH, Signer as _, SigningKey};

use crate::leaf::Statement;

/// A node's key for its statements. The secret is wiped when it is dropped and never printed.
pub struct Attester {
    secret: SigningKey,
}

impl Attester {
    /// The key of a 32-byte seed (RFC 8032 §5.1.5), which must come from a secure random generator.
    pub fn from_seed(seed: &[u8; SECRET_KEY_LENGTH]) -> Self {
        Self {
            secret: SigningKey::from_bytes(seed),
        }
    }

    /// What others check its signatures with: `attest` of `eunoe/node-keys@v1`.
    pub fn public_key(&self) -> [u8; 32] {
        self.secret.verifying_key().to_bytes()
    }

    /// Signs a statement.
    pub fn sign(&self, statement: Statement, realm: &[u8; 16], leaf: &[u8]) -> [u8; SIGNATURE_LENGTH] {
        self.secret.sign(&statement.message(realm, leaf)).to_bytes()
    }
}

impl fmt::Debug for Attester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Attester")
    }
}
