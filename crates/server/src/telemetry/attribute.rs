//! The allow-list: whatever a span or a metric carries beside its name and value is made here, of types that cannot
//! hold what a person or a tenant wrote, a size of a message, or the name of a key.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use eunoe_core::invariant::Invariant;
use eunoe_proto::DESCRIPTORS;
use eunoe_types::{GroupId, NodeId, Role};
use opentelemetry::{Key, KeyValue, StringValue};
use prost::Message as _;
use tonic::Code;

use crate::config::Config;

/// What a span or a metric may say about its circumstances. Each has few values, all known before any request.
#[derive(Clone, Debug)]
pub enum Attribute {
    /// `method`: a call, as `Service/Method`.
    Method(Method),
    /// `code`: a gRPC status.
    Code(Code),
    /// `role`: what the caller's certificate says it is.
    Role(Role),
    /// `reason`: why a call was refused; a literal in the code.
    Reason(&'static str),
    /// `state`: where something is in its life; a literal in the code.
    State(&'static str),
    /// `files`: what the node reads again while it runs; a literal in the code.
    Files(&'static str),
    /// `invariant`: a rule that holds in every state.
    Invariant(Invariant),
    /// `group`: a Raft group.
    Group(GroupId),
    /// `node`: a node.
    Node(NodeId),
}

impl Attribute {
    pub(super) fn into_key_value(self) -> KeyValue {
        match self {
            Self::Method(method) => KeyValue::new("method", method.0),
            Self::Code(code) => KeyValue::new("code", code_name(code)),
            Self::Role(role) => KeyValue::new("role", role.name()),
            Self::Reason(reason) => KeyValue::new("reason", reason),
            Self::State(state) => KeyValue::new("state", state),
            Self::Files(files) => KeyValue::new("files", files),
            Self::Invariant(invariant) => KeyValue::new("invariant", invariant.name()),
            Self::Group(group) => KeyValue::new("group", i64::from(group.0)),
            Self::Node(node) => KeyValue::new("node", node.0.to_string()),
        }
    }
}

/// Where spans and metrics come from.
pub(super) fn of_node(config: &Config) -> Vec<KeyValue> {
    vec![
        KeyValue::new("service.name", "eunoe"),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new(
            Key::from_static_str("service.instance.id"),
            config.node_id.0.to_string(),
        ),
        KeyValue::new("eunoe.site", config.site.as_str().to_owned()),
    ]
}

/// A method of this program's services, or "other": a path that a caller makes up goes nowhere.
#[derive(Clone, Debug)]
pub struct Method(StringValue);

impl Method {
    /// The method that a request's path names.
    pub(crate) fn of_path(path: &str) -> Self {
        static OTHER: LazyLock<Arc<str>> = LazyLock::new(|| "other".into());
        let known = METHODS.get(path.trim_start_matches('/'));
        Self(StringValue::from(Arc::clone(known.unwrap_or(&OTHER))))
    }

    pub(super) fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

static METHODS: LazyLock<BTreeSet<Arc<str>>> = LazyLock::new(|| {
    let descriptors = [DESCRIPTORS, tonic_health::pb::FILE_DESCRIPTOR_SET];
    descriptors.into_iter().flat_map(methods).collect()
});

fn methods(descriptors: &[u8]) -> Vec<Arc<str>> {
    // They were compiled into the program: without them there is nothing to serve either.
    let set = prost_types::FileDescriptorSet::decode(descriptors).unwrap_or_default();
    let services = set.file.iter().flat_map(|file| {
        let services = file.service.iter();
        services.map(|service| (file.package(), service))
    });
    services
        .flat_map(|(package, service)| {
            let name = move |method: &str| format!("{package}.{}/{method}", service.name()).into();
            service.method.iter().map(move |method| name(method.name()))
        })
        .collect()
}

fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
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
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_a_caller_makes_up_is_no_attribute() {
        let known = "eunoe.chat.v1.ChatService/AppendMessage";
        assert_eq!(Method::of_path(&format!("/{known}")).as_str(), known);
        for path in ["", "/", "/anna@example.org", "/eunoe.chat.v1.ChatService/Anna"] {
            assert_eq!(Method::of_path(path).as_str(), "other", "{path}");
        }
    }
}
