//! A tenant with two people.

use std::sync::Arc;

use eunoe_crypto::{KeyRefs, RootKey};
use eunoe_custody::{Keyring, Unsealed};
use eunoe_types::Kid;

use super::people::{Message, new_conversation, new_subject, new_tenant, refs, tenant};
use super::{Cluster, Seeded, keyring, tenant_id};

/// A tenant with two people who each have a conversation.
pub struct Small {
    pub cluster: Cluster,
    pub root: RootKey,
    pub keyring: Keyring,
    pub entropy: Seeded,
    pub tenant: Kid,
    pub people: [Kid; 2],
    pub chats: [Kid; 2],
}

impl Small {
    pub fn begun() -> Self {
        let (mut cluster, root) = Cluster::begun(1);
        let keyring = keyring(&cluster, &root);
        let mut entropy = Seeded(2);
        let keys = keyring.unsealed().expect("unsealed");
        let tenant = new_tenant(&mut cluster, &keys, &tenant_id(), &mut entropy);
        let people = ["visitor/1", "visitor/2"]
            .map(|name| new_subject(&mut cluster, &keys, &tenant_id(), name, &mut entropy));
        let chats = people.map(|person| {
            new_conversation(
                &mut cluster,
                &keys,
                &tenant_id(),
                Some(person),
                None,
                &mut entropy,
            )
        });
        Self {
            cluster,
            root,
            keyring,
            entropy,
            tenant,
            people,
            chats,
        }
    }

    pub fn keys(&self) -> Arc<Unsealed> {
        self.keyring.unsealed().expect("unsealed")
    }

    pub fn message(&self, person: usize) -> Message {
        let kids = [self.people[person], self.chats[person], self.tenant];
        Message::sealed_for(&self.cluster, &self.keys(), &kids)
    }

    pub fn refs(&self, person: usize) -> KeyRefs {
        refs(
            &self.cluster,
            &self.keys(),
            &[self.people[person], self.chats[person]],
        )
    }

    pub fn subject(&self, name: &str) -> Option<Kid> {
        let keys = self.keys();
        let tenant = tenant(&self.cluster, &keys, &tenant_id());
        keys.subject(&self.cluster.rows, &tenant, name).expect("looks up")
    }
}
