//! The one thread that writes: it takes all calls that wait as one batch, writes it with one `pwrite`, makes it
//! durable with one `fdatasync`, and completes its calls in order. While it syncs, the next batch gathers.
//!
//! Performance-critical path.

use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};
use std::thread::JoinHandle;

use super::carry::{self, Carried};
use super::file::Prepared;
use super::frame::{self, BatchEncoder, Kind, Location};
use super::housekeeper::Job;
use super::shared::{Batch, Call, Change, OpenSegment, Shared, State};
use crate::disk::DirLock;

/// A batch's encoding buffer is given back when it grew beyond this.
const BUFFER_BYTES_KEPT: usize = 8 << 20;

pub(crate) struct Writer {
    pub(crate) dir: PathBuf,
    pub(crate) shared: Arc<Shared>,
    pub(crate) jobs: SyncSender<Job>,
    pub(crate) prepared: Receiver<io::Result<Prepared>>,
    /// The segment that is written, its number, and where its next batch goes.
    pub(crate) open: OpenSegment,
    pub(crate) segment: u64,
    pub(crate) offset: u64,
    /// The sequence of the next batch.
    pub(crate) sequence: u64,
    pub(crate) buffer: Vec<u8>,
    /// The housekeeper was asked to remove the segments before this one.
    pub(crate) removed_before: u64,
    pub(crate) housekeeper: JoinHandle<()>,
    /// Held until nothing touches the directory any more.
    pub(crate) lock: DirLock,
}

impl Writer {
    /// Works until the log closes. After the first failure it only fails what is called.
    pub(crate) fn run(mut self) {
        while let Some(batch) = self.shared.next_batch() {
            let failed = self.shared.lock().failed.clone();
            let written = match failed {
                Some(error) => Err(io::Error::new(
                    error.kind(),
                    format!("the log stopped before: {error}"),
                )),
                None => self.write(&batch),
            };
            match written {
                Ok(locations) => self.complete(batch, &locations),
                Err(error) => self.fail(batch, &error),
            }
            self.buffer.clear();
            self.buffer.shrink_to(BUFFER_BYTES_KEPT);
        }
        let Self {
            jobs,
            prepared,
            housekeeper,
            lock,
            ..
        } = self;
        drop((jobs, prepared));
        if housekeeper.join().is_err() {
            tracing::error!("the log's housekeeper panicked");
        }
        drop(lock);
    }

