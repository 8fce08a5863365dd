//! The two logs under comparison, behind the calls that a replica makes.

use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use bytes::Bytes;
use eunoe_store::{Completion, LogEngine, LogRecord, SegmentLog, SegmentLogOptions};
use eunoe_types::GroupId;
use rocksdb::{DB, DBCompressionType, Options, WriteBatch, WriteOptions};

use super::{GROUP, Outcome};

const SPARE_POLL: Duration = Duration::from_millis(10);
const SPARE_POLLS_MAX: u32 = 500;

/// A log of one group.
pub(super) enum Log {
    /// RocksDB with its write-ahead log, synced once per batch.
    Rocks(RocksLog),
    /// Segment files, synced once per batch.
    Segments(SegmentLog),
}

/// Entries under group and index, as one would lay a Raft log out in RocksDB.
pub(super) struct RocksLog {
    db: DB,
    synced: WriteOptions,
    syncs: u64,
}

impl Log {
    pub(super) fn rocks(dir: &Path) -> Outcome<Self> {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_compression_type(DBCompressionType::None);
        options.set_write_buffer_size(32 << 20);
        options.set_wal_bytes_per_sync(1 << 20);
        options.set_recycle_log_file_num(4);
        let mut synced = WriteOptions::default();
        synced.set_sync(true);
        let db = DB::open(&options, dir)?;
        Ok(Self::Rocks(RocksLog { db, synced, syncs: 0 }))
    }

    /// Returns when the spare segment is ready: its zeros are counted when it is used up and the next is made.
    pub(super) fn segments(dir: &Path) -> Outcome<Self> {
        let options = SegmentLogOptions::default();
        let log = SegmentLog::open(dir, &options)?;
        let spare = dir.join(format!("seg-{:016x}.next", 2));
        for _ in 0..SPARE_POLLS_MAX {
            if std::fs::metadata(&spare).is_ok_and(|meta| meta.len() == options.segment_bytes) {
                break;
            }
            std::thread::sleep(SPARE_POLL);
        }
        Ok(Self::Segments(log))
    }

    /// Returns when the records are durable.
    pub(super) fn append(&mut self, records: Vec<LogRecord>) -> Outcome<()> {
        match self {
            Self::Rocks(log) => log.append(records),
            Self::Segments(log) => wait(|done| log.append(GROUP, records, done)),
        }
    }

    /// Lets go of the records up to `index`, inclusive.
    pub(super) fn purge(&mut self, index: u64) -> Outcome<()> {
        match self {
            Self::Rocks(log) => log.purge(index),
            Self::Segments(log) => wait(|done| log.purge(GROUP, index, Bytes::from_static(b"log id"), done)),
        }
    }

    pub(super) fn syncs(&self) -> u64 {
        match self {
            Self::Rocks(log) => log.syncs,
            Self::Segments(log) => log.stats().syncs,
        }
    }

    /// The records `[from, to)`, as many as fit a mebibyte.
    pub(super) fn read(&self, from: u64, to: u64) -> Outcome<Vec<LogRecord>> {
        match self {
            Self::Rocks(_) => Err("only the segment log is read back".into()),
            Self::Segments(log) => Ok(log.read(GROUP, from, to, 1 << 20)?),
        }
    }
}

fn wait(call: impl FnOnce(Completion)) -> Outcome<()> {
    let (sender, receiver) = sync_channel(1);
    call(Box::new(move |result| _ = sender.send(result)));
    Ok(receiver.recv()??)
}

impl RocksLog {
    fn append(&mut self, records: Vec<LogRecord>) -> Outcome<()> {
        let mut batch = WriteBatch::default();
        for record in &records {
            batch.put(key(GROUP, record.index), &record.data);
        }
        self.syncs += 1;
        Ok(self.db.write_opt(batch, &self.synced)?)
    }

    fn purge(&mut self, index: u64) -> Outcome<()> {
        let (from, to) = (key(GROUP, 0), key(GROUP, index + 1));
        self.db.delete_file_in_range(from, to)?;
        let mut batch = WriteBatch::default();
        batch.delete_range(from, to);
        self.syncs += 1;
        Ok(self.db.write_opt(batch, &self.synced)?)
    }
}

fn key(group: GroupId, index: u64) -> [u8; 12] {
    let mut key = [0; 12];
    key[..4].copy_from_slice(&group.0.to_be_bytes());
    key[4..].copy_from_slice(&index.to_be_bytes());
    key
}
