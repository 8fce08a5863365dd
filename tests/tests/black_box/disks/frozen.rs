//! A disk that does not answer: the node gives up before its clients do, and the others go on.

use eunoe_tests::wait::until_true;

use super::{ADVANCE, TENANT, all_files_are_sound, disks, exit_code, last_words, start_on};
use crate::load::Load;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_disk_does_not_answer_ends_itself_and_the_others_lead() {
    let mut disks = disks([3]);
    let mut cluster = start_on(&disks, "").await;
    let client = cluster.client(TENANT).await;
    let load = Load::begin(&client).await;
    cluster.terminate(3).await;
    let (mut child, process) = cluster.start_here(3).await;
    until_true("node 3 leads a group", async || leads(&cluster, 3).await).await;
    load.progress().advance(ADVANCE).await;

    let disk = disks.get_mut(&3).unwrap();
    disk.freeze();
    // Threads that wait for the disk stay, but nobody is served any more.
    until_true("a node gives up a disk that hangs", async || !process.is_alive()).await;
    let said = last_words(&cluster, 3);
    assert!(said.contains("the disk hangs"), "{said}");
    until_true("another node leads", async || !leads(&cluster, 3).await).await;
    load.progress().advance(ADVANCE).await;

    // Its locks are free when the disk answers. Until then nothing can end the threads that wait for it.
    disk.thaw();
    assert_eq!(exit_code(&mut child).await, None, "its end waited for the disk");
    cluster.restart(&[3]).await;
    load.progress().advance(ADVANCE).await;
    load.end_and_check(&cluster).await;
    all_files_are_sound(&cluster).await;
}

/// Whether a node leads a group, as another one sees it.
async fn leads(cluster: &eunoe_tests::cluster::Cluster, node: u64) -> bool {
    let groups = cluster.status_of(1).await.groups;
    groups.iter().any(|group| group.leader == Some(node))
}
