//! Erasures: from a request to a fence that every later read on every node obeys, and how far each one is.

use std::time::Duration;

use eunoe_core::StateView;
use eunoe_core::control::{self, Command, ErasureRow, KeyState, Rejection, Reply, RequestErasure};
use eunoe_custody::Tenant;
use eunoe_evidence::Ticket;
use eunoe_types::{ErasureId, ErrorCode, Fault, Kid, NodeId, RequestMac, TenantId};
use futures::future::join_all;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;

use super::append::random_id;
use super::tokens::{decode_number, encode_number};
use super::{ApiError, ApiResult, ConversationName, Edge};
use crate::groups::news;
use crate::surroundings;
use crate::telemetry::{self, metrics};
use crate::tls::Asker;

/// Nodes that are well apply a fence in this time; the answer does not wait longer for the others, and does not need
/// them: their reads pass the control barrier.
const SPREAD_TIMEOUT: Duration = Duration::from_millis(300);
/// Steps that a slow watcher may be behind.
const WATCH_BUFFER: usize = 4;
/// How often an erasure is looked at although nothing seems to have changed.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// What to erase.
pub enum ErasureTarget {
    /// A person.
    Subject(String),
    /// A conversation.
    Conversation(ConversationName),
    /// The tenant. Takes two people.
    Tenant,
}

/// A request, checked against the limits.
pub struct ErasureRequest {
    /// What.
    pub target: ErasureTarget,
    /// May be empty, except for a tenant.
    pub request_id: String,
    /// Why, as the API numbers it.
    pub reason: u8,
    /// Wait for no period.
    pub urgent: bool,
    /// Seconds after the fence in which nothing is destroyed.
    pub hold_s: u32,
    /// Whether the caller may be the first to ask: for a tenant that takes a dpo.
    pub may_begin: bool,
    /// Whether the request id is among this person's own, else among the tenant's: a person who asks for its own erasure
    /// must neither take an id that somebody else needs nor learn that somebody took one.
    pub own_ids: bool,
    /// Who asks: tells two people apart.
    pub person: Asker,
}

/// Whose erasures somebody sees.
#[derive(Clone)]
pub enum ErasureViewer {
    /// Any of any tenant: the caller acts for all of them.
    AnyTenant,
    /// Any of the tenant.
    Any,
    /// Those that this person asked for.
    Requester(Asker),
}

/// An erasure and how far it is.
pub struct ErasureView {
    /// Its id.
    pub id: ErasureId,
    /// What the control group knows.
    pub row: ErasureRow,
    /// Nodes that may still hold a root that leads to it.
    pub missing: Vec<NodeId>,
}

/// What a request gave.
pub struct Requested {
    /// The erasure.
    pub view: ErasureView,
    /// Whether this request began it.
    pub created: bool,
    /// What opens the receipt's commitment for whoever asked (erasure.md §6.3); none if the name of what is erased was not
    /// said, or the key is gone.
    pub ticket: Option<Ticket>,
}

