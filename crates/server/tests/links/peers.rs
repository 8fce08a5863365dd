//! Nodes talk to nodes.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use eunoe_core::placement::Policy;
use eunoe_crypto::SecretBytes;
use eunoe_raft::{CallKind, Channel, PeerTransport as _, ServeError, Target, TransportError};
use eunoe_server::peer::{
    ChangeOutcome, GrantError, GrantedLease, GrantedRoot, GroupChange, GrpcTransport, PeerCalls as _,
    PeerClient, PeerHandler, PeerLinks, PeerServer, PeerState, ProposeOutcome, RaftInbound, RefusedGrant,
};
use eunoe_server::serve;
use eunoe_server::tls::{Acceptor, HandshakeLimits, PeerDirectory};
use eunoe_types::{BootId, ConversationId, GroupId, NodeId};
use eunoe_vault::Slot;
use futures::channel::mpsc;
use futures::stream::{self, BoxStream, StreamExt as _};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::{Authority, Node};

const SOON: Duration = Duration::from_secs(30);

/// A snapshot that arrived whole, or what cut it.
type Received = Result<Vec<u8>, io::ErrorKind>;

/// Answers with what it was asked.
#[derive(Clone, Default)]
struct Echo {
    snapshots: Arc<Mutex<Vec<Received>>>,
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
struct Handler {
    typing: Mutex<Vec<(u32, bool)>>,
    changes: Mutex<Vec<(NodeId, GroupChange)>>,
    /// Who asked this node to retire: it needs two attempts.
    retired: Mutex<Vec<NodeId>>,
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

    async fn grant_root(&self, from: NodeId, boot_id: BootId) -> Result<GrantedRoot, RefusedGrant> {
        match boot_id.0[0] {
            1 => Err(RefusedGrant::Sealed),
            2 => Err(RefusedGrant::NotAdmitted),
            3 => Err(RefusedGrant::NotRecorded),
            _ => Ok(GrantedRoot {
                epoch: 5,
                attempt: from.0,
                root: SecretBytes::new(vec![7; 34]),
            }),
        }
    }

