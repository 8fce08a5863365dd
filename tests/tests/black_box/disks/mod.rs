//! Nodes on disks that fail.

mod flips;
mod frozen;
mod full;
mod power;
mod repair;

use std::collections::BTreeMap;

use eunoe_tests::cluster::{Cluster, Process, Setup};
use eunoe_tests::disk::Disk;
use eunoe_tests::wait::PATIENCE;
use tokio::process::Child;

use crate::kill_loop::all_files_are_sound;
use crate::load::Load;

const TENANT: &str = "demo";
/// The node whose disk fails, where one does.
const NODE: u64 = 3;
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

/// A cluster under load, of which node 3 is on a disk that can fail and is a child of the test.
struct Failing {
    child: Child,
    process: Process,
    load: Load,
    cluster: Cluster,
    // Unmounted when nothing runs on it any more.
    disk: Disk,
}

impl Failing {
    async fn begin(limits: &'static str) -> Self {
        let mut disks = disks([NODE]);
        let cluster = start_on(&disks, limits).await;
        let client = cluster.client(TENANT).await;
        let load = Load::begin(&client).await;
        cluster.terminate(NODE).await;
        let (child, process) = cluster.start_here(NODE).await;
        let disk = disks.remove(&NODE).unwrap();
        Self {
            child,
            process,
            load,
            cluster,
            disk,
        }
    }

    /// What was acknowledged goes on.
    async fn advance(&self) {
        self.load.progress().advance(ADVANCE).await;
    }

    /// The node starts again on its disk: everything that was acknowledged is there.
    async fn recover(mut self) {
        self.cluster.restart(&[NODE]).await;
        self.advance().await;
        self.load.end_and_check(&self.cluster).await;
        all_files_are_sound(&self.cluster).await;
    }
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