impl Edge {
    /// Requests an erasure; says whether this call began it. `FENCED` is in effect on every node when this returns.
    pub async fn erase(&self, tenant: &TenantId, request: ErasureRequest) -> ApiResult<Requested> {
        let begun = Instant::now();
        self.inner.quota.take(tenant, 1)?;
        let tenant = self.known_tenant(tenant).await?;
        // What is named must be what is in use now: a name may have got another key on another node.
        self.inner.keys.barrier().await?;
        let (id, mac) = identify(&tenant, &request)?;
        let target = match self.erasure_row(&id)? {
            Some(known) => known.target,
            None if !request.may_begin => {
                let message = "a tenant's erasure is begun by the role dpo and confirmed by a second person";
                return Err(ApiError::new(ErrorCode::PermissionDenied, "ROLE", message));
            }
            None => self.target(&tenant, &request.target).await?,
        };
        let requester = requester(&tenant, &id, &request.person);
        let mut namesakes = match &request.target {
            ErasureTarget::Subject(subject) => self.inner.keys.subjects_in_use(&tenant, subject)?,
            ErasureTarget::Tenant => self.inner.keys.tenants_in_use(tenant.id())?,
            ErasureTarget::Conversation(_) => Vec::new(),
        };
        namesakes.retain(|kid| *kid != target);
        let command = Command::RequestErasure(RequestErasure {
            id,
            target,
            tenant: tenant.key().kid(),
            mac,
            requester,
            two_people: matches!(request.target, ErasureTarget::Tenant),
            reason: request.reason,
            urgent: request.urgent,
            hold_s: request.hold_s,
            namesakes,
            time: surroundings::now(),
        });
        let opening = self.opening(&tenant, &request.target, target)?;
        // Waiting for a majority may take long.
        drop(tenant);
        let reply = self.inner.groups.propose_control(command.encode().into()).await?;
        match Reply::decode(&reply).map_err(Fault::from)? {
            Reply::Erasure { id, created } => {
                self.spread().await.map_err(ApiError::after_the_effect)?;
                telemetry::took(&metrics::FENCE, begun.elapsed(), &[]);
                let view = self.erasure_view(&id)?;
                let view = view.ok_or_else(|| ApiError::internal("an erasure vanished"))?;
                if view.row.state.cancelled().is_some() {
                    let message =
                        "the erasure of this request was taken back; a new one needs a new request id";
                    return Err(ApiError::precondition("CANCELLED", message));
                }
                let ticket = opening.and_then(|opening| opening.ticket(&id));
                Ok(Requested {
                    view,
                    created,
                    ticket,
                })
            }
            Reply::Rejected(rejection) => Err(refused(rejection)),
            Reply::Done | Reply::Keys(_) => Err(ApiError::internal("an erasure got another reply")),
        }
    }

    /// The key of what is to be erased.
    async fn target(&self, tenant: &Tenant, target: &ErasureTarget) -> ApiResult<Kid> {
        match target {
            ErasureTarget::Subject(subject) => {
                let kid = self.inner.keys.known_subject(tenant, subject)?;
                kid.ok_or_else(|| ApiError::not_found("subject", "no such subject"))
            }
            ErasureTarget::Conversation(name) => {
                let field = match name {
                    ConversationName::Id(_) => "conversation_id",
                    ConversationName::ExternalRef(_) => "conversation_external_ref",
                };
                let found = async {
                    let id = self.resolve(tenant, name).await?;
                    self.conversation(tenant, &id, field).await
                };
                // The request has its own names for what a read names its conversation by.
                let known = found.await.map_err(|error| ApiError {
                    field: error.field.as_ref().map(|_| field.to_owned()),
                    ..error
                })?;
                Ok(known.id.kid())
            }
            ErasureTarget::Tenant => Ok(tenant.key().kid()),
        }
    }

    /// Learns here what is recorded now, and lets the other nodes know, so that they refuse appends and end streams by the
    /// time of the answer. Nothing depends on them: a node that does not answer learns of a fence before it opens anything
    /// again.
    pub(super) async fn spread(&self) -> ApiResult<()> {
        let control_index = self.inner.keys.barrier().await?;
        let control = self.inner.groups.control();
        let nodes = control.with_view(control::nodes)??;
        let here = control.node_id();
        let others = nodes
            .into_iter()
            .filter(|node| node.id != here && node.state.is_admitted());
        let told = others.map(async |node| {
            let told = self
                .inner
                .peers
                .await_applied(node.id, control_index, SPREAD_TIMEOUT)
                .await;
            if let Err(error) = told {
                tracing::debug!(node = %node.id, %error, "a node has not said that it applied a fence");
            }
        });
        join_all(told).await;
        Ok(())
    }

    /// One erasure; without a tenant that of any.
    pub async fn erasure(
        &self,
        tenant: Option<&TenantId>,
        id: &ErasureId,
        viewer: &ErasureViewer,
    ) -> ApiResult<ErasureView> {
        self.inner.keys.barrier().await?;
        self.readable_erasure(tenant, id, viewer)
    }

