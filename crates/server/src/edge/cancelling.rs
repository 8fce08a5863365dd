//! Taking erasures back, as long as no key is destroyed.

use eunoe_core::control::{CancelErasure, Command, Reply};
use eunoe_crypto::KeyKind;
use eunoe_types::{ErasureId, ErrorCode, Fault, TenantId};

use super::erasures::{ErasureView, refused, requester};
use super::{ApiError, ApiResult, Edge};
use crate::surroundings;
use crate::tls::Asker;

/// Who takes an erasure back.
pub struct ErasureCanceller {
    /// Whether it is a dpo, who may any of the tenant; else somebody who may what that person asked for, but no tenant.
    pub is_dpo: bool,
    /// Tells people apart.
    pub person: Asker,
}

impl Edge {
    /// Takes an erasure of the tenant's back. What it fenced can be read on every node when this returns and it is
    /// CANCELLED; of very many keys some follow.
    ///
    /// # Errors
    ///
    /// `TOO_LATE` when keys of it are erased, `NOT_FOUND` also for an erasure of a tenant whose name was used again.
    pub async fn cancel_erasure(
        &self,
        tenant: &TenantId,
        id: &ErasureId,
        by: &ErasureCanceller,
    ) -> ApiResult<ErasureView> {
        self.inner.quota.take(tenant, 1)?;
        let tenant = self.known_tenant(tenant).await?;
        self.inner.keys.barrier().await?;
        let absent = || ApiError::not_found("erasure_id", "no such erasure");
        let known = self.erasure_row(id)?.ok_or_else(absent)?;
        if known.tenant != tenant.key().kid() {
            return Err(absent());
        }
        let requester = requester(&tenant, id, &by.person);
        let own = known.requester == requester && known.kind != KeyKind::Tenant.tag();
        if !by.is_dpo && !own {
            let message = "a dpo takes back what others asked for, and a tenant's erasure";
            return Err(ApiError::new(ErrorCode::PermissionDenied, "ROLE", message));
        }
        let command = Command::CancelErasure(CancelErasure {
            id: *id,
            requester,
            time: surroundings::now(),
        });
        // Waiting for a majority may take long.
        drop(tenant);
        let reply = self.inner.groups.propose_control(command.encode().into()).await?;
        match Reply::decode(&reply).map_err(Fault::from)? {
            Reply::Done => {
                self.spread().await.map_err(ApiError::after_the_effect)?;
                self.erasure_view(id)?
                    .ok_or_else(|| ApiError::internal("an erasure vanished"))
            }
            Reply::Rejected(rejection) => Err(refused(rejection)),
            Reply::Erasure { .. } | Reply::Keys(_) => Err(ApiError::internal("an erasure got another reply")),
        }
    }
}
