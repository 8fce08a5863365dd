//! What a log sends to a witness.

use std::fmt;

use eunoe_merkle::Hash;

use crate::checkpoint::{CheckpointError, SignedCheckpoint};
use crate::encoding::{SIZE_MAX, decimal};
use crate::note::NOTE_BYTES_MAX;
use crate::proof::{PROOF_HASHES_MAX, parse_hashes, split_head, write_hashes};

/// The old size and hashes, each with its newline, are shorter than this.
const HEAD_BYTES_MAX: usize = 32 + 45 * PROOF_HASHES_MAX;

/// Bytes of a request at most.
pub const ADD_CHECKPOINT_BYTES_MAX: usize = HEAD_BYTES_MAX + NOTE_BYTES_MAX;

/// Why bytes are not a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddCheckpointError {
    /// Longer than any request.
    #[error("a request longer than the limit")]
    TooLong,
    /// No `old` line with a canonical decimal.
    #[error("a request whose old size line is not canonical")]
    OldSize,
    /// A line is not the canonical base64 of a hash, or there are more than [`PROOF_HASHES_MAX`].
    #[error("a request with a line that is not canonical, or with too many")]
    Hash,
    /// No empty line before the checkpoint.
    #[error("a request without an empty line before its checkpoint")]
    NoSeparator,
    /// What follows is not a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// The body of an `add-checkpoint` request. Its bytes are its [`fmt::Display`], and no others parse to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    old_size: u64,
    proof: Vec<Hash>,
    checkpoint: SignedCheckpoint,
}

impl AddCheckpoint {
    /// A request for a cosignature on `checkpoint`, with the consistency proof from the tree of `old_size` leaves
    /// that the witness cosigned last: none for 0 leaves, nor for as many as the checkpoint has.
    pub fn new(
        old_size: u64,
        proof: Vec<Hash>,
        checkpoint: SignedCheckpoint,
    ) -> Result<Self, AddCheckpointError> {
        if old_size > SIZE_MAX {
            return Err(AddCheckpointError::OldSize);
        }
        if proof.len() > PROOF_HASHES_MAX {
            return Err(AddCheckpointError::Hash);
        }
        Ok(Self {
            old_size,
            proof,
            checkpoint,
        })
    }

    /// Reads a body, and checks its form only.
    pub fn parse(bytes: &[u8]) -> Result<Self, AddCheckpointError> {
        if bytes.len() > ADD_CHECKPOINT_BYTES_MAX {
            return Err(AddCheckpointError::TooLong);
        }
        let (head, checkpoint) = split_head(bytes).ok_or(AddCheckpointError::NoSeparator)?;
        let mut lines = head.split('\n');
        let old_size = lines.next().and_then(|line| line.strip_prefix("old "));
        let old_size = old_size.and_then(decimal).ok_or(AddCheckpointError::OldSize)?;
        let proof = parse_hashes(lines).ok_or(AddCheckpointError::Hash)?;
        Self::new(old_size, proof, SignedCheckpoint::parse(checkpoint)?)
    }

    /// Leaves of the tree that the witness is believed to have cosigned last.
    pub fn old_size(&self) -> u64 {
        self.old_size
    }

    /// The consistency proof from there.
    pub fn proof(&self) -> &[Hash] {
        &self.proof
    }

    /// What is to be cosigned.
    pub fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old_size)?;
        write_hashes(f, &self.proof)?;
        write!(f, "\n{}", self.checkpoint)
    }
}
