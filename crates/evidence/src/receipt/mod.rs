//! Receipts of erasures: entries of the log that together say that a key is destroyed, each with its proof, and what
//! follows from them.
//!
//! Whatever a receipt says beside its entries follows from the entries alone, so that whoever makes one cannot overstate:
//! [`Receipt::assemble`] derives it and [`verify`] derives it again.

mod assumptions;
mod derive;
mod failed;
mod format;
mod ticket;
mod verdict;

use crate::encoding::decode_realm;
use crate::json::JsonError;
use crate::leaf::{Kind, VaultClass};
use crate::proof::{Proof, ProofError};

pub use assumptions::{ASSUMPTIONS, Assumption};
pub use failed::{Clause, Failed};
pub use ticket::{TICKET_BYTES_MAX, Ticket, TicketError, subject_commitment};
pub use verdict::{Verdict, verify};

/// Bytes of a receipt at most.
pub const RECEIPT_BYTES_MAX: usize = 1024 * 1024;

/// Entries of a receipt at most.
pub const RECEIPT_ENTRIES_MAX: usize = 512;

/// Types of entries that a receipt may have. Others say nothing about an erasure.
const ROLES: [&str; 11] = [
    "decommissioned",
    "epoch-destroyed",
    "epoch-switch",
    "erase-fenced",
    "genesis",
    "holder-attest",
    "holder-retired",
    "key-created",
    "key-erased",
    "lease-expired",
    "node-keys",
];

/// Why something is not a receipt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Not canonical JSON, or without a field, or with one too many.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A field has a value that no receipt of this version has there.
    #[error("the field {0:?} is not what a receipt has there")]
    Field(&'static str),
    /// The origin is not `eunoe/` and the realm.
    #[error("an origin that does not name the realm")]
    Realm,
    /// No entry, or more than [`RECEIPT_ENTRIES_MAX`].
    #[error("no entry, or more than the limit")]
    Count,
    /// An entry is there twice, or before one that is earlier in the log.
    #[error("entry {0} of the log is doubled or out of order")]
    Order(u64),
    /// An entry is of a type that a receipt has no use for, or is not what its role says.
    #[error("entry {0} of the log has another type than its role, or one that says nothing about an erasure")]
    Role(u64),
    /// An entry has not the fields of its type.
    #[error("entry {index} of the log: {error}")]
    Entry {
        /// Its index in the log.
        index: u64,
        /// What is wrong.
        error: JsonError,
    },
    /// A proof has not the form of one.
    #[error("the proof of the receipt's entry {place}: {error}")]
    Proof {
        /// Its place in the receipt, from 0.
        place: usize,
        /// What is wrong.
        error: ProofError,
    },
    /// More than [`RECEIPT_BYTES_MAX`] bytes.
    #[error("a receipt longer than the limit")]
    TooLong,
}

/// Why entries make no receipt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssembleError {
    /// They have not the form.
    #[error(transparent)]
    Form(#[from] ReceiptError),
    /// They do not say enough.
    #[error(transparent)]
    Failed(#[from] Failed),
}

/// Who said that he destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// So many holders that the others cannot rebuild the root; leases and evidence stand in for the rest.
    Threshold,
    /// All who ever held a share or the root, by their own word.
    Full,
}

impl Grade {
    /// As receipts write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Threshold => "threshold",
            Self::Full => "full",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Threshold, Self::Full]
            .into_iter()
            .find(|grade| grade.name() == name)
    }
}

/// What a receipt's entries say together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptFacts {
    /// The erasure.
    pub request: [u8; 16],
    /// What sort of thing the key was of.
    pub kind: Kind,
    /// `c`: a commitment to whose it was.
    pub commit: [u8; 32],
    /// `kc`: a commitment to the key.
    pub key_commit: [u8; 32],
    /// The last epoch in which the key lived.
    pub epoch: u64,
    /// Who said that he destroyed.
    pub grade: Grade,
    /// The weakest vault among the holders that count.
    pub strength: VaultClass,
}

/// An entry of the log with its proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptEntry {
    leaf: Vec<u8>,
    role: &'static str,
    proof: Proof,
}

impl ReceiptEntry {
    /// Its exact bytes in the log.
    pub fn leaf(&self) -> &[u8] {
        &self.leaf
    }

    /// Its type's name, without prefix and version.
    pub fn role(&self) -> &'static str {
        self.role
    }

    /// That it is in the log.
    pub fn proof(&self) -> &Proof {
        &self.proof
    }
}

/// A receipt. Its bytes are its [`std::fmt::Display`], and no others parse to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    origin: String,
    realm: [u8; 16],
    policy_sha256: [u8; 32],
    facts: ReceiptFacts,
    entries: Vec<ReceiptEntry>,
}

impl Receipt {
    /// Makes a receipt of an erasure from entries of the log with their proofs, in any order. All proofs are of the same
    /// checkpoint of the log `origin`, which is `eunoe/` and the realm; `policy_sha256` is of the policy that the receipt
    /// is made for.
    pub fn assemble(
        origin: &str,
        policy_sha256: [u8; 32],
        request: [u8; 16],
        entries: Vec<(Vec<u8>, Proof)>,
    ) -> Result<Self, AssembleError> {
        let realm = decode_realm(origin).ok_or(ReceiptError::Realm)?;
        let mut entries = entries
            .into_iter()
            .map(|(leaf, proof)| ReceiptEntry::new(leaf, proof))
            .collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_key(|entry| entry.proof.index());
        check_order(&entries)?;
        verdict::check_proofs(origin, &entries)?;
        let facts = derive::derive(&realm, &request, &entries)?.facts;
        let origin = origin.to_owned();
        let receipt = Self {
            origin,
            realm,
            policy_sha256,
            facts,
            entries,
        };
        if receipt.to_string().len() > RECEIPT_BYTES_MAX {
            return Err(ReceiptError::TooLong.into());
        }
        Ok(receipt)
    }

    /// The log's name.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The realm, which the log is named after.
    pub fn realm(&self) -> &[u8; 16] {
        &self.realm
    }

    /// The SHA-256 of the policy that the receipt was made for.
    pub fn policy_sha256(&self) -> &[u8; 32] {
        &self.policy_sha256
    }

    /// What it says. Before [`verify`] that is only a claim.
    pub fn facts(&self) -> &ReceiptFacts {
        &self.facts
    }

    /// The entries, in the log's order.
    pub fn entries(&self) -> &[ReceiptEntry] {
        &self.entries
    }
}

/// Each entry once, in the log's order: so a receipt has one spelling.
fn check_order(entries: &[ReceiptEntry]) -> Result<(), ReceiptError> {
    if entries.is_empty() || entries.len() > RECEIPT_ENTRIES_MAX {
        return Err(ReceiptError::Count);
    }
    let index = |entry: &ReceiptEntry| entry.proof.index();
    match entries.windows(2).find(|pair| index(&pair[0]) >= index(&pair[1])) {
        Some(pair) => Err(ReceiptError::Order(index(&pair[1]))),
        None => Ok(()),
    }
}
