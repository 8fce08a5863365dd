//! What the log's bytes say: how much was logged since the last snapshot, up to where the log can be purged so
//! that a tail stays, and how long the disk has owed an answer.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use eunoe_store::{Completion, LogRecord};
use tokio::time::Instant;

/// Bytes between two marks: what is kept beyond the wanted tail, at most.
const MARK_BYTES: u64 = 64 * 1024;

/// The log of one group in bytes. All numbers count from the start of the process.
pub(crate) struct LogMeter {
    live_bytes: Box<dyn Fn() -> u64 + Send + Sync>,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    /// Bytes appended so far, with what was there at the start.
    appended: u64,
    /// `appended` when the last snapshot was asked for.
    at_snapshot: u64,
    /// Entries at which `appended` was noted, ascending.
    marks: VecDeque<(u64, u64)>,
    /// When the writes that are under way were handed to the engine; they complete in order.
    writes: VecDeque<Instant>,
}

impl LogMeter {
    /// A meter for a log whose last entry is `last`.
    pub(crate) fn new(last: Option<u64>, live_bytes: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        let appended = live_bytes();
        let marks = last.map(|last| (last, appended)).into_iter().collect();
        let inner = Inner {
            appended,
            marks,
            ..Inner::default()
        };
        Self {
            live_bytes: Box::new(live_bytes),
            inner: Arc::new(Mutex::new(inner)),
        }
    }

    /// Bytes of log that are not purged.
    pub(crate) fn live_bytes(&self) -> u64 {
        (self.live_bytes)()
    }

    /// Bytes logged since the last snapshot was asked for.
    pub(crate) fn since_snapshot(&self) -> u64 {
        let inner = self.lock();
        inner.appended - inner.at_snapshot
    }

    /// Notes that a snapshot of everything so far is asked for.
    pub(crate) fn snapshot_begun(&self) {
        let mut inner = self.lock();
        inner.at_snapshot = inner.appended;
    }

    /// The last entry that has at least `tail_bytes` behind it.
    pub(crate) fn purgeable(&self, tail_bytes: u64) -> Option<u64> {
        let inner = self.lock();
        let far = |(_, at): &&(u64, u64)| inner.appended - at >= tail_bytes;
        inner.marks.iter().take_while(far).last().map(|(index, _)| *index)
    }

    /// For how long the oldest write has waited for the disk.
    pub(crate) fn stalled_for(&self) -> Duration {
        self.lock()
            .writes
            .front()
            .map_or(Duration::ZERO, Instant::elapsed)
    }

    pub(super) fn appended(&self, records: &[LogRecord]) {
        let mut inner = self.lock();
        for record in records {
            inner.appended += record.data.len() as u64;
            let marked = inner.marks.back().map_or(0, |(_, at)| *at);
            if inner.appended - marked >= MARK_BYTES {
                let mark = (record.index, inner.appended);
                inner.marks.push_back(mark);
            }
        }
    }

    /// Entries after `last` are gone. Their bytes stay counted: that only makes a snapshot come earlier.
    pub(super) fn truncated(&self, last: Option<u64>) {
        let mut inner = self.lock();
        while inner
            .marks
            .back()
            .is_some_and(|(index, _)| last.is_none_or(|last| *index > last))
        {
            inner.marks.pop_back();
        }
    }

    pub(super) fn purged(&self, upto: u64) {
        let mut inner = self.lock();
        while inner.marks.front().is_some_and(|(index, _)| *index <= upto) {
            inner.marks.pop_front();
        }
    }

    /// Notes a write that is under way until `done` is called.
    pub(super) fn timed(&self, done: Completion) -> Completion {
        self.lock().writes.push_back(Instant::now());
        let inner = Arc::clone(&self.inner);
        Box::new(move |result| {
            lock(&inner).writes.pop_front();
            done(result);
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }
}

/// Nothing panics while it is held.
fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(index: u64, bytes: usize) -> LogRecord {
        LogRecord {
            index,
            data: vec![0; bytes].into(),
        }
    }

    #[test]
    fn a_tail_of_the_wanted_size_stays() {
        let meter = LogMeter::new(None, || 0);
        let records: Vec<_> = (0..10).map(|index| record(index, 100_000)).collect();
        meter.appended(&records);
        assert_eq!(meter.purgeable(0), Some(9));
        assert_eq!(meter.purgeable(250_000), Some(6));
        assert_eq!(meter.purgeable(2_000_000), None);
        meter.purged(8);
        assert_eq!(meter.purgeable(250_000), None);
        meter.truncated(Some(8));
        assert_eq!(meter.purgeable(0), None);
    }

    #[test]
    fn what_was_there_at_the_start_counts_as_logged_since_the_last_snapshot() {
        let meter = LogMeter::new(Some(41), || 7_000);
        assert_eq!(meter.since_snapshot(), 7_000);
        assert_eq!(meter.purgeable(0), Some(41));
        meter.snapshot_begun();
        meter.appended(&[record(42, 100)]);
        assert_eq!(meter.since_snapshot(), 100);
    }

    #[test]
    fn the_disk_owes_an_answer_until_the_completion() {
        let meter = LogMeter::new(None, || 0);
        let done = meter.timed(Box::new(drop));
        assert_eq!(meter.lock().writes.len(), 1);
        done(Ok(()));
        assert_eq!(meter.stalled_for(), Duration::ZERO);
    }
}
