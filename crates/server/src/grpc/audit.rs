//! `eunoe.audit.v1.AuditService`.

use std::sync::Arc;

use eunoe_proto::audit as proto;
use eunoe_proto::audit::audit_service_server::AuditService;
use tonic::{Request, Response, Status};

use super::auth;
use super::status::Faults;
use crate::audit::{Audit, Unpublished};
use crate::edge::ApiError;

/// The audit service of one node.
pub struct Audits {
    log: Arc<dyn Audit>,
    faults: Faults,
}

impl Audits {
    /// Serves `log`.
    pub fn new(log: Arc<dyn Audit>, faults: Faults) -> Self {
        Self { log, faults }
    }

    /// Lets known callers through, and answers.
    async fn answer<Q, A>(
        &self,
        request: Request<Q>,
        answer: impl AsyncFnOnce(Q) -> Result<A, Unpublished>,
    ) -> Result<Response<A>, Status> {
        let answer = async |request| answer(request).await.map_err(api_error);
        auth::answered(&self.faults, request, answer).await
    }
}

pub(super) fn api_error(error: Unpublished) -> ApiError {
    match error {
        Unpublished::NotYet => {
            ApiError::unavailable("NO_CHECKPOINT", "the node has no checkpoint of the log yet")
        }
        Unpublished::NoSuchTile => ApiError::not_found("path", "the log has no such tile"),
        Unpublished::NotDestroyed => {
            ApiError::precondition("NOT_DESTROYED", "the erasure is not DESTROYED yet")
        }
        Unpublished::NotCosigned => ApiError::unavailable("NOT_COSIGNED", "too few nodes signed the log"),
        Unpublished::Fault(fault) => fault.into(),
    }
}

#[tonic::async_trait]
impl AuditService for Audits {
    async fn get_checkpoint(
        &self,
        request: Request<proto::GetCheckpointRequest>,
    ) -> Result<Response<proto::GetCheckpointResponse>, Status> {
        let checkpoint = async |_| {
            let checkpoint = self.log.checkpoint().await?;
            Ok(proto::GetCheckpointResponse { checkpoint })
        };
        self.answer(request, checkpoint).await
    }

    async fn get_tile(
        &self,
        request: Request<proto::GetTileRequest>,
    ) -> Result<Response<proto::GetTileResponse>, Status> {
        let tile = async |request: proto::GetTileRequest| {
            let content = self.log.tile(&request.path).await?.into();
            Ok(proto::GetTileResponse { content })
        };
        self.answer(request, tile).await
    }

    async fn get_policy(
        &self,
        request: Request<proto::GetPolicyRequest>,
    ) -> Result<Response<proto::GetPolicyResponse>, Status> {
        let policy = async |_| {
            let policy = self.log.policy().await?;
            Ok(proto::GetPolicyResponse { policy })
        };
        self.answer(request, policy).await
    }
}
