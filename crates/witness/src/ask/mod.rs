//! Asking a witness for its cosignature.

mod error;
mod http;
mod url;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use eunoe_evidence::merkle::Hash;
use eunoe_evidence::{
    AddCheckpoint, SignatureLine, SignatureType, SignedCheckpoint, VerifierKey, WitnessAnswer,
};

use http::Http;

pub use error::{AskError, ClientError};
pub use url::{WitnessUrl, WitnessUrlError};

/// A witness's line for a checkpoint, which its key was checked to have signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosignature {
    /// To be added to the checkpoint.
    pub line: SignatureLine,
    /// When the witness says that it signed, in seconds since the Epoch.
    pub time_s: u64,
}

/// A witness at the other end of a network, and what is known of it.
pub struct WitnessClient {
    http: Http,
    key: VerifierKey,
    /// Where it was last, so that mostly one request is enough. It need not be right.
    size: AtomicU64,
}

impl WitnessClient {
    /// A witness at `url` with this key. `authorities` is a PEM file with the certificates that a witness's over HTTPS must lead
    /// to, such as the system's; the key alone decides what is believed. Nobody is asked yet.
    pub fn new(url: &WitnessUrl, key: VerifierKey, authorities: Option<&Path>) -> Result<Self, ClientError> {
        if key.signature_type() != SignatureType::Cosignature {
            return Err(ClientError::NotACosigner);
        }
        Ok(Self {
            http: Http::new(url, authorities)?,
            key,
            size: AtomicU64::new(0),
        })
    }

    /// What its cosignatures are checked with.
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// Asks for a cosignature on a checkpoint that the log has signed. `prove(old, new)` makes the consistency proof between two sizes
    /// of the log, empty if there is nothing to show ([`eunoe_evidence::prove_consistency`]).
    ///
    /// It blocks, for two exchanges of ten seconds at most: one more if the witness is at another size than the last time.
    ///
    /// ```no_run
    /// use eunoe_evidence::{SignedCheckpoint, VerifierKey, prove_consistency};
    /// use eunoe_witness::{WitnessClient, WitnessUrl};
    ///
    /// # fn example(
    /// #     mut signed: SignedCheckpoint, leaves: &[eunoe_evidence::merkle::Hash], vkey: &str,
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// let url = WitnessUrl::new("http://witness.example:7480")?;
    /// let witness = WitnessClient::new(&url, VerifierKey::parse(vkey)?, None)?;
    /// let cosignature = witness.ask(&signed, |old, new| prove_consistency(leaves, old, new))?;
    /// signed.add(cosignature.line)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn ask<E: std::error::Error + 'static>(
        &self,
        checkpoint: &SignedCheckpoint,
        mut prove: impl FnMut(u64, u64) -> Result<Vec<Hash>, E>,
    ) -> Result<Cosignature, AskError<E>> {
        let size = checkpoint.checkpoint().size();
        let mut ask_from = |old| {
            let proof = prove(old, size).map_err(AskError::Prove)?;
            let request = AddCheckpoint::new(old, proof, checkpoint.clone()).map_err(AskError::Request)?;
            self.http.exchange(&request)
        };
        let mut asked = self.size.load(Ordering::Relaxed).min(size);
        let mut answer = ask_from(asked)?;
        if let WitnessAnswer::Conflict { size: theirs } = answer {
            if theirs > size {
                return Err(AskError::Ahead(theirs));
            }
            if theirs != asked {
                asked = theirs;
                answer = ask_from(theirs)?;
            }
        }
        match answer {
            WitnessAnswer::Cosigned(lines) => {
                let cosignature = self.checked(checkpoint, lines).ok_or(AskError::NotCosigned)?;
                self.size.store(size, Ordering::Relaxed);
                Ok(cosignature)
            }
            WitnessAnswer::Conflict { size: theirs } if theirs == asked => {
                Err(AskError::Contradicted(theirs))
            }
            WitnessAnswer::Conflict { size: theirs } => Err(AskError::Moved(theirs)),
            refusal @ (WitnessAnswer::BadRequest
            | WitnessAnswer::Forbidden
            | WitnessAnswer::NotFound
            | WitnessAnswer::Unprocessable) => Err(AskError::Refused(refusal.status())),
        }
    }

    /// The line among those of an answer that the key signed.
    fn checked(&self, checkpoint: &SignedCheckpoint, lines: Vec<SignatureLine>) -> Option<Cosignature> {
        let text = checkpoint.note().text();
        lines.into_iter().find_map(|line| {
            let is_of_key = (line.name(), line.id()) == (self.key.name(), self.key.id());
            let time_s = self.key.verify(text, line.signature()).ok().flatten()?;
            is_of_key.then_some(Cosignature { line, time_s })
        })
    }
}
