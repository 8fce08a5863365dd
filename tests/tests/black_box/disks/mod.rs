//! Nodes on disks that fail.

mod flips;
mod frozen;
mod full;
mod power;
mod repair;

use std::collections::BTreeMap;

use eunoe_tests::cluster::{Cluster, Setup};
use eunoe_tests::disk::Disk;
use eunoe_tests::wait::PATIENCE;
use tokio::process::Child;

use crate::kill_loop::all_files_are_sound;

const TENANT: &str = "demo";
/// Acknowledged messages that show that the cluster works.
const ADVANCE: u64 = 200;

/// Three nodes, some of them on disks that can fail.
async fn start_on(disks: &BTreeMap<u64, Disk>, limits: &'static str) -> Cluster {
    Cluster::start_with(Setup {
        limits,
        data: disks.iter().map(|(node, disk)| (*node, disk.path())).collect(),
        ..Setup::default()
    })
    .await
}

/// Disks for some nodes.
fn disks(nodes: impl IntoIterator<Item = u64>) -> BTreeMap<u64, Disk> {
    nodes.into_iter().map(|node| (node, Disk::mount())).collect()
}

/// The exit code of a node that ends by itself.
async fn exit_code(child: &mut Child) -> Option<i32> {
    let ended = tokio::time::timeout(PATIENCE, child.wait()).await;
    ended.expect("the node ends by itself").unwrap().code()
}

/// The last line of a node's log that says that it stops.
fn last_words(cluster: &Cluster, node: u64) -> String {
    let log = cluster.log(node);
    let mut lines = log.lines().rev();
    let line = lines.find(|line| line.contains("the node stops"));
    line.expect("the node says why it stops").to_owned()
}
