//! Memories of nodes that run.

use std::path::PathBuf;

use eunoe_client::erasure_types::ErasureState;
use eunoe_tests::cluster::Cluster;

use super::{Copies, assert_tally, attack, is_read, write};
use crate::erasure::{PATIENT, TENANT, assert_erased, assert_intact, erase, start, subject, talk, wait_for};

/// The memories of all nodes, as files beside the copies.
fn memories(cluster: &Cluster, copies: &Copies, when: &str) -> Vec<PathBuf> {
    let nodes = cluster.nodes();
    let files = nodes.iter().map(|node| {
        let memory = cluster.process(*node).memory();
        write(&copies.file(&format!("memory-{node}-{when}")), &memory)
    });
    files.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn e27_no_memory_has_a_key_of_what_was_erased_and_the_search_finds_keys_that_are_there() {
    let mut cluster = start(PATIENT).await;
    let client = cluster.client(TENANT).await;
    let (anna, bert) = (talk(&client, "anna").await, talk(&client, "bert").await);
    drop(client);
    let before = Copies::of(&mut cluster).await;
    for node in cluster.nodes() {
        let of_node = cluster.client_of(node, TENANT).await;
        assert_intact(&of_node, &anna).await;
        assert_intact(&of_node, &bert).await;
    }
    let serving = memories(&cluster, &before, "before");

    // The control: with no vault at all, a memory of a node that serves reads everything.
    let report = attack(&[&before], &[], &serving[..1]);
    assert!(report.memory_keys.3 > 0, "no record key is found in memory");
    assert_tally(&report, "active", 2, true);
    assert!(is_read(&report, "anna"));

    let client = cluster.client(TENANT).await;
    let erasure = erase(&client, subject("anna", true)).await;
    wait_for(&client, &erasure.id, ErasureState::Destroyed).await;
    for node in cluster.nodes() {
        let of_node = cluster.client_of(node, TENANT).await;
        assert_erased(&of_node, &anna).await;
        assert_intact(&of_node, &bert).await;
    }
    drop(client);
    let later = memories(&cluster, &before, "after");
    let after = Copies::of(&mut cluster).await;
    let vaults: Vec<PathBuf> = after.vaults().collect();
    let report = attack(&[&before, &after], &vaults, &later);
    assert_tally(&report, "erased", 1, false);
    assert_tally(&report, "active", 1, true);
    assert!(!is_read(&report, "anna"));
    assert_eq!(
        report.memory.page_trials_left_out, 0,
        "keys of pages were not tried"
    );
}
