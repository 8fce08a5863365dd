//! Which nodes count as holders of a root, and what their words do.

use eunoe_core::control::{self, Command, ErasureState, HOLDS_NONE, Rejection, Reply};
use eunoe_types::{Kid, NodeId, limits};

use super::group::{Group, erasure_id, kid, request};

fn is_destroyed(group: &Group, subject: u32) -> bool {
    let state = group.erasure(erasure_id(subject)).state;
    matches!(state, ErasureState::Destroyed { .. })
}

/// Everyone but `but` says that it holds none but the current root.
fn attest_all_but(group: &mut Group, nodes: std::ops::RangeInclusive<u64>, but: u64) {
    let epoch = group.epoch().epoch;
    for node in nodes.filter(|node| *node != but) {
        assert_eq!(group.attest(node, epoch), Reply::Done);
    }
}

#[test]
fn a_node_that_joins_during_an_attempt_counts_with_the_root_that_it_gets_meanwhile() {
    let mut group = Group::with_subjects(1);
    group.grant_all();
    group.admit(4);
    group.propose(&request(erasure_id(0), kid(0), 1, false));
    assert_eq!(group.begin_for(1..=4, vec![kid(0)], Vec::new()), Reply::Done);
    assert_eq!(group.grant(4), Reply::Done);
    group.switch();
    attest_all_but(&mut group, 1..=4, 4);
    assert_eq!(group.missing(erasure_id(0)), [NodeId(4)]);
    attest_all_but(&mut group, 4..=4, 0);
    assert!(is_destroyed(&group, 0));
}

#[test]
fn the_root_of_an_attempt_that_was_given_up_counts_until_its_node_speaks() {
    let mut group = Group::with_subjects(2);
    group.grant_all();
    group.admit(4);
    group.propose(&request(erasure_id(0), kid(0), 1, false));
    // The fourth node's disk keeps a root that leads to the second subject.
    assert_eq!(group.begin_for(1..=4, vec![kid(0)], Vec::new()), Reply::Done);
    assert_eq!(group.propose(&Command::AbortEpoch { attempt: 1 }), Reply::Done);
    group.propose(&request(erasure_id(1), kid(1), 1, false));
    assert_eq!(group.begin(vec![kid(0), kid(1)], Vec::new()), Reply::Done);
    group.switch();
    attest_all_but(&mut group, 1..=4, 4);
    assert_eq!(group.missing(erasure_id(1)), [NodeId(4)]);
    attest_all_but(&mut group, 4..=4, 0);
    assert!(is_destroyed(&group, 0) && is_destroyed(&group, 1));
}

#[test]
fn a_node_that_holds_none_for_good_blocks_nothing_and_is_given_none() {
    let mut group = Group::with_subjects(2);
    group.grant_all();
    group.propose(&request(erasure_id(0), kid(0), 1, false));
    assert_eq!(group.begin(vec![kid(0)], Vec::new()), Reply::Done);
    group.switch();
    attest_all_but(&mut group, 1..=3, 3);
    assert_eq!(group.missing(erasure_id(0)), [NodeId(3)]);
    assert_eq!(
        group.attest(9, HOLDS_NONE),
        Reply::Rejected(Rejection::NoSuchNode)
    );
    assert_eq!(group.attest(3, HOLDS_NONE), Reply::Done);
    assert!(is_destroyed(&group, 0));

    let refused = Reply::Rejected(Rejection::NoSuchNode);
    assert_eq!(group.grant(3), refused);
    assert_eq!(group.begin(Vec::new(), Vec::new()), refused);
    assert_eq!(
        group.attest(3, 1),
        Reply::Done,
        "a late word about one epoch takes nothing back"
    );
    assert_eq!(group.propose(&Command::RemoveNode(NodeId(3))), Reply::Done);
    group.propose(&request(erasure_id(1), kid(1), 1, false));
    assert_eq!(group.begin_for(1..=2, vec![kid(1)], Vec::new()), Reply::Done);
    group.switch();
    attest_all_but(&mut group, 1..=2, 0);
    assert!(
        is_destroyed(&group, 1),
        "a node that was removed in order is waited for"
    );
    let last = control::event_count(&group.rows).expect("reads") - 1;
    let events = (0..=last).map(|index| {
        control::event(&group.rows, index)
            .expect("reads")
            .expect("is there")
    });
    let retired = events.filter(|event| event.ends_with(b"\"node\":3,\"t\":\"eunoe/holder-retired@v1\"}"));
    assert_eq!(retired.count(), 1, "the transparency log says it once");
}

#[test]
fn a_node_that_was_removed_without_its_word_is_named_for_good() {
    let mut group = Group::with_subjects(1);
    group.grant_all();
    assert_eq!(group.propose(&Command::RemoveNode(NodeId(3))), Reply::Done);
    group.propose(&request(erasure_id(0), kid(0), 1, false));
    assert_eq!(group.begin_for(1..=2, vec![kid(0)], Vec::new()), Reply::Done);
    group.switch();
    attest_all_but(&mut group, 1..=2, 0);
    assert_eq!(group.missing(erasure_id(0)), [NodeId(3)]);
}

#[test]
fn what_one_attestation_leaves_is_due_until_a_repetition_took_it() {
    let count = limits::EPOCH_ERASURES_MAX as u32 + 100;
    let mut group = Group::with_subjects(count);
    let is_due = |group: &Group| control::destruction_is_due(&group.rows).expect("reads");
    group.grant_all();
    for subject in 0..count {
        group.propose(&request(erasure_id(subject), kid(subject), 1, false));
    }
    let keys: Vec<Kid> = (0..count).map(kid).collect();
    for some in keys.chunks(limits::EPOCH_ERASURES_MAX) {
        assert_eq!(group.begin(some.to_vec(), Vec::new()), Reply::Done);
        group.switch();
    }
    attest_all_but(&mut group, 1..=3, 3);
    assert!(!is_due(&group), "a node has not spoken");
    assert_eq!(group.attest(3, 2), Reply::Done);
    assert!(is_due(&group));
    assert_eq!(group.attest(1, 2), Reply::Done, "any node's repetition will do");
    assert!(!is_due(&group));
    assert!((0..count).all(|subject| is_destroyed(&group, subject)));
}
