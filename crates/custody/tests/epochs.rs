//! An epoch over real bytes: whoever survives it is found as before, whoever does not is nowhere.

mod support;

use eunoe_core::control::{self, Reply};
use eunoe_custody::{Keyring, Unsealed};
use eunoe_types::{ConversationId, Kid};
use support::epoch::{copy, epoch, keep_next, prepared};
use support::people::{Message, new_bucket, new_conversation, new_subject, new_tenant, tenant};
use support::{Cluster, Seeded, keyring, tenant_id};

/// One key of every kind.
struct Everyone {
    tenant: Kid,
    subject: Kid,
    bucket: Kid,
    support: Kid,
    peer: Kid,
    messages: [Message; 2],
}

impl Everyone {
    fn created(cluster: &mut Cluster, keys: &Unsealed, entropy: &mut Seeded) -> Self {
        let tenant = new_tenant(cluster, keys, &tenant_id(), entropy);
        let subject = new_subject(cluster, keys, &tenant_id(), "visitor/1", entropy);
        let bucket = new_bucket(cluster, keys, &tenant_id(), "chat/20000", entropy);
        let support = new_conversation(
            cluster,
            keys,
            &tenant_id(),
            Some(subject),
            Some("ticket-1"),
            entropy,
        );
        let peer = new_conversation(cluster, keys, &tenant_id(), None, Some("room"), entropy);
        Self {
            tenant,
            subject,
            bucket,
            support,
            peer,
            messages: [
                Message::sealed_for(cluster, keys, &[tenant, subject, bucket, support]),
                Message::sealed_for(cluster, keys, &[tenant, peer]),
            ],
        }
    }

    /// By reference, by kid, and with the same record keys: a message of before opens.
    fn are_found(&self, cluster: &Cluster, keyring: &Keyring) {
        let keys = keyring.unsealed().expect("unsealed");
        let of = tenant(cluster, &keys, &tenant_id());
        let rows = &cluster.rows;
        assert_eq!(of.key().kid(), self.tenant);
        assert_eq!(
            keys.subject(rows, &of, "visitor/1").expect("reads"),
            Some(self.subject)
        );
        assert_eq!(
            keys.bucket(rows, &of, b"chat/20000").expect("reads"),
            Some(self.bucket)
        );
        for (name, kid) in [("ticket-1", self.support), ("room", self.peer)] {
            let found = keys.conversation_id(rows, &of, name.as_bytes()).expect("reads");
            assert_eq!(found, Some(ConversationId(kid.0)));
            assert!(
                keys.conversation(rows, &ConversationId(kid.0))
                    .expect("reads")
                    .is_some()
            );
        }
        for message in &self.messages {
            assert!(message.opens(cluster, &keys), "a record key changed");
        }
    }
}

/// A second person with two conversations, all to be erased.
fn erased_person(
    cluster: &mut Cluster,
    keyring: &Keyring,
    of: Kid,
    name: &str,
    entropy: &mut Seeded,
) -> Vec<Kid> {
    let keys = keyring.unsealed().expect("unsealed");
    let person = new_subject(cluster, &keys, &tenant_id(), name, entropy);
    let chat = new_conversation(cluster, &keys, &tenant_id(), Some(person), Some(name), entropy);
    let unnamed = new_conversation(cluster, &keys, &tenant_id(), Some(person), None, entropy);
    cluster.erase(of, person);
    keyring.reconcile(&cluster.rows).expect("reads");
    vec![person, chat, unnamed]
}

fn are_nowhere(cluster: &Cluster, keyring: &Keyring, name: &str, kids: &[Kid]) {
    let keys = keyring.unsealed().expect("unsealed");
    let of = tenant(cluster, &keys, &tenant_id());
    assert_eq!(keys.subject(&cluster.rows, &of, name).expect("reads"), None);
    assert_eq!(
        keys.conversation_id(&cluster.rows, &of, name.as_bytes())
            .expect("reads"),
        None
    );
    for kid in kids {
        assert!(keys.key(&cluster.rows, *kid).expect("reads").is_none());
        let state = control::key_state(&cluster.rows, kid)
            .expect("decodes")
            .expect("is remembered");
        assert!(matches!(state.state, control::KeyState::Erased { .. }));
    }
}

struct World {
    cluster: Cluster,
    keyring: Keyring,
    entropy: Seeded,
    everyone: Everyone,
}

fn world(seed: u64) -> World {
    let (mut cluster, root) = Cluster::begun(seed);
    let keyring = keyring(&cluster, &root);
    let mut entropy = Seeded(seed + 100);
    let keys = keyring.unsealed().expect("unsealed");
    let everyone = Everyone::created(&mut cluster, &keys, &mut entropy);
    World {
        cluster,
        keyring,
        entropy,
        everyone,
    }
}

