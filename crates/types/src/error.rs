//! The three kinds of failure, never mixed.
//!
//! A *rejection* is a replicated answer and lives with the machine that gives it; an *error* says that one
//! attempt failed and carries an [`ErrorCode`], a [`Retry`] and an [`Outcome`]; a [`Fault`] says that this
//! node is unfit and must stop.

use std::borrow::Cow;

/// The stable classes of error, mapped to gRPC in one place (`server/src/grpc/status.rs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// A field is missing, malformed or out of its limits.
    InvalidArgument,
    /// The caller did not prove who it is.
    Unauthenticated,
    /// The caller may not do this.
    PermissionDenied,
    /// There is no such thing, or none that this caller may know of.
    NotFound,
    /// It exists already, with other content.
    AlreadyExists,
    /// The thing's state forbids this (closed, fenced, erased).
    FailedPrecondition,
    /// A concurrent change won; look again and decide.
    Aborted,
    /// A quota, limit or queue is full.
    ResourceExhausted,
    /// Nobody can serve this right now.
    Unavailable,
    /// The deadline passed.
    DeadlineExceeded,
    /// Stored bytes are not what was stored.
    DataLoss,
    /// A bug.
    Internal,
}

/// What a caller should do with a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same call fails again.
    Never,
    /// Repeat with the same request id: at most one of the attempts takes effect.
    SameRequestId,
    /// Repeat after a pause of this many milliseconds.
    AfterMs(u64),
    /// Ask another node.
    OtherNode,
}

/// Whether it is known that the attempt had no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It had none.
    NoEffect,
    /// It may have taken effect, now or later.
    Unknown,
}

/// This node is unfit (I/O error, failed checksum, broken invariant): it stops and says why.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Fault {
    what: Cow<'static, str>,
    #[source]
    source: Option<std::io::Error>,
}

impl Fault {
    /// Stored bytes, or a rule that always holds, are broken. `what` names the place, never the content.
    pub fn broken(what: impl Into<Cow<'static, str>>) -> Self {
        Self {
            what: what.into(),
            source: None,
        }
    }

    /// The system refused I/O. `what` is verb and object.
    pub fn io(what: impl Into<Cow<'static, str>>, source: std::io::Error) -> Self {
        Self {
            what: what.into(),
            source: Some(source),
        }
    }
}

impl From<crate::DecodeError> for Fault {
    fn from(error: crate::DecodeError) -> Self {
        Self::broken(format!("stored form does not decode: {error}"))
    }
}

impl From<Fault> for std::io::Error {
    fn from(fault: Fault) -> Self {
        std::io::Error::other(fault)
    }
}
