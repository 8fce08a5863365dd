//! Two nodes with a link between them: one answers with what it was asked, the other asks.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use eunoe_core::placement::Policy;
use eunoe_crypto::SecretBytes;
use eunoe_raft::{CallKind, Channel, PeerTransport as _, ServeError, Target, TransportError};
use eunoe_server::peer::{
    ChangeOutcome, GivenRoot, GrantedLease, GroupChange, GrpcTransport, PeerCalls as _, PeerClient,
    PeerHandler, PeerLinks, PeerServer, PeerState, ProposeOutcome, RaftInbound, RefusedGrant, RootPart,
};
use eunoe_server::serve;
use eunoe_server::tls::{Acceptor, HandshakeLimits, PeerDirectory};
use eunoe_types::{BootId, ConversationId, GroupId, NodeId};
use eunoe_vault::{Slot, VaultClass};
use futures::channel::mpsc;
use futures::stream::{BoxStream, StreamExt as _};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::{Authority, Node};

pub(crate) const SOON: Duration = Duration::from_secs(30);
/// The only root that there is.
pub(crate) const SLOT: Slot = Slot { epoch: 6, attempt: 2 };

/// A snapshot that arrived whole, or what cut it.
pub(crate) type Received = Result<Vec<u8>, io::ErrorKind>;

/// Answers with what it was asked.
#[derive(Clone, Default)]
pub(crate) struct Echo {
    pub(crate) snapshots: Arc<Mutex<Vec<Received>>>,
}

#[tonic::async_trait]
impl RaftInbound for Echo {
    async fn call(&self, group: GroupId, kind: CallKind, body: Bytes) -> Result<Bytes, ServeError> {
        match group {
            GroupId(9) => Err(ServeError::UnknownGroup),
            _ => Ok([&[kind.number()], &body[..]].concat().into()),
        }
    }

    fn append(
        &self,
        group: GroupId,
        requests: BoxStream<'static, Bytes>,
    ) -> Result<BoxStream<'static, Result<Bytes, ServeError>>, ServeError> {
        match group {
            GroupId(9) => Err(ServeError::UnknownGroup),
            _ => Ok(requests.map(Ok).boxed()),
        }
    }

    async fn snapshot(
        &self,
        _: GroupId,
        header: Bytes,
        mut chunks: BoxStream<'static, io::Result<Bytes>>,
    ) -> Result<Bytes, ServeError> {
        let mut whole = header.to_vec();
        let end = loop {
            match chunks.next().await {
                Some(Ok(chunk)) => whole.extend_from_slice(&chunk),
                Some(Err(error)) => break Err(error.kind()),
                None => break Ok(whole),
            }
        };
        self.snapshots.lock().unwrap().push(end.clone());
        end.map(Bytes::from).map_err(|kind| ServeError::Io(kind.into()))
    }
}

/// The first byte of a command says what becomes of it.
#[derive(Default)]
pub(crate) struct Handler {
    pub(crate) typing: Mutex<Vec<(u32, bool)>>,
    pub(crate) changes: Mutex<Vec<(NodeId, GroupChange)>>,
    /// Who asked this node to retire: it needs two attempts.
    pub(crate) retired: Mutex<Vec<NodeId>>,
}

#[tonic::async_trait]
impl PeerHandler for Handler {
    async fn propose(&self, from: NodeId, group: GroupId, command: Bytes) -> ProposeOutcome {
        match command.first() {
            Some(b'l') => ProposeOutcome::NotLeader(Some(NodeId(3))),
            Some(b'n') => ProposeOutcome::NotLeader(None),
            Some(b'o') => ProposeOutcome::Overloaded,
            Some(b'u') => ProposeOutcome::Unknown,
            Some(b'w') => std::future::pending().await,
            _ => ProposeOutcome::Reply([&[from.0 as u8, group.0 as u8], &command[..]].concat().into()),
        }
    }

    async fn change_group(&self, from: NodeId, group: GroupId, change: GroupChange) -> ChangeOutcome {
        self.changes.lock().unwrap().push((from, change));
        match group.0 {
            0 => ChangeOutcome::Done,
            1 => ChangeOutcome::NotLeader(Some(NodeId(3))),
            2 => ChangeOutcome::NotLeader(None),
            3 => ChangeOutcome::Refused,
            _ => ChangeOutcome::Unknown,
        }
    }

    async fn cosign(&self, checkpoint: &str) -> Option<String> {
        (!checkpoint.is_empty()).then(|| checkpoint.to_uppercase())
    }

    async fn release_root(
        &self,
        from: NodeId,
        part: RootPart,
        slot: Slot,
        boot_id: BootId,
    ) -> Result<SecretBytes, RefusedGrant> {
        match boot_id.0[0] {
            1 => Err(RefusedGrant::Sealed),
            2 => Err(RefusedGrant::NotAdmitted),
            3 => Err(RefusedGrant::NotRecorded),
            _ => {
                assert_eq!((from, slot), (NodeId(2), SLOT));
                let bytes = match part {
                    RootPart::Share => vec![7; 69],
                    RootPart::Whole => vec![7; 34],
                };
                Ok(SecretBytes::new(bytes))
            }
        }
    }

