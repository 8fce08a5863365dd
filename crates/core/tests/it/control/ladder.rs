//! Single ways along the ladder of an erasure, larger and more particular than what histories meet by chance.

use eunoe_core::control::{
    self, BeginEpoch, Command, EpochRowOf, ErasureState, KeyOutcome, KeyState, Page, PageName, Rejection,
    Reply, RequestErasure,
};
use eunoe_types::{Kid, NodeId, RequestMac, TimeMs, limits};

use super::group::{BOOT, Group, PAGE, ROOT, TENANT, among, begun, erasure_id, kid, known, request, row};

#[test]
fn a_tenants_keys_are_fenced_some_at_a_time_and_die_together() {
    let children = 2 * limits::EXPAND_KEYS_MAX as u32 + 100;
    let mut group = Group::with_subjects(children);
    let id = erasure_id(0);
    assert_eq!(group.propose(&request(id, TENANT, 1, false)), begun(id));
    let fenced = |group: &Group| {
        control::fenced(&group.rows, None, usize::MAX)
            .expect("reads")
            .len()
    };
    assert_eq!(
        fenced(&group),
        1 + limits::EXPAND_KEYS_MAX,
        "most people have fewer"
    );
    assert_eq!(control::expanding(&group.rows).expect("reads"), Some(id));
    assert_eq!(
        group.create(kid(9_999), Some(TENANT), Vec::new()),
        KeyOutcome::ParentErased,
        "no child comes while the others are fenced"
    );
    assert_eq!(
        group.begin(vec![TENANT], Vec::new()),
        Reply::Rejected(Rejection::KeyNotFenced),
        "an epoch before all its keys are known would end the erasure too early"
    );
    while control::expanding(&group.rows).expect("reads").is_some() {
        let before = fenced(&group);
        assert_eq!(group.propose(&Command::ExpandErasure(id)), Reply::Done);
        assert!(fenced(&group) - before <= limits::EXPAND_KEYS_MAX);
    }
    assert_eq!(
        group.propose(&Command::ExpandErasure(id)),
        Reply::Rejected(Rejection::NothingToExpand)
    );
    let all = u64::from(children) + 1;
    assert_eq!((group.erasure(id).keys, group.erasure(id).left), (all, all));

    // More keys than one epoch takes: the erasure is through with the last of them.
    let keys: Vec<Kid> = control::fenced(&group.rows, None, usize::MAX)
        .expect("reads")
        .into_iter()
        .map(|key| key.kid)
        .collect();
    let (first, second) = keys.split_at(limits::EPOCH_ERASURES_MAX);
    assert_eq!(group.begin(first.to_vec(), Vec::new()), Reply::Done);
    group.switch();
    assert_eq!(group.erasure(id).state, ErasureState::Fenced);
    assert_eq!(group.begin(second.to_vec(), Vec::new()), Reply::Done);
    group.switch();
    assert_eq!(
        group.erasure(id).state,
        ErasureState::Rekeyed {
            epoch: 1,
            time: TimeMs(5)
        }
    );
    assert!(
        keys.iter()
            .all(|kid| matches!(group.state(*kid), KeyState::Erased { .. }))
    );
}

#[test]
fn fenced_keys_are_read_page_by_page_without_a_gap() {
    let mut group = Group::with_subjects(10);
    for subject in 0..10 {
        group.propose(&request(erasure_id(subject), kid(9 - subject), 1, false));
    }
    let all = control::fenced(&group.rows, None, usize::MAX).expect("reads");
    assert_eq!(all.len(), 10);
    assert!(
        all.is_sorted_by_key(|key| key.index),
        "in the order of their fences"
    );
    let mut pages = Vec::new();
    loop {
        let page = control::fenced(&group.rows, pages.last(), 3).expect("reads");
        if page.is_empty() {
            break;
        }
        pages.extend(page);
    }
    assert_eq!(pages, all);
    let erasures = control::erasures_of(&group.rows, &TENANT, None, 4).expect("reads");
    let numbers: Vec<u64> = erasures.iter().map(|(_, row)| row.number).collect();
    assert_eq!(numbers, [9, 8, 7, 6], "a tenant's erasures, newest first");
    let erasures = control::erasures_of(&group.rows, &TENANT, Some(2), 4).expect("reads");
    assert_eq!(
        erasures.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        [erasure_id(1), erasure_id(0)]
    );
}

