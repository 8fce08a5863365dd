//! The shared root on real nodes: cold starts, lost, stale and false vaults, nodes that leave, the seal.

use std::fs;
use std::time::Duration;

use eunoe_client::erasure_types::{ErasureGrade, ErasureState};
use eunoe_tests::cluster::Cluster;
use eunoe_tests::wait::until_true;

use super::{
    PATIENT, SHORT_LEASE, TENANT, assert_erased, assert_intact, erase, in_full, start, subject, talk,
    wait_for,
};

/// What the first node says of the root.
async fn root(cluster: &Cluster) -> eunoe_client::cluster_types::Root {
    cluster.status_of(1).await.root.expect("the realm has begun")
}

pub(super) async fn until_shared_among(cluster: &Cluster, holders: &[u64]) {
    until_true("the root is shared among these nodes", async || {
        let root = root(cluster).await;
        root.holders == holders && root.present == holders
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e12_all_nodes_killed_right_after_a_switch_put_the_new_root_together_and_serve() {
    let mut cluster = start(PATIENT).await;
    let client = cluster.client(TENANT).await;
    let (anna, bert) = (talk(&client, "anna").await, talk(&client, "bert").await);
    let erasure = erase(&client, subject("anna", true)).await;
    // Before anybody has destroyed anything, or after: both must do.
    wait_for(&client, &erasure.id, ErasureState::Rekeyed).await;
    let nodes = cluster.nodes();
    for node in &nodes {
        cluster.kill(*node).await;
    }
    cluster.restart(&nodes).await;
    for node in nodes {
        let of_node = cluster.client_of(node, TENANT).await;
        assert_erased(&of_node, &anna).await;
        assert_intact(&of_node, &bert).await;
    }
    let client = cluster.client(TENANT).await;
    in_full(&client, &erasure.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_vault_alone_unseals_nothing_and_two_of_three_do() {
    let mut cluster = start(SHORT_LEASE).await;
    let client = cluster.client(TENANT).await;
    let anna = talk(&client, "anna").await;
    let nodes = cluster.nodes();
    for node in &nodes {
        cluster.kill(*node).await;
    }
    // On its own, a node has neither a lease nor enough shares: it does not even serve a reading.
    let (mut child, process) = cluster.start_here(1).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(process.is_alive(), "a node that is alone waits");
    assert!(!cluster.readiness(1).await.0);
    child.kill().await.unwrap();
    cluster.restart(&[1, 2]).await;
    assert_intact(&cluster.client_of(1, TENANT).await, &anna).await;
    let root = root(&cluster).await;
    assert_eq!((root.threshold, root.losses_left), (2, Some(0)));
    assert_eq!(root.present, [1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn e21_a_vault_put_back_from_a_copy_is_noticed_destroyed_and_given_a_new_share() {
    let mut cluster = start(PATIENT).await;
    let client = cluster.client(TENANT).await;
    let (anna, bert) = (talk(&client, "anna").await, talk(&client, "bert").await);
    let vault = cluster.node_dir(3).join("vault");
    cluster.terminate(3).await;
    let copy = fs::read(&vault).unwrap();
    cluster.restart(&[3]).await;
    let erasure = erase(&client, subject("anna", true)).await;
    in_full(&client, &erasure.id).await;

    cluster.terminate(3).await;
    fs::write(&vault, copy).unwrap();
    cluster.restart(&[3]).await;
    until_true("the node says that its vault was put back", async || {
        cluster.log(3).contains("the vault was put back from a copy")
    })
    .await;
    // It has no share of the current root any more: the others see to that.
    until_shared_among(&cluster, &[1, 2, 3]).await;
    let metrics = cluster.metrics(3).await;
    assert!(metrics.contains("eunoe_root_share_kept 1"), "{metrics}");
    let back = cluster.client_of(3, TENANT).await;
    assert_erased(&back, &anna).await;
    assert_intact(&back, &bert).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e22_a_lost_node_is_replaced_by_the_others_words_and_full_takes_evidence() {
    let mut cluster = start(SHORT_LEASE).await;
    let client = cluster.client(TENANT).await;
    let (anna, bert) = (talk(&client, "anna").await, talk(&client, "bert").await);
    cluster.kill(3).await;
    let removed = cluster
        .cli(&["cluster", "remove", "3", "--lost", "--role", "operator"])
        .await;
    assert_eq!(removed[0]["state"], "REMOVED", "{removed:?}");
    cluster.forget(3);
    until_shared_among(&cluster, &[1, 2]).await;
    let erasure = erase(&client, subject("anna", true)).await;
    let destroyed = wait_for(&client, &erasure.id, ErasureState::Destroyed).await;
    assert!(destroyed.grade() == ErasureGrade::Threshold);
    assert_eq!(destroyed.missing_nodes, [3]);
    assert_erased(&client, &anna).await;

    let evidence = cluster.dir().join("certificate-of-destruction.txt");
    fs::write(&evidence, "disk 3 was shredded").unwrap();
    let evidence = evidence.to_str().unwrap();
    let refused = [
        "cluster",
        "decommission",
        "2",
        "--evidence",
        evidence,
        "--role",
        "operator",
    ];
    let refused = cluster.cli_refused(&refused).await;
    assert_eq!(refused["reason"], "NODE_ADMITTED", "{refused}");
    let gone = [
        "cluster",
        "decommission",
        "3",
        "--evidence",
        evidence,
        "--role",
        "operator",
    ];
    cluster.cli(&gone).await;
    in_full(&client, &erasure.id).await;
    assert_intact(&client, &bert).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_cluster_reads_and_writes_nothing_until_it_is_unsealed() {
    let cluster = start(PATIENT).await;
    let client = cluster.client(TENANT).await;
    let anna = talk(&client, "anna").await;
    cluster.cli(&["cluster", "seal", "--role", "operator"]).await;
    for node in cluster.nodes() {
        until_true("the node forgets the root", async || {
            let status = cluster.status_of(node).await;
            let of_it = status.nodes.iter().find(|known| known.id == node);
            status.root.is_some_and(|root| root.sealed)
                && of_it.is_some_and(|node| node.unsealed == Some(false))
        })
        .await;
        let refused = crate::partition::impatient(&cluster, node).await;
        assert!(crate::partition::shows_nothing(&refused, &anna).await.is_err());
    }
    cluster.cli(&["cluster", "unseal", "--role", "operator"]).await;
    for node in cluster.nodes() {
        until_true("the node serves again", async || {
            let status = cluster.status_of(node).await;
            let of_it = status.nodes.iter().find(|known| known.id == node);
            of_it.is_some_and(|node| node.unsealed == Some(true))
        })
        .await;
        assert_intact(&cluster.client_of(node, TENANT).await, &anna).await;
    }
}
