//! E10: whoever leads an epoch is cut off in the middle of it. Every step in every role is a matter of the simulator's
//! seeds; here are the moments that differ.

use eunoe_client::erasure_types::ErasureState;
use eunoe_tests::cluster::instrumented::Fate;
use eunoe_tests::wait::until_true;
use rustix::process::Signal;

use super::Stage;
use crate::erasure::{TENANT, assert_intact, in_full, talk, wait_for};

/// Nothing is staged; all is staged; the switch is on its way; it is over and nothing is destroyed.
const MOMENTS: [&str; 4] = [
    "epoch-begun",
    "shares-proposed",
    "switch-proposed",
    "switch-applied",
];

#[tokio::test(flavor = "multi_thread")]
async fn e10_a_leader_that_is_cut_off_in_an_epoch_makes_no_second_switch_and_stops_no_erasure() {
    let stage = Stage::begin(true).await;
    let client = stage.cluster.client(TENANT).await;
    let kept = talk(&client, "kept").await;
    let mut erased = Vec::new();
    for moment in MOMENTS {
        let (leader, others) = stage.roles().await;
        let process = stage.cluster.process(leader).clone();
        let of_other = stage.cluster.client_of(others[0], TENANT).await;
        erased.push(talk(&of_other, moment).await);
        let armed = stage.arm(leader, moment, Fate::Stop);
        let erasing = stage.begin_erasing(others[0], moment).await;
        until_true("the leader stands still", async || {
            armed.is_reached() && process.is_stopped()
        })
        .await;
        stage.cluster.cut_off(leader);
        // It goes on, and does not know that nobody hears it.
        process.signal(Signal::CONT);
        let erasure = erasing.await.unwrap();
        wait_for(&of_other, &erasure.id, ErasureState::Destroyed).await;
        assert_intact(&of_other, &kept).await;
        stage.cluster.heal();
        in_full(&of_other, &erasure.id).await;
        stage.roles().await;
        stage.assert_read(&[&kept], &erased).await;
        stage.assert_one_root().await;
        eprintln!("cut off at {moment}");
    }
}
