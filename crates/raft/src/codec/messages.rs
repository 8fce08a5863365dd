//! Votes and the transfer of leadership.

use bytes::Bytes;
use eunoe_types::DecodeError;
use openraft::raft::{
    TransferLeaderError, TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};

use super::ids::{get_log_id, get_vote, put_log_id, put_vote};
use super::{get_option, put_option, versioned, whole};
use crate::types::TypeConfig;

const ACCEPTED: u8 = 0;
const VOTE_CHANGED: u8 = 1;
const LOG_NOT_FLUSHED: u8 = 2;

/// Encodes a request for a vote or a pre-vote.
pub(crate) fn encode_vote_request(request: &VoteRequest<TypeConfig>) -> Bytes {
    let mut encoder = versioned(32);
    put_vote(&mut encoder, &request.vote);
    put_option(&mut encoder, request.last_log_id.as_ref(), put_log_id);
    encoder.u8(u8::from(request.leadership_transfer));
    encoder.finish().into()
}

/// Reads what [`encode_vote_request`] wrote.
pub(crate) fn decode_vote_request(bytes: &[u8]) -> Result<VoteRequest<TypeConfig>, DecodeError> {
    whole(bytes, |decoder| {
        let vote = get_vote(decoder)?;
        let mut request = VoteRequest::new(vote, get_option(decoder, get_log_id)?);
        request.leadership_transfer = decoder.flag()?;
        Ok(request)
    })
}

/// Encodes the answer to a request for a vote or a pre-vote.
pub(crate) fn encode_vote_response(response: &VoteResponse<TypeConfig>) -> Bytes {
    let mut encoder = versioned(32);
    put_vote(&mut encoder, &response.vote);
    encoder.u8(u8::from(response.vote_granted));
    put_option(&mut encoder, response.last_log_id.as_ref(), put_log_id);
    encoder.finish().into()
}

/// Reads what [`encode_vote_response`] wrote.
pub(crate) fn decode_vote_response(bytes: &[u8]) -> Result<VoteResponse<TypeConfig>, DecodeError> {
    whole(bytes, |decoder| {
        let vote = get_vote(decoder)?;
        let granted = decoder.flag()?;
        Ok(VoteResponse::new(vote, get_option(decoder, get_log_id)?, granted))
    })
}

/// Encodes the leader's wish to hand over.
pub(crate) fn encode_transfer(request: &TransferLeaderRequest<TypeConfig>) -> Bytes {
    let mut encoder = versioned(32);
    put_vote(&mut encoder, request.from_leader());
    encoder.varint(*request.to_node_id());
    put_option(&mut encoder, request.last_log_id(), put_log_id);
    encoder.finish().into()
}

/// Reads what [`encode_transfer`] wrote.
pub(crate) fn decode_transfer(bytes: &[u8]) -> Result<TransferLeaderRequest<TypeConfig>, DecodeError> {
    whole(bytes, |decoder| {
        let from = get_vote(decoder)?;
        let to = decoder.varint()?;
        Ok(TransferLeaderRequest::new(
            from,
            to,
            get_option(decoder, get_log_id)?,
        ))
    })
}

/// Encodes the answer to the leader's wish to hand over.
pub(crate) fn encode_transfer_result(result: &TransferLeaderResponse<TypeConfig>) -> Bytes {
    let mut encoder = versioned(48);
    match result {
        Ok(()) => {
            encoder.u8(ACCEPTED);
        }
        Err(TransferLeaderError::VoteChanged { expected, actual }) => {
            put_vote(encoder.u8(VOTE_CHANGED), expected);
            put_vote(&mut encoder, actual);
        }
        Err(TransferLeaderError::LogNotFlushed { expected, actual }) => {
            put_option(encoder.u8(LOG_NOT_FLUSHED), expected.as_ref(), put_log_id);
            put_option(&mut encoder, actual.as_ref(), put_log_id);
        }
    }
    encoder.finish().into()
}

/// Reads what [`encode_transfer_result`] wrote.
pub(crate) fn decode_transfer_result(
    bytes: &[u8],
) -> Result<TransferLeaderResponse<TypeConfig>, DecodeError> {
    whole(bytes, |decoder| match decoder.u8()? {
        ACCEPTED => Ok(Ok(())),
        VOTE_CHANGED => {
            let expected = get_vote(decoder)?;
            Ok(Err(TransferLeaderError::VoteChanged {
                expected,
                actual: get_vote(decoder)?,
            }))
        }
        LOG_NOT_FLUSHED => {
            let expected = get_option(decoder, get_log_id)?;
            let actual = get_option(decoder, get_log_id)?;
            Ok(Err(TransferLeaderError::LogNotFlushed { expected, actual }))
        }
        other => Err(DecodeError::UnknownTag(other)),
    })
}
