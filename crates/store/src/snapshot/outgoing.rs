//! Reads a snapshot in chunks, one at a time, in the order in which a receiver takes them.

use std::borrow::Borrow;
use std::fs::File;
use std::os::unix::fs::FileExt;

use bytes::Bytes;
use eunoe_types::Fault;

use super::Snapshot;
use crate::disk;

/// A piece of one of the manifest's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Which file of the manifest.
    pub file: u32,
    /// Where in the file it begins.
    pub offset: u64,
    /// Its bytes.
    pub data: Bytes,
}

/// The chunks of a snapshot. After an error it ends.
pub struct Chunks<S> {
    snapshot: S,
    chunk_bytes: u64,
    open: Option<File>,
    file: usize,
    offset: u64,
}

impl<S: Borrow<Snapshot>> Chunks<S> {
    /// The chunks of `snapshot`, of at most `chunk_bytes`, read as they are asked for.
    pub fn new(snapshot: S, chunk_bytes: usize) -> Self {
        Self {
            snapshot,
            chunk_bytes: chunk_bytes.max(1) as u64,
            open: None,
            file: 0,
            offset: 0,
        }
    }

    fn read(&mut self) -> Result<Option<Chunk>, Fault> {
        let snapshot = self.snapshot.borrow();
        let files = &snapshot.manifest().files;
        // Files without bytes need no chunk: the receiver makes them from the manifest.
        while files.get(self.file).is_some_and(|file| file.bytes == self.offset) {
            (self.file, self.offset, self.open) = (self.file + 1, 0, None);
        }
        let Some(entry) = files.get(self.file) else {
            return Ok(None);
        };
        let path = snapshot.state_dir().join(&entry.name);
        if self.open.is_none() {
            self.open = Some(File::open(&path).map_err(disk::fault("open", &path))?);
        }
        let mut data = vec![0; (entry.bytes - self.offset).min(self.chunk_bytes) as usize];
        if let Some(file) = &self.open {
            file.read_exact_at(&mut data, self.offset)
                .map_err(disk::fault("read", &path))?;
        }
        let chunk = Chunk {
            file: self.file as u32,
            offset: self.offset,
            data: data.into(),
        };
        self.offset += chunk.data.len() as u64;
        Ok(Some(chunk))
    }
}

impl<S: Borrow<Snapshot>> Iterator for Chunks<S> {
    type Item = Result<Chunk, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = self.read();
        if read.is_err() {
            self.file = usize::MAX;
        }
        read.transpose()
    }
}
