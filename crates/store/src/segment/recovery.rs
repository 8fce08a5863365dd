//! Reads the segment files back and decides what a crash can explain.
//!
//! A crash can explain one thing: that the last batch of the last segment is not whole, with nothing after it;
//! such a tail is cut. All else is damage and a fault: nothing is ever dropped to make a log readable.
//! This module only reads, so that `fsck` can use it too.

use std::collections::BTreeMap;
use std::path::Path;

use eunoe_types::{Fault, GroupId};

use super::file;
use super::frame::{self, BATCH_HEAD_BYTES, Damage, FRAME_HEAD_BYTES, Frame, HEADER_BYTES, Kind, Location};
use super::written::{Checkpoint, Written};
use crate::disk;

/// What the segments read so far hold.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    pub(crate) groups: BTreeMap<GroupId, Written>,
    pub(crate) segments: Vec<u64>,
    /// The sequence of the next batch; unknown before the first segment.
    pub(crate) next_sequence: Option<u64>,
    /// Where the last segment's batches end.
    pub(crate) end: u64,
    /// Whether bytes of a torn batch stand behind the end.
    pub(crate) torn: bool,
    pub(crate) records: u64,
}

/// Where in a segment file damage is.
#[derive(Debug)]
pub(crate) struct DamageAt {
    pub(crate) offset: u64,
    pub(crate) damage: Damage,
}

/// Reads all segments of a directory.
pub(crate) fn recover(dir: &Path) -> Result<Recovered, Fault> {
    let segments = file::list(dir)?;
    let mut recovered = Recovered::default();
    for segment in &segments {
        let path = file::path(dir, *segment);
        let bytes = std::fs::read(&path).map_err(disk::fault("read", &path))?;
        let is_last = Some(segment) == segments.last();
        recovered
            .read_segment(*segment, &bytes, is_last)
            .map_err(|DamageAt { offset, damage }| {
                Fault::broken(format!(
                    "{} is damaged at byte {offset}: {damage}",
                    path.display()
                ))
            })?;
    }
    recovered.check_whole()?;
    Ok(recovered)
}

impl Recovered {
    /// Takes in the next segment's bytes.
    pub(crate) fn read_segment(&mut self, segment: u64, bytes: &[u8], is_last: bool) -> Result<(), DamageAt> {
        let at = |offset| move |damage| DamageAt { offset, damage };
        if self.segments.last().is_some_and(|before| before + 1 != segment) {
            return Err(at(0)(Damage("a segment is missing before it")));
        }
        frame::check_header(segment, bytes).map_err(at(0))?;
        self.end = HEADER_BYTES as u64;
        let checkpoint = read_batch(segment, self.end, bytes).map_err(at(self.end))?;
        self.check_sequence(checkpoint.sequence).map_err(at(self.end))?;
        self.take_checkpoint(&checkpoint).map_err(at(self.end))?;
        self.segments.push(segment);
        loop {
            match read_batch(segment, self.end, bytes) {
                Err(damage) => {
                    return self
                        .end_segment(segment, bytes, is_last, damage)
                        .map_err(at(self.end));
                }
                Ok(batch) => self.take_batch(&batch).map_err(at(self.end))?,
            }
        }
    }

    /// Checks that no group misses a record.
    pub(crate) fn check_whole(&self) -> Result<(), Fault> {
        match self.groups.iter().find(|(_, written)| !written.is_whole()) {
            Some((group, _)) => Err(Fault::broken(format!(
                "the log of group {group} has a hole: a segment is missing"
            ))),
            None => Ok(()),
        }
    }

    fn check_sequence(&mut self, found: u64) -> Result<(), Damage> {
        if self.next_sequence.is_some_and(|expected| expected != found) {
            return Err(Damage("a batch is missing before this one"));
        }
        let next = found
            .checked_add(1)
            .ok_or(Damage("a batch's sequence is out of its range"))?;
        self.next_sequence = Some(next);
        Ok(())
    }

