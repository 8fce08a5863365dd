//! Which nodes count as holders of a root, and what their words do.

use eunoe_core::control::{self, Command, ErasureState, HOLDS_NONE, Rejection, Reply, VaultRolledBack};
use eunoe_types::{BootId, Kid, NodeId, TimeMs, limits};

use super::group::{BOOT, Group, TENANT, erasure_id, kid, request};

fn is_destroyed(group: &Group, subject: u32) -> bool {
    let state = group.erasure(erasure_id(subject)).state;
    matches!(state, ErasureState::Destroyed { .. })
}

/// Whether every node, or evidence for it, said so.
fn is_full(group: &Group, subject: u32) -> bool {
    let state = group.erasure(erasure_id(subject)).state;
    matches!(state, ErasureState::Destroyed { full: Some(_), .. })
}

/// The leaves of the transparency log.
fn events(group: &Group) -> Vec<String> {
    let count = control::event_count(&group.rows).expect("reads");
    let event = |index| {
        control::event(&group.rows, index)
            .expect("reads")
            .expect("is there")
    };
    (0..count)
        .map(|index| String::from_utf8(event(index)).expect("ASCII"))
        .collect()
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
    let said = events(&group).into_iter();
    let retired = said
        .filter(|event| event.contains(r#""node":3,"#) && event.contains(r#""t":"eunoe/holder-retired@v1""#));
    assert_eq!(retired.count(), 1, "the transparency log says it once");
}

#[test]
fn a_node_that_was_removed_without_its_word_is_named_until_evidence_speaks_for_it() {
    let mut group = Group::with_subjects(1);
    group.grant_all();
    assert_eq!(
        group.decommission(3),
        Reply::Rejected(Rejection::NodeAdmitted),
        "a node of the cluster speaks for itself"
    );
    assert_eq!(group.decommission(9), Reply::Rejected(Rejection::NoSuchNode));
    assert_eq!(group.propose(&Command::RemoveNode(NodeId(3))), Reply::Done);
    group.propose(&request(erasure_id(0), kid(0), 1, false));
    assert_eq!(group.begin_for(1..=2, vec![kid(0)], Vec::new()), Reply::Done);
    group.switch();
    attest_all_but(&mut group, 1..=2, 0);
    assert_eq!(
        group.missing(erasure_id(0)),
        [NodeId(3)],
        "its memory has the root"
    );
    assert!(!is_destroyed(&group, 0));
    assert_eq!(group.lease_over(3), Reply::Done);
    assert!(is_destroyed(&group, 0) && !is_full(&group, 0));
    assert_eq!(group.missing(erasure_id(0)), [NodeId(3)], "its vault has a share");
    for _ in 0..2 {
        assert_eq!(group.decommission(3), Reply::Done);
    }
    assert!(is_full(&group, 0) && group.missing(erasure_id(0)).is_empty());
    let said = events(&group).into_iter();
    assert_eq!(
        said.filter(|event| event.contains("eunoe/decommissioned@v1"))
            .count(),
        1,
        "the transparency log says it once"
    );
}

/// The prefix-closed rule: holders of an older root, since replaced, still rebuild that one, and it leads to the key too.
#[test]
fn e29_holders_that_went_silent_and_were_replaced_keep_it_rekeyed_until_they_attest_or_are_decommissioned() {
    for by_word in [true, false] {
        let mut group = Group::with_subjects(1);
        for node in 4..=5 {
            group.admit(node);
        }
        // The first root is shared among 1, 2 and 3; of these 2 and 3 fall silent and are replaced.
        assert_eq!(group.begin_for([1, 4, 5], Vec::new(), Vec::new()), Reply::Done);
        group.switch();
        group.propose(&request(erasure_id(0), kid(0), 1, false));
        assert_eq!(group.begin_for([1, 4, 5], vec![kid(0)], Vec::new()), Reply::Done);
        group.switch();
        // All holders of the last root that led to it speak, and nobody's memory has anything.
        for node in [1, 4, 5] {
            assert_eq!(group.attest(node, 2), Reply::Done);
        }
        assert_eq!(group.missing(erasure_id(0)), [NodeId(2), NodeId(3)]);
        assert!(!is_destroyed(&group, 0));
        for node in [2, 3] {
            assert_eq!(group.propose(&Command::RemoveNode(NodeId(node))), Reply::Done);
        }
        assert!(!is_destroyed(&group, 0), "to be removed is to say nothing");
        let answer = if by_word {
            group.attest(2, 2)
        } else {
            group.decommission(2)
        };
        assert_eq!(answer, Reply::Done);
        assert!(is_destroyed(&group, 0), "one of three has too little");
        assert_eq!(group.missing(erasure_id(0)), [NodeId(3)]);
        assert_eq!(group.decommission(3), Reply::Done);
        assert!(is_full(&group, 0));
    }
}

#[test]
fn e29_holders_of_an_attempt_that_came_to_nothing_keep_it_rekeyed_too() {
    let mut group = Group::with_subjects(1);
    for node in 4..=6 {
        group.admit(node);
    }
    // The shares of a root that never counted are in three vaults that nobody hears of again.
    assert_eq!(group.begin_for(4..=6, Vec::new(), Vec::new()), Reply::Done);
    assert_eq!(group.share(&[4, 5, 6]), Reply::Done);
    assert_eq!(group.propose(&Command::AbortEpoch { attempt: 1 }), Reply::Done);
    group.propose(&request(erasure_id(0), kid(0), 1, false));
    assert_eq!(group.begin(vec![kid(0)], Vec::new()), Reply::Done);
    group.switch();
    attest_all_but(&mut group, 1..=3, 0);
    for node in 4..=6 {
        assert_eq!(group.lease_over(node), Reply::Done);
    }
    assert_eq!(group.missing(erasure_id(0)), [4, 5, 6].map(NodeId));
    assert_eq!(group.attest(5, 1), Reply::Done);
    assert!(!is_destroyed(&group, 0), "two of three rebuild it");
    assert_eq!(group.attest(4, 1), Reply::Done);
    assert!(is_destroyed(&group, 0) && !is_full(&group, 0));
    assert_eq!(group.attest(6, 1), Reply::Done);
    assert!(is_full(&group, 0));
}

#[test]
fn one_silent_node_of_three_keeps_nothing_from_being_destroyed_once_its_lease_is_over() {
    let mut group = Group::with_subjects(1);
    group.grant_all();
    group.propose(&request(erasure_id(0), kid(0), 1, false));
    assert_eq!(group.begin_for(1..=3, vec![kid(0)], Vec::new()), Reply::Done);
    group.switch();
    attest_all_but(&mut group, 1..=3, 3);
    assert_eq!(group.lease_over(3), Reply::Done);
    let state = group.erasure(erasure_id(0)).state;
    assert_eq!(
        state,
        ErasureState::Destroyed {
            epoch: 0,
            rekeyed: TimeMs(5),
            time: TimeMs(7),
            full: None
        }
    );
    // It comes back.
    assert_eq!(group.attest(3, 1), Reply::Done);
    let full = Some(TimeMs(6));
    let time = TimeMs(7);
    let rekeyed = TimeMs(5);
    assert_eq!(
        group.erasure(erasure_id(0)).state,
        ErasureState::Destroyed {
            epoch: 0,
            rekeyed,
            time,
            full
        }
    );
}

#[test]
fn the_end_of_every_lease_says_nothing_of_vaults() {
    let mut group = Group::with_subjects(1);
    group.grant_all();
    group.propose(&request(erasure_id(0), kid(0), 1, false));
    assert_eq!(group.begin(vec![kid(0)], Vec::new()), Reply::Done);
    group.switch();
    for node in 1..=3 {
        assert_eq!(group.lease_over(node), Reply::Done);
    }
    assert!(!is_destroyed(&group, 0));
    assert_eq!(group.missing(erasure_id(0)), [1, 2, 3].map(NodeId));
}

#[test]
fn a_lease_is_over_only_for_the_process_that_was_given_a_root_last_and_for_what_it_had() {
    let mut group = Group::with_subjects(1);
    group.grant_all();
    let later = BootId([0xb1; 16]);
    assert_eq!(group.grant_to(3, later), Reply::Done);
    group.propose(&request(erasure_id(0), kid(0), 1, false));
    assert_eq!(group.begin_for(1..=2, vec![kid(0)], Vec::new()), Reply::Done);
    group.switch();
    attest_all_but(&mut group, 1..=2, 0);
    let unknown = Reply::Rejected(Rejection::NoSuchNode);
    assert_eq!(
        group.lease_over_of(3, BOOT, 1),
        unknown,
        "it started anew, and was given the root again"
    );
    assert_eq!(group.lease_over_of(9, later, 1), unknown);
    assert_eq!(
        group.lease_over_of(3, later, 2),
        Reply::Rejected(Rejection::WrongEpoch),
        "an epoch that has not come"
    );
    assert_eq!(
        group.lease_over_of(3, later, 0),
        Reply::Done,
        "as was said before the switch: nothing follows"
    );
    assert!(!is_destroyed(&group, 0));
    assert_eq!(group.lease_over_of(3, later, 1), Reply::Done);
    assert!(is_destroyed(&group, 0));

    // A root that it is given afterwards counts anew.
    assert_eq!(group.grant_to(3, later), Reply::Done);
    let (_, held) = control::holders(&group.rows).expect("reads")[2];
    assert_eq!((held.memory, held.dark, held.in_memory()), (0, 1, 1));
    group.create(kid(1), Some(TENANT), Vec::new());
    group.propose(&request(erasure_id(1), kid(1), 1, false));
    assert_eq!(group.begin_for(1..=2, vec![kid(1)], Vec::new()), Reply::Done);
    group.switch();
    attest_all_but(&mut group, 1..=2, 0);
    assert_eq!(
        group.lease_over_of(3, later, 1),
        Reply::Done,
        "the end of the lease of before"
    );
    assert!(!is_destroyed(&group, 1));
    assert_eq!(group.missing(erasure_id(1)), [NodeId(3)]);
    assert_eq!(group.lease_over_of(3, later, 2), Reply::Done);
    assert!(is_destroyed(&group, 1));
}

#[test]
fn under_the_seal_nobody_is_given_the_root() {
    let mut group = Group::with_subjects(0);
    for _ in 0..2 {
        assert_eq!(group.propose(&Command::Seal(true)), Reply::Done);
    }
    assert!(control::is_sealed(&group.rows).expect("reads"));
    let before = control::holders(&group.rows).expect("reads");
    assert_eq!(group.grant(2), Reply::Rejected(Rejection::Sealed));
    assert_eq!(control::holders(&group.rows).expect("reads"), before);
    assert_eq!(group.propose(&Command::Seal(false)), Reply::Done);
    assert_eq!(group.grant(2), Reply::Done);
    let said: Vec<String> = events(&group);
    let seals = said
        .iter()
        .filter(|event| event.contains("eunoe/sealed@v1") || event.contains("eunoe/unsealed@v1"));
    assert_eq!(seals.count(), 2, "each change is said once");
}

#[test]
fn a_share_that_came_back_is_told_of_known_holders_only() {
    let mut group = Group::with_subjects(0);
    let report = |node| {
        Command::VaultRolledBack(VaultRolledBack {
            node: NodeId(node),
            boot: BOOT,
            epoch: 0,
            attempt: 1,
        })
    };
    let before = group.rows.clone();
    assert_eq!(group.propose(&report(9)), Reply::Rejected(Rejection::NoSuchNode));
    assert_eq!(group.rows, before);
    assert_eq!(group.propose(&report(2)), Reply::Done);
    let last = events(&group).pop().expect("there is one");
    assert!(
        last.contains(r#""node":2,"t":"eunoe/vault-rollback-detected@v1""#),
        "{last}"
    );
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

#[test]
fn a_node_that_is_leaving_has_the_root_and_gets_no_share_of_a_new_one_unless_it_stays() {
    let mut group = Group::with_subjects(1);
    group.grant_all();
    // It was given a share of an attempt that is under way: that one does not count on it any more.
    assert_eq!(group.begin(Vec::new(), Vec::new()), Reply::Done);
    assert_eq!(group.share(&[2, 3]), Reply::Done);
    for node in [2, 3] {
        assert_eq!(group.verify(node), Reply::Done);
    }
    let leave = Command::LetLeave(NodeId(3));
    for _ in 0..2 {
        assert_eq!(group.propose(&leave), Reply::Done);
    }
    let digest = group.digest();
    assert_eq!(group.switch_to(digest), Reply::Rejected(Rejection::TooFewHolders));

    let refused = Reply::Rejected(Rejection::NoSuchNode);
    assert_eq!(group.begin_for(1..=3, Vec::new(), Vec::new()), refused);
    assert_eq!(group.begin_for(1..=2, Vec::new(), Vec::new()), Reply::Done);
    assert_eq!(group.grant(3), Reply::Done, "it serves until it is gone");
    group.admit(3);
    assert_eq!(group.begin_for(1..=3, Vec::new(), Vec::new()), Reply::Done);

    assert_eq!(group.propose(&leave), Reply::Done);
    assert_eq!(group.propose(&Command::RemoveNode(NodeId(3))), Reply::Done);
    assert_eq!(group.propose(&leave), Reply::Done, "it is gone already");
    assert_eq!(group.grant(3), refused);
    let (time, node) = (TimeMs(3), super::group::node(3));
    assert_eq!(
        group.propose(&Command::AdmitNode { time, node }),
        Reply::Rejected(Rejection::NodeIdUsed)
    );
    let said = events(&group).into_iter();
    let leaving = said.filter(|event| event.contains("node-leaving")).count();
    assert_eq!(leaving, 2, "the transparency log says it each time");
    assert_eq!(
        group.propose(&Command::LetLeave(NodeId(9))),
        Reply::Rejected(Rejection::NoSuchNode)
    );
}
