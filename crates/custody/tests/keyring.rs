//! The keyring over a real control machine: what it created it finds, what it sealed it opens, and no other root does.

mod support;

use eunoe_core::control::{self, KeyOutcome};
use eunoe_crypto::{KeyKind, KeyRef, KeyRefs, MessageAad, RootKey, open, seal};
use eunoe_custody::{KeyringError, Unsealed};
use eunoe_types::{ConversationId, Day, Kid, MessageId};
use support::{Cluster, NOW, REALM, Seeded, arena, keyring, other_root, tenant_id};

/// Tenant, visitor, bucket and conversation, created on first use.
struct Names {
    visitor: Kid,
    bucket: Kid,
    conversation: ConversationId,
}

fn create_all(cluster: &mut Cluster, keys: &Unsealed, entropy: &mut Seeded) -> Names {
    let tenant = keys
        .new_tenant(&cluster.rows, &tenant_id(), NOW, entropy)
        .expect("prepares")
        .expect("the name is free");
    assert_eq!(cluster.create(&tenant), KeyOutcome::Created);
    let tenant = keys
        .tenant(&cluster.rows, &tenant_id())
        .expect("looks up")
        .expect("was created");

    let visitor = keys
        .new_subject(&cluster.rows, &tenant, "visitor/7", NOW, entropy)
        .expect("prepares")
        .expect("the name is free");
    assert_eq!(cluster.create(&visitor), KeyOutcome::Created);
    let bucket = keys
        .new_bucket(&cluster.rows, &tenant, b"chat/20000", NOW, entropy)
        .expect("prepares")
        .expect("the name is free");
    assert_eq!(cluster.create(&bucket), KeyOutcome::Created);
    let conversation = keys
        .new_conversation(
            &cluster.rows,
            &tenant,
            Some(visitor.kid),
            Some(b"ticket-1"),
            NOW,
            entropy,
        )
        .expect("prepares")
        .expect("the name is free");
    assert_eq!(cluster.create(&conversation), KeyOutcome::Created);
    Names {
        visitor: visitor.kid,
        bucket: bucket.kid,
        conversation: ConversationId::from(&conversation),
    }
}

fn refs_of(cluster: &Cluster, keys: &Unsealed, names: &Names) -> KeyRefs {
    let tenant = keys
        .tenant(&cluster.rows, &tenant_id())
        .expect("looks up")
        .expect("is there");
    let newest = |kid| {
        keys.key(&cluster.rows, kid)
            .expect("looks up")
            .expect("is there")
            .newest()
    };
    let refs = vec![
        newest(names.visitor),
        newest(names.conversation.kid()),
        newest(names.bucket),
        tenant.key().newest(),
    ];
    KeyRefs::new(refs).expect("a list in order")
}

fn place(names: &Names) -> MessageAad {
    MessageAad {
        realm: REALM,
        conversation: names.conversation,
        message: MessageId([9; 16]),
        envelope: 0,
        day: Day(20_000),
    }
}

#[test]
fn what_was_created_is_found_by_its_name_and_survives_a_restart() {
    let (mut cluster, root) = Cluster::begun(1);
    let first = keyring(&cluster, &root);
    let names = create_all(&mut cluster, &first.unsealed().expect("unsealed"), &mut Seeded(2));

    // Another process with the same root and an empty cache.
    let second = keyring(
        &cluster,
        &RootKey::decode(&arena(), &root.encode()).expect("its own form"),
    );
    let keys = second.unsealed().expect("unsealed");
    let tenant = keys
        .tenant(&cluster.rows, &tenant_id())
        .expect("looks up")
        .expect("is there");
    let found = keys
        .subject(&cluster.rows, &tenant, "visitor/7")
        .expect("looks up");
    assert_eq!(found, Some(names.visitor));
    let found = keys
        .bucket(&cluster.rows, &tenant, b"chat/20000")
        .expect("looks up");
    assert_eq!(found, Some(names.bucket));
    let found = keys
        .conversation_id(&cluster.rows, &tenant, b"ticket-1")
        .expect("looks up");
    assert_eq!(found, Some(names.conversation));
    assert_eq!(
        names.conversation.shard(),
        names.visitor.shard(),
        "a conversation is where its principal is"
    );
    assert_eq!(
        refs_of(&cluster, &keys, &names).as_slice()[0].kind,
        KeyKind::Subject
    );
}

