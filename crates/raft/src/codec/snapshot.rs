//! A snapshot under way: a header, then the files of its directory in chunks, then an answer.

use bytes::Bytes;
use eunoe_types::{DecodeError, Decoder, Encoder};

use super::ids::{get_log_id, get_vote, put_log_id, put_vote};
use super::membership::{get_stored_membership, put_stored_membership};
use super::{get_option, put_option, versioned, whole};
use crate::types::{SnapshotMeta, Vote};

const FILE: u8 = 1;
const DATA: u8 = 2;

/// Bytes of a file's name.
const NAME_BYTES_MAX: usize = 255;

/// What is sent before the chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SnapshotHeader {
    /// The sender's vote: it must still lead when the snapshot is installed.
    pub(crate) vote: Vote,
    /// The position and members that the snapshot holds.
    pub(crate) meta: SnapshotMeta,
}

/// One chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SnapshotChunk {
    /// A file begins; what follows is its content.
    File {
        /// Its name, without directories.
        name: String,
        /// Its bytes.
        size: u64,
    },
    /// Content of the file begun last.
    Data(Bytes),
}

impl SnapshotChunk {
    /// Encodes the chunk.
    pub(crate) fn encode(&self) -> Bytes {
        match self {
            SnapshotChunk::File { name, size } => {
                let mut encoder = Encoder::with_capacity(name.len() + 16);
                encoder.u8(FILE).text(name).varint(*size);
                encoder.finish().into()
            }
            SnapshotChunk::Data(data) => {
                let mut encoder = Encoder::with_capacity(data.len() + 1);
                encoder.u8(DATA).fixed(data);
                encoder.finish().into()
            }
        }
    }
}

/// Reads a chunk. A name that leads out of the directory is refused.
pub(crate) fn decode_chunk(bytes: &Bytes) -> Result<SnapshotChunk, DecodeError> {
    let mut decoder = Decoder::new(bytes);
    match decoder.u8()? {
        FILE => {
            let name = decoder.text()?;
            if !is_plain_name(name) {
                return Err(DecodeError::Range);
            }
            let size = decoder.varint()?;
            decoder.finish()?;
            Ok(SnapshotChunk::File {
                name: name.to_owned(),
                size,
            })
        }
        DATA => Ok(SnapshotChunk::Data(Decoder::share(bytes, decoder.rest()))),
        other => Err(DecodeError::UnknownTag(other)),
    }
}

fn is_plain_name(name: &str) -> bool {
    let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_');
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(allowed) && !name.starts_with('.')
}

/// Encodes a header.
pub(crate) fn encode_header(header: &SnapshotHeader) -> Bytes {
    let mut encoder = versioned(128);
    put_vote(&mut encoder, &header.vote);
    put_option(&mut encoder, header.meta.last_log_id.as_ref(), put_log_id);
    put_stored_membership(&mut encoder, &header.meta.last_membership);
    encoder.finish().into()
}

/// Reads what [`encode_header`] wrote.
pub(crate) fn decode_header(bytes: &[u8]) -> Result<SnapshotHeader, DecodeError> {
    whole(bytes, |decoder| {
        let vote = get_vote(decoder)?;
        let last_log_id = get_option(decoder, get_log_id)?;
        let last_membership = get_stored_membership(decoder)?;
        Ok(SnapshotHeader {
            vote,
            meta: SnapshotMeta {
                last_log_id,
                last_membership,
            },
        })
    })
}

/// Encodes the answer to a snapshot: the vote of the node that took or refused it.
pub(crate) fn encode_snapshot_result(vote: &Vote) -> Bytes {
    let mut encoder = versioned(24);
    put_vote(&mut encoder, vote);
    encoder.finish().into()
}

/// Reads what [`encode_snapshot_result`] wrote.
pub(crate) fn decode_snapshot_result(bytes: &[u8]) -> Result<Vote, DecodeError> {
    whole(bytes, get_vote)
}
