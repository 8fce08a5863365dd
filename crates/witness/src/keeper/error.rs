//! Why a witness cannot be, or go on.

use std::io;
use std::path::{Path, PathBuf};

use eunoe_evidence::{KeyError, KeyName};

/// Why a witness cannot start, or must end.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// Another process uses the folder.
    #[error("another witness runs in {}", path.display())]
    Taken {
        /// The folder.
        path: PathBuf,
    },
    /// A file or the folder cannot be read or written. After a write it is not known what is there.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is not what a witness wrote. There is no repair: a witness that has lost its memory needs a new key, so a
    /// new folder.
    #[error("{} is damaged: {problem}", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The key is there for others to read.
    #[error("{} can be read by others: whoever did has the key (chmod 600 if nobody did)", path.display())]
    OpenToOthers {
        /// The key's file.
        path: PathBuf,
    },
    /// The folder's key has another name.
    #[error("the witness of this folder is called {0}")]
    OtherName(KeyName),
    /// A key of a log is none, or is the witness's own.
    #[error("a log's key: {0}")]
    LogKey(KeyError),
    /// The witness's own key cannot be made.
    #[error("the witness's key: {0}")]
    Key(KeyError),
    /// More than [`crate::LOG_KEYS_MAX`] keys of logs.
    #[error("more than {} keys of logs", crate::LOG_KEYS_MAX)]
    TooManyKeys,
    /// More than [`crate::ORIGINS_MAX`] logs with what the folder remembers.
    #[error("more than {} logs, those of before included", crate::ORIGINS_MAX)]
    TooManyLogs,
    /// The system has no randomness.
    #[error("no randomness: {0}")]
    Randomness(getrandom::Error),
    /// A write failed before.
    #[error("it is not known what the last write left behind")]
    Stopped,
}

impl KeeperError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        Self::Io { path, source }
    }

    pub(super) fn damaged(path: &Path, problem: &'static str) -> Self {
        let path = path.to_owned();
        Self::Damaged { path, problem }
    }
}
