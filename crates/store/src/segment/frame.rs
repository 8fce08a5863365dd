//! The bytes of a segment file, format version 1. All numbers are little-endian.
//!
//! ```text
//! segment  header, batch, batch, …, zeros
//! header   magic (8) · version (1) · zeros (3) · segment number (8) · crc32c of all before (4)
//! batch    bytes of its frames (4) · sequence (8) · crc32c (4) · frames
//! frame    bytes after the crc (4) · crc32c (4) · kind (1) · group (4) · index (8) · data
//! ```
//!
//! Checksums of batch heads and frames are salted with the segment's number and the place in it: bytes that
//! were once valid somewhere else never are valid here. Batches are numbered without gaps over the whole life
//! of a log, and one is durable before the next is written, so that recovery can tell a torn write (nothing
//! after it) from damage (later batches exist).

use eunoe_types::GroupId;

/// The format of this file.
pub(crate) const FORMAT_VERSION: u8 = 1;
/// Bytes of a segment's header.
pub(crate) const HEADER_BYTES: usize = 24;
/// Bytes of a batch before its frames.
pub(crate) const BATCH_HEAD_BYTES: usize = 16;
/// Bytes of a frame before its data.
pub(crate) const FRAME_HEAD_BYTES: usize = 21;

const MAGIC: &[u8; 8] = b"EUNOELOG";
const CHECKED_FROM: usize = 8;
const FRAME_FIELDS_BYTES: usize = FRAME_HEAD_BYTES - CHECKED_FROM;

/// What a frame says of its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A record: index and content.
    Entry = 1,
    /// The vote.
    Vote = 2,
    /// The committed position.
    Committed = 3,
    /// Records after the index are dropped; all of them if the data is one zero byte.
    Truncate = 4,
    /// Records up to the index are dropped; the data is the log id of the last.
    Purge = 5,
    /// In the checkpoint that begins a segment: the last index held, and in the data the first.
    Held = 6,
    /// A held record again, so that the segment that it stood in can go.
    Carried = 7,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        use Kind::{Carried, Committed, Entry, Held, Purge, Truncate, Vote};
        [Entry, Vote, Committed, Truncate, Purge, Held, Carried]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }
}

/// One decoded frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) kind: Kind,
    pub(crate) group: GroupId,
    pub(crate) index: u64,
    pub(crate) data: &'a [u8],
}

/// Where an entry's frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) segment: u64,
    pub(crate) offset: u32,
    pub(crate) data_bytes: u32,
}

/// Bytes are not a frame, batch head or header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Damage(pub(crate) &'static str);

