//! Whether a witness cosigns. A decision without memory: the last tree head comes in, the next goes out.

use eunoe_merkle::{Hash, VerifyError, empty_root};

use super::answer::WitnessAnswer;
use super::request::AddCheckpoint;
use crate::checkpoint::verify_growth;
use crate::key::{KeyError, SignatureType, VerifierKey};
use crate::note::{SignatureLine, UntrustedNote};
use crate::signer::{Cosigner, SignError};

/// What a witness remembers of a log: the largest tree that it cosigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeHead {
    /// Leaves.
    pub size: u64,
    /// The root.
    pub root: Hash,
}

impl TreeHead {
    /// The head of a log of which nothing has been cosigned.
    pub fn empty() -> Self {
        Self {
            size: 0,
            root: empty_root(),
        }
    }
}

/// Why a witness does not cosign, in the order in which it is checked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No key is trusted for this origin.
    #[error("the log is not known")]
    UnknownOrigin,
    /// No trusted key of the log signed, or a trusted key's signature is wrong.
    #[error("the log's signature: {0}")]
    Signature(#[from] UntrustedNote),
    /// The request's old size is above the checkpoint's.
    #[error("an old size above the checkpoint's")]
    OldSize,
    /// The request begins at another size than the one that was cosigned last.
    #[error("the tree that was cosigned last has {0} leaves")]
    OtherSize(u64),
    /// Two roots of one size: the log forked.
    #[error("another root than the one that was cosigned for {0} leaves")]
    Forked(u64),
    /// The new tree does not begin with the old one, or the proof is wrong.
    #[error("not shown to continue what was cosigned: {0}")]
    Inconsistent(VerifyError),
    /// The time that was given is out of range.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl Refusal {
    /// What the one who asked is told. None if the fault is not his.
    pub fn answer(&self) -> Option<WitnessAnswer> {
        match self {
            Self::UnknownOrigin => Some(WitnessAnswer::NotFound),
            Self::Signature(_) => Some(WitnessAnswer::Forbidden),
            Self::OldSize => Some(WitnessAnswer::BadRequest),
            Self::OtherSize(size) | Self::Forked(size) => Some(WitnessAnswer::Conflict { size: *size }),
            Self::Inconsistent(_) => Some(WitnessAnswer::Unprocessable),
            Self::Sign(_) => None,
        }
    }
}

/// What a witness does when it cosigns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witnessed {
    /// What it must have on disk, in place of what it had, before anybody sees the cosignature.
    pub head: TreeHead,
    /// The cosignature.
    pub cosignature: SignatureLine,
}

/// A witness, or a node that cosigns its own cluster's log: the logs that it knows and its key.
#[derive(Debug)]
pub struct Witness {
    logs: Vec<VerifierKey>,
    cosigner: Cosigner,
}

impl Witness {
    /// A witness of the logs with these keys, each named after its log's origin. A log may have several. Keys of
    /// cosigners, and the witness's own, are no keys of logs.
    pub fn new(logs: Vec<VerifierKey>, cosigner: Cosigner) -> Result<Self, KeyError> {
        let is_log = |key: &VerifierKey| {
            key.signature_type() == SignatureType::Ed25519
                && key.public_key() != cosigner.verifier().public_key()
        };
        if logs.iter().all(is_log) {
            Ok(Self { logs, cosigner })
        } else {
            Err(KeyError::Role)
        }
    }

    /// The witness's key.
    pub fn cosigner(&self) -> &Cosigner {
        &self.cosigner
    }

    /// Decides about a request at `time_s` (seconds since the Epoch), where `last` is what was cosigned last for the
    /// checkpoint's origin, [`TreeHead::empty`] if nothing was.
    ///
    /// Reading `last` and storing [`Witnessed::head`] must be one atomic step: two decisions upon one `last` would
    /// let the log roll back.
    pub fn decide(
        &self,
        request: &AddCheckpoint,
        last: &TreeHead,
        time_s: u64,
    ) -> Result<Witnessed, Refusal> {
        let signed = request.checkpoint();
        let checkpoint = signed.checkpoint();
        let is_of_log = |key: &&VerifierKey| key.name().as_str() == checkpoint.origin();
        let keys: Vec<VerifierKey> = self.logs.iter().filter(is_of_log).cloned().collect();
        if keys.is_empty() {
            return Err(Refusal::UnknownOrigin);
        }
        signed.verify(&keys)?;
        let head = TreeHead {
            size: checkpoint.size(),
            root: *checkpoint.root(),
        };
        if request.old_size() > head.size {
            return Err(Refusal::OldSize);
        }
        if request.old_size() != last.size {
            return Err(Refusal::OtherSize(last.size));
        }
        if last.size == head.size && last.root != head.root {
            return Err(Refusal::Forked(last.size));
        }
        verify_growth((last.size, &last.root), (head.size, &head.root), request.proof())
            .map_err(Refusal::Inconsistent)?;
        let cosignature = self.cosigner.cosign(checkpoint, time_s)?;
        Ok(Witnessed { head, cosignature })
    }
}
