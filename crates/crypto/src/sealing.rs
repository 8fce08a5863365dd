//! XChaCha20-Poly1305 with random nonces: for the few things that are sealed under a key of their own.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use crate::{Entropy, OpenError, SealError, SecretBytes, SecretKey};

/// XChaCha20-Poly1305 under a random 24-byte nonce; the suite byte of everything sealed here.
pub(crate) const SUITE: u8 = 2;
const NONCE_BYTES: usize = 24;

/// A key that seals whole contents: tree pages, rows, a vault's secret.
#[derive(Debug)]
pub struct SealingKey(SecretKey);

impl SealingKey {
    /// Seals under `key`, which should serve no other end.
    pub fn new(key: SecretKey) -> Self {
        Self(key)
    }

    /// `nonce ‖ ciphertext ‖ tag`. `aad` must be the same again to open.
    pub fn seal(&self, aad: &[u8], content: &[u8], entropy: &mut dyn Entropy) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_BYTES];
        entropy.fill(&mut nonce)?;
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), Payload { msg: content, aad })
            .map_err(|_| SealError::Cipher)?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// Opens what [`seal`](Self::seal) gave.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<SecretBytes, OpenError> {
        let (nonce, ciphertext) = sealed
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(OpenError::Truncated)?;
        self.cipher()
            .decrypt(&XNonce::from(*nonce), Payload { msg: ciphertext, aad })
            .map(SecretBytes::new)
            .map_err(|_| OpenError::Forged)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.0.expose().into())
    }
}
