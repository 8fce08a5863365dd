//! Carrying old records forward: what keeps the log's disk use within a multiple of what it must hold.
//!
//! Segments go in order, the oldest first. A group that cannot purge (it lost its quorum, or lags) would keep
//! every segment written after its oldest record. So whenever a segment is begun and the files take much more
//! than what is held in them, records of the oldest segment are written again into the new one. It costs at
//! most a fixed share of the new segment, and nothing as long as all groups purge.

use bytes::Bytes;
use eunoe_types::{Fault, GroupId};

use super::file;
use super::frame::{Damage, FRAME_HEAD_BYTES, Location};
use super::shared::{OpenSegment, Shared, State};

/// Files may take this many times the bytes that are held, and so many segments more.
const SLACK: u64 = 4;
/// The share of a new segment that carried records may take: one in so many.
const SHARE: u64 = 4;

/// A record that is written again.
pub(crate) struct Carried {
    pub(crate) group: GroupId,
    pub(crate) index: u64,
    pub(crate) data: Bytes,
}

/// What the next segment, of `segment_bytes`, must take over; mostly nothing.
///
/// Contents are read from the file: memory may already hold another record under the index, one that was
/// appended after a truncation that still waits to be written.
pub(crate) fn choose(shared: &Shared, segment_bytes: u64) -> Result<Vec<Carried>, Fault> {
    let chosen = shared.lock().to_carry(segment_bytes);
    let Some((open, records)) = chosen else {
        return Ok(Vec::new());
    };
    let read = records.into_iter().map(|(group, index, at)| {
        let data = file::read_record(&open.file, at, group, index)?;
        Ok(Carried { group, index, data })
    });
    read.collect()
}

/// Takes note of where the records stand now.
pub(crate) fn publish(state: &mut State, carried: &[Carried], to: &[Location]) -> Result<(), Damage> {
    for (Carried { group, index, .. }, at) in carried.iter().zip(to) {
        state
            .groups
            .entry(*group)
            .or_default()
            .written
            .carry(*index, *at)?;
    }
    state.stats.carried += carried.len() as u64;
    Ok(())
}

type Chosen = (OpenSegment, Vec<(GroupId, u64, Location)>);

impl State {
    fn to_carry(&self, segment_bytes: u64) -> Option<Chosen> {
        let on_disk: u64 = self.segments.values().map(|segment| segment.bytes).sum();
        let head_bytes = FRAME_HEAD_BYTES as u64;
        let held = self
            .groups
            .values()
            .map(|group| group.called.live_bytes + group.called.span.count() * head_bytes);
        if on_disk <= SLACK * (held.sum::<u64>() + segment_bytes) {
            return None;
        }
        let (oldest, _) = self.oldest_needed()?;
        let open = self.segments.get(&oldest)?.clone();
        let records = self.groups.iter().flat_map(|(id, group)| {
            let records = group.written.records_in(oldest);
            records.map(|(index, at)| (*id, index, at))
        });
        let mut budget = segment_bytes / SHARE;
        let fitting = records.take_while(|(_, _, at)| {
            let fits = budget > 0;
            budget = budget.saturating_sub(head_bytes + u64::from(at.data_bytes));
            fits
        });
        Some((open, fitting.collect()))
    }
}
