//! The calls of a client: votes, heartbeats, the transfer of leadership, snapshots.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use eunoe_types::DecodeError;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, Stream};
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Timeout, Unreachable};
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendError, StreamAppendResult,
    TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{OptionalSend, RPCTypes, RaftNetworkV2};

use super::{Peer, append_stream};
use crate::codec::{
    SnapshotHeader, decode_append_result, decode_snapshot_result, decode_transfer_result,
    decode_vote_response, encode_append, encode_header, encode_transfer, encode_vote_request,
};
use crate::state::{SnapshotDir, snapshot_chunks};
use crate::types::{LogId, TypeConfig, Vote};
use crate::{CallKind, Channel, Target, TransportError};

type RpcError = RPCError<TypeConfig>;
type SnapshotOf = openraft::alias::SnapshotOf<TypeConfig, SnapshotDir>;
type AppendResults<'s> = BoxStream<'s, Result<StreamAppendResult<TypeConfig>, RpcError>>;

impl Peer {
    /// One unary call. All of them are small and urgent, whichever channel the client is for.
    async fn call<T>(
        &self,
        kind: CallKind,
        action: RPCTypes,
        body: Bytes,
        timeout: Duration,
        decode: impl FnOnce(&[u8]) -> Result<T, DecodeError>,
    ) -> Result<T, RpcError> {
        let to = Target {
            channel: Channel::Control,
            ..self.target.clone()
        };
        let call = self.transport.call(to, self.group, kind, body, timeout);
        // The transport ends by itself; if it does not, openraft would wait for ever (it has no timeout here).
        let answer = match tokio::time::timeout(timeout, call).await {
            Ok(answer) => answer.map_err(|error| self.rpc_error(error, action, timeout))?,
            Err(_) => return Err(self.rpc_error(TransportError::Timeout, action, timeout)),
        };
        decode(&answer).map_err(|error| RPCError::Network(NetworkError::new(&error)))
    }

    /// Whether the peer had acknowledged what it says that it does not have.
    pub(super) fn has_lost(&self, vote: &Vote, missing: &LogId) -> bool {
        self.acknowledged
            .is_lost(self.group, self.target.id, vote, missing)
    }

    pub(super) fn rpc_error(&self, error: TransportError, action: RPCTypes, timeout: Duration) -> RpcError {
        match error {
            TransportError::Timeout => {
                let (id, target) = (self.node.0, self.target.id.0);
                RPCError::Timeout(Timeout {
                    action,
                    id,
                    target,
                    timeout,
                })
            }
            // A peer that refuses is one to come back to later, as is one that cannot be reached.
            TransportError::Unreachable | TransportError::Refused => {
                RPCError::Unreachable(Unreachable::new(&error))
            }
            TransportError::Broken => RPCError::Network(NetworkError::new(&error)),
        }
    }
}

impl RaftNetworkV2<TypeConfig> for Peer {
    type SnapshotData = SnapshotDir;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RpcError> {
        let (body, timeout) = (encode_append(&rpc), option.hard_ttl());
        let action = RPCTypes::AppendEntries;
        match self
            .call(CallKind::Heartbeat, action, body, timeout, decode_append_result)
            .await?
        {
            Ok(matched) => {
                self.acknowledged.note(self.target.id, &rpc.vote, matched);
                Ok(AppendEntriesResponse::PartialSuccess(matched))
            }
            Err(StreamAppendError::Conflict(_)) => match &rpc.prev_log_id {
                // Nothing before the first entry can conflict, and openraft panics if told so.
                None => Err(self.rpc_error(TransportError::Broken, action, timeout)),
                Some(missing) if self.has_lost(&rpc.vote, missing) => {
                    Err(self.rpc_error(TransportError::Unreachable, action, timeout))
                }
                Some(_) => Ok(AppendEntriesResponse::Conflict),
            },
            Err(StreamAppendError::HigherVote(vote)) => Ok(AppendEntriesResponse::HigherVote(vote)),
        }
    }

    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        option: RPCOption,
    ) -> BoxFuture<'s, Result<AppendResults<'s>, RpcError>>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + OptionalSend + Unpin + 'static,
    {
        if self.target.channel == Channel::Control {
            // A heartbeat: one request, one answer, not behind any entry.
            return openraft::network::stream_append_sequential(self, input, option);
        }
        Box::pin(append_stream::open(self, input))
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        let body = encode_vote_request(&rpc);
        self.call(
            CallKind::Vote,
            RPCTypes::Vote,
            body,
            option.hard_ttl(),
            decode_vote_response,
        )
        .await
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        let body = encode_vote_request(&rpc);
        self.call(
            CallKind::PreVote,
            RPCTypes::Vote,
            body,
            option.hard_ttl(),
            decode_vote_response,
        )
        .await
    }

    async fn transfer_leader(
        &mut self,
        req: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RpcError> {
        let (body, timeout) = (encode_transfer(&req), option.hard_ttl());
        self.call(
            CallKind::TransferLeader,
            RPCTypes::TransferLeader,
            body,
            timeout,
            decode_transfer_result,
        )
        .await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: SnapshotOf,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let timeout = option.hard_ttl();
        let header = encode_header(&SnapshotHeader {
            vote,
            meta: snapshot.meta,
        });
        let chunks = snapshot_chunks(snapshot.snapshot, self.snapshot_chunk_bytes, self.blocking);
        let sent = self
            .transport
            .send_snapshot(self.target.clone(), self.group, header, chunks, timeout);
        let answer = tokio::select! {
            biased;
            closed = cancel => return Err(StreamingError::Closed(closed)),
            answer = tokio::time::timeout(timeout, sent) => answer.unwrap_or(Err(TransportError::Timeout)),
        };
        let answer = answer.map_err(|error| self.rpc_error(error, RPCTypes::InstallSnapshot, timeout))?;
        let vote = decode_snapshot_result(&answer)
            .map_err(|error| StreamingError::Network(NetworkError::new(&error)))?;
        Ok(SnapshotResponse::new(vote))
    }
}
