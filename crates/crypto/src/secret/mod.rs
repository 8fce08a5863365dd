//! Memory that holds secrets: wiped when freed, never printed, compared in constant time.

mod arena;
#[cfg(feature = "export-keys")]
mod export;
mod secret_bytes;
mod secret_key;

pub use arena::{ArenaError, KeyArena, LockedKey, Locking};
pub use secret_bytes::SecretBytes;
pub use secret_key::SecretKey;
