//! Calls to peers over gRPC.

use std::time::Duration;

use bytes::Bytes;
use eunoe_crypto::{HandOver, SecretBytes};
use eunoe_proto::peer::{
    AwaitAppliedRequest, ChangeGroupRequest, CosignRequest, DrainRequest, GroupMember, InstallRootRequest,
    OpenHandOverRequest, PingRequest, PingResponse, ProposeRequest, RelayTypingRequest, ReleaseRootRequest,
    RenewLeaseRequest, RetireRequest, change_group_request::Change, propose_response::Outcome,
};
use eunoe_raft::TransportError;
use eunoe_types::{BootId, ConversationId, GroupId, NodeId};
use eunoe_vault::Slot;
use tonic::{Code, Request, Status};

use super::links::{Lane, Link};
use super::transport::within;
use super::{
    ChangeOutcome, GivenRoot, GrantError, GrantedLease, GroupChange, PeerCalls, PeerLinks, PeerState,
    ProposeOutcome, RootPart, status,
};
use crate::telemetry;

/// A typing notice that takes longer is worth nothing.
const TYPING_TIMEOUT: Duration = Duration::from_secs(1);
/// Each hand-over waits for the new leader.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
/// A share is written to a vault, which may take its time.
const INSTALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Work under way ends, the vault forgets, and an entry is written.
const RETIRE_TIMEOUT: Duration = Duration::from_secs(25);
/// A peer that is well answers at once.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// Calls to peers. Clones share the connections.
#[derive(Clone, Debug)]
pub struct PeerClient {
    links: PeerLinks,
}

impl PeerClient {
    /// Calls over these links.
    pub fn new(links: PeerLinks) -> Self {
        Self { links }
    }

    fn link(&self, to: NodeId) -> Result<Link, TransportError> {
        self.links.link(to, Lane::Requests, None)
    }
}

#[tonic::async_trait]
impl PeerCalls for PeerClient {
    async fn propose(
        &self,
        to: NodeId,
        group: GroupId,
        command: Bytes,
        deadline: Duration,
    ) -> ProposeOutcome {
        let Ok(mut link) = self.link(to) else {
            return ProposeOutcome::Unreachable;
        };
        let request = timed(
            ProposeRequest {
                group: group.0,
                command,
            },
            deadline,
        );
        match tokio::time::timeout(deadline, link.client.propose(request)).await {
            Ok(Ok(response)) => match response.into_inner().outcome {
                Some(Outcome::Reply(reply)) => ProposeOutcome::Reply(reply),
                Some(Outcome::NotLeader(leader)) => ProposeOutcome::NotLeader(node(leader)),
                Some(Outcome::Overloaded(true)) => ProposeOutcome::Overloaded,
                Some(Outcome::Overloaded(false) | Outcome::Unknown(_)) | None => ProposeOutcome::Unknown,
            },
            Ok(Err(status)) if had_no_effect(&status) => ProposeOutcome::Unreachable,
            Ok(Err(_)) | Err(_) => ProposeOutcome::Unknown,
        }
    }

    async fn change_group(
        &self,
        to: NodeId,
        group: GroupId,
        change: GroupChange,
        deadline: Duration,
    ) -> ChangeOutcome {
        let Ok(mut link) = self.link(to) else {
            return ChangeOutcome::Unreachable;
        };
        let message = ChangeGroupRequest {
            group: group.0,
            change: Some(wire_change(change)),
        };
        match tokio::time::timeout(deadline, link.client.change_group(timed(message, deadline))).await {
            Ok(Ok(response)) => match response.into_inner().not_leader {
                0 => ChangeOutcome::Done,
                leader => ChangeOutcome::NotLeader(Some(NodeId(leader))),
            },
            Ok(Err(status)) if had_no_effect(&status) => ChangeOutcome::Unreachable,
            Ok(Err(status)) if status.code() == Code::Aborted => ChangeOutcome::NotLeader(None),
            Ok(Err(status)) if status.code() == Code::FailedPrecondition => ChangeOutcome::Refused,
            Ok(Err(_)) | Err(_) => ChangeOutcome::Unknown,
        }
    }

    async fn release_root(
        &self,
        from: NodeId,
        part: RootPart,
        slot: Slot,
        boot_id: BootId,
        timeout: Duration,
    ) -> Result<SecretBytes, GrantError> {
        let mut link = self.link(from)?;
        let hand_over = HandOver::begin().map_err(|_| TransportError::Refused)?;
        let message = ReleaseRootRequest {
            epoch: slot.epoch,
            attempt: slot.attempt,
            boot_id: Bytes::copy_from_slice(boot_id.as_bytes()),
            public_key: Bytes::copy_from_slice(&hand_over.public()),
            whole: part == RootPart::Whole,
        };
        let call = link.client.release_root(timed(message, timeout));
        match tokio::time::timeout(timeout, call).await {
            Ok(Ok(response)) => {
                let part = hand_over.open(&response.into_inner().part);
                Ok(part.map_err(|_| TransportError::Broken)?)
            }
            Ok(Err(status)) => match status::refused_grant(&status) {
                Some(refused) if !status::was_never_sent(&status) => Err(refused.into()),
                Some(_) | None => Err(status::transport_error(&status).into()),
            },
            Err(_) => Err(TransportError::Timeout.into()),
        }
    }

    async fn cosign(
        &self,
        to: NodeId,
        checkpoint: String,
        timeout: Duration,
    ) -> Result<Option<String>, TransportError> {
        let mut link = self.link(to)?;
        let call = link.client.cosign(timed(CosignRequest { checkpoint }, timeout));
        let line = within(timeout, call).await?.into_inner().line;
        Ok((!line.is_empty()).then_some(line))
    }

