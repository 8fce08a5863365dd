//! The segment log in real files.

mod conformance;
mod faults;
mod golden;
mod space;
mod torn;

use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;

use bytes::Bytes;
use eunoe_types::GroupId;

use super::*;
use crate::test_support::copy_files;

const A: GroupId = GroupId(1);
const B: GroupId = GroupId(2);

/// A log in a directory of its own.
struct Place {
    root: tempfile::TempDir,
    options: SegmentLogOptions,
    crashes: u32,
}

impl Place {
    fn new(segment_bytes: u64) -> Self {
        let options = SegmentLogOptions {
            segment_bytes,
            cache_bytes: 2048,
            ..SegmentLogOptions::default()
        };
        Self {
            root: tempfile::tempdir().unwrap(),
            options,
            crashes: 0,
        }
    }

    fn dir(&self) -> PathBuf {
        self.root.path().join(format!("log-{}", self.crashes))
    }

    fn open(&self) -> SegmentLog {
        SegmentLog::open(&self.dir(), &self.options).unwrap()
    }

    /// Goes on with the files as they are now, whatever the open log does with the old ones.
    fn crash(&mut self) {
        let before = self.dir();
        self.crashes += 1;
        copy_files(&before, &self.dir());
        for path in disk::list(&self.dir())
            .unwrap()
            .iter()
            .filter(|path| path.is_dir())
        {
            disk::remove_dir(path).unwrap();
        }
    }
}

fn record(index: u64, bytes: usize) -> LogRecord {
    LogRecord {
        index,
        data: vec![index as u8; bytes].into(),
    }
}

/// Makes a call and waits for its completion.
fn call(make: impl FnOnce(Completion)) -> io::Result<()> {
    let (sender, receiver) = sync_channel(1);
    make(Box::new(move |result| sender.send(result).unwrap()));
    receiver.recv().unwrap()
}

fn append(log: &SegmentLog, group: GroupId, indexes: std::ops::RangeInclusive<u64>, bytes: usize) {
    let records = indexes.map(|index| record(index, bytes)).collect();
    call(|done| log.append(group, records, done)).unwrap();
}

fn purge(log: &SegmentLog, group: GroupId, index: u64) {
    call(|done| log.purge(group, index, Bytes::from_static(b"purged"), done)).unwrap();
}

fn held(log: &SegmentLog, group: GroupId) -> Vec<LogRecord> {
    log.read(group, 0, u64::MAX, usize::MAX).unwrap()
}

fn segment_files(dir: &Path) -> usize {
    file::list(dir).unwrap().len()
}
