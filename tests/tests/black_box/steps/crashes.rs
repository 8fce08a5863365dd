//! E11: `kill -9` at every step of an epoch, of the node that leads it and of one that keeps a share.

use eunoe_client::erasure_types::ErasureState;
use eunoe_tests::cluster::instrumented::Fate;
use eunoe_tests::wait::until;

use super::Stage;
use crate::erasure::{TENANT, in_full, talk};

/// Steps of an epoch in their order, and whether others than the leader come to them.
const STEPS: [(&str, bool); 11] = [
    ("epoch-begun", false),
    ("chunk-proposed", false),
    ("share-arrived", true),
    ("share-kept", true),
    ("shares-proposed", false),
    ("verified", true),
    ("switch-proposed", false),
    ("switch-applied", true),
    ("root-wiped", true),
    ("share-destroyed", true),
    ("attested", true),
];
/// An epoch may need one node less than there are: whoever is late comes to some steps in another one.
const EPOCHS_MAX: u32 = 10;

#[tokio::test(flavor = "multi_thread")]
async fn e11_a_node_that_is_killed_at_any_step_of_an_epoch_loses_nothing_and_keeps_nothing() {
    let mut stage = Stage::begin(false).await;
    let client = stage.cluster.client(TENANT).await;
    let kept = talk(&client, "kept").await;
    drop(client);
    for (step, of_all) in STEPS {
        let roles = if of_all { &[true, false][..] } else { &[true] };
        for leads in roles {
            let erased = kill_at(&mut stage, step, *leads).await;
            stage.assert_read(&[&kept], &erased).await;
            stage.assert_one_root().await;
            eprintln!("killed at {step}, leading: {leads}");
        }
    }
}

/// Answers the conversations that were erased meanwhile.
async fn kill_at(stage: &mut Stage, step: &str, leads: bool) -> Vec<String> {
    let (leader, others) = stage.roles().await;
    let (victim, witness) = if leads {
        (leader, others[0])
    } else {
        (others[0], others[1])
    };
    let process = stage.cluster.process(victim).clone();
    let armed = stage.arm(victim, step, Fate::Kill);
    let client = stage.cluster.client_of(witness, TENANT).await;
    let (mut erasures, mut erased) = (Vec::new(), Vec::new());
    for number in 0..EPOCHS_MAX {
        let name = format!("{step}-{leads}-{number}");
        erased.push(talk(&client, &name).await);
        let erasure = stage.begin_erasing(witness, &name).await.await.unwrap();
        let is_killed = until("a node is killed, or the epoch is over without it", async || {
            if armed.is_reached() && !process.is_alive() {
                return Some(true);
            }
            let now = client.erasures().get(&erasure.id).await.unwrap();
            let is_over = now.state() >= ErasureState::Destroyed && now.missing_nodes.is_empty();
            (is_over && !armed.is_reached()).then_some(false)
        })
        .await;
        erasures.push(erasure.id);
        if is_killed {
            break;
        }
    }
    assert!(armed.is_reached(), "{step} was never reached, leading: {leads}");
    stage.cluster.kill(victim).await;
    stage.cluster.restart(&[victim]).await;
    for id in &erasures {
        in_full(&client, id).await;
    }
    // A root that came back half-way is shared anew, and then there is one.
    stage.roles().await;
    erased
}
