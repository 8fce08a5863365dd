//! A snapshot that arrives from a peer: written, synced and verified before openraft hears of it, because an
//! error while openraft installs it ends the group.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eunoe_types::{DecodeError, Fault};
use futures::{Stream, StreamExt};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::machine::blocking;
use super::{SnapshotDir, Snapshots, format};
use crate::ServeError;
use crate::codec::{SnapshotChunk, decode_chunk};
use crate::types::SnapshotMeta;

/// A sender that is silent for so long is given up, so that the next one gets its turn.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// Files of one snapshot.
const FILES_MAX: usize = 65_536;

/// Takes the chunks of a snapshot that holds `meta`.
pub(crate) async fn receive(
    snapshots: &Arc<Snapshots>,
    meta: &SnapshotMeta,
    chunks: impl Stream<Item = Result<Bytes, io::Error>> + Unpin,
) -> Result<SnapshotDir, ServeError> {
    let _turn = snapshots.receiving.lock().await;
    let directory = Unfinished(Some(snapshots.new_directory("receive")));
    write_all(directory.path(), chunks).await?;
    let snapshots = Arc::clone(snapshots);
    let arrived = blocking(move || {
        format::verify(directory.path())?;
        snapshots.arrived(directory.finish())
    });
    let arrived = arrived.await.map_err(ServeError::Snapshot)?;
    if arrived.meta() != *meta {
        return Err(ServeError::Snapshot(Fault::broken(
            "the snapshot holds another position than announced",
        )));
    }
    Ok(arrived)
}

/// A directory that is deleted unless it is finished.
struct Unfinished(Option<PathBuf>);

impl Unfinished {
    fn path(&self) -> &Path {
        self.0.as_deref().expect("finish consumes the value")
    }

    fn finish(mut self) -> PathBuf {
        self.0.take().expect("finish consumes the value")
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // What stays is deleted when the group starts the next time.
            drop(std::fs::remove_dir_all(path));
        }
    }
}

async fn write_all(
    directory: &Path,
    mut chunks: impl Stream<Item = Result<Bytes, io::Error>> + Unpin,
) -> Result<(), ServeError> {
    tokio::fs::create_dir(directory).await?;
    let mut open: Option<Arriving> = None;
    let mut files = 0;
    while let Some(chunk) = next(&mut chunks).await? {
        match decode_chunk(&chunk)? {
            SnapshotChunk::File { name, size } => {
                finish(open.take()).await?;
                files += 1;
                if files > FILES_MAX {
                    return Err(DecodeError::Range.into());
                }
                open = Some(Arriving {
                    file: File::create_new(directory.join(name)).await?,
                    left: size,
                });
            }
            SnapshotChunk::Data(data) => open.as_mut().ok_or(DecodeError::Range)?.write(&data).await?,
        }
    }
    finish(open).await?;
    File::open(directory).await?.sync_all().await?;
    Ok(())
}

async fn next(
    chunks: &mut (impl Stream<Item = Result<Bytes, io::Error>> + Unpin),
) -> Result<Option<Bytes>, io::Error> {
    match tokio::time::timeout(SILENCE_MAX, chunks.next()).await {
        Ok(chunk) => chunk.transpose(),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// A file that is being written.
struct Arriving {
    file: File,
    left: u64,
}

impl Arriving {
    async fn write(&mut self, data: &[u8]) -> Result<(), ServeError> {
        self.left = self
            .left
            .checked_sub(data.len() as u64)
            .ok_or(DecodeError::Range)?;
        Ok(self.file.write_all(data).await?)
    }
}

async fn finish(file: Option<Arriving>) -> Result<(), ServeError> {
    let Some(mut arriving) = file else { return Ok(()) };
    if arriving.left > 0 {
        return Err(DecodeError::Truncated.into());
    }
    arriving.file.flush().await?;
    arriving.file.sync_all().await?;
    Ok(())
}
