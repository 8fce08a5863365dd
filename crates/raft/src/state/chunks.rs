//! A snapshot as a stream of chunks.

use std::io;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::mpsc;

use super::SnapshotDir;
use crate::codec::SnapshotChunk;

/// Chunks that are read ahead.
const READ_AHEAD: usize = 2;

type Chunks = mpsc::Sender<Result<Bytes, io::Error>>;

/// The chunks of `snapshot`: its manifest, then its files. An error is the last.
pub(crate) fn snapshot_chunks(
    snapshot: SnapshotDir,
    chunk_bytes: usize,
) -> BoxStream<'static, Result<Bytes, io::Error>> {
    let (tx, mut rx) = mpsc::channel(READ_AHEAD);
    // Reads block. The thread ends with the snapshot or when nobody takes its chunks any more; until then it
    // keeps the directory from being deleted.
    tokio::task::spawn_blocking(move || {
        // Only the stream's end is told: an error was sent through it.
        let _ = read_all(&snapshot, chunk_bytes.max(1), &tx);
    });
    stream::poll_fn(move |context| rx.poll_recv(context)).boxed()
}

/// Why reading ends early: nobody listens.
struct Closed;

fn read_all(snapshot: &SnapshotDir, chunk_bytes: usize, chunks: &Chunks) -> Result<(), Closed> {
    let snapshot = snapshot.on_disk();
    let manifest = Bytes::from(snapshot.manifest().encode());
    for at in (0..manifest.len()).step_by(chunk_bytes) {
        let part = manifest.slice(at..manifest.len().min(at + chunk_bytes));
        send(chunks, Ok(SnapshotChunk::Manifest(part).encode()))?;
    }
    for chunk in snapshot.chunks(chunk_bytes) {
        let chunk = chunk.map(|chunk| SnapshotChunk::Data(chunk).encode());
        send(chunks, chunk.map_err(io::Error::from))?;
    }
    Ok(())
}

fn send(chunks: &Chunks, chunk: Result<Bytes, io::Error>) -> Result<(), Closed> {
    chunks.blocking_send(chunk).map_err(|_| Closed)
}
