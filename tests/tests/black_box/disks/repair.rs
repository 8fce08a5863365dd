//! What is done when a node's files are damaged: docs/operations/disks.md, step by step.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;

use super::{ADVANCE, TENANT};
use crate::load::Load;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_damaged_files_is_replaced_by_a_new_one_that_has_everything() {
    let mut cluster = eunoe_tests::cluster::Cluster::start().await;
    let client = cluster.client(TENANT).await;
    let load = Load::begin(&client).await;
    load.progress().advance(ADVANCE).await;
    cluster.terminate(2).await;
    let segment = cluster.node_dir(2).join("log/seg-0000000000000001.log");
    let file = OpenOptions::new().read(true).write(true).open(&segment).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, 100).unwrap();
    file.write_all_at(&[!byte[0]], 100).unwrap();

    let (sound, findings) = cluster.fsck(2).await;
    assert!(!sound);
    let named = format!("{}: damaged at byte", segment.display());
    assert!(findings.contains(&named), "{findings}");
    let refused = cluster.dev_refused(&["start-node", "2"]).await;
    let said = refused["message"].as_str().unwrap();
    assert!(said.contains("is damaged at byte"), "{said}");

    let new = cluster.add_node().await;
    let removed = cluster
        .cli(&["cluster", "remove", "2", "--lost", "--role", "operator"])
        .await;
    assert_eq!(removed[0]["state"], "REMOVED", "{removed:?}");
    fs::remove_dir_all(cluster.node_dir(2)).unwrap();
    cluster.forget(2);
    load.progress().advance(ADVANCE).await;
    // Without another old node the new one must have all that was acknowledged.
    cluster.kill(3).await;
    load.progress().advance(ADVANCE).await;
    cluster.restart(&[3]).await;
    assert_eq!(cluster.nodes(), [1, 3, new]);
    load.end_and_check(&cluster).await;
}
