//! Why a command failed, as one line and an exit code: 1 failed, 2 used wrongly, 3 what was to be verified is not valid.

use std::fmt::Display;
use std::io::Write as _;
use std::path::Path;

use eunoe_client::{ClientError, ErrorCode, Outcome};
use serde_json::{Value, json};

use crate::output::Output;

/// Why a command failed. Holds no content of messages.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The arguments or the context cannot be used.
    #[error("{0}")]
    Usage(String),
    /// Something local failed: a file, a process, a port.
    #[error("{0}")]
    Local(String),
    /// A line of a file to import was refused.
    #[error("line {line}: {field}: {problem}")]
    Line {
        /// Number of the line, from 1.
        line: u64,
        /// The field, with the turn that it is in.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// What was to be verified is not valid.
    #[error("not valid: {clause}: {problem}")]
    Unproved {
        /// Which check failed.
        clause: &'static str,
        /// How.
        problem: String,
    },
    /// The cluster refused or could not be reached. `place` says where, if that helps.
    #[error("{place}{}", describe(.error))]
    Client {
        /// For example `line 7: `, or nothing.
        place: String,
        /// What the SDK says.
        error: ClientError,
    },
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Client {
            place: String::new(),
            error,
        }
    }
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    pub(crate) fn local(message: impl Into<String>) -> Self {
        Self::Local(message.into())
    }

    /// `what` is verb and object.
    pub(crate) fn io(what: &str, error: &dyn Display) -> Self {
        Self::Local(format!("cannot {what}: {error}"))
    }

    /// `verb` is what could not be done with the file.
    pub(crate) fn file(verb: &str, path: &Path, error: &dyn Display) -> Self {
        Self::Local(format!("cannot {verb} {}: {error}", path.display()))
    }

    /// For the process.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Unproved { .. } => 3,
            Self::Local(_) | Self::Line { .. } | Self::Client { .. } => 1,
        }
    }

    /// Says it on standard error, in one line.
    pub(crate) fn report(&self, output: Output) {
        let line = match output {
            Output::Text => format!("eunoe: {self}"),
            Output::Json => self.to_json().to_string(),
        };
        // Nobody is left to tell that standard error is closed.
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }

    fn to_json(&self) -> Value {
        let error = match self {
            Self::Usage(message) => json!({"code": "USAGE", "message": message}),
            Self::Local(message) => json!({"code": "FAILED", "message": message}),
            Self::Line { line, field, problem } => {
                json!({"code": "MALFORMED_LINE", "line": line, "field": field, "message": problem})
            }
            Self::Unproved { clause, problem } => {
                json!({"code": "NOT_VALID", "clause": clause, "message": problem})
            }
            Self::Client { place, error } => json!({
                "code": code_name(error.code),
                "reason": error.reason,
                "field": error.field,
                "message": format!("{place}{}", error.message()),
                "outcome": outcome_name(error.outcome),
            }),
        };
        json!({ "error": error })
    }
}

fn describe(error: &ClientError) -> String {
    let field = error
        .field
        .as_ref()
        .map(|field| format!(" ({field})"))
        .unwrap_or_default();
    let outcome = match error.outcome {
        Outcome::NoEffect => "",
        Outcome::Unknown => "; whether it took effect is unknown",
    };
    format!(
        "{} {}{field}: {}{outcome}",
        code_name(error.code),
        error.reason,
        error.message()
    )
}

fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::NoEffect => "no_effect",
        Outcome::Unknown => "unknown",
    }
}

/// The name that gRPC gives to the class.
fn code_name(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::InvalidArgument => "INVALID_ARGUMENT",
        ErrorCode::Unauthenticated => "UNAUTHENTICATED",
        ErrorCode::PermissionDenied => "PERMISSION_DENIED",
        ErrorCode::NotFound => "NOT_FOUND",
        ErrorCode::AlreadyExists => "ALREADY_EXISTS",
        ErrorCode::FailedPrecondition => "FAILED_PRECONDITION",
        ErrorCode::Aborted => "ABORTED",
        ErrorCode::ResourceExhausted => "RESOURCE_EXHAUSTED",
        ErrorCode::Unavailable => "UNAVAILABLE",
        ErrorCode::DeadlineExceeded => "DEADLINE_EXCEEDED",
        ErrorCode::DataLoss => "DATA_LOSS",
        ErrorCode::Internal => "INTERNAL",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_line_is_named_with_its_field() {
        let failure = Failure::Line {
            line: 7,
            field: "turns[3].from".to_owned(),
            problem: "is neither visitor nor agent".to_owned(),
        };
        assert_eq!(
            failure.to_string(),
            "line 7: turns[3].from: is neither visitor nor agent"
        );
        assert_eq!(failure.exit_code(), 1);
        assert_eq!(
            failure.to_json().to_string(),
            r#"{"error":{"code":"MALFORMED_LINE","field":"turns[3].from","line":7,"message":"is neither visitor nor agent"}}"#
        );
    }

    #[test]
    fn wrong_use_has_its_own_exit_code() {
        assert_eq!(Failure::usage("--tenant is missing").exit_code(), 2);
        assert_eq!(Failure::local("a port is taken").exit_code(), 1);
    }
}
