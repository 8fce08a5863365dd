//! Segment files: how they are named, prepared, begun and read.
//!
//! A file is written full of zeros and synced under a name that recovery ignores; it gets its own name when
//! its header and checkpoint are durable. So a file under a segment's name always begins well, and syncing
//! it later changes no metadata, which halves the time of a sync.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use eunoe_types::{Fault, GroupId};

use super::frame::{self, FRAME_HEAD_BYTES, Kind, Location};
use crate::disk;

static ZEROS: [u8; 256 * 1024] = [0; 256 * 1024];

/// The file of a segment.
pub(crate) fn path(dir: &Path, segment: u64) -> PathBuf {
    dir.join(format!("seg-{segment:016x}.log"))
}

fn draft_path(dir: &Path, segment: u64) -> PathBuf {
    dir.join(format!("seg-{segment:016x}.next"))
}

/// The numbers of the segments in a directory, in order. Files of other names are not the log's.
pub(crate) fn list(dir: &Path) -> Result<Vec<u64>, Fault> {
    let number = |path: &PathBuf| {
        let digits = disk::name(path).strip_prefix("seg-")?.strip_suffix(".log")?;
        (digits.len() == 16)
            .then(|| u64::from_str_radix(digits, 16).ok())
            .flatten()
    };
    Ok(disk::list(dir)?.iter().filter_map(number).collect())
}

/// Removes files that were prepared and never begun.
pub(crate) fn remove_drafts(dir: &Path) -> Result<(), Fault> {
    for path in disk::list(dir)?
        .iter()
        .filter(|path| disk::name(path).ends_with(".next"))
    {
        fs::remove_file(path).map_err(disk::fault("remove", path))?;
    }
    Ok(())
}

/// Writes zeros over a part of a file.
pub(crate) fn zero(file: &File, from: u64, to: u64) -> io::Result<()> {
    let mut at = from;
    while at < to {
        let bytes = (to - at).min(ZEROS.len() as u64);
        file.write_all_at(&ZEROS[..bytes as usize], at)?;
        at += bytes;
    }
    Ok(())
}

/// A file that is ready to become a segment.
pub(crate) struct Prepared {
    pub(crate) segment: u64,
    pub(crate) file: File,
    pub(crate) bytes: u64,
}

/// Makes a file of `bytes` zeros for `segment`.
pub(crate) fn prepare(dir: &Path, segment: u64, bytes: u64) -> io::Result<Prepared> {
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(draft_path(dir, segment))?;
    zero(&file, 0, bytes)?;
    file.sync_all()?;
    Ok(Prepared { segment, file, bytes })
}

impl Prepared {
    /// Makes it part of the log: writes its first bytes durably, then gives it its name.
    pub(crate) fn begin(&mut self, dir: &Path, first_bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(first_bytes, 0)?;
        self.bytes = self.bytes.max(first_bytes.len() as u64);
        self.file.sync_all()?;
        fs::rename(draft_path(dir, self.segment), path(dir, self.segment))?;
        File::open(dir)?.sync_all()
    }
}

/// Reads the record `index` of `group` and checks that it is that.
pub(crate) fn read_record(file: &File, at: Location, group: GroupId, index: u64) -> Result<Bytes, Fault> {
    let name = || format!("record {index} of group {group} in segment {:016x}", at.segment);
    let mut bytes = vec![0; FRAME_HEAD_BYTES + at.data_bytes as usize];
    let offset = u64::from(at.offset);
    file.read_exact_at(&mut bytes, offset)
        .map_err(|error| Fault::io(format!("read {}", name()), error))?;
    let (frame, frame_bytes) = frame::read_frame(at.segment, offset, &bytes)
        .map_err(|damage| Fault::broken(format!("{}: {damage}", name())))?;
    let is_record = matches!(frame.kind, Kind::Entry | Kind::Carried);
    let is_it = is_record && frame.group == group && frame.index == index;
    if !is_it || frame_bytes != bytes.len() {
        return Err(Fault::broken(format!("{} is another frame", name())));
    }
    Ok(Bytes::from(bytes).slice(FRAME_HEAD_BYTES..))
}
