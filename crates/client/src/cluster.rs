//! The calls of `ClusterService`. Those that change something are repeated only when the attempt before is known
//! to have had no effect: they carry no request id.

use eunoe_proto::cluster::cluster_service_client::ClusterServiceClient;
use eunoe_proto::cluster::{
    AddNodeRequest, DecommissionNodeRequest, DrainNodeRequest, GetStatusRequest, GetStatusResponse,
    ListNodesRequest, ListShardsRequest, Node, PromoteNodeRequest, RemoveNodeRequest, SealRequest,
    ShardRange, TransferLeaderRequest, UnsealRequest,
};

use crate::channels::Connection;
use crate::chat::present;
use crate::retry::Repeat;
use crate::{Client, ClientError};

/// What operators may do; see [`Client::cluster`].
pub struct Cluster<'a> {
    client: &'a Client,
}

fn stub(channel: Connection) -> ClusterServiceClient<Connection> {
    ClusterServiceClient::new(channel)
}

impl<'a> Cluster<'a> {
    pub(crate) fn new(client: &'a Client) -> Self {
        Self { client }
    }

    /// The cluster as the answering node sees it.
    pub async fn status(&self) -> Result<GetStatusResponse, ClientError> {
        let rpc = |channel, request| async move { stub(channel).get_status(request).await };
        self.client.call(Repeat::Safe, GetStatusRequest {}, rpc).await
    }

    /// All nodes, removed ones included.
    pub async fn nodes(&self) -> Result<Vec<Node>, ClientError> {
        let rpc = |channel, request| async move { stub(channel).list_nodes(request).await };
        Ok(self
            .client
            .call(Repeat::Safe, ListNodesRequest {}, rpc)
            .await?
            .nodes)
    }

    /// Which data group holds which virtual shards.
    pub async fn shards(&self) -> Result<Vec<ShardRange>, ClientError> {
        let rpc = |channel, request| async move { stub(channel).list_shards(request).await };
        Ok(self
            .client
            .call(Repeat::Safe, ListShardsRequest {}, rpc)
            .await?
            .ranges)
    }

    /// Admits a new node as a learner of every group.
    pub async fn add_node(&self, node: AddNodeRequest) -> Result<Node, ClientError> {
        let rpc = |channel, request| async move { stub(channel).add_node(request).await };
        present(self.client.call(Repeat::OnlyWithoutEffect, node, rpc).await?.node)
    }

    /// Makes a caught-up learner a voter. Repeating it changes nothing.
    pub async fn promote_node(&self, node_id: u64) -> Result<Node, ClientError> {
        let rpc = |channel, request| async move { stub(channel).promote_node(request).await };
        present(
            self.client
                .call(Repeat::Safe, PromoteNodeRequest { node_id }, rpc)
                .await?
                .node,
        )
    }

    /// Takes a node out of every group for good, after it destroyed its keys and said so. Repeating it changes nothing.
    ///
    /// # Errors
    ///
    /// FAILED_PRECONDITION if the node does not answer, or if too few of the others hold the root key.
    pub async fn remove_node(&self, node_id: u64) -> Result<Node, ClientError> {
        self.remove(RemoveNodeRequest { node_id, lost: false }).await
    }

    /// Takes a lost node out of every group for good, without its word that it destroyed its share of the root: what is
    /// erased of its time is DESTROYED by the others' word, with grade THRESHOLD, and names it. Repeating it changes nothing.
    pub async fn remove_lost_node(&self, node_id: u64) -> Result<Node, ClientError> {
        self.remove(RemoveNodeRequest { node_id, lost: true }).await
    }

    async fn remove(&self, request: RemoveNodeRequest) -> Result<Node, ClientError> {
        let rpc = |channel, request| async move { stub(channel).remove_node(request).await };
        present(self.client.call(Repeat::Safe, request, rpc).await?.node)
    }

    /// Moves all leaderships off a node; returns the groups that it still leads.
    pub async fn drain_node(&self, node_id: u64) -> Result<Vec<u32>, ClientError> {
        let rpc = |channel, request| async move { stub(channel).drain_node(request).await };
        Ok(self
            .client
            .call(Repeat::Safe, DrainNodeRequest { node_id }, rpc)
            .await?
            .leader_of)
    }

    /// Moves the leadership of one group; returns who leads now.
    pub async fn transfer_leader(&self, group: u32, to_node_id: u64) -> Result<Option<u64>, ClientError> {
        let rpc = |channel, request| async move { stub(channel).transfer_leader(request).await };
        let request = TransferLeaderRequest { group, to_node_id };
        Ok(self
            .client
            .call(Repeat::OnlyWithoutEffect, request, rpc)
            .await?
            .leader)
    }

    /// Records evidence, by its SHA-256, that the vault and the memory of a removed node are gone for good. Repeating it
    /// changes nothing.
    pub async fn decommission_node(&self, node_id: u64, evidence: [u8; 32]) -> Result<Node, ClientError> {
        let rpc = |channel, request| async move { stub(channel).decommission_node(request).await };
        let request = DecommissionNodeRequest {
            node_id,
            evidence_sha256: evidence.to_vec().into(),
        };
        present(self.client.call(Repeat::Safe, request, rpc).await?.node)
    }

    /// Makes every node forget the root key. Repeating it changes nothing.
    pub async fn seal(&self) -> Result<(), ClientError> {
        let rpc = |channel, request| async move { stub(channel).seal(request).await };
        self.client
            .call(Repeat::Safe, SealRequest {}, rpc)
            .await
            .map(drop)
    }

    /// Lets nodes put the root key together again. Repeating it changes nothing.
    pub async fn unseal(&self) -> Result<(), ClientError> {
        let rpc = |channel, request| async move { stub(channel).unseal(request).await };
        self.client
            .call(Repeat::Safe, UnsealRequest {}, rpc)
            .await
            .map(drop)
    }
}
