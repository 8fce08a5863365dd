//! The suite of state engines.

use std::path::Path;

use eunoe_core::{Changes, ScanRange, StateView};
use eunoe_types::GroupId;

use crate::{StateEngine, StateFactory, snapshot};

/// A place in which the states of a node live.
pub trait StateHarness {
    /// The factory under test.
    type Factory: StateFactory;

    /// A factory over an empty place.
    fn create(&mut self) -> Self::Factory;

    /// Ends the factory, whose engines are closed, in an orderly way, and begins it again.
    fn reopen(&mut self, factory: Self::Factory) -> Self::Factory;
}

/// Checks every promise of [`StateEngine`] and [`StateFactory`] that needs no fault.
pub fn state_suite<H: StateHarness>(harness: &mut H) {
    a_commit_is_seen_whole(harness);
    a_view_does_not_move(harness);
    scans_are_ordered_and_bounded(harness);
    the_stores_own_keys_are_out_of_reach(harness);
    flushed_state_survives(harness);
    a_snapshot_is_the_state(harness);
    a_replaced_state_is_the_snapshot(harness);
    groups_are_apart(harness);
}

pub(super) const A: GroupId = GroupId(1);
pub(super) const B: GroupId = GroupId(12);

pub(super) fn put(rows: &[(&str, &str)]) -> Changes {
    rows.iter()
        .map(|(key, value)| (key.as_bytes().to_vec(), Some(value.as_bytes().to_vec())))
        .collect()
}

pub(super) fn everything(view: &impl StateView) -> Vec<String> {
    let range = ScanRange {
        from: &[],
        to: &[0xff; 8],
        backward: false,
        rows_max: usize::MAX,
        bytes_max: usize::MAX,
    };
    let rows = view.scan(&range).expect("it reads");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the suite writes text");
    rows.into_iter()
        .map(|(key, value)| format!("{}={}", text(key), text(value)))
        .collect()
}

fn a_commit_is_seen_whole<H: StateHarness>(harness: &mut H) {
    let factory = harness.create();
    let engine = factory.open(A).expect("it opens");
    assert_eq!(engine.applied().expect("it reads"), None);
    engine
        .commit(put(&[("a", "1"), ("b", "2")]), b"7")
        .expect("it commits");
    let mut changes = put(&[("b", "3"), ("c", "")]);
    changes.insert(b"a".to_vec(), None);
    engine.commit(changes, b"8").expect("it commits");
    assert_eq!(everything(&engine.view()), ["b=3", "c="]);
    assert_eq!(engine.view().get(b"a").expect("it reads"), None);
    assert_eq!(engine.view().get(b"c").expect("it reads"), Some(Vec::new()));
    assert_eq!(engine.applied().expect("it reads"), Some(b"8".to_vec()));
    engine
        .commit(Changes::new(), b"9")
        .expect("a commit may move the position only");
    assert_eq!(engine.applied().expect("it reads"), Some(b"9".to_vec()));
}

fn a_view_does_not_move<H: StateHarness>(harness: &mut H) {
    let factory = harness.create();
    let engine = factory.open(A).expect("it opens");
    engine.commit(put(&[("a", "old")]), b"1").expect("it commits");
    let view = engine.view();
    engine
        .commit(put(&[("a", "new"), ("b", "new")]), b"2")
        .expect("it commits");
    engine.flush().expect("it flushes");
    assert_eq!(everything(&view), ["a=old"]);
    assert_eq!(view.get(b"b").expect("it reads"), None);
    assert_eq!(everything(&engine.view()), ["a=new", "b=new"]);
}

fn scans_are_ordered_and_bounded<H: StateHarness>(harness: &mut H) {
    let factory = harness.create();
    let engine = factory.open(A).expect("it opens");
    engine
        .commit(put(&[("a", "1111"), ("b", "2222"), ("ba", "3333")]), b"1")
        .expect("it commits");
    engine.flush().expect("it flushes");
    engine
        .commit(put(&[("c", "4444"), ("d", "5555")]), b"2")
        .expect("it commits");
    let view = engine.view();
    let scan = |from: &str, to: &str, backward, rows_max, bytes_max| -> String {
        let range = ScanRange {
            from: from.as_bytes(),
            to: to.as_bytes(),
            backward,
            rows_max,
            bytes_max,
        };
        let rows = view.scan(&range).expect("it reads");
        rows.into_iter()
            .map(|(key, _)| String::from_utf8(key).expect("text") + " ")
            .collect()
    };
    let many = usize::MAX;
    assert_eq!(scan("a", "z", false, many, many), "a b ba c d ");
    assert_eq!(scan("a", "z", true, many, many), "d c ba b a ");
    assert_eq!(
        scan("b", "c", false, many, many),
        "b ba ",
        "the end is not in the range"
    );
    assert_eq!(
        scan("b", "c", true, many, many),
        "ba b ",
        "nor from the other side"
    );
    assert_eq!(scan("aa", "bb", true, many, many), "ba b ", "ends need not exist");
    assert_eq!(scan("a", "z", true, 2, many), "d c ");
    assert_eq!(scan("a", "z", false, 0, many), "");
    assert_eq!(scan("a", "z", false, many, 0), "a ", "one row always fits");
    assert_eq!(
        scan("a", "z", false, many, 5),
        "a b ",
        "it stops after the row that crosses"
    );
    assert_eq!(scan("a", "z", false, many, 8), "a b ");
    assert_eq!(scan("d", "a", false, many, many), "", "an empty range");
    assert_eq!(scan("e", "z", true, many, many), "");
}

