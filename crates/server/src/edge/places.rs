//! How many tails a node has at once, all together and of one caller.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use eunoe_types::TenantId;

use super::{ApiError, ApiResult, Reader};

/// How long until a caller should try again: tails end when they like.
const RETRY_AFTER_MS: u64 = 5_000;

/// Tails at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TailLimits {
    /// Of this node.
    pub all: usize,
    /// Of callers who may read all of a tenant.
    pub per_tenant: usize,
    /// Of one person.
    pub per_person: usize,
}

/// A tenant, and the person; none for whoever may read all of it.
type Caller = (TenantId, Option<String>);

/// The tails of a node.
pub(super) struct TailPlaces {
    limits: TailLimits,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_caller: HashMap<Caller, usize>,
}

/// A tail's place, given back when it is dropped.
pub(super) struct TailPlace {
    places: Arc<TailPlaces>,
    caller: Caller,
}

impl TailPlaces {
    pub(super) fn new(limits: TailLimits) -> Self {
        Self {
            limits,
            taken: Mutex::default(),
        }
    }

    /// A place for a tail, or why there is none.
    pub(super) fn take(self: &Arc<Self>, tenant: &TenantId, reader: &Reader) -> ApiResult<TailPlace> {
        let (person, own_max) = match reader {
            Reader::Tenant => (None, self.limits.per_tenant),
            Reader::Participant(person) | Reader::Visitor(person) => {
                (Some(person.clone()), self.limits.per_person)
            }
        };
        let caller = (tenant.clone(), person);
        let mut taken = self.lock();
        if taken.by_caller.get(&caller).is_some_and(|own| *own >= own_max) {
            let message = "the caller has too many tails on this node";
            return Err(ApiError::exhausted("CALLER_TAILS", message, RETRY_AFTER_MS));
        }
        if taken.all >= self.limits.all {
            let message = "this node has too many tails; ask another one";
            return Err(ApiError::exhausted("NODE_TAILS", message, RETRY_AFTER_MS));
        }
        taken.all += 1;
        *taken.by_caller.entry(caller.clone()).or_default() += 1;
        Ok(TailPlace {
            places: Arc::clone(self),
            caller,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for TailPlace {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        taken.all -= 1;
        if let Some(own) = taken.by_caller.get_mut(&self.caller) {
            *own -= 1;
            if *own == 0 {
                taken.by_caller.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use eunoe_types::{ErrorCode, Retry};

    use super::*;

    fn reason(result: ApiResult<TailPlace>) -> Option<&'static str> {
        let error = result.err()?;
        assert_eq!(error.code, ErrorCode::ResourceExhausted);
        assert_eq!(error.retry, Retry::AfterMs(RETRY_AFTER_MS));
        Some(error.reason)
    }

    #[test]
    fn a_person_a_tenant_and_a_node_have_their_limits() {
        let places = Arc::new(TailPlaces::new(TailLimits {
            all: 5,
            per_tenant: 3,
            per_person: 2,
        }));
        let (acme, other) = (TenantId::new("acme").unwrap(), TenantId::new("other").unwrap());
        let anna = Reader::Visitor("anna".into());
        let mut kept = vec![
            places.take(&acme, &anna).unwrap(),
            // In another role it is the same person.
            places.take(&acme, &Reader::Participant("anna".into())).unwrap(),
        ];
        assert_eq!(reason(places.take(&acme, &anna)), Some("CALLER_TAILS"));
        // The same name is another person with another tenant.
        kept.push(places.take(&other, &anna).unwrap());
        kept.push(places.take(&acme, &Reader::Tenant).unwrap());
        kept.push(places.take(&acme, &Reader::Tenant).unwrap());
        assert_eq!(reason(places.take(&other, &Reader::Tenant)), Some("NODE_TAILS"));
        kept.remove(0);
        kept.push(places.take(&acme, &Reader::Tenant).unwrap());
        kept.remove(1);
        assert_eq!(reason(places.take(&acme, &Reader::Tenant)), Some("CALLER_TAILS"));
        kept.clear();
        assert_eq!(places.lock().all, 0);
        assert!(places.lock().by_caller.is_empty());
    }
}
