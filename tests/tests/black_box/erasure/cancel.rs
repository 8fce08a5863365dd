//! E15: erasures that are held and taken back, and names that come again meanwhile, on every node.

use eunoe_client::erasure_types::{Erasure, ErasureState, RequestErasureRequest};
use eunoe_client::{Client, Waited};
use eunoe_tests::cluster::{Cluster, connect};
use eunoe_tests::wait::PATIENCE;

use super::{
    PATIENT, TENANT, assert_erased, assert_intact, erase, reason, say, shown, start, state, subject, talk,
    wait_for,
};

const HOUR: u32 = 3_600;

/// Somebody, for whom there is time to think again.
fn held(name: &str) -> RequestErasureRequest {
    RequestErasureRequest {
        hold_seconds: HOUR,
        ..subject(name, true)
    }
}

async fn refusal(client: &Client, id: &str) -> String {
    let refused = client.erasures().cancel(id).await.err().expect("it is refused");
    reason(&refused).to_owned()
}

/// Waits until all keys are back.
async fn taken_back(client: &Client, id: &str) -> Erasure {
    let mut watch = client.erasures().watch(id);
    tokio::time::timeout(PATIENCE, async {
        let mut last = None;
        while let Some(step) = watch.next().await {
            last = Some(step.expect("it is watched"));
        }
        last.expect("it was told")
    })
    .await
    .expect("a watch ends when it is taken back")
}

async fn assert_everywhere_intact(cluster: &Cluster, conversation: &str) {
    for node in cluster.nodes() {
        assert_intact(&cluster.client_of(node, TENANT).await, conversation).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn e15_an_erasure_waits_for_its_hold_and_is_taken_back_until_keys_are_destroyed() {
    let mut cluster = start(PATIENT).await;
    let client = cluster.client(TENANT).await;
    let (anna, bert) = (talk(&client, "anna").await, talk(&client, "bert").await);
    let request = RequestErasureRequest {
        request_id: "thought again".into(),
        ..held("anna")
    };
    let erasure = erase(&client, request.clone()).await;
    let (fence, end) = (
        erasure.fence_time.expect("is fenced"),
        erasure.hold_end_time.expect("is held"),
    );
    assert_eq!(end.seconds, fence.seconds + i64::from(HOUR));

    // An epoch passes it by, urgent as it is.
    let other = erase(&client, subject("bert", true)).await;
    wait_for(&client, &other.id, ErasureState::Destroyed).await;
    assert_eq!(refusal(&client, &other.id).await, "TOO_LATE");
    let now = client.erasures().get(&erasure.id).await.unwrap();
    assert_eq!((state(&now), now.keys_left), ("ERASURE_STATE_FENCED", 2));
    for node in cluster.nodes() {
        assert_erased(&cluster.client_of(node, TENANT).await, &anna).await;
    }

    for node in cluster.nodes() {
        // Again is no error, wherever it is asked for.
        let of_node = cluster.client_of(node, TENANT).await;
        let cancelled = of_node.erasures().cancel(&erasure.id).await.unwrap();
        assert_eq!(
            (state(&cancelled), cancelled.keys_left),
            ("ERASURE_STATE_CANCELLED", 0)
        );
        assert!(cancelled.cancel_time.is_some());
        assert_intact(&of_node, &anna).await;
    }
    assert_eq!(taken_back(&client, &erasure.id).await.keys_left, 0);
    let waited = client
        .erasures()
        .wait_for(&erasure.id, ErasureState::Destroyed, PATIENCE)
        .await;
    assert!(matches!(waited, Ok(Waited::Cancelled(_))));
    let again = client.erasures().request(request).await.err().unwrap();
    assert_eq!(reason(&again), "CANCELLED");

    // What came back is what every process finds.
    for node in cluster.nodes() {
        cluster.kill(node).await;
    }
    cluster.start_again().await;
    assert_everywhere_intact(&cluster, &anna).await;
    assert_erased(&client, &bert).await;
    say(&client, &anna, "anna", "still here").await.unwrap();
    let (texts, erased) = shown(&client, &anna).await;
    assert_eq!(
        (texts.last().map(String::as_str), erased),
        (Some("still here"), 0)
    );

    let last = erase(&client, subject("anna", true)).await;
    assert_ne!(last.id, erasure.id);
    wait_for(&client, &last.id, ErasureState::Destroyed).await;
    assert_eq!(refusal(&client, &last.id).await, "TOO_LATE");
    assert!(shown(&client, &anna).await.0.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn e15_a_name_that_came_again_has_both_keys_when_the_first_is_taken_back_and_loses_both_together() {
    let cluster = start(PATIENT).await;
    let client = cluster.client(TENANT).await;
    let first = talk(&client, "anna").await;
    let erasure = erase(&client, held("anna")).await;
    let second = talk(&client, "anna").await;
    assert_ne!(first, second);
    assert_erased(&client, &first).await;
    assert_everywhere_intact(&cluster, &second).await;

    assert_eq!(
        state(&client.erasures().cancel(&erasure.id).await.unwrap()),
        "ERASURE_STATE_CANCELLED"
    );
    for conversation in [&first, &second] {
        assert_everywhere_intact(&cluster, conversation).await;
    }
    let both = erase(&client, subject("anna", true)).await;
    let both = wait_for(&client, &both.id, ErasureState::Destroyed).await;
    // Two people of one name, a conversation each.
    assert_eq!((both.keys, both.keys_left), (4, 0));
    for node in cluster.nodes() {
        let of_node = cluster.client_of(node, TENANT).await;
        for conversation in [&first, &second] {
            assert_erased(&of_node, conversation).await;
        }
    }
    let third = talk(&client, "anna").await;
    assert_everywhere_intact(&cluster, &third).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dpo_takes_back_what_others_asked_for_and_a_platform_only_its_own() {
    let cluster = start(PATIENT).await;
    let client = cluster.client(TENANT).await;
    let dpo = connect(cluster.context("dpo", TENANT, None)).await;
    let (anna, bert) = (talk(&client, "anna").await, talk(&client, "bert").await);
    let by_dpo = erase(&dpo, held("anna")).await;
    let by_platform = erase(&client, held("bert")).await;
    assert_eq!(refusal(&client, &by_dpo.id).await, "ROLE");
    assert_erased(&client, &anna).await;
    dpo.erasures().cancel(&by_dpo.id).await.unwrap();
    dpo.erasures().cancel(&by_platform.id).await.unwrap();
    for conversation in [&anna, &bert] {
        assert_everywhere_intact(&cluster, conversation).await;
    }
    let other = cluster.client("other").await;
    talk(&other, "anna").await;
    assert_eq!(refusal(&other, &by_dpo.id).await, "NOT_FOUND");
}
