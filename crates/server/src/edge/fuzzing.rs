//! Tokens and sealed contents as fuzzers read them.

use eunoe_crypto::SecretBytes;
use eunoe_types::fuzzing::{Bytes, Form, text};
use eunoe_types::{DecodeError, Encoder};

use super::content::{Naming, decode_reference, decode_section, encode_reference, encode_section, split_row};
use super::tokens::{
    MessagesPage, Position, decode_conversation, decode_number, encode_conversation, encode_number,
};
use super::{ApiError, ApiResult};

/// Tokens that callers keep.
pub(crate) const TOKENS: &[Form] = &[
    ("position", |token| {
        Ok(taken(Position::decode(text(token)?, "position"))?.encode().into())
    }),
    ("messages page", |token| {
        Ok(taken(MessagesPage::decode(text(token)?))?.encode().into())
    }),
    ("conversation page", |token| {
        Ok(encode_conversation(taken(decode_conversation(text(token)?))?).into())
    }),
    ("numbered page", |token| {
        Ok(encode_number(taken(decode_number(text(token)?))?).into())
    }),
];

/// What is inside of envelopes.
pub(crate) const CONTENTS: &[Form] = &[
    ("section", |bytes| {
        let parts = decode_section(&SecretBytes::from(&bytes[..]))?;
        let parts: Vec<(u8, Vec<u8>)> = parts
            .iter()
            .map(|(place, part)| {
                let mut e = Encoder::new();
                part.encode(&mut e);
                (*place, e.finish())
            })
            .collect();
        Ok(encode_section(&parts).to_vec().into())
    }),
    ("naming", |bytes| {
        let naming = Naming::decode(&SecretBytes::from(&bytes[..]))?;
        Ok(naming.encode().to_vec().into())
    }),
    ("reference", |bytes| {
        let subject = decode_reference(&SecretBytes::from(&bytes[..]))?;
        Ok(encode_reference(&subject).to_vec().into())
    }),
    ("sealed row", |bytes| {
        let (refs, envelope) = split_row(bytes)?;
        let mut e = Encoder::new();
        refs.encode(&mut e);
        e.bytes(envelope);
        Ok(Bytes::from(e.finish()))
    }),
];

/// A refusal must name a field.
fn taken<T>(answer: ApiResult<T>) -> Result<T, DecodeError> {
    answer.map_err(|ApiError { field, .. }| {
        assert!(field.is_some(), "a refusal names no field");
        DecodeError::Range
    })
}
