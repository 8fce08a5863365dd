//! Envelopes, key-tree pages, commitments and the memory that keys live in.
//!
//! Everything here is a pure function of its arguments and of an [`Entropy`]: no clock, no storage, no
//! global state. What a key opens, and who may hold it when, is decided by the crates above.
//!
//! Two limits are stated rather than hidden (erasure.md R22): key memory is wiped when it is freed, but
//! registers and stack frames that a key passed through are not; and a sealed message is bound to its
//! conversation, id, day and owners, but not to its position, which the log gives.

mod aad;
mod commitment;
mod content_key;
mod entropy;
mod envelope;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod handover;
mod hash;
mod key_ref;
mod locator;
mod lookup;
mod padding;
mod record;
mod root;
mod sealing;
mod secret;
mod sharing;
mod tree;

pub use aad::{Context, ConversationRowAad, MessageAad};
pub use commitment::{Commitment, key_commitment, root_commitment, sub_key_commitment, subject_commitment};
pub use content_key::ContentKey;
pub use entropy::{Entropy, EntropyError, OsEntropy, PooledEntropy};
pub use envelope::{ENVELOPE_OVERHEAD, open, seal, seal_into};
pub use error::{KeyError, OpenError, SealError};
pub use handover::HandOver;
pub use key_ref::{KeyKind, KeyRef, KeyRefs, KeyRefsError};
pub use locator::{IndexKind, Locator, LocatorKey};
pub use lookup::LookupKey;
pub use record::{IndexRecord, KeyGeneration, KeyRecord};
pub use root::RootKey;
pub use sealing::SealingKey;
pub use secret::{ArenaError, KeyArena, LockedKey, Locking, SecretBytes, SecretKey};
pub use sharing::{DealtRoot, Rebuilding, RootShare, ShareError, Sharing, SharingError};
pub use tree::{
    ARITY, ChildKeys, Genesis, LeafName, Levels, LevelsError, MetaPage, OpenedPage, OpenedRow, PageId,
    PageKeys, RowHeader, RowTag, Tree,
};
