//! Why there is no cosignature.

use std::io;
use std::path::PathBuf;

use eunoe_evidence::{AddCheckpointError, AnswerError};

/// Why a witness cannot be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The key is one of a log's signatures, not of cosignatures.
    #[error("a key that does not cosign")]
    NotACosigner,
    /// HTTPS, and nothing to check the witness's certificate with.
    #[error("https needs a file with certificates of authorities")]
    NoAuthorities,
    /// The authorities' file cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The authorities' file holds no certificate in PEM.
    #[error("{}: no certificates in PEM", path.display())]
    NoCertificate {
        /// Which.
        path: PathBuf,
    },
}

/// Why a witness did not cosign. `E` is why no consistency proof could be made.
#[derive(Debug, thiserror::Error)]
pub enum AskError<E: std::error::Error + 'static> {
    /// The log has no consistency proof between two of its sizes.
    #[error("no consistency proof: {0}")]
    Prove(#[source] E),
    /// The request has no form that a witness would read.
    #[error(transparent)]
    Request(AddCheckpointError),
    /// It did not answer in time. It may have cosigned all the same.
    #[error("the witness did not answer in time")]
    TimedOut,
    /// No connection, or none that held until the answer's end. It may have cosigned all the same.
    #[error("the witness cannot be reached: {0}")]
    Unreachable(#[source] io::Error),
    /// What it answers is not of the protocol; a redirection is not.
    #[error("the witness answered {0}")]
    Answer(#[from] AnswerError),
    /// It refuses: 400, 403 (it has another key for the log), 404 (it does not know the log) or 422.
    #[error("the witness refused with status {0}")]
    Refused(u16),
    /// It cosigned a larger tree already: another node asked, or this one is behind.
    #[error("the witness has cosigned {0} leaves already")]
    Ahead(u64),
    /// It was asked from the size that it names, and says that this is not so: its tree of that size is another one.
    #[error("the witness has another tree of {0} leaves")]
    Contradicted(u64),
    /// Others asked meanwhile, so that it was somewhere else again.
    #[error("the witness moved on to {0} leaves meanwhile")]
    Moved(u64),
    /// Its cosignature is missing or wrong.
    #[error("no right cosignature of the witness's key")]
    NotCosigned,
}
