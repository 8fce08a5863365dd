//! The messages of an append stream, and the heartbeat, which is an append without entries.

use bytes::Bytes;
use eunoe_types::{DecodeError, Decoder};
use openraft::raft::{AppendEntriesRequest, StreamAppendError, StreamAppendResult};

use super::ids::{get_log_id, get_vote, put_log_id, put_vote};
use super::{decode_entry, encode_entry, get_option, put_option, version, versioned, whole};
use crate::types::TypeConfig;

/// Entries of one request; the sender stops far earlier (`RaftConfig`, bytes of one read).
pub(crate) const ENTRIES_MAX: usize = 4_096;

const MATCHED: u8 = 0;
const CONFLICT: u8 = 1;
const HIGHER_VOTE: u8 = 2;

/// Encodes a request to append.
pub(crate) fn encode_append(request: &AppendEntriesRequest<TypeConfig>) -> Bytes {
    let entries: Vec<Bytes> = request.entries.iter().map(encode_entry).collect();
    let size: usize = entries.iter().map(|entry| entry.len() + 4).sum();
    let mut encoder = versioned(64 + size);
    put_vote(&mut encoder, &request.vote);
    put_option(&mut encoder, request.prev_log_id.as_ref(), put_log_id);
    put_option(&mut encoder, request.leader_commit.as_ref(), put_log_id);
    encoder.varint(entries.len() as u64);
    for entry in entries {
        encoder.bytes(&entry);
    }
    encoder.finish().into()
}

/// Reads a request to append; its commands share the memory of `bytes`.
pub(crate) fn decode_append(bytes: &Bytes) -> Result<AppendEntriesRequest<TypeConfig>, DecodeError> {
    let mut decoder = Decoder::new(bytes);
    version(&mut decoder)?;
    let vote = get_vote(&mut decoder)?;
    let prev_log_id = get_option(&mut decoder, get_log_id)?;
    let leader_commit = get_option(&mut decoder, get_log_id)?;
    let mut next_index = prev_log_id.as_ref().map_or(0, |prev| prev.index + 1);
    let mut entries = Vec::new();
    for _ in 0..decoder.count(ENTRIES_MAX)? {
        let entry = decode_entry(&Decoder::share(bytes, decoder.bytes()?))?;
        // openraft takes the entries for consecutive; a hole must not get as far as its log.
        if entry.log_id.index != next_index {
            return Err(DecodeError::Range);
        }
        next_index = next_index.checked_add(1).ok_or(DecodeError::Range)?;
        entries.push(entry);
    }
    decoder.finish()?;
    Ok(AppendEntriesRequest {
        vote,
        prev_log_id,
        entries,
        leader_commit,
    })
}

/// Encodes the answer to a request to append.
pub(crate) fn encode_append_result(result: &StreamAppendResult<TypeConfig>) -> Bytes {
    let mut encoder = versioned(24);
    match result {
        Ok(matched) => put_option(encoder.u8(MATCHED), matched.as_ref(), put_log_id),
        Err(StreamAppendError::Conflict(id)) => put_log_id(encoder.u8(CONFLICT), id),
        Err(StreamAppendError::HigherVote(vote)) => put_vote(encoder.u8(HIGHER_VOTE), vote),
    }
    encoder.finish().into()
}

/// Reads what [`encode_append_result`] wrote.
pub(crate) fn decode_append_result(bytes: &[u8]) -> Result<StreamAppendResult<TypeConfig>, DecodeError> {
    whole(bytes, |decoder| match decoder.u8()? {
        MATCHED => Ok(Ok(get_option(decoder, get_log_id)?)),
        CONFLICT => Ok(Err(StreamAppendError::Conflict(get_log_id(decoder)?))),
        HIGHER_VOTE => Ok(Err(StreamAppendError::HigherVote(get_vote(decoder)?))),
        other => Err(DecodeError::UnknownTag(other)),
    })
}
