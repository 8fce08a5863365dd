//! What callers, the writer and the housekeeper of one log share, behind one lock held for short moments.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use eunoe_types::GroupId;

use super::called::Called;
use super::frame::{BATCH_HEAD_BYTES, FRAME_HEAD_BYTES};
use super::stats::LogStats;
use super::written::Written;
use crate::{Completion, LogRecord};

/// What a call changes.
pub(crate) enum Change {
    Append(Vec<LogRecord>),
    Truncate(Option<u64>),
    Purge(u64, Bytes),
    Vote(Bytes),
    /// It holds already; only its place in the order counts.
    Nothing,
    /// It breaks the contract. The log stops rather than guess.
    Refused(&'static str),
}

/// A call that waits for the writer.
pub(crate) struct Call {
    pub(crate) group: GroupId,
    pub(crate) change: Change,
    pub(crate) done: Completion,
    pub(crate) since: Instant,
}

impl Call {
    /// Bytes that it takes in a batch.
    pub(crate) fn bytes(&self) -> usize {
        match &self.change {
            Change::Append(records) => records
                .iter()
                .map(|record| FRAME_HEAD_BYTES + record.data.len())
                .sum(),
            Change::Vote(data) | Change::Purge(_, data) => FRAME_HEAD_BYTES + data.len(),
            Change::Truncate(_) => FRAME_HEAD_BYTES + 1,
            Change::Nothing | Change::Refused(_) => 0,
        }
    }

    /// Why it cannot be written, if it cannot.
    pub(crate) fn refusal(&self) -> Option<&'static str> {
        if let Change::Refused(why) = self.change {
            Some(why)
        } else {
            None
        }
    }
}

/// Calls that are written and synced together.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) calls: Vec<Call>,
    /// Committed positions that ride along.
    pub(crate) committed: Vec<(GroupId, Bytes)>,
    /// Bytes in the file.
    pub(crate) bytes: usize,
    /// The number of its last call.
    pub(crate) last_call: u64,
}

/// A group from both sides.
#[derive(Default)]
pub(crate) struct Group {
    pub(crate) called: Called,
    pub(crate) written: Written,
}

/// A segment file that is part of the log.
#[derive(Clone)]
pub(crate) struct OpenSegment {
    pub(crate) file: Arc<File>,
    pub(crate) bytes: u64,
}

/// Bounds on what waits and on what is remembered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) batch_bytes: usize,
    pub(crate) queue_bytes: usize,
    pub(crate) queue_calls: usize,
    pub(crate) cache_bytes: usize,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) groups: BTreeMap<GroupId, Group>,
    pub(crate) segments: BTreeMap<u64, OpenSegment>,
    pub(crate) queue: VecDeque<Call>,
    pub(crate) queue_bytes: usize,
    /// Number of the last call made, of the last one given to the writer, and of the last one written.
    pub(crate) last_call: u64,
    pub(crate) taken_call: u64,
    pub(crate) written_call: u64,
    /// Committed positions to be written, with the number of the call before them.
    pub(crate) committed: BTreeMap<GroupId, (u64, Bytes)>,
    pub(crate) stats: LogStats,
    pub(crate) oldest_since: Option<Instant>,
    pub(crate) closing: bool,
    /// Why the log stopped.
    pub(crate) failed: Option<Arc<io::Error>>,
}

pub(crate) struct Shared {
    state: Mutex<State>,
    work: Condvar,
    room: Condvar,
    pub(crate) bounds: Bounds,
}

impl Shared {
    pub(crate) fn new(state: State, bounds: Bounds) -> Self {
        Self {
            state: Mutex::new(state),
            work: Condvar::new(),
            room: Condvar::new(),
            bounds,
        }
    }

    /// The state. A thread that panicked with the lock held left it between two whole changes or is the
    /// writer, after whose end nothing completes any more; reading on is safe in both cases.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call: waits for room, lets `change` update the callers' view, and queues what it returns.
    pub(crate) fn call(
        &self,
        group: GroupId,
        done: Completion,
        change: impl FnOnce(&mut Group, u64) -> Change,
    ) {
        let mut state = self.lock();
        while state.queue_bytes >= self.bounds.queue_bytes || state.queue.len() >= self.bounds.queue_calls {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.last_call += 1;
        let number = state.last_call;
        let change = change(state.groups.entry(group).or_default(), number);
        let call = Call {
            group,
            change,
            done,
            since: Instant::now(),
        };
        state.queue_bytes += call.bytes();
        state.oldest_since.get_or_insert(call.since);
        state.queue.push_back(call);
        drop(state);
        self.work.notify_one();
    }

    /// The next batch: all that waits, as far as it fits. `None` when the log closes and nothing waits.
    pub(crate) fn next_batch(&self) -> Option<Batch> {
        let mut state = self.lock();
        while state.queue.is_empty() && !state.closing {
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let mut batch = Batch {
            bytes: BATCH_HEAD_BYTES,
            ..Batch::default()
        };
        while let Some(bytes) = state.queue.front().map(Call::bytes) {
            if !batch.calls.is_empty() && batch.bytes + bytes > self.bounds.batch_bytes {
                break;
            }
            batch.calls.extend(state.queue.pop_front());
            batch.bytes += bytes;
            state.queue_bytes -= bytes;
            state.taken_call += 1;
        }
        batch.last_call = state.taken_call;
        state.take_committed(&mut batch);
        drop(state);
        self.room.notify_all();
        (!batch.calls.is_empty() || !batch.committed.is_empty()).then_some(batch)
    }

    /// Lets the writer finish what waits and end.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.work.notify_all();
    }
}

impl State {
    /// A committed position must not be durable before the records that were appended before it was saved.
    fn take_committed(&mut self, batch: &mut Batch) {
        let taken = self.taken_call;
        self.committed.retain(|group, (call, data)| {
            if *call > taken {
                return true;
            }
            batch.bytes += FRAME_HEAD_BYTES + data.len();
            batch.committed.push((*group, data.clone()));
            false
        });
    }

    /// The counters now.
    pub(crate) fn stats(&self) -> LogStats {
        let stalled_us = self
            .oldest_since
            .map_or(0, |since| since.elapsed().as_micros() as u64);
        LogStats {
            queued_bytes: self.queue_bytes as u64,
            stalled_us,
            ..self.stats
        }
    }

    /// The oldest segment that a group needs, and that group.
    pub(crate) fn oldest_needed(&self) -> Option<(u64, GroupId)> {
        let needs = self
            .groups
            .iter()
            .filter_map(|(id, group)| Some((group.written.oldest_segment()?, *id)));
        needs.min()
    }
}