#[test]
fn an_unknown_name_has_no_key() {
    let (mut cluster, root) = Cluster::begun(1);
    let keyring = keyring(&cluster, &root);
    let keys = keyring.unsealed().expect("unsealed");
    assert!(
        keys.tenant(&cluster.rows, &tenant_id())
            .expect("looks up")
            .is_none()
    );
    create_all(&mut cluster, &keys, &mut Seeded(2));
    let tenant = keys
        .tenant(&cluster.rows, &tenant_id())
        .expect("looks up")
        .expect("is there");
    assert_eq!(
        keys.subject(&cluster.rows, &tenant, "visitor/8")
            .expect("looks up"),
        None
    );
    assert_eq!(
        keys.conversation_id(&cluster.rows, &tenant, b"visitor/7")
            .expect("looks up"),
        None
    );
    assert!(keys.key(&cluster.rows, Kid([1; 16])).expect("looks up").is_none());
    assert!(
        keys.conversation(&cluster.rows, &ConversationId([1; 16]))
            .expect("looks up")
            .is_none()
    );
}

#[test]
fn two_creations_under_one_name_give_one_key() {
    let (mut cluster, root) = Cluster::begun(1);
    let keyring = keyring(&cluster, &root);
    let keys = keyring.unsealed().expect("unsealed");
    let names = create_all(&mut cluster, &keys, &mut Seeded(2));
    let tenant = keys
        .tenant(&cluster.rows, &tenant_id())
        .expect("looks up")
        .expect("is there");
    let taken = keys
        .new_subject(&cluster.rows, &tenant, "visitor/7", NOW, &mut Seeded(3))
        .expect("prepares");
    assert!(taken.is_none(), "a name in use was given away");
    // Two nodes prepare at once, before either key is there.
    let prepare = |seed| {
        keys.new_subject(&cluster.rows, &tenant, "visitor/8", NOW, &mut Seeded(seed))
            .expect("prepares")
            .expect("the name is free")
    };
    let (first, late) = (prepare(4), prepare(5));
    assert_ne!(late.kid, first.kid);
    assert_eq!(cluster.create(&first), KeyOutcome::Created);
    assert_eq!(cluster.create(&late), KeyOutcome::Exists);
    let found = |name| keys.subject(&cluster.rows, &tenant, name).expect("looks up");
    assert_eq!(
        (found("visitor/7"), found("visitor/8")),
        (Some(names.visitor), Some(first.kid))
    );
    assert!(
        keys.key(&cluster.rows, late.kid).expect("looks up").is_none(),
        "the later key was never made"
    );
}

#[test]
fn the_keyring_opens_what_it_sealed_also_after_a_restart() {
    let (mut cluster, root) = Cluster::begun(1);
    let first = keyring(&cluster, &root);
    let keys = first.unsealed().expect("unsealed");
    let names = create_all(&mut cluster, &keys, &mut Seeded(2));
    let refs = refs_of(&cluster, &keys, &names);
    let key = keys
        .content_key(&cluster.rows, &refs)
        .expect("derives")
        .expect("all exist");
    let sealed = seal(&key, &place(&names), b"Guten Tag", &mut Seeded(4)).expect("seals");
    assert!(!sealed.windows(9).any(|part| part == b"Guten Tag"));

    let second = keyring(&cluster, &root);
    let keys = second.unsealed().expect("unsealed");
    let key = keys
        .content_key(&cluster.rows, &refs)
        .expect("derives")
        .expect("all exist");
    assert_eq!(
        open(&key, &place(&names), &sealed).expect("opens").expose(),
        b"Guten Tag"
    );
    let elsewhere = MessageAad {
        message: MessageId([8; 16]),
        ..place(&names)
    };
    assert!(
        open(&key, &elsewhere, &sealed).is_err(),
        "an envelope was moved to another message"
    );
}