    async fn install_root(&self, to: NodeId, given: GivenRoot) -> Result<(), TransportError> {
        let mut link = self.link(to)?;
        let opened = within(
            PING_TIMEOUT,
            link.client
                .open_hand_over(timed(OpenHandOverRequest {}, PING_TIMEOUT)),
        );
        let keys = opened.await?.into_inner();
        let message = InstallRootRequest {
            epoch: given.slot.epoch,
            attempt: given.slot.attempt,
            root: sealed_to(&keys.root_key, given.root)?,
            share: sealed_to(&keys.share_key, given.share)?,
        };
        within(
            INSTALL_TIMEOUT,
            link.client.install_root(timed(message, INSTALL_TIMEOUT)),
        )
        .await
        .map(drop)
    }

    async fn renew_lease(&self, to: NodeId, timeout: Duration) -> Result<GrantedLease, TransportError> {
        let mut link = self.link(to)?;
        let call = link.client.renew_lease(timed(RenewLeaseRequest {}, timeout));
        let answer = within(timeout, call).await?;
        let answer = answer.into_inner();
        Ok(GrantedLease {
            ttl_ms: answer.ttl_ms,
            control_index: answer.control_index,
        })
    }

    async fn await_applied(
        &self,
        to: NodeId,
        control_index: u64,
        timeout: Duration,
    ) -> Result<(), TransportError> {
        let mut link = self.link(to)?;
        let message = AwaitAppliedRequest { control_index };
        within(timeout, link.client.await_applied(timed(message, timeout)))
            .await
            .map(drop)
    }

    async fn relay_typing(
        &self,
        to: NodeId,
        conversation: ConversationId,
        participant: u32,
        active: bool,
    ) -> Result<(), TransportError> {
        let mut link = self.link(to)?;
        let conversation_id = Bytes::copy_from_slice(conversation.as_bytes());
        let message = RelayTypingRequest {
            conversation_id,
            participant,
            active,
        };
        within(
            TYPING_TIMEOUT,
            link.client.relay_typing(timed(message, TYPING_TIMEOUT)),
        )
        .await
        .map(drop)
    }

    async fn ping(&self, to: NodeId) -> Result<PeerState, TransportError> {
        let mut link = self.link(to)?;
        let answer = within(
            PING_TIMEOUT,
            link.client.ping(timed(PingRequest {}, PING_TIMEOUT)),
        )
        .await?;
        read_state(to, answer.into_inner())
    }

    async fn retire(&self, to: NodeId) -> Result<(), TransportError> {
        let mut link = self.link(to)?;
        let request = timed(RetireRequest {}, RETIRE_TIMEOUT);
        within(RETIRE_TIMEOUT, link.client.retire(request))
            .await
            .map(drop)
    }

    async fn drain(&self, to: NodeId) -> Result<Vec<GroupId>, TransportError> {
        let mut link = self.link(to)?;
        let answer = within(
            DRAIN_TIMEOUT,
            link.client.drain(timed(DrainRequest {}, DRAIN_TIMEOUT)),
        )
        .await?;
        Ok(answer.into_inner().leader_of.into_iter().map(GroupId).collect())
    }
}

/// What `from` says of itself, if it is that node.
pub(super) fn read_state(from: NodeId, answer: PingResponse) -> Result<PeerState, TransportError> {
    match NodeId(answer.node_id) {
        node if node == from => Ok(PeerState {
            node,
            unsealed: answer.unsealed,
            begun: answer.begun.into_iter().map(GroupId).collect(),
            genesis: answer.genesis,
            draining: answer.draining,
            knows_asker: answer.knows_asker,
            started: answer.started,
            lease_left_ms: answer.lease_left_ms,
            share_kept: answer.share_kept,
            vault: answer.vault_class.parse().map_err(|_| TransportError::Broken)?,
            boot: BootId::try_from(&answer.boot_id[..]).map_err(|_| TransportError::Broken)?,
        }),
        _ => Err(TransportError::Broken),
    }
}

fn timed<T>(message: T, timeout: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(timeout);
    if let Some((name, value)) = telemetry::header_of_peer() {
        request.metadata_mut().insert(name, value);
    }
    request
}

/// Whether the request reached nobody, or nobody who would act on it: the check of the caller's identity comes
/// before everything else, and only it answers with these codes.
fn had_no_effect(status: &Status) -> bool {
    status::was_never_sent(status) || matches!(status.code(), Code::PermissionDenied | Code::Unauthenticated)
}

fn node(id: u64) -> Option<NodeId> {
    (id != 0).then_some(NodeId(id))
}

fn wire_change(change: GroupChange) -> Change {
    match change {
        GroupChange::AddLearner { id, node } => Change::AddLearner(GroupMember {
            node_id: id.0,
            peer_address: node.address,
            spki_sha256: Bytes::copy_from_slice(&node.spki_sha256),
        }),
        GroupChange::Promote(id) => Change::Promote(id.0),
        GroupChange::Remove(id) => Change::Remove(id.0),
        GroupChange::TransferLeader(id) => Change::TransferLeader(id.0),
    }
}

/// A secret, if there is one, sealed to a key of the other side.
fn sealed_to(public: &Bytes, secret: Option<SecretBytes>) -> Result<Bytes, TransportError> {
    let Some(secret) = secret else {
        return Ok(Bytes::new());
    };
    let public = public[..].try_into().map_err(|_| TransportError::Broken)?;
    let sealed = HandOver::seal_to(public, &secret).map_err(|_| TransportError::Broken)?;
    Ok(sealed.into())
}
