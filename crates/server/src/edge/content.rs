//! The forms of what is sealed: parts of messages, a conversation's title, a participant's reference.
//!
//! These bytes exist in memory only, and in envelopes. Their versions are stored forms all the same.

use eunoe_crypto::{ContentKey, Context, Entropy, KeyRefs, SealError, SecretBytes, seal};
use eunoe_types::{DecodeError, Decoder, Encoder, limits};
use zeroize::Zeroizing;

const FORMAT: u8 = 1;

/// Rows of a conversation that are sealed beside its messages (the number enters their associated data).
pub(super) const ROW_CONVERSATION: u8 = 1;
/// See [`ROW_CONVERSATION`].
pub(super) const ROW_PARTICIPANT: u8 = 2;

/// Content of a part.
#[derive(Clone, PartialEq, Eq)]
pub enum PartContent {
    /// Text.
    Text(String),
    /// Bytes with a media type.
    Data {
        /// The media type.
        content_type: String,
        /// The bytes.
        value: bytes::Bytes,
    },
    /// A message of the same conversation, by its id.
    Quote(eunoe_types::MessageId),
}

/// A part of a message.
#[derive(Clone, PartialEq, Eq)]
pub struct PartInput {
    /// What it says.
    pub content: PartContent,
    /// Further subjects that it is about.
    pub about: Vec<String>,
}

impl PartInput {
    /// The part's own form: what MACs cover and envelopes hold.
    pub fn encode(&self, e: &mut Encoder) {
        match &self.content {
            PartContent::Text(text) => e.u8(1).text(text),
            PartContent::Data { content_type, value } => e.u8(2).text(content_type).bytes(value),
            PartContent::Quote(id) => e.u8(3).fixed(id.as_bytes()),
        };
        e.varint(self.about.len() as u64);
        self.about.iter().for_each(|subject| {
            e.text(subject);
        });
    }

    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let content = match d.u8()? {
            1 => PartContent::Text(d.text()?.to_owned()),
            2 => PartContent::Data {
                content_type: d.text()?.to_owned(),
                value: bytes::Bytes::copy_from_slice(d.bytes()?),
            },
            3 => PartContent::Quote(eunoe_types::MessageId(d.array()?)),
            unknown => return Err(DecodeError::UnknownTag(unknown)),
        };
        let about = (0..d.count(limits::ABOUT_MAX)?)
            .map(|_| d.text().map(str::to_owned))
            .collect::<Result<_, _>>()?;
        Ok(Self { content, about })
    }
}

/// The content of a section: parts with their places in the message.
pub(super) fn encode_section(parts: &[(u8, Vec<u8>)]) -> Zeroizing<Vec<u8>> {
    let bytes: usize = parts.iter().map(|(_, part)| part.len() + 1).sum();
    let mut e = Encoder::with_capacity(bytes + 8);
    e.u8(FORMAT).varint(parts.len() as u64);
    parts.iter().for_each(|(place, part)| {
        e.u8(*place).fixed(part);
    });
    Zeroizing::new(e.finish())
}

/// Reads the content of a section.
pub(super) fn decode_section(content: &SecretBytes) -> Result<Vec<(u8, PartInput)>, DecodeError> {
    let mut d = opened(content)?;
    let parts = (0..d.count(limits::PARTS_MAX)?)
        .map(|_| Ok((d.u8()?, PartInput::decode(&mut d)?)))
        .collect::<Result<_, DecodeError>>()?;
    d.finish()?;
    Ok(parts)
}

/// Title and external reference.
#[derive(Default)]
pub struct Naming {
    /// May be empty.
    pub title: String,
    /// May be empty.
    pub external_ref: String,
}

impl Naming {
    /// The form to be sealed.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut e = Encoder::with_capacity(8 + self.title.len() + self.external_ref.len());
        e.u8(FORMAT).text(&self.title).text(&self.external_ref);
        Zeroizing::new(e.finish())
    }

    /// Reads what was sealed.
    pub fn decode(content: &SecretBytes) -> Result<Self, DecodeError> {
        let mut d = opened(content)?;
        let naming = Self {
            title: d.text()?.to_owned(),
            external_ref: d.text()?.to_owned(),
        };
        d.finish()?;
        Ok(naming)
    }
}

/// A participant's reference, to be sealed.
pub(super) fn encode_reference(subject: &str) -> Zeroizing<Vec<u8>> {
    let mut e = Encoder::with_capacity(4 + subject.len());
    e.u8(FORMAT).text(subject);
    Zeroizing::new(e.finish())
}

/// Reads a participant's reference.
pub(super) fn decode_reference(content: &SecretBytes) -> Result<String, DecodeError> {
    let mut d = opened(content)?;
    let subject = d.text()?.to_owned();
    d.finish()?;
    Ok(subject)
}

fn opened(content: &SecretBytes) -> Result<Decoder<'_>, DecodeError> {
    let mut d = Decoder::new(content.expose());
    match d.u8()? {
        FORMAT => Ok(d),
        unknown => Err(DecodeError::UnknownTag(unknown)),
    }
}

/// A sealed row that names its own keys.
pub(super) fn seal_row(
    key: &ContentKey,
    place: &impl Context,
    content: &[u8],
    entropy: &mut dyn Entropy,
) -> Result<Vec<u8>, SealError> {
    let mut e = Encoder::with_capacity(256);
    key.refs().encode(&mut e);
    e.bytes(&seal(key, place, content, entropy)?);
    Ok(e.finish())
}

/// Keys and envelope of a sealed row.
pub(super) fn split_row(sealed: &[u8]) -> Result<(KeyRefs, &[u8]), DecodeError> {
    let mut d = Decoder::new(sealed);
    let refs = KeyRefs::decode(&mut d)?;
    let envelope = d.bytes()?;
    d.finish()?;
    Ok((refs, envelope))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Golden bytes: what is sealed today must be readable for as long as its keys live.
    #[test]
    fn sealed_contents_keep_their_forms() {
        let text = PartInput {
            content: PartContent::Text("hé".into()),
            about: vec!["bob".into()],
        };
        let data = PartInput {
            content: PartContent::Data {
                content_type: "a/b".into(),
                value: vec![9, 8].into(),
            },
            about: Vec::new(),
        };
        let quote = PartInput {
            content: PartContent::Quote(eunoe_types::MessageId([7; 16])),
            about: Vec::new(),
        };
        let encoded: Vec<(u8, Vec<u8>)> = [text, data, quote]
            .iter()
            .zip(0..)
            .map(|(part, place)| {
                let mut e = Encoder::new();
                part.encode(&mut e);
                (place, e.finish())
            })
            .collect();
        let section = encode_section(&encoded);
        assert_eq!(
            hex(&section),
            "0103\
             00010368c3a90103626f62\
             010203612f6202090800\
             02030707070707070707070707070707070700"
        );
        let parts = decode_section(&SecretBytes::new(section.to_vec())).expect("it was encoded");
        assert_eq!(parts.len(), 3);
        assert!(matches!(&parts[0].1.content, PartContent::Text(text) if text == "hé"));
        let naming = Naming {
            title: "t".into(),
            external_ref: "r-1".into(),
        };
        assert_eq!(hex(&naming.encode()), "01017403722d31");
        assert_eq!(hex(&encode_reference("v/1")), "0103762f31");
    }
}
