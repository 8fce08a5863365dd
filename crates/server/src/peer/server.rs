//! Answers peers: Raft's messages go to the groups, the rest to the [`PeerHandler`].

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use eunoe_crypto::{HandOver, SecretBytes};
use eunoe_proto::peer::peer_service_server::{PeerService, PeerServiceServer};
use eunoe_proto::peer::{
    AwaitAppliedRequest, AwaitAppliedResponse, ChangeGroupRequest, ChangeGroupResponse, CosignRequest,
    CosignResponse, DrainRequest, DrainResponse, InstallRootRequest, InstallRootResponse,
    OpenHandOverRequest, OpenHandOverResponse, PingRequest, PingResponse, ProposeRequest, ProposeResponse,
    RaftAppendRequest, RaftAppendResponse, RaftCallRequest, RaftCallResponse, RaftSnapshotRequest,
    RaftSnapshotResponse, RelayTypingRequest, RelayTypingResponse, ReleaseRootRequest, ReleaseRootResponse,
    RenewLeaseRequest, RenewLeaseResponse, RetireRequest, RetireResponse, change_group_request::Change,
    propose_response::Outcome,
};
use eunoe_raft::{CallKind, Node, RaftNode, ServeError};
use eunoe_types::{BootId, ConversationId, GroupId, NodeId};
use eunoe_vault::Slot;
use futures::future::{BoxFuture, ready};
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Response, Status, Streaming};

use super::hand_overs::HandOvers;
use super::{
    ChangeOutcome, GivenRoot, GroupChange, PEER_MESSAGE_BYTES_MAX, PeerHandler, ProposeOutcome, RootPart,
    status,
};
use crate::telemetry::{self, Attribute, Stage};
use crate::tls::{PeerDirectory, PeerIdentity};

type Answers = BoxStream<'static, Result<Bytes, ServeError>>;

/// What takes Raft's messages: the node's groups.
#[tonic::async_trait]
pub trait RaftInbound: Send + Sync + 'static {
    /// Answers one call.
    async fn call(&self, group: GroupId, kind: CallKind, body: Bytes) -> Result<Bytes, ServeError>;

    /// Answers a stream of append requests, in their order.
    fn append(&self, group: GroupId, requests: BoxStream<'static, Bytes>) -> Result<Answers, ServeError>;

    /// Takes a snapshot. A stream that ends with an error did not arrive whole.
    async fn snapshot(
        &self,
        group: GroupId,
        header: Bytes,
        chunks: BoxStream<'static, io::Result<Bytes>>,
    ) -> Result<Bytes, ServeError>;
}

#[tonic::async_trait]
impl RaftInbound for RaftNode {
    async fn call(&self, group: GroupId, kind: CallKind, body: Bytes) -> Result<Bytes, ServeError> {
        self.handle_call(group, kind, body).await
    }

    fn append(&self, group: GroupId, requests: BoxStream<'static, Bytes>) -> Result<Answers, ServeError> {
        self.handle_append_stream(group, requests)
    }

    async fn snapshot(
        &self,
        group: GroupId,
        header: Bytes,
        chunks: BoxStream<'static, io::Result<Bytes>>,
    ) -> Result<Bytes, ServeError> {
        self.handle_snapshot(group, header, chunks).await
    }
}

/// The peer service of a node.
pub struct PeerServer<R, H> {
    own: NodeId,
    raft: Arc<R>,
    handler: Arc<H>,
    directory: PeerDirectory,
    hand_overs: HandOvers,
}

/// [`PeerServer`] as tonic serves it.
pub(super) type PeerGrpc<R, H> = InterceptedService<PeerServiceServer<PeerServer<R, H>>, AdmittedOnly>;

/// Refuses whoever is not admitted any more, request by request: the handshake was long ago.
#[derive(Clone, Debug)]
pub struct AdmittedOnly(PeerDirectory);

impl Interceptor for AdmittedOnly {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let peer = identity(&request)?;
        if self.0.admits(&peer) {
            Ok(request)
        } else {
            Err(Status::permission_denied("the node is not admitted"))
        }
    }
}

