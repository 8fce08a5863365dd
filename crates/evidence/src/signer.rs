//! Keys that sign: a log's and a cosigner's. Seeds and times come from the caller.

use std::fmt;

use ed25519_dalek::{SECRET_KEY_LENGTH, Signer as _, SigningKey};

use crate::checkpoint::Checkpoint;
use crate::encoding::SIZE_MAX;
use crate::key::{KeyError, KeyName, SignatureType, VerifierKey, cosigned_message};
use crate::note::SignatureLine;

/// Why nothing was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The checkpoint is of another log than the one that the key is named after.
    #[error("a checkpoint of another log than the key's")]
    Origin,
    /// A time beyond 2^63 − 1 s.
    #[error("a time out of range")]
    Time,
}

/// A log's signing key (type 0x01), named after the log's origin. The secret is wiped when it is dropped and never
/// printed.
pub struct LogKey {
    secret: SigningKey,
    public: VerifierKey,
}

impl LogKey {
    /// The key of a 32-byte seed (RFC 8032 §5.1.5), which must come from a secure random generator.
    pub fn from_seed(origin: KeyName, seed: &[u8; SECRET_KEY_LENGTH]) -> Result<Self, KeyError> {
        let secret = SigningKey::from_bytes(seed);
        let public = VerifierKey::new(origin, SignatureType::Ed25519, secret.verifying_key().as_bytes())?;
        Ok(Self { secret, public })
    }

    /// What others check its signatures with.
    pub fn verifier(&self) -> &VerifierKey {
        &self.public
    }

    /// Signs a checkpoint of the log that the key is named after. Whoever calls must have made sure that it continues
    /// every checkpoint that was signed before.
    pub fn sign(&self, checkpoint: &Checkpoint) -> Result<SignatureLine, SignError> {
        if checkpoint.origin() != self.public.name().as_str() {
            return Err(SignError::Origin);
        }
        Ok(self.sign_text(&checkpoint.to_string()))
    }

    fn sign_text(&self, text: &str) -> SignatureLine {
        let signature = self.secret.sign(text.as_bytes());
        line_of(&self.public, signature.to_bytes().to_vec())
    }
}

impl fmt::Debug for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogKey({})", self.public)
    }
}

/// A node's or witness's key for cosignatures (type 0x04). The secret is wiped when it is dropped and never printed.
pub struct Cosigner {
    secret: SigningKey,
    public: VerifierKey,
}

impl Cosigner {
    /// The key of a 32-byte seed (RFC 8032 §5.1.5), which must come from a secure random generator and must not be
    /// the seed of another cosigner: the signed message does not name the cosigner.
    pub fn from_seed(name: KeyName, seed: &[u8; SECRET_KEY_LENGTH]) -> Result<Self, KeyError> {
        let secret = SigningKey::from_bytes(seed);
        let public = VerifierKey::new(
            name,
            SignatureType::Cosignature,
            secret.verifying_key().as_bytes(),
        )?;
        Ok(Self { secret, public })
    }

    /// What others check its cosignatures with.
    pub fn verifier(&self) -> &VerifierKey {
        &self.public
    }

    /// States that at `time_s` (seconds since the Epoch) this was the largest consistent tree of its log that this
    /// cosigner had seen. Whoever calls must have made sure that it is.
    pub fn cosign(&self, checkpoint: &Checkpoint, time_s: u64) -> Result<SignatureLine, SignError> {
        if time_s > SIZE_MAX {
            return Err(SignError::Time);
        }
        let message = cosigned_message(&checkpoint.to_string(), time_s);
        let mut signature = time_s.to_be_bytes().to_vec();
        signature.extend(self.secret.sign(message.as_bytes()).to_bytes());
        Ok(line_of(&self.public, signature))
    }
}

impl fmt::Debug for Cosigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cosigner({})", self.public)
    }
}

fn line_of(key: &VerifierKey, signature: Vec<u8>) -> SignatureLine {
    SignatureLine::new(key.name().clone(), key.id(), signature)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::decode_base64;
    use crate::note::Note;

    /// The key pair and the note of Go's golang.org/x/mod/sumdb/note.
    #[test]
    fn go_signs_the_same() {
        let secret = decode_base64("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz").unwrap();
        let seed = secret[1..].try_into().unwrap();
        let key = LogKey::from_seed(KeyName::new("PeterNeumann").unwrap(), seed).unwrap();
        assert_eq!(
            key.verifier().to_string(),
            "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
        );
        let text = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n";
        let note = Note::new(text.to_owned(), vec![key.sign_text(text)]).unwrap();
        let signature =
            "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";
        assert_eq!(
            note.to_string(),
            format!("{text}\n\u{2014} PeterNeumann {signature}\n")
        );
        assert_eq!(note.verify(&[key.verifier().clone()]).unwrap().len(), 1);
    }

    #[test]
    fn secrets_are_not_printed() {
        let name = || KeyName::new("n").unwrap();
        let printed = [
            format!("{:?}", LogKey::from_seed(name(), &[7; 32]).unwrap()),
            format!("{:?}", Cosigner::from_seed(name(), &[7; 32]).unwrap()),
        ];
        for text in printed {
            assert!(text.contains("(n+") && !text.contains("7, 7"), "{text}");
        }
    }
}
