//! The power fails: what was written and not synced is gone, or an arbitrary part of it is.

use std::collections::BTreeMap;

use eunoe_tests::cluster::Cluster;
use eunoe_tests::disk::Disk;
use eunoe_tests::random::Random;
use rustix::process::Signal;

use super::{ADVANCE, TENANT, all_files_are_sound, disks, start_on};
use crate::load::Load;

/// Failures when `EUNOE_POWER_FAILURES` does not say how many.
const FAILURES_DEFAULT: u64 = 3;
/// Small, so that snapshots are made, the log is purged and its files change meanwhile.
const LIMITS: &str = "snapshot_log_bytes = 1048576";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_the_power_of_one_node_fails() {
    power_fails(&[3]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_the_power_of_all_nodes_fails_at_once() {
    power_fails(&[1, 2, 3]).await;
}

async fn power_fails(nodes: &[u64]) {
    let failures = std::env::var("EUNOE_POWER_FAILURES");
    let failures = failures.map_or(FAILURES_DEFAULT, |failures| failures.parse().unwrap());
    let mut disks = disks(nodes.iter().copied());
    let mut cluster = start_on(&disks, LIMITS).await;
    let client = cluster.client(TENANT).await;
    let load = Load::begin(&client).await;
    let (progress, mut random) = (load.progress(), Random::new());
    for failure in 0..failures {
        progress.advance(ADVANCE).await;
        kill_at_once(&cluster, nodes).await;
        for disk in disks.values_mut() {
            match failure % 2 {
                0 => disk.lose_unsynced(),
                _ => disk.lose_some(random.number()),
            }
        }
        cluster.restart(nodes).await;
    }
    progress.advance(ADVANCE).await;
    load.end_and_check(&cluster).await;
    all_files_are_sound(&cluster).await;
}

async fn kill_at_once(cluster: &Cluster, nodes: &[u64]) {
    for node in nodes {
        cluster.process(*node).signal(Signal::KILL);
    }
    for node in nodes {
        cluster.kill(*node).await;
    }
}

/// The test above can see a loss: there is one when the disks lie.
#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_messages_are_lost_when_all_disks_lie_about_syncs() {
    let nodes = [1, 2, 3];
    let mut disks: BTreeMap<u64, Disk> = disks(nodes);
    let mut cluster = start_on(&disks, "").await;
    let client = cluster.client(TENANT).await;
    let load = Load::begin(&client).await;
    let progress = load.progress();
    progress.advance(ADVANCE).await;
    for disk in disks.values_mut() {
        disk.ignore_syncs();
    }
    progress.advance(ADVANCE).await;
    let lost = load
        .end_and_find_lost(async || {
            kill_at_once(&cluster, &nodes).await;
            for disk in disks.values_mut() {
                disk.lose_unsynced();
            }
            cluster.restart(&nodes).await;
            cluster.client(TENANT).await
        })
        .await;
    eprintln!("{} acknowledged messages are lost", lost.len());
    assert!(!lost.is_empty(), "a disk that forgets everything was not noticed");
}
