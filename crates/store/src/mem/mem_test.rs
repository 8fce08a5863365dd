//! The twins pass the suites of the engines, with torn writes, lost syncs and I/O errors.

use std::panic::catch_unwind;
use std::sync::mpsc::sync_channel;

use bytes::Bytes;
use eunoe_core::{Changes, StateView};
use eunoe_types::GroupId;

use super::*;
use crate::conformance::{
    LogFaults, LogHarness, StateFaults, StateHarness, log_fault_suite, log_suite, state_fault_suite,
    state_suite,
};
use crate::test_support::hex;
use crate::{LogEngine, LogRecord, StateEngine, StateFactory};

const A: GroupId = GroupId(1);

/// Makes logs; of what was not durable `kept` calls survive a crash.
struct Logs {
    kept: usize,
    syncs_are_lost: bool,
}

impl LogHarness for Logs {
    type Log = MemLog;

    fn create(&mut self) -> MemLog {
        let log = MemLog::new();
        if self.syncs_are_lost {
            log.lose_syncs(true);
        }
        log
    }

    fn reopen(&mut self, log: MemLog) -> MemLog {
        log.crash(usize::MAX)
    }
}

impl LogFaults for Logs {
    fn crash(&mut self, log: MemLog) -> MemLog {
        log.crash(self.kept)
    }

    fn break_disk(&mut self, log: &MemLog) {
        log.fail_next_sync();
    }
}

/// Makes states; of what was not flushed `kept` commits survive a crash.
struct States {
    root: tempfile::TempDir,
    kept: usize,
    flushes_are_lost: bool,
}

impl StateHarness for States {
    type Factory = MemStates;

    fn create(&mut self) -> MemStates {
        self.root = tempfile::tempdir().unwrap();
        let states = MemStates::new(self.root.path().to_owned());
        if self.flushes_are_lost {
            states.lose_flushes(true);
        }
        states
    }

    fn reopen(&mut self, factory: MemStates) -> MemStates {
        factory
    }
}

impl StateFaults for States {
    fn crash(&mut self, factory: MemStates, engines: Vec<MemState>) -> MemStates {
        factory.crash(self.kept);
        factory.fail_flushes(false);
        drop(engines);
        factory
    }

    fn break_disk(&mut self, factory: &MemStates) {
        factory.fail_flushes(true);
        factory.fail_commits(false);
    }
}

fn states(kept: usize, flushes_are_lost: bool) -> States {
    States {
        root: tempfile::tempdir().unwrap(),
        kept,
        flushes_are_lost,
    }
}

#[test]
fn the_log_passes_the_suites_however_writes_are_torn() {
    for kept in [0, 1, 3, usize::MAX] {
        let mut logs = Logs {
            kept,
            syncs_are_lost: false,
        };
        log_suite(&mut logs);
        log_fault_suite(&mut logs);
    }
}

#[test]
fn the_state_passes_the_suites_however_writes_are_torn() {
    for kept in [0, 1, 3, usize::MAX] {
        let mut states = states(kept, false);
        state_suite(&mut states);
        state_fault_suite(&mut states);
    }
}

#[test]
fn the_suites_notice_lost_syncs() {
    let log = catch_unwind(|| {
        log_fault_suite(&mut Logs {
            kept: 0,
            syncs_are_lost: true,
        })
    });
    assert!(log.is_err(), "a log on a disk that lies was accepted");
    let state = catch_unwind(|| state_fault_suite(&mut states(0, true)));
    assert!(state.is_err(), "a state on a disk that lies was accepted");
}

#[test]
fn calls_wait_while_they_are_held_and_a_crash_keeps_any_prefix() {
    for kept in 0..=3 {
        let log = MemLog::new();
        log.hold();
        let (sender, completed) = sync_channel(8);
        for index in 1..=3u64 {
            let sender = sender.clone();
            let data = Bytes::from_static(b"data");
            let done = Box::new(move |result: std::io::Result<()>| sender.send(result.is_ok()).unwrap());
            log.append(A, vec![LogRecord { index, data }], done);
        }
        assert_eq!(log.group(A).last, Some(3), "what waits can be read");
        assert_eq!((log.waiting(), completed.try_iter().count()), (3, 0));
        let after = log.crash(kept);
        assert_eq!(after.group(A).last, (kept > 0).then_some(kept as u64));
        assert!(log.read(A, 0, 9, 100).is_err(), "the handle from before is dead");
        log.release();
        assert_eq!(completed.try_iter().count(), 0, "and completes nothing");
    }
}

/// Appends records that nobody waits for.
fn append(log: &MemLog, indexes: std::ops::RangeInclusive<u64>) {
    for index in indexes {
        let data = Bytes::from_static(b"data");
        log.append(A, vec![LogRecord { index, data }], Box::new(drop));
    }
}

#[test]
fn a_torn_tail_may_be_of_any_group_and_of_any_kind() {
    let b = GroupId(2);
    for kept in 0..=3 {
        let log = MemLog::new();
        append(&log, 1..=3);
        log.hold();
        log.truncate_after(A, Some(1), Box::new(drop));
        log.save_vote(b, Bytes::from_static(b"vote"), Box::new(drop));
        append(&log, 2..=2);
        let after = log.crash(kept);
        let last = [3, 1, 1, 2][kept];
        assert_eq!(after.group(A).last, Some(last), "{kept} calls survived");
        assert_eq!(after.group(b).vote.is_some(), kept >= 2, "{kept} calls survived");
    }
}

