//! The bytes of every form, and that no other bytes are taken for one.

use std::collections::BTreeMap;

use bytes::Bytes;
use eunoe_store::snapshot::Chunk;
use openraft::EntryPayload;
use openraft::entry::RaftEntry;
use openraft::raft::{
    AppendEntriesRequest, StreamAppendError, TransferLeaderError, TransferLeaderRequest, VoteRequest,
    VoteResponse,
};
use openraft::vote::RaftLeaderId;
use proptest::prelude::*;

use super::recode::FORMS;
use super::*;
use crate::Node;
use crate::types::{Command, Entry, LeaderId, LogId, Membership, SnapshotMeta, StoredMembership, Vote};

fn id(index: u64) -> LogId {
    LogId::new(LeaderId::new(5, 2), index)
}

fn vote(committed: bool) -> Vote {
    Vote {
        leader_id: LeaderId::new(5, 2),
        committed,
    }
}

fn members(configs: &[&[u64]], nodes: &[u64]) -> Membership {
    let configs = configs
        .iter()
        .map(|ids| ids.iter().copied().collect())
        .collect::<Vec<_>>();
    let node = |id: u64| Node {
        address: format!("n{id}"),
        spki_sha256: [u8::try_from(id).expect("small"); 32],
    };
    let nodes: BTreeMap<u64, Node> = nodes.iter().map(|id| (*id, node(*id))).collect();
    Membership::new(configs, nodes).expect("all voters are nodes")
}

fn stored_members() -> StoredMembership {
    StoredMembership::new(Some(id(1)), members(&[&[1]], &[1]))
}

fn entry(payload: crate::types::Payload) -> Entry {
    Entry::new(id(300), payload)
}

fn append(entries: Vec<Entry>) -> AppendEntriesRequest<crate::types::TypeConfig> {
    AppendEntriesRequest {
        vote: vote(true),
        prev_log_id: Some(id(299)),
        entries,
        leader_commit: None,
    }
}

fn header() -> SnapshotHeader {
    SnapshotHeader {
        vote: vote(true),
        meta: SnapshotMeta {
            last_log_id: Some(id(300)),
            last_membership: stored_members(),
        },
    }
}

fn data_chunk() -> SnapshotChunk {
    SnapshotChunk::Data(Chunk {
        file: 1,
        offset: 300,
        data: Bytes::from_static(b"xy"),
    })
}

fn recode(form: &str) -> fn(&Bytes) -> Result<Bytes, DecodeError> {
    let found = FORMS.iter().find(|(name, _)| *name == form);
    found.expect("a form of the table").1
}

const SPKI_1: &str = "0101010101010101010101010101010101010101010101010101010101010101";
const SPKI_2: &str = "0202020202020202020202020202020202020202020202020202020202020202";
const SPKI_3: &str = "0303030303030303030303030303030303030303030303030303030303030303";

