//! Decodes and encodes again, for tests and fuzzers.

use bytes::Bytes;

use super::*;

type Form = (&'static str, fn(&Bytes) -> Result<Bytes, DecodeError>);

/// Every form.
pub(crate) const FORMS: &[Form] = &[
    ("log id", |bytes| Ok(encode_log_id(&decode_log_id(bytes)?))),
    ("vote", |bytes| {
        Ok(encode_stored_vote(&decode_stored_vote(bytes)?))
    }),
    ("entry", |bytes| {
        let mut entry = decode_entry(bytes)?;
        entry.encoded = None;
        Ok(encode_entry(&entry))
    }),
    ("applied", |bytes| {
        let (last, members) = decode_applied(bytes)?;
        Ok(encode_applied(last.as_ref(), &members).into())
    }),
    ("append", |bytes| Ok(encode_append(&decode_append(bytes)?))),
    ("append result", |bytes| {
        Ok(encode_append_result(&decode_append_result(bytes)?))
    }),
    ("vote request", |bytes| {
        Ok(encode_vote_request(&decode_vote_request(bytes)?))
    }),
    ("vote response", |bytes| {
        Ok(encode_vote_response(&decode_vote_response(bytes)?))
    }),
    ("transfer", |bytes| Ok(encode_transfer(&decode_transfer(bytes)?))),
    ("transfer result", |bytes| {
        Ok(encode_transfer_result(&decode_transfer_result(bytes)?))
    }),
    ("header", |bytes| Ok(encode_header(&decode_header(bytes)?))),
    ("snapshot result", |bytes| {
        Ok(encode_snapshot_result(&decode_snapshot_result(bytes)?))
    }),
    ("chunk", |bytes| Ok(decode_chunk(bytes)?.encode())),
];
