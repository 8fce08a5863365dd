//! `eunoe.erasure.v1.ErasureService`.

use std::sync::Arc;

use eunoe_core::control::ErasureState;
use eunoe_crypto::KeyKind;
use eunoe_proto::erasure::erasure_service_server::ErasureService;
use eunoe_proto::erasure::{self as proto, request_erasure_request::Target};
use eunoe_types::{ErasureId, ErrorCode, Role, TenantId, TimeMs, limits};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use tonic::{Request, Response, Status};

use super::audit::api_error;
use super::status::{Faults, to_status};
use super::{auth, convert, input};
use crate::audit::Audit;
use crate::edge::{
    ApiError, ApiResult, ConversationName, Edge, ErasureCanceller, ErasureRequest, ErasureTarget,
    ErasureView, ErasureViewer,
};
use crate::tls::{ClientIdentity, TenantScope};

/// The erasure service of one node.
#[derive(Clone)]
pub struct Erasures {
    edge: Edge,
    log: Arc<dyn Audit>,
    faults: Faults,
}

impl Erasures {
    /// Serves `edge`; receipts are of `log`.
    pub fn new(edge: Edge, log: Arc<dyn Audit>, faults: Faults) -> Self {
        Self { edge, log, faults }
    }

    async fn request(
        &self,
        request: Request<proto::RequestErasureRequest>,
    ) -> ApiResult<proto::RequestErasureResponse> {
        let caller = auth::caller(&request)?;
        let request = request.into_inner();
        let tenant = auth::tenant(&caller, &request.tenant)?;
        let requested = self
            .edge
            .erase(&tenant, erasure_request(&caller, request)?)
            .await?;
        Ok(proto::RequestErasureResponse {
            erasure: Some(erasure(requested.view)),
            created: requested.created,
            ticket: requested
                .ticket
                .map(|ticket| ticket.to_string())
                .unwrap_or_default(),
        })
    }

    async fn cancel(
        &self,
        request: Request<proto::CancelErasureRequest>,
    ) -> ApiResult<proto::CancelErasureResponse> {
        let caller = auth::caller(&request)?;
        let request = request.into_inner();
        let tenant = auth::tenant(&caller, &request.tenant)?;
        let id = ErasureId(input::id16("erasure_id", &request.erasure_id)?);
        let by = ErasureCanceller {
            is_dpo: caller.role == Role::Dpo,
            person: caller.person(),
        };
        let view = self.edge.cancel_erasure(&tenant, &id, &by).await?;
        Ok(proto::CancelErasureResponse {
            erasure: Some(erasure(view)),
        })
    }

    async fn get(&self, request: Request<proto::GetErasureRequest>) -> ApiResult<proto::GetErasureResponse> {
        let caller = auth::caller(&request)?;
        let request = request.into_inner();
        let tenant = optional_tenant(&caller, &request.tenant)?;
        let id = ErasureId(input::id16("erasure_id", &request.erasure_id)?);
        let view = self.edge.erasure(tenant.as_ref(), &id, &viewer(&caller)).await?;
        Ok(proto::GetErasureResponse {
            erasure: Some(erasure(view)),
        })
    }

    async fn receipt(
        &self,
        request: Request<proto::GetReceiptRequest>,
    ) -> ApiResult<proto::GetReceiptResponse> {
        let caller = auth::caller(&request)?;
        let request = request.into_inner();
        let tenant = optional_tenant(&caller, &request.tenant)?;
        let id = ErasureId(input::id16("erasure_id", &request.erasure_id)?);
        // That the caller may see it.
        self.edge.erasure(tenant.as_ref(), &id, &viewer(&caller)).await?;
        let receipt = self.log.receipt(&id).await.map_err(api_error)?;
        Ok(proto::GetReceiptResponse { receipt })
    }

    async fn list(
        &self,
        request: Request<proto::ListErasuresRequest>,
    ) -> ApiResult<proto::ListErasuresResponse> {
        let caller = auth::caller(&request)?;
        let request = request.into_inner();
        let tenant = auth::tenant(&caller, &request.tenant)?;
        let size = input::page_size(request.page_size)?;
        let token = input::page_token(&request.page_token);
        let (page, next) = self.edge.erasures(&tenant, size, token).await?;
        Ok(proto::ListErasuresResponse {
            erasures: page.into_iter().map(erasure).collect(),
            next_page_token: next.unwrap_or_default(),
        })
    }

