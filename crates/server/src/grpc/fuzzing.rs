//! Requests as fuzzers send them: bytes of a protobuf message, checked as a service checks it.

use eunoe_proto::{chat, cluster, erasure as erasures};
use eunoe_types::Role;
use eunoe_types::fuzzing::{Bytes, Reader, text};
use prost::Message;

use super::{answer, auth, chat as chats, cluster as clusters, erasure, input};
use crate::edge::ApiResult;
use crate::tls::{ClientIdentity, TenantScope};

/// Requests whose content is checked beyond what protobuf says.
pub(crate) const REQUESTS: &[Reader] = &[
    ("message", |bytes| checked(bytes, input::message)),
    ("new conversation", |bytes| {
        checked(bytes, input::new_conversation)
    }),
    ("page", |bytes| {
        checked(bytes, |request: chat::ListMessagesRequest| {
            auth::tenant(&caller(Role::Agent), &request.tenant)?;
            chats::page_request(&request)?;
            input::purpose("purpose", request.purpose)?;
            input::conversation_name(request.conversation)
        })
    }),
    ("conversations", |bytes| {
        checked(bytes, |request: chat::ListConversationsRequest| {
            input::page_size(request.page_size)?;
            input::subject("subject", request.subject)
        })
    }),
    ("message name", |bytes| {
        checked(bytes, |request: chat::GetMessageRequest| {
            chats::message_ref(request.message)
        })
    }),
    ("erasure by a subject", |bytes| {
        checked(bytes, |request| {
            erasure::erasure_request(&caller(Role::Subject), request)
        })
    }),
    ("erasure by a DPO", |bytes| {
        checked(bytes, |request: erasures::RequestErasureRequest| {
            erasure::erasure_request(&caller(Role::Dpo), request)
        })
    }),
    ("new node", |bytes| {
        checked(bytes, |request: cluster::AddNodeRequest| {
            clusters::new_node(request)
        })
    }),
];

/// Whether a header's text is a time that a caller waits.
pub(crate) fn is_timeout(bytes: &Bytes) -> bool {
    text(bytes).is_ok_and(|text| answer::timeout(text).is_some())
}

/// Whether the bytes are a request that passes; a refusal must name a field.
fn checked<M: Message + Default, T>(bytes: &Bytes, check: impl Fn(M) -> ApiResult<T>) -> bool {
    let Ok(request) = M::decode(bytes.clone()) else {
        return false;
    };
    match check(request) {
        Ok(_) => true,
        Err(error) => {
            assert!(error.field.is_some(), "a refusal names no field");
            false
        }
    }
}

fn caller(role: Role) -> ClientIdentity {
    ClientIdentity {
        tenant: TenantScope::Any,
        role,
        by_token: true,
        subject: Some("visitor/1".to_owned()),
        until: None,
    }
}
