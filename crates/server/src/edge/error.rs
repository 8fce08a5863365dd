//! The one error of the API. It names a field and a rule, never a content, a reference or a key.

use std::borrow::Cow;

use eunoe_custody::KeyringError;
use eunoe_raft::ReadError;
use eunoe_types::{ErrorCode, Fault, Outcome, Retry};

use crate::groups::SubmitError;

/// Why a call, or one message of a call, failed.
#[derive(Debug)]
pub struct ApiError {
    /// The class.
    pub code: ErrorCode,
    /// Stable, in capitals: what a program compares.
    pub reason: &'static str,
    /// For people.
    pub message: Cow<'static, str>,
    /// Path of the field that is wrong, if one is.
    pub field: Option<String>,
    /// What to do.
    pub retry: Retry,
    /// Whether it may have taken effect.
    pub outcome: Outcome,
    /// The node must stop.
    pub fault: Option<Fault>,
}

/// The result of everything that a caller can ask for.
pub type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    /// An error that had no effect and comes again.
    pub fn new(code: ErrorCode, reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            field: None,
            retry: Retry::Never,
            outcome: Outcome::NoEffect,
            fault: None,
        }
    }

    /// A field breaks a rule.
    pub fn invalid(field: impl Into<String>, rule: impl Into<Cow<'static, str>>) -> Self {
        Self {
            field: Some(field.into()),
            ..Self::new(ErrorCode::InvalidArgument, "INVALID_FIELD", rule)
        }
    }

    /// There is none that this caller may know of.
    pub fn not_found(field: impl Into<String>, what: &'static str) -> Self {
        Self {
            field: Some(field.into()),
            ..Self::new(ErrorCode::NotFound, "NOT_FOUND", what)
        }
    }

    /// The state of a thing forbids it.
    pub fn precondition(reason: &'static str, message: &'static str) -> Self {
        Self::new(ErrorCode::FailedPrecondition, reason, message)
    }

    /// A key that it needs is fenced or gone for good.
    pub fn erased() -> Self {
        Self::precondition("ERASED", "a key that this needs was erased")
    }

    /// This node ends.
    pub fn stopping() -> Self {
        Self::unavailable("STOPPING", "this node is stopping; resume elsewhere")
    }

    /// Nobody can serve this now.
    pub fn unavailable(reason: &'static str, message: &'static str) -> Self {
        Self {
            retry: Retry::AfterMs(100),
            ..Self::new(ErrorCode::Unavailable, reason, message)
        }
    }

    /// A limit that passes by itself.
    pub fn exhausted(reason: &'static str, message: &'static str, after_ms: u64) -> Self {
        Self {
            retry: Retry::AfterMs(after_ms),
            ..Self::new(ErrorCode::ResourceExhausted, reason, message)
        }
    }

    /// Whether the call took effect is not known.
    pub fn unknown(message: &'static str) -> Self {
        Self {
            retry: Retry::SameRequestId,
            outcome: Outcome::Unknown,
            ..Self::new(ErrorCode::Unavailable, "OUTCOME_UNKNOWN", message)
        }
    }

    /// The same, of what came after the effect: the call is done, and nobody may read that it had no effect.
    pub fn after_the_effect(self) -> Self {
        if matches!(self.code, ErrorCode::Unavailable) && self.fault.is_none() {
            return Self::unknown("it is done, or nearly so; this node cannot show what came of it now");
        }
        self
    }

    /// A bug, or a defect of this node that did not change anything.
    pub fn internal(message: &'static str) -> Self {
        Self::new(ErrorCode::Internal, "INTERNAL", message)
    }

    /// Puts the error's field below `prefix`.
    pub fn within(mut self, prefix: &str) -> Self {
        self.field = self.field.map(|field| format!("{prefix}.{field}"));
        self
    }
}

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        Self {
            fault: Some(fault),
            outcome: Outcome::Unknown,
            ..Self::new(
                ErrorCode::Unavailable,
                "NODE_FAULT",
                "this node failed and stops; ask another one",
            )
        }
    }
}

impl From<KeyringError> for ApiError {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Sealed | KeyringError::LeaseOver | KeyringError::StaleRoot => Self::unavailable(
                "NODE_SEALED",
                "this node holds no keys that it may use now; ask another one",
            ),
            KeyringError::Behind => Self::unavailable(
                "NODE_BEHIND",
                "this node is about to learn of a key that it needs for that; ask again",
            ),
            KeyringError::NameTaken => Self::precondition(
                "ERASURE_UNDER_WAY",
                "the name was erased and used again too often; it is free once an erasure of it is REKEYED",
            ),
            KeyringError::Fault(fault) => fault.into(),
            KeyringError::Key(_) => Self::exhausted("KEY_MEMORY", "there is no room for another key", 1_000),
            KeyringError::WrongRoot | KeyringError::Seal(_) => Self::internal("the keyring refused"),
        }
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Timeout => Self::unavailable("NO_QUORUM", "no majority confirmed the read in time"),
            ReadError::Overloaded => Self::exhausted("OVERLOADED", "too many reads are waiting", 50),
            ReadError::Stopped => Self::unavailable("STOPPING", "this node is stopping"),
        }
    }
}

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Overloaded => Self::exhausted("OVERLOADED", "too many writes are waiting", 50),
            SubmitError::NoLeader => Self::unavailable("NO_LEADER", "no leader took the write in time"),
            SubmitError::Unknown => Self::unknown("the write may or may not take effect"),
            SubmitError::Stopped => Self::unavailable("STOPPING", "this node is stopping"),
        }
    }
}
