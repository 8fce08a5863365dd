//! Where everything is in the file: two copies of the header, then per slot a record and its blob.

use eunoe_types::{Decoder, Encoder};

use super::disk::{Block, Disk};
use crate::{SLOTS, Slot, VaultError};

/// Everything is written in multiples of this, which direct I/O asks for.
pub(super) const BLOCK_BYTES: usize = 4096;
pub(super) const BLOB_BYTES: usize = 64 * 1024;
const SLOT_BYTES: usize = BLOCK_BYTES + BLOB_BYTES;
pub(super) const HEADER_OFFSETS: [u64; 2] = [0, BLOCK_BYTES as u64];
const SLOTS_OFFSET: u64 = 2 * BLOCK_BYTES as u64;
pub(super) const FILE_BYTES: u64 = SLOTS_OFFSET + (SLOTS * SLOT_BYTES) as u64;

pub(super) const CHECKSUM_BYTES: usize = 32;
const MAGIC: &[u8; 8] = b"EUNOEVLT";
const VERSION: u8 = 1;
const HELD: u8 = 1;

pub(super) const fn record_offset(index: usize) -> u64 {
    SLOTS_OFFSET + (index * SLOT_BYTES) as u64
}

pub(super) fn blob_offset(index: usize) -> u64 {
    record_offset(index) + BLOCK_BYTES as u64
}

/// What the file says of itself, kept twice: a crash while one copy is written leaves the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) id: [u8; 16],
    /// Changes so far.
    pub(super) counter: u64,
    /// The slot that is being changed.
    pub(super) busy: Option<usize>,
}

impl Header {
    pub(super) fn encode(&self) -> Block {
        let mut e = Encoder::new();
        e.fixed(MAGIC)
            .u8(VERSION)
            .fixed(&self.id)
            .fixed(&self.counter.to_le_bytes());
        e.u8(self.busy.map_or(0, |index| index as u8 + 1));
        checksummed(e.as_slice())
    }

    /// The newest intact copy.
    pub(super) fn read(disk: &Disk) -> Result<Self, VaultError> {
        let mut newest: Option<Self> = None;
        for offset in HEADER_OFFSETS {
            let mut block = Block::zeroed(BLOCK_BYTES);
            disk.read(offset, &mut block)?;
            let copy = Self::decode(&block);
            newest = match (newest, copy) {
                // The first copy is written first, so of two with one counter it is the newer.
                (Some(one), Some(other)) if other.counter > one.counter => Some(other),
                (Some(one), _) => Some(one),
                (None, copy) => copy,
            };
        }
        newest.ok_or(VaultError::Damaged("both copies of its header"))
    }

    pub(super) fn decode(block: &Block) -> Option<Self> {
        let mut d = Decoder::new(verified(block)?);
        let known = d.array().ok()? == *MAGIC && d.u8().ok()? == VERSION;
        let id = d.array().ok()?;
        let counter = u64::from_le_bytes(d.array().ok()?);
        let busy = usize::from(d.u8().ok()?).checked_sub(1);
        let known = known && is_zero(d.rest());
        (known && busy.is_none_or(|index| index < SLOTS)).then_some(Self { id, counter, busy })
    }
}

/// What a slot's record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// Nothing: all zeros.
    Free,
    /// A secret, sealed under the slot's blob.
    Held { slot: Slot, sealed: Vec<u8> },
}

impl Record {
    pub(super) fn slot(&self) -> Option<Slot> {
        match self {
            Self::Free => None,
            Self::Held { slot, .. } => Some(*slot),
        }
    }

    pub(super) fn encode(&self) -> Block {
        match self {
            Self::Free => Block::zeroed(BLOCK_BYTES),
            Self::Held { slot, sealed } => {
                let mut e = Encoder::with_capacity(sealed.len() + 32);
                e.u8(HELD)
                    .fixed(&slot.epoch.to_le_bytes())
                    .fixed(&slot.attempt.to_le_bytes())
                    .bytes(sealed);
                checksummed(e.as_slice())
            }
        }
    }

    pub(super) fn decode(block: &Block) -> Result<Self, VaultError> {
        if is_zero(block.as_ref()) {
            return Ok(Self::Free);
        }
        Self::decode_held(block).ok_or(VaultError::Damaged("a slot's record"))
    }

    fn decode_held(block: &Block) -> Option<Self> {
        let mut d = Decoder::new(verified(block)?);
        let known = d.u8().ok()? == HELD;
        let epoch = u64::from_le_bytes(d.array().ok()?);
        let attempt = u32::from_le_bytes(d.array().ok()?);
        let sealed = d.bytes().ok()?.to_vec();
        (known && is_zero(d.rest())).then_some(Self::Held {
            slot: Slot { epoch, attempt },
            sealed,
        })
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// A block with `content` at its start and a checksum at its end.
fn checksummed(content: &[u8]) -> Block {
    let mut block = Block::zeroed(BLOCK_BYTES);
    let (body, checksum) = block.as_mut().split_at_mut(BLOCK_BYTES - CHECKSUM_BYTES);
    body[..content.len()].copy_from_slice(content);
    checksum.copy_from_slice(blake3::hash(body).as_bytes());
    block
}

fn verified(block: &Block) -> Option<&[u8]> {
    let (body, checksum) = block.as_ref().split_at(BLOCK_BYTES - CHECKSUM_BYTES);
    (blake3::hash(body).as_bytes() == checksum).then_some(body)
}
