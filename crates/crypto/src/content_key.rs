//! The key that content is sealed under: made from all keys that own it, gone when any of them is.

use eunoe_types::Encoder;
use zeroize::Zeroize;

use crate::hash::derive;
use crate::{KeyArena, KeyError, KeyRef, KeyRefs, LockedKey, SecretKey};

const CONTENT_CONTEXT: &str = "eunoe v1 content key";
const NONCE_CONTEXT: &str = "eunoe v1 nonce";
/// Bytes of one key in the derivation: length, kind, kid, generation, secret.
const PART_BYTES: usize = 1 + PART_CONTENT_BYTES;
const PART_CONTENT_BYTES: usize = 1 + 16 + 4 + SecretKey::BYTES;

/// A content key with what sealing needs at hand, so that one message costs little.
///
/// It lives in the arena and dies by being dropped; whoever caches it drops it when a fence names one of its
/// [`refs`](Self::refs).
#[derive(Debug)]
pub struct ContentKey {
    refs: KeyRefs,
    refs_encoded: Box<[u8]>,
    key: LockedKey,
    nonce_key: LockedKey,
}

impl ContentKey {
    /// Derives the key of these record keys, in any order.
    ///
    /// Kind, kid and generation enter the derivation beside the secret, so that no two lists share a key.
    pub fn derive(arena: &KeyArena, record_keys: &[(KeyRef, &SecretKey)]) -> Result<Self, KeyError> {
        let refs = KeyRefs::new(
            record_keys
                .iter()
                .map(|(key_ref, _)| *key_ref)
                .collect::<Vec<_>>(),
        )?;
        let mut ordered = record_keys.to_vec();
        ordered.sort_unstable_by_key(|(key_ref, _)| *key_ref);
        let mut material = [0; KeyRefs::MAX * PART_BYTES];
        for (part, (key_ref, secret)) in material.chunks_exact_mut(PART_BYTES).zip(&ordered) {
            write_part(part, key_ref, secret);
        }
        let key = derive(CONTENT_CONTEXT, &[&material[..ordered.len() * PART_BYTES]]);
        material.zeroize();
        let nonce_key = derive(NONCE_CONTEXT, &[key.expose()]);
        let mut encoded = Encoder::new();
        refs.encode(&mut encoded);
        Ok(Self {
            refs_encoded: encoded.finish().into_boxed_slice(),
            refs,
            key: arena.store(&key)?,
            nonce_key: arena.store(&nonce_key)?,
        })
    }

    /// The keys that it was made from.
    pub fn refs(&self) -> &KeyRefs {
        &self.refs
    }

    pub(crate) fn refs_encoded(&self) -> &[u8] {
        &self.refs_encoded
    }

    pub(crate) fn key(&self) -> &SecretKey {
        &self.key
    }

    pub(crate) fn nonce_key(&self) -> &SecretKey {
        &self.nonce_key
    }
}

fn write_part(part: &mut [u8], key_ref: &KeyRef, secret: &SecretKey) {
    part[0] = PART_CONTENT_BYTES as u8;
    part[1] = key_ref.kind.tag();
    part[2..18].copy_from_slice(key_ref.kid.as_bytes());
    part[18..22].copy_from_slice(&key_ref.generation.to_le_bytes());
    part[22..].copy_from_slice(secret.expose());
}
