//! Two realms share nothing, and nothing that can be printed, proposed or stored shows a key.

mod support;

use eunoe_core::control::Command;
use support::{Cluster, NOW, Rows, Seeded, genesis, keyring, tenant_id};

#[test]
fn genesis_prepared_twice_differs_in_root_and_in_every_page() {
    let (one, two) = (genesis(1), genesis(2));
    assert_ne!(one.dealt.root().commitment(), two.dealt.root().commitment());
    assert_ne!(
        one.dealt.root().encode().expose(),
        two.dealt.root().encode().expose()
    );
    let pages = |commands: &[Vec<u8>]| -> Vec<Vec<u8>> {
        let mut sealed = Vec::new();
        for command in commands {
            if let Command::StagePages { pages, .. } = Command::decode(command).expect("decodes") {
                sealed.extend(pages.iter().map(|page| page.sealed.to_vec()));
            }
        }
        sealed
    };
    let (one, two) = (pages(&one.commands), pages(&two.commands));
    // The locator page, and for each tree of two levels a top page and its 32 children.
    assert_eq!((one.len(), two.len()), (1 + 2 * 33, 1 + 2 * 33));
    assert!(
        one.iter().zip(&two).all(|(one, two)| one != two),
        "two realms share a page"
    );
}

#[test]
fn the_root_is_in_no_command_and_in_no_row() {
    let prepared = genesis(1);
    let root = prepared.dealt.root().encode();
    let raw = &root.expose()[2..];
    assert_eq!(raw.len(), 32);
    let holds = |bytes: &[u8]| bytes.windows(raw.len()).any(|part| part == raw);
    assert!(
        holds(&[b"before", raw, b"after"].concat()),
        "the search finds what is there"
    );
    assert!(!prepared.commands.iter().any(|command| holds(command)));
    let (cluster, _) = Cluster::begun(1);
    assert!(!cluster.rows.0.values().any(|value| holds(value)));
}

#[test]
fn names_of_people_and_conversations_are_in_no_row() {
    let (mut cluster, root) = Cluster::begun(1);
    let keyring = keyring(&cluster, &root);
    let keys = keyring.unsealed().expect("unsealed");
    let mut entropy = Seeded(2);
    let tenant = keys
        .new_tenant(&cluster.rows, &tenant_id(), NOW, &mut entropy)
        .expect("prepares")
        .expect("the name is free");
    cluster.create(&tenant);
    let tenant = keys
        .tenant(&cluster.rows, &tenant_id())
        .expect("looks up")
        .expect("is there");
    let subject = keys
        .new_subject(&cluster.rows, &tenant, "visitor/canary", NOW, &mut entropy)
        .expect("prepares")
        .expect("the name is free");
    cluster.create(&subject);
    let chat = keys
        .new_conversation(
            &cluster.rows,
            &tenant,
            None,
            Some(b"ticket-canary"),
            NOW,
            &mut entropy,
        )
        .expect("prepares")
        .expect("the name is free");
    cluster.create(&chat);
    let found = |rows: &Rows, word: &[u8]| {
        rows.0.iter().any(|(key, value)| {
            [key, value]
                .iter()
                .any(|bytes| bytes.windows(word.len()).any(|w| w == word))
        })
    };
    assert!(!found(&cluster.rows, b"canary"));
    cluster.rows.0.insert(vec![0xff], b"a canary".to_vec());
    assert!(found(&cluster.rows, b"canary"), "the search finds what is there");
}

#[test]
fn debug_prints_no_key_bytes() {
    let (mut cluster, root) = Cluster::begun(1);
    let keyring = keyring(&cluster, &root);
    let keys = keyring.unsealed().expect("unsealed");
    let prepared = keys
        .new_tenant(&cluster.rows, &tenant_id(), NOW, &mut Seeded(2))
        .expect("prepares")
        .expect("the name is free");
    cluster.create(&prepared);
    let tenant = keys
        .tenant(&cluster.rows, &tenant_id())
        .expect("looks up")
        .expect("is there");
    let printed = format!("{root:?} {:?}", tenant.key());

    // The bytes as Debug of an array would print them, and as hex.
    let raw = &root.encode().expose()[2..].to_vec();
    let kid = prepared.kid.0.to_vec();
    for secret in [raw, &kid] {
        let list = format!("{:?}", &secret[..4]);
        let list = list.trim_matches(['[', ']']);
        let hex: String = secret[..4].iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!printed.contains(list) && !printed.contains(&hex), "{printed}");
    }
}
