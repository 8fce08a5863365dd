//! What engines must do when the machine or the disk fails: what was acknowledged survives, what is left is a
//! prefix, an I/O fault is reported, and after it nothing is acknowledged any more.

use bytes::Bytes;

use super::log::{A, B, LogHarness, append, completion, indexes, record, wait};
use super::state::{StateHarness, everything, put};
use crate::{LogEngine, StateEngine, StateFactory};

/// Writes after which a broken disk must have shown.
const WRITES_MAX: u64 = 1000;

/// A place for a log whose machine and disk can fail.
pub trait LogFaults: LogHarness {
    /// Ends `log` as a crash does, after an arbitrary part of what was not durable, and opens it again, on a disk
    /// that works.
    fn crash(&mut self, log: Self::Log) -> Self::Log;

    /// From now on the disk fails, at the latest after some more writes.
    fn break_disk(&mut self, log: &Self::Log);
}

/// Checks every promise of [`LogEngine`] about crashes and I/O errors.
pub fn log_fault_suite<H: LogFaults>(harness: &mut H) {
    what_completed_survives_a_crash(harness);
    a_failed_write_is_reported_and_the_last(harness);
}

fn what_completed_survives_a_crash<H: LogFaults>(harness: &mut H) {
    let mut log = harness.create();
    for round in 0..5 {
        let before = round * 10;
        append(&log, A, before + 1..=before + 10);
        append(&log, B, before + 1..=before + 3);
        wait(|done| log.truncate_after(B, Some(before), done));
        append(&log, B, before + 1..=before + 10);
        wait(|done| log.save_vote(A, Bytes::from(vec![round as u8]), done));
        wait(|done| log.purge(A, before + 5, Bytes::from_static(b"purged"), done));
        log = harness.crash(log);
        assert_eq!(
            indexes(&log, A),
            (before + 6..=before + 10).collect::<Vec<_>>(),
            "round {round}"
        );
        assert_eq!(
            indexes(&log, B),
            (1..=before + 10).collect::<Vec<_>>(),
            "round {round}"
        );
        assert_eq!(log.group(A).vote, Some(Bytes::from(vec![round as u8])));
        assert_eq!(
            log.group(A).purged,
            Some((before + 5, Bytes::from_static(b"purged")))
        );
    }
}

fn a_failed_write_is_reported_and_the_last<H: LogFaults>(harness: &mut H) {
    let log = harness.create();
    append(&log, A, 1..=5);
    harness.break_disk(&log);
    let mut acknowledged = 5;
    let failed = loop {
        let next = acknowledged + 1;
        assert!(next < WRITES_MAX, "the disk is broken and every write succeeds");
        let (done, receiver) = completion();
        log.append(A, vec![record(next, 100)], done);
        match receiver.recv().expect("it is called") {
            Ok(()) => acknowledged = next,
            Err(_) => break next,
        }
    };
    for next in failed + 1..failed + 4 {
        let (done, receiver) = completion();
        log.append(A, vec![record(next, 100)], done);
        receiver
            .recv()
            .expect("it is called")
            .expect_err("after a failure every write fails");
        let (done, receiver) = completion();
        log.save_vote(B, Bytes::from_static(b"late"), done);
        receiver
            .recv()
            .expect("it is called")
            .expect_err("of every group");
    }
    let log = harness.crash(log);
    let held = indexes(&log, A);
    assert_eq!(held, (1..=held.len() as u64).collect::<Vec<_>>(), "a prefix");
    assert!(
        held.len() as u64 >= acknowledged,
        "no shorter than what completed"
    );
    append(&log, A, held.len() as u64 + 1..=held.len() as u64 + 1);
}

/// A place for states whose machine and disk can fail.
pub trait StateFaults: StateHarness {
    /// Ends the factory and its engines as a crash does, and begins again, on a disk that works.
    fn crash(
        &mut self,
        factory: Self::Factory,
        engines: Vec<<Self::Factory as StateFactory>::Engine>,
    ) -> Self::Factory;

    /// From now on flushes fail.
    fn break_disk(&mut self, factory: &Self::Factory);
}

/// Checks every promise of [`StateEngine`] about crashes and I/O errors.
pub fn state_fault_suite<H: StateFaults>(harness: &mut H) {
    what_is_left_is_a_prefix(harness);
    a_failed_flush_is_reported_and_stops_the_state(harness);
}

fn commit<E: StateEngine>(engine: &E, position: u64) {
    let row = format!("{position:04}");
    let applied = position.to_le_bytes();
    engine
        .commit(put(&[(&row, "x"), ("last", &row)]), &applied)
        .expect("it commits");
}

/// Checks that the rows are those of the applied position, and answers it.
fn prefix<E: StateEngine>(engine: &E) -> u64 {
    let applied = engine.applied().expect("it reads").unwrap_or_else(|| vec![0; 8]);
    let applied = u64::from_le_bytes(applied.try_into().expect("the suite writes 8 bytes"));
    let mut expected: Vec<String> = (1..=applied).map(|row| format!("{row:04}=x")).collect();
    if applied > 0 {
        expected.push(format!("last={applied:04}"));
    }
    assert_eq!(
        everything(&engine.view()),
        expected,
        "the state is not that of its position"
    );
    applied
}

fn what_is_left_is_a_prefix<H: StateFaults>(harness: &mut H) {
    let mut factory = harness.create();
    let mut at = 0;
    for _ in 0..3 {
        let engine = factory.open(super::state::A).expect("it opens");
        (at + 1..=at + 20).for_each(|position| commit(&engine, position));
        engine.flush().expect("it flushes");
        (at + 21..=at + 30).for_each(|position| commit(&engine, position));
        factory = harness.crash(factory, vec![engine]);
        let engine = factory.open(super::state::A).expect("it opens");
        let left = prefix(&engine);
        assert!(
            (at + 20..=at + 30).contains(&left),
            "position {left} after a flush at {}",
            at + 20
        );
        at = left;
    }
}

fn a_failed_flush_is_reported_and_stops_the_state<H: StateFaults>(harness: &mut H) {
    let factory = harness.create();
    let engine = factory.open(super::state::A).expect("it opens");
    commit(&engine, 1);
    engine.flush().expect("it flushes");
    commit(&engine, 2);
    harness.break_disk(&factory);
    assert!(engine.flush().is_err(), "the fault is reported");
    assert!(engine.flush().is_err(), "again");
    let refused = engine.commit(put(&[("later", "x")]), b"later");
    assert!(
        refused.is_err(),
        "nothing is committed that cannot become durable"
    );
    let factory = harness.crash(factory, vec![engine]);
    let engine = factory.open(super::state::A).expect("it opens");
    assert!(prefix(&engine) >= 1);
}
