//! How far a fence reaches: to what is about somebody, to lists, to open streams; and who may read of it.

use eunoe_client::erasure_types::{ErasureReason, ErasureState, RequestErasureRequest, Target};
use eunoe_client::types::ContentState;
use eunoe_client::{Client, ClientError, Context, StreamOptions, TailEvent, TailStart, Token, input};
use eunoe_tests::cluster::{Cluster, Setup, connect};
use eunoe_tests::wait::PATIENCE;

use super::{
    MESSAGES, PATIENT, PURPOSE, TENANT, assert_intact, erase, reason, say, start, state, subject, talk,
    visitor, wait_for,
};

async fn one_node() -> Cluster {
    Cluster::start_with(Setup {
        nodes: 1,
        arguments: PATIENT,
        ..Setup::default()
    })
    .await
}

/// Somebody who acts for one tenant only.
async fn dpo_of(cluster: &Cluster, tenant: &str) -> Client {
    by_token(cluster, tenant, "dpo").await
}

async fn by_token(cluster: &Cluster, tenant: &str, role: &str) -> Client {
    let subject = format!("{role}/1");
    let who = ["token", "--tenant", tenant, "--role", role, "--subject", &subject];
    let printed = cluster.dev(&who).await;
    let token = Token::Text(printed["token"].as_str().unwrap().to_owned());
    let any = cluster.context("platform", tenant, None);
    connect(Context::with_token(any.endpoints, any.ca, token, tenant)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_is_reset_by_the_fence_of_somebody_whom_a_part_is_about() {
    let cluster = start(PATIENT).await;
    let client = cluster.client(TENANT).await;
    let (anna, carl) = (talk(&client, "anna").await, talk(&client, "carl").await);
    for node in cluster.nodes() {
        let of_node = cluster.client_of(node, TENANT).await;
        let bert = format!("bert-{node}");
        let mut message = input::text_message(&anna, visitor("anna"), PURPOSE, "Bert is ill");
        message.parts[0].about.push(format!("visitor/{bert}"));
        let told = client.append(message).await.unwrap().seq;
        let mut tails = Vec::new();
        for (id, after) in [(&anna, told - 1), (&carl, MESSAGES - 1)] {
            let start = TailStart::AfterSeq(after);
            let mut tail = of_node.tail(input::by_id(id), PURPOSE, start).await.unwrap();
            let first = tokio::time::timeout(PATIENCE, tail.next()).await.unwrap();
            assert!(matches!(first.unwrap().unwrap(), TailEvent::Message(_)));
            tails.push(tail);
        }
        erase(&client, subject(&bert, false)).await;
        let next = tokio::time::timeout(PATIENCE, tails[0].next()).await.unwrap();
        assert!(matches!(next.unwrap().unwrap(), TailEvent::Erased));
        // It begins behind what it has told; what it tells from the start shows nothing of him.
        let start = TailStart::AfterSeq(told - 1);
        let mut again = of_node.tail(input::by_id(&anna), PURPOSE, start).await.unwrap();
        let first = tokio::time::timeout(PATIENCE, again.next()).await.unwrap();
        match first.unwrap().unwrap() {
            TailEvent::Message(message) => assert!(message.state() == ContentState::Erased),
            TailEvent::Erased | TailEvent::Closed(_) | TailEvent::Typing(_) => panic!("a message was due"),
        }
        say(&client, &carl, "carl", "one more").await.unwrap();
        let next = tokio::time::timeout(PATIENCE, tails[1].next()).await.unwrap();
        assert!(
            matches!(next.unwrap().unwrap(), TailEvent::Message(_)),
            "another tail was disturbed"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fenced_subject_has_no_conversations_to_list() {
    let cluster = one_node().await;
    let client = cluster.client(TENANT).await;
    let (anna, bert) = (talk(&client, "anna").await, talk(&client, "bert").await);
    let list = async |name: &str| {
        let mut pages = client.list_conversations(&format!("visitor/{name}"), PURPOSE, 10);
        let page = pages.next_page().await?.unwrap();
        let ids = page.conversations.into_iter().map(|listed| listed.id);
        Ok::<Vec<String>, ClientError>(ids.collect())
    };
    assert_eq!(list("anna").await.unwrap(), [anna]);
    let erasure = erase(&client, subject("anna", false)).await;
    assert_eq!(state(&erasure), "ERASURE_STATE_FENCED");
    assert_eq!(reason(&list("anna").await.err().unwrap()), "NOT_FOUND");
    assert_eq!(list("bert").await.unwrap(), [bert]);
    // As somebody new, they have what is new.
    let new = talk(&client, "anna").await;
    assert_eq!(list("anna").await.unwrap(), [new]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_erasure_is_nobody_elses_business_and_no_open_stream_holds_it_up() {
    let cluster = one_node().await;
    let (client, other) = (cluster.client(TENANT).await, cluster.client("other").await);
    let (anna, kept) = (talk(&client, "anna").await, talk(&other, "anna").await);
    let mut stream = client.stream_append(StreamOptions::default());
    let message = input::text_message(&anna, visitor("anna"), PURPOSE, "in a stream");
    stream.send(message).await.unwrap().await.unwrap();

    let request = RequestErasureRequest {
        target: Some(Target::WholeTenant(true)),
        reason: ErasureReason::ContractEnded.into(),
        request_id: "leaving".into(),
        ..RequestErasureRequest::default()
    };
    let (own, stranger) = (dpo_of(&cluster, TENANT).await, dpo_of(&cluster, "other").await);
    own.erasures().request(request.clone()).await.unwrap();
    // Somebody with a certificate may be somebody with a token.
    let alone = client.erasures().request(request.clone()).await.unwrap();
    assert_eq!(state(&alone.erasure), "ERASURE_STATE_REQUESTED");
    let erasure = erase(&by_token(&cluster, TENANT, "platform").await, request).await;
    assert!(own.erasures().get(&erasure.id).await.is_ok());
    let refused = stranger.erasures().get(&erasure.id).await;
    assert_eq!(reason(&refused.err().unwrap()), "NOT_FOUND");

    // The stream is open all the while.
    erase(&other, subject("anna", true)).await;
    let erasure = wait_for(&client, &erasure.id, ErasureState::Destroyed).await;
    assert_eq!(erasure.keys_left, 0);
    let refused = stranger.erasures().get(&erasure.id).await;
    assert_eq!(reason(&refused.err().unwrap()), "NOT_FOUND");
    let message = input::text_message(&anna, visitor("anna"), PURPOSE, "too late");
    assert!(stream.send(message).await.unwrap().await.is_err());
    let bert = talk(&other, "bert").await;
    assert_intact(&other, &bert).await;
    assert_ne!(bert, kept);
}
