//! openraft's log over the node's shared [`LogEngine`].
//!
//! Any failure of the engine comes back as an `io::Error`, which ends the group (openraft calls it fatal): the
//! engine is fail-stop, and the node must stop and say why.

mod meter;
mod reader;

use std::io;
use std::sync::Arc;

use eunoe_store::{Completion, LogEngine, LogRecord};
use eunoe_types::{Fault, GroupId};
use openraft::OptionalSend;
use openraft::entry::RaftEntry;
use openraft::storage::{IOFlushed, LogState, RaftLogStorage};
use tokio::sync::oneshot;

pub(crate) use meter::LogMeter;

use crate::alive::Alive;
use crate::codec::{decode_entry, decode_log_id, encode_entry, encode_log_id, encode_stored_vote};
use crate::types::{Entry, LogId, TypeConfig, Vote};

/// The log of one group.
pub(crate) struct LogStore<L> {
    group: GroupId,
    engine: L,
    meter: Arc<LogMeter>,
    _alive: Alive,
}

impl<L: LogEngine> LogStore<L> {
    /// The log of `group` in `engine`.
    pub(crate) fn new(group: GroupId, engine: L, alive: Alive) -> Self {
        let meter = LogMeter::new(engine.group(group).last, {
            let engine = engine.clone();
            move || engine.live_bytes(group)
        });
        Self {
            group,
            engine,
            meter: Arc::new(meter),
            _alive: alive,
        }
    }

    /// What is known about the log's bytes.
    pub(crate) fn meter(&self) -> Arc<LogMeter> {
        Arc::clone(&self.meter)
    }

    /// Removes the entries from `index` on, durably.
    pub(crate) async fn truncate_before(&self, index: u64) -> Result<(), io::Error> {
        self.truncate_to(index.checked_sub(1)).await
    }

    /// Removes the entries behind `last`, or all, durably.
    async fn truncate_to(&self, last: Option<u64>) -> Result<(), io::Error> {
        let (done, truncated) = awaited();
        self.meter.truncated(last);
        self.engine
            .truncate_after(self.group, last, self.meter.timed(done));
        durable(truncated).await
    }

    fn last_log_id(&self, last: u64) -> Result<LogId, Fault> {
        let records = self.engine.read(self.group, last, last + 1, 0)?;
        match records.first() {
            Some(record) if record.index == last => Ok(decode_entry(&record.data)?.log_id),
            _ => Err(Fault::broken("the log's last entry cannot be read")),
        }
    }
}

impl<L: LogEngine> Clone for LogStore<L> {
    fn clone(&self) -> Self {
        Self {
            group: self.group,
            engine: self.engine.clone(),
            meter: Arc::clone(&self.meter),
            _alive: self._alive.clone(),
        }
    }
}

/// A completion to await.
fn awaited() -> (Completion, oneshot::Receiver<Result<(), io::Error>>) {
    let (tx, rx) = oneshot::channel();
    (Box::new(move |result| drop(tx.send(result))), rx)
}

async fn durable(done: oneshot::Receiver<Result<(), io::Error>>) -> Result<(), io::Error> {
    done.await
        .unwrap_or_else(|_| Err(io::Error::other("the log's writer is gone")))
}

impl<L: LogEngine> RaftLogStorage<TypeConfig> for LogStore<L> {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, io::Error> {
        let log = self.engine.group(self.group);
        let purged = log
            .purged
            .map(|(_, id)| decode_log_id(&id))
            .transpose()
            .map_err(Fault::from)?;
        let last = log.last.map(|last| self.last_log_id(last)).transpose()?;
        Ok(LogState {
            last_purged_log_id: purged,
            last_log_id: last.or(purged),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        let (done, saved) = awaited();
        self.engine
            .save_vote(self.group, encode_stored_vote(vote), self.meter.timed(done));
        durable(saved).await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        // Only ever forwards: an older position after a crash costs a wait for the leader's word, no more.
        if let Some(id) = committed {
            self.engine.save_committed(self.group, encode_log_id(&id));
        }
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        let log = self.engine.group(self.group);
        let committed = log
            .committed
            .map(|id| decode_log_id(&id))
            .transpose()
            .map_err(Fault::from)?;
        // It is saved without a sync, beside entries that are synced: what a crash left may name an entry that
        // the log has no more, or another one.
        let last = self.get_log_state().await?.last_log_id;
        Ok(committed.filter(|committed| Some(committed) <= last.as_ref()))
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let record = |entry: Entry| LogRecord {
            index: entry.index(),
            data: encode_entry(&entry),
        };
        let records: Vec<LogRecord> = entries.into_iter().map(record).collect();
        self.meter.appended(&records);
        let done: Completion = Box::new(move |result| callback.io_completed(result));
        self.engine.append(self.group, records, self.meter.timed(done));
        Ok(())
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> Result<(), io::Error> {
        self.truncate_to(last_log_id.map(|id| id.index)).await
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), io::Error> {
        self.meter.purged(log_id.index);
        // Not awaited: openraft's core waits for this call, and a purge that a crash undoes is only done again.
        // If the write fails, so does the next append, and that ends the group.
        self.engine
            .purge(self.group, log_id.index, encode_log_id(&log_id), Box::new(drop));
        Ok(())
    }
}
