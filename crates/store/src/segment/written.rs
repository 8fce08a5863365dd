//! What the segment files hold of a group: the meaning of frames, in the order they were written.
//!
//! Recovery builds it from the files; the writer keeps it in step with what it made durable. A segment's
//! checkpoint and the question which segments may go are answered from here, never from calls that still wait.

use std::collections::VecDeque;

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
    /// Of the last records of `span`. Of the first ones some lack while recovery has not yet read the purge
    /// that let their segment go.
    locations: VecDeque<Location>,
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
        Ok(())
    }

    pub(crate) fn truncate_after(&mut self, keep: Option<u64>) {
        let before = self.span.last();
        self.span.truncate_after(keep);
        let dropped = match (before, self.span.last()) {
            (Some(before), Some(last)) => before - last,
            _ => u64::MAX,
        };
        let kept = (self.locations.len() as u64).saturating_sub(dropped);
        self.locations.truncate(kept as usize);
    }

    pub(crate) fn purge(&mut self, index: u64, log_id: Bytes) {
        self.purged = Some((index, log_id));
        self.span.purge(index);
        let excess = (self.locations.len() as u64).saturating_sub(self.span.count());
        self.locations.drain(..excess as usize);
    }

    /// Whether every record it holds is in a segment that exists.
    pub(crate) fn is_whole(&self) -> bool {
        self.locations.len() as u64 == self.span.count()
    }

    /// Where the record `index` is.
    pub(crate) fn locate(&self, index: u64) -> Option<Location> {
        let from_end = self.span.last()?.checked_sub(index)?;
        let at = (self.locations.len() as u64).checked_sub(from_end + 1)?;
        self.locations.get(at as usize).copied()
    }

    /// Bytes of all its records.
    pub(crate) fn data_bytes(&self) -> u64 {
        self.locations.iter().map(|at| u64::from(at.data_bytes)).sum()
    }

    /// The oldest segment that it needs.
    pub(crate) fn oldest_segment(&self) -> Option<u64> {
        self.locations.front().map(|at| at.segment)
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
                self.span = Span::between(
                    first.map_err(|_| Damage("a checkpoint is malformed"))?,
                    frame.index,
                );
            }
            Kind::Entry | Kind::Truncate => return Err(Damage("a checkpoint holds other frames")),
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
            locations: VecDeque::new(),
        }
    }
}
