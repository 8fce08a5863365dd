//! What this node remembers of conversations: the facts that creation fixed, and the numbers of participants and
//! key sets, so that an append needs no read. All of it is committed and never changes; nothing of it is readable.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use eunoe_core::StateView;
use eunoe_core::data::{self, Appended, ConversationRow, Profile};
use eunoe_crypto::KeyRefs;
use eunoe_custody::Tenant;
use eunoe_types::{ConversationId, Decoder, Fault, Kid};

use super::{ApiError, ApiResult, Edge};

/// Conversations that are remembered.
const CONVERSATIONS: usize = 65_536;
/// Newest key sets that are remembered of one conversation.
const KEY_SETS: usize = 8;

/// A conversation that this node has seen.
pub(super) struct Known {
    pub(super) id: ConversationId,
    pub(super) profile: Profile,
    pub(super) principal: Kid,
    pub(super) purposes: Vec<String>,
    tenant: Kid,
    numbers: Mutex<Numbers>,
}

/// Numbers that appends refer to.
#[derive(Default)]
pub(super) struct Numbers {
    participants: HashMap<Kid, u32>,
    key_sets: VecDeque<(KeyRefs, u32)>,
}

impl Numbers {
    /// The number of somebody who takes part.
    pub(super) fn participant(&self, kid: &Kid) -> Option<u32> {
        self.participants.get(kid).copied()
    }

    /// The number of a key set.
    pub(super) fn key_set(&self, refs: &KeyRefs) -> Option<u32> {
        self.key_sets
            .iter()
            .find(|(known, _)| known == refs)
            .map(|(_, number)| *number)
    }

    fn learn_key_set(&mut self, refs: &KeyRefs, number: u32) {
        if self.key_set(refs).is_none() {
            if self.key_sets.len() == KEY_SETS {
                self.key_sets.pop_front();
            }
            self.key_sets.push_back((refs.clone(), number));
        }
    }
}

impl Known {
    /// The kid of the tenant's key.
    pub(super) fn tenant(&self) -> Kid {
        self.tenant
    }

    /// The place of a purpose among the conversation's.
    pub(super) fn purpose(&self, name: &str) -> ApiResult<u8> {
        let place = self.purposes.iter().position(|known| known == name);
        place.and_then(|place| u8::try_from(place).ok()).ok_or_else(|| {
            let reason = "must be one of the conversation's purposes";
            ApiError {
                reason: "PURPOSE_NOT_ALLOWED",
                ..ApiError::invalid("purpose", reason)
            }
        })
    }

    pub(super) fn numbers(&self) -> MutexGuard<'_, Numbers> {
        // Numbers are learned one by one and stay right whatever panicked between two of them.
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the numbers from a reply.
    pub(super) fn learn<'a>(
        &self,
        author: Kid,
        sets: impl Iterator<Item = &'a KeyRefs>,
        appended: &Appended,
    ) {
        let mut numbers = self.numbers();
        numbers.participants.insert(author, appended.participant);
        sets.zip(&appended.key_sets)
            .for_each(|(refs, number)| numbers.learn_key_set(refs, *number));
    }
}

/// Remembered conversations.
pub(super) struct Cache {
    known: quick_cache::sync::Cache<ConversationId, Arc<Known>>,
}

impl Cache {
    pub(super) fn new() -> Self {
        Self {
            known: quick_cache::sync::Cache::new(CONVERSATIONS),
        }
    }

    /// Forgets a conversation whose numbers turned out to be wrong.
    pub(super) fn forget(&self, id: &ConversationId) {
        self.known.remove(id);
    }
}

/// What is told of a conversation that is not there, or not for the caller: one must not be told from the other.
pub(super) fn absent(field: &'static str) -> ApiError {
    ApiError::not_found(field, "no such conversation")
}

impl Edge {
    /// A conversation of `tenant`.
    pub(super) async fn conversation(
        &self,
        tenant: &Tenant,
        id: &ConversationId,
        field: &'static str,
    ) -> ApiResult<Arc<Known>> {
        let known = match self.inner.cache.known.get(id) {
            Some(known) => Some(known),
            None => self.load(id).await?,
        };
        // Whose it is stays unsaid: somebody else's conversation is as absent as none.
        known
            .filter(|known| known.tenant == tenant.key().kid())
            .ok_or_else(|| absent(field))
    }

    async fn load(&self, id: &ConversationId) -> ApiResult<Option<Arc<Known>>> {
        let group = self.inner.groups.of(id);
        let mut row = group.with_view(|view| load(view, id))??;
        if row.is_none() {
            self.barrier_of(group).await?;
            row = group.with_view(|view| load(view, id))??;
        }
        let known = row.map(Arc::new);
        if let Some(known) = &known {
            self.inner.cache.known.insert(*id, Arc::clone(known));
        }
        Ok(known)
    }
}

fn load(view: &dyn StateView, id: &ConversationId) -> Result<Option<Known>, Fault> {
    let Some(row) = data::conversation(view, id)? else {
        return Ok(None);
    };
    let ConversationRow {
        profile,
        principal,
        tenant,
        purposes,
        ..
    } = row;
    let mut numbers = Numbers::default();
    for (number, participant) in (0..).zip(data::participants(view, id)?) {
        numbers.participants.insert(participant.kid, number);
    }
    let sets = data::head(view, id)?.map_or(0, |head| head.key_sets);
    for number in sets.saturating_sub(KEY_SETS as u32)..sets {
        if let Some(set) = data::key_set(view, id, number)? {
            numbers.learn_key_set(&KeyRefs::decode(&mut Decoder::new(&set.refs))?, number);
        }
    }
    Ok(Some(Known {
        id: *id,
        profile,
        principal,
        purposes,
        tenant,
        numbers: Mutex::new(numbers),
    }))
}
