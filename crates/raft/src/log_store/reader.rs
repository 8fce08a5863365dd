//! Reading the log, bounded in bytes.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};

use eunoe_store::{LogEngine, LogRecord};
use eunoe_types::Fault;
use futures::stream::{self, Stream};
use openraft::{OptionalSend, RaftLogReader};

use super::LogStore;
use crate::codec::{decode_entry, decode_stored_vote};
use crate::types::{Entry, TypeConfig, Vote};

/// Bytes of entries read at once, and thus of one append request; a single entry may be larger.
const READ_BYTES_MAX: usize = 1024 * 1024;

impl<L: LogEngine> LogStore<L> {
    /// The range as `[from, to)` within what the log holds.
    fn held(&self, range: &impl RangeBounds<u64>) -> (u64, u64) {
        let from = match range.start_bound() {
            Bound::Included(from) => *from,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let to = match range.end_bound() {
            Bound::Included(last) => last.saturating_add(1),
            Bound::Excluded(to) => *to,
            Bound::Unbounded => u64::MAX,
        };
        let log = self.engine.group(self.group);
        match (log.first, log.last) {
            (Some(first), Some(last)) => (from.max(first), to.min(last.saturating_add(1))),
            _ => (from, from),
        }
    }

    /// Reads entries from `from` on, at least one, and as many of those before `to` as fit.
    fn read_some(&self, from: u64, to: u64) -> Result<Vec<Entry>, io::Error> {
        let records = self.engine.read(self.group, from, to, READ_BYTES_MAX)?;
        if records.is_empty() {
            return Err(Fault::broken(format!("the log lacks entry {from}")).into());
        }
        let mut entries = Vec::with_capacity(records.len());
        for (record, index) in records.iter().zip(from..) {
            entries.push(checked(record, index)?);
        }
        Ok(entries)
    }

    fn read_all(&self, mut from: u64, to: u64) -> Result<Vec<Entry>, io::Error> {
        let mut entries = Vec::new();
        while from < to {
            let some = self.read_some(from, to)?;
            from += some.len() as u64;
            entries.extend(some);
        }
        Ok(entries)
    }
}

fn checked(record: &LogRecord, index: u64) -> Result<Entry, Fault> {
    let entry = decode_entry(&record.data)?;
    if record.index != index || entry.log_id.index != index {
        return Err(Fault::broken(format!(
            "the log has another entry where {index} should be"
        )));
    }
    Ok(entry)
}

impl<L: LogEngine> RaftLogReader<TypeConfig> for LogStore<L> {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, io::Error> {
        let (from, to) = self.held(&range);
        self.read_all(from, to)
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>, io::Error> {
        let (from, to) = self.held(&(start..end));
        if from >= to {
            Ok(Vec::new())
        } else {
            self.read_some(from, to)
        }
    }

    async fn entries_stream<RB>(
        &mut self,
        range: RB,
    ) -> impl Stream<Item = Result<Entry, io::Error>> + OptionalSend
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let (from, to) = self.held(&range);
        let log = self.clone();
        // One read ahead in memory at a time, however much there is to apply.
        stream::unfold((from, Vec::new().into_iter()), move |(mut from, mut entries)| {
            let log = log.clone();
            async move {
                if let Some(entry) = entries.next() {
                    return Some((Ok(entry), (from, entries)));
                }
                if from >= to {
                    return None;
                }
                match log.read_some(from, to) {
                    Ok(read) => {
                        from += read.len() as u64;
                        entries = read.into_iter();
                        entries.next().map(|entry| (Ok(entry), (from, entries)))
                    }
                    Err(error) => Some((Err(error), (to, entries))),
                }
            }
        })
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        let vote = self.engine.group(self.group).vote;
        Ok(vote
            .map(|vote| decode_stored_vote(&vote))
            .transpose()
            .map_err(Fault::from)?)
    }
}
