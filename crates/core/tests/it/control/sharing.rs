//! How roots are shared: which ways are refused, what must be known before one counts, and what takes that back.

use eunoe_core::control::{self, Command, MadeRoot, Rejection, Reply, Sharing};
use eunoe_types::NodeId;

use super::group::{Group, ROOT, among, made};

fn bad() -> Reply {
    Reply::Rejected(Rejection::BadSharing)
}

/// An attempt whose root 1, 2 and 3 share.
fn begun() -> Group {
    let mut group = Group::with_subjects(0);
    assert_eq!(group.begin(Vec::new(), Vec::new()), Reply::Done);
    group
}

#[test]
fn holders_are_distinct_and_in_order_and_more_than_half_of_them_are_needed() {
    let mut group = Group::with_subjects(0);
    for node in 4..=9 {
        group.admit(node);
    }
    let unsound: &[(&[u64], u8)] = &[
        (&[], 0),
        (&[], 1),
        (&[1], 0),
        (&[1], 2),
        (&[1, 1], 2),
        (&[2, 1], 2),
        (&[1, 2], 1),
        (&[1, 2, 3], 1),
        (&[1, 2, 3], 4),
        (&[1, 2, 2, 3], 3),
        (&[1, 2, 3, 4], 2),
    ];
    for (holders, threshold) in unsound {
        let sharing = Sharing {
            holders: holders.iter().map(|node| NodeId(*node)).collect(),
            threshold: *threshold,
        };
        let (rows, answer) = (
            group.rows.clone(),
            group.begin_shared(sharing, Vec::new(), Vec::new()),
        );
        assert_eq!(
            (answer, &group.rows),
            (bad(), &rows),
            "{threshold} of {holders:?}"
        );
    }
    for (holders, threshold) in [(1, 1), (2, 2), (3, 3), (4, 3), (5, 3), (8, 5)] {
        let sharing = Sharing {
            threshold,
            ..among(1..=holders)
        };
        let answer = group.begin_shared(sharing, Vec::new(), Vec::new());
        assert_eq!(answer, Reply::Done, "{threshold} of {holders}");
        group.switch();
    }
}

#[test]
fn a_root_is_shared_only_with_nodes_that_it_is_announced_for() {
    let mut group = Group::with_subjects(0);
    let answer = group.propose(&Command::BeginEpoch(control::BeginEpoch {
        epoch: 1,
        attempt: 1,
        keys: Vec::new(),
        pages: Vec::new(),
        recipients: vec![(NodeId(1), super::group::BOOT)],
        sharing: among(1..=2),
    }));
    assert_eq!(answer, bad());
}

#[test]
fn what_is_said_of_a_root_fits_how_it_is_shared() {
    let mut group = begun();
    let right = made(&among(1..=3), ROOT);
    let rows = group.rows.clone();
    for count in [0, 1, 2, 4, 70] {
        let sub_keys = vec![[8; 32]; count];
        let answer = group.share_as(MadeRoot {
            sub_keys,
            ..right.clone()
        });
        assert_eq!(answer, bad(), "{count} sub-keys");
    }
    for kept in [&[1, 1][..], &[2, 1], &[1, 2, 3, 4], &[1, 4]] {
        assert_eq!(group.share(kept), bad(), "{kept:?}");
    }
    for kept in [&[][..], &[1], &[3]] {
        let answer = group.share(kept);
        assert_eq!(answer, Reply::Rejected(Rejection::TooFewHolders), "{kept:?}");
    }
    assert_eq!(group.rows, rows, "nothing came of it");
    for _ in 0..2 {
        assert_eq!(group.share_as(right.clone()), Reply::Done);
    }
    for other in [
        MadeRoot {
            root_commit: [7; 32],
            ..right.clone()
        },
        MadeRoot {
            kept: vec![NodeId(1), NodeId(2)],
            ..right
        },
    ] {
        assert_eq!(group.share_as(other), bad(), "a root is made once");
    }
}

