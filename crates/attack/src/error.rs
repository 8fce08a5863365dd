//! Why an attack could not be tried.

use std::io;
use std::path::PathBuf;

/// Why an attack could not be tried.
#[derive(Debug, thiserror::Error)]
pub enum AttackError {
    /// An input cannot be read.
    #[error("reading {path}")]
    Input {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no room for copies.
    #[error("making a copy of the evidence")]
    Copy(#[source] io::Error),
    /// Nothing in the evidence says whose it is, so that nothing can be opened.
    #[error(
        "the evidence names no realm: neither its first log entry nor a state of the control group is in it"
    )]
    NoRealm,
    /// There is no memory for keys.
    #[error("keeping keys in memory")]
    Keys(#[from] eunoe_crypto::KeyError),
}

impl AttackError {
    pub(crate) fn input(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Input { path, source }
    }
}