impl<R: RaftInbound, H: PeerHandler> PeerServer<R, H> {
    /// The service of node `own`, for a listener whose connections carry a [`PeerIdentity`].
    pub fn new(own: NodeId, raft: R, handler: Arc<H>, directory: PeerDirectory) -> PeerGrpc<R, H> {
        let admitted = AdmittedOnly(directory.clone());
        let service = PeerServiceServer::new(Self {
            own,
            raft: Arc::new(raft),
            handler,
            directory,
            hand_overs: HandOvers::default(),
        })
        .max_decoding_message_size(PEER_MESSAGE_BYTES_MAX)
        .max_encoding_message_size(PEER_MESSAGE_BYTES_MAX);
        InterceptedService::new(service, admitted)
    }

    /// Ends when the caller is no longer admitted: what ends its streams.
    fn refused(&self, peer: PeerIdentity) -> BoxFuture<'static, ()> {
        self.directory.refused(peer)
    }
}

#[tonic::async_trait]
impl<R: RaftInbound, H: PeerHandler> PeerService for PeerServer<R, H> {
    async fn raft_call(
        &self,
        request: Request<RaftCallRequest>,
    ) -> Result<Response<RaftCallResponse>, Status> {
        let request = request.into_inner();
        let kind = u8::try_from(request.kind).ok().and_then(CallKind::from_number);
        let kind = kind.ok_or_else(|| Status::invalid_argument("unknown kind of call"))?;
        let answer = self.raft.call(GroupId(request.group), kind, request.body).await;
        let body = answer.map_err(|error| status::of_raft(&error))?;
        Ok(Response::new(RaftCallResponse { body }))
    }

    type RaftAppendStream = BoxStream<'static, Result<RaftAppendResponse, Status>>;

    /// It is answered at once, so that the peer knows that it is connected; the group comes with the first
    /// request, whenever there is one.
    async fn raft_append(
        &self,
        request: Request<Streaming<RaftAppendRequest>>,
    ) -> Result<Response<Self::RaftAppendStream>, Status> {
        let refused = self.refused(identity(&request)?);
        let mut requests = request.into_inner();
        let raft = Arc::clone(&self.raft);
        let answers = async move {
            let Some(first) = requests.message().await? else {
                return Ok(stream::empty().boxed());
            };
            // Whatever breaks the requests breaks the answers as well: the end is enough here.
            let others = requests
                .map_ok(|request| request.body)
                .take_while(|body| ready(body.is_ok()));
            let bodies = stream::once(ready(first.body)).chain(others.filter_map(|body| ready(body.ok())));
            let answers = raft.append(GroupId(first.group), bodies.take_until(refused).boxed());
            let answers = answers.map_err(|error| status::of_raft(&error))?;
            Ok::<_, Status>(answers.map_err(|error| status::of_raft(&error)).boxed())
        };
        let answers = stream::once(answers)
            .try_flatten()
            .map_ok(|body| RaftAppendResponse { body });
        Ok(Response::new(answers.boxed()))
    }

    async fn raft_snapshot(
        &self,
        request: Request<Streaming<RaftSnapshotRequest>>,
    ) -> Result<Response<RaftSnapshotResponse>, Status> {
        let refused = self.refused(identity(&request)?);
        let mut pieces = request.into_inner();
        let Some(first) = pieces.message().await? else {
            return Err(Status::invalid_argument("a snapshot begins with its header"));
        };
        let chunks = chunks(pieces, refused);
        let answer = self.raft.snapshot(GroupId(first.group), first.body, chunks).await;
        let body = answer.map_err(|error| status::of_raft(&error))?;
        Ok(Response::new(RaftSnapshotResponse { body }))
    }

    async fn propose(&self, request: Request<ProposeRequest>) -> Result<Response<ProposeResponse>, Status> {
        let from = identity(&request)?.node;
        let parent = telemetry::remote(request.metadata());
        let ProposeRequest { group, command } = request.into_inner();
        let group = GroupId(group);
        let proposed = self.handler.propose(from, group, command);
        let labels = [Attribute::Group(group)];
        let outcome = match telemetry::under(parent, Stage::ProposeForwarded, &labels, proposed).await {
            ProposeOutcome::Reply(reply) => Outcome::Reply(reply),
            ProposeOutcome::NotLeader(leader) => Outcome::NotLeader(leader.unwrap_or_default().0),
            ProposeOutcome::Unreachable => Outcome::NotLeader(0),
            ProposeOutcome::Overloaded => Outcome::Overloaded(true),
            ProposeOutcome::Unknown => Outcome::Unknown(true),
        };
        Ok(Response::new(ProposeResponse {
            outcome: Some(outcome),
        }))
    }

