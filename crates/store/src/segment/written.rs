//! What the segment files hold of a group: the meaning of frames, in the order they were written.
//!
//! Recovery builds it from the files; the writer keeps it in step with what it made durable. A segment's
//! checkpoint and the question which segments may go are answered from here, never from calls that still wait.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use eunoe_types::GroupId;

use super::frame::{BatchEncoder, Damage, Frame, Kind, Location};
use crate::span::Span;

/// A group as written.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) vote: Option<Bytes>,
    pub(crate) committed: Option<Bytes>,
    pub(crate) purged: Option<(u64, Bytes)>,
    pub(crate) span: Span,
    /// Of the last records of `span`, those that were read or written since the oldest checkpoint.
    locations: VecDeque<Location>,
    /// Of records before those, where they were carried to. The others of them are nowhere while recovery has not yet
    /// read the purge that let their segment go, or the segment that they were carried to. Nothing stands for these: a
    /// checkpoint may say that it holds any number of records, and memory must not follow it.
    carried: BTreeMap<u64, Location>,
    /// How many records stand in each segment.
    in_segments: BTreeMap<u64, u64>,
}

/// What a checkpoint says of a group.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    vote: Option<Bytes>,
    committed: Option<Bytes>,
    purged: Option<(u64, Bytes)>,
    span: Span,
}

impl Written {
    /// Takes in a frame found or written at `at`.
    pub(crate) fn apply(&mut self, frame: &Frame<'_>, at: Location) -> Result<(), Damage> {
        let data = || Bytes::copy_from_slice(frame.data);
        match frame.kind {
            Kind::Entry => self.append(frame.index, at)?,
            Kind::Carried => self.carry(frame.index, at)?,
            Kind::Vote => self.vote = Some(data()),
            Kind::Committed => self.committed = Some(data()),
            Kind::Truncate => self.truncate_after((frame.data != [0]).then_some(frame.index)),
            Kind::Purge => self.purge(frame.index, data()),
            Kind::Held => return Err(Damage("a checkpoint's frame stands outside a checkpoint")),
        }
        Ok(())
    }

    pub(crate) fn append(&mut self, index: u64, at: Location) -> Result<(), Damage> {
        let purged = self.purged.as_ref().map(|(index, _)| *index);
        self.span.append(index, purged).map_err(Damage)?;
        self.locations.push_back(at);
        *self.in_segments.entry(at.segment).or_default() += 1;
        Ok(())
    }

    /// Takes note that a held record stands at `at` from now on.
    pub(crate) fn carry(&mut self, index: u64, at: Location) -> Result<(), Damage> {
        let held = self.offset(index).filter(|offset| *offset < self.span.count());
        let offset = held.ok_or(Damage("a record was carried that is not held"))?;
        let place = self.place(offset);
        let before = match place.and_then(|place| self.locations.get_mut(place)) {
            Some(place) => Some(std::mem::replace(place, at)),
            None => self.carried.insert(index, at),
        };
        *self.in_segments.entry(at.segment).or_default() += 1;
        self.forget(before);
        Ok(())
    }

    pub(crate) fn truncate_after(&mut self, keep: Option<u64>) {
        let before = self.before_locations();
        self.span.truncate_after(keep);
        // Those that were carried come before them and may stay: what goes is at the end.
        while before + self.locations.len() as u64 > self.span.count()
            && let Some(dropped) = self.locations.pop_back()
        {
            self.forget(Some(dropped));
        }
        self.forget_carried();
    }

    pub(crate) fn purge(&mut self, index: u64, log_id: Bytes) {
        self.purged = Some((index, log_id));
        self.span.purge(index);
        while self.locations.len() as u64 > self.span.count() {
            let dropped = self.locations.pop_front();
            self.forget(dropped);
        }
        self.forget_carried();
    }

    /// Forgets the carried records that are held no longer.
    fn forget_carried(&mut self) {
        let span = self.span;
        while let Some(first) = self.carried.first_entry()
            && span.first().is_none_or(|held| *first.key() < held)
        {
            let dropped = first.remove();
            self.forget(Some(dropped));
        }
        while let Some(last) = self.carried.last_entry()
            && span.last().is_none_or(|held| *last.key() > held)
        {
            let dropped = last.remove();
            self.forget(Some(dropped));
        }
    }

    fn forget(&mut self, dropped: Option<Location>) {
        let Some(Location { segment, .. }) = dropped else {
            return;
        };
        if let Some(records) = self.in_segments.get_mut(&segment) {
            *records -= 1;
            if *records == 0 {
                self.in_segments.remove(&segment);
            }
        }
    }

    /// Whether every record it holds is in a segment that exists.
    pub(crate) fn is_whole(&self) -> bool {
        self.carried.len() as u64 == self.before_locations()
    }

    /// How many held records come before those of `locations`.
    fn before_locations(&self) -> u64 {
        self.span.count() - self.locations.len() as u64
    }

    fn offset(&self, index: u64) -> Option<u64> {
        index.checked_sub(self.span.first()?)
    }

    /// The place in `locations` of the held record of this offset, if it is not before them.
    fn place(&self, offset: u64) -> Option<usize> {
        offset.checked_sub(self.before_locations())?.try_into().ok()
    }

