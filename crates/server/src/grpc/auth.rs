//! Who may call what. Nothing is open by default; every refusal says which role was needed.

use std::time::SystemTime;

use eunoe_types::{ErrorCode, Role, TenantId};
use futures::stream::{self, Stream, StreamExt as _};
use tonic::{Request, Response, Status};

use super::status::Faults;
use crate::edge::{ApiError, ApiResult, Reader};
use crate::oidc::TokenError;
use crate::tls::ClientIdentity;

/// Everybody who is known.
const ALL: &[Role] = &Role::ALL;
/// Who stores messages, for those who wrote them.
const WRITERS: &[Role] = &[Role::Platform];
/// Who sees content: a platform for its purposes, people where they take part.
const READERS: &[Role] = &[Role::Platform, Role::Agent, Role::Subject];
/// Who may ask for an erasure and follow it; the service says who may ask for which.
const ERASERS: &[Role] = &[Role::Dpo, Role::Platform, Role::Subject];
/// Who sees the erasures of others.
const CASE_WORKERS: &[Role] = &[Role::Dpo, Role::Platform];
const OPERATORS: &[Role] = &[Role::Operator];
/// The status of a cluster holds nothing that a client must not see.
const OBSERVERS: &[Role] = &[Role::Operator, Role::Platform];

/// Who checks what a cluster did. The log names nobody.
const AUDITORS: &[Role] = &[Role::Auditor, Role::Dpo, Role::Operator];

/// A method and who may call it.
type Row = (&'static str, &'static [Role]);

/// Every method that a client can call, by service. A method without a row cannot be called.
const METHODS: &[(&str, &[Row])] = &[
    (
        "eunoe.chat.v1.ChatService",
        &[
            ("CreateConversation", WRITERS),
            ("GetConversation", READERS),
            ("ListConversations", READERS),
            ("CloseConversation", WRITERS),
            ("AppendMessage", WRITERS),
            ("AppendMessages", WRITERS),
            ("StreamAppend", WRITERS),
            ("GetMessage", READERS),
            ("ListMessages", READERS),
            ("TailConversation", READERS),
            ("Typing", READERS),
        ],
    ),
    (
        "eunoe.erasure.v1.ErasureService",
        &[
            ("RequestErasure", ERASERS),
            ("GetErasure", ERASERS),
            ("GetReceipt", ERASERS),
            ("ListErasures", CASE_WORKERS),
            ("WatchErasure", ERASERS),
            ("CancelErasure", CASE_WORKERS),
        ],
    ),
    (
        "eunoe.audit.v1.AuditService",
        &[
            ("GetCheckpoint", AUDITORS),
            ("GetTile", AUDITORS),
            ("GetPolicy", AUDITORS),
        ],
    ),
    (
        "eunoe.cluster.v1.ClusterService",
        &[
            ("GetStatus", OBSERVERS),
            ("ListNodes", OBSERVERS),
            ("ListShards", OBSERVERS),
            ("AddNode", OPERATORS),
            ("PromoteNode", OPERATORS),
            ("RemoveNode", OPERATORS),
            ("DrainNode", OPERATORS),
            ("TransferLeader", OPERATORS),
            ("DecommissionNode", OPERATORS),
            ("Seal", OPERATORS),
            ("Unseal", OPERATORS),
        ],
    ),
    (
        "grpc.health.v1.Health",
        &[("Check", ALL), ("List", ALL), ("Watch", ALL)],
    ),
    (
        "grpc.reflection.v1.ServerReflection",
        &[("ServerReflectionInfo", ALL)],
    ),
];

/// The roles that may call the method with this path (`/package.Service/Method`).
pub fn roles(path: &str) -> Option<&'static [Role]> {
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    let (_, methods) = METHODS.iter().find(|(name, _)| *name == service)?;
    let (_, roles) = methods.iter().find(|(name, _)| *name == method)?;
    Some(roles)
}

/// The caller, as the [`Gate`](super::Gate) let it through.
pub(super) fn caller<T>(request: &Request<T>) -> ApiResult<ClientIdentity> {
    let identity = request.extensions().get::<ClientIdentity>().cloned();
    identity.ok_or_else(|| {
        let message = "the caller did not prove who it is";
        ApiError::new(ErrorCode::Unauthenticated, "NO_IDENTITY", message)
    })
}

/// What a known caller is answered; a fault in an error stops the node.
pub(super) async fn answered<Q, A>(
    faults: &Faults,
    request: Request<Q>,
    answer: impl AsyncFnOnce(Q) -> ApiResult<A>,
) -> Result<Response<A>, Status> {
    let answered = match caller(&request) {
        Ok(_) => answer(request.into_inner()).await,
        Err(error) => Err(error),
    };
    faults.answer(answered)
}

/// The tenant that a request names, if the caller may act for it.
pub(super) fn tenant(identity: &ClientIdentity, name: &str) -> ApiResult<TenantId> {
    let tenant = TenantId::new(name).map_err(|error| ApiError::invalid("tenant", error.to_string()))?;
    if identity.tenant.includes(&tenant) {
        Ok(tenant)
    } else {
        let message = "the caller may not act for this tenant";
        Err(ApiError::new(ErrorCode::PermissionDenied, "TENANT", message))
    }
}

