//! Reading records back: from memory if they are there, else from the segment files.

use bytes::Bytes;
use eunoe_types::{Fault, GroupId};

use super::file;
use super::frame::Location;
use super::shared::{Group, OpenSegment, Shared, State};
use super::written::Written;
use crate::LogRecord;

/// Where a record is read from.
enum Source {
    Memory(Bytes),
    File(OpenSegment, Location),
}

/// Reads records of `[from, to)`, at least one if there is any, then as many as fit `bytes_max`. Files are read
/// without the lock.
pub(crate) fn read(
    shared: &Shared,
    group: GroupId,
    from: u64,
    to: u64,
    bytes_max: usize,
) -> Result<Vec<LogRecord>, Fault> {
    let wanted = shared.lock().wanted(group, from, to, bytes_max)?;
    let read = wanted.into_iter().map(|(index, source)| {
        let data = match source {
            Source::Memory(data) => data,
            Source::File(open, at) => file::read_record(&open.file, at, group, index)?,
        };
        Ok(LogRecord { index, data })
    });
    read.collect()
}

impl State {
    /// Where the records of a range are, as many as fit. An open file stays readable after it was removed.
    fn wanted(
        &self,
        group: GroupId,
        from: u64,
        to: u64,
        bytes_max: usize,
    ) -> Result<Vec<(u64, Source)>, Fault> {
        let Some(Group { called, written }) = self.groups.get(&group) else {
            return Ok(Vec::new());
        };
        let range = called.span.clip(from, to);
        let mut wanted = Vec::new();
        let mut total = 0usize;
        for index in range
            .first()
            .into_iter()
            .flat_map(|first| first..=range.last().unwrap_or(first))
        {
            let (bytes, source) = match called.cached(index) {
                Some(data) => (data.len(), Source::Memory(data.clone())),
                None => self.in_file(group, index, written)?,
            };
            total += bytes;
            if total > bytes_max && !wanted.is_empty() {
                break;
            }
            wanted.push((index, source));
        }
        Ok(wanted)
    }

    fn in_file(&self, group: GroupId, index: u64, written: &Written) -> Result<(usize, Source), Fault> {
        let at = written.locate(index);
        let found = at.and_then(|at| Some((at, self.segments.get(&at.segment)?.clone())));
        let (at, open) = found.ok_or_else(|| {
            Fault::broken(format!(
                "record {index} of group {group} is neither in memory nor in a segment"
            ))
        })?;
        Ok((at.data_bytes as usize, Source::File(open, at)))
    }
}
