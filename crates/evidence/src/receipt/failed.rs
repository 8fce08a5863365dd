//! The clause that a receipt fails, and how.

use std::fmt;

use eunoe_merkle::VerifyError;

use crate::json::JsonError;
use crate::leaf::AttestationError;
use crate::policy::Refused;

/// What is checked, by the names of the published procedure (docs/audit.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Clause {
    /// The receipt was made for this policy.
    V1,
    /// Each entry is in the log, and has the form of its type.
    V2,
    /// All proofs are of the same checkpoint.
    V3,
    /// What the receipt says beside its entries follows from them.
    V4,
    /// Each holder signed its word.
    V5,
    /// The ticket opens the commitment.
    V6,
    /// The key was made, and left out of an epoch.
    P1,
    /// Too few shares are left of any root that led to it.
    P2,
    /// No process has such a root in memory.
    P3,
    /// The policy trusts the checkpoint.
    P4,
}

impl Clause {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::V1 => "V1",
            Self::V2 => "V2",
            Self::V3 => "V3",
            Self::V4 => "V4",
            Self::V5 => "V5",
            Self::V6 => "V6",
            Self::P1 => "P1",
            Self::P2 => "P2",
            Self::P3 => "P3",
            Self::P4 => "P4",
        }
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a receipt proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// The policy that was given is another than the one that the receipt names.
    #[error("the receipt was made for another policy")]
    OtherPolicy,
    /// The checkpoint is of another log.
    #[error("the checkpoint is of another log than the receipt")]
    Origin,
    /// An entry is not in the checkpoint's tree.
    #[error("entry {index} is not in the log: {error}")]
    Inclusion {
        /// Its index in the log.
        index: u64,
        /// What the check says.
        error: VerifyError,
    },
    /// An entry has not the fields of its type.
    #[error("entry {index} has not the form of its type: {error}")]
    Entry {
        /// Its index in the log.
        index: u64,
        /// What is wrong.
        error: JsonError,
    },
    /// Two proofs have two checkpoints.
    #[error("the proof of entry {0} is of another checkpoint than the first one's")]
    OtherCheckpoint(u64),
    /// A field of the receipt says something else than its entries.
    #[error("the receipt's {0} is not what its entries say")]
    Overstated(&'static str),
    /// A holder's word is not its own.
    #[error("the word of node {node} in entry {index}: {error}")]
    Attestation {
        /// Its index in the log.
        index: u64,
        /// Who is said to have said it.
        node: u64,
        /// What is wrong.
        error: AttestationError,
    },
    /// The ticket is of another erasure or does not open the commitment.
    #[error("the ticket's {0} is not the receipt's")]
    Ticket(&'static str),
    /// P1 does not hold.
    #[error("{0}")]
    NotErased(&'static str),
    /// No entry says who held the root of the key's last epoch.
    #[error("no entry, or more than one, says who held the root of epoch {0}")]
    NoRoot(u64),
    /// Too few holders destroyed.
    #[error(
        "{destroyed} of the {holders} holders of epoch {epoch}'s root destroyed their shares; it takes {wanted}"
    )]
    TooFewHolders {
        /// The key's last epoch.
        epoch: u64,
        /// Holders of its root.
        holders: u64,
        /// Those that destroyed.
        destroyed: u64,
        /// How many leave too few.
        wanted: u64,
    },
    /// Nothing is said of older roots.
    #[error("no entry after the switch says that all roots up to epoch {0} are destroyed")]
    OlderRoots(u64),
    /// A process may have the root still.
    #[error("nothing says that node {0} has the root in memory no more")]
    InMemory(u64),
    /// The policy does not trust the checkpoint.
    #[error(transparent)]
    Policy(#[from] Refused),
}

impl Failed {
    /// Which clause.
    pub fn clause(&self) -> Clause {
        match self {
            Self::OtherPolicy => Clause::V1,
            Self::Origin | Self::Inclusion { .. } | Self::Entry { .. } => Clause::V2,
            Self::OtherCheckpoint(_) => Clause::V3,
            Self::Overstated(_) => Clause::V4,
            Self::Attestation { .. } => Clause::V5,
            Self::Ticket(_) => Clause::V6,
            Self::NotErased(_) => Clause::P1,
            Self::NoRoot(_) | Self::TooFewHolders { .. } | Self::OlderRoots(_) => Clause::P2,
            Self::InMemory(_) => Clause::P3,
            Self::Policy(_) => Clause::P4,
        }
    }
}