fn the_stores_own_keys_are_out_of_reach<H: StateHarness>(harness: &mut H) {
    let factory = harness.create();
    let engine = factory.open(A).expect("it opens");
    engine.commit(put(&[("a", "1")]), b"1").expect("it commits");
    assert_eq!(everything(&engine.view()), ["a=1"]);
    for key in ["\0applied", "\0", ""] {
        assert!(engine.commit(put(&[("b", "2"), (key, "x")]), b"2").is_err());
    }
    assert_eq!(everything(&engine.view()), ["a=1"]);
    assert_eq!(engine.applied().expect("it reads"), Some(b"1".to_vec()));
}

fn flushed_state_survives<H: StateHarness>(harness: &mut H) {
    let factory = harness.create();
    let engine = factory.open(A).expect("it opens");
    engine.commit(put(&[("a", "1")]), b"1").expect("it commits");
    engine.flush().expect("it flushes");
    assert!(engine.disk_bytes() > 0);
    drop(engine);
    let factory = harness.reopen(factory);
    let engine = factory.open(A).expect("it opens");
    assert_eq!(everything(&engine.view()), ["a=1"]);
    assert_eq!(engine.applied().expect("it reads"), Some(b"1".to_vec()));
}

fn a_snapshot_is_the_state<H: StateHarness>(harness: &mut H) {
    let factory = harness.create();
    let engine = factory.open(A).expect("it opens");
    engine.commit(put(&[("a", "1")]), b"1").expect("it commits");
    let built = snapshot::build(&engine, &factory.snapshot_dir(A), "1", b"meta").expect("it builds");
    engine.commit(put(&[("a", "later")]), b"2").expect("it commits");
    built.verify().expect("it is whole");
    let found = snapshot::list(&factory.snapshot_dir(A)).expect("it lists");
    assert_eq!(
        found.iter().map(|found| found.meta()).collect::<Vec<_>>(),
        [b"meta"]
    );
    let engine = factory
        .replace(A, engine, &built.state_dir())
        .expect("it replaces");
    assert_eq!(everything(&engine.view()), ["a=1"], "back to the snapshot");
    assert_eq!(engine.applied().expect("it reads"), Some(b"1".to_vec()));
}

fn a_replaced_state_is_the_snapshot<H: StateHarness>(harness: &mut H) {
    let factory = harness.create();
    let (source, target) = (
        factory.open(A).expect("it opens"),
        factory.open(B).expect("it opens"),
    );
    source
        .commit(put(&[("a", "1"), ("b", "2")]), b"5")
        .expect("it commits");
    target.commit(put(&[("x", "9")]), b"3").expect("it commits");
    let built = snapshot::build(&source, &factory.snapshot_dir(B), "1", b"").expect("it builds");
    let target = factory
        .replace(B, target, &built.state_dir())
        .expect("it replaces");
    assert!(!Path::exists(&built.state_dir()), "the snapshot is consumed");
    target
        .commit(put(&[("c", "3")]), b"6")
        .expect("the new state goes on");
    target.flush().expect("it flushes");
    drop((source, target));
    let factory = harness.reopen(factory);
    let target = factory.open(B).expect("it opens");
    assert_eq!(everything(&target.view()), ["a=1", "b=2", "c=3"]);
    assert_eq!(target.applied().expect("it reads"), Some(b"6".to_vec()));
}

fn groups_are_apart<H: StateHarness>(harness: &mut H) {
    let factory = harness.create();
    let (first, second) = (
        factory.open(A).expect("it opens"),
        factory.open(B).expect("it opens"),
    );
    first.commit(put(&[("a", "first")]), b"1").expect("it commits");
    second.commit(put(&[("a", "second")]), b"2").expect("it commits");
    second.flush().expect("it flushes");
    drop(first);
    factory.remove(A).expect("it removes");
    factory.remove(A).expect("what is gone is gone");
    assert_eq!(everything(&second.view()), ["a=second"]);
    let first = factory.open(A).expect("it opens anew");
    assert!(everything(&first.view()).is_empty());
    assert_eq!(first.applied().expect("it reads"), None);
}
