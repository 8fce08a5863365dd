//! A snapshot under way: a header, then its manifest and files in chunks, then an answer.

use bytes::Bytes;
use eunoe_store::snapshot::Chunk;
use eunoe_types::{DecodeError, Decoder, Encoder};

use super::ids::{get_log_id, get_vote, put_log_id, put_vote};
use super::membership::{get_stored_membership, put_stored_membership};
use super::{get_option, put_option, versioned, whole};
use crate::types::{SnapshotMeta, Vote};

const MANIFEST: u8 = 1;
const DATA: u8 = 2;

/// What is sent before the chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SnapshotHeader {
    /// The sender's vote: it must still lead when the snapshot is installed.
    pub(crate) vote: Vote,
    /// The position and members that the snapshot holds.
    pub(crate) meta: SnapshotMeta,
}

/// One chunk. It has no version: the header's stands for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SnapshotChunk {
    /// The next part of the manifest; all of them come before all data.
    Manifest(Bytes),
    /// A piece of one of the manifest's files.
    Data(Chunk),
}

impl SnapshotChunk {
    /// Encodes the chunk.
    pub(crate) fn encode(&self) -> Bytes {
        match self {
            SnapshotChunk::Manifest(part) => {
                let mut encoder = Encoder::with_capacity(part.len() + 1);
                encoder.u8(MANIFEST).fixed(part);
                encoder.finish().into()
            }
            SnapshotChunk::Data(chunk) => {
                let mut encoder = Encoder::with_capacity(chunk.data.len() + 16);
                encoder
                    .u8(DATA)
                    .varint(u64::from(chunk.file))
                    .varint(chunk.offset)
                    .fixed(&chunk.data);
                encoder.finish().into()
            }
        }
    }
}

/// Reads a chunk; its data shares the memory of `bytes`.
pub(crate) fn decode_chunk(bytes: &Bytes) -> Result<SnapshotChunk, DecodeError> {
    let mut decoder = Decoder::new(bytes);
    match decoder.u8()? {
        MANIFEST => Ok(SnapshotChunk::Manifest(Decoder::share(bytes, decoder.rest()))),
        DATA => {
            let file = u32::try_from(decoder.varint()?).map_err(|_| DecodeError::Range)?;
            let offset = decoder.varint()?;
            let data = Decoder::share(bytes, decoder.rest());
            Ok(SnapshotChunk::Data(Chunk { file, offset, data }))
        }
        other => Err(DecodeError::UnknownTag(other)),
    }
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
