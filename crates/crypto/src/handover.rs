//! Secrets that change hands: sealed to a key that lives for one hand-over, inside of whatever carries them.
//!
//! A connection keeps what it carries confidential, and leaves it behind in buffers of its own, on both sides, that nobody
//! wipes. Sealed so, what stays there opens nothing as soon as the two keys are gone, which never leave wiped memory.

use aws_lc_rs::agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use aws_lc_rs::rand::SystemRandom;

use crate::{EntropyError, OpenError, OsEntropy, SealError, SealingKey, SecretBytes};

const CONTEXT: &str = "eunoe v1 hand-over";
const AAD: &[u8] = b"eunoe/hand-over/v1";
const PUBLIC_BYTES: usize = 32;

/// Who is about to be handed a secret: opens one, and is gone.
pub struct HandOver {
    private: EphemeralPrivateKey,
    public: [u8; PUBLIC_BYTES],
}

impl HandOver {
    /// A fresh key for one secret.
    pub fn begin() -> Result<Self, EntropyError> {
        let private =
            EphemeralPrivateKey::generate(&X25519, &SystemRandom::new()).map_err(|_| EntropyError)?;
        let public = private.compute_public_key().map_err(|_| EntropyError)?;
        let public = public.as_ref().try_into().map_err(|_| EntropyError)?;
        Ok(Self { private, public })
    }

    /// What whoever has the secret seals it to. Public.
    pub fn public(&self) -> [u8; PUBLIC_BYTES] {
        self.public
    }

    /// Opens what was sealed to it.
    pub fn open(self, sealed: &[u8]) -> Result<SecretBytes, OpenError> {
        let (other, sealed) = sealed
            .split_first_chunk::<PUBLIC_BYTES>()
            .ok_or(OpenError::Truncated)?;
        agreed(self.private, *other, (other, &self.public))
            .ok_or(OpenError::WrongKey)?
            .open(AAD, sealed)
    }

    /// Seals a secret to whoever began with this public key.
    pub fn seal_to(public: &[u8; PUBLIC_BYTES], secret: &SecretBytes) -> Result<Vec<u8>, SealError> {
        let own = Self::begin()?;
        let key = agreed(own.private, *public, (&own.public, public)).ok_or(SealError::Cipher)?;
        let sealed = key.seal(AAD, secret.expose(), &mut OsEntropy)?;
        Ok([&own.public[..], &sealed].concat())
    }
}

impl std::fmt::Debug for HandOver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HandOver(…)")
    }
}

/// The key of both sides: theirs alone, and of these two public keys.
fn agreed(
    private: EphemeralPrivateKey,
    other: [u8; PUBLIC_BYTES],
    (from, to): (&[u8; PUBLIC_BYTES], &[u8; PUBLIC_BYTES]),
) -> Option<SealingKey> {
    let other = UnparsedPublicKey::new(&X25519, other);
    agree_ephemeral(private, other, (), |shared| {
        let key = crate::hash::derive(CONTEXT, &[shared, from, to]);
        Ok(SealingKey::new(key))
    })
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_over_is_opened_by_whom_it_is_for_and_by_nobody_else() {
        let secret = SecretBytes::new(vec![7; 69]);
        let (one, other) = (
            HandOver::begin().expect("a key"),
            HandOver::begin().expect("a key"),
        );
        let sealed = HandOver::seal_to(&one.public(), &secret).expect("seals");
        assert!(!sealed.windows(32).any(|part| part == [7; 32]));
        assert_eq!(other.open(&sealed).err(), Some(OpenError::Forged));
        assert!(one.open(&sealed).expect("opens").matches(&secret));
        let again = HandOver::begin().expect("a key");
        let sealed = HandOver::seal_to(&again.public(), &secret).expect("seals");
        assert_eq!(again.open(&sealed[..31]).err(), Some(OpenError::Truncated));
    }

    #[test]
    fn every_bit_matters_and_a_useless_key_is_refused() {
        let secret = SecretBytes::new(vec![7; 40]);
        let length = 32 + 24 + 40 + 16;
        for at in 0..length {
            let one = HandOver::begin().expect("a key");
            let mut sealed = HandOver::seal_to(&one.public(), &secret).expect("seals");
            assert_eq!(sealed.len(), length);
            // The highest bit of a public key is not part of it, but of what the key is derived from.
            sealed[at] ^= 0x80;
            assert!(one.open(&sealed).is_err(), "byte {at}");
        }
        assert_eq!(
            HandOver::seal_to(&[0; 32], &secret).err(),
            Some(SealError::Cipher)
        );
    }
}
