//! The contract of the connections between nodes. Bytes in, bytes out: whoever implements it knows no Raft.

use std::time::Duration;

use bytes::Bytes;
use eunoe_types::{GroupId, NodeId};
use futures::future::BoxFuture;
use futures::stream::BoxStream;

use crate::Node;

/// Which of the connections to a peer a message takes.
///
/// A heartbeat that waits behind a snapshot is a lost election, so the three classes share no connection, no
/// flow-control window and no queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Heartbeats, votes, read positions: small and urgent.
    Control,
    /// Streams of log entries.
    Append,
    /// Snapshots.
    Bulk,
}

/// What a unary call asks for; all calls take [`Channel::Control`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallKind {
    /// A candidate asks for a vote.
    Vote,
    /// A follower asks whether it would get a vote.
    PreVote,
    /// The leader shows that it is alive.
    Heartbeat,
    /// The leader names its successor.
    TransferLeader,
    /// A follower asks for the position that a read must wait for.
    ReadPosition,
}

impl CallKind {
    /// The number that stands for the kind on the wire.
    pub fn number(self) -> u8 {
        match self {
            CallKind::Vote => 1,
            CallKind::PreVote => 2,
            CallKind::Heartbeat => 3,
            CallKind::TransferLeader => 4,
            CallKind::ReadPosition => 5,
        }
    }

    /// The kind that `number` stands for.
    pub fn from_number(number: u8) -> Option<Self> {
        const ALL: [CallKind; 5] = [
            CallKind::Vote,
            CallKind::PreVote,
            CallKind::Heartbeat,
            CallKind::TransferLeader,
            CallKind::ReadPosition,
        ];
        ALL.into_iter().find(|kind| kind.number() == number)
    }
}

/// Whom a message goes to.
#[derive(Clone, Debug)]
pub struct Target {
    /// The node's id.
    pub id: NodeId,
    /// Its address and key, as the membership has them.
    pub node: Node,
    /// The connection to take.
    pub channel: Channel,
}

/// Why a message did not get its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// There is no connection to the node; worth a pause before the next attempt.
    #[error("the peer cannot be reached")]
    Unreachable,
    /// The connection broke or the answer is not one.
    #[error("the connection to the peer broke")]
    Broken,
    /// The peer refused: it has no such group, does not know this node, or is stopping.
    #[error("the peer refused the message")]
    Refused,
    /// No answer came in time.
    #[error("the peer did not answer in time")]
    Timeout,
}

/// Connections to peers.
///
/// ### To ensure correctness
///
/// - A message reaches the node whose id and key the target names, or none: the implementation checks the key.
/// - The requests of one append stream arrive in order, and its answers come back in the order of the requests.
/// - Every call ends: with an answer, or with an error soon after its timeout.
/// - What takes one [`Channel`] never waits for what takes another.
pub trait PeerTransport: Send + Sync + 'static {
    /// Sends one message and awaits its answer.
    fn call(
        &self,
        to: Target,
        group: GroupId,
        kind: CallKind,
        body: Bytes,
        timeout: Duration,
    ) -> BoxFuture<'static, Result<Bytes, TransportError>>;

    /// Opens a stream of log entries. It ends when `requests` ends and all answers came, or with an error.
    ///
    /// It is dropped when it makes no progress; dropping it must close the connection's stream.
    fn open_append_stream(
        &self,
        to: Target,
        group: GroupId,
        requests: BoxStream<'static, Bytes>,
        connect_timeout: Duration,
    ) -> BoxFuture<'static, Result<BoxStream<'static, Result<Bytes, TransportError>>, TransportError>>;

    /// Sends a snapshot: `header`, then the chunks. The answer comes when the peer has installed or refused it.
    ///
    /// A chunk that is an error means that the snapshot cannot be read: nothing more is sent.
    fn send_snapshot(
        &self,
        to: Target,
        group: GroupId,
        header: Bytes,
        chunks: BoxStream<'static, Result<Bytes, std::io::Error>>,
        timeout: Duration,
    ) -> BoxFuture<'static, Result<Bytes, TransportError>>;
}
