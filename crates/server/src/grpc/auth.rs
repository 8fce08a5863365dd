//! Who may call what. Nothing is open by default; every refusal says which role was needed.

use eunoe_types::{ErrorCode, Role, TenantId};
use tonic::Request;

use crate::edge::{ApiError, ApiResult};
use crate::tls::ClientIdentity;

/// The caller, if it may act in one of `roles`.
pub(super) fn caller<T>(request: &Request<T>, roles: &[Role]) -> ApiResult<ClientIdentity> {
    let identity = request
        .extensions()
        .get::<ClientIdentity>()
        .cloned()
        .ok_or_else(|| {
            ApiError::new(
                ErrorCode::Unauthenticated,
                "NO_IDENTITY",
                "the caller did not prove who it is",
            )
        })?;
    if roles.contains(&identity.role) {
        return Ok(identity);
    }
    let names: Vec<&str> = roles.iter().map(|role| role.name()).collect();
    let message = format!("this call needs the role {}", names.join(" or "));
    Err(ApiError::new(ErrorCode::PermissionDenied, "ROLE", message))
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
