//! The state stores' twin. Only snapshots touch the filesystem.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use eunoe_core::{Changes, Row, ScanRange, StateView};
use eunoe_types::{Decoder, Encoder, Fault, GroupId};

use crate::rows::{self, APPLIED_KEY};
use crate::{StateEngine, StateFactory, disk};

const SNAPSHOT_VERSION: u8 = 1;
const SNAPSHOT_FILE: &str = "rows";

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Default)]
struct Store {
    durable: Arc<Rows>,
    rows: Arc<Rows>,
    /// Commits after the last flush.
    unflushed: Vec<Changes>,
    /// A write failed: until the node begins again nothing is written any more.
    failed: bool,
}

#[derive(Default)]
struct Disk {
    stores: BTreeMap<GroupId, Store>,
    /// Counts crashes: a handle of an earlier life is dead.
    life: u64,
    commits_fail: bool,
    flushes_fail: bool,
    flushes_lie: bool,
    reads_fail: bool,
}

/// The state stores of one node, in memory.
#[derive(Clone)]
pub struct MemStates {
    disk: Arc<Mutex<Disk>>,
    snapshot_root: PathBuf,
}

/// The state of one group, in memory.
pub struct MemState {
    disk: Arc<Mutex<Disk>>,
    group: GroupId,
    life: u64,
}

/// A view: the rows as they were when it was opened.
pub struct MemView {
    disk: Arc<Mutex<Disk>>,
    rows: Arc<Rows>,
    life: u64,
}

fn refused(action: &'static str) -> Fault {
    Fault::io(action, io::Error::other("the disk does not answer"))
}

fn lock(disk: &Mutex<Disk>) -> MutexGuard<'_, Disk> {
    disk.lock().unwrap_or_else(PoisonError::into_inner)
}

fn apply(rows: &mut Arc<Rows>, changes: &Changes) {
    let rows = Arc::make_mut(rows);
    for (key, change) in changes {
        match change {
            Some(value) => rows.insert(key.clone(), value.clone()),
            None => rows.remove(key),
        };
    }
}

impl MemStates {
    /// Empty stores; snapshots go below `snapshot_root`.
    pub fn new(snapshot_root: PathBuf) -> Self {
        Self {
            disk: Arc::default(),
            snapshot_root,
        }
    }

    /// Crashes: of each group's commits after its last flush the first `kept` survive. Engines opened before, and
    /// their views, are dead.
    pub fn crash(&self, kept: usize) {
        self.crash_keeping(|_, _| kept);
    }

    /// Crashes as [`Self::crash`] does, with another part kept of each group: `kept` is told the group and how many
    /// of its commits were not flushed, in the order of the groups' ids.
    pub fn crash_keeping(&self, mut kept: impl FnMut(GroupId, usize) -> usize) {
        let mut disk = lock(&self.disk);
        disk.life += 1;
        for (group, store) in &mut disk.stores {
            let kept = kept(*group, store.unflushed.len());
            for changes in store.unflushed.drain(..).take(kept) {
                apply(&mut store.durable, &changes);
            }
            store.rows = store.durable.clone();
            store.failed = false;
        }
    }

    /// Lets commits fail, or not. A group of which one failed refuses all writes until the crash.
    pub fn fail_commits(&self, fail: bool) {
        lock(&self.disk).commits_fail = fail;
    }

    /// Lets flushes, checkpoints and replacements fail, or not. A group of which a flush failed refuses all writes
    /// until the crash.
    pub fn fail_flushes(&self, fail: bool) {
        lock(&self.disk).flushes_fail = fail;
    }

    /// Lets flushes report success and make nothing durable, or no more. It breaks the contract: a test that does
    /// not notice after a crash tests nothing.
    pub fn lose_flushes(&self, lose: bool) {
        lock(&self.disk).flushes_lie = lose;
    }

    /// Lets reads fail, or not.
    pub fn fail_reads(&self, fail: bool) {
        lock(&self.disk).reads_fail = fail;
    }
}

impl MemState {
    fn with<T>(
        &self,
        action: &'static str,
        run: impl FnOnce(&mut Disk) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut disk = lock(&self.disk);
        if disk.life != self.life {
            return Err(refused(action));
        }
        run(&mut disk)
    }

    /// Writes, unless `fails` says that the disk does not, or did not before.
    fn write(
        &self,
        action: &'static str,
        fails: fn(&Disk) -> bool,
        run: impl FnOnce(&mut Store),
    ) -> Result<(), Fault> {
        self.with(action, |disk| {
            let fails = fails(disk);
            let store = disk.stores.entry(self.group).or_default();
            store.failed |= fails;
            if store.failed {
                return Err(refused(action));
            }
            run(store);
            Ok(())
        })
    }

    fn rows(&self) -> Result<Arc<Rows>, Fault> {
        self.with("read the state", |disk| {
            Ok(disk
                .stores
                .get(&self.group)
                .map(|store| store.rows.clone())
                .unwrap_or_default())
        })
    }
}

