//! The sealed form of messages and conversation rows (erasure.md §4.3).
//!
//! `version ‖ suite ‖ nonce ‖ commitment ‖ ciphertext ‖ tag`. The nonce is hedged: made from randomness *and*
//! the content, so that a source of randomness that repeats itself reveals at most that two contents are
//! equal. The commitment makes the key unique: no ciphertext opens under two keys.

use aws_lc_rs::aead::{Aad as CipherAad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::aad::Aad;
use crate::hash::keyed;
use crate::padding::{content_len, pad_into, padded_len};
use crate::{ContentKey, Context, Entropy, OpenError, SealError, SecretBytes};

const VERSION: u8 = 1;
/// BLAKE3 key derivation with ChaCha20-Poly1305 (RFC 8439).
const SUITE: u8 = 1;
const NONCE_BYTES: usize = 24;
const COMMITMENT_BYTES: usize = 32;
const TAG_BYTES: usize = 16;
const HEADER_BYTES: usize = 2 + NONCE_BYTES + COMMITMENT_BYTES;

/// Bytes of an envelope beside the padded content.
pub const ENVELOPE_OVERHEAD: usize = HEADER_BYTES + TAG_BYTES;

/// Seals `content` for its place.
pub fn seal(
    key: &ContentKey,
    place: &impl Context,
    content: &[u8],
    entropy: &mut dyn Entropy,
) -> Result<Vec<u8>, SealError> {
    let mut out = Vec::with_capacity(ENVELOPE_OVERHEAD + padded_len(content.len()));
    seal_into(key, place, content, entropy, &mut out)?;
    Ok(out)
}

/// Seals `content` for its place and appends the envelope to `out`. On an error `out` is as it was.
///
/// For a moment `out` holds the content in the clear: reserve the room before
/// (`ENVELOPE_OVERHEAD` and the content's length plus an eighth), for a growing vector leaves its bytes behind.
pub fn seal_into<P: Context>(
    key: &ContentKey,
    place: &P,
    content: &[u8],
    entropy: &mut dyn Entropy,
    out: &mut Vec<u8>,
) -> Result<(), SealError> {
    let mut hedge = [0; 32];
    entropy.fill(&mut hedge)?;
    out.reserve(ENVELOPE_OVERHEAD + padded_len(content.len()));
    let start = out.len();
    out.extend_from_slice(&[0; HEADER_BYTES]);
    pad_into(content, out);

    let aad = place.aad(key, SUITE);
    let aad_hash = *blake3::hash(aad.as_slice()).as_bytes();
    let (header, padded) = out[start..].split_at_mut(HEADER_BYTES);
    let nonce: [u8; NONCE_BYTES] = keyed(key.nonce_key(), &[&hedge, &aad_hash, padded]);
    let message_key = MessageKey::derive(key, P::LABEL, &nonce, &aad_hash);
    write_header(header, &nonce, &message_key.commitment);
    let sealed = message_key.cipher().and_then(|cipher| {
        cipher.seal_in_place_separate_tag(zero_nonce(), CipherAad::from(aad.as_slice()), padded)
    });
    match sealed {
        Ok(tag) => out.extend_from_slice(tag.as_ref()),
        Err(_) => {
            out[start..].zeroize();
            out.truncate(start);
            return Err(SealError::Cipher);
        }
    }
    Ok(())
}

/// Opens an envelope at its place.
pub fn open<P: Context>(key: &ContentKey, place: &P, envelope: &[u8]) -> Result<SecretBytes, OpenError> {
    let parts = Parts::of(envelope)?;
    let aad = place.aad(key, SUITE);
    let aad_hash = *blake3::hash(aad.as_slice()).as_bytes();
    let message_key = MessageKey::derive(key, P::LABEL, parts.nonce, &aad_hash);
    if !bool::from(message_key.commitment.ct_eq(parts.commitment)) {
        return Err(OpenError::WrongKey);
    }
    decrypt(&message_key, &aad, &parts)
}

fn decrypt(message_key: &MessageKey, aad: &Aad, parts: &Parts<'_>) -> Result<SecretBytes, OpenError> {
    let mut padded = Zeroizing::new(vec![0; parts.ciphertext.len()]);
    message_key
        .cipher()
        .and_then(|cipher| {
            let aad = CipherAad::from(aad.as_slice());
            cipher.open_separate_gather(zero_nonce(), aad, parts.ciphertext, parts.tag, &mut padded)
        })
        .map_err(|_| OpenError::Forged)?;
    let len = content_len(&padded)?;
    let mut content = SecretBytes::new(std::mem::take(&mut *padded));
    content.truncate(len);
    Ok(content)
}

/// The key of one message and the public commitment to it.
struct MessageKey {
    key: [u8; 32],
    commitment: [u8; COMMITMENT_BYTES],
}

impl MessageKey {
    fn derive(key: &ContentKey, label: &[u8; 3], nonce: &[u8; NONCE_BYTES], aad_hash: &[u8; 32]) -> Self {
        let mut expanded: [u8; 64] = keyed(key.key(), &[label, nonce, aad_hash]);
        let (mut key, mut commitment) = ([0; 32], [0; COMMITMENT_BYTES]);
        key.copy_from_slice(&expanded[..32]);
        commitment.copy_from_slice(&expanded[32..]);
        expanded.zeroize();
        Self { key, commitment }
    }

    fn cipher(&self) -> Result<LessSafeKey, aws_lc_rs::error::Unspecified> {
        Ok(LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &self.key)?))
    }
}

impl Drop for MessageKey {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

/// The cipher's own nonce: constant, because each message has a key of its own.
fn zero_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

fn write_header(header: &mut [u8], nonce: &[u8; NONCE_BYTES], commitment: &[u8; COMMITMENT_BYTES]) {
    header[0] = VERSION;
    header[1] = SUITE;
    header[2..2 + NONCE_BYTES].copy_from_slice(nonce);
    header[2 + NONCE_BYTES..].copy_from_slice(commitment);
}

/// An envelope taken apart.
struct Parts<'a> {
    nonce: &'a [u8; NONCE_BYTES],
    commitment: &'a [u8; COMMITMENT_BYTES],
    ciphertext: &'a [u8],
    tag: &'a [u8; TAG_BYTES],
}

impl<'a> Parts<'a> {
    fn of(envelope: &'a [u8]) -> Result<Self, OpenError> {
        let (&[version, suite], rest) = envelope.split_first_chunk().ok_or(OpenError::Truncated)?;
        if version != VERSION {
            return Err(OpenError::UnknownVersion(version));
        }
        if suite != SUITE {
            return Err(OpenError::UnknownSuite(suite));
        }
        let (nonce, rest) = rest.split_first_chunk().ok_or(OpenError::Truncated)?;
        let (commitment, rest) = rest.split_first_chunk().ok_or(OpenError::Truncated)?;
        let (ciphertext, tag) = rest.split_last_chunk().ok_or(OpenError::Truncated)?;
        Ok(Self {
            nonce,
            commitment,
            ciphertext,
            tag,
        })
    }
}