#[test]
fn after_an_epoch_survivors_of_every_kind_are_found_with_their_keys_and_the_erased_nowhere() {
    let World {
        mut cluster,
        keyring,
        mut entropy,
        everyone,
    } = world(1);
    let erased = erased_person(&mut cluster, &keyring, everyone.tenant, "visitor/2", &mut entropy);
    everyone.are_found(&cluster, &keyring);
    let fenced = cluster.fenced();
    assert_eq!(fenced.len(), erased.len());
    let root = epoch(&mut cluster, &keyring, fenced, &mut entropy);
    everyone.are_found(&cluster, &keyring);
    are_nowhere(&cluster, &keyring, "visitor/2", &erased);
    cluster.sweep();
    everyone.are_found(&cluster, &keyring);

    let restarted = support::keyring(&cluster, &copy(&root));
    everyone.are_found(&cluster, &restarted);
    are_nowhere(&cluster, &restarted, "visitor/2", &erased);
}

#[test]
fn epochs_follow_each_other_over_pages_of_several_generations() {
    let World {
        mut cluster,
        keyring,
        mut entropy,
        everyone,
    } = world(2);
    let mut gone = Vec::new();
    for round in 0..4 {
        let name = format!("visitor/x{round}");
        let erased = erased_person(&mut cluster, &keyring, everyone.tenant, &name, &mut entropy);
        // An attempt that comes to nothing has a number, and a generation, too.
        if round % 2 == 1 {
            let fenced = cluster.fenced();
            let (_, given_up) = prepared(&mut cluster, &keyring, fenced, &mut entropy);
            assert_eq!(cluster.propose(&given_up.chunks[0]), Reply::Done);
        }
        let fenced = cluster.fenced();
        epoch(&mut cluster, &keyring, fenced, &mut entropy);
        gone.push((name, erased));
        everyone.are_found(&cluster, &keyring);
        if round > 1 {
            cluster.sweep();
        }
    }
    for (name, erased) in &gone {
        are_nowhere(&cluster, &keyring, name, erased);
    }
    everyone.are_found(&cluster, &keyring);
    assert_eq!(keyring.unsealed().expect("unsealed").epoch(), 4);
}

#[test]
fn a_root_is_renewed_also_without_anything_to_erase() {
    let World {
        mut cluster,
        keyring,
        mut entropy,
        everyone,
    } = world(3);
    let before = keyring.unsealed().expect("unsealed");
    let root = epoch(&mut cluster, &keyring, Vec::new(), &mut entropy);
    everyone.are_found(&cluster, &keyring);
    everyone.are_found(&cluster, &support::keyring(&cluster, &root));
    assert!(
        before
            .key(&cluster.rows, everyone.peer)
            .is_ok_and(|key| key.is_some()),
        "what is held is held"
    );
    assert!(
        before.key(&cluster.rows, Kid([1; 16])).is_err(),
        "a root that counts no more knows nothing new"
    );
    assert!(
        !control::sweep_is_due(&cluster.rows).expect("reads"),
        "no page was replaced"
    );
}

#[test]
fn what_was_fenced_while_an_epoch_was_prepared_waits_for_the_next() {
    let World {
        mut cluster,
        keyring,
        mut entropy,
        everyone,
    } = world(4);
    let first = erased_person(&mut cluster, &keyring, everyone.tenant, "visitor/2", &mut entropy);
    let fenced = cluster.fenced();
    let (attempt, made) = prepared(&mut cluster, &keyring, fenced, &mut entropy);
    cluster.erase(everyone.tenant, everyone.support);
    for chunk in &made.chunks {
        assert_eq!(cluster.propose(chunk), Reply::Done);
    }
    keep_next(&cluster, &keyring, made.dealt.root());
    cluster.switch(attempt, made.digest, support::epoch::made(&made.dealt));
    keyring.reconcile(&cluster.rows).expect("reads");
    are_nowhere(&cluster, &keyring, "visitor/2", &first);
    let keys = keyring.unsealed().expect("unsealed");
    assert!(keys.is_fenced(&everyone.support), "a new root forgot a fence");
    assert!(
        keys.key(&cluster.rows, everyone.support)
            .expect("reads")
            .is_none()
    );
    assert_eq!(cluster.fenced(), [everyone.support]);
    epoch(&mut cluster, &keyring, vec![everyone.support], &mut entropy);
    let keys = keyring.unsealed().expect("unsealed");
    assert!(!keys.is_fenced(&everyone.support));
    assert!(
        keys.key(&cluster.rows, everyone.support)
            .expect("reads")
            .is_none()
    );
    assert!(
        keys.key(&cluster.rows, everyone.subject)
            .expect("reads")
            .is_some()
    );
}
