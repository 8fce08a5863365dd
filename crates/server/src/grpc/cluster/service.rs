//! The calls as tonic makes them: whoever is let in calls what [`Cluster`] does.

use eunoe_core::control::Command;
use eunoe_proto::cluster as proto;
use eunoe_proto::cluster::cluster_service_server::ClusterService;
use tonic::{Request, Response, Status};

use super::super::auth;
use super::Cluster;
use crate::edge::ApiResult;

impl Cluster {
    async fn answer<Q, A>(
        &self,
        request: Request<Q>,
        answer: impl AsyncFnOnce(Q) -> ApiResult<A>,
    ) -> Result<Response<A>, Status> {
        auth::answered(&self.operator.faults, request, answer).await
    }
}

#[tonic::async_trait]
impl ClusterService for Cluster {
    async fn get_status(
        &self,
        request: Request<proto::GetStatusRequest>,
    ) -> Result<Response<proto::GetStatusResponse>, Status> {
        self.answer(request, async |_| self.status().await).await
    }

    async fn list_nodes(
        &self,
        request: Request<proto::ListNodesRequest>,
    ) -> Result<Response<proto::ListNodesResponse>, Status> {
        let nodes = async |_| self.nodes().await.map(|nodes| proto::ListNodesResponse { nodes });
        self.answer(request, nodes).await
    }

    async fn list_shards(
        &self,
        request: Request<proto::ListShardsRequest>,
    ) -> Result<Response<proto::ListShardsResponse>, Status> {
        let ranges = async |_| {
            let ranges = self.shards();
            Ok(proto::ListShardsResponse { ranges })
        };
        self.answer(request, ranges).await
    }

    async fn add_node(
        &self,
        request: Request<proto::AddNodeRequest>,
    ) -> Result<Response<proto::AddNodeResponse>, Status> {
        self.answer(request, async |request| self.add(request).await)
            .await
    }

    async fn promote_node(
        &self,
        request: Request<proto::PromoteNodeRequest>,
    ) -> Result<Response<proto::PromoteNodeResponse>, Status> {
        self.answer(request, async |request| self.promote(request).await)
            .await
    }

    async fn remove_node(
        &self,
        request: Request<proto::RemoveNodeRequest>,
    ) -> Result<Response<proto::RemoveNodeResponse>, Status> {
        self.answer(request, async |request| self.remove(request).await)
            .await
    }

    async fn drain_node(
        &self,
        request: Request<proto::DrainNodeRequest>,
    ) -> Result<Response<proto::DrainNodeResponse>, Status> {
        self.answer(request, async |request| self.drain(request).await)
            .await
    }

    async fn transfer_leader(
        &self,
        request: Request<proto::TransferLeaderRequest>,
    ) -> Result<Response<proto::TransferLeaderResponse>, Status> {
        self.answer(request, async |request| self.transfer(request).await)
            .await
    }

    async fn decommission_node(
        &self,
        request: Request<proto::DecommissionNodeRequest>,
    ) -> Result<Response<proto::DecommissionNodeResponse>, Status> {
        self.answer(request, async |request| self.decommission(request).await)
            .await
    }

    async fn seal(
        &self,
        request: Request<proto::SealRequest>,
    ) -> Result<Response<proto::SealResponse>, Status> {
        let seal = async |_| {
            self.propose(&Command::Seal(true)).await?;
            Ok(proto::SealResponse {})
        };
        self.answer(request, seal).await
    }

    async fn unseal(
        &self,
        request: Request<proto::UnsealRequest>,
    ) -> Result<Response<proto::UnsealResponse>, Status> {
        let unseal = async |_| {
            self.propose(&Command::Seal(false)).await?;
            Ok(proto::UnsealResponse {})
        };
        self.answer(request, unseal).await
    }
}
