//! A fence is final at once, whatever a cache holds; the name behind it is free again; a lease bounds everything.

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use eunoe_crypto::{KeyRefs, RootKey};
use eunoe_custody::{Keyring, KeyringError, Reconciled, Unsealed};
use eunoe_types::{ConversationId, Kid, TenantId};
use support::epoch::{copy, epoch, prepared};
use support::people::{Message, new_bucket, new_conversation, new_subject, new_tenant, refs, tenant};
use support::{Clock, Cluster, NOW, Seeded, arena, keyring, keyring_under, tenant_id};

/// A tenant with two people who each have a conversation.
struct Small {
    cluster: Cluster,
    root: RootKey,
    keyring: Keyring,
    entropy: Seeded,
    tenant: Kid,
    people: [Kid; 2],
    chats: [Kid; 2],
}

impl Small {
    fn begun() -> Self {
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

    fn keys(&self) -> Arc<Unsealed> {
        self.keyring.unsealed().expect("unsealed")
    }

    fn message(&self, person: usize) -> Message {
        let kids = [self.people[person], self.chats[person], self.tenant];
        Message::sealed_for(&self.cluster, &self.keys(), &kids)
    }

    fn refs(&self, person: usize) -> KeyRefs {
        refs(
            &self.cluster,
            &self.keys(),
            &[self.people[person], self.chats[person]],
        )
    }

    fn subject(&self, name: &str) -> Option<Kid> {
        let keys = self.keys();
        let tenant = tenant(&self.cluster, &keys, &tenant_id());
        keys.subject(&self.cluster.rows, &tenant, name).expect("looks up")
    }
}

#[test]
fn a_fenced_persons_keys_are_gone_at_once_from_caches_and_views_and_nobody_elses() {
    let mut world = Small::begun();
    let messages = [world.message(0), world.message(1)];
    let keys = world.keys();
    // Everything is in the caches, and a task holds the keyring's content across the fence.
    let chat = ConversationId(world.chats[0].0);
    assert!(
        keys.conversation(&world.cluster.rows, &chat)
            .expect("looks up")
            .is_some()
    );
    let held = tenant(&world.cluster, &keys, &tenant_id());
    assert_eq!(world.subject("visitor/1"), Some(world.people[0]));
    assert_eq!(keys.held_subject(&held, "visitor/1"), Some(world.people[0]));
    let refs = [world.refs(0), world.refs(1)];
    assert_eq!(
        world.keyring.reconcile(&world.cluster.rows).expect("reads"),
        Reconciled::Unchanged
    );

    world.cluster.erase(world.tenant, world.people[0]);
    assert_eq!(
        world.keyring.reconcile(&world.cluster.rows).expect("reads"),
        Reconciled::Fenced
    );
    assert_eq!(
        world.keyring.reconcile(&world.cluster.rows).expect("reads"),
        Reconciled::Unchanged
    );
    for kid in [world.people[0], world.chats[0]] {
        assert!(keys.is_fenced(&kid));
        assert!(keys.held_key(kid).is_none());
        assert!(keys.key(&world.cluster.rows, kid).expect("looks up").is_none());
    }
    assert!(keys.held_content_key(&refs[0]).is_none() && keys.held_content_key(&messages[0].refs).is_none());
    assert!(keys.held_conversation(&chat).is_none());
    assert!(
        keys.conversation(&world.cluster.rows, &chat)
            .expect("looks up")
            .is_none()
    );
    assert!(keys.held_subject(&held, "visitor/1").is_none());
    assert!(
        !messages[0].opens(&world.cluster, &keys),
        "a fenced person's message opens"
    );
    assert!(
        messages[1].opens(&world.cluster, &keys),
        "somebody else's message is lost"
    );
    assert!(keys.held_content_key(&messages[1].refs).is_some());
    assert!(!keys.is_fenced(&world.people[1]) && !keys.is_fenced(&world.tenant));

    // A process that starts now and never had any of it.
    let later = keyring(&world.cluster, &world.root);
    let keys = later.unsealed().expect("unsealed");
    assert!(keys.is_fenced(&world.people[0]));
    assert!(!messages[0].opens(&world.cluster, &keys) && messages[1].opens(&world.cluster, &keys));
}

#[test]
fn a_name_is_free_again_after_the_fence_and_leads_to_the_new_key_before_and_after_the_epoch() {
    let mut world = Small::begun();
    let old = world.people[0];
    let message = world.message(0);
    let index_rows = |cluster: &Cluster| {
        let rows = cluster.rows.0.range(vec![0x23, 1]..vec![0x23, 2]);
        rows.map(|(key, _)| key.clone()).collect::<Vec<_>>()
    };
    let rows_before = index_rows(&world.cluster);
    world.cluster.erase(world.tenant, old);
    world.keyring.reconcile(&world.cluster.rows).expect("reads");
    assert_eq!(
        world.subject("visitor/1"),
        Some(old),
        "what is being erased can still be asked about"
    );

    let keys = world.keys();
    let new = new_subject(
        &mut world.cluster,
        &keys,
        &tenant_id(),
        "visitor/1",
        &mut world.entropy,
    );
    assert_ne!(new, old);
    assert_eq!(
        index_rows(&world.cluster),
        rows_before,
        "the new key has the old one's index row"
    );
    let chat = new_conversation(
        &mut world.cluster,
        &keys,
        &tenant_id(),
        Some(new),
        None,
        &mut world.entropy,
    );
    let again = Message::sealed_for(&world.cluster, &keys, &[new, chat, world.tenant]);
    assert_eq!(world.subject("visitor/1"), Some(new));
    assert!(again.opens(&world.cluster, &keys) && !message.opens(&world.cluster, &keys));
    let taken = tenant(&world.cluster, &keys, &tenant_id());
    let taken = keys.new_subject(&world.cluster.rows, &taken, "visitor/1", NOW, &mut world.entropy);
    assert!(taken.expect("looks up").is_none(), "the new key is in use");

    let fenced = world.cluster.fenced();
    assert_eq!(fenced.len(), 2, "the person and the conversation");
    epoch(&mut world.cluster, &world.keyring, fenced, &mut world.entropy);
    let keys = world.keys();
    assert_eq!(world.subject("visitor/1"), Some(new));
    assert!(again.opens(&world.cluster, &keys) && !message.opens(&world.cluster, &keys));
    assert!(keys.key(&world.cluster.rows, old).expect("looks up").is_none());
    assert!(keys.key(&world.cluster.rows, new).expect("looks up").is_some());
}

#[test]
fn a_person_with_more_conversations_than_one_command_fences_loses_all_of_them() {
    let mut world = Small::begun();
    let keys = world.keys();
    let (person, other) = (world.people[0], world.message(1));
    let mut chats = vec![world.chats[0]];
    for _ in 0..300 {
        let chat = new_conversation(
            &mut world.cluster,
            &keys,
            &tenant_id(),
            Some(person),
            None,
            &mut world.entropy,
        );
        chats.push(chat);
    }
    let last = chats.iter().max().copied().expect("is not empty");
    let message = Message::sealed_for(&world.cluster, &keys, &[person, last, world.tenant]);
    world.cluster.request(world.tenant, person);
    world.keyring.reconcile(&world.cluster.rows).expect("reads");
    assert!(
        !keys.is_fenced(&last),
        "the children follow some at a time, in the order of their names"
    );
    assert!(
        !message.opens(&world.cluster, &keys),
        "the person's own key is fenced first of all"
    );
    let fenced = |keys: &Unsealed| chats.iter().filter(|chat| keys.is_fenced(chat)).count();
    let first = fenced(&keys);
    assert!(0 < first && first < chats.len());
    let id = eunoe_types::ErasureId(person.0);
    world
        .cluster
        .propose(&eunoe_core::control::Command::ExpandErasure(id).encode());
    world.keyring.reconcile(&world.cluster.rows).expect("reads");
    assert_eq!(fenced(&keys), chats.len());
    assert_eq!(world.cluster.fenced().len(), chats.len() + 1);

    let erased = world.cluster.fenced();
    epoch(&mut world.cluster, &world.keyring, erased, &mut world.entropy);
    let keys = world.keys();
    for chat in chats {
        assert!(keys.key(&world.cluster.rows, chat).expect("looks up").is_none());
    }
    assert!(
        other.opens(&world.cluster, &keys),
        "somebody else's message is lost"
    );
}

#[test]
fn a_tenant_is_erased_with_all_its_people_and_its_name_begins_anew() {
    let mut world = Small::begun();
    let keys = world.keys();
    let neighbour = TenantId::new("globex").expect("a name");
    let other = new_tenant(&mut world.cluster, &keys, &neighbour, &mut world.entropy);
    let person = new_subject(
        &mut world.cluster,
        &keys,
        &neighbour,
        "visitor/1",
        &mut world.entropy,
    );
    let spared = Message::sealed_for(&world.cluster, &keys, &[person, other]);
    let bucket = new_bucket(
        &mut world.cluster,
        &keys,
        &tenant_id(),
        "chat/20000",
        &mut world.entropy,
    );
    let peer = new_conversation(
        &mut world.cluster,
        &keys,
        &tenant_id(),
        None,
        Some("room"),
        &mut world.entropy,
    );
    let messages = [world.message(0), world.message(1)];

    world.cluster.erase(world.tenant, world.tenant);
    world.keyring.reconcile(&world.cluster.rows).expect("reads");
    let all = [&[world.tenant, bucket, peer][..], &world.people, &world.chats].concat();
    assert!(all.iter().all(|kid| keys.is_fenced(kid)));
    assert_eq!(world.cluster.fenced().len(), all.len());
    assert!(
        messages
            .iter()
            .all(|message| !message.opens(&world.cluster, &keys))
    );
    assert!(spared.opens(&world.cluster, &keys));

    let again = new_tenant(&mut world.cluster, &keys, &tenant_id(), &mut world.entropy);
    let visitor = new_subject(
        &mut world.cluster,
        &keys,
        &tenant_id(),
        "visitor/1",
        &mut world.entropy,
    );
    assert_eq!(tenant(&world.cluster, &keys, &tenant_id()).key().kid(), again);
    let erased = world.cluster.fenced();
    epoch(&mut world.cluster, &world.keyring, erased, &mut world.entropy);
    assert_eq!(
        tenant(&world.cluster, &world.keys(), &tenant_id()).key().kid(),
        again
    );
    assert_eq!(world.subject("visitor/1"), Some(visitor));
    assert_eq!(world.subject("visitor/2"), None);
    assert!(spared.opens(&world.cluster, &world.keys()));
}

#[test]
fn a_lease_begins_expired_and_without_one_no_key_is_given() {
    let (cluster, root) = Cluster::begun(1);
    let clock = Arc::new(Clock::default());
    clock.0.store(1_000, Ordering::Relaxed);
    let keyring = keyring_under(clock.clone());
    assert!(matches!(keyring.unsealed(), Err(KeyringError::Sealed)));
    keyring.unseal(&cluster.rows, &root).expect("its root");
    assert!(matches!(keyring.unsealed(), Err(KeyringError::LeaseOver)));
    assert!(keyring.holds_root());
    keyring.lease().renew(900, 50);
    assert!(
        matches!(keyring.unsealed(), Err(KeyringError::LeaseOver)),
        "a lease counts from when it was asked for"
    );
    keyring.lease().renew(900, 200);
    assert!(keyring.unsealed().is_ok());
    assert_eq!(keyring.lease().left_ms(), 100);
    clock.0.store(1_099, Ordering::Relaxed);
    assert!(keyring.unsealed().is_ok());
    clock.0.store(1_100, Ordering::Relaxed);
    assert!(matches!(keyring.unsealed(), Err(KeyringError::LeaseOver)));
    keyring.lease().renew(1_100, 1);
    assert!(keyring.unsealed().is_ok(), "the cluster was heard again");
}

#[test]
fn renewals_that_overtake_each_other_never_shorten_a_lease() {
    let keyring = keyring_under(Arc::default());
    for (asked, ttl, left) in [
        (10, 100, 110),
        (5, 100, 110),
        (20, 0, 110),
        (11, 100, 111),
        (1, u64::MAX, u64::MAX),
    ] {
        keyring.lease().renew(asked, ttl);
        assert_eq!(keyring.lease().left_ms(), left);
    }
}

#[test]
fn under_the_state_of_another_epoch_a_key_is_never_said_not_to_exist() {
    let mut world = Small::begun();
    let message = world.message(1);
    // This keyring does not hear of the epoch in time; it has nothing in its caches.
    let late = keyring(&world.cluster, &world.root);
    let keys = late.unsealed().expect("unsealed");
    let before = world.cluster.rows.clone();
    world.cluster.erase(world.tenant, world.people[0]);
    let erased = world.cluster.fenced();
    let root = epoch(&mut world.cluster, &world.keyring, erased, &mut world.entropy);

    let rows = &world.cluster.rows;
    let stale = |error| matches!(error, Some(KeyringError::StaleRoot));
    assert!(stale(keys.tenant(rows, &tenant_id()).err()));
    assert!(stale(keys.key(rows, world.people[1]).err()));
    assert!(stale(keys.content_key(rows, &message.refs).err()));
    assert!(stale(
        keys.conversation(rows, &ConversationId(world.chats[1].0)).err()
    ));
    assert!(stale(
        keys.new_tenant(
            rows,
            &TenantId::new("globex").expect("a name"),
            NOW,
            &mut Seeded(5)
        )
        .err()
    ));
    // And the other way round: the new root over state that is behind.
    let ahead = world.keys();
    assert!(stale(ahead.key(&before, world.people[1]).err()));

    late.keep_next(copy(&root));
    assert_eq!(late.reconcile(rows).expect("reads"), Reconciled::Switched);
    let keys = late.unsealed().expect("unsealed");
    assert!(message.opens(&world.cluster, &keys));
    assert_eq!(keys.epoch(), 1);
}

#[test]
fn a_keyring_without_the_root_that_counts_seals_itself() {
    let mut world = Small::begun();
    let [without, wrong] = [(); 2].map(|()| keyring(&world.cluster, &world.root));
    wrong.keep_next(RootKey::generate(&arena(), &mut Seeded(77)).expect("generates"));
    let root = epoch(&mut world.cluster, &world.keyring, Vec::new(), &mut world.entropy);
    for keyring in [without, wrong] {
        assert_eq!(
            keyring.reconcile(&world.cluster.rows).expect("reads"),
            Reconciled::Sealed
        );
        assert!(matches!(keyring.unsealed(), Err(KeyringError::Sealed)));
        assert!(!keyring.holds_root());
        assert_eq!(
            keyring.reconcile(&world.cluster.rows).expect("reads"),
            Reconciled::Unchanged
        );
        assert!(matches!(
            keyring.unseal(&world.cluster.rows, &world.root),
            Err(KeyringError::WrongRoot)
        ));
        keyring
            .unseal(&world.cluster.rows, &root)
            .expect("the root that counts");
        assert!(keyring.unsealed().is_ok());
    }
}

#[test]
fn a_root_of_an_attempt_that_was_given_up_is_not_taken() {
    let mut world = Small::begun();
    let (_, given_up) = prepared(&mut world.cluster, &world.keyring, Vec::new(), &mut world.entropy);
    world.keyring.keep_next(copy(&given_up.root));
    assert_eq!(
        world.keyring.reconcile(&world.cluster.rows).expect("reads"),
        Reconciled::Unchanged
    );
    epoch(&mut world.cluster, &world.keyring, Vec::new(), &mut world.entropy);
    let keyring = support::sealed_keyring();
    assert!(matches!(
        keyring.unseal(&world.cluster.rows, &given_up.root),
        Err(KeyringError::WrongRoot)
    ));
}
