//! Log entries, searched for at every byte: in segments, in what is left of segments that were removed, in images.
//!
//! The checksum of an entry is salted with its place, which an image does not give, so that what counts is that all
//! of it decodes. An entry that the file system keeps in several pieces is not found.

use eunoe_core::control::{self, Command};
use eunoe_core::data::{self, Operation};
use eunoe_types::Decoder;

use crate::Evidence;

/// Bytes of a frame before its data: length, checksum, kind, group, index.
const HEAD_BYTES: usize = 21;
/// Of which so many come after the checksum, and count in the length.
const FIELDS_BYTES: usize = 13;
/// Kinds of frames that hold an entry: a new one, and one that was carried to a later segment.
const KINDS: [u8; 2] = [1, 7];
/// Format of entries, and the mark of one with a command.
const ENTRY: [u8; 2] = [1, 1];
/// The control group.
const CONTROL: u32 = 0;

/// Takes the commands of all entries in `bytes`.
pub(crate) fn search(evidence: &mut Evidence, bytes: &[u8]) {
    evidence.counts.bytes_searched += bytes.len() as u64;
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| rest.len() > HEAD_BYTES) {
        match entry(rest).and_then(|(group, command, whole)| take(evidence, group, command).map(|()| whole)) {
            Some(whole) => {
                evidence.counts.log_entries += 1;
                at += whole;
            }
            None => at += 1,
        }
    }
}

/// Group and command of the entry at the start of `bytes`, and its length with its head.
fn entry(bytes: &[u8]) -> Option<(u32, &[u8], usize)> {
    let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    if !KINDS.contains(bytes.get(8)?) || bytes.get(HEAD_BYTES..HEAD_BYTES + 2)? != ENTRY {
        return None;
    }
    let data_bytes = usize::try_from(number(0)?).ok()?.checked_sub(FIELDS_BYTES)?;
    let index = u64::from_le_bytes(bytes.get(13..HEAD_BYTES)?.try_into().ok()?);
    let whole = HEAD_BYTES.checked_add(data_bytes)?;
    let mut d = Decoder::new(bytes.get(HEAD_BYTES + ENTRY.len()..whole)?);
    let (_term, _leader) = (d.varint().ok()?, d.varint().ok()?);
    // The entry repeats what its frame says.
    (d.varint().ok()? == index).then_some(())?;
    Some((number(9)?, d.rest(), whole))
}

fn take(evidence: &mut Evidence, group: u32, command: &[u8]) -> Option<()> {
    if group == CONTROL {
        take_control(evidence, &Command::decode(command).ok()?);
        return Some(());
    }
    for operation in data::decode_command(command).ok()? {
        match operation {
            Operation::Create(create) => evidence.contents.take_create(&create),
            Operation::Append(append) => evidence.contents.take_append(&append),
            Operation::Close { .. } => {}
        }
    }
    Some(())
}

/// Takes what a command of the control group carries. What is not named here carries nothing sealed.
fn take_control(evidence: &mut Evidence, command: &Command<'_>) {
    let page = |evidence: &mut Evidence, page: &control::Page<'_>| {
        let name = page.name;
        evidence
            .sealed
            .take_page(name.tree, name.level, name.index, page.sealed);
    };
    if let Command::StagePages { pages, .. } = command {
        pages.iter().for_each(|found| page(evidence, found));
    }
    if let Command::CreateKeys { keys, .. } = command {
        for key in keys {
            evidence.take_key_commitment(key.kid, key.key_commit);
            for row in &key.rows {
                evidence.sealed.take_row(row.tree, row.page, row.tag, row.sealed);
            }
        }
    }
    if let Command::EpochChunk(chunk) = command {
        chunk.pages.iter().for_each(|found| page(evidence, found));
        for row in &chunk.rows {
            evidence.sealed.take_row(row.tree, row.page, row.tag, row.sealed);
        }
    }
    take_commitments(evidence, command);
}

fn take_commitments(evidence: &mut Evidence, command: &Command<'_>) {
    if let Command::Genesis(genesis) = command {
        evidence.realms.insert(genesis.realm);
        evidence.levels.insert(genesis.levels);
        evidence.take_made_root(&genesis.made, Some(FIRST_EPOCH));
    }
    if let Command::BeginEpoch(begin) = command {
        evidence.attempts.insert(u64::from(begin.attempt), begin.epoch);
    }
    if let Command::ShareEpoch(share) = command {
        let epoch = evidence.attempts.get(&u64::from(share.attempt)).copied();
        evidence.take_made_root(&share.made, epoch);
    }
}

/// The epoch that a realm begins with.
const FIRST_EPOCH: u64 = 0;
