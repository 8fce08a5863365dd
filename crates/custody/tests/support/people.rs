//! Keys of every kind under names, and messages that only they open.

use std::sync::Arc;

use eunoe_core::control::KeyOutcome;
use eunoe_crypto::{Entropy, KeyRefs, MessageAad, open, seal};
use eunoe_custody::{PreparedKey, Tenant, Unsealed};
use eunoe_types::{ConversationId, Day, Kid, MessageId, TenantId};

use super::{Cluster, NOW, REALM, Seeded};

/// A prepared key, created.
pub fn created(cluster: &mut Cluster, key: Option<PreparedKey>) -> Kid {
    let key = key.expect("the name is free");
    assert_eq!(cluster.create(&key), KeyOutcome::Created);
    key.kid
}

pub fn tenant(cluster: &Cluster, keys: &Unsealed, name: &TenantId) -> Arc<Tenant> {
    keys.tenant(&cluster.rows, name)
        .expect("looks up")
        .expect("is there")
}

pub fn new_tenant(cluster: &mut Cluster, keys: &Unsealed, name: &TenantId, entropy: &mut dyn Entropy) -> Kid {
    let key = keys
        .new_tenant(&cluster.rows, name, NOW, entropy)
        .expect("prepares");
    created(cluster, key)
}

pub fn new_subject(
    cluster: &mut Cluster,
    keys: &Unsealed,
    of: &TenantId,
    name: &str,
    entropy: &mut dyn Entropy,
) -> Kid {
    let tenant = tenant(cluster, keys, of);
    let key = keys
        .new_subject(&cluster.rows, &tenant, name, NOW, entropy)
        .expect("prepares");
    created(cluster, key)
}

pub fn new_bucket(
    cluster: &mut Cluster,
    keys: &Unsealed,
    of: &TenantId,
    name: &str,
    entropy: &mut dyn Entropy,
) -> Kid {
    let tenant = tenant(cluster, keys, of);
    let key = keys
        .new_bucket(&cluster.rows, &tenant, name.as_bytes(), NOW, entropy)
        .expect("prepares");
    created(cluster, key)
}

/// A support conversation with a principal, a peer conversation without one.
pub fn new_conversation(
    cluster: &mut Cluster,
    keys: &Unsealed,
    of: &TenantId,
    principal: Option<Kid>,
    name: Option<&str>,
    entropy: &mut dyn Entropy,
) -> Kid {
    let tenant = tenant(cluster, keys, of);
    let reference = name.map(str::as_bytes);
    let key = keys
        .new_conversation(&cluster.rows, &tenant, principal, reference, NOW, entropy)
        .expect("prepares");
    created(cluster, key)
}

/// Refs of keys that are all in use, in the order that lists have.
pub fn refs(cluster: &Cluster, keys: &Unsealed, kids: &[Kid]) -> KeyRefs {
    let newest = |kid: &Kid| {
        let key = keys.key(&cluster.rows, *kid).expect("looks up");
        key.expect("is in use").newest()
    };
    let mut list: Vec<_> = kids.iter().map(newest).collect();
    list.sort_by_key(|key_ref| (key_ref.kind.tag(), key_ref.kid));
    KeyRefs::new(list).expect("a list in order")
}

fn place() -> MessageAad {
    MessageAad {
        realm: REALM,
        conversation: ConversationId([7; 16]),
        message: MessageId([9; 16]),
        envelope: 0,
        day: Day(20_000),
    }
}

/// A message that opens only with the keys it was sealed under.
pub struct Message {
    pub refs: KeyRefs,
    sealed: Vec<u8>,
}

impl Message {
    pub fn sealed_for(cluster: &Cluster, keys: &Unsealed, kids: &[Kid]) -> Self {
        let refs = refs(cluster, keys, kids);
        let key = keys.content_key(&cluster.rows, &refs).expect("derives");
        let key = key.expect("all are in use");
        Self {
            sealed: seal(&key, &place(), b"Guten Tag", &mut Seeded(9)).expect("seals"),
            refs,
        }
    }

    /// Whether it can be read: false when a key of it is not given out.
    pub fn opens(&self, cluster: &Cluster, keys: &Unsealed) -> bool {
        let key = keys.content_key(&cluster.rows, &self.refs).expect("looks up");
        key.is_some_and(|key| {
            let text = open(&key, &place(), &self.sealed).expect("the same key as before");
            text.expose() == b"Guten Tag"
        })
    }
}
