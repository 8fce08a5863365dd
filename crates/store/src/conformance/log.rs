//! The suite of log engines.

use std::io;
use std::sync::mpsc::{Receiver, sync_channel};

use bytes::Bytes;
use eunoe_types::GroupId;

use crate::{Completion, GroupLog, LogEngine, LogRecord};

/// A place in which a log lives.
pub trait LogHarness {
    /// The engine under test.
    type Log: LogEngine;

    /// An empty log in an empty place.
    fn create(&mut self) -> Self::Log;

    /// Ends `log` in an orderly way and opens it again.
    fn reopen(&mut self, log: Self::Log) -> Self::Log;
}

/// Checks every promise of [`LogEngine`] that needs no fault.
pub fn log_suite<H: LogHarness>(harness: &mut H) {
    an_empty_log_is_empty(harness);
    records_are_read_back(harness);
    reads_are_bounded(harness);
    truncation_drops_the_end(harness);
    purge_drops_the_beginning(harness);
    purge_beyond_the_end_moves_the_log(harness);
    metadata_is_kept_per_group(harness);
    completions_come_in_order(harness);
    a_hole_stops_the_log(harness);
}

pub(super) const A: GroupId = GroupId(0);
pub(super) const B: GroupId = GroupId(7);

/// A completion, and where its result arrives.
pub(super) fn completion() -> (Completion, Receiver<Result<(), io::Error>>) {
    let (sender, receiver) = sync_channel(1);
    let done: Completion = Box::new(move |result| sender.send(result).expect("the suite waits for it"));
    (done, receiver)
}

pub(super) fn wait(call: impl FnOnce(Completion)) {
    let (done, receiver) = completion();
    call(done);
    receiver
        .recv()
        .expect("a completion is always called")
        .expect("nothing fails here");
}

pub(super) fn record(index: u64, bytes: usize) -> LogRecord {
    let data: Vec<u8> = (0..bytes).map(|at| (index as usize * 31 + at) as u8).collect();
    LogRecord {
        index,
        data: data.into(),
    }
}

pub(super) fn append<L: LogEngine>(log: &L, group: GroupId, indexes: std::ops::RangeInclusive<u64>) {
    let records = indexes.map(|index| record(index, 20)).collect();
    wait(|done| log.append(group, records, done));
}

pub(super) fn indexes<L: LogEngine>(log: &L, group: GroupId) -> Vec<u64> {
    let read = log.read(group, 0, u64::MAX, usize::MAX).expect("it reads");
    let sound = read
        .iter()
        .all(|found| *found == record(found.index, found.data.len()));
    assert!(sound, "a record is not what was appended");
    read.iter().map(|record| record.index).collect()
}

fn ends<L: LogEngine>(log: &L, group: GroupId) -> (Option<u64>, Option<u64>) {
    let GroupLog { first, last, .. } = log.group(group);
    (first, last)
}

/// Runs `check` before and after the log was reopened.
fn twice<H: LogHarness>(harness: &mut H, log: H::Log, check: impl Fn(&H::Log)) {
    check(&log);
    check(&harness.reopen(log));
}

fn an_empty_log_is_empty<H: LogHarness>(harness: &mut H) {
    let log = harness.create();
    twice(harness, log, |log| {
        assert_eq!(log.group(A), GroupLog::default());
        assert!(indexes(log, A).is_empty());
        assert_eq!((log.live_bytes(A), log.pinning_group()), (0, None));
    });
}

fn records_are_read_back<H: LogHarness>(harness: &mut H) {
    let log = harness.create();
    append(&log, A, 1..=3);
    append(&log, B, 100..=102);
    append(&log, A, 4..=5);
    wait(|done| log.append(A, Vec::new(), done));
    twice(harness, log, |log| {
        assert_eq!(indexes(log, A), [1, 2, 3, 4, 5]);
        assert_eq!(indexes(log, B), [100, 101, 102]);
        assert_eq!(ends(log, A), (Some(1), Some(5)));
        assert_eq!(ends(log, B), (Some(100), Some(102)));
        assert_eq!((log.live_bytes(A), log.live_bytes(B)), (100, 60));
        assert!(log.disk_bytes() >= 160);
    });
}

fn reads_are_bounded<H: LogHarness>(harness: &mut H) {
    let log = harness.create();
    append(&log, A, 1..=10);
    twice(harness, log, |log| {
        let read = |from, to, bytes_max| -> Vec<u64> {
            let records = log.read(A, from, to, bytes_max).expect("it reads");
            records.iter().map(|record| record.index).collect()
        };
        assert_eq!(read(3, 6, usize::MAX), [3, 4, 5]);
        assert_eq!(read(3, 6, 0), [3], "at least one");
        assert_eq!(read(3, 9, 40), [3, 4], "as many as fit exactly");
        assert_eq!(read(3, 9, 59), [3, 4], "no more than fit");
        assert_eq!(read(9, 100, 1000), [9, 10]);
        assert!(read(11, 100, 1000).is_empty() && read(5, 5, 1000).is_empty() && read(6, 5, 1000).is_empty());
    });
}

