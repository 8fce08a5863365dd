//! Keys while they are held in memory.

use eunoe_core::control::EpochRow;
use eunoe_crypto::{KeyArena, KeyKind, KeyRecord, KeyRef, LockedKey};
use eunoe_types::Kid;

use crate::KeyringError;

/// All generations of one record key, in the arena.
#[derive(Debug)]
pub struct HeldKey {
    kind: KeyKind,
    kid: Kid,
    generations: Vec<(u32, LockedKey)>,
}

impl HeldKey {
    pub(crate) fn new(arena: &KeyArena, record: &KeyRecord) -> Result<Self, KeyringError> {
        let generations = record
            .generations
            .iter()
            .map(|generation| Ok((generation.generation, arena.store(&generation.key)?)))
            .collect::<Result<_, KeyringError>>()?;
        Ok(Self {
            kind: record.kind,
            kid: record.kid,
            generations,
        })
    }

    /// The key's name.
    pub fn kid(&self) -> Kid {
        self.kid
    }

    /// The ref that new content uses: the newest generation.
    pub fn newest(&self) -> KeyRef {
        let generation = self.generations.last().map_or(0, |(number, _)| *number);
        KeyRef {
            kind: self.kind,
            kid: self.kid,
            generation,
        }
    }

    /// The first generation, which lookup and locator keys come from; a record without one does not decode.
    pub(crate) fn first(&self) -> Option<&LockedKey> {
        self.generations.first().map(|(_, key)| key)
    }

    /// One generation.
    pub(crate) fn generation(&self, number: u32) -> Option<&LockedKey> {
        self.generations
            .iter()
            .find(|(known, _)| *known == number)
            .map(|(_, key)| key)
    }
}

/// The keys that came from one root and are still in memory, whoever holds them: a tenant's or a conversation's, record
/// and content keys, those of pages.
pub(crate) struct HeldKeys {
    epoch: u64,
    attempt: u64,
    keys: KeyArena,
}

impl HeldKeys {
    /// Those that `keys` counts, of the root of this epoch and attempt.
    pub(crate) fn new(epoch: u64, attempt: u64, keys: KeyArena) -> Self {
        Self { epoch, attempt, keys }
    }

    pub(crate) fn any(&self) -> bool {
        self.keys.held() > 0
    }

    /// Whether the root is the one of this epoch.
    pub(crate) fn is_of(&self, epoch: &EpochRow) -> bool {
        (self.epoch, self.attempt) == (epoch.epoch, epoch.attempt)
    }
}
