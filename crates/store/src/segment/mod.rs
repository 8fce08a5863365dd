//! The production log: numbered, preallocated files that all groups share, written by one thread.
//!
//! - [`SegmentLog`]: the handle; calls update the callers' view in memory (`called`) and queue for the writer.
//! - `writer`: one batch, one `pwrite`, one `fdatasync`; `housekeeper`: makes and removes files meanwhile.
//! - `frame`: the bytes; `written`: their meaning; `recovery`: reading them back, and what a crash explains.
//!
//! A segment begins with a checkpoint of every group's vote, committed position, purge and held indexes, so
//! that the oldest segments go as soon as no group holds a record in them, whatever else they said. The records
//! of a group that lags are carried forward (`carry`), so that it cannot keep all that was written after them.

mod called;
mod carry;
pub(crate) mod file;
mod frame;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod housekeeper;
mod reading;
pub(crate) mod recovery;
mod shared;
mod stats;
mod writer;
mod written;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::{fs, io};

use bytes::Bytes;
use eunoe_types::{Fault, GroupId};

use crate::disk::{self, DirLock};
use crate::{Completion, GroupLog, LogEngine, LogRecord};
use called::Called;
use housekeeper::{Housekeeper, Job};
use shared::{Bounds, Change, Group, OpenSegment, Shared, State};
pub use stats::LogStats;
use writer::Writer;

/// Removals that may wait for the housekeeper; a removal that finds no place is asked for again.
const JOBS_MAX: usize = 4;

/// How a [`SegmentLog`] uses disk and memory.
#[derive(Clone, Debug)]
pub struct SegmentLogOptions {
    /// Bytes of a segment file. A batch that is larger gets a file of its size.
    pub segment_bytes: u64,
    /// Bytes of calls after which a batch takes no more; one call is never split.
    pub batch_bytes_max: usize,
    /// Bytes of calls that may wait; a caller blocks while there are more.
    pub queue_bytes_max: usize,
    /// Calls that may wait; a caller blocks while there are more.
    pub queue_calls_max: usize,
    /// Bytes of written records kept in memory, shared evenly by the groups.
    pub cache_bytes: usize,
}

impl Default for SegmentLogOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 32 << 20,
            batch_bytes_max: 4 << 20,
            queue_bytes_max: 32 << 20,
            queue_calls_max: 16_384,
            cache_bytes: 32 << 20,
        }
    }
}

/// The log of a node, in a directory of its own. Its files take a small multiple of what it must hold, however
/// unevenly the groups purge. Clones share it; dropping the last one writes what waits,
/// completes it, and ends the threads.
#[derive(Clone)]
pub struct SegmentLog {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl SegmentLog {
    /// Opens the log in `dir`, creating both if need be. Only one process at a time can have it open.
    pub fn open(dir: &Path, options: &SegmentLogOptions) -> Result<Self, Fault> {
        disk::create_dir(dir)?;
        let lock = DirLock::take(dir)?;
        file::remove_drafts(dir)?;
        if file::list(dir)?.is_empty() {
            create_first_segment(dir, options.segment_bytes)?;
        }
        let recovered = recovery::recover(dir)?;
        let (state, tail) = reopen(dir, recovered, options.segment_bytes)?;
        Self::start(dir.to_owned(), lock, state, tail, options)
    }

    fn start(
        dir: PathBuf,
        lock: DirLock,
        state: State,
        tail: Tail,
        options: &SegmentLogOptions,
    ) -> Result<Self, Fault> {
        let bounds = Bounds {
            batch_bytes: options.batch_bytes_max,
            queue_bytes: options.queue_bytes_max.max(1),
            queue_calls: options.queue_calls_max.max(1),
            cache_bytes: options.cache_bytes,
        };
        let shared = Arc::new(Shared::new(state, bounds));
        let (jobs, jobs_receiver) = sync_channel(JOBS_MAX);
        let (prepared_sender, prepared) = sync_channel(1);
        let housekeeper = Housekeeper {
            dir: dir.clone(),
            segment_bytes: options.segment_bytes,
            shared: shared.clone(),
            jobs: jobs_receiver,
            prepared: prepared_sender,
        };
        let housekeeper = spawn("log-files", move || housekeeper.run())?;
        let first_job = jobs.send(Job::Prepare(tail.segment + 1));
        first_job.map_err(|_| Fault::broken("the log's housekeeper ended at its start"))?;
        let Tail {
            open,
            segment,
            offset,
            sequence,
        } = tail;
        let shared_by_writer = shared.clone();
        let writer = Writer {
            dir,
            shared: shared_by_writer,
            jobs,
            prepared,
            open,
            segment,
            offset,
            sequence,
            buffer: Vec::new(),
            removed_before: 0,
            housekeeper,
            lock,
        };
        let writer = Mutex::new(Some(spawn("log-writer", move || writer.run())?));
        Ok(Self {
            handle: Arc::new(Handle { shared, writer }),
        })
    }

    /// The log's counters now.
    pub fn stats(&self) -> LogStats {
        self.handle.shared.lock().stats()
    }