    async fn watch(
        &self,
        request: Request<proto::WatchErasureRequest>,
    ) -> ApiResult<BoxStream<'static, Result<proto::WatchErasureResponse, Status>>> {
        let caller = auth::caller(&request)?;
        let request = request.into_inner();
        let tenant = optional_tenant(&caller, &request.tenant)?;
        let id = ErasureId(input::id16("erasure_id", &request.erasure_id)?);
        let is_final = |view: &ErasureView| {
            let state = view.row.state;
            matches!(
                state,
                ErasureState::Destroyed { .. } | ErasureState::Cancelled { .. }
            )
        };
        let steps = self
            .edge
            .watch_erasure(tenant, id, viewer(&caller), is_final)
            .await?;
        let faults = self.faults.clone();
        let answer = move |step: ApiResult<ErasureView>| match step {
            Ok(view) => Ok(proto::WatchErasureResponse {
                erasure: Some(erasure(view)),
            }),
            Err(error) => Err(to_status(&error, &faults)),
        };
        Ok(auth::until_expired(caller, steps).map(answer).boxed())
    }
}

/// The tenant that a request names; without one the caller's own, or none for a caller who may act for all: an erasure
/// is named by its id alone.
fn optional_tenant(caller: &ClientIdentity, name: &str) -> ApiResult<Option<TenantId>> {
    match (&caller.tenant, name) {
        (TenantScope::Any, "") => Ok(None),
        (TenantScope::Name(own), "") => Ok(Some(own.clone())),
        (TenantScope::Any | TenantScope::Name(_), name) => auth::tenant(caller, name).map(Some),
    }
}

/// Whose erasures a caller sees: a subject only what it asked for itself.
fn viewer(caller: &ClientIdentity) -> ErasureViewer {
    match (caller.role, &caller.tenant) {
        (Role::Subject, _) => ErasureViewer::Requester(caller.person()),
        (Role::Dpo | Role::Platform | Role::Agent | Role::Auditor | Role::Operator, scope) => match scope {
            TenantScope::Any => ErasureViewer::AnyTenant,
            TenantScope::Name(_) => ErasureViewer::Any,
        },
    }
}

/// A subject may ask for itself and nothing else.
fn check_target(caller: &ClientIdentity, target: &ErasureTarget) -> ApiResult<()> {
    let own = match (caller.role, target) {
        (Role::Dpo | Role::Platform, _) => return Ok(()),
        (Role::Subject, ErasureTarget::Subject(subject)) => caller.subject.as_ref() == Some(subject),
        (Role::Subject | Role::Agent | Role::Auditor | Role::Operator, _) => false,
    };
    if own {
        return Ok(());
    }
    let message = "the caller may ask for its own erasure only";
    Err(ApiError {
        field: Some("target".into()),
        ..ApiError::new(ErrorCode::PermissionDenied, "SUBJECT", message)
    })
}

pub(super) fn erasure_request(
    caller: &ClientIdentity,
    request: proto::RequestErasureRequest,
) -> ApiResult<ErasureRequest> {
    let reason = request.reason();
    if reason == proto::ErasureReason::Unspecified {
        return Err(ApiError::invalid("reason", "must be one of the known reasons"));
    }
    input::bounded("request_id", &request.request_id, 0, limits::REFERENCE_BYTES_MAX)?;
    if request.hold_seconds > limits::HOLD_S_MAX {
        return Err(ApiError::invalid(
            "hold_seconds",
            "must be at most 2592000, 30 days",
        ));
    }
    let target = match request.target {
        None => return Err(ApiError::invalid("target", "must name what to erase")),
        Some(Target::Subject(subject)) => ErasureTarget::Subject(input::subject("subject", subject)?),
        Some(Target::ConversationId(id)) => ErasureTarget::Conversation(ConversationName::Id(
            input::conversation_id("conversation_id", &id)?,
        )),
        Some(Target::ConversationExternalRef(name)) => {
            input::bounded("conversation_external_ref", &name, 1, limits::REFERENCE_BYTES_MAX)?;
            ErasureTarget::Conversation(ConversationName::ExternalRef(name))
        }
        Some(Target::WholeTenant(true)) => {
            if request.request_id.is_empty() {
                return Err(ApiError::invalid(
                    "request_id",
                    "must be set: a second person repeats it",
                ));
            }
            ErasureTarget::Tenant
        }
        Some(Target::WholeTenant(false)) => {
            return Err(ApiError::invalid("whole_tenant", "must be true"));
        }
    };
    check_target(caller, &target)?;
    let is_tenant = matches!(target, ErasureTarget::Tenant);
    if is_tenant && caller.by_token && caller.subject.is_none() {
        let message = "a tenant's erasure takes people: the token must name one";
        return Err(ApiError::new(ErrorCode::PermissionDenied, "SUBJECT", message));
    }
    Ok(ErasureRequest {
        target,
        request_id: request.request_id,
        reason: u8::try_from(i32::from(reason)).unwrap_or_default(),
        urgent: request.urgent,
        hold_s: request.hold_seconds,
        may_begin: caller.role == Role::Dpo || !is_tenant,
        own_ids: caller.role == Role::Subject,
        person: caller.person(),
    })
}

