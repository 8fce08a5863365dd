//! Names, ids and public keys of those who sign (signed-note, *Verifier keys* and *Signature types*).

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{PUBLIC_KEY_LENGTH, SIGNATURE_LENGTH, Signature, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::encoding::{SIZE_MAX, decode_base64, encode_base64};

/// Bytes of a key's name at most; tlog-cosignature's structures hold no more.
pub const KEY_NAME_BYTES_MAX: usize = 255;

const KEY_ID_BYTES: usize = 4;
const TIMESTAMP_BYTES: usize = 8;
/// The longest vkey of a type that is known: name, `+`, 8 digits, `+`, 44 characters.
const VKEY_BYTES_MAX: usize = KEY_NAME_BYTES_MAX + 54;

/// Why a name or a verifier key was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Empty, too long, or with a Unicode space, a control character or a plus.
    #[error("a key's name is empty, too long, or has a space, a control character or a plus")]
    Name,
    /// Not `<name>+<8 lower-case hexadecimal digits>+<base64>`.
    #[error("not a verifier key of the form <name>+<id>+<key>")]
    Form,
    /// The key's base64 is not canonical.
    #[error("a verifier key whose base64 is not canonical")]
    Base64,
    /// A signature type other than 0x01 and 0x04, or a key of another length.
    #[error("a verifier key of an unknown signature type or of the wrong length")]
    Type,
    /// The id is not that of this name, type and key.
    #[error("a verifier key whose id is not its own")]
    Id,
    /// A key that may not do what it was given for.
    #[error("a key in a role that is not its own")]
    Role,
    /// Not a point of the curve, or one of the few for which a signature proves nothing.
    #[error("a public key that is no point of the curve or has a small order")]
    Point,
}

/// Why a signature of a known key was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Shorter or longer than the key's type asks for.
    #[error("a signature of the wrong length")]
    Length,
    /// A cosignature's time beyond 2^63 − 1 s.
    #[error("a cosignature's time is out of range")]
    Timestamp,
    /// It was not made by this key over this text.
    #[error("a signature that does not verify")]
    Wrong,
}

/// The name of a key: 1 to [`KEY_NAME_BYTES_MAX`] bytes without Unicode spaces, control characters and `+`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

impl KeyName {
    /// Checks a name.
    pub fn new(name: &str) -> Result<Self, KeyError> {
        let forbidden = |c: char| c.is_whitespace() || c < ' ' || c == '+';
        if name.is_empty() || name.len() > KEY_NAME_BYTES_MAX || name.contains(forbidden) {
            Err(KeyError::Name)
        } else {
            Ok(Self(name.to_owned()))
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a signature is over; the byte is that of the signed-note registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignatureType {
    /// 0x01: Ed25519 over the note's text.
    Ed25519,
    /// 0x04: a time, and Ed25519 over the time and the note's text (`cosignature/v1`).
    Cosignature,
}

impl SignatureType {
    fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::Cosignature => 0x04,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0x01 => Some(Self::Ed25519),
            0x04 => Some(Self::Cosignature),
            _ => None,
        }
    }
}

/// Which key made a signature, together with its name. An identifier, not a hash to rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId(pub [u8; KEY_ID_BYTES]);

impl KeyId {
    /// `SHA-256(name ‖ 0x0A ‖ type ‖ public key)[:4]`.
    fn new(name: &KeyName, kind: SignatureType, public_key: &[u8; PUBLIC_KEY_LENGTH]) -> Self {
        let hash: [u8; 32] = Sha256::new()
            .chain_update(name.as_str())
            .chain_update([b'\n', kind.byte()])
            .chain_update(public_key)
            .finalize()
            .into();
        Self([hash[0], hash[1], hash[2], hash[3]])
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

/// A public key with the name and the type of signature that it stands for: a *vkey*. Its text is its [`fmt::Display`].
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: KeyName,
    kind: SignatureType,
    id: KeyId,
    key: VerifyingKey,
}

impl VerifierKey {
    /// A key from its parts.
    pub fn new(
        name: KeyName,
        kind: SignatureType,
        public_key: &[u8; PUBLIC_KEY_LENGTH],
    ) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_bytes(public_key).map_err(|_| KeyError::Point)?;
        if key.is_weak() {
            return Err(KeyError::Point);
        }
        let id = KeyId::new(&name, kind, public_key);
        Ok(Self { name, kind, id, key })
    }

    /// Reads `<name>+<id>+<base64(type ‖ key)>`.
    pub fn parse(vkey: &str) -> Result<Self, KeyError> {
        if vkey.len() > VKEY_BYTES_MAX {
            return Err(KeyError::Form);
        }
        let (name, rest) = vkey.split_once('+').ok_or(KeyError::Form)?;
        let (id, key) = rest.split_once('+').ok_or(KeyError::Form)?;
        let name = KeyName::new(name)?;
        let typed = decode_base64(key).ok_or(KeyError::Base64)?;
        let (kind, key) = typed.split_first().ok_or(KeyError::Type)?;
        let kind = SignatureType::from_byte(*kind).ok_or(KeyError::Type)?;
        let key = Self::new(name, kind, key.try_into().map_err(|_| KeyError::Type)?)?;
        // Compared as text, so that an id has one spelling.
        if key.id.to_string() == id {
            Ok(key)
        } else {
            Err(KeyError::Id)
        }
    }

    /// Whose key it is.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// What a signature line names it by, beside the name.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// What its signatures are over.
    pub fn signature_type(&self) -> SignatureType {
        self.kind
    }

    /// The 32 bytes of RFC 8032.
    pub fn public_key(&self) -> &[u8; PUBLIC_KEY_LENGTH] {
        self.key.as_bytes()
    }

    /// Checks what a signature line has after the key's id, over a note's text. Returns the cosignature's time in
    /// seconds since the Epoch; a signature of type 0x01 has none.
    ///
    /// Ed25519 is checked strictly: scalars are reduced and points of small order are refused, so that nobody can
    /// make a second signature out of one.
    pub fn verify(&self, text: &str, signature: &[u8]) -> Result<Option<u64>, SignatureError> {
        match self.kind {
            SignatureType::Ed25519 => self.check(text.as_bytes(), signature).map(|()| None),
            SignatureType::Cosignature => {
                let (time, signature) = signature
                    .split_first_chunk::<TIMESTAMP_BYTES>()
                    .ok_or(SignatureError::Length)?;
                let time_s = u64::from_be_bytes(*time);
                if time_s > SIZE_MAX {
                    return Err(SignatureError::Timestamp);
                }
                self.check(cosigned_message(text, time_s).as_bytes(), signature)?;
                Ok(Some(time_s))
            }
        }
    }

    fn check(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        let signature: &[u8; SIGNATURE_LENGTH] = signature.try_into().map_err(|_| SignatureError::Length)?;
        self.key
            .verify_strict(message, &Signature::from_bytes(signature))
            .map_err(|_| SignatureError::Wrong)
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut typed = vec![self.kind.byte()];
        typed.extend(self.public_key());
        write!(f, "{}+{}+{}", self.name, self.id, encode_base64(&typed))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(vkey: &str) -> Result<Self, KeyError> {
        Self::parse(vkey)
    }
}

/// What a cosigner signs (tlog-cosignature, *Ed25519 signed message*).
pub(crate) fn cosigned_message(text: &str, time_s: u64) -> String {
    format!("cosignature/v1\ntime {time_s}\n{text}")
}
