//! The rows, and how one is tried.

use std::fmt;

use bytes::Bytes;
use eunoe_proto::chat::{AppendMessagesResponse, AppendResult, StreamAppendResponse, append_result};
use prost::Message;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::caller::{Address, Caller};

/// Reason of a field that breaks a rule of its own.
pub(super) const INVALID: &str = "INVALID_FIELD";

/// A refusal: code, reason and field; the last two empty where there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: Code,
    pub(super) reason: String,
    pub(super) field: String,
}

impl Refusal {
    pub(super) fn new(code: Code, reason: &str, field: &str) -> Self {
        Self {
            code,
            reason: reason.to_owned(),
            field: field.to_owned(),
        }
    }

    fn of(status: &Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info();
        assert!(
            info.is_none_or(|info| info.domain == "eunoe" && info.metadata.contains_key("outcome")),
            "{status:?}"
        );
        let violations = details.bad_request().map(|bad| bad.field_violations.as_slice());
        let field = violations
            .and_then(|all| all.first())
            .map(|first| first.field.as_str());
        Self::new(
            status.code(),
            info.map_or("", |info| &info.reason),
            field.unwrap_or_default(),
        )
    }
}

/// A bad call and the refusal that it must get.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) caller: Caller,
    pub(super) path: &'static str,
    pub(super) message: Vec<u8>,
    pub(super) expected: Refusal,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, method) = self.path.rsplit_once('/').unwrap();
        write!(f, "{method}, {}", self.name)
    }
}

impl Row {
    /// Makes the call; what is wrong with the answer, if anything is.
    pub(super) async fn complaint(&self, to: &Address) -> Option<String> {
        let got = match self.caller.call(to, self.path, self.message.clone()).await {
            Ok(answers) => refusal_in(self.path, &answers),
            Err(status) => Some(Refusal::of(&status)),
        };
        match got {
            Some(got) if got == self.expected => None,
            Some(got) => Some(format!("{self}: {got:?}, not {:?}", self.expected)),
            None => Some(format!("{self}: accepted, not {:?}", self.expected)),
        }
    }
}

/// The refusal of the last message of a call that answers for each.
pub(super) fn refusal_in(path: &str, answers: &[Bytes]) -> Option<Refusal> {
    let last = answers.last()?.clone();
    let result: Option<AppendResult> = if path.ends_with("/AppendMessages") {
        AppendMessagesResponse::decode(last).unwrap().results.pop()
    } else if path.ends_with("/StreamAppend") {
        StreamAppendResponse::decode(last).unwrap().result
    } else {
        None
    };
    match result?.result? {
        append_result::Result::Ack(_) => None,
        append_result::Result::Error(error) => {
            let details = error.encode_to_vec().into();
            Some(Refusal::of(&Status::with_details(
                Code::from(error.code),
                error.message,
                details,
            )))
        }
    }
}

/// Rows of one caller.
pub(super) struct Rows {
    pub(super) caller: Caller,
    rows: Vec<Row>,
}

impl Rows {
    pub(super) fn of(caller: Caller) -> Self {
        Self {
            caller,
            rows: Vec::new(),
        }
    }

    /// A call that is refused.
    pub(super) fn refused(
        &mut self,
        name: &str,
        path: &'static str,
        message: &impl Message,
        (code, reason, field): (Code, &str, &str),
    ) {
        self.bytes(name, path, message.encode_to_vec(), (code, reason, field));
    }

    /// A call of which a field breaks a rule.
    pub(super) fn invalid(&mut self, name: &str, path: &'static str, message: &impl Message, field: &str) {
        self.refused(name, path, message, (Code::InvalidArgument, INVALID, field));
    }

    /// A call that names what is not there.
    pub(super) fn absent(&mut self, name: &str, path: &'static str, message: &impl Message, field: &str) {
        self.refused(name, path, message, (Code::NotFound, "NOT_FOUND", field));
    }

    /// A call of bytes that need not be a message.
    pub(super) fn bytes(
        &mut self,
        name: &str,
        path: &'static str,
        message: Vec<u8>,
        (code, reason, field): (Code, &str, &str),
    ) {
        self.rows.push(Row {
            name: name.to_owned(),
            caller: self.caller.clone(),
            path,
            message,
            expected: Refusal::new(code, reason, field),
        });
    }

    pub(super) fn finish(self) -> Vec<Row> {
        self.rows
    }
}