    /// An erasure of this tenant. When the tenant itself is erased nothing leads from its name to its key any more: its
    /// erasures are seen by callers who act for all tenants, and by those of a tenant that has no keys either.
    fn readable_erasure(
        &self,
        tenant: Option<&TenantId>,
        id: &ErasureId,
        viewer: &ErasureViewer,
    ) -> ApiResult<ErasureView> {
        let absent = || ApiError::not_found("erasure_id", "no such erasure");
        let view = self.erasure_view(id)?.ok_or_else(absent)?;
        if let (None, ErasureViewer::AnyTenant) = (tenant, viewer) {
            return Ok(view);
        }
        let tenant = tenant
            .map(|tenant| self.inner.keys.known_tenant(tenant))
            .transpose()?;
        let named = tenant.flatten();
        let own = named
            .as_ref()
            .filter(|tenant| tenant.key().kid() == view.row.tenant);
        let seen = match (viewer, own) {
            (ErasureViewer::Requester(person), Some(tenant)) => {
                view.row.requester == requester(tenant, id, person)
            }
            (ErasureViewer::Requester(_), None) => false,
            (ErasureViewer::Any | ErasureViewer::AnyTenant, Some(_)) => true,
            (ErasureViewer::AnyTenant, None) => self.is_erased(&view.row.tenant)?,
            (ErasureViewer::Any, None) => named.is_none() && self.is_erased(&view.row.tenant)?,
        };
        if seen { Ok(view) } else { Err(absent()) }
    }

    fn is_erased(&self, kid: &Kid) -> ApiResult<bool> {
        let control = self.inner.groups.control();
        let row = control.with_view(|view| control::key_state(view, kid))??;
        Ok(row.is_some_and(|row| matches!(row.state, KeyState::Erased { .. })))
    }

    /// A tenant's erasures, newest first, after a token. Says the token of the next page.
    pub async fn erasures(
        &self,
        tenant: &TenantId,
        size: usize,
        token: Option<&str>,
    ) -> ApiResult<(Vec<ErasureView>, Option<String>)> {
        let before = token.map(decode_number).transpose()?;
        let tenant = self.known_tenant(tenant).await?;
        self.inner.keys.barrier().await?;
        let kid = tenant.key().kid();
        let control = self.inner.groups.control();
        let page = control.with_view(|view| {
            let rows = control::erasures_of(view, &kid, before, size + 1)?;
            rows.into_iter()
                .map(|(id, row)| shown(view, id, row))
                .collect::<Result<Vec<_>, Fault>>()
        })??;
        let is_last = page.len() <= size;
        let mut page = page;
        page.truncate(size);
        let next = page
            .last()
            .filter(|_| !is_last)
            .map(|view| encode_number(view.row.number));
        Ok((page, next))
    }

    /// An erasure as it is now and after every step; `is_final` says after which one the stream ends.
    pub async fn watch_erasure(
        &self,
        tenant: Option<TenantId>,
        id: ErasureId,
        viewer: ErasureViewer,
        is_final: fn(&ErasureView) -> bool,
    ) -> ApiResult<ReceiverStream<ApiResult<ErasureView>>> {
        let first = self.erasure(tenant.as_ref(), &id, &viewer).await?;
        let (out, steps) = mpsc::channel(WATCH_BUFFER);
        let edge = self.clone();
        tokio::spawn(async move {
            let mut applied = edge.inner.groups.control().watch_applied();
            let mut next = Ok(first);
            let mut last: Option<(ErasureRow, Vec<NodeId>)> = None;
            loop {
                applied.mark_unchanged();
                match next {
                    Ok(view) => {
                        let now = Some((view.row.clone(), view.missing.clone()));
                        let ends = is_final(&view);
                        if now != last && out.send(Ok(view)).await.is_err() || ends {
                            return;
                        }
                        last = now;
                    }
                    Err(error) => {
                        // A caller that is gone needs no reason.
                        let _gone = out.send(Err(error)).await;
                        return;
                    }
                }
                tokio::select! {
                    biased;
                    () = edge.inner.stopping.cancelled() => {
                        next = Err(ApiError::stopping());
                        continue;
                    }
                    () = out.closed() => return,
                    () = news(&mut applied, WATCH_INTERVAL) => {}
                }
                next = edge.readable_erasure(tenant.as_ref(), &id, &viewer);
            }
        });
        Ok(ReceiverStream::new(steps))
    }

    pub(super) fn erasure_row(&self, id: &ErasureId) -> ApiResult<Option<ErasureRow>> {
        Ok(self
            .inner
            .groups
            .control()
            .with_view(|view| control::erasure(view, id))??)
    }

