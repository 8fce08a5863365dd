//! What the fuzzers call. Built only with the feature `fuzzing`.

use std::fmt::Display;

use eunoe_types::DecodeError;
use eunoe_types::fuzzing::{Bytes, Form, Reader, text};

use crate::{
    AddCheckpoint, Checkpoint, Monitor, Note, Object, Policy, Proof, Receipt, SignedCheckpoint, Suspicion,
    Ticket, TileId, TileKind, VerifierKey, WitnessAnswer, decode_entries, decode_hashes, encode_entries,
    encode_hashes,
};

/// Texts and files in which a value has one encoding.
pub const FORMS: &[Form] = &[
    ("vkey", |bytes| again(VerifierKey::parse(text(bytes)?))),
    ("note", |bytes| again(Note::parse(bytes))),
    ("checkpoint text", |bytes| again(Checkpoint::parse(text(bytes)?))),
    ("checkpoint", |bytes| again(SignedCheckpoint::parse(bytes))),
    ("proof", |bytes| again(Proof::parse(bytes))),
    ("add-checkpoint", |bytes| again(AddCheckpoint::parse(bytes))),
    ("tile path", |bytes| again(TileId::parse(text(bytes)?))),
    ("leaf", |bytes| again(Object::parse(bytes))),
    ("receipt", |bytes| again(Receipt::parse(bytes))),
    ("ticket", |bytes| again(Ticket::parse(bytes))),
    ("hash tile", |bytes| {
        let (tile, content) = tile_of(TileKind::Hashes { level: 0 }, bytes)?;
        let hashes = decode_hashes(&tile, content).map_err(|_| DecodeError::Range)?;
        Ok(with_width(bytes, &encode_hashes(&hashes)))
    }),
    ("entry bundle", |bytes| {
        let (tile, content) = tile_of(TileKind::Entries, bytes)?;
        let entries = decode_entries(&tile, content).map_err(|_| DecodeError::Range)?;
        let content = encode_entries(&entries).map_err(|_| DecodeError::Range)?;
        Ok(with_width(bytes, &content))
    }),
];

/// A policy has comments and blanks; a refusal's body is not read.
pub const READERS: &[Reader] = &[
    ("policy", |bytes| Policy::parse(bytes).is_ok()),
    ("monitored log", |bytes| watch(bytes)),
    ("witness answer", |bytes| {
        let Some((status, body)) = bytes.split_first_chunk() else {
            return false;
        };
        WitnessAnswer::parse(u16::from_be_bytes(*status), body).is_ok()
    }),
];

fn again<T: Display, E>(parsed: Result<T, E>) -> Result<Bytes, DecodeError> {
    let value = parsed.map_err(|_| DecodeError::Range)?;
    Ok(value.to_string().into())
}

/// The first byte is the tile's width less one.
fn tile_of(kind: TileKind, bytes: &Bytes) -> Result<(TileId, &[u8]), DecodeError> {
    let (width, content) = bytes.split_first().ok_or(DecodeError::Range)?;
    let tile = TileId::new(kind, 0, u16::from(*width) + 1).map_err(|_| DecodeError::Range)?;
    Ok((tile, content))
}

fn with_width(bytes: &Bytes, content: &[u8]) -> Bytes {
    [&bytes[..1], content].concat().into()
}

/// Lines are entries. True if none of them is wrong.
fn watch(lines: &[u8]) -> bool {
    let Ok(mut monitor) = Monitor::new("eunoe/07070707070707070707070707070707") else {
        return false;
    };
    let mut suspicion = Suspicion::new(&[0; 32]);
    let mut wrong = 0;
    for (index, line) in (0..).zip(lines.split(|byte| *byte == b'\n')) {
        let is_read = suspicion.look_at(index, line).is_ok();
        let is_quiet = monitor.feed(index, line).is_ok_and(|alarms| alarms.is_empty());
        wrong += usize::from(!is_read || !is_quiet);
    }
    let known = monitor.summary();
    assert!(known.full_before <= known.destroyed_before);
    wrong == 0
}
