//! The one place where errors become gRPC.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use eunoe_types::{ErrorCode, Fault, Outcome, Retry};
use tokio::sync::watch;
use tonic::{Code, Response, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::edge::{ApiError, ApiResult};
use crate::telemetry;

const DOMAIN: &str = "eunoe";

/// Where faults are reported: the node stops when there is one.
#[derive(Clone, Default)]
pub struct Faults {
    first: Arc<watch::Sender<Option<String>>>,
}

impl Faults {
    /// Reports a fault. The first one counts.
    pub fn raise(&self, fault: &Fault) {
        tracing::error!(fault = %fault, "this node is unfit and stops");
        let text = fault.to_string();
        self.first.send_if_modified(|first| {
            let is_first = first.is_none();
            first.get_or_insert(text);
            is_first
        });
    }

    /// What a call is answered with; a fault in an error stops the node.
    pub(super) fn answer<T>(&self, result: ApiResult<T>) -> Result<Response<T>, Status> {
        result.map(Response::new).map_err(|error| to_status(&error, self))
    }

    /// Ends with the first fault.
    pub async fn raised(&self) -> String {
        let mut first = self.first.subscribe();
        loop {
            if let Some(fault) = first.borrow_and_update().clone() {
                return fault;
            }
            if first.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// The status of an error; a fault in it stops the node.
pub fn to_status(error: &ApiError, faults: &Faults) -> Status {
    telemetry::refused(error.reason);
    if let Some(fault) = &error.fault {
        faults.raise(fault);
    }
    Status::with_error_details(code(error.code), error.message.to_string(), details(error))
}

/// The same as a part of an answer.
pub(super) fn to_rpc_status(error: &ApiError, faults: &Faults) -> tonic_types::Status {
    let status = to_status(error, faults);
    prost::Message::decode(status.details()).unwrap_or_else(|_| tonic_types::Status {
        code: status.code().into(),
        message: status.message().to_owned(),
        details: Vec::new(),
    })
}

fn code(code: ErrorCode) -> Code {
    match code {
        ErrorCode::InvalidArgument => Code::InvalidArgument,
        ErrorCode::Unauthenticated => Code::Unauthenticated,
        ErrorCode::PermissionDenied => Code::PermissionDenied,
        ErrorCode::NotFound => Code::NotFound,
        ErrorCode::AlreadyExists => Code::AlreadyExists,
        ErrorCode::FailedPrecondition => Code::FailedPrecondition,
        ErrorCode::Aborted => Code::Aborted,
        ErrorCode::ResourceExhausted => Code::ResourceExhausted,
        ErrorCode::Unavailable => Code::Unavailable,
        ErrorCode::DeadlineExceeded => Code::DeadlineExceeded,
        ErrorCode::DataLoss => Code::DataLoss,
        ErrorCode::Internal => Code::Internal,
    }
}

fn details(error: &ApiError) -> ErrorDetails {
    let outcome = match error.outcome {
        Outcome::NoEffect => "no_effect",
        Outcome::Unknown => "unknown",
    };
    let retry = match error.retry {
        Retry::Never => "never",
        Retry::SameRequestId => "same_request_id",
        Retry::AfterMs(_) => "after",
        Retry::OtherNode => "other_node",
    };
    let metadata = HashMap::from([("outcome".into(), outcome.into()), ("retry".into(), retry.into())]);
    let mut details = ErrorDetails::with_error_info(error.reason, DOMAIN, metadata);
    if let Some(field) = &error.field {
        details.add_bad_request_violation(field, error.message.clone());
    }
    match error.retry {
        Retry::AfterMs(ms) => {
            details.set_retry_info(Some(Duration::from_millis(ms)));
        }
        Retry::SameRequestId => {
            details.set_retry_info(Some(Duration::from_millis(50)));
        }
        Retry::Never | Retry::OtherNode => {}
    }
    details
}
