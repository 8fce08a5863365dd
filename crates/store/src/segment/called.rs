//! A group's log as its callers see it: every call made counts, durable or not.
//!
//! Holds the records that are not written yet and, within its share of memory, the newest of the others.

use std::collections::VecDeque;

use bytes::Bytes;

use super::written::Written;
use crate::span::Span;
use crate::{GroupLog, LogRecord};

/// A group as called.
#[derive(Debug, Default)]
pub(crate) struct Called {
    pub(crate) vote: Option<Bytes>,
    pub(crate) committed: Option<Bytes>,
    pub(crate) purged: Option<(u64, Bytes)>,
    pub(crate) span: Span,
    /// Bytes of all records of `span`.
    pub(crate) live_bytes: u64,
    /// The last records of `span`, each with the number of the call that brought it.
    tail: VecDeque<(u64, Bytes)>,
    tail_bytes: usize,
}

impl Called {
    /// The callers' view of a group that was just recovered.
    pub(crate) fn recovered(written: &Written) -> Self {
        Self {
            vote: written.vote.clone(),
            committed: written.committed.clone(),
            purged: written.purged.clone(),
            span: written.span,
            live_bytes: written.data_bytes(),
            ..Self::default()
        }
    }

    pub(crate) fn summary(&self) -> GroupLog {
        GroupLog {
            vote: self.vote.clone(),
            committed: self.committed.clone(),
            purged: self.purged.clone(),
            first: self.span.first(),
            last: self.span.last(),
        }
    }

    /// Takes in the records of call number `call`, all or none.
    pub(crate) fn append(&mut self, call: u64, records: &[LogRecord]) -> Result<(), &'static str> {
        let purged = self.purged.as_ref().map(|(index, _)| *index);
        let mut span = self.span;
        records
            .iter()
            .try_for_each(|record| span.append(record.index, purged))?;
        self.span = span;
        for record in records {
            self.tail_bytes += record.data.len();
            self.live_bytes += record.data.len() as u64;
            self.tail.push_back((call, record.data.clone()));
        }
        Ok(())
    }

    pub(crate) fn truncate_after(&mut self, keep: Option<u64>, written: &Written) {
        while let Some(last) = self
            .span
            .last()
            .filter(|last| keep.is_none_or(|keep| *last > keep))
        {
            self.forget_bytes(last, written);
            self.tail.pop_back();
            self.span.truncate_after(last.checked_sub(1));
        }
    }

    pub(crate) fn purge(&mut self, index: u64, log_id: Bytes, written: &Written) {
        self.purged = Some((index, log_id));
        while let Some(first) = self.span.first().filter(|first| *first <= index) {
            self.forget_bytes(first, written);
            if self.tail.len() as u64 == self.span.count() {
                self.tail.pop_front();
            }
            self.span.purge(first);
        }
    }

    fn forget_bytes(&mut self, index: u64, written: &Written) {
        let in_memory = self.cached(index).map(Bytes::len);
        if let Some(bytes) = in_memory {
            self.tail_bytes -= bytes;
        }
        let in_file = || written.locate(index).map_or(0, |at| at.data_bytes as usize);
        self.live_bytes -= in_memory.unwrap_or_else(in_file) as u64;
    }

    /// The record `index`, if memory holds it.
    pub(crate) fn cached(&self, index: u64) -> Option<&Bytes> {
        let from_end = self.span.last()?.checked_sub(index)?;
        let at = (self.tail.len() as u64).checked_sub(from_end + 1)?;
        self.tail.get(at as usize).map(|(_, data)| data)
    }

    /// Lets go of the oldest records in memory that call number `written` or an earlier one brought, until the
    /// rest fits `bytes_max`.
    pub(crate) fn evict(&mut self, written: u64, bytes_max: usize) {
        while self.tail_bytes > bytes_max {
            match self.tail.front() {
                Some((call, data)) if *call <= written => self.tail_bytes -= data.len(),
                _ => break,
            }
            self.tail.pop_front();
        }
    }
}
