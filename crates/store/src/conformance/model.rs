//! A log engine against the simplest model of it: a map per group.

use std::collections::BTreeMap;

use bytes::Bytes;
use eunoe_types::GroupId;

use super::log::{LogHarness, completion, record};
use crate::{GroupLog, LogEngine, LogRecord};

/// One call, in terms that always make a legal one.
#[derive(Clone, Debug)]
pub enum LogStep {
    /// Append so many records of so many bytes.
    Append(u8, u8, u16),
    /// Drop so many records from the end; `None` drops all.
    Truncate(u8, Option<u8>),
    /// Purge up to so many before the end, or beyond it.
    Purge(u8, i8),
    /// Save a vote.
    Vote(u8, u8),
    /// Save a committed position.
    Committed(u8, u8),
    /// Read back a range and compare.
    Read(u8, u8, u8, u16),
    /// End in an orderly way and open again.
    Reopen,
}

#[derive(Default)]
struct Model {
    records: BTreeMap<u64, Bytes>,
    vote: Option<Bytes>,
    committed: Option<Bytes>,
    purged: Option<(u64, Bytes)>,
}

impl Model {
    fn next(&self) -> u64 {
        let last = self.records.keys().next_back().copied();
        last.or(self.purged.as_ref().map(|(index, _)| *index))
            .map_or(1, |before| before + 1)
    }

    fn summary(&self) -> GroupLog {
        GroupLog {
            vote: self.vote.clone(),
            committed: self.committed.clone(),
            purged: self.purged.clone(),
            first: self.records.keys().next().copied(),
            last: self.records.keys().next_back().copied(),
        }
    }

    fn read(&self, from: u64, to: u64, bytes_max: usize) -> Vec<LogRecord> {
        let mut bytes = 0;
        let mut read: Vec<LogRecord> = Vec::new();
        for (index, data) in self.records.range(from..to.max(from)) {
            bytes += data.len();
            if bytes > bytes_max && !read.is_empty() {
                break;
            }
            read.push(LogRecord {
                index: *index,
                data: data.clone(),
            });
        }
        read
    }
}

/// Runs `steps` on an engine and on the model, and compares all groups after each step.
pub fn check_log_steps<H: LogHarness>(harness: &mut H, steps: &[LogStep]) {
    let mut log = harness.create();
    let mut models: BTreeMap<GroupId, Model> = BTreeMap::new();
    for step in steps {
        if matches!(step, LogStep::Reopen) {
            log = harness.reopen(log);
        } else {
            run(&log, &mut models, step);
        }
        for (group, model) in &models {
            assert_eq!(log.group(*group), model.summary(), "group {group} after {step:?}");
            let live: usize = model.records.values().map(Bytes::len).sum();
            assert_eq!(
                log.live_bytes(*group),
                live as u64,
                "live bytes of group {group} after {step:?}"
            );
        }
    }
    let log = harness.reopen(log);
    for (group, model) in &models {
        let all = log.read(*group, 0, u64::MAX, usize::MAX).expect("it reads");
        assert_eq!(
            all,
            model.read(0, u64::MAX, usize::MAX),
            "group {group} at the end"
        );
    }
}

fn run<L: LogEngine>(log: &L, models: &mut BTreeMap<GroupId, Model>, step: &LogStep) {
    let (LogStep::Append(group, ..)
    | LogStep::Truncate(group, _)
    | LogStep::Purge(group, _)
    | LogStep::Vote(group, _)
    | LogStep::Committed(group, _)
    | LogStep::Read(group, ..)) = step
    else {
        return;
    };
    let group = GroupId(u32::from(*group));
    let model = models.entry(group).or_default();
    let next = model.next();
    // Completions are checked elsewhere; here calls overlap.
    let (done, _completed) = completion();
    let done: crate::Completion = Box::new(move |result| {
        result.expect("every step is legal");
        drop(done);
    });
    match step {
        LogStep::Append(_, count, bytes) => {
            let records: Vec<LogRecord> = (next..next + u64::from(*count))
                .map(|index| record(index, usize::from(*bytes)))
                .collect();
            model
                .records
                .extend(records.iter().map(|record| (record.index, record.data.clone())));
            log.append(group, records, done);
        }
        LogStep::Truncate(_, dropped) => {
            let keep = dropped.map(|dropped| (next - 1).saturating_sub(u64::from(dropped)));
            model
                .records
                .retain(|index, _| keep.is_some_and(|keep| *index <= keep));
            log.truncate_after(group, keep, done);
        }
        LogStep::Purge(_, distance) => {
            let index = (next - 1).saturating_add_signed(i64::from(*distance));
            let log_id = Bytes::from(index.to_le_bytes().to_vec());
            if model.purged.as_ref().is_none_or(|(purged, _)| *purged < index) {
                model.purged = Some((index, log_id.clone()));
                model.records.retain(|held, _| *held > index);
            }
            log.purge(group, index, log_id, done);
        }
        LogStep::Vote(_, vote) => {
            model.vote = Some(Bytes::from(vec![*vote]));
            log.save_vote(group, Bytes::from(vec![*vote]), done);
        }
        LogStep::Committed(_, committed) => {
            model.committed = Some(Bytes::from(vec![*committed]));
            log.save_committed(group, Bytes::from(vec![*committed]));
        }
        LogStep::Read(_, back, count, bytes_max) => {
            let from = next.saturating_sub(u64::from(*back));
            let (to, bytes_max) = (from + u64::from(*count), usize::from(*bytes_max));
            let read = log.read(group, from, to, bytes_max).expect("it reads");
            assert_eq!(read, model.read(from, to, bytes_max), "{step:?}");
        }
        LogStep::Reopen => {}
    }
}
