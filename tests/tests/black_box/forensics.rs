//! What the files of every node still give away after an erasure, to somebody who holds the current root too.

use std::collections::{BTreeMap, BTreeSet};

use eunoe_client::erasure_types::{ErasureReason, ErasureState, RequestErasureRequest, Target};
use eunoe_client::types::ParticipantKind;
use eunoe_client::{Client, input};
use eunoe_core::control::KeyState;
use eunoe_crypto::{KeyKind, SecretKey};
use eunoe_tests::cluster::{Cluster, Setup, connect};
use eunoe_tests::forensics::{Carried, roots};
use eunoe_tests::scan::Words;
use eunoe_types::Kid;

use crate::erasure::{PATIENT, PURPOSE, TENANT, assert_intact, erase, subject, talk, wait_for};

/// Tenant that goes as a whole.
const LEAVING: &str = "leaving";
/// A key tree of a development cluster has 32 × 32 leaf pages: the first bits of a kid say which.
const PAGE_BITS: u32 = 10;
/// Conversations of two people that share no page, one after another, are not as many by any chance.
const PEOPLE_MAX: usize = 400;
/// A subject's conversations have their first byte in common, so that they are on four pages: two of five share one.
const OF_ONE: usize = 5;

/// Conversations by what must become of them.
struct World {
    /// A person who is erased, the conversation, and another person's conversation with its key on the same page.
    person: (String, String, String),
    /// The reference and id of a conversation that is erased alone, and one of the same person on the same page.
    alone: (String, String, String),
    /// All others that must stay.
    kept: Vec<String>,
}

/// The key of a conversation.
pub(crate) fn kid(id: &str) -> Kid {
    let byte = |at| u8::from_str_radix(&id[at..at + 2], 16).unwrap();
    let bytes: Vec<u8> = (0..id.len()).step_by(2).map(byte).collect();
    Kid(bytes.try_into().unwrap())
}

fn page(id: &str) -> u16 {
    u16::from_str_radix(&id[..4], 16).unwrap() >> (u16::BITS - PAGE_BITS)
}

/// A conversation of a person with a reference of its own; its id.
async fn another(client: &Client, name: &str, reference: &str) -> String {
    let person = input::participant(ParticipantKind::Visitor, format!("visitor/{name}"));
    let request = input::support(reference, person, PURPOSE);
    client.create_conversation(request).await.unwrap().conversation.id
}

async fn populate(cluster: &Cluster) -> World {
    let (client, leaving) = (cluster.client(TENANT).await, cluster.client(LEAVING).await);
    let mut by_page = BTreeMap::new();
    let mut person = None;
    for number in 0..PEOPLE_MAX {
        let name = format!("person-{number}");
        let id = another(&client, &name, &name).await;
        if let Some(other) = by_page.insert(page(&id), id.clone()) {
            person = Some((name, id, other));
            break;
        }
    }
    let person = person.expect("two conversations of two people are on one page");
    let mut by_page = BTreeMap::new();
    let mut alone = None;
    for number in 0..OF_ONE {
        let reference = format!("of-one-{number}");
        let id = another(&client, "one", &reference).await;
        if let Some(other) = by_page.insert(page(&id), id.clone()) {
            alone = Some((reference, id, other));
        }
    }
    let alone = alone.expect("two of five are on one of four pages");
    let mut kept = vec![talk(&client, "anna").await];
    for name in ["anna", "bert", "carl"] {
        talk(&leaving, name).await;
        kept.push(talk(&cluster.client("other").await, name).await);
    }
    World { person, alone, kept }
}

/// Erases the person, the conversation and the tenant; returns when every node has destroyed the roots.
async fn erase_them(cluster: &Cluster, world: &World) {
    let client = cluster.client(TENANT).await;
    let person = subject(&world.person.0, true);
    let conversation = RequestErasureRequest {
        target: Some(Target::ConversationExternalRef(world.alone.0.clone())),
        ..subject("", true)
    };
    let tenant = RequestErasureRequest {
        target: Some(Target::WholeTenant(true)),
        reason: ErasureReason::ContractEnded.into(),
        request_id: "leaving".into(),
        urgent: true,
        ..RequestErasureRequest::default()
    };
    let (first, second) = (
        connect(cluster.context("dpo", LEAVING, None)).await,
        cluster.client(LEAVING).await,
    );
    first.erasures().request(tenant.clone()).await.unwrap();
    let erasures = [
        (&client, erase(&client, person).await),
        (&client, erase(&client, conversation).await),
        (&first, erase(&second, tenant).await),
    ];
    for (asks, erasure) in erasures {
        wait_for(asks, &erasure.id, ErasureState::Destroyed).await;
    }
}

