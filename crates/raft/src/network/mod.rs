//! openraft's network over a [`PeerTransport`].
//!
//! openraft asks for three clients per peer: heartbeats, replication, snapshots. Each takes its own channel.

mod append_stream;
mod reverted;
mod rpc;

use std::sync::Arc;
use std::time::Duration;

use eunoe_types::{GroupId, NodeId};
use openraft::RaftNetworkFactory;

use crate::types::TypeConfig;
use crate::{Blocking, Channel, Node, PeerTransport, Target};
pub(crate) use reverted::Acknowledged;

/// Makes the clients of one group.
pub(crate) struct Network {
    pub(crate) group: GroupId,
    pub(crate) node: NodeId,
    pub(crate) transport: Arc<dyn PeerTransport>,
    pub(crate) append_timeout: Duration,
    pub(crate) snapshot_chunk_bytes: usize,
    pub(crate) blocking: Blocking,
    /// What its peers acknowledged.
    pub(crate) acknowledged: Arc<Acknowledged>,
}

/// A client for one peer on one channel.
pub(crate) struct Peer {
    group: GroupId,
    node: NodeId,
    target: Target,
    transport: Arc<dyn PeerTransport>,
    append_timeout: Duration,
    snapshot_chunk_bytes: usize,
    blocking: Blocking,
    acknowledged: Arc<Acknowledged>,
}

impl Network {
    fn peer(&self, id: u64, node: &Node, channel: Channel) -> Peer {
        Peer {
            group: self.group,
            node: self.node,
            target: Target {
                id: NodeId(id),
                node: node.clone(),
                channel,
            },
            transport: Arc::clone(&self.transport),
            append_timeout: self.append_timeout,
            snapshot_chunk_bytes: self.snapshot_chunk_bytes,
            blocking: self.blocking,
            acknowledged: Arc::clone(&self.acknowledged),
        }
    }
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Peer;

    async fn new_client(&mut self, target: u64, node: &Node) -> Peer {
        self.peer(target, node, Channel::Append)
    }

    async fn new_heartbeat_client(&mut self, target: u64, node: &Node) -> Peer {
        self.peer(target, node, Channel::Control)
    }

    async fn new_snapshot_client(&mut self, target: u64, node: &Node) -> Peer {
        self.peer(target, node, Channel::Bulk)
    }
}