#[test]
fn a_genesis_is_shared_among_its_own_nodes_and_kept_by_all() {
    use eunoe_core::control::{ControlMachine, Genesis};
    use eunoe_core::placement::Policy;

    use super::group::{BEGUN, genesis_of, node};
    use crate::support::{Rows, run};

    type Change = fn(&mut Genesis);

    let right = genesis_of((1..=3).map(node).collect(), Policy::Eu27, BEGUN);
    let apply = |genesis: &Genesis| {
        let mut rows = Rows::default();
        let command = Command::Genesis(genesis.clone()).encode();
        let answer = run(&ControlMachine, &mut rows, &[command], 1).remove(0);
        (Reply::decode(&answer.reply).expect("a reply decodes"), rows)
    };
    let unsound = |change: Change| {
        let mut genesis = right.clone();
        change(&mut genesis);
        apply(&genesis)
    };
    let cases: [(Change, Rejection); 6] = [
        (|genesis| genesis.sharing.threshold = 1, Rejection::BadSharing),
        (|genesis| genesis.made.sub_keys.truncate(2), Rejection::BadSharing),
        (
            |genesis| genesis.made.kept = vec![NodeId(1), NodeId(2)],
            Rejection::BadSharing,
        ),
        (|genesis| genesis.founder.0 = NodeId(4), Rejection::NoSuchNode),
        (|genesis| genesis.nodes.truncate(2), Rejection::NoSuchNode),
        (|genesis| genesis.nodes.clear(), Rejection::NoSuchNode),
    ];
    for (number, (change, rejection)) in cases.into_iter().enumerate() {
        let (reply, rows) = unsound(change);
        assert_eq!(reply, Reply::Rejected(rejection), "case {number}");
        assert_eq!(rows, Rows::default());
    }
    let (reply, rows) = apply(&right);
    assert_eq!(reply, Reply::Done);
    let held = control::holders(&rows).expect("reads");
    let held: Vec<_> = held
        .iter()
        .map(|(node, row)| (node.0, row.share, row.memory))
        .collect();
    let none = control::HOLDS_NONE;
    assert_eq!(held, [(1, 0, 0), (2, 0, none), (3, 0, none)]);
}

#[test]
fn a_holder_says_what_it_looked_at_and_it_is_the_root_and_the_chunks_of_this_attempt() {
    let mut group = begun();
    let wrong = Reply::Rejected(Rejection::WrongDigest);
    assert_eq!(group.verify(1), wrong, "the root is not known yet");
    assert_eq!(group.share(&[1, 2, 3]), Reply::Done);
    assert_eq!(group.verify_as(1, [1; 32], ROOT), wrong);
    assert_eq!(group.verify_as(1, [0; 32], [2; 32]), wrong);
    group.admit(4);
    for node in [4, 9] {
        assert_eq!(group.verify(node), Reply::Rejected(Rejection::NoSuchNode));
    }
    assert_eq!(group.verify(3), Reply::Done);
    assert_eq!(group.propose(&Command::AbortEpoch { attempt: 1 }), Reply::Done);
    assert_eq!(group.verify(3), Reply::Rejected(Rejection::WrongAttempt));
    let made = made(&among(1..=3), ROOT);
    assert_eq!(group.share_as(made), Reply::Rejected(Rejection::WrongAttempt));
}

#[test]
fn a_chunk_that_comes_after_a_verification_voids_it() {
    let mut group = begun();
    assert_eq!(group.share(&[1, 2, 3]), Reply::Done);
    for node in [1, 2] {
        assert_eq!(group.verify(node), Reply::Done);
    }
    assert_eq!(group.chunk(Vec::new(), Vec::new()), Reply::Done);
    let digest = group.digest();
    let not_verified = Reply::Rejected(Rejection::NotVerified);
    assert_eq!(group.switch_to(digest), not_verified);
    assert_eq!(group.verify(1), Reply::Done);
    assert_eq!(
        group.switch_to(digest),
        not_verified,
        "the other one looked at less"
    );
    assert_eq!(group.verify(3), Reply::Done);
    assert_eq!(group.switch_to(digest), Reply::Done);
}

#[test]
fn a_single_holder_verifies_alone() {
    let mut group = Group::with_subjects(0);
    assert_eq!(group.begin_for([2], Vec::new(), Vec::new()), Reply::Done);
    assert_eq!(group.share(&[2]), Reply::Done);
    assert_eq!(group.switch_to([0; 32]), Reply::Rejected(Rejection::NotVerified));
    assert_eq!(group.verify(2), Reply::Done);
    assert_eq!(group.switch_to([0; 32]), Reply::Done);
}

#[test]
fn a_root_is_forgotten_once_nobody_has_a_share_of_it() {
    let mut group = Group::with_subjects(0);
    let roots = |group: &Group| group.rows.0.range(vec![0x36]..vec![0x37]).count();
    assert_eq!(group.begin(Vec::new(), Vec::new()), Reply::Done);
    assert_eq!(group.propose(&Command::AbortEpoch { attempt: 1 }), Reply::Done);
    assert_eq!(group.begin(Vec::new(), Vec::new()), Reply::Done);
    group.switch();
    assert_eq!(roots(&group), 3);
    for node in 1..=2 {
        assert_eq!(group.attest(node, 1), Reply::Done);
        assert_eq!(roots(&group), 3, "a share is left");
    }
    assert_eq!(group.attest(3, 1), Reply::Done);
    assert_eq!(roots(&group), 1, "the current one");
}
