//! A snapshot directory as a stream of chunks.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Read};

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};

use super::SnapshotDir;
use crate::codec::SnapshotChunk;

/// What is left to send. It keeps the directory from being deleted.
struct Sending {
    snapshot: SnapshotDir,
    files: Option<VecDeque<String>>,
    open: Option<File>,
    chunk_bytes: usize,
}

/// The chunks of `snapshot`: its files one after the other, in the order of their names.
pub(crate) fn snapshot_chunks(
    snapshot: SnapshotDir,
    chunk_bytes: usize,
) -> BoxStream<'static, Result<Bytes, io::Error>> {
    let sending = Sending {
        snapshot,
        files: None,
        open: None,
        chunk_bytes,
    };
    let chunks = stream::unfold(Some(sending), |sending| async move {
        let mut sending = sending?;
        // Reads block; a chunk is large enough to be worth the hop.
        let read = tokio::task::spawn_blocking(move || sending.next().map(|chunk| (chunk, sending))).await;
        match read {
            Ok(Ok((Some(chunk), sending))) => Some((Ok(chunk.encode()), Some(sending))),
            Ok(Ok((None, _))) => None,
            Ok(Err(error)) => Some((Err(error), None)),
            Err(_) => Some((Err(io::Error::other("reading a snapshot was cancelled")), None)),
        }
    });
    chunks.boxed()
}

impl Sending {
    fn next(&mut self) -> Result<Option<SnapshotChunk>, io::Error> {
        if let Some(data) = self.read_chunk()? {
            return Ok(Some(SnapshotChunk::Data(data)));
        }
        let files = match &mut self.files {
            Some(files) => files,
            none => none.insert(list(&self.snapshot)?),
        };
        let Some(name) = files.pop_front() else {
            return Ok(None);
        };
        let file = File::open(self.snapshot.path().join(&name))?;
        let size = file.metadata()?.len();
        self.open = Some(file);
        Ok(Some(SnapshotChunk::File { name, size }))
    }

    /// The next bytes of the open file; none at its end.
    fn read_chunk(&mut self) -> Result<Option<Bytes>, io::Error> {
        let Some(file) = &mut self.open else {
            return Ok(None);
        };
        let mut data = Vec::with_capacity(self.chunk_bytes);
        file.take(self.chunk_bytes as u64).read_to_end(&mut data)?;
        if data.is_empty() {
            self.open = None;
            return Ok(None);
        }
        Ok(Some(data.into()))
    }
}

fn list(snapshot: &SnapshotDir) -> Result<VecDeque<String>, io::Error> {
    let mut names = Vec::new();
    for entry in fs::read_dir(snapshot.path())? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names.into())
}
