//! The stored and wire forms of Raft: entries, log ids, votes, members, messages. No serde: each form starts
//! with a version byte, has limits, and has golden bytes in its tests.
//!
//! Decoding is total (any input gives a value or a [`DecodeError`]) and canonical (a value has one form).

mod append;
mod applied;
mod entry;
mod ids;
mod membership;
mod messages;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod recode;
mod snapshot;
#[cfg(test)]
mod tests;

use eunoe_types::{DecodeError, Decoder, Encoder};

pub(crate) use append::{decode_append, decode_append_result, encode_append, encode_append_result};
pub use applied::applied_position;
pub(crate) use applied::{decode_applied, encode_applied};
pub(crate) use entry::{decode_entry, encode_entry};
pub(crate) use ids::{decode_log_id, decode_stored_vote, encode_log_id, encode_stored_vote};
pub(crate) use messages::{
    decode_transfer, decode_transfer_result, decode_vote_request, decode_vote_response, encode_transfer,
    encode_transfer_result, encode_vote_request, encode_vote_response,
};
pub(crate) use snapshot::{
    SnapshotChunk, SnapshotHeader, decode_chunk, decode_header, decode_snapshot_result, encode_header,
    encode_snapshot_result,
};

/// The version of every form. A form that changes gets its own next number.
const VERSION: u8 = 1;

/// Reads the version byte.
fn version(decoder: &mut Decoder<'_>) -> Result<(), DecodeError> {
    match decoder.u8()? {
        VERSION => Ok(()),
        other => Err(DecodeError::UnknownTag(other)),
    }
}

/// An encoder that has written the version byte.
fn versioned(capacity: usize) -> Encoder {
    let mut encoder = Encoder::with_capacity(capacity);
    encoder.u8(VERSION);
    encoder
}

/// Writes an optional value: a flag, then the value.
fn put_option<T>(encoder: &mut Encoder, value: Option<&T>, put: impl FnOnce(&mut Encoder, &T)) {
    encoder.u8(u8::from(value.is_some()));
    if let Some(value) = value {
        put(encoder, value);
    }
}

/// Reads an optional value.
fn get_option<T>(
    decoder: &mut Decoder<'_>,
    get: impl FnOnce(&mut Decoder<'_>) -> Result<T, DecodeError>,
) -> Result<Option<T>, DecodeError> {
    if decoder.flag()? {
        Ok(Some(get(decoder)?))
    } else {
        Ok(None)
    }
}

/// Decodes a whole input: version, content, nothing after it.
fn whole<T>(
    bytes: &[u8],
    get: impl FnOnce(&mut Decoder<'_>) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    let mut decoder = Decoder::new(bytes);
    version(&mut decoder)?;
    let value = get(&mut decoder)?;
    decoder.finish()?;
    Ok(value)
}
