//! Log entries: the same bytes in the log and on the wire, so that a follower stores what it received.

use bytes::Bytes;
use eunoe_types::limits::COMMAND_BYTES_MAX;
use eunoe_types::{DecodeError, Decoder};
use openraft::EntryPayload;

use super::ids::{get_log_id, put_log_id};
use super::membership::{get_membership, put_membership};
use super::{version, versioned};
use crate::types::{Command, Entry, LogId, Payload};

const BLANK: u8 = 0;
const NORMAL: u8 = 1;
const MEMBERSHIP: u8 = 2;

/// Bytes before a command, at most.
const HEAD_BYTES: usize = 32;

/// The encoded entry; what was decoded is not encoded again.
pub(crate) fn encode_entry(entry: &Entry) -> Bytes {
    match &entry.encoded {
        Some(encoded) => encoded.clone(),
        None => encode(&entry.log_id, &entry.payload),
    }
}

fn encode(log_id: &LogId, payload: &Payload) -> Bytes {
    let (tag, command) = match payload {
        EntryPayload::Blank => (BLANK, &[][..]),
        EntryPayload::Normal(command) => (NORMAL, &command.0[..]),
        EntryPayload::Membership(_) => (MEMBERSHIP, &[][..]),
    };
    let mut encoder = versioned(HEAD_BYTES + command.len());
    encoder.u8(tag);
    put_log_id(&mut encoder, log_id);
    encoder.fixed(command);
    if let EntryPayload::Membership(membership) = payload {
        put_membership(&mut encoder, membership);
    }
    encoder.finish().into()
}

/// Reads an entry; its command shares the memory of `bytes`.
pub(crate) fn decode_entry(bytes: &Bytes) -> Result<Entry, DecodeError> {
    let mut decoder = Decoder::new(bytes);
    version(&mut decoder)?;
    let tag = decoder.u8()?;
    let log_id = get_log_id(&mut decoder)?;
    let payload = match tag {
        BLANK => EntryPayload::Blank,
        NORMAL => EntryPayload::Normal(get_command(bytes, &mut decoder)?),
        MEMBERSHIP => EntryPayload::Membership(get_membership(&mut decoder)?),
        other => return Err(DecodeError::UnknownTag(other)),
    };
    decoder.finish()?;
    Ok(Entry {
        log_id,
        payload,
        encoded: Some(bytes.clone()),
    })
}

fn get_command(bytes: &Bytes, decoder: &mut Decoder<'_>) -> Result<Command, DecodeError> {
    let command = decoder.rest();
    if command.len() > COMMAND_BYTES_MAX {
        return Err(DecodeError::Range);
    }
    Ok(Command(Decoder::share(bytes, command)))
}