/// A form, its encoding, and the bytes that it must have; spaces only part the fields.
type Golden = (&'static str, Bytes, String);

/// Every form with its bytes.
fn golden() -> Vec<Golden> {
    [stored_forms(), append_forms(), call_forms(), snapshot_forms()].concat()
}

fn blank() -> Entry {
    entry(EntryPayload::Blank)
}

fn stored_members_hex() -> String {
    format!("01 050201 01 0101 01 01 026e31 {SPKI_1}")
}

fn stored_forms() -> Vec<Golden> {
    let normal = EntryPayload::Normal(Command(Bytes::from_static(b"hi")));
    let joint = EntryPayload::Membership(members(&[&[1, 2], &[2, 3]], &[1, 2, 3]));
    let stored = stored_members_hex();
    let joint_hex = format!(
        "01 02 0502ac02 02 020102 020203 03 01 026e31 {SPKI_1} 02 026e32 {SPKI_2} 03 026e33 {SPKI_3}"
    );
    vec![
        ("log id", encode_log_id(&id(300)), "01 0502ac02".into()),
        ("vote", encode_stored_vote(&vote(true)), "01 0502 01".into()),
        ("vote", encode_stored_vote(&vote(false)), "01 0502 00".into()),
        ("entry", encode_entry(&blank()), "01 00 0502ac02".into()),
        (
            "entry",
            encode_entry(&entry(normal)),
            "01 01 0502ac02 6869".into(),
        ),
        ("entry", encode_entry(&entry(joint)), joint_hex),
        (
            "applied",
            encode_applied(Some(&id(300)), &stored_members()).into(),
            format!("01 01 0502ac02 {stored}"),
        ),
        (
            "applied",
            encode_applied(None, &StoredMembership::default()).into(),
            "01 00 00 00 00".into(),
        ),
    ]
}

fn append_forms() -> Vec<Golden> {
    vec![
        (
            "append",
            encode_append(&append(vec![blank()])),
            "01 050201 01 0502ab02 00 01 06 01000502ac02".into(),
        ),
        (
            "append",
            encode_append(&append(Vec::new())),
            "01 050201 01 0502ab02 00 00".into(),
        ),
        (
            "append result",
            encode_append_result(&Ok(Some(id(300)))),
            "01 00 01 0502ac02".into(),
        ),
        (
            "append result",
            encode_append_result(&Ok(None)),
            "01 00 00".into(),
        ),
        (
            "append result",
            encode_append_result(&Err(StreamAppendError::Conflict(id(300)))),
            "01 01 0502ac02".into(),
        ),
        (
            "append result",
            encode_append_result(&Err(StreamAppendError::HigherVote(vote(false)))),
            "01 02 050200".into(),
        ),
    ]
}

fn call_forms() -> Vec<Golden> {
    let mut transferred = VoteRequest::new(vote(false), Some(id(300)));
    transferred.leadership_transfer = true;
    vec![
        (
            "vote request",
            encode_vote_request(&VoteRequest::new(vote(false), None)),
            "01 050200 00 00".into(),
        ),
        (
            "vote request",
            encode_vote_request(&transferred),
            "01 050200 01 0502ac02 01".into(),
        ),
        (
            "vote response",
            encode_vote_response(&VoteResponse::new(vote(false), Some(id(300)), true)),
            "01 050200 01 01 0502ac02".into(),
        ),
        (
            "transfer",
            encode_transfer(&TransferLeaderRequest::new(vote(true), 3, Some(id(300)))),
            "01 050201 03 01 0502ac02".into(),
        ),
        ("transfer result", encode_transfer_result(&Ok(())), "01 00".into()),
        (
            "transfer result",
            encode_transfer_result(&Err(TransferLeaderError::VoteChanged {
                expected: vote(true),
                actual: vote(false),
            })),
            "01 01 050201 050200".into(),
        ),
        (
            "transfer result",
            encode_transfer_result(&Err(TransferLeaderError::LogNotFlushed {
                expected: Some(id(300)),
                actual: None,
            })),
            "01 02 01 0502ac02 00".into(),
        ),
    ]
}

fn snapshot_forms() -> Vec<Golden> {
    let stored = stored_members_hex();
    vec![
        (
            "header",
            encode_header(&header()),
            format!("01 050201 01 0502ac02 {stored}"),
        ),
        (
            "snapshot result",
            encode_snapshot_result(&vote(false)),
            "01 050200".into(),
        ),
        (
            "chunk",
            SnapshotChunk::Manifest(Bytes::from_static(b"abc")).encode(),
            "01 616263".into(),
        ),
        ("chunk", data_chunk().encode(), "02 01 ac02 7879".into()),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_form_has_its_golden_bytes_and_is_read_back() {
    for (form, encoded, expected) in golden() {
        assert_eq!(hex(&encoded), expected.replace(' ', ""), "{form}");
        let again = recode(form)(&encoded).expect(form);
        assert_eq!(again, encoded, "{form} is read back as something else");
    }
    let forms: Vec<_> = golden().into_iter().map(|(form, ..)| form).collect();
    for (form, _) in FORMS {
        assert!(forms.contains(form), "{form} has no golden bytes");
    }
}

/// Forms that end with bytes of any number; what holds them says how many.
fn is_open(form: &str, encoded: &[u8]) -> bool {
    form == "chunk" || (form == "entry" && encoded[1] == 1)
}

#[test]
fn what_is_cut_or_goes_on_is_refused() {
    for (form, encoded, _) in golden() {
        if is_open(form, &encoded) {
            continue;
        }
        for end in 0..encoded.len() {
            assert!(
                recode(form)(&encoded.slice(..end)).is_err(),
                "{form} cut at {end}"
            );
        }
        let longer: Bytes = [&encoded[..], &[0]].concat().into();
        assert!(recode(form)(&longer).is_err(), "{form} goes on");
    }
    assert!(decode_entry(&Bytes::from_static(b"\x01\x01\x05")).is_err());
    assert!(decode_chunk(&Bytes::from_static(b"\x02\x01")).is_err());
}

#[test]
fn unknown_versions_are_refused() {
    for (form, encoded, _) in golden().into_iter().filter(|(form, ..)| *form != "chunk") {
        let mut newer = encoded.to_vec();
        newer[0] = 2;
        assert_eq!(
            recode(form)(&newer.into()),
            Err(DecodeError::UnknownTag(2)),
            "{form}"
        );
    }
}

#[test]
fn entries_of_a_request_follow_each_other() {
    let hole = Entry::new(id(302), EntryPayload::Blank);
    let request = append(vec![entry(EntryPayload::Blank), hole]);
    assert_eq!(
        decode_append(&encode_append(&request)).expect_err("a hole"),
        DecodeError::Range
    );
}

#[test]
fn an_entry_is_not_encoded_again_when_it_goes_on() {
    let encoded = encode_entry(&entry(EntryPayload::Normal(Command(Bytes::from_static(b"hi")))));
    let again = encode_entry(&decode_entry(&encoded).expect("an entry"));
    assert_eq!(again.as_ptr(), encoded.as_ptr(), "it was copied");
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_or_the_one_form_of_a_value(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let bytes = Bytes::from(bytes);
        for (form, recode) in FORMS {
            if let Ok(again) = recode(&bytes) {
                prop_assert_eq!(&again, &bytes, "{} has two forms", form);
            }
        }
    }

    #[test]
    fn damaged_forms_are_refused_or_the_one_form_of_another_value(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        value in any::<u8>(),
    ) {
        let golden = golden();
        let (form, encoded, _) = which.get(&golden);
        let mut damaged = encoded.to_vec();
        *at.get_mut(&mut damaged[..]) = value;
        let damaged = Bytes::from(damaged);
        if let Ok(again) = recode(form)(&damaged) {
            prop_assert_eq!(&again, &damaged, "{} has two forms", form);
        }
    }
}
