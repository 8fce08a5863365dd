//! Nodes come and go while erasures go on.

use eunoe_crypto::OsEntropy;
use eunoe_vault::{ErasableVault as _, FileVault, FileVaultOptions};

use super::{PATIENT, TENANT, assert_erased, assert_intact, erase, in_full, start, subject, talk};

#[tokio::test(flavor = "multi_thread")]
async fn a_node_joins_during_epochs_and_leaves_in_order_and_keeps_nothing_from_being_destroyed() {
    let mut cluster = start(PATIENT).await;
    let client = cluster.client(TENANT).await;
    let kept = talk(&client, "kept").await;
    let mut erasures = Vec::new();
    let erasing = async {
        loop {
            let name = format!("visitor-{}", erasures.len());
            talk(&client, &name).await;
            erasures.push(erase(&client, subject(&name, true)).await.id);
        }
    };
    let new = tokio::select! {
        biased;
        new = cluster.add_node() => new,
        () = erasing => panic!("erasing does not end by itself"),
    };
    for id in &erasures {
        in_full(&client, id).await;
    }
    assert_intact(&cluster.client_of(new, TENANT).await, &kept).await;

    let removal = ["cluster", "remove", &new.to_string(), "--role", "operator"];
    let removed = cluster.cli(&removal).await;
    assert_eq!(removed[0]["state"], "REMOVED", "{removed:?}");
    cluster.terminate(new).await;
    let options = FileVaultOptions {
        allow_unsafe_medium: true,
    };
    let folder = cluster.node_dir(new).join("vault");
    let vault = FileVault::open(&folder, options, Box::new(OsEntropy)).unwrap();
    assert_eq!(
        vault.list().unwrap(),
        [],
        "a node that left has a share in its vault"
    );
    let talked = talk(&client, "anna").await;
    let erasure = erase(&client, subject("anna", true)).await;
    in_full(&client, &erasure.id).await;
    assert_erased(&client, &talked).await;
    assert_intact(&client, &kept).await;
    // Again, after an answer that got lost.
    let removed = cluster.cli(&removal).await;
    assert_eq!(removed[0]["state"], "REMOVED", "{removed:?}");
}
