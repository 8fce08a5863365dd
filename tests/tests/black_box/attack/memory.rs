//! Memories of nodes that run.

use std::path::PathBuf;

use eunoe_client::erasure_types::{ErasureGrade, ErasureState};
use eunoe_tests::cluster::{Cluster, Setup};
use eunoe_tests::wait::until_true;

use super::{Copies, assert_tally, attack, is_read, write};
use crate::erasure::{
    PATIENT, SHORT_LEASE, TENANT, assert_erased, assert_intact, erase, start, subject, talk, wait_for,
};
use crate::partition::{assert_does_not_answer, impatient, leader, shows_nothing, until_it_holds_no_keys};

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

/// E9: what a node that was cut off during an erasure still has in memory once its lease is over: no key at all.
#[tokio::test(flavor = "multi_thread")]
async fn e9_a_node_that_was_cut_off_during_an_erasure_refuses_reads_and_has_no_key_left() {
    let mut cluster = Cluster::start_with(Setup {
        arguments: SHORT_LEASE,
        cuttable: true,
        ..Setup::default()
    })
    .await;
    let client = cluster.client(TENANT).await;
    let (anna, bert) = (talk(&client, "anna").await, talk(&client, "bert").await);
    drop(client);
    let before = Copies::of(&mut cluster).await;
    let leads = leader(&cluster, 1).await.unwrap();
    let cut = *cluster.nodes().iter().find(|node| **node != leads).unwrap();
    let of_cut = impatient(&cluster, cut).await;
    for id in [&anna, &bert] {
        assert_intact(&of_cut, id).await;
    }
    let memory = |when: &str| {
        let file = before.file(&format!("memory-of-{cut}-{when}"));
        write(&file, &cluster.process(cut).memory())
    };
    let serving = memory("serving");

    cluster.cut_off(cut);
    let client = cluster.client_of(leads, TENANT).await;
    let erasure = erase(&client, subject("anna", true)).await;
    let destroyed = wait_for(&client, &erasure.id, ErasureState::Destroyed).await;
    assert!(
        destroyed.grade() == ErasureGrade::Threshold,
        "a node that hears nobody spoke"
    );
    assert_eq!(destroyed.missing_nodes, [cut]);
    until_it_holds_no_keys(&cluster, cut, &of_cut, &anna).await;
    assert_does_not_answer(&of_cut, &bert).await;
    let dark = memory("dark");
    assert_erased(&client, &anna).await;
    cluster.heal();
    until_true("the node answers again", async || {
        shows_nothing(&of_cut, &anna).await.is_ok()
    })
    .await;
    assert_intact(&of_cut, &bert).await;
    drop((client, of_cut));
    let after = Copies::of(&mut cluster).await;

    // The control: before it was cut off, its memory alone read everything.
    let report = attack(&[&before], &[], &[serving]);
    assert_tally(&report, "active", 2, true);
    let report = attack(&[&before], &[], std::slice::from_ref(&dark));
    assert_eq!(report.memory_keys, (0, 0, 0, 0), "a key is left in memory");
    assert_eq!(
        report.memory.page_trials_left_out, 0,
        "keys of pages were not tried"
    );
    // Nor is there one with everything else that exists.
    let vaults: Vec<PathBuf> = after.vaults().collect();
    let report = attack(&[&before, &after], &vaults, &[dark]);
    assert_tally(&report, "erased", 1, false);
    assert_tally(&report, "active", 1, true);
    assert!(!is_read(&report, "anna"));
}
