//! Golden bytes, computed by another implementation of CRC-32C: format version 1 never changes.

use eunoe_types::GroupId;

use super::*;
use crate::test_support::hex;

fn frame(kind: Kind, index: u64, data: &[u8]) -> String {
    let mut out = Vec::new();
    let mut batch = BatchEncoder::begin(7, 4096, &mut out);
    batch.push(kind, GroupId(3), index, data);
    batch.finish(9);
    hex(&out[BATCH_HEAD_BYTES..])
}

#[test]
fn the_header_never_changes() {
    assert_eq!(
        hex(&header(7)),
        "45554e4f454c4f47010000000700000000000000cfdd8f8b"
    );
}

#[test]
fn the_batch_head_never_changes() {
    let mut out = Vec::new();
    let mut batch = BatchEncoder::begin(7, 4096, &mut out);
    batch.push(Kind::Vote, GroupId(3), 0, b"vote");
    batch.finish(9);
    assert_eq!(hex(&out[..BATCH_HEAD_BYTES]), "190000000900000000000000b2ad4b88");
}

#[test]
fn no_kind_of_frame_ever_changes() {
    assert_eq!(
        frame(Kind::Entry, 5, b"entry"),
        "12000000e1f5dba501030000000500000000000000656e747279"
    );
    assert_eq!(
        frame(Kind::Vote, 0, b"vote"),
        "1100000095716e3602030000000000000000000000766f7465"
    );
    assert_eq!(
        frame(Kind::Committed, 0, b"committed"),
        "16000000157f6e4703030000000000000000000000636f6d6d6974746564"
    );
    assert_eq!(
        frame(Kind::Truncate, 5, &[1]),
        "0e000000cd649e190403000000050000000000000001"
    );
    assert_eq!(
        frame(Kind::Truncate, 0, &[0]),
        "0e000000b5f304c10403000000000000000000000000"
    );
    assert_eq!(
        frame(Kind::Purge, 5, b"id"),
        "0f00000007f4a04b050300000005000000000000006964"
    );
    assert_eq!(
        frame(Kind::Held, 5, &2u64.to_le_bytes()),
        "1500000012f51ad7060300000005000000000000000200000000000000"
    );
    assert_eq!(
        frame(Kind::Carried, 5, b"entry"),
        "120000001bf9ad8607030000000500000000000000656e747279"
    );
}

#[test]
fn bytes_are_valid_only_in_their_place() {
    let mut out = Vec::new();
    let mut batch = BatchEncoder::begin(7, 4096, &mut out);
    let at = batch.push(Kind::Entry, GroupId(3), 5, b"entry");
    batch.finish(9);
    let (head, rest) = out.split_at(BATCH_HEAD_BYTES);
    assert_eq!(read_batch_head(7, 4096, head), Ok((rest.len(), 9)));
    assert_eq!(
        read_frame(7, at.offset.into(), rest).map(|(_, bytes)| bytes),
        Ok(rest.len())
    );
    for (segment, offset) in [(8, 0), (7, 1)] {
        assert!(read_batch_head(segment, 4096 + offset, head).is_err());
        assert!(read_frame(segment, u64::from(at.offset) + offset, rest).is_err());
    }
}

#[test]
fn a_header_of_another_version_or_segment_is_refused() {
    let mut newer = header(7);
    newer[8] = 2;
    let crc = crc32c::crc32c(&newer[..20]);
    newer[20..].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(
        check_header(7, &newer),
        Err(Damage("its format version is unknown"))
    );
    assert_eq!(
        check_header(8, &header(7)),
        Err(Damage("it carries another number"))
    );
    assert_eq!(check_header(7, &header(7)), Ok(()));
}
