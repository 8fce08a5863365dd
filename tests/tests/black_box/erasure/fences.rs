//! FENCED, asked of every node, whatever became of it meanwhile.

use eunoe_client::erasure_types::{ErasureGrade, ErasureState, RequestErasureRequest};
use eunoe_client::types::ContentState;
use eunoe_client::{MessageQuery, TailStart, input};
use rustix::process::Signal;

use super::{
    PATIENT, PURPOSE, SHORT_LEASE, TENANT, assert_erased, assert_intact, erase, in_full, reason, say, start,
    state, subject, talk, wait_for,
};

#[tokio::test(flavor = "multi_thread")]
async fn e14_a_fence_holds_for_every_read_on_every_node_and_for_nobody_else() {
    let cluster = start(PATIENT).await;
    let client = cluster.client(TENANT).await;
    let (anna, bert) = (talk(&client, "anna").await, talk(&client, "bert").await);
    let mut nodes = Vec::new();
    for node in cluster.nodes() {
        let of_node = cluster.client_of(node, TENANT).await;
        // The first page is read before, the token of the second is used after the fence.
        let query = MessageQuery {
            page_size: 5,
            ..MessageQuery::all(input::by_id(&anna), PURPOSE)
        };
        let mut pages = of_node.list_messages(query);
        assert_eq!(pages.next_page().await.unwrap().unwrap().messages.len(), 5);
        let tail = of_node
            .tail(input::by_id(&anna), PURPOSE, TailStart::AfterSeq(0))
            .await
            .unwrap();
        nodes.push((of_node, pages, tail));
    }

    let request = RequestErasureRequest {
        request_id: "case-1".into(),
        ..subject("anna", false)
    };
    let erasure = erase(&client, request.clone()).await;
    assert_eq!(
        (state(&erasure), erasure.keys, erasure.keys_left),
        ("ERASURE_STATE_FENCED", 2, 2)
    );
    for (of_node, pages, _) in &mut nodes {
        assert_erased(of_node, &anna).await;
        assert_intact(of_node, &bert).await;
        for message in pages.next_page().await.unwrap().unwrap().messages {
            assert!(message.state() == ContentState::Erased);
        }
        let first = of_node
            .get_message_by_seq(input::by_ref("anna"), 1, PURPOSE)
            .await
            .unwrap();
        assert!(first.state() == ContentState::Erased);
        let whole = of_node
            .get_conversation(input::by_id(&anna), PURPOSE)
            .await
            .unwrap();
        assert!(whole.content_state() == ContentState::Erased);
        assert!(whole.external_ref.is_empty() && whole.participants[0].subject.is_empty());
        let refused = say(of_node, &anna, "anna", "too late").await.unwrap_err();
        assert_eq!(reason(&refused), "ERASED");
        // Asking again gives the same erasure.
        let again = of_node.erasures().request(request.clone()).await.unwrap();
        assert_eq!((again.erasure.id, again.created), (erasure.id.clone(), false));
    }

    // The person comes back as somebody new, at once; the old conversation stays as it is.
    let new = talk(&client, "anna").await;
    assert_ne!(new, anna);
    for (of_node, ..) in &nodes {
        assert_intact(of_node, &new).await;
        assert_erased(of_node, &anna).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn e19_a_node_that_stood_still_for_longer_than_its_lease_wakes_to_what_was_destroyed_meanwhile() {
    let cluster = start(SHORT_LEASE).await;
    let client = cluster.client(TENANT).await;
    let (anna, bert) = (talk(&client, "anna").await, talk(&client, "bert").await);
    for sleeper in cluster.nodes() {
        let of_sleeper = cluster.client_of(sleeper, TENANT).await;
        assert_intact(&of_sleeper, &bert).await;
    }
    let sleeper = 3;
    let (awake, of_sleeper) = (
        cluster.client_of(1, TENANT).await,
        cluster.client_of(sleeper, TENANT).await,
    );
    cluster.process(sleeper).signal(Signal::STOP);
    let erasure = erase(&awake, subject("anna", true)).await;
    assert_erased(&awake, &anna).await;
    // Its memory still has the old root: only the end of its lease speaks for it.
    let destroyed = wait_for(&awake, &erasure.id, ErasureState::Destroyed).await;
    assert!(
        destroyed.grade() == ErasureGrade::Threshold,
        "a node that stands still spoke"
    );
    assert_eq!(destroyed.missing_nodes, [sleeper]);
    let reads: Vec<_> = (0..8)
        .map(|_| {
            let (of_sleeper, anna) = (of_sleeper.clone(), anna.clone());
            tokio::spawn(async move { assert_erased(&of_sleeper, &anna).await })
        })
        .collect();
    cluster.process(sleeper).signal(Signal::CONT);
    for read in reads {
        read.await.unwrap();
    }
    assert_intact(&of_sleeper, &bert).await;
    in_full(&awake, &erasure.id).await;
    let refused = say(&of_sleeper, &anna, "anna", "too late").await.unwrap_err();
    assert_eq!(reason(&refused), "ERASED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fence_survives_every_kill() {
    let mut cluster = start(PATIENT).await;
    let client = cluster.client(TENANT).await;
    let (anna, bert) = (talk(&client, "anna").await, talk(&client, "bert").await);
    erase(&client, subject("anna", false)).await;
    // Nothing of it is flushed yet: the state comes back from the log.
    for node in cluster.nodes() {
        cluster.kill(node).await;
    }
    cluster.start_again().await;
    for node in cluster.nodes() {
        let of_node = cluster.client_of(node, TENANT).await;
        assert_erased(&of_node, &anna).await;
        assert_intact(&of_node, &bert).await;
    }
    // And the epoch that was due goes on.
    let dora = talk(&client, "dora").await;
    let erasure = erase(&client, subject("dora", true)).await;
    wait_for(&client, &erasure.id, ErasureState::Destroyed).await;
    let (mut all, mut rekeyed) = (client.erasures().list(0), 0);
    while let Some(page) = all.next_page().await.unwrap() {
        rekeyed += page
            .iter()
            .filter(|erasure| erasure.state() == ErasureState::Destroyed)
            .count();
    }
    assert_eq!(rekeyed, 2, "an urgent erasure takes the waiting ones along");
    assert_erased(&client, &dora).await;
    assert_intact(&client, &bert).await;
}