#[test]
fn held_calls_fail_with_the_sync_and_nothing_is_written_after_it() {
    let log = MemLog::new();
    append(&log, 1..=1);
    log.hold();
    let (sender, completed) = sync_channel(8);
    let done = |sender: &std::sync::mpsc::SyncSender<bool>| {
        let sender = sender.clone();
        Box::new(move |result: std::io::Result<()>| sender.send(result.is_ok()).unwrap())
    };
    log.save_vote(A, Bytes::from_static(b"one"), done(&sender));
    log.fail_next_sync();
    log.sync(1);
    log.save_vote(A, Bytes::from_static(b"two"), done(&sender));
    log.release();
    assert_eq!(completed.try_iter().collect::<Vec<_>>(), [false, false]);
    let after = log.crash(0);
    assert_eq!((after.group(A).last, after.group(A).vote), (Some(1), None));
}

#[test]
fn syncs_lie_for_a_while_and_the_next_honest_one_makes_up_for_it() {
    let log = MemLog::new();
    log.lose_syncs(true);
    append(&log, 1..=2);
    assert_eq!(log.waiting(), 0, "the callers take them for durable");
    log.hold();
    append(&log, 3..=4);
    log.sync(1);
    assert_eq!(log.waiting(), 1, "a lie goes on where the last one ended");
    log.lose_syncs(false);
    log.sync(1);
    append(&log, 5..=5);
    assert_eq!(log.crash(0).group(A).last, Some(4));

    let lost = MemLog::new();
    lost.lose_syncs(true);
    append(&lost, 1..=2);
    assert_eq!(lost.crash(1).group(A).last, Some(1), "a crash shows the lie");
}

#[test]
fn each_group_keeps_its_own_part_of_what_was_not_flushed() {
    let factory = MemStates::new(tempfile::tempdir().unwrap().path().to_owned());
    let groups = [A, GroupId(2), GroupId(3)];
    for group in groups {
        let engine = factory.open(group).unwrap();
        engine.commit(Changes::new(), b"0").unwrap();
        engine.flush().unwrap();
        factory.lose_flushes(group == GroupId(3));
        for applied in [b"1", b"2"] {
            engine.commit(Changes::new(), applied).unwrap();
        }
        engine.flush().unwrap();
        factory.lose_flushes(false);
        if group == GroupId(2) {
            engine.commit(Changes::new(), b"3").unwrap();
        }
    }
    let mut asked = Vec::new();
    factory.crash_keeping(|group, unflushed| {
        asked.push((group, unflushed));
        unflushed.min(1)
    });
    assert_eq!(asked, [(A, 0), (GroupId(2), 1), (GroupId(3), 2)]);
    let applied = groups.map(|group| factory.open(group).unwrap().applied().unwrap().unwrap());
    assert_eq!(applied, [b"2", b"3", b"1"]);
}

#[test]
fn what_was_opened_before_a_crash_shows_nothing_any_more() {
    let factory = MemStates::new(tempfile::tempdir().unwrap().path().to_owned());
    let engine = factory.open(A).unwrap();
    let view = engine.view();
    assert!(view.get(b"key").is_ok());
    factory.crash(0);
    assert!(view.get(b"key").is_err());
    assert!(
        engine.view().get(b"key").is_err(),
        "an empty state would be a lie"
    );
    assert!(factory.open(A).unwrap().view().get(b"key").is_ok());
}

#[test]
fn reads_fail_on_command() {
    let log = MemLog::new();
    log.fail_reads(true);
    assert!(log.read(A, 0, 9, 100).is_err());
    log.fail_reads(false);
    assert!(log.read(A, 0, 9, 100).is_ok());
    let factory = MemStates::new(tempfile::tempdir().unwrap().path().to_owned());
    let engine = factory.open(A).unwrap();
    factory.fail_reads(true);
    assert!(engine.view().get(b"key").is_err());
}

#[test]
fn after_a_failed_commit_the_state_refuses_to_go_on() {
    let factory = MemStates::new(tempfile::tempdir().unwrap().path().to_owned());
    let (engine, other) = (factory.open(A).unwrap(), factory.open(GroupId(2)).unwrap());
    factory.fail_commits(true);
    assert!(engine.commit(Changes::new(), b"1").is_err());
    factory.fail_commits(false);
    assert!(engine.commit(Changes::new(), b"1").is_err());
    assert!(engine.flush().is_err());
    assert!(other.commit(Changes::new(), b"1").is_ok(), "other groups go on");
    factory.crash(0);
    assert!(
        engine.commit(Changes::new(), b"1").is_err(),
        "a handle from before is dead"
    );
    factory.open(A).unwrap().commit(Changes::new(), b"1").unwrap();
}

#[test]
fn the_snapshots_rows_never_change() {
    let root = tempfile::tempdir().unwrap();
    let engine = MemStates::new(root.path().to_owned()).open(A).unwrap();
    let changes: Changes = [(b"a".to_vec(), Some(b"one".to_vec()))].into();
    engine.commit(changes, b"7").unwrap();
    let into = root.path().join("state");
    engine.checkpoint(&into).unwrap();
    assert_eq!(
        hex(&std::fs::read(into.join("rows")).unwrap()),
        "010208006170706c69656401370161036f6e65"
    );
}