    /// Why the log stopped, if it did.
    pub fn failure(&self) -> Option<String> {
        self.handle.shared.lock().failed.as_ref().map(ToString::to_string)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close();
        let writer = self
            .writer
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // A completion may own the last clone; the writer cannot wait for itself.
        let others = writer.filter(|writer| writer.thread().id() != thread::current().id());
        if others.is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the log's writer panicked");
        }
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Fault> {
    let builder = thread::Builder::new().name(name.to_owned());
    builder
        .spawn(run)
        .map_err(|error| Fault::io("start a thread of the log", error))
}

fn create_first_segment(dir: &Path, segment_bytes: u64) -> Result<(), Fault> {
    let mut first_bytes = Vec::new();
    writer::first_bytes(1, 1, &State::default(), &mut first_bytes);
    let begun = file::prepare(dir, 1, segment_bytes).and_then(|mut file| file.begin(dir, &first_bytes));
    begun.map_err(disk::fault("create the first segment in", dir))
}

/// Where the writer goes on.
struct Tail {
    open: OpenSegment,
    segment: u64,
    offset: u64,
    sequence: u64,
}

/// Opens the recovered segments' files and cuts a torn tail.
fn reopen(dir: &Path, recovered: recovery::Recovered, segment_bytes: u64) -> Result<(State, Tail), Fault> {
    let mut segments = BTreeMap::new();
    for segment in &recovered.segments {
        segments.insert(*segment, open_segment(&file::path(dir, *segment))?);
    }
    let (Some((&segment, last)), Some(sequence)) = (segments.last_key_value(), recovered.next_sequence)
    else {
        return Err(Fault::broken(format!("{} holds no segment", dir.display())));
    };
    let mut open = last.clone();
    if recovered.torn || open.bytes < segment_bytes {
        // Also a last file that is too short gets its zeros, which makes its syncs cheap again.
        open.bytes = open.bytes.max(segment_bytes);
        let cut = file::zero(&open.file, recovered.end, open.bytes).and_then(|()| open.file.sync_all());
        cut.map_err(disk::fault("cut the torn tail of", &file::path(dir, segment)))?;
        tracing::info!(
            segment,
            end = recovered.end,
            torn = recovered.torn,
            "cut the log's tail"
        );
    }
    let tail = Tail {
        open: open.clone(),
        segment,
        offset: recovered.end,
        sequence,
    };
    segments.insert(segment, open);
    let group = |written| Group {
        called: Called::recovered(&written),
        written,
    };
    let groups = recovered
        .groups
        .into_iter()
        .map(|(id, written)| (id, group(written)))
        .collect();
    Ok((
        State {
            groups,
            segments,
            ..State::default()
        },
        tail,
    ))
}

fn open_segment(path: &Path) -> Result<OpenSegment, Fault> {
    let opened = || -> io::Result<OpenSegment> {
        let file = fs::OpenOptions::new().read(true).write(true).open(path)?;
        let bytes = file.metadata()?.len();
        Ok(OpenSegment {
            file: Arc::new(file),
            bytes,
        })
    };
    opened().map_err(disk::fault("open", path))
}

impl LogEngine for SegmentLog {
    fn group(&self, group: GroupId) -> GroupLog {
        let state = self.handle.shared.lock();
        state
            .groups
            .get(&group)
            .map(|group| group.called.summary())
            .unwrap_or_default()
    }

    fn append(&self, group: GroupId, records: Vec<LogRecord>, done: Completion) {
        self.handle.shared.call(group, done, |group, call| {
            match group.called.append(call, &records) {
                Ok(()) => Change::Append(records),
                Err(why) => Change::Refused(why),
            }
        });
    }

    fn truncate_after(&self, group: GroupId, index: Option<u64>, done: Completion) {
        self.handle
            .shared
            .call(group, done, |Group { called, written }, _| {
                called.truncate_after(index, written);
                Change::Truncate(index)
            });
    }

    fn purge(&self, group: GroupId, index: u64, log_id: Bytes, done: Completion) {
        self.handle
            .shared
            .call(group, done, |Group { called, written }, _| {
                if called.purged.as_ref().is_some_and(|(purged, _)| *purged >= index) {
                    return Change::Nothing;
                }
                called.purge(index, log_id.clone(), written);
                Change::Purge(index, log_id)
            });
    }

    fn save_vote(&self, group: GroupId, vote: Bytes, done: Completion) {
        self.handle.shared.call(group, done, |group, _| {
            group.called.vote = Some(vote.clone());
            Change::Vote(vote)
        });
    }

    fn save_committed(&self, group: GroupId, committed: Bytes) {
        let mut state = self.handle.shared.lock();
        state.groups.entry(group).or_default().called.committed = Some(committed.clone());
        let last_call = state.last_call;
        state.committed.insert(group, (last_call, committed));
    }

    fn read(&self, group: GroupId, from: u64, to: u64, bytes_max: usize) -> Result<Vec<LogRecord>, Fault> {
        reading::read(&self.handle.shared, group, from, to, bytes_max)
    }

    fn live_bytes(&self, group: GroupId) -> u64 {
        self.handle
            .shared
            .lock()
            .groups
            .get(&group)
            .map_or(0, |group| group.called.live_bytes)
    }

    fn disk_bytes(&self) -> u64 {
        self.handle
            .shared
            .lock()
            .segments
            .values()
            .map(|segment| segment.bytes)
            .sum()
    }

    fn pinning_group(&self) -> Option<GroupId> {
        let state = self.handle.shared.lock();
        let (segment, group) = state.oldest_needed()?;
        state
            .segments
            .last_key_value()
            .filter(|(last, _)| **last > segment)
            .map(|_| group)
    }
}

#[cfg(test)]
mod tests;
