//! gRPC status on the peer link: what a server says, and what a caller makes of a failed call.
//!
//! Codes that the server gives on purpose are ones that neither tonic nor HTTP/2 make up, so that a broken
//! connection is never taken for an answer.

use std::error::Error;

use eunoe_raft::{ReadError, ServeError, TransportError};
use tonic::{Code, Status};

use super::RefusedGrant;
use crate::tls::ConnectError;

/// Whether `status` stands for a connection that never was: the request left this node for nobody.
pub(super) fn was_never_sent(status: &Status) -> bool {
    let mut source: Option<&(dyn Error + 'static)> = status.source();
    while let Some(error) = source {
        if error.is::<ConnectError>() {
            return true;
        }
        source = error.source();
    }
    false
}

pub(super) fn transport_error(status: &Status) -> TransportError {
    if was_never_sent(status) {
        return TransportError::Unreachable;
    }
    match status.code() {
        Code::DeadlineExceeded => TransportError::Timeout,
        Code::FailedPrecondition | Code::NotFound | Code::PermissionDenied | Code::Unauthenticated => {
            TransportError::Refused
        }
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::InvalidArgument
        | Code::AlreadyExists
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => TransportError::Broken,
    }
}

pub(super) fn of_raft(error: &ServeError) -> Status {
    let code = match error {
        ServeError::UnknownGroup => Code::NotFound,
        ServeError::Malformed(_) => Code::InvalidArgument,
        ServeError::Snapshot(_) => Code::DataLoss,
        ServeError::Io(_) => Code::Internal,
        ServeError::Read(ReadError::Overloaded) => Code::ResourceExhausted,
        ServeError::Read(ReadError::Timeout | ReadError::Stopped) | ServeError::Stopped => {
            Code::FailedPrecondition
        }
    };
    // The display of these errors names no content.
    Status::new(code, error.to_string())
}

pub(super) fn of_grant(refused: RefusedGrant) -> Status {
    let code = match refused {
        RefusedGrant::Sealed => Code::FailedPrecondition,
        RefusedGrant::NotAdmitted => Code::PermissionDenied,
        RefusedGrant::NotRecorded => Code::Aborted,
    };
    Status::new(code, refused.to_string())
}

pub(super) fn refused_grant(status: &Status) -> Option<RefusedGrant> {
    let all = [
        RefusedGrant::Sealed,
        RefusedGrant::NotAdmitted,
        RefusedGrant::NotRecorded,
    ];
    all.into_iter()
        .find(|refused| of_grant(*refused).code() == status.code())
}
