//! Message ids and request MACs: how a repeated request is recognised without keeping the request.

use eunoe_types::{MessageId, RequestMac};

use crate::hash::{derive_pair, keyed};
use crate::{ArenaError, KeyArena, LockedKey, SecretKey};

/// A conversation's lookup key. It never rotates and dies with the conversation (erasure.md R10).
#[derive(Debug)]
pub struct LookupKey {
    ids: LockedKey,
    bodies: LockedKey,
}

impl LookupKey {
    /// From the *first* generation of the conversation's record key.
    pub fn derive(arena: &KeyArena, conversation_first_key: &SecretKey) -> Result<Self, ArenaError> {
        let (ids, bodies) = derive_pair("eunoe v1 lookup key", conversation_first_key);
        Ok(Self {
            ids: arena.store(&ids)?,
            bodies: arena.store(&bodies)?,
        })
    }

    /// The id of the message that `request_id` appends: the same request gives the same message.
    pub fn message_id(&self, request_id: &[u8]) -> MessageId {
        MessageId(keyed(&self.ids, &[request_id]))
    }

    /// A MAC of what the request says, to tell a repetition from another request under the same id.
    ///
    /// The message id enters it, for else two stored MACs would tell that two messages say the same.
    pub fn body_mac<'a>(&self, message: MessageId, parts: impl IntoIterator<Item = &'a [u8]>) -> RequestMac {
        let mut hasher = blake3::Hasher::new_keyed(self.bodies.expose());
        hasher.update(&message.0);
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let mut mac = [0; 8];
        hasher.finalize_xof().fill(&mut mac);
        RequestMac(mac)
    }
}