#[test]
fn what_takes_two_people_is_fenced_by_the_second_only() {
    let mut group = Group::with_subjects(2);
    let id = erasure_id(1);
    assert_eq!(group.propose(&request(id, kid(0), 1, true)), begun(id));
    assert_eq!(group.propose(&request(id, kid(0), 1, true)), known(id));
    assert_eq!(
        (group.erasure(id).state, group.state(kid(0))),
        (ErasureState::Requested, KeyState::Active)
    );
    let Command::RequestErasure(other) = request(id, kid(0), 3, true) else {
        panic!("a request")
    };
    let other_body = Command::RequestErasure(RequestErasure {
        mac: RequestMac([6; 8]),
        ..other
    });
    assert_eq!(
        group.propose(&other_body),
        Reply::Rejected(Rejection::RequestIdReused)
    );
    assert_eq!(group.propose(&request(id, kid(0), 3, true)), known(id));
    assert_eq!(group.erasure(id).state, ErasureState::Fenced);
    assert!(matches!(group.state(kid(0)), KeyState::Fenced { erasure, .. } if erasure == id));
}

#[test]
fn a_certificate_and_a_token_are_never_two_people() {
    for (first, second) in [(false, true), (true, false)] {
        let mut group = Group::with_subjects(1);
        let id = erasure_id(1);
        let ask = |person: u8, by_token: bool| {
            let Command::RequestErasure(request) = request(id, kid(0), person, true) else {
                panic!("a request")
            };
            Command::RequestErasure(RequestErasure {
                requester: control::requester(request.requester, by_token),
                ..request
            })
        };
        assert_eq!(group.propose(&ask(10, first)), begun(id));
        for person in [10, 11, 12, 13] {
            assert_eq!(group.propose(&ask(person, second)), known(id));
            assert_eq!(group.erasure(id).state, ErasureState::Requested);
        }
        assert_eq!(group.propose(&ask(12, first)), known(id));
        assert_eq!(group.erasure(id).state, ErasureState::Fenced);
    }
}

#[test]
fn the_second_person_learns_that_another_erasure_took_the_target() {
    let mut group = Group::with_subjects(1);
    let (waiting, quick) = (erasure_id(1), erasure_id(2));
    assert_eq!(group.propose(&request(waiting, kid(0), 1, true)), begun(waiting));
    assert_eq!(group.propose(&request(quick, kid(0), 1, false)), begun(quick));
    assert_eq!(group.propose(&request(waiting, kid(0), 3, true)), known(quick));
    assert_eq!(group.begin(vec![kid(0)], Vec::new()), Reply::Done);
    group.switch();
    for id in [waiting, erasure_id(3)] {
        let answer = group.propose(&request(id, kid(0), 3, true));
        assert_eq!(answer, Reply::Rejected(Rejection::KeyErased));
    }
}

#[test]
fn a_key_or_page_named_twice_is_left_out_and_replaced_once() {
    let mut group = Group::with_subjects(1);
    let survivor = Kid([0x77; 16]);
    group.create(survivor, Some(TENANT), vec![row(2, 5, 0, b"sealed")]);
    group.propose(&request(erasure_id(1), kid(0), 1, false));
    assert_eq!(group.begin(vec![kid(0); 2], vec![(2, 5); 2]), Reply::Done);
    let staged = EpochRowOf {
        tree: 2,
        page: 5,
        tag: [8; 16],
        sealed: b"sealed anew",
    };
    assert_eq!(group.chunk(Vec::new(), vec![staged]), Reply::Done);
    group.switch();
    for _ in 0..5 {
        assert_eq!(group.propose(&Command::Sweep), Reply::Done);
    }
    assert!(!control::sweep_is_due(&group.rows).expect("reads"));
    let kept = control::leaf_row(&group.rows, 2, 5, &[8; 16]).expect("reads");
    assert_eq!(
        kept.as_deref(),
        Some(&b"sealed anew"[..]),
        "the present generation was swept away"
    );
    assert_eq!(group.erasure(erasure_id(1)).left, 0);
}

#[test]
fn what_an_attempt_or_a_genesis_left_staged_never_comes_back() {
    let mut group = Group::with_subjects(0);
    let page = |index, sealed| Page {
        name: PageName { index, ..PAGE },
        sealed,
    };
    // The genesis, too, was attempt 1.
    assert_eq!(group.begin(Vec::new(), Vec::new()), Reply::Done);
    group.switch();
    assert_eq!(control::page(&group.rows, PAGE).expect("reads"), None);
    assert_eq!(group.begin(Vec::new(), vec![(2, 5)]), Reply::Done);
    assert_eq!(
        group.chunk(vec![page(4, &b"given up"[..])], Vec::new()),
        Reply::Done
    );
    assert_eq!(group.begin(Vec::new(), Vec::new()), Reply::Done);
    assert_eq!(group.chunk(vec![page(5, &b"taken"[..])], Vec::new()), Reply::Done);
    group.switch();
    let stored = |index| control::page(&group.rows, PageName { index, ..PAGE }).expect("reads");
    assert_eq!((stored(3), stored(4)), (None, None));
    assert_eq!(stored(5).as_deref(), Some(&b"taken"[..]));
}