fn truncation_drops_the_end<H: LogHarness>(harness: &mut H) {
    let log = harness.create();
    append(&log, A, 1..=10);
    wait(|done| log.truncate_after(A, Some(6), done));
    wait(|done| log.truncate_after(A, Some(9), done));
    assert_eq!(indexes(&log, A), [1, 2, 3, 4, 5, 6]);
    append(&log, A, 7..=8);
    let log = harness.reopen(log);
    assert_eq!(indexes(&log, A), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(log.live_bytes(A), 160);
    wait(|done| log.truncate_after(A, None, done));
    twice(harness, log, |log| {
        assert_eq!(ends(log, A), (None, None));
        assert_eq!(log.live_bytes(A), 0);
    });
}

fn purge_drops_the_beginning<H: LogHarness>(harness: &mut H) {
    let log = harness.create();
    append(&log, A, 1..=10);
    wait(|done| log.purge(A, 4, Bytes::from_static(b"four"), done));
    wait(|done| log.purge(A, 2, Bytes::from_static(b"two"), done));
    twice(harness, log, |log| {
        assert_eq!(indexes(log, A), [5, 6, 7, 8, 9, 10]);
        assert_eq!(log.group(A).purged, Some((4, Bytes::from_static(b"four"))));
        assert_eq!(log.live_bytes(A), 120);
    });
}

fn purge_beyond_the_end_moves_the_log<H: LogHarness>(harness: &mut H) {
    let log = harness.create();
    append(&log, A, 1..=3);
    wait(|done| log.purge(A, 50, Bytes::from_static(b"fifty"), done));
    assert_eq!(ends(&log, A), (None, None));
    let log = harness.reopen(log);
    append(&log, A, 51..=52);
    wait(|done| log.truncate_after(A, Some(50), done));
    append(&log, A, 51..=51);
    twice(harness, log, |log| assert_eq!(indexes(log, A), [51]));
}

fn metadata_is_kept_per_group<H: LogHarness>(harness: &mut H) {
    let log = harness.create();
    for vote in ["first", "second"] {
        log.save_committed(A, Bytes::from(format!("committed before {vote}")));
        wait(|done| log.save_vote(A, Bytes::from(vote), done));
    }
    wait(|done| log.save_vote(B, Bytes::from_static(b"other"), done));
    twice(harness, log, |log| {
        let (a, b) = (log.group(A), log.group(B));
        assert_eq!(a.vote.as_deref(), Some(&b"second"[..]));
        assert_eq!(a.committed.as_deref(), Some(&b"committed before second"[..]));
        assert_eq!((b.vote.as_deref(), b.committed), (Some(&b"other"[..]), None));
    });
}

fn completions_come_in_order<H: LogHarness>(harness: &mut H) {
    let log = harness.create();
    let (sender, receiver) = sync_channel(1000);
    for index in 1..=200 {
        let sender = sender.clone();
        let done: Completion =
            Box::new(move |result| sender.send((index, result.is_ok())).expect("room for all"));
        match index % 4 {
            0 => log.save_vote(A, Bytes::from(vec![index as u8]), done),
            1 => log.purge(A, 0, Bytes::from_static(b"again"), done),
            _ => log.append(A, vec![record(index / 4 * 2 + index % 4 - 1, 50)], done),
        }
    }
    drop(log);
    drop(sender);
    let seen: Vec<(u64, bool)> = receiver.iter().collect();
    let expected: Vec<(u64, bool)> = (1..=200).map(|index| (index, true)).collect();
    assert_eq!(
        seen, expected,
        "all complete, in order, the last of them before the log is gone"
    );
}

fn a_hole_stops_the_log<H: LogHarness>(harness: &mut H) {
    let log = harness.create();
    append(&log, A, 1..=3);
    let (done, refused) = completion();
    log.append(A, vec![record(5, 20)], done);
    assert!(refused.recv().expect("it is called").is_err());
    let (done, stopped) = completion();
    log.save_vote(B, Bytes::from_static(b"later"), done);
    assert!(
        stopped.recv().expect("it is called").is_err(),
        "after a failure every write fails"
    );
    let log = harness.reopen(log);
    assert_eq!(indexes(&log, A), [1, 2, 3]);
    assert_eq!(log.group(B).vote, None);
}
