//! The log's twin.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use eunoe_types::{Fault, GroupId};

use crate::span::Span;
use crate::{Completion, GroupLog, LogEngine, LogRecord};

#[derive(Clone, Debug, Default)]
struct Group {
    vote: Option<Bytes>,
    committed: Option<Bytes>,
    purged: Option<(u64, Bytes)>,
    span: Span,
    records: BTreeMap<u64, Bytes>,
}

#[derive(Clone, Debug)]
enum Change {
    Append(Vec<LogRecord>),
    Truncate(Option<u64>),
    Purge(u64, Bytes),
    Vote(Bytes),
    Committed(Bytes),
}

impl Group {
    fn apply(&mut self, change: &Change) -> Result<(), &'static str> {
        match change {
            Change::Append(records) => return self.append(records),
            Change::Truncate(keep) => self.span.truncate_after(*keep),
            Change::Purge(index, log_id) => self.purge(*index, log_id),
            Change::Vote(vote) => self.vote = Some(vote.clone()),
            Change::Committed(committed) => self.committed = Some(committed.clone()),
        }
        let span = self.span;
        self.records
            .retain(|index, _| span.clip(*index, *index + 1).count() == 1);
        Ok(())
    }

    fn append(&mut self, records: &[LogRecord]) -> Result<(), &'static str> {
        let purged = self.purged.as_ref().map(|(index, _)| *index);
        let mut span = self.span;
        records
            .iter()
            .try_for_each(|record| span.append(record.index, purged))?;
        self.span = span;
        self.records
            .extend(records.iter().map(|record| (record.index, record.data.clone())));
        Ok(())
    }

    fn purge(&mut self, index: u64, log_id: &Bytes) {
        if self.purged.as_ref().is_none_or(|(purged, _)| *purged < index) {
            self.purged = Some((index, log_id.clone()));
            self.span.purge(index);
        }
    }

    fn bytes(&self) -> u64 {
        self.records.values().map(|data| data.len() as u64).sum()
    }
}

struct Pending {
    group: GroupId,
    change: Change,
    done: Option<Completion>,
    /// A sync lied about it: the caller takes it for durable.
    told: bool,
}

#[derive(Default)]
struct Disk {
    durable: BTreeMap<GroupId, Group>,
    called: BTreeMap<GroupId, Group>,
    pending: VecDeque<Pending>,
    /// Completions to be called in order, by one caller at a time, without the lock.
    ready: VecDeque<(Completion, bool)>,
    completing: bool,
    held: bool,
    sync_fails: bool,
    syncs_lie: bool,
    reads_fail: bool,
    failed: bool,
    dead: bool,
    syncs: u64,
}

/// A log in memory. As long as nothing else is ordered, each call is synced and completed before it returns.
#[derive(Clone)]
pub struct MemLog {
    disk: Arc<Mutex<Disk>>,
}

impl Default for MemLog {
    fn default() -> Self {
        Self::new()
    }
}

impl MemLog {
    /// An empty log.
    pub fn new() -> Self {
        Self { disk: Arc::default() }
    }

    /// From now on calls wait, readable and not durable, until [`MemLog::sync`] or [`MemLog::release`].
    pub fn hold(&self) {
        self.lock().held = true;
    }

    /// Syncs all that waits, and from now on each call at once.
    pub fn release(&self) {
        self.lock().held = false;
        self.sync(usize::MAX);
    }

    /// Makes the first `count` waiting calls durable and completes them, saved committed positions counted too.
    pub fn sync(&self, count: usize) {
        let mut disk = self.lock();
        disk.sync(count);
        drop(disk);
        self.complete();
    }

    /// Calls that wait, saved committed positions counted too.
    pub fn waiting(&self) -> usize {
        self.lock().pending.iter().filter(|pending| !pending.told).count()
    }

    /// Syncs made so far.
    pub fn syncs(&self) -> u64 {
        self.lock().syncs
    }

    /// Lets the next sync fail, and with it, as the contract says, every write after it.
    pub fn fail_next_sync(&self) {
        self.lock().sync_fails = true;
    }

    /// Lets syncs report success and make nothing durable, as disks do that ignore a flush, or no more: the next
    /// sync that does not lie makes durable what the others did not. It breaks the contract: a test that does not
    /// notice after a crash tests nothing.
    pub fn lose_syncs(&self, lose: bool) {
        self.lock().syncs_lie = lose;
    }

    /// Lets reads fail, or not.
    pub fn fail_reads(&self, fail: bool) {
        self.lock().reads_fail = fail;
    }