impl MemView {
    fn check(&self) -> Result<(), Fault> {
        let disk = lock(&self.disk);
        if disk.reads_fail || disk.life != self.life {
            return Err(refused("read the state"));
        }
        Ok(())
    }
}

impl StateView for MemView {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.check()?;
        Ok(self.rows.get(key).cloned())
    }

    fn scan(&self, range: &ScanRange<'_>) -> Result<Vec<Row>, Fault> {
        self.check()?;
        let Some(first) = rows::first_key(range) else {
            return Ok(Vec::new());
        };
        let bounds = (Bound::Included(first), Bound::Excluded(range.to));
        let rows = self
            .rows
            .range::<[u8], _>(bounds)
            .map(|(key, value)| Ok((key.clone(), value.clone())));
        if range.backward {
            rows::take(range, rows.rev())
        } else {
            rows::take(range, rows)
        }
    }
}

impl StateEngine for MemState {
    type View<'a> = MemView;

    fn view(&self) -> MemView {
        MemView {
            disk: self.disk.clone(),
            // Of a dead engine there are none, and the view says so when it is read.
            rows: self.rows().unwrap_or_default(),
            life: self.life,
        }
    }

    fn commit(&self, mut changes: Changes, applied: &[u8]) -> Result<(), Fault> {
        rows::check_changes(&changes)?;
        changes.insert(APPLIED_KEY.to_vec(), Some(applied.to_vec()));
        let fails = |disk: &Disk| disk.commits_fail;
        self.write("commit", fails, |store| {
            apply(&mut store.rows, &changes);
            store.unflushed.push(changes);
        })
    }

    fn applied(&self) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.rows()?.get(APPLIED_KEY).cloned())
    }

    fn flush(&self) -> Result<(), Fault> {
        if self.with("flush", |disk| Ok(disk.flushes_lie))? {
            return Ok(());
        }
        let fails = |disk: &Disk| disk.flushes_fail;
        self.write("flush", fails, |store| {
            store.durable = store.rows.clone();
            store.unflushed.clear();
        })
    }

    fn checkpoint(&self, into: &Path) -> Result<(), Fault> {
        self.flush()?;
        let rows = self.rows()?;
        let mut out = Encoder::new();
        out.u8(SNAPSHOT_VERSION).varint(rows.len() as u64);
        for (key, value) in rows.iter() {
            out.bytes(key).bytes(value);
        }
        std::fs::create_dir(into).map_err(disk::fault("create directory", into))?;
        disk::write_whole(&into.join(SNAPSHOT_FILE), out.as_slice())
    }

    fn disk_bytes(&self) -> u64 {
        let disk = lock(&self.disk);
        let rows = disk
            .stores
            .get(&self.group)
            .map(|store| store.durable.clone())
            .unwrap_or_default();
        rows.iter()
            .map(|(key, value)| (key.len() + value.len()) as u64)
            .sum()
    }
}

fn read_snapshot(from: &Path) -> Result<Rows, Fault> {
    let path = from.join(SNAPSHOT_FILE);
    let bytes = std::fs::read(&path).map_err(disk::fault("read", &path))?;
    let mut input = Decoder::new(&bytes);
    let version = input.u8()?;
    if version != SNAPSHOT_VERSION {
        return Err(Fault::broken(format!(
            "{} has the unknown version {version}",
            path.display()
        )));
    }
    let mut rows = Rows::new();
    for _ in 0..input.varint()? {
        rows.insert(input.bytes()?.to_vec(), input.bytes()?.to_vec());
    }
    input.finish()?;
    Ok(rows)
}

impl StateFactory for MemStates {
    type Engine = MemState;

    fn open(&self, group: GroupId) -> Result<MemState, Fault> {
        let mut disk = lock(&self.disk);
        disk.stores.entry(group).or_default();
        Ok(MemState {
            disk: self.disk.clone(),
            group,
            life: disk.life,
        })
    }

    fn replace(&self, group: GroupId, old: MemState, from: &Path) -> Result<MemState, Fault> {
        old.write("replace", |disk| disk.flushes_fail, |_| ())?;
        let rows = Arc::new(read_snapshot(from)?);
        let store = Store {
            durable: rows.clone(),
            rows,
            ..Store::default()
        };
        lock(&self.disk).stores.insert(group, store);
        disk::remove_dir(from)?;
        self.open(group)
    }

    fn snapshot_dir(&self, group: GroupId) -> PathBuf {
        self.snapshot_root
            .join(format!("group-{group}"))
            .join("snapshots")
    }

    fn remove(&self, group: GroupId) -> Result<(), Fault> {
        lock(&self.disk).stores.remove(&group);
        disk::remove_dir(&self.snapshot_root.join(format!("group-{group}")))
    }
}
