//! Signed notes: a text and lines with signatures over it (signed-note v1.0.0, *Format* and *Signatures*).

use std::collections::BTreeSet;
use std::fmt;

use crate::encoding::{decode_base64, encode_base64, has_controls};
use crate::key::{KeyError, KeyId, KeyName, SignatureError, VerifierKey};

/// Bytes of a note at most. The spec asks for 16 signatures of nearly 5 kB.
pub const NOTE_BYTES_MAX: usize = 256 * 1024;

/// Signature lines of a note at most; the spec asks for 16.
pub const SIGNATURES_MAX: usize = 64;

/// What a signature line begins with: an em dash and a space.
const LINE_PREFIX: &str = "\u{2014} ";

/// Why bytes are not a signed note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// More than [`NOTE_BYTES_MAX`] bytes.
    #[error("a note longer than the limit")]
    TooLong,
    /// Not UTF-8, or with a control character other than newline.
    #[error("a note that is not UTF-8 or has a control character")]
    NotText,
    /// The text does not end in a newline.
    #[error("a note whose text does not end in a newline")]
    Text,
    /// No empty line before the signatures.
    #[error("a note without an empty line before its signatures")]
    NoSeparator,
    /// No signature line, more than [`SIGNATURES_MAX`], or bytes after the last one.
    #[error("a note without signatures, with too many, or with bytes after the last")]
    Lines,
    /// Not an em dash, a space, a name, a space and base64.
    #[error("a line that is not a signature line")]
    Line,
    /// A signature line's name.
    #[error(transparent)]
    Name(KeyError),
    /// A signature line's base64 is not canonical, or has no byte after the key's id.
    #[error("a signature line whose base64 is not canonical or too short")]
    Base64,
}

/// Why a note's signatures prove nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UntrustedNote {
    /// Two known keys have this name and the same id.
    #[error("two known keys are called {0} and have the same id")]
    AmbiguousKey(KeyName),
    /// A known key's signature is wrong.
    #[error("the signature of {0}: {1}")]
    Signature(KeyName, SignatureError),
    /// A known key has two lines.
    #[error("{0} signed twice")]
    Duplicate(KeyName),
    /// No known key signed.
    #[error("no known key signed")]
    Unsigned,
}

/// A signature with what names its key. Whose it is and whether it is right is not known before
/// [`Note::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureLine {
    name: KeyName,
    id: KeyId,
    signature: Vec<u8>,
}

impl SignatureLine {
    pub(crate) fn new(name: KeyName, id: KeyId, signature: Vec<u8>) -> Self {
        Self { name, id, signature }
    }

    /// Reads a line, without its newline.
    pub fn parse(line: &str) -> Result<Self, NoteError> {
        let rest = line.strip_prefix(LINE_PREFIX).ok_or(NoteError::Line)?;
        let (name, base64) = rest.split_once(' ').ok_or(NoteError::Line)?;
        let name = KeyName::new(name).map_err(NoteError::Name)?;
        let bytes = decode_base64(base64).ok_or(NoteError::Base64)?;
        match bytes.split_first_chunk() {
            Some((id, signature)) if !signature.is_empty() => {
                Ok(Self::new(name, KeyId(*id), signature.to_vec()))
            }
            _ => Err(NoteError::Base64),
        }
    }

    /// Whose key is said to have signed.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// Which of his keys.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The signature, without the key's id.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    pub(crate) fn is_of(&self, key: &VerifierKey) -> bool {
        (&self.name, self.id) == (key.name(), key.id())
    }
}

/// The line, without its newline.
impl fmt::Display for SignatureLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.id.0.to_vec();
        bytes.extend_from_slice(&self.signature);
        write!(f, "{LINE_PREFIX}{} {}", self.name, encode_base64(&bytes))
    }
}

/// A known key's signature that was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The key's place in the list that was given.
    pub key: usize,
    /// When a cosigner says that it signed, in seconds since the Epoch.
    pub time_s: Option<u64>,
}

/// A text with at least one signature line. Its bytes are its [`fmt::Display`], and no others parse to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<SignatureLine>,
}

impl Note {
    /// A note of a text, which ends in a newline, and of lines that somebody made for it.
    pub fn new(text: String, signatures: Vec<SignatureLine>) -> Result<Self, NoteError> {
        if !text.ends_with('\n') {
            return Err(NoteError::Text);
        }
        if has_controls(&text) {
            return Err(NoteError::NotText);
        }
        let note = Self { text, signatures };
        note.check_limits()?;
        Ok(note)
    }

    /// Reads a note, and checks its form but no signature.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong);
        }
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::NotText)?;
        let separator = note.rfind("\n\n").ok_or(NoteError::NoSeparator)?;
        // The first of the two newlines is the text's last byte.
        let (text, lines) = (&note[..=separator], &note[separator + 2..]);
        Self::new(text.to_owned(), parse_lines(lines)?)
    }

    /// What is signed, with its last newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All signature lines, checked or not.
    pub fn signatures(&self) -> &[SignatureLine] {
        &self.signatures
    }

    /// Adds a line, in place of another one of the same key.
    pub fn add(&mut self, line: SignatureLine) -> Result<(), NoteError> {
        let same_key = |other: &SignatureLine| (&other.name, other.id) == (&line.name, line.id);
        let mut added = self.clone();
        match added.signatures.iter_mut().find(|other| same_key(other)) {
            Some(other) => *other = line,
            None => added.signatures.push(line),
        }
        added.check_limits()?;
        *self = added;
        Ok(())
    }

    /// Checks the signatures of the keys that are known. Lines of other keys say nothing and are passed over, even
    /// if they share a known key's name or id.
    ///
    /// Stricter than the spec: one wrong signature of a known key, or two lines of one, refuse the whole note.
    pub fn verify(&self, known: &[VerifierKey]) -> Result<Vec<Signed>, UntrustedNote> {
        let mut seen = BTreeSet::new();
        let mut signed = Vec::new();
        for line in &self.signatures {
            let mut keys = known.iter().enumerate().filter(|(_, key)| line.is_of(key));
            let Some((place, key)) = keys.next() else {
                continue;
            };
            if keys.next().is_some() {
                return Err(UntrustedNote::AmbiguousKey(line.name.clone()));
            }
            if !seen.insert(place) {
                return Err(UntrustedNote::Duplicate(line.name.clone()));
            }
            let time_s = key
                .verify(&self.text, &line.signature)
                .map_err(|error| UntrustedNote::Signature(line.name.clone(), error))?;
            signed.push(Signed { key: place, time_s });
        }
        if signed.is_empty() {
            Err(UntrustedNote::Unsigned)
        } else {
            Ok(signed)
        }
    }

    fn check_limits(&self) -> Result<(), NoteError> {
        if self.signatures.is_empty() || self.signatures.len() > SIGNATURES_MAX {
            Err(NoteError::Lines)
        } else if self.to_string().len() > NOTE_BYTES_MAX {
            Err(NoteError::TooLong)
        } else {
            Ok(())
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// Reads signature lines, each with its newline: the end of a note, or a witness's answer.
pub(crate) fn parse_lines(lines: &str) -> Result<Vec<SignatureLine>, NoteError> {
    let lines = lines.strip_suffix('\n').ok_or(NoteError::Lines)?;
    if lines.split('\n').count() > SIGNATURES_MAX {
        return Err(NoteError::Lines);
    }
    lines.split('\n').map(SignatureLine::parse).collect()
}