#[test]
fn a_switch_takes_every_page_of_a_large_epoch() {
    let mut group = Group::with_subjects(0);
    assert_eq!(group.begin(Vec::new(), Vec::new()), Reply::Done);
    let names = (0..5_000).map(|index| PageName { index, ..PAGE });
    let pages: Vec<Page<'_>> = names.map(|name| Page { name, sealed: b"new" }).collect();
    for chunk in pages.chunks(1_000) {
        assert_eq!(group.chunk(chunk.to_vec(), Vec::new()), Reply::Done);
    }
    group.switch();
    for page in pages {
        let stored = control::page(&group.rows, page.name).expect("reads");
        assert_eq!(
            stored.as_deref(),
            Some(&b"new"[..]),
            "{:?} did not come",
            page.name
        );
    }
}

#[test]
fn a_switch_needs_what_was_staged_kept_and_looked_at() {
    let mut group = Group::with_subjects(0);
    let switched = |group: &mut Group| {
        let digest = group.digest();
        group.switch_to(digest)
    };
    assert_eq!(switched(&mut group), Reply::Rejected(Rejection::WrongAttempt));
    assert_eq!(group.begin(Vec::new(), Vec::new()), Reply::Done);
    assert_eq!(group.chunk(Vec::new(), Vec::new()), Reply::Done);
    assert_eq!(group.switch_to([0; 32]), Reply::Rejected(Rejection::WrongDigest));
    let too_few = Reply::Rejected(Rejection::TooFewHolders);
    assert_eq!(switched(&mut group), too_few, "nobody is known to keep a share");
    assert_eq!(group.share(&[1, 3]), Reply::Done);
    for _ in 0..2 {
        assert_eq!(switched(&mut group), Reply::Rejected(Rejection::NotVerified));
        // The same node twice is one.
        assert_eq!(group.verify(2), Reply::Done);
    }
    assert_eq!(switched(&mut group), Reply::Rejected(Rejection::NotVerified));
    assert_eq!(group.verify(1), Reply::Done);
    assert_eq!(group.propose(&Command::RemoveNode(NodeId(3))), Reply::Done);
    assert_eq!(switched(&mut group), too_few, "a removed node counts as a holder");
    assert_eq!(group.begin_for(1..=2, Vec::new(), Vec::new()), Reply::Done);
    group.switch();
    assert_eq!((group.epoch().epoch, group.epoch().root_commit), (1, ROOT));
}

#[test]
fn a_root_is_announced_only_to_nodes_of_the_cluster() {
    let mut group = Group::with_subjects(0);
    assert_eq!(group.propose(&Command::RemoveNode(NodeId(3))), Reply::Done);
    let before = control::holders(&group.rows).expect("reads");
    for node in [3, 4] {
        let answer = group.propose(&Command::BeginEpoch(BeginEpoch {
            epoch: 1,
            attempt: 1,
            keys: Vec::new(),
            pages: Vec::new(),
            recipients: vec![(NodeId(1), BOOT), (NodeId(node), BOOT)],
            sharing: among([1]),
        }));
        assert_eq!(answer, Reply::Rejected(Rejection::NoSuchNode));
    }
    assert_eq!(control::holders(&group.rows).expect("reads"), before);
}

