//! Blocks of a vault's file as fuzzers write them.

use eunoe_types::DecodeError;
use eunoe_types::fuzzing::{Bytes, Form};

use super::disk::Block;
use super::layout::{BLOCK_BYTES, CHECKSUM_BYTES, HEADER_OFFSETS, Header, Record, record_offset};
use crate::SLOTS;

/// Where the headers and the slots' records are in the file.
pub const BLOCKS: [u64; 2 + SLOTS] = {
    let mut blocks = [0; 2 + SLOTS];
    blocks[0] = HEADER_OFFSETS[0];
    blocks[1] = HEADER_OFFSETS[1];
    let mut slot = 0;
    while slot < SLOTS {
        blocks[2 + slot] = record_offset(slot);
        slot += 1;
    }
    blocks
};

/// Headers and records without the zeros behind them.
pub(crate) const FORMS: &[Form] = &[
    ("vault header", |bytes| {
        let header = Header::decode(&block(bytes)?).ok_or(DecodeError::Range)?;
        content(header.encode(), bytes.len())
    }),
    ("vault record", |bytes| {
        let record = Record::decode(&block(bytes)?).map_err(|_| DecodeError::Range)?;
        content(record.encode(), bytes.len())
    }),
];

/// Gives a block the checksum that its content needs.
pub fn repair(block: &mut [u8]) {
    let (body, checksum) = block.split_at_mut(BLOCK_BYTES - CHECKSUM_BYTES);
    checksum.copy_from_slice(blake3::hash(body).as_bytes());
}

fn block(bytes: &[u8]) -> Result<Block, DecodeError> {
    let mut block = Block::zeroed(BLOCK_BYTES);
    let body = block
        .as_mut()
        .get_mut(..bytes.len().min(BLOCK_BYTES - CHECKSUM_BYTES));
    body.filter(|body| body.len() == bytes.len())
        .ok_or(DecodeError::Range)?
        .copy_from_slice(bytes);
    repair(block.as_mut());
    Ok(block)
}

fn content(block: Block, length: usize) -> Result<Bytes, DecodeError> {
    let body = block.as_ref().get(..length).ok_or(DecodeError::Range)?;
    Ok(body.to_vec().into())
}