/// The files of all nodes. The nodes end for it and start again.
async fn carry(cluster: &mut Cluster) -> Vec<Carried> {
    cluster.stop().await;
    let nodes = cluster.nodes();
    let carried = nodes.iter().map(|node| Carried::from(&cluster.node_dir(*node)));
    let carried = carried.collect();
    cluster.start_again().await;
    carried
}

fn kids(carried: &Carried, of: impl Fn(&KeyState) -> bool) -> BTreeSet<Kid> {
    let keys = carried.keys().iter().filter(|(_, key)| of(&key.state));
    keys.map(|(kid, _)| *kid).collect()
}

/// What the files give away before anything is erased: every key, by its record and by its index row.
fn assert_all_reached(carried: &Carried, roots: &[SecretKey]) {
    let reached = carried.reach(roots);
    let all = kids(carried, |state| *state == KeyState::Active);
    assert_eq!(all.len(), carried.keys().len());
    assert!(reached.meta > 0 && reached.records() == all && reached.indexed == all);
}

/// What they give away afterwards: every key that is in use, and none that was erased.
fn assert_only_living_reached(carried: &Carried, before: &Carried, old: &[SecretKey], new: &[SecretKey]) {
    let living = kids(carried, |state| *state == KeyState::Active);
    let erased = kids(carried, |state| matches!(state, KeyState::Erased { .. }));
    assert_eq!(living.len() + erased.len(), carried.keys().len());
    assert!(carried.keys().keys().eq(before.keys().keys()));

    let reached = carried.reach(new);
    assert!(
        reached.records().is_disjoint(&erased),
        "a record of an erased key is opened"
    );
    assert!(
        reached.indexed.is_disjoint(&erased),
        "an index row of an erased key is opened"
    );
    assert!(reached.meta > 0 && reached.records() == living && reached.indexed == living);

    // The sealed forms are all there still: it is the root that is gone.
    assert!(carried.sealed().includes(before.sealed()));
    let with_old_root = carried.reach(old);
    assert!(with_old_root.records().is_superset(&erased) && with_old_root.indexed.is_superset(&erased));
    let both: Vec<_> = old.iter().chain(new).map(SecretKey::duplicate).collect();
    assert!(carried.reach(&both).records().is_superset(&living));
}

fn assert_as_meant(carried: &Carried, world: &World) {
    let keys = carried.keys();
    let is_erased = |id: &str| matches!(keys[&kid(id)].state, KeyState::Erased { .. });
    for (erased, neighbour) in [
        (&world.person.1, &world.person.2),
        (&world.alone.1, &world.alone.2),
    ] {
        assert!(is_erased(erased) && !is_erased(neighbour));
        assert_eq!(keys[&kid(erased)].page, keys[&kid(neighbour)].page);
    }
    assert!(world.kept.iter().all(|id| !is_erased(id)));
    // Of the tenant its own key, a day, and three people with a conversation each; a person with one; a conversation.
    let of_kind = |kind| {
        let erased = keys
            .values()
            .filter(|key| matches!(key.state, KeyState::Erased { .. }));
        erased.filter(|key| key.kind == kind).count()
    };
    let kinds = [KeyKind::Tenant, KeyKind::Bucket, KeyKind::Subject, KeyKind::Conv];
    assert_eq!(kinds.map(of_kind), [1, 1, 3 + 1, 3 + 1 + 1]);
}

/// The old root lies in no file as it is.
fn assert_forgotten(carried: &Carried, old_root: &[u8]) {
    let (found, bytes) = Words::new(&[old_root]).find_below(carried.folder());
    assert!(bytes > 0 && found.is_empty(), "the old root is in {found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_of_any_node_leads_from_the_current_root_to_an_erased_key() {
    let mut cluster = Cluster::start_with(Setup {
        arguments: PATIENT,
        ..Setup::default()
    })
    .await;
    let world = populate(&cluster).await;
    let before = carry(&mut cluster).await;
    let old = roots(&before);
    before
        .iter()
        .for_each(|carried| assert_all_reached(carried, &old));

    erase_them(&cluster, &world).await;
    let after = carry(&mut cluster).await;
    let new = roots(&after);
    assert_eq!(
        (old.len(), new.len()),
        (1, 1),
        "the vaults give another root than the current one"
    );
    for (after, before) in after.iter().zip(&before) {
        assert_only_living_reached(after, before, &old, &new);
        assert_as_meant(after, &world);
        assert_forgotten(after, old[0].expose());
    }

    for node in cluster.nodes() {
        let (of_node, other) = (
            cluster.client_of(node, TENANT).await,
            cluster.client_of(node, "other").await,
        );
        assert_intact(&of_node, &world.kept[0]).await;
        for id in &world.kept[1..] {
            assert_intact(&other, id).await;
        }
    }
}
