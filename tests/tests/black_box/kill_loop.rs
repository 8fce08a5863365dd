//! Nodes are killed one after another, sometimes two at once, while messages are written in every way: nothing that
//! was acknowledged is lost, nothing is there twice, nothing changes its place, and no subscriber misses a word.

use eunoe_tests::cluster::Cluster;
use eunoe_tests::random::Random;

use crate::load::{Load, Progress};

/// Kills when `EUNOE_KILLS` does not say how many.
const KILLS_DEFAULT: u64 = 6;
/// Acknowledged messages that show that the cluster works again.
const ADVANCE: u64 = 200;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_doubled_or_moved_by_kills() {
    let kills = std::env::var("EUNOE_KILLS").map_or(KILLS_DEFAULT, |kills| kills.parse().unwrap());
    let mut cluster = Cluster::start().await;
    let client = cluster.client("demo").await;
    let load = Load::begin(&client).await;
    let (progress, mut random) = (load.progress(), Random::new());
    let mut killed = 0;
    while killed < kills {
        progress.advance(ADVANCE).await;
        killed += kill_and_restart(&mut cluster, &progress, &mut random).await;
        eprintln!("{killed} kills, {} messages acknowledged", progress.acks());
    }
    progress.advance(ADVANCE).await;
    load.end_and_check(&cluster).await;
    cluster.stop().await;
    for node in cluster.nodes() {
        let (sound, findings) = cluster.fsck(node).await;
        assert!(sound, "fsck finds damage on node {node}: {findings}");
    }
}

/// Kills one node or two, with or without a while in which the others work alone; says how many.
async fn kill_and_restart(cluster: &mut Cluster, progress: &Progress, random: &mut Random) -> u64 {
    let nodes = cluster.nodes();
    let victim = *random.pick(&nodes);
    cluster.kill(victim).await;
    match random.below(4) {
        0 => {
            let others: Vec<u64> = nodes.into_iter().filter(|node| *node != victim).collect();
            let second = *random.pick(&others);
            cluster.kill(second).await;
            // The majority is gone with them: nothing is acknowledged until both are back.
            cluster.restart(&[victim, second]).await;
            2
        }
        1 => {
            cluster.restart(&[victim]).await;
            1
        }
        _ => {
            progress.advance(ADVANCE).await;
            cluster.restart(&[victim]).await;
            1
        }
    }
}