#[test]
fn an_erasure_is_destroyed_by_the_last_nodes_word_about_the_past() {
    let mut group = Group::with_subjects(1);
    group.grant_all();
    let id = erasure_id(1);
    group.propose(&request(id, kid(0), 1, false));
    assert_eq!(group.begin(vec![kid(0)], Vec::new()), Reply::Done);
    assert_eq!(
        group.attest(1, 1),
        Reply::Rejected(Rejection::WrongEpoch),
        "a root that does not count yet"
    );
    group.switch();
    assert_eq!(group.attest(9, 1), Reply::Rejected(Rejection::NoSuchNode));
    assert_eq!(group.attest(1, 0), Reply::Done, "which says nothing");
    let missing = |group: &Group| control::missing_holders(&group.rows, &group.erasure(id)).expect("reads");
    assert_eq!(missing(&group), [NodeId(1), NodeId(2), NodeId(3)]);
    for node in [1, 3] {
        assert_eq!(group.attest(node, 1), Reply::Done);
        assert!(matches!(group.erasure(id).state, ErasureState::Rekeyed { .. }));
    }
    assert_eq!(missing(&group), [NodeId(2)]);
    assert_eq!(group.propose(&Command::RemoveNode(NodeId(2))), Reply::Done);
    assert_eq!(
        missing(&group),
        [NodeId(2)],
        "a removed node may hold a root still"
    );
    assert_eq!(group.attest(2, 1), Reply::Done);
    let destroyed = ErasureState::Destroyed {
        epoch: 0,
        rekeyed: TimeMs(5),
        time: TimeMs(6),
        full: Some(TimeMs(6)),
    };
    assert_eq!(group.erasure(id).state, destroyed);
    assert!(missing(&group).is_empty());
}

#[test]
fn an_attestation_that_comes_again_takes_the_erasures_that_were_too_many_before() {
    let many = limits::EPOCH_ERASURES_MAX as u32 + 20;
    let mut group = Group::with_subjects(many);
    group.grant_all();
    for subject in 0..many {
        group.propose(&request(erasure_id(subject), kid(subject), 1, false));
    }
    let all: Vec<Kid> = (0..many).map(kid).collect();
    for keys in all.chunks(limits::EPOCH_ERASURES_MAX) {
        assert_eq!(group.begin(keys.to_vec(), Vec::new()), Reply::Done);
        group.switch();
    }
    for node in 1..=3 {
        assert_eq!(group.attest(node, 2), Reply::Done);
    }
    let open = |group: &Group| {
        let states = (0..many).map(|subject| group.erasure(erasure_id(subject)).state);
        states
            .filter(|state| matches!(state, ErasureState::Rekeyed { .. }))
            .count()
    };
    assert_eq!(open(&group), 20);
    assert_eq!(group.attest(3, 2), Reply::Done);
    assert_eq!(open(&group), 0);
}

#[test]
fn a_key_is_filed_only_where_nothing_is_and_only_in_the_epoch_that_it_was_made_in() {
    let mut group = Group::with_subjects(0);
    assert_eq!(
        group.create(kid(1), None, vec![row(1, 5, 0, b"first")]),
        KeyOutcome::Created
    );
    assert_eq!(
        group.create(kid(2), None, vec![row(1, 5, 0, b"second")]),
        KeyOutcome::Exists
    );
    let stored = control::leaf_row(&group.rows, 1, 5, &[8; 16]).expect("reads");
    assert_eq!(stored.as_deref(), Some(&b"first"[..]));

    assert_eq!(group.begin(Vec::new(), Vec::new()), Reply::Done);
    group.switch();
    for (epoch, outcome) in [
        (0, KeyOutcome::Stale),
        (2, KeyOutcome::Stale),
        (1, KeyOutcome::Created),
    ] {
        assert_eq!(group.create_of(epoch, kid(3), None, Vec::new()), outcome);
    }
}

#[test]
fn a_key_on_a_frozen_page_waits_for_the_end_of_the_attempt() {
    let mut group = Group::with_subjects(0);
    assert_eq!(group.begin(Vec::new(), vec![(2, 5)]), Reply::Done);
    assert_eq!(
        group.create(kid(1), None, vec![row(2, 5, 0, b"row")]),
        KeyOutcome::Frozen
    );
    assert_eq!(
        group.create(kid(2), None, vec![row(2, 6, 0, b"row")]),
        KeyOutcome::Created
    );
    group.switch();
    assert_eq!(
        group.create(kid(1), None, vec![row(2, 5, 0, b"row")]),
        KeyOutcome::Stale
    );
    assert_eq!(
        group.create(kid(1), None, vec![row(2, 5, 1, b"row")]),
        KeyOutcome::Created
    );
    assert_eq!(group.begin(Vec::new(), vec![(2, 5)]), Reply::Done);
    assert_eq!(group.propose(&Command::AbortEpoch { attempt: 2 }), Reply::Done);
    assert_eq!(
        group.create(kid(3), None, vec![row(2, 5, 1, b"row")]),
        KeyOutcome::Exists
    );
    let rows = control::leaf_rows(&group.rows, (2, 5, 1), None, 9).expect("reads");
    assert_eq!(rows, [([8; 16], b"row".to_vec())]);
    assert!(
        control::leaf_rows(&group.rows, (2, 5, 1), Some(&[8; 16]), 9)
            .expect("reads")
            .is_empty()
    );
}