    /// Crashes and reopens: of the calls that were not durable the first `kept` survive, as when the last batch
    /// is torn; those that a sync lied about are counted. This handle and its clones are dead.
    pub fn crash(&self, kept: usize) -> Self {
        let mut disk = self.lock();
        disk.dead = true;
        disk.ready.clear();
        let mut durable = std::mem::take(&mut disk.durable);
        for pending in disk.pending.drain(..).take(kept) {
            let applied = durable.entry(pending.group).or_default().apply(&pending.change);
            applied.expect("it was applied to the callers' view, of which this is a prefix");
        }
        disk.pending.clear();
        let called = durable.clone();
        Self {
            disk: Arc::new(Mutex::new(Disk {
                durable,
                called,
                ..Disk::default()
            })),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call(&self, group: GroupId, change: Change, done: Option<Completion>) {
        let mut disk = self.lock();
        if disk.dead {
            return;
        }
        disk.failed |= disk.called.entry(group).or_default().apply(&change).is_err();
        if disk.failed {
            // It never reaches the disk, as in the production log.
            disk.ready.extend(done.map(|done| (done, false)));
        } else {
            let syncs = done.is_some() && !disk.held;
            disk.pending.push_back(Pending {
                group,
                change,
                done,
                told: false,
            });
            if syncs {
                disk.sync(usize::MAX);
            }
        }
        drop(disk);
        self.complete();
    }

    /// Calls what is ready. A completion that makes calls of its own only adds to the queue.
    fn complete(&self) {
        let mut disk = self.lock();
        if std::mem::replace(&mut disk.completing, true) {
            return;
        }
        while let Some((done, succeeded)) = disk.ready.pop_front() {
            drop(disk);
            done(if succeeded {
                Ok(())
            } else {
                Err(io::Error::other("a sync failed"))
            });
            disk = self.lock();
        }
        disk.completing = false;
    }
}

impl Disk {
    fn sync(&mut self, count: usize) {
        self.failed |= std::mem::take(&mut self.sync_fails);
        self.syncs += 1;
        if self.failed {
            // The changes stay: whether they survive is for the crash to say.
            self.ready.extend(
                self.pending
                    .iter_mut()
                    .filter_map(|it| Some((it.done.take()?, false))),
            );
            return;
        }
        let upto = self.nth_waiting(count);
        if self.syncs_lie {
            for pending in self.pending.range_mut(..upto) {
                pending.told = true;
                self.ready.extend(pending.done.take().map(|done| (done, true)));
            }
            return;
        }
        for pending in self.pending.drain(..upto) {
            let applied = self
                .durable
                .entry(pending.group)
                .or_default()
                .apply(&pending.change);
            applied.expect("it was applied to the callers' view, of which this is a prefix");
            self.ready.extend(pending.done.map(|done| (done, true)));
        }
    }

    /// The end of the first `count` calls that wait, and of those before them that a sync lied about.
    fn nth_waiting(&self, count: usize) -> usize {
        let waiting = self.pending.iter().enumerate().filter(|(_, it)| !it.told);
        waiting.map(|(at, _)| at).nth(count).unwrap_or(self.pending.len())
    }
}

impl LogEngine for MemLog {
    fn group(&self, group: GroupId) -> GroupLog {
        let disk = self.lock();
        let Some(Group {
            vote,
            committed,
            purged,
            span,
            ..
        }) = disk.called.get(&group).cloned()
        else {
            return GroupLog::default();
        };
        GroupLog {
            vote,
            committed,
            purged,
            first: span.first(),
            last: span.last(),
        }
    }

    fn append(&self, group: GroupId, records: Vec<LogRecord>, done: Completion) {
        self.call(group, Change::Append(records), Some(done));
    }

    fn truncate_after(&self, group: GroupId, index: Option<u64>, done: Completion) {
        self.call(group, Change::Truncate(index), Some(done));
    }

    fn purge(&self, group: GroupId, index: u64, log_id: Bytes, done: Completion) {
        self.call(group, Change::Purge(index, log_id), Some(done));
    }

    fn save_vote(&self, group: GroupId, vote: Bytes, done: Completion) {
        self.call(group, Change::Vote(vote), Some(done));
    }

    fn save_committed(&self, group: GroupId, committed: Bytes) {
        self.call(group, Change::Committed(committed), None);
    }

    fn read(&self, group: GroupId, from: u64, to: u64, bytes_max: usize) -> Result<Vec<LogRecord>, Fault> {
        let disk = self.lock();
        if disk.reads_fail || disk.dead {
            return Err(Fault::io(
                "read the log",
                io::Error::other("the disk does not answer"),
            ));
        }
        let mut bytes = 0usize;
        let records = disk
            .called
            .get(&group)
            .into_iter()
            .flat_map(|group| group.records.range(from..to.max(from)));
        let fitting = records.enumerate().take_while(|(at, (_, data))| {
            bytes = bytes.saturating_add(data.len());
            *at == 0 || bytes <= bytes_max
        });
        Ok(fitting
            .map(|(_, (index, data))| LogRecord {
                index: *index,
                data: data.clone(),
            })
            .collect())
    }

    fn live_bytes(&self, group: GroupId) -> u64 {
        self.lock().called.get(&group).map_or(0, Group::bytes)
    }

    fn disk_bytes(&self) -> u64 {
        self.lock().durable.values().map(Group::bytes).sum()
    }

    fn pinning_group(&self) -> Option<GroupId> {
        None
    }
}
