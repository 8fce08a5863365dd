//! Why the keyring could not help.

use eunoe_crypto::{ArenaError, EntropyError, KeyError, KeyRefsError, OpenError, SealError};
use eunoe_types::Fault;

/// Why the keyring could not help. That a key does not exist is no error: lookups answer `None`.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// This node has no root key now.
    #[error("the node is sealed: it holds no root key")]
    Sealed,
    /// This node has not heard from the cluster for as long as keys may be used.
    #[error("the key lease is over")]
    LeaseOver,
    /// The state is of another epoch than the root: the node is about to change over.
    #[error("the root key is of another epoch than the state")]
    StaleRoot,
    /// The state does not have a key yet that something stored is sealed under: it is older than what was read.
    #[error("the state is older than what was read")]
    Behind,
    /// The root key is not the one that the control group names.
    #[error("the root key is not the one of the current epoch")]
    WrongRoot,
    /// As many keys of a name as there can be wait for the epoch that erases them.
    #[error("every place of the name is taken by a key that is being erased")]
    NameTaken,
    /// There is no memory or no randomness for a key, or keys do not make a list.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Something was not sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Stored pages or rows are broken: the node is unfit.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<ArenaError> for KeyringError {
    fn from(error: ArenaError) -> Self {
        Self::Key(error.into())
    }
}

impl From<EntropyError> for KeyringError {
    fn from(error: EntropyError) -> Self {
        Self::Key(error.into())
    }
}

impl From<KeyRefsError> for KeyringError {
    fn from(error: KeyRefsError) -> Self {
        Self::Key(error.into())
    }
}

/// A page or row of the current tree that its own page key does not open: broken storage, never a missing key.
pub(crate) fn unopened(what: &'static str) -> impl FnOnce(OpenError) -> KeyringError {
    move |error| KeyringError::Fault(Fault::broken(format!("{what} does not open: {error}")))
}
