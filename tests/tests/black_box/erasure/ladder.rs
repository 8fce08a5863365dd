//! From FENCED to DESTROYED, for a person, a conversation and a tenant.

use eunoe_client::erasure_types::{ErasureGrade, ErasureReason, ErasureState, RequestErasureRequest, Target};
use eunoe_client::input;
use eunoe_tests::cluster::connect;
use eunoe_tests::wait::until_true;

use super::{
    MESSAGES, PATIENT, PURPOSE, SHORT_LEASE, TENANT, assert_erased, assert_intact, erase, reason, say, start,
    state, subject, talk, visitor, wait_for,
};

#[tokio::test(flavor = "multi_thread")]
async fn e8_a_silent_node_is_named_does_not_stop_destruction_and_makes_it_full_when_it_spoke() {
    // The memory of a node that is silent is waited for as long as its lease lasts.
    let mut cluster = start(SHORT_LEASE).await;
    let client = cluster.client(TENANT).await;
    let (anna, bert, carl) = (
        talk(&client, "anna").await,
        talk(&client, "bert").await,
        talk(&client, "carl").await,
    );
    let erasure = erase(&client, subject("anna", true)).await;
    let erasure = wait_for(&client, &erasure.id, ErasureState::Destroyed).await;
    assert!(erasure.grade() == ErasureGrade::Full && erasure.keys_left == 0);
    for node in cluster.nodes() {
        let of_node = cluster.client_of(node, TENANT).await;
        assert_erased(&of_node, &anna).await;
        assert_intact(&of_node, &bert).await;
        let gone = of_node.get_conversation(input::by_ref("anna"), PURPOSE).await;
        assert_eq!(reason(&gone.err().unwrap()), "NOT_FOUND");
        assert!(
            of_node
                .get_conversation(input::by_ref("bert"), PURPOSE)
                .await
                .is_ok()
        );
    }

    cluster.kill(3).await;
    let erasure = erase(&client, subject("bert", true)).await;
    let destroyed = wait_for(&client, &erasure.id, ErasureState::Destroyed).await;
    assert!(
        destroyed.grade() == ErasureGrade::Threshold,
        "node 3 said nothing"
    );
    assert_eq!(destroyed.missing_nodes, [3]);
    assert_erased(&client, &bert).await;
    cluster.restart(&[3]).await;
    until_true("the node that was silent said so, too", async || {
        let erasure = client.erasures().get(&erasure.id).await.unwrap();
        assert_eq!(state(&erasure), "ERASURE_STATE_DESTROYED");
        erasure.grade() == ErasureGrade::Full && erasure.missing_nodes.is_empty()
    })
    .await;
    let back = cluster.client_of(3, TENANT).await;
    assert_erased(&back, &anna).await;
    assert_erased(&back, &bert).await;
    assert_intact(&back, &carl).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_is_erased_alone() {
    let cluster = start(PATIENT).await;
    let client = cluster.client(TENANT).await;
    let first = talk(&client, "anna").await;
    let second = client
        .create_conversation(input::support("anna again", visitor("anna"), PURPOSE))
        .await
        .unwrap()
        .conversation
        .id;
    for _ in 0..MESSAGES {
        say(&client, &second, "anna", "kept").await.unwrap();
    }
    let request = RequestErasureRequest {
        target: Some(Target::ConversationExternalRef("anna".into())),
        ..subject("", true)
    };
    let erasure = erase(&client, request).await;
    wait_for(&client, &erasure.id, ErasureState::Destroyed).await;
    for node in cluster.nodes() {
        let of_node = cluster.client_of(node, TENANT).await;
        assert_erased(&of_node, &first).await;
        assert_intact(&of_node, &second).await;
        assert_eq!(
            reason(&say(&of_node, &first, "anna", "no").await.unwrap_err()),
            "ERASED"
        );
    }
    // Its name is free again.
    assert_ne!(talk(&client, "anna").await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_goes_when_two_people_ask_and_leaves_the_others_alone() {
    let cluster = start(PATIENT).await;
    let (client, other) = (cluster.client(TENANT).await, cluster.client("other").await);
    let (anna, kept) = (talk(&client, "anna").await, talk(&other, "anna").await);
    let request = RequestErasureRequest {
        target: Some(Target::WholeTenant(true)),
        reason: ErasureReason::ContractEnded.into(),
        request_id: "leaving".into(),
        urgent: true,
        ..RequestErasureRequest::default()
    };
    let alone = client.erasures().request(request.clone()).await;
    assert_eq!(reason(&alone.err().unwrap()), "ROLE");
    let dpo = connect(cluster.context("dpo", TENANT, None)).await;
    for _ in 0..2 {
        // The same person twice is one person.
        let asked = dpo.erasures().request(request.clone()).await.unwrap().erasure;
        assert_eq!(state(&asked), "ERASURE_STATE_REQUESTED");
    }
    assert_intact(&client, &anna).await;
    let erasure = erase(&client, request).await;
    let erasure = wait_for(&dpo, &erasure.id, ErasureState::Destroyed).await;
    // Tenant, subject, conversation, day.
    assert_eq!((erasure.keys, erasure.keys_left), (4, 0));
    for node in cluster.nodes() {
        let of_node = cluster.client_of(node, TENANT).await;
        let gone = of_node.get_conversation(input::by_id(&anna), PURPOSE).await;
        assert_eq!(reason(&gone.err().unwrap()), "NOT_FOUND");
        assert_intact(&cluster.client_of(node, "other").await, &kept).await;
    }
}
