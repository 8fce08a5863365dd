//! The one error of the SDK, read from `google.rpc` details. It carries no content.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use eunoe_types::{ErrorCode, Outcome, Retry};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, RpcStatusExt as _, StatusExt as _};

/// Domain of the server's own `ErrorInfo`; a status without it comes from the transport or from a proxy.
const DOMAIN: &str = "eunoe";

/// Why a call failed, and what can be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientError {
    /// The class.
    pub code: ErrorCode,
    /// Stable reason, for example `CONVERSATION_CLOSED`.
    pub reason: Cow<'static, str>,
    /// The field of the request that was refused, if one was.
    pub field: Option<String>,
    /// What to do.
    pub retry: Retry,
    /// Whether the call may have taken effect.
    pub outcome: Outcome,
    message: Cow<'static, str>,
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason)?;
        if let Some(field) = &self.field {
            write!(f, " ({field})")?;
        }
        write!(f, ": {}", self.message)?;
        match self.outcome {
            Outcome::Unknown => f.write_str("; whether it took effect is unknown"),
            Outcome::NoEffect => Ok(()),
        }
    }
}

impl std::error::Error for ClientError {}

impl ClientError {
    fn local(code: ErrorCode, reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        let (retry, outcome) = (Retry::Never, Outcome::NoEffect);
        Self {
            code,
            reason: reason.into(),
            field: None,
            retry,
            outcome,
            message: message.into(),
        }
    }

    /// Certificates, keys or addresses of the context cannot be used.
    pub(crate) fn bad_context(message: impl Into<Cow<'static, str>>) -> Self {
        Self::local(ErrorCode::InvalidArgument, "BAD_CONTEXT", message)
    }

    /// No node could be reached.
    pub(crate) fn connect_failed(message: String) -> Self {
        let error = Self::local(ErrorCode::Unavailable, "CONNECT_FAILED", message);
        Self {
            retry: Retry::OtherNode,
            ..error
        }
    }

    /// The connection or the node went away while it had the request.
    pub(crate) fn interrupted(message: &'static str) -> Self {
        let error = Self::local(ErrorCode::Unavailable, "INTERRUPTED", message);
        Self {
            retry: Retry::SameRequestId,
            outcome: Outcome::Unknown,
            ..error
        }
    }

    /// The time for one attempt is over.
    pub(crate) fn attempt_timed_out() -> Self {
        let error = Self::local(
            ErrorCode::DeadlineExceeded,
            "DEADLINE_EXCEEDED",
            "no answer within the deadline",
        );
        Self {
            retry: Retry::SameRequestId,
            outcome: Outcome::Unknown,
            ..error
        }
    }

    /// An earlier message of the conversation was refused; `sent` says whether this one may be stored all the same.
    pub(crate) fn earlier_refused(sent: bool) -> Self {
        let message =
            "an earlier message of its conversation was refused, so this one was held back to keep the order";
        let outcome = if sent { Outcome::Unknown } else { Outcome::NoEffect };
        Self {
            outcome,
            ..Self::local(ErrorCode::Aborted, "EARLIER_REFUSED", message)
        }
    }

    /// The stream has given up on its messages; this one was not sent.
    pub(crate) fn stream_given_up() -> Self {
        Self::local(
            ErrorCode::Unavailable,
            "STREAM_GIVEN_UP",
            "the stream failed for too long; begin a new one",
        )
    }

    /// The server's answer breaks its own contract.
    pub(crate) fn contract(message: &'static str) -> Self {
        Self {
            outcome: Outcome::Unknown,
            ..Self::local(ErrorCode::Internal, "BAD_ANSWER", message)
        }
    }

    /// What happened, in one sentence without content.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether trying again (with the same request id) can help.
    pub fn is_retryable(&self) -> bool {
        self.retry != Retry::Never
    }

    /// The same error with another outcome, for example because an attempt before it may have taken effect.
    pub(crate) fn with_outcome(self, outcome: Outcome) -> Self {
        Self { outcome, ..self }
    }

    /// Reads the result of one message of a batch or stream.
    pub(crate) fn from_rpc(status: &tonic_types::pb::Status) -> Self {
        Self::from_parts(
            Code::from_i32(status.code),
            &status.message,
            &status.get_error_details(),
        )
    }

    fn from_parts(code: Code, message: &str, details: &ErrorDetails) -> Self {
        let Some(info) = details.error_info().filter(|info| info.domain == DOMAIN) else {
            return Self::foreign(code, details);
        };
        let class = class_of(code);
        let outcome = match info.metadata.get("outcome").map(String::as_str) {
            Some("no_effect") => Outcome::NoEffect,
            Some(_) => Outcome::Unknown,
            None => default_outcome(class),
        };
        Self {
            code: class,
            reason: info.reason.clone().into(),
            field: field_of(details),
            retry: retry_of(class, outcome, retry_delay(details)),
            outcome,
            message: message.to_owned().into(),
        }
    }