    async fn install_root(&self, from: NodeId, given: GivenRoot) -> Result<(), RefusedGrant> {
        let bytes = |secret: &Option<SecretBytes>| secret.as_ref().map(|secret| secret.expose().to_vec());
        let got = (from, given.slot, bytes(&given.root), bytes(&given.share));
        match got {
            (NodeId(2), SLOT, Some(root), Some(share)) if (root[..] == [7; 34]) && (share[..] == [8; 69]) => {
                Ok(())
            }
            (NodeId(2), SLOT, None, Some(share)) if share[..] == [9; 69] => Ok(()),
            _ => Err(RefusedGrant::NotAdmitted),
        }
    }

    async fn renew_lease(&self, _from: NodeId) -> Result<GrantedLease, RefusedGrant> {
        Ok(GrantedLease {
            ttl_ms: 5_000,
            control_index: 77,
        })
    }

    async fn await_applied(&self, control_index: u64) -> bool {
        control_index == 77
    }

    async fn retire(&self, from: NodeId) -> bool {
        let mut asked = self.retired.lock().unwrap();
        asked.push(from);
        *asked == [NodeId(2); 2]
    }

    async fn relay_typing(&self, _: ConversationId, participant: u32, active: bool) {
        self.typing.lock().unwrap().push((participant, active));
    }

    async fn drain(&self) -> Vec<GroupId> {
        vec![GroupId(2)]
    }

    fn state(&self, _asker: NodeId) -> PeerState {
        state()
    }
}

pub(crate) fn state() -> PeerState {
    PeerState {
        node: NodeId(1),
        unsealed: true,
        begun: vec![GroupId(0), GroupId(3)],
        genesis: true,
        draining: false,
        knows_asker: true,
        started: true,
        boot: BootId([9; 16]),
        lease_left_ms: 4_000,
        share_kept: true,
        vault: VaultClass::Hsm,
    }
}

/// Node 1 serves, node 2 calls.
pub(crate) struct Pair {
    pub(crate) authority: Authority,
    pub(crate) server: Node,
    pub(crate) caller: Node,
    /// As node 1 sees the world.
    pub(crate) admitted: PeerDirectory,
    /// As node 2 does.
    pub(crate) known: PeerDirectory,
    pub(crate) echo: Echo,
    pub(crate) handler: Arc<Handler>,
    pub(crate) client: PeerClient,
    pub(crate) transport: GrpcTransport,
    _stop: DropGuard,
}

impl Pair {
    pub(crate) async fn new() -> Self {
        Self::at(Policy::Eu27, ["de/fra/fra1"; 2]).await
    }

    /// Where the server and the caller stand, and what both allow.
    pub(crate) async fn at(policy: Policy, [server, caller]: [&str; 2]) -> Self {
        let authority = Authority::new();
        let mut server = Node::at(&authority, 1, server).await;
        let caller = Node::at(&authority, 2, caller).await;
        let admitted = PeerDirectory::new(policy, [server.entry(), caller.entry()]);
        let known = PeerDirectory::new(policy, [server.entry(), caller.entry()]);
        let (echo, handler) = (Echo::default(), Arc::new(Handler::default()));
        let limits = HandshakeLimits::default();
        let acceptor = Acceptor::peers(&server.material(&authority), admitted.clone(), limits).unwrap();
        let service = PeerServer::new(server.id, echo.clone(), Arc::clone(&handler), admitted.clone());
        let router = serve::peer_server().add_service(service);
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let listener = server.listener.take().unwrap();
        tokio::spawn(serve::serve(listener, acceptor, router, Duration::ZERO, stopped));
        let links = PeerLinks::new(caller.material(&authority), known.clone());
        let (client, transport) = (PeerClient::new(links.clone()), GrpcTransport::new(links));
        let _stop = stop.drop_guard();
        Self {
            authority,
            server,
            caller,
            admitted,
            known,
            echo,
            handler,
            client,
            transport,
            _stop,
        }
    }

    pub(crate) fn target(&self, channel: Channel) -> Target {
        let (id, entry) = self.server.entry();
        let node = eunoe_raft::Node {
            address: entry.address,
            spki_sha256: entry.spki_sha256,
        };
        Target { id, node, channel }
    }

    pub(crate) async fn call(&self, group: u32) -> Result<Bytes, TransportError> {
        let body = Bytes::from_static(b"vote");
        let target = self.target(Channel::Control);
        self.transport
            .call(target, GroupId(group), CallKind::PreVote, body, SOON)
            .await
    }

    pub(crate) async fn propose(&self, command: &'static [u8]) -> ProposeOutcome {
        self.client
            .propose(self.server.id, GroupId(4), Bytes::from_static(command), SOON)
            .await
    }

    /// An append stream that is open, and what feeds it.
    pub(crate) async fn append(
        &self,
    ) -> (
        mpsc::UnboundedSender<Bytes>,
        BoxStream<'static, Result<Bytes, TransportError>>,
    ) {
        let (sender, requests) = mpsc::unbounded();
        let target = self.target(Channel::Append);
        let opened = self
            .transport
            .open_append_stream(target, GroupId(1), requests.boxed(), SOON);
        (sender, opened.await.unwrap())
    }
}
