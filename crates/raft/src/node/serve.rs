//! Other nodes' messages.

use bytes::Bytes;
use eunoe_types::{DecodeError, GroupId};
use futures::stream::{self, BoxStream, Stream, StreamExt};
use openraft::errors::RaftError;
use openraft::raft::{AppendEntriesRequest, StreamAppendResult};
use std::sync::{Arc, OnceLock};

use super::{RaftNode, Running};
use crate::codec::{
    decode_append, decode_header, decode_transfer, decode_vote_request, encode_append_result, encode_log_id,
    encode_snapshot_result, encode_transfer_result, encode_vote_response,
};
use crate::group::RoundError;
use crate::state::receive;
use crate::types::{GroupRaft, TypeConfig};
use crate::{CallKind, ReadError, ServeError};

/// A stream of answers.
type Answers = BoxStream<'static, Result<Bytes, ServeError>>;

impl RaftNode {
    fn serving(&self, group: GroupId) -> Result<Running, ServeError> {
        self.inner.running(group).ok_or(ServeError::UnknownGroup)
    }

    /// Answers one call of a peer.
    pub async fn handle_call(
        &self,
        group: GroupId,
        kind: CallKind,
        body: Bytes,
    ) -> Result<Bytes, ServeError> {
        let handle = self.serving(group)?.handle;
        let raft = &handle.inner.raft;
        match kind {
            CallKind::Vote => {
                let response = raft.vote(decode_vote_request(&body)?).await;
                Ok(encode_vote_response(&response.map_err(stopped)?))
            }
            CallKind::PreVote => {
                let response = raft.pre_vote(decode_vote_request(&body)?).await;
                Ok(encode_vote_response(&response.map_err(stopped)?))
            }
            CallKind::Heartbeat => heartbeat(raft, decode_append(&body)?).await,
            CallKind::TransferLeader => {
                let result = raft.handle_transfer_leader(decode_transfer(&body)?).await;
                Ok(encode_transfer_result(&result.map_err(|_| ServeError::Stopped)?))
            }
            CallKind::ReadPosition => match handle.inner.barrier.position(true).await {
                Ok(id) => Ok(encode_log_id(&id)),
                Err(RoundError::NoLeader) => Err(ReadError::Timeout.into()),
                Err(RoundError::Overloaded) => Err(ReadError::Overloaded.into()),
                Err(RoundError::Stopped) => Err(ServeError::Stopped),
            },
        }
    }

    /// Answers a peer's stream of append requests, in their order. It ends with the requests or with an error.
    pub fn handle_append_stream(
        &self,
        group: GroupId,
        requests: impl Stream<Item = Bytes> + Send + 'static,
    ) -> Result<Answers, ServeError> {
        let raft = self.serving(group)?.handle.inner.raft.clone();
        let malformed: Arc<OnceLock<DecodeError>> = Arc::default();
        let seen = Arc::clone(&malformed);
        let decoded = requests
            .map(|bytes| decode_append(&bytes))
            .scan((), move |(), request| {
                // Nothing after a malformed request can be trusted to be where it belongs.
                let request = request.map_err(|error| seen.set(error)).ok();
                std::future::ready(request)
            });
        let answers = raft.stream_append(decoded).map(|result| match result {
            Ok(result) => Ok(encode_append_result(&result)),
            Err(_) => Err(ServeError::Stopped),
        });
        let last =
            stream::once(async move { malformed.get().map(|error| Err(ServeError::Malformed(*error))) });
        Ok(answers.chain(last.filter_map(std::future::ready)).boxed())
    }

    /// Takes a snapshot from a peer: its header, then its chunks. It is verified before openraft hears of it.
    pub async fn handle_snapshot(
        &self,
        group: GroupId,
        header: Bytes,
        chunks: impl Stream<Item = Result<Bytes, std::io::Error>> + Send + Unpin + 'static,
    ) -> Result<Bytes, ServeError> {
        let running = self.serving(group)?;
        let header = decode_header(&header)?;
        let snapshot = receive(&running.snapshots, &header.meta, chunks).await?;
        let snapshot = openraft::Snapshot {
            meta: header.meta,
            snapshot,
        };
        let response = running
            .handle
            .inner
            .raft
            .install_full_snapshot(header.vote, snapshot)
            .await;
        Ok(encode_snapshot_result(
            &response.map_err(|_| ServeError::Stopped)?.vote,
        ))
    }
}

/// One request in a stream of its own, so that the answer says all that a stream's does.
async fn heartbeat(raft: &GroupRaft, request: AppendEntriesRequest<TypeConfig>) -> Result<Bytes, ServeError> {
    let mut answers = Box::pin(raft.stream_append(stream::once(std::future::ready(request))));
    let result: StreamAppendResult<TypeConfig> = match answers.next().await {
        Some(Ok(result)) => result,
        Some(Err(_)) | None => return Err(ServeError::Stopped),
    };
    Ok(encode_append_result(&result))
}

fn stopped(_: RaftError<TypeConfig>) -> ServeError {
    ServeError::Stopped
}
