//! Why sealing, opening or holding a key failed. None of these errors carries a key, a name or a content.

use eunoe_types::DecodeError;

use crate::{ArenaError, EntropyError, KeyRefsError};

/// Why something was not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// No randomness.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The cipher refused: the content is longer than the cipher takes.
    #[error("the cipher refused the content")]
    Cipher,
}

/// Why sealed bytes were not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The bytes are too short to be sealed.
    #[error("sealed bytes are cut short")]
    Truncated,
    /// A version of the stored form that this release does not know.
    #[error("unknown version {0} of sealed bytes")]
    UnknownVersion(u8),
    /// A suite of ciphers that this release does not know, or that does not belong here.
    #[error("unknown cipher suite {0}")]
    UnknownSuite(u8),
    /// The bytes were sealed under another key or for another place.
    #[error("sealed under another key or for another place")]
    WrongKey,
    /// The bytes are not what was sealed.
    #[error("sealed bytes were changed")]
    Forged,
    /// What was sealed is not a stored form that this release knows.
    #[error("sealed content does not decode: {0}")]
    Content(#[from] DecodeError),
}

/// Why a key could not be made or held.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No randomness.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// No memory to hold it in.
    #[error(transparent)]
    Arena(#[from] ArenaError),
    /// The keys do not make a list.
    #[error(transparent)]
    Refs(#[from] KeyRefsError),
    /// The stored form is not known.
    #[error("a key's stored form does not decode: {0}")]
    Decode(#[from] DecodeError),
}