    /// Makes a batch durable and says where its entries are.
    fn write(&mut self, batch: &Batch) -> io::Result<Vec<Location>> {
        if let Some(why) = batch.calls.iter().find_map(Call::refusal) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        if batch.bytes > u32::MAX as usize / 2 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "one call is too large for the log",
            ));
        }
        if self.offset + batch.bytes as u64 > self.open.bytes {
            return self.write_into_next_segment(batch);
        }
        let locations = self.encode(batch, self.segment, self.offset);
        if !self.buffer.is_empty() {
            self.open.file.write_all_at(&self.buffer, self.offset)?;
            self.open.file.sync_data()?;
            self.count_sync();
        }
        Ok(locations)
    }

    /// Begins the next segment with a checkpoint and the batch behind it, durable together.
    fn write_into_next_segment(&mut self, batch: &Batch) -> io::Result<Vec<Location>> {
        let mut next = self
            .prepared
            .recv()
            .map_err(|_| io::Error::other("the housekeeper ended"))??;
        let carried = carry::choose(&self.shared, next.bytes)?;
        first_bytes(next.segment, self.sequence, &self.shared.lock(), &mut self.buffer);
        self.sequence += 1;
        let carried_to = self.encode_carried(&carried, next.segment);
        let locations = self.encode(batch, next.segment, self.buffer.len() as u64);
        next.begin(&self.dir, &self.buffer)?;
        self.count_sync();
        self.open = OpenSegment {
            file: Arc::new(next.file),
            bytes: next.bytes,
        };
        self.segment = next.segment;
        self.offset = 0;
        let mut state = self.shared.lock();
        state.segments.insert(self.segment, self.open.clone());
        carry::publish(&mut state, &carried, &carried_to).map_err(io::Error::other)?;
        drop(state);
        self.jobs
            .send(Job::Prepare(self.segment + 1))
            .map_err(|_| io::Error::other("the housekeeper ended"))?;
        Ok(locations)
    }

    fn encode_carried(&mut self, carried: &[Carried], segment: u64) -> Vec<Location> {
        let mut out = BatchEncoder::begin(segment, self.buffer.len() as u64, &mut self.buffer);
        let push = |it: &Carried| out.push(Kind::Carried, it.group, it.index, &it.data);
        let locations = carried.iter().map(push).collect();
        out.finish(self.sequence);
        self.sequence += u64::from(!carried.is_empty());
        locations
    }

    fn encode(&mut self, batch: &Batch, segment: u64, offset: u64) -> Vec<Location> {
        let mut out = BatchEncoder::begin(segment, offset, &mut self.buffer);
        let mut locations = Vec::new();
        for Call { group, change, .. } in &batch.calls {
            match change {
                Change::Append(records) => locations.extend(
                    records
                        .iter()
                        .map(|record| out.push(Kind::Entry, *group, record.index, &record.data)),
                ),
                Change::Truncate(Some(keep)) => _ = out.push(Kind::Truncate, *group, *keep, &[1]),
                Change::Truncate(None) => _ = out.push(Kind::Truncate, *group, 0, &[0]),
                Change::Purge(index, log_id) => _ = out.push(Kind::Purge, *group, *index, log_id),
                Change::Vote(vote) => _ = out.push(Kind::Vote, *group, 0, vote),
                Change::Nothing | Change::Refused(_) => {}
            }
        }
        for (group, committed) in &batch.committed {
            out.push(Kind::Committed, *group, 0, committed);
        }
        let holds_frames = !out.is_empty();
        out.finish(self.sequence);
        self.sequence += u64::from(holds_frames);
        locations
    }

    fn count_sync(&self) {
        let mut state = self.shared.lock();
        state.stats.syncs += 1;
        state.stats.batches += 1;
        state.stats.bytes += self.buffer.len() as u64;
    }

    /// Publishes what is durable now, completes the calls, and lets go of segments that nobody needs.
    fn complete(&mut self, batch: Batch, locations: &[Location]) {
        self.offset += self.buffer.len() as u64;
        let mut state = self.shared.lock();
        if let Err(damage) = publish(&mut state, &batch, locations) {
            drop(state);
            return self.fail(batch, &io::Error::other(damage));
        }
        state.evict(&batch, self.shared.bounds.cache_bytes);
        state.count_calls(&batch);
        let needed = state.oldest_needed().map_or(self.segment, |(segment, _)| segment);
        let oldest = state.segments.keys().next().copied().unwrap_or(needed);
        drop(state);
        for call in batch.calls {
            (call.done)(Ok(()));
        }
        if oldest < needed && self.removed_before < needed {
            // A full queue means that the housekeeper is busy; the next batch asks again.
            let asked = self.jobs.try_send(Job::RemoveBefore(needed));
            self.removed_before = if asked.is_ok() { needed } else { 0 };
        }
    }

    fn fail(&self, batch: Batch, error: &io::Error) {
        let same = || io::Error::new(error.kind(), error.to_string());
        let mut state = self.shared.lock();
        if state.failed.is_none() {
            tracing::error!(%error, "the log stops: a write failed");
            state.failed = Some(Arc::new(same()));
        }
        state.count_calls(&batch);
        drop(state);
        for call in batch.calls {
            (call.done)(Err(same()));
        }
    }
}

/// The header and the checkpoint that begin a segment.
pub(crate) fn first_bytes(segment: u64, sequence: u64, state: &State, out: &mut Vec<u8>) {
    out.extend_from_slice(&frame::header(segment));
    let mut checkpoint = BatchEncoder::begin(segment, out.len() as u64, out);
    // A batch is never empty: the checkpoint of an empty log says so of group 0.
    checkpoint.push(Kind::Held, eunoe_types::GroupId(0), 0, &1u64.to_le_bytes());
    for (id, group) in &state.groups {
        group.written.write_checkpoint(*id, &mut checkpoint);
    }
    checkpoint.finish(sequence);
}

/// Brings the written side of the groups in step with a batch.
fn publish(state: &mut State, batch: &Batch, locations: &[Location]) -> Result<(), frame::Damage> {
    let mut locations = locations.iter();
    for Call { group, change, .. } in &batch.calls {
        let written = &mut state.groups.entry(*group).or_default().written;
        match change {
            Change::Append(records) => {
                for (record, at) in records.iter().zip(locations.by_ref()) {
                    written.append(record.index, *at)?;
                }
                state.stats.records += records.len() as u64;
            }
            Change::Truncate(keep) => written.truncate_after(*keep),
            Change::Purge(index, log_id) => written.purge(*index, log_id.clone()),
            Change::Vote(vote) => written.vote = Some(vote.clone()),
            Change::Nothing | Change::Refused(_) => {}
        }
    }
    for (group, committed) in &batch.committed {
        state.groups.entry(*group).or_default().written.committed = Some(committed.clone());
    }
    state.written_call = batch.last_call;
    Ok(())
}

impl State {
    /// Every group has the same share of the memory for records that are written.
    fn evict(&mut self, batch: &Batch, cache_bytes: usize) {
        let share = cache_bytes / self.groups.len().max(1);
        for call in &batch.calls {
            if let Some(group) = self.groups.get_mut(&call.group) {
                group.called.evict(self.written_call, share);
            }
        }
    }

    fn count_calls(&mut self, batch: &Batch) {
        self.stats.calls += batch.calls.len() as u64;
        let waits = batch
            .calls
            .iter()
            .map(|call| call.since.elapsed().as_micros() as u64);
        self.stats.wait_us += waits.sum::<u64>();
        self.oldest_since = self.queue.front().map(|call| call.since);
    }
}