/// What the caller may see of its tenant's conversations. Those of [`READERS`] only; all others see nothing.
pub(super) fn reader(identity: &ClientIdentity) -> ApiResult<Reader> {
    match (identity.role, &identity.subject) {
        (Role::Platform, _) => Ok(Reader::Tenant),
        (Role::Agent, Some(subject)) => Ok(Reader::Participant(subject.clone())),
        (Role::Subject, Some(subject)) => Ok(Reader::Visitor(subject.clone())),
        (Role::Agent | Role::Subject, None) => Err(person_needed()),
        (Role::Dpo | Role::Auditor | Role::Operator, _) => {
            let message = "this role never sees content";
            Err(ApiError::new(ErrorCode::PermissionDenied, "ROLE", message))
        }
    }
}

/// Refuses a person who names somebody else.
pub(super) fn only_self(reader: &Reader, field: &str, subject: &str) -> ApiResult<()> {
    match reader {
        Reader::Tenant => Ok(()),
        Reader::Participant(own) | Reader::Visitor(own) if own == subject => Ok(()),
        Reader::Participant(_) | Reader::Visitor(_) => Err(ApiError {
            field: Some(field.to_owned()),
            ..ApiError::new(
                ErrorCode::PermissionDenied,
                "SUBJECT",
                "the caller may name only itself here",
            )
        }),
    }
}

fn person_needed() -> ApiError {
    let message = "this role needs a token that names the person; a certificate names none";
    ApiError::new(ErrorCode::PermissionDenied, "SUBJECT", message)
}

/// Ends with the caller's token; never for a caller who is known by a certificate.
pub(super) async fn expired(identity: ClientIdentity) -> ApiError {
    let left = identity
        .until
        .map(|until| until.duration_since(SystemTime::now()).unwrap_or_default());
    match left {
        Some(left) => tokio::time::sleep(left).await,
        None => std::future::pending().await,
    }
    TokenError::Expired.into()
}

/// A stream that ends with the caller's token at the latest.
pub(super) fn until_expired<T>(
    identity: ClientIdentity,
    items: impl Stream<Item = ApiResult<T>> + Unpin,
) -> impl Stream<Item = ApiResult<T>> {
    let state = Some((items, Box::pin(expired(identity))));
    stream::unfold(state, |state| async {
        let (mut items, mut expired) = state?;
        tokio::select! {
            biased;
            error = &mut expired => Some((Err(error), None)),
            item = items.next() => item.map(|item| (item, Some((items, expired)))),
        }
    })
}

#[cfg(test)]
mod tests {
    use eunoe_proto::DESCRIPTORS;
    use eunoe_types::limits::REFERENCE_BYTES_MAX;
    use prost::Message as _;
    use prost_types::FileDescriptorSet;

    use super::*;
    use crate::tls::TenantScope;

    #[test]
    fn every_public_method_has_a_row() {
        let services = [DESCRIPTORS, tonic_health::pb::FILE_DESCRIPTOR_SET];
        let files = services.map(|set| FileDescriptorSet::decode(set).unwrap().file);
        let mut seen = 0;
        for file in files.iter().flatten() {
            // Nodes only: it has its own listener.
            if file.package() == "eunoe.peer.v1" {
                continue;
            }
            for service in &file.service {
                for method in &service.method {
                    let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                    assert!(roles(&path).is_some_and(|roles| !roles.is_empty()), "{path}");
                    seen += 1;
                }
            }
        }
        assert!(seen >= 20, "{seen}");
    }

    #[test]
    fn what_has_no_row_cannot_be_called() {
        for path in [
            "",
            "/",
            "eunoe.chat.v1.ChatService/GetMessage",
            "/eunoe.chat.v1.ChatService/",
            "/eunoe.chat.v1.ChatService/GetMessage/x",
            "/eunoe.peer.v1.PeerService/Ping",
        ] {
            assert!(roles(path).is_none(), "{path}");
        }
    }

    #[test]
    fn content_is_for_platforms_agents_and_subjects_only() {
        let (_, chat) = METHODS[0];
        for (method, roles) in chat {
            for role in [Role::Dpo, Role::Auditor, Role::Operator] {
                assert!(!roles.contains(&role), "{method}");
            }
        }
    }

    #[test]
    fn people_reach_what_is_theirs() {
        let identity = |role, subject: Option<String>| ClientIdentity {
            tenant: TenantScope::Any,
            role,
            by_token: subject.is_some(),
            subject,
            until: None,
        };
        let anna = Some("a".repeat(REFERENCE_BYTES_MAX));
        for role in [Role::Agent, Role::Subject] {
            let reader = reader(&identity(role, anna.clone())).unwrap();
            assert!(only_self(&reader, "subject", anna.as_deref().unwrap()).is_ok());
            let refused = only_self(&reader, "subject", "b").unwrap_err();
            assert_eq!(
                (refused.reason, refused.field.as_deref()),
                ("SUBJECT", Some("subject"))
            );
            assert!(!format!("{refused:?}").contains("aaaa"));
            assert_eq!(
                super::reader(&identity(role, None)).err().unwrap().reason,
                "SUBJECT"
            );
        }
        let platform = reader(&identity(Role::Platform, None)).unwrap();
        assert!(only_self(&platform, "subject", "b").is_ok());
        for role in [Role::Dpo, Role::Auditor, Role::Operator] {
            assert_eq!(
                reader(&identity(role, anna.clone())).err().unwrap().reason,
                "ROLE"
            );
        }
    }
}
