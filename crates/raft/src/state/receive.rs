//! A snapshot that arrives from a peer: written, synced and verified before openraft hears of it, because an
//! error while openraft installs it ends the group.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eunoe_store::snapshot::MANIFEST_BYTES_MAX;
use eunoe_store::{Incoming, SnapshotError};
use eunoe_types::{DecodeError, Fault};
use futures::{Stream, StreamExt};
use tokio::sync::OwnedMutexGuard;

use super::{SnapshotDir, Snapshots};
use crate::codec::{SnapshotChunk, decode_chunk};
use crate::types::SnapshotMeta;
use crate::{Blocking, Panicked, ServeError};

/// A sender that is silent for so long is given up, so that the next one gets its turn.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// Bytes of one snapshot.
const SNAPSHOT_BYTES_MAX: u64 = 1 << 40;

/// Takes the chunks of a snapshot that holds `meta`.
pub(crate) async fn receive(
    snapshots: &Arc<Snapshots>,
    meta: &SnapshotMeta,
    mut chunks: impl Stream<Item = Result<Bytes, io::Error>> + Unpin,
) -> Result<SnapshotDir, ServeError> {
    let how = snapshots.blocking();
    let mut receiving = Receiving {
        _turn: Arc::clone(&snapshots.receiving).lock_owned().await,
        snapshots: Arc::clone(snapshots),
        manifest: Vec::new(),
        incoming: None,
    };
    while let Some(chunk) = next(&mut chunks).await? {
        let chunk = decode_chunk(&chunk)?;
        receiving = blocking(how, move || {
            receiving.take(chunk)?;
            Ok(receiving)
        })
        .await?;
    }
    let arrived = blocking(how, move || receiving.finish()).await?;
    if arrived.meta() != *meta {
        return Err(ServeError::Snapshot(Fault::broken(
            "the snapshot holds another position than announced",
        )));
    }
    Ok(arrived)
}

/// What has arrived so far. The turn is given up only when nothing is written any more, so also not while a
/// write goes on whose receiver is gone.
struct Receiving {
    _turn: OwnedMutexGuard<()>,
    snapshots: Arc<Snapshots>,
    manifest: Vec<u8>,
    incoming: Option<Incoming>,
}

impl Receiving {
    fn take(&mut self, chunk: SnapshotChunk) -> Result<(), ServeError> {
        match chunk {
            SnapshotChunk::Manifest(part) => {
                let is_late = self.incoming.is_some();
                if is_late || self.manifest.len() + part.len() > MANIFEST_BYTES_MAX {
                    return Err(DecodeError::Range.into());
                }
                self.manifest.extend_from_slice(&part);
                Ok(())
            }
            SnapshotChunk::Data(data) => self.incoming()?.write(&data).map_err(refused),
        }
    }

    /// The directory that is written. The manifest is whole when this is called first.
    fn incoming(&mut self) -> Result<&mut Incoming, ServeError> {
        match &mut self.incoming {
            Some(incoming) => Ok(incoming),
            none => {
                let (root, name) = (self.snapshots.root(), self.snapshots.arriving_name());
                let manifest = std::mem::take(&mut self.manifest);
                let begun = Incoming::begin(root, &name, &manifest, SNAPSHOT_BYTES_MAX);
                Ok(none.insert(begun.map_err(refused)?))
            }
        }
    }

    fn finish(mut self) -> Result<SnapshotDir, ServeError> {
        self.incoming()?;
        let incoming = self.incoming.take().ok_or(DecodeError::Truncated)?;
        let snapshot = incoming.finish().map_err(refused)?;
        self.snapshots.arrived(snapshot).map_err(ServeError::Snapshot)
    }
}

fn refused(error: SnapshotError) -> ServeError {
    match error {
        SnapshotError::Refused(why) => ServeError::Snapshot(Fault::broken(why)),
        SnapshotError::Fault(fault) => ServeError::Snapshot(fault),
    }
}

async fn next(
    chunks: &mut (impl Stream<Item = Result<Bytes, io::Error>> + Unpin),
) -> Result<Option<Bytes>, io::Error> {
    match tokio::time::timeout(SILENCE_MAX, chunks.next()).await {
        Ok(chunk) => chunk.transpose(),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

async fn blocking<T: Send + 'static>(
    how: Blocking,
    run: impl FnOnce() -> Result<T, ServeError> + Send + 'static,
) -> Result<T, ServeError> {
    match how.run(run).await {
        Ok(result) => result,
        Err(Panicked) => Err(ServeError::Stopped),
    }
}