#[test]
fn a_ref_to_a_key_that_the_state_does_not_know_yet_is_none_to_an_erased_one() {
    let (mut cluster, root) = Cluster::begun(1);
    let keyring = keyring(&cluster, &root);
    let keys = keyring.unsealed().expect("unsealed");
    let names = create_all(&mut cluster, &keys, &mut Seeded(2));
    let refs = refs_of(&cluster, &keys, &names);
    let changed = |change: fn(&mut KeyRef)| {
        let mut refs = refs.as_slice().to_vec();
        change(&mut refs[0]);
        let refs = KeyRefs::new(refs).expect("a list in order");
        keys.content_key(&cluster.rows, &refs)
    };
    // What names it came from a group that is ahead.
    let unknown = changed(|key_ref| key_ref.kid = Kid([1; 16]));
    assert!(matches!(unknown, Err(KeyringError::Behind)));
    let no_generation = changed(|key_ref| key_ref.generation += 1);
    assert!(no_generation.expect("looks up").is_none());
}

#[test]
fn a_sealed_keyring_gives_nothing_and_can_be_unsealed_again() {
    let (mut cluster, root) = Cluster::begun(1);
    let keyring = keyring(&cluster, &root);
    create_all(
        &mut cluster,
        &keyring.unsealed().expect("unsealed"),
        &mut Seeded(2),
    );
    keyring.seal();
    assert!(matches!(keyring.unsealed(), Err(KeyringError::Sealed)));
    keyring.unseal(&cluster.rows, &root).expect("the same root");
    let keys = keyring.unsealed().expect("unsealed");
    assert!(
        keys.tenant(&cluster.rows, &tenant_id())
            .expect("looks up")
            .is_some()
    );
}

#[test]
fn another_root_is_refused_by_its_commitment() {
    let (cluster, root) = Cluster::begun(1);
    let keyring = keyring(&cluster, &root);
    keyring.seal();
    let other = other_root(99);
    assert!(matches!(
        keyring.unseal(&cluster.rows, &other),
        Err(KeyringError::WrongRoot)
    ));
    assert!(
        matches!(keyring.unsealed(), Err(KeyringError::Sealed)),
        "a refused root left keys behind"
    );
}

#[test]
fn another_root_opens_nothing_even_under_a_forged_commitment() {
    let (mut cluster, root) = Cluster::begun(1);
    let names = {
        let keyring = keyring(&cluster, &root);
        create_all(
            &mut cluster,
            &keyring.unsealed().expect("unsealed"),
            &mut Seeded(2),
        )
    };
    let other = other_root(99);
    cluster.forge_commitment(&root, &other);
    assert_eq!(
        control::epoch(&cluster.rows)
            .expect("decodes")
            .expect("is there")
            .root_commit,
        other.commitment()
    );
    let sealed = support::sealed_keyring();
    assert!(matches!(
        sealed.unseal(&cluster.rows, &other),
        Err(KeyringError::Fault(_))
    ));
    assert!(sealed.unsealed().is_err());
    // And a row of the true tree is no row of another realm's.
    let (foreign, foreign_root) = Cluster::begun(5);
    let keyring = keyring(&foreign, &foreign_root);
    let keys = keyring.unsealed().expect("unsealed");
    assert!(
        keys.key(&foreign.rows, names.visitor)
            .expect("looks up")
            .is_none()
    );
}

#[test]
fn before_genesis_no_root_is_taken() {
    let keyring = support::sealed_keyring();
    let root = other_root(1);
    let empty = support::Rows::default();
    assert!(matches!(
        keyring.unseal(&empty, &root),
        Err(KeyringError::WrongRoot)
    ));
}
