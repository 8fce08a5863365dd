//! Proofs that an entry is in a log, to be checked without the log (tlog-proof).

use std::fmt;

use eunoe_merkle::{Hash, VerifyError, leaf_hash, verify_inclusion};

use crate::checkpoint::{CheckpointError, SignedCheckpoint};
use crate::encoding::{decimal, decode_hash, encode_base64};
use crate::note::NOTE_BYTES_MAX;
use crate::policy::{Agreement, Policy, Refused};

/// Hashes of a proof at most: the height of a tree of fewer than 2^63 leaves.
pub const PROOF_HASHES_MAX: usize = 63;

const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// Header, index and hashes, each with its newline, are shorter than this.
const HEAD_BYTES_MAX: usize = 64 + 45 * PROOF_HASHES_MAX;

/// Why bytes are not a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Longer than any proof.
    #[error("a proof longer than the limit")]
    TooLong,
    /// The first line is not `c2sp.org/tlog-proof@v1`.
    #[error("a proof of another version, or none")]
    Version,
    /// An `extra` line. The spec allows one, but nothing vouches for what it says; Eunoe's proofs have none.
    #[error("a proof with extra data, which nothing vouches for")]
    Extra,
    /// No `index` line with a canonical decimal.
    #[error("a proof whose index line is not canonical")]
    Index,
    /// A line is not the canonical base64 of a hash, or there are more than [`PROOF_HASHES_MAX`].
    #[error("a proof with a line that is not canonical, or with too many")]
    Hash,
    /// No empty line before the checkpoint.
    #[error("a proof without an empty line before its checkpoint")]
    NoSeparator,
    /// What follows is not a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// Why a proof does not prove an entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unproved {
    /// The entry is not where the proof says.
    #[error("not in the checkpoint's tree: {0}")]
    Inclusion(#[from] VerifyError),
    /// The checkpoint is not one that the policy trusts.
    #[error(transparent)]
    Checkpoint(#[from] Refused),
}

/// That some entry is leaf `index` of a checkpoint's tree. Its bytes are its [`fmt::Display`], and no others parse
/// to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    index: u64,
    hashes: Vec<Hash>,
    checkpoint: SignedCheckpoint,
}

impl Proof {
    /// A proof of the hashes from the leaf's sibling up, as [`eunoe_merkle::inclusion_proof`] makes them.
    pub fn new(index: u64, hashes: Vec<Hash>, checkpoint: SignedCheckpoint) -> Result<Self, ProofError> {
        if index >= checkpoint.checkpoint().size() {
            return Err(ProofError::Index);
        }
        if hashes.len() > PROOF_HASHES_MAX {
            return Err(ProofError::Hash);
        }
        Ok(Self {
            index,
            hashes,
            checkpoint,
        })
    }

    /// Reads a proof, and checks its form only.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofError> {
        if bytes.len() > HEAD_BYTES_MAX + NOTE_BYTES_MAX {
            return Err(ProofError::TooLong);
        }
        let (head, checkpoint) = split_head(bytes).ok_or(ProofError::NoSeparator)?;
        let mut lines = head.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(ProofError::Version);
        }
        let index = match lines.next() {
            Some(line) if line.starts_with("extra ") => return Err(ProofError::Extra),
            line => line
                .and_then(|line| line.strip_prefix("index "))
                .and_then(decimal),
        };
        let index = index.ok_or(ProofError::Index)?;
        let hashes = parse_hashes(lines).ok_or(ProofError::Hash)?;
        Self::new(index, hashes, SignedCheckpoint::parse(checkpoint)?)
    }

    /// The entry's place in the log, from 0.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The hashes from the leaf's sibling up.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// The tree that the entry is in, and who signed it.
    pub fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }

    /// Checks that `entry`, byte for byte, is in the tree, whoever signed it.
    pub fn verify_inclusion(&self, entry: &[u8]) -> Result<(), VerifyError> {
        let checkpoint = self.checkpoint.checkpoint();
        verify_inclusion(
            &leaf_hash(entry),
            self.index,
            checkpoint.size(),
            &self.hashes,
            checkpoint.root(),
        )
    }

    /// Checks that `entry`, byte for byte, is in a tree that the policy trusts, and says who signed it.
    pub fn verify(&self, policy: &Policy, entry: &[u8]) -> Result<Agreement, Unproved> {
        self.verify_inclusion(entry)?;
        Ok(policy.verify(&self.checkpoint)?)
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}\nindex {}", self.index)?;
        write_hashes(f, &self.hashes)?;
        write!(f, "\n{}", self.checkpoint)
    }
}

/// What is before the first empty line, without its last newline, and what is behind it.
pub(crate) fn split_head(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let empty_line = bytes.windows(2).position(|two| two == b"\n\n")?;
    let head = std::str::from_utf8(&bytes[..empty_line]).ok()?;
    Some((head, &bytes[empty_line + 2..]))
}

/// Hashes of a path, one a line. None if one is not canonical or there are too many.
pub(crate) fn parse_hashes<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Vec<Hash>> {
    let mut hashes = Vec::new();
    for line in lines {
        if hashes.len() == PROOF_HASHES_MAX {
            return None;
        }
        hashes.push(decode_hash(line)?);
    }
    Some(hashes)
}

pub(crate) fn write_hashes(f: &mut fmt::Formatter<'_>, hashes: &[Hash]) -> fmt::Result {
    hashes
        .iter()
        .try_for_each(|hash| writeln!(f, "{}", encode_base64(hash)))
}