fn salted(segment: u64, offset: u64, checked: &[&[u8]]) -> u32 {
    let mut salt = [0u8; 16];
    salt[..8].copy_from_slice(&segment.to_le_bytes());
    salt[8..].copy_from_slice(&offset.to_le_bytes());
    checked.iter().fold(crc32c::crc32c(&salt), |crc, part| {
        crc32c::crc32c_append(crc, part)
    })
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Damage> {
    let field = bytes.get(at..).and_then(|rest| rest.first_chunk::<N>());
    field.copied().ok_or(Damage("the file ends inside it"))
}

/// The header of segment `segment`.
pub(crate) fn header(segment: u64) -> [u8; HEADER_BYTES] {
    let mut out = [0u8; HEADER_BYTES];
    out[..8].copy_from_slice(MAGIC);
    out[8] = FORMAT_VERSION;
    out[12..20].copy_from_slice(&segment.to_le_bytes());
    let crc = crc32c::crc32c(&out[..20]);
    out[20..].copy_from_slice(&crc.to_le_bytes());
    out
}

/// Checks that `bytes` begin with the header of segment `segment`.
pub(crate) fn check_header(segment: u64, bytes: &[u8]) -> Result<(), Damage> {
    let found = number::<HEADER_BYTES>(bytes, 0)?;
    if found == header(segment) {
        return Ok(());
    }
    let crc = u32::from_le_bytes(number(&found, 20)?);
    if &found[..8] != MAGIC || crc != crc32c::crc32c(&found[..20]) {
        return Err(Damage("the header is damaged"));
    }
    let unknown_version = found[8] != FORMAT_VERSION;
    Err(Damage(if unknown_version {
        "its format version is unknown"
    } else {
        "it carries another number"
    }))
}

/// Bytes of frames and sequence of the batch at `offset`, if its head is whole.
pub(crate) fn read_batch_head(segment: u64, offset: u64, bytes: &[u8]) -> Result<(usize, u64), Damage> {
    let head = number::<BATCH_HEAD_BYTES>(bytes, 0)?;
    let frames_bytes = u32::from_le_bytes(number(&head, 0)?);
    let sequence = u64::from_le_bytes(number(&head, 4)?);
    let crc = u32::from_le_bytes(number(&head, 12)?);
    if frames_bytes == 0 || crc != salted(segment, offset, &[&head[..12]]) {
        return Err(Damage("a batch's head is damaged"));
    }
    Ok((frames_bytes as usize, sequence))
}

/// The frame at `offset`, and its bytes in all.
pub(crate) fn read_frame(segment: u64, offset: u64, bytes: &[u8]) -> Result<(Frame<'_>, usize), Damage> {
    let checked_bytes = u32::from_le_bytes(number(bytes, 0)?) as usize;
    let crc = u32::from_le_bytes(number(bytes, 4)?);
    let end = CHECKED_FROM + checked_bytes;
    let checked = bytes
        .get(CHECKED_FROM..end)
        .ok_or(Damage("a frame is longer than its batch"))?;
    if checked_bytes < FRAME_FIELDS_BYTES {
        return Err(Damage("a frame is shorter than its head"));
    }
    if crc != salted(segment, offset, &[&bytes[..4], checked]) {
        return Err(Damage("a frame's checksum does not match"));
    }
    let frame = Frame {
        kind: Kind::from_byte(checked[0]).ok_or(Damage("a frame's kind is unknown"))?,
        group: GroupId(u32::from_le_bytes(number(checked, 1)?)),
        index: u64::from_le_bytes(number(checked, 5)?),
        data: &checked[FRAME_FIELDS_BYTES..],
    };
    Ok((frame, end))
}

/// Encodes one batch for a given place.
pub(crate) struct BatchEncoder<'a> {
    segment: u64,
    offset: u64,
    start: usize,
    out: &'a mut Vec<u8>,
}

impl<'a> BatchEncoder<'a> {
    /// Begins a batch at the end of `out`, which will stand at `offset` of `segment`.
    pub(crate) fn begin(segment: u64, offset: u64, out: &'a mut Vec<u8>) -> Self {
        let start = out.len();
        out.extend_from_slice(&[0; BATCH_HEAD_BYTES]);
        Self {
            segment,
            offset,
            start,
            out,
        }
    }

    /// Adds a frame and says where it is.
    pub(crate) fn push(&mut self, kind: Kind, group: GroupId, index: u64, data: &[u8]) -> Location {
        let at = self.out.len();
        let offset = self.offset + (at - self.start) as u64;
        self.out
            .extend_from_slice(&((FRAME_FIELDS_BYTES + data.len()) as u32).to_le_bytes());
        self.out.extend_from_slice(&[0; 4]);
        self.out.push(kind as u8);
        self.out.extend_from_slice(&group.0.to_le_bytes());
        self.out.extend_from_slice(&index.to_le_bytes());
        self.out.extend_from_slice(data);
        let (length, checked) = (&self.out[at..at + 4], &self.out[at + CHECKED_FROM..]);
        let crc = salted(self.segment, offset, &[length, checked]);
        self.out[at + 4..at + CHECKED_FROM].copy_from_slice(&crc.to_le_bytes());
        Location {
            segment: self.segment,
            offset: offset as u32,
            data_bytes: data.len() as u32,
        }
    }

    /// Whether it has no frame yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.out.len() == self.start + BATCH_HEAD_BYTES
    }

    /// Completes the head; a batch without frames leaves nothing.
    pub(crate) fn finish(self, sequence: u64) {
        if self.is_empty() {
            return self.out.truncate(self.start);
        }
        let frames_bytes = (self.out.len() - self.start - BATCH_HEAD_BYTES) as u32;
        let head = &mut self.out[self.start..self.start + BATCH_HEAD_BYTES];
        head[..4].copy_from_slice(&frames_bytes.to_le_bytes());
        head[4..12].copy_from_slice(&sequence.to_le_bytes());
        let crc = salted(self.segment, self.offset, &[&head[..12]]);
        head[12..].copy_from_slice(&crc.to_le_bytes());
    }
}

#[cfg(test)]
#[path = "frame_test.rs"]
mod tests;
