//! What cannot be true about a log.

use std::fmt;

use crate::encoding::encode_hex;
use crate::json::JsonError;
use crate::leaf::AttestationError;

/// What is wrong about an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// The entry.
    pub index: u64,
    /// What is wrong.
    pub problem: Problem,
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {}: {}", self.index, self.problem)
    }
}

/// What an entry contradicts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Not canonical JSON, or a known type with other fields than its own.
    #[error("{0}")]
    Malformed(JsonError),
    /// The log does not begin with its genesis.
    #[error("the log has not begun with its genesis")]
    NoGenesis,
    /// It begins twice.
    #[error("a second genesis")]
    SecondGenesis,
    /// The genesis is of another realm than the log's name.
    #[error("a genesis of another realm than the log is named after")]
    OtherRealm,
    /// An epoch is skipped, repeated or over.
    #[error("epoch {said} where {wanted} is due")]
    WrongEpoch {
        /// What the entry says.
        said: u64,
        /// What follows from the entries before it.
        wanted: u64,
    },
    /// A key was made twice.
    #[error("the key of commitment {} is made for the second time", encode_hex(.0))]
    CreatedTwice([u8; 32]),
    /// An erased key is in use again.
    #[error("the key of commitment {} was erased, and appears again", encode_hex(.0))]
    Returned([u8; 32]),
    /// A key is erased twice.
    #[error("the key of commitment {} is erased for the second time", encode_hex(.0))]
    ErasedTwice([u8; 32]),
    /// A key that was never made is fenced or erased.
    #[error("the key of commitment {} was never made", encode_hex(.0))]
    NeverCreated([u8; 32]),
    /// Another key is erased than was made.
    #[error("another key of commitment {} is erased than was made", encode_hex(.0))]
    OtherKey([u8; 32]),
    /// Destruction is stated that the entries do not show.
    #[error(
        "keys before epoch {said} are called destroyed, but the entries show that only of those before {shown}"
    )]
    EarlyDestroyed {
        /// What the entry says.
        said: u64,
        /// What follows from the entries before it.
        shown: u64,
    },
    /// The same by the word of all.
    #[error(
        "keys before epoch {said} are called destroyed by all, but the entries show that only of those before {shown}"
    )]
    EarlyFull {
        /// What the entry says.
        said: u64,
        /// What follows from the entries before it.
        shown: u64,
    },
    /// A holder's word whose key is not in the log.
    #[error("node {node} attests, and nothing says what its key is")]
    AttestedWithoutKey {
        /// Who is said to have said it.
        node: u64,
    },
    /// A holder's word that it did not sign.
    #[error("an attestation of node {node}: {error}")]
    Forged {
        /// Who is said to have said it.
        node: u64,
        /// What is wrong.
        error: AttestationError,
    },
    /// A holder's word about an epoch that has not begun.
    #[error("node {node} attests for an epoch that has not begun")]
    AttestedAhead {
        /// Who said it.
        node: u64,
    },
    /// The end of a lease that was not waited for, or that the process did not have.
    #[error("the end of a lease that node {node} did not have, or that was not waited for")]
    NoSuchLease {
        /// Whose.
        node: u64,
    },
    /// A root is given to a node that is not admitted.
    #[error("node {node} is given a root or a share and is not admitted")]
    NotAdmitted {
        /// To whom.
        node: u64,
    },
    /// A root is given to a node that said that it holds none for good.
    #[error("node {node} is given a root or a share after it ceased to hold any for good")]
    Retired {
        /// To whom.
        node: u64,
    },
    /// A list of who had a root leaves somebody out.
    #[error("node {node} was given the root of epoch {epoch}, and is not in the list of those who were")]
    Unnamed {
        /// Who.
        node: u64,
        /// The root's epoch.
        epoch: u64,
    },
    /// A destroyed share came back.
    #[error("a share of epoch {epoch} came back in the vault of node {node}")]
    VaultRolledBack {
        /// Where.
        node: u64,
        /// Of which epoch.
        epoch: u64,
    },
}
