//! A snapshot as a stream of chunks.

use std::io;

use bytes::Bytes;
use eunoe_store::snapshot::Chunks;
use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::mpsc;

use super::SnapshotDir;
use crate::Blocking;
use crate::codec::SnapshotChunk;

/// Chunks that are read ahead.
const READ_AHEAD: usize = 2;

type Piece = Result<Bytes, io::Error>;

/// The chunks of `snapshot`: its manifest, then its files. An error is the last. Must be called within a runtime.
pub(crate) fn snapshot_chunks(
    snapshot: SnapshotDir,
    chunk_bytes: usize,
    blocking: Blocking,
) -> BoxStream<'static, Piece> {
    let (tx, mut rx) = mpsc::channel(READ_AHEAD);
    // The task ends with the snapshot or when nobody takes its chunks any more; until then it keeps the directory
    // from being deleted.
    tokio::spawn(read_all(snapshot, chunk_bytes.max(1), blocking, tx));
    stream::poll_fn(move |context| rx.poll_recv(context)).boxed()
}

async fn read_all(snapshot: SnapshotDir, chunk_bytes: usize, blocking: Blocking, tx: mpsc::Sender<Piece>) {
    let mut read = blocking.run(move || next(pieces(snapshot, chunk_bytes))).await;
    loop {
        let (piece, rest) = match read {
            Ok(Some((piece, rest))) => (piece, rest),
            Ok(None) => return,
            Err(panicked) => {
                // Whoever listens must not take it for the end. One who does not needs no word.
                let _ = tx.send(Err(io::Error::other(panicked))).await;
                return;
            }
        };
        read = match tx.send(piece).await {
            Ok(()) => blocking.run(move || next(rest)).await,
            // Letting go of an old snapshot deletes it, which blocks too.
            Err(_) => blocking.run(move || drop(rest)).await.map(|()| None),
        };
    }
}

/// The next piece and what comes after it.
fn next<I: Iterator<Item = Piece>>(mut pieces: I) -> Option<(Piece, I)> {
    let piece = pieces.next()?;
    Some((piece, pieces))
}

fn pieces(snapshot: SnapshotDir, chunk_bytes: usize) -> impl Iterator<Item = Piece> + Send + 'static {
    let manifest = Bytes::from(snapshot.on_disk().manifest().encode());
    let parts = (0..manifest.len()).step_by(chunk_bytes).map(move |at| {
        let part = manifest.slice(at..manifest.len().min(at + chunk_bytes));
        Ok(SnapshotChunk::Manifest(part).encode())
    });
    let files = Chunks::new(snapshot, chunk_bytes).map(|chunk| {
        let chunk = chunk.map(|chunk| SnapshotChunk::Data(chunk).encode());
        chunk.map_err(io::Error::from)
    });
    parts.chain(files)
}
