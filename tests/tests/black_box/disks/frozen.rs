//! A disk that does not answer: the node gives up before its clients do, and the others go on.

use eunoe_tests::wait::until_true;

use super::{Failing, NODE, exit_code, last_words};

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_disk_does_not_answer_ends_itself_and_the_others_lead() {
    let mut on = Failing::begin("").await;
    until_true("node 3 leads a group", async || leads(&on.cluster, NODE).await).await;
    on.advance().await;

    on.disk.freeze();
    // Threads that wait for the disk stay, but nobody is served any more.
    until_true("a node gives up a disk that hangs", async || {
        !on.process.is_alive()
    })
    .await;
    let said = last_words(&on.cluster, NODE);
    assert!(said.contains("the disk hangs"), "{said}");
    until_true("another node leads", async || !leads(&on.cluster, NODE).await).await;
    on.advance().await;

    // Its locks are free when the disk answers. Until then nothing can end the threads that wait for it.
    on.disk.thaw();
    assert_eq!(
        exit_code(&mut on.child).await,
        None,
        "its end waited for the disk"
    );
    on.recover().await;
}

/// Whether a node leads a group, as another one sees it.
async fn leads(cluster: &eunoe_tests::cluster::Cluster, node: u64) -> bool {
    let groups = cluster.status_of(1).await.groups;
    groups.iter().any(|group| group.leader == Some(node))
}