    async fn change_group(
        &self,
        request: Request<ChangeGroupRequest>,
    ) -> Result<Response<ChangeGroupResponse>, Status> {
        let from = identity(&request)?.node;
        let ChangeGroupRequest { group, change } = request.into_inner();
        let change = change.and_then(read_change);
        let change = change.ok_or_else(|| Status::invalid_argument("the change is not one"))?;
        let not_leader = match self.handler.change_group(from, GroupId(group), change).await {
            ChangeOutcome::Done => 0,
            ChangeOutcome::NotLeader(Some(leader)) if leader.0 != 0 => leader.0,
            ChangeOutcome::NotLeader(_) | ChangeOutcome::Unreachable => {
                return Err(Status::aborted("this node does not lead the group"));
            }
            ChangeOutcome::Refused => {
                return Err(Status::failed_precondition("the group's state forbids it"));
            }
            ChangeOutcome::Unknown => return Err(Status::unknown("the outcome of the change is unknown")),
        };
        Ok(Response::new(ChangeGroupResponse { not_leader }))
    }

    async fn release_root(
        &self,
        request: Request<ReleaseRootRequest>,
    ) -> Result<Response<ReleaseRootResponse>, Status> {
        let from = identity(&request)?.node;
        let ReleaseRootRequest {
            epoch,
            attempt,
            boot_id,
            public_key,
            whole,
        } = request.into_inner();
        let public = public_key[..].try_into();
        let public = public.map_err(|_| Status::invalid_argument("a public key is 32 bytes"))?;
        let slot = Slot { epoch, attempt };
        let part = if whole { RootPart::Whole } else { RootPart::Share };
        let boot = self::boot_id(&boot_id)?;
        let released = self.handler.release_root(from, part, slot, boot).await;
        let part = HandOver::seal_to(public, &released.map_err(status::of_grant)?);
        let part = part.map_err(|_| Status::invalid_argument("nothing is sealed to this public key"))?;
        Ok(Response::new(ReleaseRootResponse { part: part.into() }))
    }

    async fn cosign(&self, request: Request<CosignRequest>) -> Result<Response<CosignResponse>, Status> {
        identity(&request)?;
        let line = self.handler.cosign(&request.into_inner().checkpoint).await;
        let line = line.unwrap_or_default();
        Ok(Response::new(CosignResponse { line }))
    }

    async fn open_hand_over(
        &self,
        request: Request<OpenHandOverRequest>,
    ) -> Result<Response<OpenHandOverResponse>, Status> {
        let from = identity(&request)?.node;
        let failed = |_| Status::internal("no randomness");
        let keys = (
            HandOver::begin().map_err(failed)?,
            HandOver::begin().map_err(failed)?,
        );
        let copy = |key: &HandOver| Bytes::copy_from_slice(&key.public());
        let response = OpenHandOverResponse {
            root_key: copy(&keys.0),
            share_key: copy(&keys.1),
        };
        self.hand_overs.open(from, keys);
        Ok(Response::new(response))
    }

    async fn install_root(
        &self,
        request: Request<InstallRootRequest>,
    ) -> Result<Response<InstallRootResponse>, Status> {
        let from = identity(&request)?.node;
        let InstallRootRequest {
            epoch,
            attempt,
            root,
            share,
        } = request.into_inner();
        let keys = self.hand_overs.take(from);
        let (for_root, for_share) = keys.ok_or_else(|| Status::aborted("no hand-over was opened"))?;
        let given = GivenRoot {
            slot: Slot { epoch, attempt },
            root: opened(for_root, &root)?,
            share: opened(for_share, &share)?,
        };
        let installed = self.handler.install_root(from, given).await;
        installed.map_err(status::of_grant)?;
        Ok(Response::new(InstallRootResponse {}))
    }

    async fn renew_lease(
        &self,
        request: Request<RenewLeaseRequest>,
    ) -> Result<Response<RenewLeaseResponse>, Status> {
        let from = identity(&request)?.node;
        let lease = self.handler.renew_lease(from).await.map_err(status::of_grant)?;
        Ok(Response::new(RenewLeaseResponse {
            ttl_ms: lease.ttl_ms,
            control_index: lease.control_index,
        }))
    }

    async fn await_applied(
        &self,
        request: Request<AwaitAppliedRequest>,
    ) -> Result<Response<AwaitAppliedResponse>, Status> {
        if self.handler.await_applied(request.get_ref().control_index).await {
            Ok(Response::new(AwaitAppliedResponse {}))
        } else {
            Err(Status::aborted("the entry was not applied in time"))
        }
    }

