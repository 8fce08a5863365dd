//! Log ids and votes.

use bytes::Bytes;
use eunoe_types::{DecodeError, Decoder, Encoder};
use openraft::vote::RaftLeaderId;

use super::{versioned, whole};
use crate::types::{LeaderId, LogId, Vote};

pub(super) fn put_leader(encoder: &mut Encoder, leader: &LeaderId) {
    encoder.varint(leader.term).varint(leader.node_id);
}

pub(super) fn get_leader(decoder: &mut Decoder<'_>) -> Result<LeaderId, DecodeError> {
    let term = decoder.varint()?;
    Ok(LeaderId::new(term, decoder.varint()?))
}

pub(super) fn put_log_id(encoder: &mut Encoder, id: &LogId) {
    put_leader(encoder, &id.leader_id);
    encoder.varint(id.index);
}

/// Reads a log id. The last index has no successor, so openraft could not count past it.
pub(super) fn get_log_id(decoder: &mut Decoder<'_>) -> Result<LogId, DecodeError> {
    let leader = get_leader(decoder)?;
    match decoder.varint()? {
        u64::MAX => Err(DecodeError::Range),
        index => Ok(LogId::new(leader, index)),
    }
}

pub(super) fn put_vote(encoder: &mut Encoder, vote: &Vote) {
    put_leader(encoder, &vote.leader_id);
    encoder.u8(u8::from(vote.committed));
}

pub(super) fn get_vote(decoder: &mut Decoder<'_>) -> Result<Vote, DecodeError> {
    let leader_id = get_leader(decoder)?;
    Ok(Vote {
        leader_id,
        committed: decoder.flag()?,
    })
}

/// The stored form of a log id.
pub(crate) fn encode_log_id(id: &LogId) -> Bytes {
    let mut encoder = versioned(16);
    put_log_id(&mut encoder, id);
    encoder.finish().into()
}

/// Reads what [`encode_log_id`] wrote.
pub(crate) fn decode_log_id(bytes: &[u8]) -> Result<LogId, DecodeError> {
    whole(bytes, get_log_id)
}

/// The stored form of a vote.
pub(crate) fn encode_stored_vote(vote: &Vote) -> Bytes {
    let mut encoder = versioned(16);
    put_vote(&mut encoder, vote);
    encoder.finish().into()
}

/// Reads what [`encode_stored_vote`] wrote.
pub(crate) fn decode_stored_vote(bytes: &[u8]) -> Result<Vote, DecodeError> {
    whole(bytes, get_vote)
}