    /// A status that no node of the cluster wrote. Its text is dropped: nobody vouches for what it says.
    fn foreign(code: Code, details: &ErrorDetails) -> Self {
        let class = class_of(code);
        let lost = matches!(
            class,
            ErrorCode::Unavailable | ErrorCode::Internal | ErrorCode::DeadlineExceeded | ErrorCode::DataLoss
        );
        let outcome = if lost { Outcome::Unknown } else { Outcome::NoEffect };
        let retry = match retry_delay(details) {
            None if lost => Retry::SameRequestId,
            delay => retry_of(class, outcome, delay),
        };
        let reason = reason_of(code);
        Self {
            code: class,
            reason: reason.into(),
            field: field_of(details),
            retry,
            outcome,
            message: describe(code, class),
        }
    }
}

impl From<Status> for ClientError {
    fn from(status: Status) -> Self {
        Self::from_parts(status.code(), status.message(), &status.get_error_details())
    }
}

fn describe(code: Code, class: ErrorCode) -> Cow<'static, str> {
    if class == ErrorCode::Unavailable {
        "the connection to the node was lost".into()
    } else {
        code.description().to_owned().into()
    }
}

fn retry_delay(details: &ErrorDetails) -> Option<Duration> {
    details.retry_info().and_then(|info| info.retry_delay)
}

fn field_of(details: &ErrorDetails) -> Option<String> {
    details
        .bad_request()?
        .field_violations
        .first()
        .map(|violation| violation.field.clone())
}

fn retry_of(code: ErrorCode, outcome: Outcome, delay: Option<Duration>) -> Retry {
    if let Some(delay) = delay {
        return Retry::AfterMs(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX));
    }
    match (code, outcome) {
        (ErrorCode::Unavailable, Outcome::NoEffect) => Retry::OtherNode,
        (ErrorCode::Unavailable | ErrorCode::DeadlineExceeded, _) | (_, Outcome::Unknown) => {
            Retry::SameRequestId
        }
        _ => Retry::Never,
    }
}

fn default_outcome(code: ErrorCode) -> Outcome {
    let lost = [
        ErrorCode::Unavailable,
        ErrorCode::DeadlineExceeded,
        ErrorCode::Internal,
    ]
    .contains(&code);
    if lost { Outcome::Unknown } else { Outcome::NoEffect }
}

fn class_of(code: Code) -> ErrorCode {
    match code {
        Code::InvalidArgument | Code::OutOfRange => ErrorCode::InvalidArgument,
        Code::Unauthenticated => ErrorCode::Unauthenticated,
        Code::PermissionDenied => ErrorCode::PermissionDenied,
        Code::NotFound => ErrorCode::NotFound,
        Code::AlreadyExists => ErrorCode::AlreadyExists,
        Code::FailedPrecondition | Code::Unimplemented => ErrorCode::FailedPrecondition,
        Code::Aborted => ErrorCode::Aborted,
        Code::ResourceExhausted => ErrorCode::ResourceExhausted,
        Code::Unavailable | Code::Unknown | Code::Cancelled => ErrorCode::Unavailable,
        Code::DeadlineExceeded => ErrorCode::DeadlineExceeded,
        Code::DataLoss => ErrorCode::DataLoss,
        Code::Internal | Code::Ok => ErrorCode::Internal,
    }
}

fn reason_of(code: Code) -> &'static str {
    match code {
        Code::Ok | Code::Internal => "INTERNAL",
        Code::Cancelled | Code::Unknown | Code::Unavailable => "UNAVAILABLE",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn ours(code: Code, outcome: Option<&str>, delay: Option<Duration>) -> ClientError {
        let metadata: HashMap<_, _> = outcome
            .map(|o| ("outcome".to_owned(), o.to_owned()))
            .into_iter()
            .collect();
        let mut details = ErrorDetails::with_error_info("SOME_REASON", DOMAIN, metadata);
        details.set_retry_info(delay);
        Status::with_error_details(code, "said by the server", details).into()
    }

    #[test]
    fn the_details_decide_about_another_attempt() {
        assert_eq!(
            ours(Code::Unavailable, Some("no_effect"), None).retry,
            Retry::OtherNode
        );
        assert_eq!(
            ours(Code::Unavailable, Some("unknown"), None).retry,
            Retry::SameRequestId
        );
        assert_eq!(ours(Code::Unavailable, None, None).outcome, Outcome::Unknown);
        assert_eq!(ours(Code::FailedPrecondition, None, None).retry, Retry::Never);
        assert_eq!(ours(Code::Internal, Some("no_effect"), None).retry, Retry::Never);
        let full = ours(
            Code::ResourceExhausted,
            Some("no_effect"),
            Some(Duration::from_millis(250)),
        );
        assert_eq!(full.retry, Retry::AfterMs(250));
    }

    #[test]
    fn a_refused_field_is_named() {
        let mut details = ErrorDetails::with_error_info("TOO_LONG", DOMAIN, HashMap::new());
        details.add_bad_request_violation("message.parts[1].text", "longer than 256 KiB");
        let error = ClientError::from(Status::with_error_details(
            Code::InvalidArgument,
            "too long",
            details,
        ));
        assert_eq!(error.field.as_deref(), Some("message.parts[1].text"));
        assert_eq!(error.to_string(), "TOO_LONG (message.parts[1].text): too long");
    }

    #[test]
    fn the_text_of_a_stranger_is_not_repeated() {
        let error = ClientError::from(Status::unknown("GET /secret?name=jane"));
        assert!(!format!("{error} {error:?}").contains("jane"));
        assert_eq!(
            (error.retry, error.outcome),
            (Retry::SameRequestId, Outcome::Unknown)
        );
    }
}