    async fn relay_typing(
        &self,
        request: Request<RelayTypingRequest>,
    ) -> Result<Response<RelayTypingResponse>, Status> {
        let RelayTypingRequest {
            conversation_id,
            participant,
            active,
        } = request.into_inner();
        let conversation = ConversationId::try_from(&conversation_id[..])
            .map_err(|_| Status::invalid_argument("a conversation id is 16 bytes"))?;
        self.handler.relay_typing(conversation, participant, active).await;
        Ok(Response::new(RelayTypingResponse {}))
    }

    async fn drain(&self, _: Request<DrainRequest>) -> Result<Response<DrainResponse>, Status> {
        let leader_of = self
            .handler
            .drain()
            .await
            .into_iter()
            .map(|group| group.0)
            .collect();
        Ok(Response::new(DrainResponse { leader_of }))
    }

    async fn retire(&self, request: Request<RetireRequest>) -> Result<Response<RetireResponse>, Status> {
        if self.handler.retire(identity(&request)?.node).await {
            Ok(Response::new(RetireResponse {}))
        } else {
            Err(Status::aborted(
                "the log does not say that the node holds no root",
            ))
        }
    }

    async fn ping(&self, request: Request<PingRequest>) -> Result<Response<PingResponse>, Status> {
        let state = self.handler.state(identity(&request)?.node);
        Ok(Response::new(PingResponse {
            node_id: self.own.0,
            unsealed: state.unsealed,
            begun: state.begun.iter().map(|group| group.0).collect(),
            genesis: state.genesis,
            draining: state.draining,
            knows_asker: state.knows_asker,
            started: state.started,
            boot_id: Bytes::copy_from_slice(state.boot.as_bytes()),
            lease_left_ms: state.lease_left_ms,
            share_kept: state.share_kept,
            vault_class: state.vault.as_str().to_owned(),
        }))
    }
}

/// What is in an install, if it has it.
fn opened(key: HandOver, sealed: &Bytes) -> Result<Option<SecretBytes>, Status> {
    if sealed.is_empty() {
        return Ok(None);
    }
    let opened = key.open(sealed);
    let opened =
        opened.map_err(|_| Status::invalid_argument("what is handed over is sealed to another key"))?;
    Ok(Some(opened))
}

/// The chunks of a snapshot. They end without an error only if the sender said so, and was admitted until then.
fn chunks(
    pieces: Streaming<RaftSnapshotRequest>,
    refused: BoxFuture<'static, ()>,
) -> BoxStream<'static, io::Result<Bytes>> {
    let failed = |kind: io::ErrorKind| Some((Err(kind.into()), None));
    stream::unfold(Some((pieces, refused)), move |state| async move {
        let (mut pieces, mut refused) = state?;
        let piece = tokio::select! {
            biased;
            () = &mut refused => return failed(io::ErrorKind::PermissionDenied),
            piece = pieces.message() => piece,
        };
        match piece {
            Ok(Some(piece)) if piece.last => None,
            Ok(Some(piece)) => Some((Ok(piece.body), Some((pieces, refused)))),
            Ok(None) => failed(io::ErrorKind::UnexpectedEof),
            Err(_) => failed(io::ErrorKind::ConnectionReset),
        }
    })
    .boxed()
}

pub(super) fn boot_id(bytes: &[u8]) -> Result<BootId, Status> {
    BootId::try_from(bytes).map_err(|_| Status::invalid_argument("a boot id is 16 bytes"))
}

fn identity<T>(request: &Request<T>) -> Result<PeerIdentity, Status> {
    // Without it the service is on the wrong listener.
    request
        .extensions()
        .get()
        .copied()
        .ok_or_else(|| Status::unauthenticated("the caller is not a node"))
}

pub(super) fn read_change(change: Change) -> Option<GroupChange> {
    Some(match change {
        Change::AddLearner(member) => GroupChange::AddLearner {
            id: node_id(member.node_id)?,
            node: Node {
                address: member.peer_address,
                spki_sha256: member.spki_sha256[..].try_into().ok()?,
            },
        },
        Change::Promote(id) => GroupChange::Promote(node_id(id)?),
        Change::Remove(id) => GroupChange::Remove(node_id(id)?),
        Change::TransferLeader(id) => GroupChange::TransferLeader(node_id(id)?),
    })
}

fn node_id(id: u64) -> Option<NodeId> {
    (id != 0).then_some(NodeId(id))
}
