//! The calls as tonic makes them: whoever is let in calls what [`Cluster`] does.

use eunoe_core::control::Command;
use eunoe_proto::cluster as proto;
use eunoe_proto::cluster::cluster_service_server::ClusterService;
use tonic::{Request, Response, Status};

use super::super::auth;
use super::Cluster;

#[tonic::async_trait]
impl ClusterService for Cluster {
    async fn get_status(
        &self,
        request: Request<proto::GetStatusRequest>,
    ) -> Result<Response<proto::GetStatusResponse>, Status> {
        self.operator.faults.answer(match auth::caller(&request) {
            Ok(_) => self.status().await,
            Err(error) => Err(error),
        })
    }

    async fn list_nodes(
        &self,
        request: Request<proto::ListNodesRequest>,
    ) -> Result<Response<proto::ListNodesResponse>, Status> {
        self.operator.faults.answer(match auth::caller(&request) {
            Ok(_) => self.nodes().await.map(|nodes| proto::ListNodesResponse { nodes }),
            Err(error) => Err(error),
        })
    }

    async fn list_shards(
        &self,
        request: Request<proto::ListShardsRequest>,
    ) -> Result<Response<proto::ListShardsResponse>, Status> {
        let allowed = auth::caller(&request);
        self.operator
            .faults
            .answer(allowed.map(|_| proto::ListShardsResponse {
                ranges: self.shards(),
            }))
    }

    async fn add_node(
        &self,
        request: Request<proto::AddNodeRequest>,
    ) -> Result<Response<proto::AddNodeResponse>, Status> {
        self.operator.faults.answer(match auth::caller(&request) {
            Ok(_) => self.add(request.into_inner()).await,
            Err(error) => Err(error),
        })
    }

    async fn promote_node(
        &self,
        request: Request<proto::PromoteNodeRequest>,
    ) -> Result<Response<proto::PromoteNodeResponse>, Status> {
        self.operator.faults.answer(match auth::caller(&request) {
            Ok(_) => self.promote(request.into_inner()).await,
            Err(error) => Err(error),
        })
    }

    async fn remove_node(
        &self,
        request: Request<proto::RemoveNodeRequest>,
    ) -> Result<Response<proto::RemoveNodeResponse>, Status> {
        self.operator.faults.answer(match auth::caller(&request) {
            Ok(_) => self.remove(request.into_inner()).await,
            Err(error) => Err(error),
        })
    }

    async fn drain_node(
        &self,
        request: Request<proto::DrainNodeRequest>,
    ) -> Result<Response<proto::DrainNodeResponse>, Status> {
        self.operator.faults.answer(match auth::caller(&request) {
            Ok(_) => self.drain(request.into_inner()).await,
            Err(error) => Err(error),
        })
    }

    async fn transfer_leader(
        &self,
        request: Request<proto::TransferLeaderRequest>,
    ) -> Result<Response<proto::TransferLeaderResponse>, Status> {
        self.operator.faults.answer(match auth::caller(&request) {
            Ok(_) => self.transfer(request.into_inner()).await,
            Err(error) => Err(error),
        })
    }

    async fn decommission_node(
        &self,
        request: Request<proto::DecommissionNodeRequest>,
    ) -> Result<Response<proto::DecommissionNodeResponse>, Status> {
        self.operator.faults.answer(match auth::caller(&request) {
            Ok(_) => self.decommission(request.into_inner()).await,
            Err(error) => Err(error),
        })
    }

    async fn seal(
        &self,
        request: Request<proto::SealRequest>,
    ) -> Result<Response<proto::SealResponse>, Status> {
        self.operator.faults.answer(match auth::caller(&request) {
            Ok(_) => self
                .propose(&Command::Seal(true))
                .await
                .map(|()| proto::SealResponse {}),
            Err(error) => Err(error),
        })
    }

    async fn unseal(
        &self,
        request: Request<proto::UnsealRequest>,
    ) -> Result<Response<proto::UnsealResponse>, Status> {
        self.operator.faults.answer(match auth::caller(&request) {
            Ok(_) => self
                .propose(&Command::Seal(false))
                .await
                .map(|()| proto::UnsealResponse {}),
            Err(error) => Err(error),
        })
    }
}
