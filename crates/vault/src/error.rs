//! Why a vault refused or failed. No error carries a secret.

use std::io;

use crate::Slot;

/// Why a vault did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The medium may keep copies of what is overwritten.
    #[error("the vault's medium cannot forget: {0}")]
    Medium(String),
    /// Another process has the vault open.
    #[error("another process has the vault open")]
    InUse,
    /// The vault's file is not one, or is damaged beyond its second copy.
    #[error("the vault is damaged: {0}")]
    Damaged(&'static str),
    /// The file is readable by others than its owner.
    #[error("the vault's file is accessible to others: mode {0:o} instead of 600")]
    Permissions(u32),
    /// The slot holds another secret.
    #[error("slot {}.{} holds another secret", .0.epoch, .0.attempt)]
    Taken(Slot),
    /// The vault has no such slot.
    #[error("no slot {}.{}", .0.epoch, .0.attempt)]
    NotFound(Slot),
    /// The slot is half destroyed or was changed: it gives nothing back.
    #[error("slot {}.{} is dead", .0.epoch, .0.attempt)]
    Dead(Slot),
    /// All slots hold something.
    #[error("the vault is full")]
    Full,
    /// There is no secret in the secret.
    #[error("the secret is empty")]
    Empty,
    /// The secret is larger than a slot takes.
    #[error("the secret is too large for a slot")]
    TooLarge,
    /// What was read back is not what was written.
    #[error("the medium did not keep what was written")]
    ReadBack,
    /// A file with a PIN, a token or certificates is empty, too large or not what it should be.
    #[error("{file} {problem}")]
    BadFile {
        /// Which one.
        file: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The token refused the PIN. It is not shown again before the vault is opened anew: tokens lock themselves.
    #[error("the token refused the PIN")]
    Pin,
    /// The token or its library failed, or the session was lost.
    #[error("{what}: {problem}")]
    Token {
        /// Verb and object.
        what: &'static str,
        /// The library's word for it.
        problem: String,
    },
    /// The server of the keys answered with something else than what it was asked for.
    #[error("{what}: the server answered {status}")]
    Refused {
        /// Verb and object.
        what: &'static str,
        /// Its HTTP status.
        status: u16,
    },
    /// The server's answer is not one: malformed, too long, or of another key.
    #[error("{what}: the server's answer is malformed")]
    Malformed {
        /// Verb and object.
        what: &'static str,
    },
    /// No answer came in time. What was asked may happen yet.
    #[error("{what}: no answer in time")]
    TimedOut {
        /// Verb and object.
        what: &'static str,
    },
    /// The server of the keys was not reached.
    #[error("{what}: the server was not reached")]
    Unreachable {
        /// Verb and object.
        what: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A key was deleted and is there still.
    #[error("the key of slot {}.{} outlived its deletion", .0.epoch, .0.attempt)]
    Undeleted(Slot),
    /// The vault's cipher or source of randomness failed.
    #[error(transparent)]
    Seal(#[from] eunoe_crypto::SealError),
    /// The system refused.
    #[error("{what}")]
    Io {
        /// Verb and object.
        what: &'static str,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

impl VaultError {
    /// Whether the same may succeed later although nobody changed anything: who keeps the keys is away or busy. All others
    /// say that something is wrong here.
    pub fn is_passing(&self) -> bool {
        if let Self::Refused { status, .. } = self {
            return *status == 429 || *status >= 500;
        }
        matches!(self, Self::TimedOut { .. } | Self::Unreachable { .. })
    }

    /// For `map_err`: names what failed.
    pub(crate) fn io<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Io {
            what,
            source: source.into(),
        }
    }
}
