//! Golden bytes of the vault's file: a vault that a release cannot read has lost the root. The hashes were computed with
//! another implementation of BLAKE3.

use super::layout::{FILE_BYTES, HEADER_OFFSETS, Header, Record, blob_offset, record_offset};
use crate::Slot;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a block begins with, that zeros follow up to its checksum, and the checksum.
fn is(block: &[u8], begins: &str, checksum: &str) {
    assert_eq!(block.len(), 4096);
    assert_eq!(hex(&block[..begins.len() / 2]), begins);
    assert!(block[begins.len() / 2..4064].iter().all(|byte| *byte == 0));
    assert_eq!(hex(&block[4064..]), checksum);
}

#[test]
fn the_header_never_changes() {
    let header = Header {
        id: [1; 16],
        counter: 0x0102,
        busy: Some(2),
    };
    let begins = format!("45554e4f45564c5401{}020100000000000003", "01".repeat(16));
    is(
        header.encode().as_ref(),
        &begins,
        "00b8af237d2b887809ffc19859ef9f1d5c91003197c3d4d5f7d16f74f816ad61",
    );
}

#[test]
fn a_record_never_changes() {
    let record = Record::Held {
        slot: Slot { epoch: 3, attempt: 1 },
        sealed: vec![9, 8, 7],
    };
    is(
        record.encode().as_ref(),
        "0103000000000000000100000003090807",
        "82b159e4f72e01d2e9ed46eb8ec09f076c5db3ee68a9b18df953c16563492ddf",
    );
    assert!(Record::Free.encode().as_ref().iter().all(|byte| *byte == 0));
}

#[test]
fn everything_stays_in_its_place() {
    assert_eq!(HEADER_OFFSETS, [0, 4_096]);
    assert_eq!(
        [record_offset(0), blob_offset(0), record_offset(1)],
        [8_192, 12_288, 77_824]
    );
    assert_eq!(FILE_BYTES, 1_122_304);
}