    pub(super) fn erasure_view(&self, id: &ErasureId) -> ApiResult<Option<ErasureView>> {
        let control = self.inner.groups.control();
        Ok(control.with_view(|view| match control::erasure(view, id)? {
            Some(row) => shown(view, *id, row).map(Some),
            None => Ok(None),
        })??)
    }
}

fn shown(view: &dyn StateView, id: ErasureId, row: ErasureRow) -> Result<ErasureView, Fault> {
    let missing = control::missing_holders(view, &row)?;
    Ok(ErasureView { id, row, missing })
}

/// Id and MAC: the same request gives the same. The MAC covers the request id, so that it confirms no guess of a
/// reference alone.
fn identify(tenant: &Tenant, request: &ErasureRequest) -> ApiResult<(ErasureId, RequestMac)> {
    let lookup = tenant.lookup();
    let id = match request.request_id.as_str() {
        "" => ErasureId(random_id()?),
        request_id if request.own_ids => ErasureId(own_id(tenant, &request.person, request_id)),
        request_id => ErasureId(lookup.message_id(request_id.as_bytes()).0),
    };
    let (kind, name): (&[u8], &[u8]) = match &request.target {
        ErasureTarget::Subject(subject) => (b"subject", subject.as_bytes()),
        ErasureTarget::Conversation(ConversationName::Id(id)) => (b"conversation", id.as_bytes()),
        ErasureTarget::Conversation(ConversationName::ExternalRef(name)) => (b"reference", name.as_bytes()),
        ErasureTarget::Tenant => (b"tenant", b""),
    };
    let parts = [kind, name, request.request_id.as_bytes()];
    Ok((id, lookup.body_mac(eunoe_types::MessageId(id.0), parts)))
}

/// The id of a request whose id is among a person's own. Request ids are text, which never has the byte that this begins
/// with: it is no id of the tenant's.
fn own_id(tenant: &Tenant, person: &Asker, request_id: &str) -> [u8; 16] {
    let lookup = tenant.lookup();
    let owner = lookup.message_id(&[&[0xff], person.name.as_bytes()].concat()).0;
    lookup
        .message_id(&[&[0xff; 2][..], &owner, request_id.as_bytes()].concat())
        .0
}

/// MAC of who asks for an erasure: the same person gives another one for another erasure.
pub(super) fn requester(tenant: &Tenant, id: &ErasureId, person: &Asker) -> RequestMac {
    let lookup = tenant.lookup();
    let mac = lookup.body_mac(lookup.message_id(id.as_bytes()), [person.name.as_bytes()]);
    control::requester(mac, person.by_token)
}

pub(super) fn refused(rejection: Rejection) -> ApiError {
    match rejection {
        Rejection::RequestIdReused => ApiError {
            field: Some("request_id".into()),
            ..ApiError::new(
                ErrorCode::AlreadyExists,
                "REQUEST_ID_REUSED",
                "this request id was used for another request",
            )
        },
        // Its last erasure is through, and nothing has that name since.
        Rejection::NoSuchKey | Rejection::KeyErased => {
            ApiError::not_found("target", "there is nothing of this name")
        }
        Rejection::NoSuchErasure => ApiError::not_found("erasure_id", "no such erasure"),
        Rejection::TooLate => ApiError::precondition(
            "TOO_LATE",
            "keys of the erasure are destroyed, or what it belongs to is being erased",
        ),
        Rejection::GenesisDone
        | Rejection::NoGenesis
        | Rejection::PagesMissing
        | Rejection::NodeIdUsed
        | Rejection::NoSuchNode
        | Rejection::WrongEpoch
        | Rejection::WrongVersion
        | Rejection::NothingToExpand
        | Rejection::WrongAttempt
        | Rejection::WrongChunk
        | Rejection::WrongDigest
        | Rejection::KeyNotFenced
        | Rejection::TooFewHolders
        | Rejection::BadSharing
        | Rejection::NotVerified
        | Rejection::NodeAdmitted
        | Rejection::Sealed
        | Rejection::SiteMalformed
        | Rejection::SiteOutside
        | Rejection::TooManyKeys => ApiError::internal("an erasure was refused"),
    }
}
