//! Erasures that are taken back.

use eunoe_core::control::{
    self, Command, ErasureState, KeyOutcome, KeyState, Rejection, Reply, RequestErasure, Stage,
};
use eunoe_types::{Kid, RequestMac, TimeMs, limits};

use super::group::{CANCELLED, Group, TENANT, begun, erasure_id, kid, known, request, row};

const TOO_LATE: Reply = Reply::Rejected(Rejection::TooLate);

fn cancelled() -> ErasureState {
    ErasureState::Cancelled {
        time: CANCELLED,
        by: RequestMac([3; 8]),
    }
}

fn cancelling() -> ErasureState {
    ErasureState::Cancelling {
        time: CANCELLED,
        by: RequestMac([3; 8]),
    }
}

fn fenced(group: &Group) -> Vec<Kid> {
    let keys = control::fenced(&group.rows, None, usize::MAX).expect("reads");
    keys.into_iter().map(|key| key.kid).collect()
}

/// Does what an erasure, or its end, still needs.
fn finish(group: &mut Group) {
    while let Some(id) = control::expanding(&group.rows).expect("reads") {
        assert_eq!(group.propose(&Command::ExpandErasure(id)), Reply::Done);
    }
}

#[test]
fn an_erasure_that_is_taken_back_leaves_its_keys_in_use_and_a_leaf() {
    let mut group = Group::with_subjects(2);
    assert_eq!(
        group.create(kid(7), Some(kid(0)), Vec::new()),
        KeyOutcome::Created
    );
    let id = erasure_id(0);
    group.propose(&request(id, kid(0), 1, false));
    assert_eq!(fenced(&group).len(), 2, "the person and what is below");
    assert_eq!(
        group.create(kid(8), Some(kid(0)), Vec::new()),
        KeyOutcome::ParentErased
    );
    assert_eq!(group.cancel(id), Reply::Done);
    assert_eq!(group.erasure(id).state, cancelled());
    assert_eq!((group.erasure(id).keys, group.erasure(id).left), (2, 0));
    for kid in [kid(0), kid(7)] {
        assert_eq!(group.state(kid), KeyState::Active);
    }
    assert!(fenced(&group).is_empty());
    assert_eq!(
        group.create(kid(8), Some(kid(0)), Vec::new()),
        KeyOutcome::Created
    );
    let leaves = control::event_count(&group.rows).expect("decodes");
    let cancels = (0..leaves).filter(|index| {
        let leaf = control::event(&group.rows, *index)
            .expect("reads")
            .expect("is there");
        String::from_utf8(leaf)
            .expect("ASCII")
            .contains("eunoe/erase-cancelled@v1")
    });
    assert_eq!(cancels.count(), 1);

    // Again, and for good: the id stays that of what was taken back.
    assert_eq!(group.cancel(id), Reply::Done);
    assert_eq!(control::event_count(&group.rows).expect("decodes"), leaves);
    assert_eq!(group.propose(&request(id, kid(0), 1, false)), known(id));
    assert_eq!(group.state(kid(0)), KeyState::Active);
    let second = erasure_id(1);
    assert_eq!(group.propose(&request(second, kid(0), 1, false)), begun(second));
    assert_eq!(fenced(&group).len(), 3);
    assert_eq!(
        group.cancel(erasure_id(9)),
        Reply::Rejected(Rejection::NoSuchErasure)
    );
}

#[test]
fn a_request_that_waits_for_a_second_person_is_taken_back_for_good() {
    let mut group = Group::with_subjects(1);
    let id = erasure_id(0);
    group.propose(&request(id, TENANT, 1, true));
    assert_eq!(group.cancel(id), Reply::Done);
    assert_eq!(group.erasure(id).state, cancelled());
    assert_eq!(group.propose(&request(id, TENANT, 2, true)), known(id));
    assert_eq!(group.state(TENANT), KeyState::Active);
    assert!(fenced(&group).is_empty());
}

