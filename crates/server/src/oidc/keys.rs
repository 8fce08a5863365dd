//! The issuer's public keys.

use std::collections::BTreeMap;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;

/// Keys that a set may have.
const KEYS_MAX: usize = 64;

/// Why a key set cannot be used. Nothing of it is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// There is no file, or it is longer than 256 KiB.
    #[error("it cannot be read, or is longer than 256 KiB")]
    Unreadable,
    /// It is no JSON Web Key Set.
    #[error("it is no JSON Web Key Set")]
    Malformed,
    /// It has too many keys.
    #[error("it has more than 64 keys")]
    TooMany,
    /// Two keys have one id: which of them counts must never be a question.
    #[error("two of its keys have the same id")]
    SameId,
    /// It has keys, and none that could be used.
    #[error("it has no key for RS256, PS256, ES256 or EdDSA with an id")]
    NoKey,
    /// Nothing of it could be used for too long.
    #[error("it could not be used for an hour: no token is taken until it can")]
    Overdue,
}

/// A key and what it may be used with.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) key: DecodingKey,
}

/// Keys by id.
pub(super) type KeySet = BTreeMap<String, Key>;

#[derive(Deserialize)]
struct SetFile {
    keys: Vec<serde_json::Value>,
}

/// Reads a set. Keys for other uses or algorithms are left out: issuers publish what they like. A set without any key is
/// how an issuer, or an operator in its place, says that nobody is to be trusted.
pub(super) fn parse(json: &[u8]) -> Result<KeySet, KeySetError> {
    let file: SetFile = serde_json::from_slice(json).map_err(|_| KeySetError::Malformed)?;
    if file.keys.len() > KEYS_MAX {
        return Err(KeySetError::TooMany);
    }
    let empty = file.keys.is_empty();
    let mut set = KeySet::new();
    for value in file.keys {
        let Some((id, key)) = serde_json::from_value(value).ok().and_then(usable) else {
            continue;
        };
        if set.insert(id, key).is_some() {
            return Err(KeySetError::SameId);
        }
    }
    if set.is_empty() && !empty {
        Err(KeySetError::NoKey)
    } else {
        Ok(set)
    }
}

/// The algorithm follows from the key, never from a token alone: a public key is no secret for a MAC.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library may add kinds of keys")]
fn usable(jwk: Jwk) -> Option<(String, Key)> {
    let all = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => vec![Algorithm::RS256, Algorithm::PS256],
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => vec![Algorithm::ES256],
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            vec![Algorithm::EdDSA]
        }
        _ => return None,
    };
    let only = match jwk.common.key_algorithm {
        None => None,
        Some(KeyAlgorithm::RS256) => Some(Algorithm::RS256),
        Some(KeyAlgorithm::PS256) => Some(Algorithm::PS256),
        Some(KeyAlgorithm::ES256) => Some(Algorithm::ES256),
        Some(KeyAlgorithm::EdDSA) => Some(Algorithm::EdDSA),
        Some(_) => return None,
    };
    let algorithms: Vec<_> = all
        .into_iter()
        .filter(|algorithm| only.is_none_or(|only| only == *algorithm))
        .collect();
    let signs = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    let id = jwk.common.key_id.filter(|id| !id.is_empty())?;
    (signs && !algorithms.is_empty()).then_some((id, Key { algorithms, key }))
}
