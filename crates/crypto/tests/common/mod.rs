//! Keys, places and sources of randomness that tests share.
#![allow(dead_code, unreachable_pub)] // Each test file uses its own part of it.

use eunoe_crypto::{
    ContentKey, Entropy, EntropyError, KeyArena, KeyKind, KeyRef, Locking, MessageAad, SecretBytes, SecretKey,
};
use eunoe_types::{ConversationId, Day, Kid, MessageId, Realm};

/// The same bytes for the same seed.
pub struct Seeded(blake3::OutputReader);

impl Seeded {
    pub fn new(seed: u64) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes());
        Self(hasher.finalize_xof())
    }
}

impl Entropy for Seeded {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        self.0.fill(out);
        Ok(())
    }
}

/// A broken source: the same bytes on every call, as on a cloned machine.
pub struct Frozen;

impl Entropy for Frozen {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        out.fill(0x42);
        Ok(())
    }
}

/// A source without randomness.
pub struct Empty;

impl Entropy for Empty {
    fn fill(&mut self, _: &mut [u8]) -> Result<(), EntropyError> {
        Err(EntropyError)
    }
}

pub const REALM: Realm = Realm([0xa0; 16]);

pub fn arena() -> KeyArena {
    KeyArena::new(Locking::BestEffort, 1 << 16).expect("memory")
}

pub fn key(byte: u8) -> SecretKey {
    SecretKey::from_bytes(&[byte; 32])
}

pub fn key_ref(kind: KeyKind, kid: u8, generation: u32) -> KeyRef {
    KeyRef {
        kind,
        kid: Kid([kid; 16]),
        generation,
    }
}

/// Two owners, conversation, bucket, tenant.
pub fn refs() -> Vec<KeyRef> {
    vec![
        key_ref(KeyKind::Subject, 1, 1),
        key_ref(KeyKind::Subject, 2, 7),
        key_ref(KeyKind::Conv, 3, 1),
        key_ref(KeyKind::Bucket, 4, 1),
        key_ref(KeyKind::Tenant, 5, 300),
    ]
}

pub fn content_key() -> ContentKey {
    content_key_of(&refs(), [11, 12, 13, 14, 15])
}

pub fn content_key_of<const N: usize>(refs: &[KeyRef], keys: [u8; N]) -> ContentKey {
    let keys = keys.map(key);
    let pairs: Vec<_> = refs.iter().copied().zip(&keys).collect();
    ContentKey::derive(&arena(), &pairs).expect("a valid list")
}

pub fn place() -> MessageAad {
    MessageAad {
        realm: REALM,
        conversation: ConversationId([3; 16]),
        message: MessageId([9; 16]),
        envelope: 0,
        day: Day(20_000),
    }
}

pub fn secret(bytes: &[u8]) -> SecretBytes {
    SecretBytes::from(bytes)
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