#[test]
fn the_keys_of_a_tenant_come_back_some_at_a_time() {
    let children = 2 * limits::EXPAND_KEYS_MAX as u32 + 100;
    let mut group = Group::with_subjects(children);
    let id = erasure_id(0);
    group.propose(&request(id, TENANT, 1, false));
    finish(&mut group);
    let all = fenced(&group).len();
    assert_eq!(group.cancel(id), Reply::Done);
    assert_eq!(group.erasure(id).state, cancelling());
    assert_eq!(group.state(TENANT), KeyState::Active, "its target comes first");
    let back = control::returned(&group.rows).expect("decodes");
    assert_eq!((back.number, back.kids.len()), (1, all - fenced(&group).len()));
    assert!(back.kids.len() <= limits::EXPAND_KEYS_MAX + 1);
    let left = fenced(&group);
    assert_eq!(
        group.begin(left[..1].to_vec(), Vec::new()),
        Reply::Rejected(Rejection::KeyNotFenced),
        "nothing of it is erased any more"
    );
    assert_eq!(
        control::under_way(&group.rows, Stage::Returning, None, 9).expect("reads"),
        [(group.erasure(id).fenced.1, id)]
    );
    assert_eq!(control::expanding(&group.rows).expect("reads"), Some(id));
    finish(&mut group);
    assert_eq!(group.erasure(id).state, cancelled());
    assert!(fenced(&group).is_empty());
    assert_eq!(
        group.propose(&Command::ExpandErasure(id)),
        Reply::Rejected(Rejection::NothingToExpand)
    );
}

#[test]
fn what_is_taken_back_while_it_is_being_fenced_comes_back_whole() {
    let mut group = Group::with_subjects(2 * limits::EXPAND_KEYS_MAX as u32);
    let id = erasure_id(0);
    group.propose(&request(id, TENANT, 1, false));
    assert!(group.erasure(id).expanding > 0);
    assert_eq!(group.cancel(id), Reply::Done);
    finish(&mut group);
    assert_eq!(
        (group.erasure(id).state, group.erasure(id).expanding),
        (cancelled(), 0)
    );
    assert!(fenced(&group).is_empty());
}

#[test]
fn a_later_erasure_takes_all_that_is_on_its_way_back() {
    let children = 2 * limits::EXPAND_KEYS_MAX as u32;
    let mut group = Group::with_subjects(children);
    let (first, second) = (erasure_id(0), erasure_id(1));
    group.propose(&request(first, TENANT, 1, false));
    finish(&mut group);
    group.cancel(first);
    let one = fenced(&group)[0];
    assert_eq!(
        group.propose(&request(second, one, 1, false)),
        begun(second),
        "what is on its way back can be asked for"
    );
    let third = erasure_id(2);
    group.propose(&request(third, TENANT, 1, false));
    finish(&mut group);
    assert_eq!(group.erasure(first).state, cancelled());
    assert_eq!(fenced(&group).len(), children as usize + 1);
    assert_eq!(
        (group.erasure(second).left, group.erasure(third).left),
        (1, u64::from(children))
    );
    assert_eq!(group.cancel(second), TOO_LATE, "its tenant is being erased");
    assert_eq!(group.cancel(third), Reply::Done);
    assert_eq!(group.cancel(second), Reply::Done, "its tenant is on its way back");
    finish(&mut group);
    assert!(fenced(&group).is_empty());
}