    /// The oldest checkpoint is where the log begins; every other must say what was read before it.
    fn take_checkpoint(&mut self, batch: &Batch<'_>) -> Result<(), Damage> {
        let mut found: BTreeMap<GroupId, Checkpoint> = BTreeMap::new();
        for (frame, _) in &batch.frames {
            found.entry(frame.group).or_default().apply(frame)?;
        }
        if self.segments.is_empty() {
            self.groups = found
                .into_iter()
                .map(|(group, found)| (group, found.into_written()))
                .collect();
        } else {
            let expected = self
                .groups
                .iter()
                .map(|(group, written)| (*group, written.checkpoint()));
            let is_known = |(_, checkpoint): &(GroupId, Checkpoint)| *checkpoint != Checkpoint::default();
            if !expected.filter(is_known).eq(found.into_iter().filter(is_known)) {
                return Err(Damage("its checkpoint contradicts the segments before it"));
            }
        }
        self.end = batch.end;
        Ok(())
    }

    fn take_batch(&mut self, batch: &Batch<'_>) -> Result<(), Damage> {
        self.check_sequence(batch.sequence)?;
        for (frame, location) in &batch.frames {
            self.groups
                .entry(frame.group)
                .or_default()
                .apply(frame, *location)?;
            self.records += u64::from(frame.kind == Kind::Entry);
        }
        self.end = batch.end;
        Ok(())
    }

    /// Judges what stands behind the last whole batch.
    fn end_segment(
        &mut self,
        segment: u64,
        bytes: &[u8],
        is_last: bool,
        damage: Damage,
    ) -> Result<(), Damage> {
        let rest = bytes.get(self.end as usize..).unwrap_or_default();
        if rest.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        if !is_last {
            return Err(damage);
        }
        if self.later_batch_exists(segment, bytes) {
            return Err(Damage("a batch is damaged, and later ones exist"));
        }
        self.torn = true;
        Ok(())
    }

    /// Whether a batch that can only have been written after the one at the end was durable stands behind it.
    fn later_batch_exists(&self, segment: u64, bytes: &[u8]) -> bool {
        let head =
            |at: usize| frame::read_batch_head(segment, at as u64, bytes.get(at..).unwrap_or_default());
        let end = self.end as usize;
        let from = match head(end) {
            Ok((frames_bytes, _)) => end + BATCH_HEAD_BYTES + frames_bytes,
            Err(_) => end + 1,
        };
        let expected = self.next_sequence.unwrap_or_default();
        let plausible = expected.saturating_add(1)..=expected.saturating_add(bytes.len() as u64);
        (from..bytes.len()).any(|at| head(at).is_ok_and(|(_, sequence)| plausible.contains(&sequence)))
    }
}

struct Batch<'a> {
    sequence: u64,
    frames: Vec<(Frame<'a>, Location)>,
    end: u64,
}

/// The batch at `offset`, if all of it is whole.
fn read_batch(segment: u64, offset: u64, bytes: &[u8]) -> Result<Batch<'_>, Damage> {
    let at_offset = bytes.get(offset as usize..).unwrap_or_default();
    let (frames_bytes, sequence) = frame::read_batch_head(segment, offset, at_offset)?;
    let mut rest = at_offset.get(BATCH_HEAD_BYTES..BATCH_HEAD_BYTES + frames_bytes);
    let end = offset + (BATCH_HEAD_BYTES + frames_bytes) as u64;
    let mut frames = Vec::new();
    while let Some(bytes) = rest.filter(|rest| !rest.is_empty()) {
        let at = end - bytes.len() as u64;
        let (frame, frame_bytes) = frame::read_frame(segment, at, bytes)?;
        let data_bytes = (frame_bytes - FRAME_HEAD_BYTES) as u32;
        frames.push((
            frame,
            Location {
                segment,
                offset: at as u32,
                data_bytes,
            },
        ));
        rest = bytes.get(frame_bytes..);
    }
    match rest {
        Some(_) => Ok(Batch {
            sequence,
            frames,
            end,
        }),
        None => Err(Damage("the file ends inside a batch")),
    }
}
