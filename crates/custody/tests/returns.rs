//! Keys that come back when their erasure is taken back: known by state, whatever a keyring saw of it.

mod support;

use eunoe_core::control::KeyOutcome;
use eunoe_custody::Reconciled;
use eunoe_types::{ConversationId, Kid};
use support::epoch::epoch;
use support::people::{Message, new_conversation, new_subject, tenant};
use support::small::Small;
use support::{NOW, keyring, tenant_id};

impl Small {
    fn follow(&self) -> Reconciled {
        self.keyring.reconcile(&self.cluster.rows).expect("reads")
    }
}

#[test]
fn what_is_taken_back_opens_again_and_is_found_in_caches_and_by_new_processes() {
    let mut world = Small::begun();
    let message = world.message(0);
    let keys = world.keys();
    assert!(message.opens(&world.cluster, &keys));
    let erasure = world.cluster.erase(world.tenant, world.people[0]);
    assert_eq!(world.follow(), Reconciled::Fenced);
    assert!(!message.opens(&world.cluster, &keys));
    world.cluster.cancel(erasure);
    assert_eq!(world.follow(), Reconciled::Returned);
    assert_eq!(world.follow(), Reconciled::Unchanged);
    assert!(message.opens(&world.cluster, &keys));
    assert!(!keys.is_fenced(&world.people[0]) && !keys.is_fenced(&world.chats[0]));
    let chat = ConversationId(world.chats[0].0);
    assert!(
        keys.conversation(&world.cluster.rows, &chat)
            .expect("looks up")
            .is_some()
    );
    assert_eq!(world.subject("visitor/1"), Some(world.people[0]));
    let of = tenant(&world.cluster, &keys, &tenant_id());
    let taken = keys.new_subject(&world.cluster.rows, &of, "visitor/1", NOW, &mut world.entropy);
    assert!(taken.expect("looks up").is_none(), "the name has its key again");

    let later = keyring(&world.cluster, &world.root);
    assert!(message.opens(&world.cluster, &later.unsealed().expect("unsealed")));
    // It lives on in the next epoch.
    epoch(&mut world.cluster, &world.keyring, Vec::new(), &mut world.entropy);
    assert!(message.opens(&world.cluster, &world.keys()));
    assert_eq!(world.subject("visitor/1"), Some(world.people[0]));
}

#[test]
fn a_keyring_that_missed_some_returns_reads_what_is_fenced_anew() {
    let mut world = Small::begun();
    let messages = [world.message(0), world.message(1)];
    let keys = world.keys();
    let first = world.cluster.erase(world.tenant, world.people[0]);
    let second = world.cluster.erase(world.tenant, world.people[1]);
    assert_eq!(world.follow(), Reconciled::Fenced);
    // Both come back, and one is fenced again by another erasure, before the keyring looks.
    world.cluster.cancel(first);
    world.cluster.cancel(second);
    world.cluster.erase(world.tenant, world.chats[1]);
    assert_eq!(world.follow(), Reconciled::Fenced);
    assert!(messages[0].opens(&world.cluster, &keys));
    assert!(
        !messages[1].opens(&world.cluster, &keys),
        "its conversation is fenced"
    );
    assert!(!keys.is_fenced(&world.people[1]) && keys.is_fenced(&world.chats[1]));
    assert_eq!(world.follow(), Reconciled::Unchanged);
}

#[test]
fn a_key_that_came_back_and_was_fenced_again_unseen_stays_closed() {
    let mut world = Small::begun();
    let message = world.message(0);
    let erasure = world.cluster.erase(world.tenant, world.people[0]);
    world.follow();
    world.cluster.cancel(erasure);
    world.cluster.erase_again(world.tenant, world.people[0]);
    assert_eq!(world.follow(), Reconciled::Fenced);
    assert!(!message.opens(&world.cluster, &world.keys()));
    assert!(world.keys().is_fenced(&world.people[0]));
}

#[test]
fn a_large_tenant_comes_back_key_by_key() {
    let mut world = Small::begun();
    let keys = world.keys();
    let mut chats = Vec::new();
    for _ in 0..600 {
        let (of, person) = (tenant_id(), Some(world.people[0]));
        chats.push(new_conversation(
            &mut world.cluster,
            &keys,
            &of,
            person,
            None,
            &mut world.entropy,
        ));
    }
    let messages = [world.message(0), world.message(1)];
    let erasure = world.cluster.erase(world.tenant, world.tenant);
    world.follow();
    world.cluster.cancel(erasure);
    world.follow();
    assert!(!keys.is_fenced(&world.tenant), "what all hangs on comes first");
    let fenced = |all: &[Kid]| all.iter().filter(|kid| keys.is_fenced(kid)).count();
    let left = fenced(&chats);
    assert!(0 < left && left < chats.len());
    world.cluster.expand(erasure);
    world.follow();
    assert_eq!(fenced(&chats), 0);
    for message in &messages {
        assert!(message.opens(&world.cluster, &world.keys()));
    }
}

#[test]
fn a_name_that_came_again_leads_to_the_key_that_came_back_and_both_are_known() {
    let mut world = Small::begun();
    let old = world.people[0];
    let erasure = world.cluster.erase(world.tenant, old);
    world.follow();
    let (keys, of) = (world.keys(), tenant_id());
    let new = new_subject(&mut world.cluster, &keys, &of, "visitor/1", &mut world.entropy);
    let held = tenant(&world.cluster, &keys, &of);
    assert_eq!(
        keys.held_subject(&held, "visitor/1"),
        None,
        "it was not looked up yet"
    );
    assert_eq!(world.subject("visitor/1"), Some(new));
    assert_eq!(keys.held_subject(&held, "visitor/1"), Some(new));
    let in_use = |world: &Small| {
        let found = keys.subjects_in_use(&world.cluster.rows, &held, "visitor/1");
        found.expect("looks up")
    };
    assert_eq!(in_use(&world), [new]);
    world.cluster.cancel(erasure);
    world.follow();
    assert_ne!(
        keys.held_subject(&held, "visitor/1"),
        Some(new),
        "the cache would contradict the state"
    );
    assert_eq!(world.subject("visitor/1"), Some(old));
    assert_eq!(keys.held_subject(&held, "visitor/1"), Some(old));
    assert_eq!(in_use(&world), [old, new]);
    let chat = new_conversation(
        &mut world.cluster,
        &keys,
        &of,
        Some(new),
        None,
        &mut world.entropy,
    );
    let message = Message::sealed_for(&world.cluster, &keys, &[new, chat, world.tenant]);
    assert!(message.opens(&world.cluster, &keys) && world.message(0).opens(&world.cluster, &keys));
}

#[test]
fn a_key_that_was_prepared_before_a_return_does_not_become_a_second_one_of_its_name() {
    let mut world = Small::begun();
    let erasure = world.cluster.erase(world.tenant, world.people[0]);
    world.follow();
    let keys = world.keys();
    let of = tenant(&world.cluster, &keys, &tenant_id());
    let prepare = |world: &mut Small| {
        let key = keys.new_subject(&world.cluster.rows, &of, "visitor/1", NOW, &mut world.entropy);
        key.expect("prepares").expect("a place is free")
    };
    let early = prepare(&mut world);
    world.cluster.cancel(erasure);
    // The state has changed, and this keyring has not followed it yet.
    let late = prepare(&mut world);
    for key in [early, late] {
        assert_eq!(world.cluster.create(&key), KeyOutcome::Stale);
    }
    world.follow();
    assert_eq!(world.subject("visitor/1"), Some(world.people[0]));
}