/// An erasure as the protocol has it.
fn erasure(view: ErasureView) -> proto::Erasure {
    let row = view.row;
    let held = row.hold_s > 0 && row.fenced.1 > 0;
    let hold_end = held.then(|| TimeMs(row.fenced.0.0.saturating_add(u64::from(row.hold_s) * 1_000)));
    let (state, epoch, rekeyed, destroyed) = match row.state {
        ErasureState::Cancelling { .. } => (proto::ErasureState::Cancelling, None, None, None),
        ErasureState::Cancelled { .. } => (proto::ErasureState::Cancelled, None, None, None),
        ErasureState::Requested => (proto::ErasureState::Requested, None, None, None),
        ErasureState::Fenced => (proto::ErasureState::Fenced, None, None, None),
        ErasureState::Rekeyed { epoch, time } => {
            (proto::ErasureState::Rekeyed, Some(epoch), Some(time), None)
        }
        ErasureState::Destroyed {
            epoch, rekeyed, time, ..
        } => (
            proto::ErasureState::Destroyed,
            Some(epoch),
            Some(rekeyed),
            Some(time),
        ),
    };
    let moment = |time: Option<TimeMs>| time.map(convert::timestamp);
    let grade = match row.state {
        ErasureState::Destroyed { full: Some(_), .. } => proto::ErasureGrade::Full,
        ErasureState::Destroyed { full: None, .. } => proto::ErasureGrade::Threshold,
        ErasureState::Requested
        | ErasureState::Fenced
        | ErasureState::Rekeyed { .. }
        | ErasureState::Cancelling { .. }
        | ErasureState::Cancelled { .. } => proto::ErasureGrade::Unspecified,
    };
    proto::Erasure {
        id: view.id.to_string(),
        kind: kind(row.kind).into(),
        state: state.into(),
        grade: grade.into(),
        reason: i32::from(row.reason),
        request_time: moment(Some(row.requested)),
        fence_time: moment((row.fenced.1 > 0).then_some(row.fenced.0)),
        rekey_time: moment(rekeyed),
        destroy_time: moment(destroyed),
        fence_index: row.fenced.1,
        epoch,
        missing_nodes: view.missing.iter().map(|node| node.0).collect(),
        keys: row.keys,
        keys_left: row.left,
        commitment: bytes::Bytes::copy_from_slice(&row.commit),
        hold_end_time: moment(hold_end),
        cancel_time: moment(row.state.cancelled()),
    }
}

fn kind(tag: u8) -> proto::ErasureKind {
    match KeyKind::from_tag(tag) {
        Ok(KeyKind::Subject) => proto::ErasureKind::Subject,
        Ok(KeyKind::Conv) => proto::ErasureKind::Conversation,
        Ok(KeyKind::Tenant) => proto::ErasureKind::Tenant,
        Ok(KeyKind::Bucket | KeyKind::Purpose | KeyKind::Hold) | Err(_) => proto::ErasureKind::Unspecified,
    }
}

#[tonic::async_trait]
impl ErasureService for Erasures {
    type WatchErasureStream = BoxStream<'static, Result<proto::WatchErasureResponse, Status>>;

    async fn request_erasure(
        &self,
        request: Request<proto::RequestErasureRequest>,
    ) -> Result<Response<proto::RequestErasureResponse>, Status> {
        self.faults.answer(self.request(request).await)
    }

    async fn get_erasure(
        &self,
        request: Request<proto::GetErasureRequest>,
    ) -> Result<Response<proto::GetErasureResponse>, Status> {
        self.faults.answer(self.get(request).await)
    }

    async fn list_erasures(
        &self,
        request: Request<proto::ListErasuresRequest>,
    ) -> Result<Response<proto::ListErasuresResponse>, Status> {
        self.faults.answer(self.list(request).await)
    }

    async fn cancel_erasure(
        &self,
        request: Request<proto::CancelErasureRequest>,
    ) -> Result<Response<proto::CancelErasureResponse>, Status> {
        self.faults.answer(self.cancel(request).await)
    }

    async fn get_receipt(
        &self,
        request: Request<proto::GetReceiptRequest>,
    ) -> Result<Response<proto::GetReceiptResponse>, Status> {
        self.faults.answer(self.receipt(request).await)
    }

    async fn watch_erasure(
        &self,
        request: Request<proto::WatchErasureRequest>,
    ) -> Result<Response<Self::WatchErasureStream>, Status> {
        self.faults.answer(self.watch(request).await)
    }
}
