//! The position that a state was brought to, stored with every commit and in every snapshot's manifest.

use eunoe_types::{DecodeError, LogPosition};

use super::ids::{get_log_id, put_log_id};
use super::membership::{get_stored_membership, put_stored_membership};
use super::{get_option, put_option, versioned, whole};
use crate::types::{LogId, StoredMembership, position};

/// Encodes the last applied entry and the last applied members.
pub(crate) fn encode_applied(last: Option<&LogId>, members: &StoredMembership) -> Vec<u8> {
    let mut encoder = versioned(64);
    put_option(&mut encoder, last, put_log_id);
    put_stored_membership(&mut encoder, members);
    encoder.finish()
}

/// Reads what [`encode_applied`] wrote.
pub(crate) fn decode_applied(bytes: &[u8]) -> Result<(Option<LogId>, StoredMembership), DecodeError> {
    whole(bytes, |decoder| {
        Ok((get_option(decoder, get_log_id)?, get_stored_membership(decoder)?))
    })
}

/// The position in what a state engine returns as its applied position.
pub fn applied_position(bytes: &[u8]) -> Result<Option<LogPosition>, DecodeError> {
    Ok(decode_applied(bytes)?.0.as_ref().map(position))
}
