//! Checkpoints: a log's name, size and root in a signed note (tlog-checkpoint v1.0.0).

use std::fmt;

use eunoe_merkle::{Hash, HashSource, ProveError, VerifyError, consistency_proof, empty_root};

use crate::encoding::{SIZE_MAX, decimal, decode_hash, encode_base64, has_controls};
use crate::key::VerifierKey;
use crate::note::{NOTE_BYTES_MAX, Note, NoteError, SignatureLine, Signed, UntrustedNote};

/// Bytes of an origin at most; tlog-cosignature's structures hold no more.
pub const ORIGIN_BYTES_MAX: usize = 255;

/// Why something is not a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not a signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Fewer than three lines, or no newline after the last.
    #[error("a checkpoint of fewer than three whole lines")]
    Lines,
    /// Empty, too long, or with a control character.
    #[error("an origin that is empty, too long or has a control character")]
    Origin,
    /// Not a decimal without leading zeros, at most 2^63 − 1.
    #[error("a tree size that is not a canonical decimal below 2^63")]
    Size,
    /// Not the canonical base64 of 32 bytes.
    #[error("a root that is not the canonical base64 of 32 bytes")]
    Root,
    /// A tree without leaves has one root, and this is another.
    #[error("an empty tree with another root than its own")]
    EmptyTree,
    /// An extension line is empty, has a control character, or all are too long.
    #[error("an extension line that is empty, has a control character or is too long")]
    Extension,
}

/// Why a newer checkpoint does not continue an older one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConsistencyError {
    /// Checkpoints of two logs.
    #[error("checkpoints of two logs")]
    Origin,
    /// The proof does not lead from one tree to the other.
    #[error(transparent)]
    Proof(#[from] VerifyError),
}

/// What a log says its tree is. Its note text is its [`fmt::Display`], and no other parses to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
    extensions: Vec<String>,
}

impl Checkpoint {
    /// A checkpoint of `size` leaves. Extension lines have no newline; the spec advises against them, because
    /// nobody audits them.
    pub fn new(
        origin: &str,
        size: u64,
        root: Hash,
        extensions: Vec<String>,
    ) -> Result<Self, CheckpointError> {
        if !is_line(origin) || origin.len() > ORIGIN_BYTES_MAX {
            return Err(CheckpointError::Origin);
        }
        if size > SIZE_MAX {
            return Err(CheckpointError::Size);
        }
        if size == 0 && root != empty_root() {
            return Err(CheckpointError::EmptyTree);
        }
        let total: usize = extensions.iter().map(|line| line.len() + 1).sum();
        if total > NOTE_BYTES_MAX || !extensions.iter().all(|line| is_line(line)) {
            return Err(CheckpointError::Extension);
        }
        let origin = origin.to_owned();
        Ok(Self {
            origin,
            size,
            root,
            extensions,
        })
    }

    /// Reads a note's text.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let lines = text.strip_suffix('\n').ok_or(CheckpointError::Lines)?;
        let mut lines = lines.split('\n');
        let mut line = || lines.next().ok_or(CheckpointError::Lines);
        let (origin, size, root) = (line()?, line()?, line()?);
        let size = decimal(size).ok_or(CheckpointError::Size)?;
        let root = decode_hash(root).ok_or(CheckpointError::Root)?;
        Self::new(origin, size, root, lines.map(str::to_owned).collect())
    }

    /// The log's name.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The tree's root.
    pub fn root(&self) -> &Hash {
        &self.root
    }

    /// Lines after the root, without their newlines.
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, encode_base64(&self.root))?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// A checkpoint with signature lines, whose signatures are checked by [`SignedCheckpoint::verify`] or by a
/// [`crate::Policy`]. Its bytes are its [`fmt::Display`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: Note,
}

impl SignedCheckpoint {
    /// A checkpoint with lines that signers made for it.
    pub fn new(checkpoint: Checkpoint, signatures: Vec<SignatureLine>) -> Result<Self, CheckpointError> {
        let note = Note::new(checkpoint.to_string(), signatures)?;
        Ok(Self { checkpoint, note })
    }

    /// Reads a signed note whose text is a checkpoint, and checks no signature.
    pub fn parse(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let note = Note::parse(bytes)?;
        let checkpoint = Checkpoint::parse(note.text())?;
        Ok(Self { checkpoint, note })
    }

    /// What is signed.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The note.
    pub fn note(&self) -> &Note {
        &self.note
    }

    /// Adds what `key` signed among a witness's lines, in place of an older signature of it, and returns whether there
    /// was something. Lines of other keys and wrong ones are left: one wrong line makes the whole note worthless.
    pub fn add_verified(
        &mut self,
        lines: &[SignatureLine],
        key: &VerifierKey,
    ) -> Result<bool, CheckpointError> {
        let right =
            |line: &&SignatureLine| line.is_of(key) && key.verify(self.note.text(), line.signature()).is_ok();
        let Some(line) = lines.iter().find(right) else {
            return Ok(false);
        };
        self.note.add(line.clone())?;
        Ok(true)
    }

    /// Adds a signature, unchecked, in place of another one of the same key.
    pub fn add(&mut self, line: SignatureLine) -> Result<(), CheckpointError> {
        Ok(self.note.add(line)?)
    }

    /// [`Note::verify`].
    pub fn verify(&self, known: &[VerifierKey]) -> Result<Vec<Signed>, UntrustedNote> {
        self.note.verify(known)
    }
}

impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.note.fmt(f)
    }
}

/// Checks that the tree of `newer` begins with all leaves of the tree of `older` (RFC 9162 §2.1.4.2). A tree without
/// leaves begins every tree, with an empty proof. Who signed the checkpoints is not asked.
pub fn verify_consistency(
    older: &Checkpoint,
    newer: &Checkpoint,
    proof: &[Hash],
) -> Result<(), ConsistencyError> {
    if older.origin != newer.origin {
        return Err(ConsistencyError::Origin);
    }
    Ok(verify_growth(
        (older.size, &older.root),
        (newer.size, &newer.root),
        proof,
    )?)
}

/// The proof that [`verify_consistency`] and a witness ask for between the trees of `old` and `new` leaves: empty where
/// there is nothing to show, because the old tree has no leaves.
pub fn prove_consistency<S: HashSource + ?Sized>(
    source: &S,
    old: u64,
    new: u64,
) -> Result<Vec<Hash>, ProveError<S::Error>> {
    if old == 0 {
        Ok(Vec::new())
    } else {
        consistency_proof(source, old, new)
    }
}

/// [`verify_consistency`] of sizes and roots.
pub(crate) fn verify_growth(
    older: (u64, &Hash),
    newer: (u64, &Hash),
    proof: &[Hash],
) -> Result<(), VerifyError> {
    if older.0 > 0 {
        return eunoe_merkle::verify_consistency(older.0, newer.0, older.1, newer.1, proof);
    }
    if !proof.is_empty() {
        Err(VerifyError::Length)
    } else if *older.1 != empty_root() {
        Err(VerifyError::Root)
    } else {
        Ok(())
    }
}

fn is_line(text: &str) -> bool {
    !text.is_empty() && !has_controls(text) && !text.contains('\n')
}
