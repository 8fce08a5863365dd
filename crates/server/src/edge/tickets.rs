//! What opens the commitment of a receipt: only whoever asked for the erasure gets it, and the cluster forgets it with the key
//! (erasure.md §6.3).

use eunoe_core::control;
use eunoe_crypto::SecretKey;
use eunoe_custody::Tenant;
use eunoe_evidence::{Ticket, subject_commitment};
use eunoe_types::{ErasureId, Kid, Realm};

use super::conversations::by_external_ref;
use super::erasures::ErasureTarget;
use super::{ApiResult, ConversationName, Edge};

/// A ticket of an erasure that has no id yet.
pub(super) struct Opening {
    realm: Realm,
    commit: [u8; 32],
    tenant: String,
    reference: Vec<u8>,
    kid: Kid,
    blind: SecretKey,
}

impl Edge {
    /// What opens the commitment to a key, if the key is there and what was named is what it was made for.
    pub(super) fn opening(
        &self,
        tenant: &Tenant,
        target: &ErasureTarget,
        kid: Kid,
    ) -> ApiResult<Option<Opening>> {
        let reference = match target {
            ErasureTarget::Subject(subject) => subject.as_bytes().to_vec(),
            ErasureTarget::Tenant => Vec::new(),
            ErasureTarget::Conversation(ConversationName::ExternalRef(reference)) => {
                by_external_ref(reference)
            }
            // Whoever names it by the server's id has not said what it was made for.
            ErasureTarget::Conversation(ConversationName::Id(_)) => return Ok(None),
        };
        let realm = self.inner.keys.unsealed()?.realm();
        let Some(blind) = self.inner.keys.blind(kid)? else {
            return Ok(None);
        };
        let row = self.inner.groups.control();
        let row = row.with_view(|view| control::key_state(view, &kid))??;
        Ok(row.map(|row| Opening {
            realm,
            commit: row.commit,
            tenant: tenant.id().as_str().to_owned(),
            reference,
            kid,
            blind,
        }))
    }
}

impl Opening {
    /// The ticket; none if it would not open the commitment.
    pub(super) fn ticket(&self, id: &ErasureId) -> Option<Ticket> {
        let (realm, kid, blind) = (&self.realm.0, &self.kid.0, self.blind.expose());
        let opens = subject_commitment(realm, kid, blind, &self.tenant, &self.reference) == self.commit;
        let ticket = Ticket::new(id.0, self.commit, &self.tenant, &self.reference, *kid, *blind);
        ticket.ok().filter(|_| opens)
    }
}