    async fn install_root(&self, from: NodeId, next: GrantedRoot) -> Result<(), RefusedGrant> {
        match next.attempt {
            1 => Err(RefusedGrant::NotAdmitted),
            _ => {
                assert_eq!(
                    (from, next.epoch, next.root.expose()),
                    (NodeId(2), 6, &[7; 34][..])
                );
                Ok(())
            }
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

fn state() -> PeerState {
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
    echo: Echo,
    handler: Arc<Handler>,
    pub(crate) client: PeerClient,
    transport: GrpcTransport,
    _stop: DropGuard,
}

impl Pair {
    async fn new() -> Self {
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

    fn target(&self, channel: Channel) -> Target {
        let (id, entry) = self.server.entry();
        let node = eunoe_raft::Node {
            address: entry.address,
            spki_sha256: entry.spki_sha256,
        };
        Target { id, node, channel }
    }

    async fn call(&self, group: u32) -> Result<Bytes, TransportError> {
        let body = Bytes::from_static(b"vote");
        let target = self.target(Channel::Control);
        self.transport
            .call(target, GroupId(group), CallKind::PreVote, body, SOON)
            .await
    }

    async fn propose(&self, command: &'static [u8]) -> ProposeOutcome {
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

#[tokio::test]
async fn a_proposal_gets_its_outcome() {
    let pair = Pair::new().await;
    assert_eq!(
        pair.propose(b"x").await,
        ProposeOutcome::Reply(Bytes::from_static(&[2, 4, b'x']))
    );
    assert_eq!(
        pair.propose(b"l").await,
        ProposeOutcome::NotLeader(Some(NodeId(3)))
    );
    assert_eq!(pair.propose(b"n").await, ProposeOutcome::NotLeader(None));
    assert_eq!(pair.propose(b"o").await, ProposeOutcome::Overloaded);
    assert_eq!(pair.propose(b"u").await, ProposeOutcome::Unknown);
}

#[tokio::test]
async fn a_proposal_without_an_answer_is_unknown_once_it_may_have_been_sent() {
    let pair = Pair::new().await;
    let (to, command) = (pair.server.id, Bytes::from_static(b"w"));
    let late = pair
        .client
        .propose(to, GroupId(1), command.clone(), Duration::from_millis(100));
    assert_eq!(late.await, ProposeOutcome::Unknown);
    let nobody = pair.client.propose(NodeId(8), GroupId(1), command.clone(), SOON);
    assert_eq!(nobody.await, ProposeOutcome::Unreachable);
    // Node 2 listens for nobody: its socket is closed here.
    let (id, mut entry) = pair.caller.entry();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    entry.address = closed.local_addr().unwrap().to_string();
    drop(closed);
    pair.known.replace([(id, entry)]);
    let deaf = pair.client.propose(id, GroupId(1), command, SOON);
    assert_eq!(deaf.await, ProposeOutcome::Unreachable);
}

#[tokio::test]
async fn changes_and_their_outcomes_cross_the_link() {
    let pair = Pair::new().await;
    let node = eunoe_raft::Node {
        address: "there:1".to_owned(),
        spki_sha256: [4; 32],
    };
    let changes = [
        GroupChange::AddLearner { id: NodeId(4), node },
        GroupChange::Promote(NodeId(4)),
        GroupChange::TransferLeader(NodeId(4)),
        GroupChange::Remove(NodeId(4)),
        GroupChange::Remove(NodeId(5)),
    ];
    let mut outcomes = Vec::new();
    for (group, change) in (0..).zip(&changes) {
        let outcome = pair
            .client
            .change_group(pair.server.id, GroupId(group), change.clone(), SOON);
        outcomes.push(outcome.await);
    }
    let expected = [
        ChangeOutcome::Done,
        ChangeOutcome::NotLeader(Some(NodeId(3))),
        ChangeOutcome::NotLeader(None),
        ChangeOutcome::Refused,
        ChangeOutcome::Unknown,
    ];
    assert_eq!(outcomes, expected);
    let seen = pair.handler.changes.lock().unwrap().clone();
    assert_eq!(
        seen,
        changes
            .map(|change| (pair.caller.id, change))
            .into_iter()
            .collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_root_is_granted_or_refused_with_the_reason() {
    let pair = Pair::new().await;
    let granted = pair
        .client
        .grant_root(pair.server.id, BootId([0; 16]))
        .await
        .unwrap();
    assert_eq!((granted.epoch, granted.attempt), (5, 2));
    assert_eq!(granted.root.expose(), [7; 34]);
    for (first, refused) in [
        (1, RefusedGrant::Sealed),
        (2, RefusedGrant::NotAdmitted),
        (3, RefusedGrant::NotRecorded),
    ] {
        let error = pair
            .client
            .grant_root(pair.server.id, BootId([first; 16]))
            .await
            .unwrap_err();
        assert_eq!(error, GrantError::Refused(refused));
    }
    let nobody = pair
        .client
        .grant_root(NodeId(8), BootId([0; 16]))
        .await
        .unwrap_err();
    assert_eq!(nobody, GrantError::Transport(TransportError::Refused));
}

#[tokio::test]
async fn roots_leases_and_positions_cross_the_link() {
    let pair = Pair::new().await;
    let (to, root) = (pair.server.id, SecretBytes::new(vec![7; 34]));
    let client = &pair.client;
    let slot = |attempt| Slot { epoch: 6, attempt };
    assert!(client.install_root(to, slot(2), &root).await.is_ok());
    // A refusal is no answer that a root is kept.
    assert!(client.install_root(to, slot(1), &root).await.is_err());
    let lease = client.renew_lease(to, SOON).await.expect("it is granted");
    assert_eq!((lease.ttl_ms, lease.control_index), (5_000, 77));
    assert!(client.await_applied(to, 77, SOON).await.is_ok());
    assert!(client.await_applied(to, 78, SOON).await.is_err());
}

#[tokio::test]
async fn a_node_retires_or_did_not_say_so() {
    let pair = Pair::new().await;
    let (client, to) = (&pair.client, pair.server.id);
    assert!(client.retire(to).await.is_err());
    assert_eq!(client.retire(to).await, Ok(()));
}

#[tokio::test]
async fn typing_pings_and_drains_arrive() {
    let pair = Pair::new().await;
    let conversation = ConversationId([3; 16]);
    let relayed = pair
        .client
        .relay_typing(pair.server.id, conversation, 6, true)
        .await;
    assert_eq!(relayed, Ok(()));
    assert_eq!(*pair.handler.typing.lock().unwrap(), [(6, true)]);
    assert_eq!(pair.client.ping(pair.server.id).await, Ok(state()));
    assert_eq!(pair.client.drain(pair.server.id).await, Ok(vec![GroupId(2)]));
}

#[tokio::test]
async fn raft_calls_are_answered_or_refused() {
    let pair = Pair::new().await;
    assert_eq!(pair.call(1).await, Ok(Bytes::from_static(b"\x02vote")));
    assert_eq!(pair.call(9).await, Err(TransportError::Refused));
}

#[tokio::test]
async fn an_append_stream_opens_idle_and_answers_in_order() {
    let pair = Pair::new().await;
    let (sender, mut answers) = pair.append().await;
    let big = Bytes::from(vec![5; 1 << 20]);
    for number in 0..64u8 {
        sender.unbounded_send(Bytes::from(vec![number])).unwrap();
        sender.unbounded_send(big.clone()).unwrap();
    }
    for number in 0..64u8 {
        assert_eq!(answers.next().await.unwrap().unwrap(), [number][..]);
        assert!(answers.next().await.unwrap().unwrap() == big);
    }
    drop(sender);
    assert!(answers.next().await.is_none());
}

#[tokio::test]
async fn an_append_stream_to_a_group_that_is_not_there_is_refused() {
    let pair = Pair::new().await;
    let requests = stream::iter([Bytes::from_static(b"x")]).boxed();
    let target = pair.target(Channel::Append);
    let opened = pair
        .transport
        .open_append_stream(target, GroupId(9), requests, SOON);
    let mut answers = opened.await.unwrap();
    assert_eq!(answers.next().await, Some(Err(TransportError::Refused)));
}

#[tokio::test]
async fn a_snapshot_arrives_whole_or_as_a_failure() {
    let pair = Pair::new().await;
    let send = |chunks: Vec<io::Result<Bytes>>| {
        let chunks = stream::iter(chunks).boxed();
        let (target, header) = (pair.target(Channel::Bulk), Bytes::from_static(b"h"));
        pair.transport
            .send_snapshot(target, GroupId(1), header, chunks, SOON)
    };
    let whole = vec![Ok(Bytes::from_static(b"1")), Ok(Bytes::from_static(b"2"))];
    assert_eq!(send(whole).await, Ok(Bytes::from_static(b"h12")));
    let torn = vec![
        Ok(Bytes::from_static(b"1")),
        Err(io::ErrorKind::UnexpectedEof.into()),
    ];
    assert_eq!(send(torn).await, Err(TransportError::Broken));
    let whole = vec![Ok(Bytes::from_static(b"3"))];
    assert_eq!(send(whole).await, Ok(Bytes::from_static(b"h3")));
    let ends = pair.echo.snapshots.lock().unwrap().clone();
    let torn = Err(io::ErrorKind::UnexpectedEof);
    assert_eq!(ends, [Ok(b"h12".to_vec()), torn, Ok(b"h3".to_vec())]);
}

#[tokio::test]
async fn a_snapshot_that_is_given_up_under_way_does_not_look_whole() {
    let pair = Pair::new().await;
    let chunks = stream::iter([Ok(Bytes::from_static(b"1"))]).chain(stream::pending());
    let (target, header) = (pair.target(Channel::Bulk), Bytes::from_static(b"h"));
    let late = Duration::from_millis(200);
    let sent = pair
        .transport
        .send_snapshot(target, GroupId(1), header, chunks.boxed(), late);
    assert_eq!(sent.await, Err(TransportError::Timeout));
    let end = loop {
        let ended = pair.echo.snapshots.lock().unwrap().pop();
        match ended {
            Some(end) => break end,
            None => tokio::task::yield_now().await,
        }
    };
    assert_eq!(end, Err(io::ErrorKind::UnexpectedEof));
}

#[tokio::test]
async fn a_caller_with_another_key_is_refused() {
    let pair = Pair::new().await;
    let (id, mut entry) = pair.caller.entry();
    entry.spki_sha256 = [0; 32];
    pair.admitted.replace([pair.server.entry(), (id, entry)]);
    // The handshake fails after the caller thinks that it is done, so the error may come from either.
    assert!(pair.client.ping(pair.server.id).await.is_err());
    assert!(pair.call(1).await.is_err());
    pair.admitted.replace([pair.server.entry(), pair.caller.entry()]);
    assert!(pair.client.ping(pair.server.id).await.is_ok());
}

#[tokio::test]
async fn a_server_with_another_key_gets_nothing() {
    let pair = Pair::new().await;
    let (id, mut entry) = pair.server.entry();
    entry.spki_sha256 = [0; 32];
    pair.known.replace([(id, entry)]);
    assert_eq!(pair.client.ping(id).await, Err(TransportError::Unreachable));
    assert_eq!(pair.propose(b"x").await, ProposeOutcome::Unreachable);
    // Raft's membership names another key than the directory: not called at all.
    assert_eq!(pair.call(1).await, Err(TransportError::Refused));
}

#[tokio::test]
async fn a_node_under_another_nodes_address_gets_nothing() {
    let pair = Pair::new().await;
    let (_, entry) = pair.server.entry();
    pair.known.replace([(NodeId(3), entry)]);
    assert_eq!(
        pair.client.ping(NodeId(3)).await,
        Err(TransportError::Unreachable)
    );
}

#[tokio::test]
async fn a_removed_node_is_refused_on_its_open_connection() {
    let pair = Pair::new().await;
    let (sender, mut answers) = pair.append().await;
    sender.unbounded_send(Bytes::from_static(b"1")).unwrap();
    assert_eq!(answers.next().await, Some(Ok(Bytes::from_static(b"1"))));
    assert!(pair.client.ping(pair.server.id).await.is_ok());
    pair.admitted.replace([pair.server.entry()]);
    assert_eq!(
        pair.client.ping(pair.server.id).await,
        Err(TransportError::Refused)
    );
    assert_eq!(pair.propose(b"x").await, ProposeOutcome::Unreachable);
    // The stream that was open ends as well, without an answer to what comes now.
    let _ = sender.unbounded_send(Bytes::from_static(b"2"));
    assert!(!matches!(answers.next().await, Some(Ok(_))));
}

#[tokio::test]
async fn a_stream_to_a_removed_node_ends() {
    let pair = Pair::new().await;
    let (_sender, mut answers) = pair.append().await;
    pair.known.replace([pair.caller.entry()]);
    assert_eq!(answers.next().await, Some(Err(TransportError::Refused)));
    assert!(answers.next().await.is_none());
}
