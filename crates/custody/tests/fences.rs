//! A fence is final at once, whatever a cache holds, and the name behind it is free again.

mod support;

use std::collections::HashSet;

use eunoe_core::control::{Command, KeyOutcome};
use eunoe_custody::{KeyringError, Reconciled, Unsealed};
use eunoe_types::{ConversationId, ErasureId, TenantId, limits};
use support::epoch::epoch;
use support::people::{Message, new_bucket, new_conversation, new_subject, new_tenant, tenant};
use support::small::Small;
use support::{Cluster, NOW, keyring, tenant_id};

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
    let rows = index_rows(&world.cluster);
    assert!(rows.len() == rows_before.len() + 1 && rows_before.iter().all(|row| rows.contains(row)));
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
    world.cluster.sweep();
    assert_eq!(index_rows(&world.cluster).len(), rows_before.len());
}

#[test]
fn nothing_that_is_proposed_for_a_name_that_came_again_says_which_key_it_had_before() {
    let mut world = Small::begun();
    let old = world.people[0];
    let before = world.cluster.written.clone();
    world.cluster.erase(world.tenant, old);
    world.keyring.reconcile(&world.cluster.rows).expect("reads");
    let keys = world.keys();
    let of = tenant(&world.cluster, &keys, &tenant_id());
    let new = keys.new_subject(&world.cluster.rows, &of, "visitor/1", NOW, &mut world.entropy);
    let new = new.expect("prepares").expect("the name is free");
    let command = Command::CreateKeys {
        time: NOW,
        keys: vec![new.as_new_key()],
    }
    .encode();
    // Who it dies with is all that it has in common with what was there.
    let parent = world.tenant.as_bytes();
    let at = command.windows(16).position(|part| part == parent);
    let (head, tail) = command.split_at(at.expect("the parent is named"));
    let known: HashSet<&[u8]> = before
        .iter()
        .flat_map(|(key, value)| key.windows(16).chain(value.windows(16)))
        .collect();
    assert!(known.contains(&old.as_bytes()[..]) && known.contains(&parent[..]));
    let mut parts = head.windows(16).chain(tail[16..].windows(16));
    assert!(!parts.any(|part| known.contains(part)));
}

#[test]
fn a_name_that_is_erased_as_often_as_there_are_places_waits_for_the_epoch() {
    let mut world = Small::begun();
    let mut kids = vec![world.people[0]];
    for _ in 1..limits::INCARNATIONS_MAX {
        world.cluster.erase(world.tenant, kids[kids.len() - 1]);
        world.keyring.reconcile(&world.cluster.rows).expect("reads");
        let (keys, of) = (world.keys(), tenant_id());
        kids.push(new_subject(
            &mut world.cluster,
            &keys,
            &of,
            "visitor/1",
            &mut world.entropy,
        ));
        assert_eq!(world.subject("visitor/1"), kids.last().copied());
    }
    let last = kids[kids.len() - 1];
    world.cluster.erase(world.tenant, last);
    world.keyring.reconcile(&world.cluster.rows).expect("reads");
    let create = |world: &mut Small| {
        let keys = world.keys();
        let of = tenant(&world.cluster, &keys, &tenant_id());
        keys.new_subject(&world.cluster.rows, &of, "visitor/1", NOW, &mut world.entropy)
    };
    assert!(matches!(create(&mut world), Err(KeyringError::NameTaken)));
    assert_eq!(
        world.subject("visitor/1"),
        Some(last),
        "the last erasure is asked about"
    );

    // The second place is free with the epoch, and only that.
    epoch(
        &mut world.cluster,
        &world.keyring,
        vec![kids[1]],
        &mut world.entropy,
    );
    assert_eq!(world.subject("visitor/1"), Some(last));
    let again = create(&mut world).expect("prepares").expect("a place is free");
    assert_eq!(world.cluster.create(&again), KeyOutcome::Created);
    assert_eq!(world.subject("visitor/1"), Some(again.kid));
    let fenced = world.cluster.fenced();
    epoch(&mut world.cluster, &world.keyring, fenced, &mut world.entropy);
    assert_eq!(world.subject("visitor/1"), Some(again.kid));
}

#[test]
fn a_key_that_was_prepared_before_an_epoch_does_not_become_a_second_one_of_its_name() {
    let mut world = Small::begun();
    let old = world.people[0];
    world.cluster.erase(world.tenant, old);
    world.keyring.reconcile(&world.cluster.rows).expect("reads");
    let create = |world: &mut Small| {
        let keys = world.keys();
        let of = tenant(&world.cluster, &keys, &tenant_id());
        let key = keys.new_subject(&world.cluster.rows, &of, "visitor/1", NOW, &mut world.entropy);
        key.expect("prepares").expect("a place is free")
    };
    let late = create(&mut world);
    let fenced = world.cluster.fenced();
    epoch(&mut world.cluster, &world.keyring, fenced, &mut world.entropy);
    let first = create(&mut world);
    assert_eq!(world.cluster.create(&first), KeyOutcome::Created);
    assert_eq!(world.cluster.create(&late), KeyOutcome::Stale);
    assert_eq!(world.subject("visitor/1"), Some(first.kid));
}

#[test]
fn a_person_with_more_conversations_than_one_command_fences_loses_all_of_them() {
    let mut world = Small::begun();
    let keys = world.keys();
    let (person, other) = (world.people[0], world.message(1));
    let mut chats = vec![world.chats[0]];
    for _ in 0..600 {
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
    world.cluster.expand(ErasureId(person.0));
    world.keyring.reconcile(&world.cluster.rows).expect("reads");
    assert_eq!(fenced(&keys), chats.len());
    assert_eq!(world.cluster.fenced().len(), chats.len() + 1);

    // One epoch does not take so many; the rest stays fenced until the next.
    for left in [chats.len() + 1 - limits::EPOCH_ERASURES_MAX, 0] {
        let erased = world.cluster.fenced();
        epoch(&mut world.cluster, &world.keyring, erased, &mut world.entropy);
        assert_eq!(world.cluster.fenced().len(), left);
        for chat in &chats {
            let key = world.keys().key(&world.cluster.rows, *chat);
            assert!(key.expect("looks up").is_none());
        }
    }
    let keys = world.keys();
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
