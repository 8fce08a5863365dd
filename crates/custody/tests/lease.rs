//! Keys are given only under a lease and only under the root that counts.

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use eunoe_core::control;
use eunoe_custody::{KeyringError, Reconciled};
use eunoe_types::{ConversationId, TenantId};
use support::epoch::{copy, epoch, keep_next, prepared};
use support::small::Small;
use support::{Clock, Cluster, NOW, Seeded, keyring, keyring_under, other_root, tenant_id};

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

    late.keep_next(copy(&root), late.expect_root(0).expect("is taken"));
    assert_eq!(late.reconcile(rows).expect("reads"), Reconciled::Switched);
    let keys = late.unsealed().expect("unsealed");
    assert!(message.opens(&world.cluster, &keys));
    assert_eq!(keys.epoch(), 1);
}

#[test]
fn a_keyring_without_the_root_that_counts_seals_itself() {
    let mut world = Small::begun();
    let [without, wrong] = [(); 2].map(|()| keyring(&world.cluster, &world.root));
    let other = other_root(77);
    wrong.keep_next(other, wrong.expect_root(0).expect("is taken"));
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
    let held = world.keyring.expect_root(0).expect("is taken");
    world.keyring.keep_next(copy(given_up.dealt.root()), held);
    assert_eq!(
        world.keyring.reconcile(&world.cluster.rows).expect("reads"),
        Reconciled::Unchanged
    );
    epoch(&mut world.cluster, &world.keyring, Vec::new(), &mut world.entropy);
    let keyring = support::sealed_keyring();
    assert!(matches!(
        keyring.unseal(&world.cluster.rows, given_up.dealt.root()),
        Err(KeyringError::WrongRoot)
    ));
}

#[test]
fn keys_of_a_former_root_count_as_held_until_the_last_user_is_done() {
    let mut world = Small::begun();
    let at = |world: &Small| {
        control::epoch(&world.cluster.rows)
            .expect("reads")
            .expect("begun")
    };
    assert!(world.keyring.former_is_gone(&at(&world)));
    let in_hand = world.keys();
    epoch(&mut world.cluster, &world.keyring, Vec::new(), &mut world.entropy);
    let first = at(&world);
    assert!(
        !world.keyring.former_is_gone(&first),
        "work under way has the former keys"
    );
    drop(in_hand);
    assert!(world.keyring.former_is_gone(&first));
    epoch(&mut world.cluster, &world.keyring, Vec::new(), &mut world.entropy);
    // Whoever still asks about the first epoch would wait for ever: it has to look at the state again.
    assert!(!world.keyring.former_is_gone(&first));
    assert!(world.keyring.former_is_gone(&at(&world)));
}

#[test]
fn a_root_that_was_expected_before_an_epoch_keeps_its_node_from_speaking_and_none_follows() {
    let mut world = Small::begun();
    let asked = world.keyring.expect_root(0).expect("is taken");
    epoch(&mut world.cluster, &world.keyring, Vec::new(), &mut world.entropy);
    let present = control::epoch(&world.cluster.rows)
        .expect("decodes")
        .expect("begun");
    world.keyring.refuse_before(&present);
    assert!(
        !world.keyring.former_is_gone(&present),
        "a root of before may be on its way"
    );
    assert!(
        matches!(world.keyring.expect_root(0), Err(KeyringError::StaleRoot)),
        "a root of before is taken after the node began to speak"
    );
    let current = world.keyring.expect_root(1).expect("the current one is taken");
    drop(asked);
    assert!(world.keyring.former_is_gone(&present));
    drop(current);
}

#[test]
fn a_sealed_keyring_does_not_keep_the_root_of_an_attempt_that_is_over() {
    let mut world = Small::begun();
    let late = keyring(&world.cluster, &world.root);
    late.seal();
    let (_, given_up) = prepared(&mut world.cluster, &world.keyring, Vec::new(), &mut world.entropy);
    keep_next(&world.cluster, &late, given_up.dealt.root());
    epoch(&mut world.cluster, &world.keyring, Vec::new(), &mut world.entropy);
    let present = control::epoch(&world.cluster.rows)
        .expect("decodes")
        .expect("begun");
    late.reconcile(&world.cluster.rows).expect("reads");
    assert!(!late.former_is_gone(&present), "it is in memory still");
    late.refuse_before(&present);
    assert!(late.former_is_gone(&present));
}

#[test]
fn a_keyring_that_retired_takes_no_root_and_is_empty_when_all_work_is_done() {
    let world = Small::begun();
    let (in_hand, on_its_way) = (world.keys(), world.keyring.expect_root(0).expect("is taken"));
    world.keyring.retire();
    assert!(matches!(
        world.keyring.expect_root(7),
        Err(KeyringError::StaleRoot)
    ));
    assert!(!world.keyring.is_empty(), "work under way has keys");
    drop(in_hand);
    assert!(!world.keyring.is_empty(), "a root is on its way");
    drop(on_its_way);
    assert!(world.keyring.is_empty());
}