#[test]
fn taking_back_wins_over_an_attempt_and_loses_to_a_switch() {
    let mut group = Group::with_subjects(3);
    let (one, other) = (erasure_id(0), erasure_id(1));
    group.propose(&request(one, kid(0), 1, false));
    group.propose(&request(other, kid(1), 1, false));
    group.begin(vec![kid(0), kid(1)], vec![(2, 5)]);
    let digest = group.epoch().pending.expect("is under way").digest;
    assert_eq!(
        group.create(kid(7), None, vec![row(2, 5, 0, b"row")]),
        KeyOutcome::Frozen
    );
    assert_eq!(group.cancel(one), Reply::Done);
    assert_eq!(group.epoch().pending, None);
    assert_eq!(group.switch_to(digest), Reply::Rejected(Rejection::WrongAttempt));
    assert_eq!(
        group.create(kid(7), None, vec![row(2, 5, 0, b"row")]),
        KeyOutcome::Created
    );

    // An attempt that has nothing of it goes on.
    let third = erasure_id(2);
    group.propose(&request(third, kid(2), 1, false));
    group.begin(vec![kid(1)], Vec::new());
    assert_eq!(group.cancel(third), Reply::Done);
    group.switch();
    assert_eq!(group.cancel(other), TOO_LATE);
    assert!(matches!(group.erasure(other).state, ErasureState::Rekeyed { .. }));
    assert_eq!(group.state(kid(0)), KeyState::Active);
}

#[test]
fn an_erasure_of_which_a_key_is_erased_is_not_taken_back() {
    let mut group = Group::with_subjects(1);
    for child in 7..9 {
        group.create(kid(child), Some(kid(0)), Vec::new());
    }
    let id = erasure_id(0);
    group.propose(&request(id, kid(0), 1, false));
    group.begin(vec![kid(7)], Vec::new());
    group.switch();
    assert_eq!(group.erasure(id).state, ErasureState::Fenced);
    assert_eq!(group.cancel(id), TOO_LATE);
    assert_eq!(fenced(&group).len(), 2);
}

#[test]
fn what_has_an_erasure_of_its_own_stays_fenced_when_another_is_taken_back() {
    let mut group = Group::with_subjects(1);
    group.create(kid(7), Some(kid(0)), Vec::new());
    let (own, person) = (erasure_id(0), erasure_id(1));
    group.propose(&request(own, kid(7), 1, false));
    group.propose(&request(person, kid(0), 1, false));
    assert_eq!(group.cancel(own), TOO_LATE, "whom it dies with is being erased");
    assert_eq!(group.cancel(person), Reply::Done);
    assert_eq!(fenced(&group), [kid(7)]);
    assert_eq!(group.cancel(own), Reply::Done);
    assert!(fenced(&group).is_empty());
}

#[test]
fn a_key_that_was_prepared_before_keys_came_back_is_refused() {
    let mut group = Group::with_subjects(1);
    group.propose(&request(erasure_id(0), kid(0), 1, false));
    let late = group.new_key(kid(7), Some(TENANT));
    group.cancel(erasure_id(0));
    assert_eq!(group.create_key(late), KeyOutcome::Stale);
    assert_eq!(
        group.create(kid(7), Some(TENANT), Vec::new()),
        KeyOutcome::Created
    );
}

#[test]
fn an_erasure_takes_the_other_keys_of_its_name_along() {
    let mut group = Group::with_subjects(3);
    group.create(kid(7), Some(kid(0)), Vec::new());
    let id = erasure_id(0);
    let Command::RequestErasure(one) = request(id, kid(0), 1, false) else {
        panic!("a request")
    };
    // One that is below another key, and one that is not there, are none of its name.
    let namesakes = vec![kid(1), kid(7), kid(99)];
    let command = Command::RequestErasure(RequestErasure {
        namesakes,
        hold_s: 60,
        ..one
    });
    assert_eq!(group.propose(&command), begun(id));
    let held = control::under_way(&group.rows, Stage::Held, None, 9).expect("reads");
    assert_eq!(held, [(group.erasure(id).fenced.1, id)]);
    let mut keys = control::keys_of_erasure(&group.rows, &id, 9).expect("reads");
    keys.sort_unstable();
    let mut expected = vec![kid(0), kid(1), kid(7)];
    expected.sort_unstable();
    assert_eq!((keys, group.state(kid(2))), (expected, KeyState::Active));
    assert_eq!(group.erasure(id).requested, TimeMs(4));
    assert_eq!(group.cancel(id), Reply::Done);
    assert!(fenced(&group).is_empty());
}
