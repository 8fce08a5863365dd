//! One group's database.

use std::path::Path;

use eunoe_core::invariant::{Invariant, Pass};
use eunoe_core::{Changes, Row, ScanRange, StateView};
use eunoe_types::{Fault, GroupId};
use rocksdb::checkpoint::Checkpoint;
use rocksdb::{DB, Options, ReadOptions, SnapshotWithThreadMode, WriteBatch, WriteOptions, properties};

use super::fault;
use crate::rows::{self, APPLIED_KEY};
use crate::{StateEngine, disk};

/// The state of one group in RocksDB.
pub struct RocksState {
    group: GroupId,
    db: DB,
    write: WriteOptions,
}

/// A RocksDB snapshot. It pins files: keep it short.
pub struct RocksView<'a> {
    group: GroupId,
    snapshot: SnapshotWithThreadMode<'a, DB>,
}

impl RocksState {
    pub(super) fn open(options: &Options, group: GroupId, path: &Path) -> Result<Self, Fault> {
        let db = DB::open(options, path).map_err(|error| fault("open", group, &error))?;
        let mut write = WriteOptions::default();
        write.disable_wal(true);
        Ok(Self { group, db, write })
    }

    /// A failed flush or compaction stops this node: RocksDB would go on taking commits into memory.
    fn check_background(&self) -> Result<(), Fault> {
        match self.number(properties::BACKGROUND_ERRORS) {
            Some(0) | None => Ok(()),
            Some(_) => Err(Fault::broken(format!(
                "a flush or compaction of the state of group {} failed",
                self.group
            ))),
        }
    }

    /// Whether writes are stopped until flushes or compactions catch up; commits block meanwhile.
    pub fn is_stalled(&self) -> bool {
        self.number(properties::IS_WRITE_STOPPED) == Some(1)
    }

    fn number(&self, property: &properties::PropName) -> Option<u64> {
        self.db.property_int_value(property).ok().flatten()
    }
}

impl Drop for RocksState {
    fn drop(&mut self) {
        // Background threads must have ended before the database is freed (rust-rocksdb issue 767). This also
        // flushes, so that an orderly restart replays nothing.
        self.db.cancel_all_background_work(true);
    }
}

impl StateView for RocksView<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.snapshot
            .get(key)
            .map_err(|error| fault("read", self.group, &error))
    }

    fn scan(&self, range: &ScanRange<'_>) -> Result<Vec<Row>, Fault> {
        let Some(first) = rows::first_key(range) else {
            return Ok(Vec::new());
        };
        let mut read = ReadOptions::default();
        read.set_iterate_lower_bound(first);
        read.set_iterate_upper_bound(range.to);
        let mut cursor = self.snapshot.raw_iterator_opt(read);
        if range.backward {
            cursor.seek_to_last()
        } else {
            cursor.seek_to_first()
        }
        let mut begun = false;
        let rows = std::iter::from_fn(|| {
            if std::mem::replace(&mut begun, true) {
                if range.backward {
                    cursor.prev()
                } else {
                    cursor.next()
                }
            }
            match cursor.item() {
                Some((key, value)) => Some(Ok((key.to_vec(), value.to_vec()))),
                // An iterator that failed looks as if it had ended.
                None => cursor
                    .status()
                    .err()
                    .map(|error| Err(fault("scan", self.group, &error))),
            }
        });
        rows::take(range, rows)
    }
}

impl StateEngine for RocksState {
    type View<'a> = RocksView<'a>;

    fn view(&self) -> RocksView<'_> {
        RocksView {
            group: self.group,
            snapshot: self.db.snapshot(),
        }
    }

    fn commit(&self, changes: Changes, applied: &[u8]) -> Result<(), Fault> {
        rows::check_changes(&changes)?;
        self.check_background()?;
        let mut batch = WriteBatch::default();
        for (key, change) in changes {
            match change {
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            }
        }
        batch.put(APPLIED_KEY, applied);
        self.db
            .write_opt(batch, &self.write)
            .map_err(|error| fault("commit to", self.group, &error))
    }

    fn applied(&self) -> Result<Option<Vec<u8>>, Fault> {
        self.db
            .get(APPLIED_KEY)
            .map_err(|error| fault("read", self.group, &error))
    }

    fn flush(&self) -> Result<(), Fault> {
        self.check_background()?;
        self.db
            .flush()
            .map_err(|error| fault("flush", self.group, &error))
    }

    fn checkpoint(&self, into: &Path) -> Result<(), Fault> {
        self.flush()?;
        let made = Checkpoint::new(&self.db).and_then(|checkpoint| checkpoint.create_checkpoint(into));
        made.map_err(|error| fault("checkpoint", self.group, &error))?;
        for path in disk::list(into)? {
            disk::sync_file(&path)?;
        }
        disk::sync_dir(into)?;
        disk::sync_dir(disk::parent(into)?)
    }

    fn disk_bytes(&self) -> u64 {
        disk::bytes_below(self.db.path())
    }
}

/// Reads every row of a database without writing, so that every block's checksum is checked, and then what the rows say:
/// the number of rows, and the rules that they break, once for each row at which it is seen.
pub(crate) fn check(group: GroupId, path: &Path) -> Result<(u64, Vec<Invariant>), Fault> {
    let as_fault = |error: rocksdb::Error| fault("check", group, &error);
    let mut options = Options::default();
    options.set_paranoid_checks(true);
    options.set_log_level(rocksdb::LogLevel::Fatal);
    let db = DB::open_for_read_only(&options, path, false).map_err(as_fault)?;
    let mut read = ReadOptions::default();
    read.fill_cache(false);
    read.set_verify_checksums(true);
    let mut cursor = db.raw_iterator_opt(read);
    cursor.seek_to_first();
    let mut rows = 0;
    while cursor.valid() {
        rows += 1;
        cursor.next();
    }
    cursor.status().map_err(as_fault)?;
    drop(cursor);
    let view = RocksView {
        group,
        snapshot: db.snapshot(),
    };
    Ok((rows, Pass::new(group).finish(&view)?))
}