    /// Where the record `index` is.
    pub(crate) fn locate(&self, index: u64) -> Option<Location> {
        match self.place(self.offset(index)?) {
            Some(place) => self.locations.get(place).copied(),
            None => self.carried.get(&index).copied(),
        }
    }

    /// The records in `segment`: index and place.
    pub(crate) fn records_in(&self, segment: u64) -> impl Iterator<Item = (u64, Location)> {
        let indexes = self.span.first().unwrap_or_default() + self.before_locations()..;
        let carried = self.carried.iter().map(|(index, at)| (*index, *at));
        carried
            .chain(indexes.zip(self.locations.iter().copied()))
            .filter(move |(_, at)| at.segment == segment)
    }

    /// Bytes of all its records.
    pub(crate) fn data_bytes(&self) -> u64 {
        let known = self.carried.values().chain(&self.locations);
        known.map(|at| u64::from(at.data_bytes)).sum()
    }

    /// The oldest segment that it needs.
    pub(crate) fn oldest_segment(&self) -> Option<u64> {
        self.in_segments.keys().next().copied()
    }

    /// Writes what a checkpoint keeps of it.
    pub(crate) fn write_checkpoint(&self, group: GroupId, out: &mut BatchEncoder<'_>) {
        if let Some(vote) = &self.vote {
            out.push(Kind::Vote, group, 0, vote);
        }
        if let Some(committed) = &self.committed {
            out.push(Kind::Committed, group, 0, committed);
        }
        if let Some((index, log_id)) = &self.purged {
            out.push(Kind::Purge, group, *index, log_id);
        }
        if let (Some(first), Some(last)) = (self.span.first(), self.span.last()) {
            out.push(Kind::Held, group, last, &first.to_le_bytes());
        }
    }

    /// What a checkpoint written now would say.
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        let Self {
            vote,
            committed,
            purged,
            span,
            ..
        } = self;
        Checkpoint {
            vote: vote.clone(),
            committed: committed.clone(),
            purged: purged.clone(),
            span: *span,
        }
    }
}

impl Checkpoint {
    /// Takes in a checkpoint's frame.
    pub(crate) fn apply(&mut self, frame: &Frame<'_>) -> Result<(), Damage> {
        let data = Bytes::copy_from_slice(frame.data);
        match frame.kind {
            Kind::Vote => self.vote = Some(data),
            Kind::Committed => self.committed = Some(data),
            Kind::Purge => self.purged = Some((frame.index, data)),
            Kind::Held => {
                let first = frame.data.try_into().map(u64::from_le_bytes);
                let first = first.map_err(|_| Damage("a checkpoint is malformed"))?;
                if frame.index == u64::MAX {
                    return Err(Damage("a checkpoint is malformed"));
                }
                self.span = Span::between(first, frame.index);
            }
            Kind::Entry | Kind::Truncate | Kind::Carried => {
                return Err(Damage("a checkpoint holds other frames"));
            }
        }
        Ok(())
    }

    /// The group as this checkpoint, the oldest there is, leaves it: its records are yet to be found or purged.
    pub(crate) fn into_written(self) -> Written {
        let Self {
            vote,
            committed,
            purged,
            span,
        } = self;
        Written {
            vote,
            committed,
            purged,
            span,
            ..Written::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(segment: u64, offset: u32) -> Location {
        Location {
            segment,
            offset,
            data_bytes: 1,
        }
    }

    /// Records 1 to 3 were carried to the segment behind the one that begins with a checkpoint of them, then 4 to 6 came.
    fn recovered() -> Written {
        let checkpoint = Checkpoint {
            span: Span::between(1, 3),
            ..Checkpoint::default()
        };
        let mut written = checkpoint.into_written();
        for index in 1..=3 {
            written.carry(index, at(2, index as u32)).expect("it is held");
        }
        for index in 4..=6 {
            written.append(index, at(3, index as u32)).expect("it follows");
        }
        written
    }

    #[test]
    fn records_stay_where_they_are_when_those_behind_carried_ones_are_cut_off() {
        for (keep, append) in [(5, 6), (4, 5), (3, 4), (2, 3)] {
            let mut written = recovered();
            written.truncate_after(Some(keep));
            written.append(append, at(4, append as u32)).expect("it follows");
            assert!(written.is_whole());
            for index in 1..=append {
                let segment = match index {
                    index if index == append => 4,
                    1..=3 => 2,
                    _ => 3,
                };
                let expected = at(segment, index as u32);
                assert_eq!(written.locate(index), Some(expected), "{index} of {keep}");
            }
            assert_eq!(written.locate(append + 1), None);
            let in_segments = |segment| written.records_in(segment).count() as u64;
            let counted: Vec<_> = written
                .in_segments
                .iter()
                .map(|(at, count)| (*at, *count))
                .collect();
            assert!(
                counted
                    .iter()
                    .all(|(segment, count)| in_segments(*segment) == *count),
                "{counted:?}"
            );
        }
    }

    #[test]
    fn carried_records_are_purged_before_the_others() {
        let mut written = recovered();
        written.purge(2, Bytes::new());
        assert_eq!((written.locate(2), written.locate(3)), (None, Some(at(2, 3))));
        written.purge(4, Bytes::new());
        assert_eq!((written.locate(4), written.locate(5)), (None, Some(at(3, 5))));
        assert_eq!(written.oldest_segment(), Some(3));
        written.truncate_after(None);
        assert_eq!(written.oldest_segment(), None);
    }
}
