//! The gate of the client listener: every request of every service passes it, or is answered here.
//!
//! It finds out who calls (certificate, token, or both), looks the method up in the table of roles, and only then
//! puts a [`ClientIdentity`] among the request's extensions. Services take the caller from there and from nowhere
//! else, so that what came past the gate some other way is nobody.

use std::task::{Context, Poll};

use eunoe_types::{ErrorCode, Role};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::header::AUTHORIZATION;
use tonic::codegen::http::{HeaderMap, Request, Response};
use tower::{Layer, Service};

use super::answer::{answer, deadline};
use super::status::{Faults, to_status};
use crate::edge::{ApiError, ApiResult};
use crate::oidc::{Issuer, TokenError};
use crate::telemetry::{self, Attribute};
use crate::tls::{ClientConnection, ClientIdentity, TenantScope};

/// The roles that may call a method, by its path; nothing for a method that does not exist.
pub type Roles = fn(&str) -> Option<&'static [Role]>;

/// Lets callers through to the services. A layer for [`crate::serve::client_server`].
#[derive(Clone)]
pub struct Gate {
    issuer: Option<Issuer>,
    roles: Roles,
    faults: Faults,
}

impl Gate {
    /// A gate that takes tokens of `issuer`, if there is one, and looks methods up in `roles`.
    pub fn new(issuer: Option<Issuer>, roles: Roles) -> Self {
        Self {
            issuer,
            roles,
            faults: Faults::default(),
        }
    }

    fn admit<B>(&self, request: &Request<B>) -> Result<ClientIdentity, Status> {
        let refuse = |error| to_status(&error, &self.faults);
        // Who calls comes first: nobody learns from a stranger's call which methods there are.
        let identity = self.identity(request).map_err(refuse)?;
        let roles =
            (self.roles)(request.uri().path()).ok_or_else(|| Status::unimplemented("no such method"))?;
        if roles.contains(&identity.role) {
            return Ok(identity);
        }
        let names: Vec<&str> = roles.iter().map(|role| role.name()).collect();
        let message = format!("this call needs the role {}", names.join(" or "));
        Err(refuse(ApiError::new(
            ErrorCode::PermissionDenied,
            "ROLE",
            message,
        )))
    }

    fn identity<B>(&self, request: &Request<B>) -> ApiResult<ClientIdentity> {
        let connection = request.extensions().get::<ClientConnection>();
        let certified = connection.and_then(|connection| connection.certified.clone());
        let Some(token) = bearer(request.headers())? else {
            return certified.ok_or_else(nobody);
        };
        // A token is never ignored in favour of the certificate, whatever is wrong with it.
        let issuer = self.issuer.as_ref().ok_or(TokenError::Issuer)?;
        let named = issuer.verify(token)?;
        if let Some(certified) = certified {
            covers(&certified, &named)?;
        }
        if let Some(connection) = connection {
            connection.proved.cancel();
        }
        Ok(named)
    }
}

fn nobody() -> ApiError {
    let message = "the caller did not prove who it is";
    ApiError::new(ErrorCode::Unauthenticated, "NO_IDENTITY", message)
}

/// The token of the request, if it has an authorization.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, TokenError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.to_str().map_err(|_| TokenError::Malformed)?,
        (Some(_), Some(_)) => return Err(TokenError::Malformed),
    };
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        Some(_) | None => Err(TokenError::Malformed),
    }
}

/// A token beside a certificate narrows what the certificate allows, and never widens it.
fn covers(certified: &ClientIdentity, named: &ClientIdentity) -> ApiResult<()> {
    let role = certified.role == named.role
        || (certified.role == Role::Platform && matches!(named.role, Role::Agent | Role::Subject));
    if !role {
        let message = "the certificate's role does not cover the token's";
        return Err(ApiError::new(ErrorCode::PermissionDenied, "ROLE", message));
    }
    let tenant = match (&certified.tenant, &named.tenant) {
        (TenantScope::Any, _) => true,
        (TenantScope::Name(_), TenantScope::Any) => false,
        (scope @ TenantScope::Name(_), TenantScope::Name(tenant)) => scope.includes(tenant),
    };
    if tenant {
        Ok(())
    } else {
        let message = "the certificate's tenant does not cover the token's";
        Err(ApiError::new(ErrorCode::PermissionDenied, "TENANT", message))
    }
}

impl<S> Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated {
            gate: self.clone(),
            inner,
        }
    }
}

/// Services behind the gate.
#[derive(Clone)]
pub struct Gated<S> {
    gate: Gate,
    inner: S,
}

impl<S, B> Service<Request<B>> for Gated<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Error: Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.gate.admit(&request) {
            Ok(identity) => {
                // No service needs the token itself, and what it does not have it cannot log.
                request.headers_mut().remove(AUTHORIZATION);
                telemetry::of_present(Attribute::Role(identity.role));
                request.extensions_mut().insert(identity);
                let deadline = deadline(request.headers());
                answer(self.inner.call(request), deadline, self.gate.faults.clone()).boxed()
            }
            Err(status) => std::future::ready(Ok(status.into_http())).boxed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use eunoe_types::TenantId;

    use super::*;

    fn identity(role: Role, tenant: &str) -> ClientIdentity {
        let tenant = match tenant {
            "*" => TenantScope::Any,
            name => TenantScope::Name(TenantId::new(name).unwrap()),
        };
        ClientIdentity {
            tenant,
            role,
            by_token: false,
            subject: None,
            until: None,
        }
    }

    #[test]
    fn a_token_narrows_a_certificate_and_never_widens_it() {
        let reason = |certified: (Role, &str), named: (Role, &str)| {
            let covered = covers(&identity(certified.0, certified.1), &identity(named.0, named.1));
            covered.err().map(|error| error.reason)
        };
        let acme = |role| (role, "acme");
        assert_eq!(reason((Role::Platform, "*"), acme(Role::Subject)), None);
        assert_eq!(reason(acme(Role::Platform), acme(Role::Agent)), None);
        assert_eq!(reason(acme(Role::Dpo), acme(Role::Dpo)), None);
        assert_eq!(reason(acme(Role::Agent), acme(Role::Platform)), Some("ROLE"));
        assert_eq!(reason((Role::Platform, "*"), acme(Role::Dpo)), Some("ROLE"));
        assert_eq!(
            reason(acme(Role::Platform), (Role::Subject, "other")),
            Some("TENANT")
        );
        assert_eq!(
            reason(acme(Role::Operator), (Role::Operator, "*")),
            Some("TENANT")
        );
    }

    #[test]
    fn an_authorization_is_one_bearer_token() {
        let read = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, value.parse().unwrap());
            }
            bearer(&headers).map(|token| token.map(str::to_owned))
        };
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&["Bearer a.b.c"]), Ok(Some("a.b.c".to_owned())));
        assert_eq!(read(&["bearer a.b.c"]), Ok(Some("a.b.c".to_owned())));
        for wrong in [
            &["Basic dTpw"][..],
            &["Bearer"],
            &["a.b.c"],
            &["Bearer a.b.c", "Bearer a.b.c"],
        ] {
            assert_eq!(read(wrong), Err(TokenError::Malformed));
        }
    }
}
