//! The transparency log as auditors get it: from every node, over gRPC and plain HTTP, checked by a program that asks no
//! server.

use std::fs;
use std::path::Path;

use eunoe_client::erasure_types::ErasureState;
use eunoe_client::types::ParticipantKind;
use eunoe_client::{Client, input};
use eunoe_tests::cluster::Cluster;
use eunoe_tests::scan::Words;

use crate::erasure::{PATIENT, PURPOSE, TENANT, erase, start, subject, talk, wait_for};

/// What `eunoe verify log` says, with its exit code.
async fn verify(cluster: &Cluster, folder: &Path, policy: &Path) -> (Option<i32>, String) {
    let mut command = cluster.eunoe(&["verify", "log"]);
    command.arg(folder).arg("--policy").arg(policy);
    // It must not need a cluster.
    command.env("EUNOE_CONTEXT", "/nonexistent");
    let output = command.output().await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_gives_one_log_that_is_checked_without_any_of_them() {
    let cluster = start(PATIENT).await;
    let client = cluster.client(TENANT).await;
    // More than one bundle of entries.
    for number in 0..150 {
        create(&client, &format!("person-{number}")).await;
    }
    talk(&client, "anna").await;
    let erasure = erase(&client, subject("anna", true)).await;
    wait_for(&client, &erasure.id, ErasureState::Destroyed).await;

    let place = tempfile::tempdir().unwrap();
    let policy = place.path().join("policy");
    let path = policy.to_str().unwrap();
    cluster.cli(&["audit", "policy", "-o", path]).await;
    let mut folders = Vec::new();
    for node in cluster.nodes() {
        let folder = place.path().join(format!("node-{node}"));
        let (node, path) = (node.to_string(), folder.to_str().unwrap());
        let fetched = cluster.cli(&["--node", &node, "audit", "fetch", path]).await;
        assert!(fetched[0]["size"].as_u64() > Some(300), "{fetched:?}");
        folders.push(folder);
    }
    for folder in &folders {
        let (code, said) = verify(&cluster, folder, &policy).await;
        assert_eq!(code, Some(0), "{said}");
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!(said["entries"]["eunoe/genesis@v1"], 1);
        assert_eq!(said["entries"]["eunoe/erase-fenced@v1"], 1);
        assert!(said["entries"]["eunoe/key-erased@v1"].as_u64() > Some(1));
    }
    let same = |name: &str| {
        let mut contents = folders.iter().map(|folder| fs::read(folder.join(name)).unwrap());
        let first = contents.next().unwrap();
        assert!(contents.all(|other| other == first), "{name} differs");
    };
    same("tile/entries/000");
    same("tile/0/000");

    assert_served_to_mirrors(&cluster, &folders[0]).await;

    // No name is in it, and what is changed is found when no cluster is left.
    let names = Words::new(&["visitor/anna", "visitor/person-7", "person-7", "anna says"]);
    for folder in &folders {
        let (found, seen) = names.find_below(folder);
        assert!(found.is_empty() && seen > 10_000, "{} of {seen}", found.len());
    }
    cluster.stop().await;
    let (entries, folder) = (folders[0].join("tile/entries/000"), &folders[0]);
    let mut bytes = fs::read(&entries).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(&entries, &bytes).unwrap();
    let (code, said) = verify(&cluster, folder, &policy).await;
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("entries"), "{said}");
    bytes[at] ^= 1;
    fs::write(&entries, &bytes).unwrap();
    assert_eq!(verify(&cluster, folder, &policy).await.0, Some(0));
    let text = fs::read_to_string(folder.join("checkpoint")).unwrap();
    fs::write(folder.join("checkpoint"), text.replacen("eunoe/", "eunoo/", 1)).unwrap();
    let (code, said) = verify(&cluster, folder, &policy).await;
    assert_eq!(code, Some(3), "{said}");
}

/// The same over plain HTTP, from every node.
async fn assert_served_to_mirrors(cluster: &Cluster, copy: &Path) {
    for node in cluster.nodes() {
        let (head, checkpoint) = cluster.ask_admin(node, "/log/checkpoint").await;
        assert!(
            head.starts_with("HTTP/1.0 200") && checkpoint.starts_with(b"eunoe/"),
            "{head}"
        );
        let (_, tile) = cluster.ask_admin(node, "/log/tile/0/000").await;
        assert_eq!(tile, fs::read(copy.join("tile/0/000")).unwrap());
        for wrong in [
            "/log/tile/0/999",
            "/log/tile/9/000",
            "/log/tile/0/000.p/256",
            "/log/x",
        ] {
            let (head, _) = cluster.ask_admin(node, wrong).await;
            assert!(head.starts_with("HTTP/1.0 404"), "{wrong}: {head}");
        }
    }
}

async fn create(client: &Client, name: &str) {
    let person = input::participant(ParticipantKind::Visitor, format!("visitor/{name}"));
    let request = input::support(name, person, PURPOSE);
    client.create_conversation(request).await.unwrap();
}
