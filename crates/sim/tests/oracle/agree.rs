//! Two checkers that share nothing give the same verdict.

use eunoe_sim::history::{History, Outcome, Reply, Step, Target};
use eunoe_sim::oracle::search::Explained;
use eunoe_sim::oracle::{self, search};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::build::{CHAT, Log, ack, replayed};
use super::generate::{history, plan};
use super::mutate::{Change, apply, change};

const STATES_MAX: usize = 200_000;

fn walk(history: &History) -> bool {
    oracle::check_one(history, CHAT).is_empty()
}

fn searched(history: &History) -> Explained {
    search::explain(history, CHAT, STATES_MAX)
}

fn both(history: &History) -> Result<bool, TestCaseError> {
    let found: Vec<String> = oracle::check_one(history, CHAT)
        .iter()
        .map(ToString::to_string)
        .collect();
    let expected = match searched(history) {
        Explained::Yes => true,
        Explained::No => false,
        Explained::TooLarge => return Err(TestCaseError::reject("too many states")),
    };
    prop_assert_eq!(
        found.is_empty(),
        expected,
        "{}\nof\n{}",
        found.join("\n"),
        history
    );
    Ok(expected)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn what_one_copy_answered_is_right_to_both(plan in plan()) {
        prop_assert!(both(&history(&plan))?);
    }

    #[test]
    fn both_judge_a_changed_history_alike(
        plan in plan(),
        changes in prop::collection::vec((change(), 0usize..20), 1..4),
    ) {
        let mut history = history(&plan);
        for (change, at) in changes {
            apply(&mut history, change, at);
        }
        both(&history)?;
    }
}

/// Agreement says little if nearly all histories are right, or nearly all wrong.
#[test]
fn changed_histories_are_right_and_wrong() {
    let mut runner = TestRunner::deterministic();
    let (mut right, mut wrong) = (0, 0);
    for _ in 0..1_000 {
        let changed = (plan(), change(), 0usize..20)
            .new_tree(&mut runner)
            .unwrap()
            .current();
        let mut history = history(&changed.0);
        apply(&mut history, changed.1, changed.2);
        match walk(&history) {
            true => right += 1,
            false => wrong += 1,
        }
    }
    assert!(right > 200 && wrong > 200, "{right} are right, {wrong} are wrong");
}

/// Three messages, acknowledged one after the other, and a read of them all.
fn right() -> Log {
    let log = Log::support().append((2, 3), 1, ack(1)).append((4, 5), 2, ack(2));
    log.append((6, 7), 3, ack(3))
        .append((8, 9), 1, replayed(1))
        .read((10, 11), &[1, 2, 3])
}

#[test]
fn every_kind_of_change_is_seen_by_both() {
    assert!(walk(&right().0) && searched(&right().0) == Explained::Yes);
    let kinds = [
        Change::Move(1),
        Change::Stale,
        Change::Gap,
        Change::Swap,
        Change::Duplicate,
        Change::End,
        Change::Erase,
        Change::Refuse(eunoe_sim::history::Refusal::Closed),
    ];
    for change in kinds {
        let mut log = right();
        apply(&mut log.0, change, 0);
        assert!(!walk(&log.0), "{change:?} is right to the walk");
        assert_eq!(
            searched(&log.0),
            Explained::No,
            "{change:?} is right to the search"
        );
    }
}

#[test]
fn closing_and_fences_are_seen_by_both() {
    let wrong = [
        right()
            .close((12, 13), Outcome::Ok(Reply::Closed))
            .append((14, 15), 4, ack(4)),
        right()
            .erase((12, 13), Target::Chat(CHAT), Step::Fenced)
            .read((14, 15), &[1, 2, 3]),
        right()
            .erase((12, 13), Target::Chat(CHAT), Step::Fenced)
            .append((14, 15), 4, ack(4)),
        right().body((12, 13), super::build::ANNA, 1, 9, ack(4)),
    ];
    for log in wrong {
        assert!(!walk(&log.0), "right to the walk:\n{}", log.0);
        assert_eq!(searched(&log.0), Explained::No, "right to the search:\n{}", log.0);
    }
}
