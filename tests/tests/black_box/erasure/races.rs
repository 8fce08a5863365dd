//! Writers and readers that a fence meets on their way.

use std::collections::BTreeMap;

use eunoe_client::{StreamOptions, TailEvent, TailStart, input};
use eunoe_tests::wait::{PATIENCE, until_true};

use super::{
    MESSAGES, PATIENT, PURPOSE, TENANT, assert_intact, erase, reason, say, shown, start, subject, talk,
    visitor,
};

#[tokio::test(flavor = "multi_thread")]
async fn e14_appends_that_race_with_a_fence_are_erased_or_refused() {
    let cluster = start(PATIENT).await;
    let client = cluster.client(TENANT).await;
    let id = talk(&client, "anna").await;
    let mut writers = Vec::new();
    for node in [1, 2, 3, 1, 2, 3] {
        let (of_node, id) = (cluster.client_of(node, TENANT).await, id.clone());
        writers.push(tokio::spawn(async move {
            for number in 0.. {
                if let Err(error) = say(&of_node, &id, "anna", &format!("racing {number}")).await {
                    return (number, reason(&error).to_owned());
                }
            }
            unreachable!("an endless loop ended")
        }));
    }
    until_true("some messages are written", async || {
        let whole = client.get_conversation(input::by_id(&id), PURPOSE).await.unwrap();
        whole.head_seq > MESSAGES + 50
    })
    .await;
    erase(&client, subject("anna", false)).await;
    let mut written = MESSAGES;
    for writer in writers {
        let (number, refused) = writer.await.unwrap();
        assert_eq!(refused, "ERASED");
        written += number;
    }
    for node in cluster.nodes() {
        let of_node = cluster.client_of(node, TENANT).await;
        let (texts, erased) = shown(&of_node, &id).await;
        assert_eq!(
            (texts, erased),
            (Vec::new(), written),
            "a message is readable, or lost"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn e14_a_stream_that_races_with_a_fence_ends_in_refusals() {
    let cluster = start(PATIENT).await;
    let client = cluster.client(TENANT).await;
    let (anna, bert) = (talk(&client, "anna").await, talk(&client, "bert").await);
    let of_node = cluster.client_of(2, TENANT).await;
    let mut stream = of_node.stream_append(StreamOptions::default());
    let (mut acks, mut erasing) = (Vec::new(), None);
    for number in 0..600 {
        if number == 200 {
            let client = client.clone();
            erasing = Some(tokio::spawn(async move {
                erase(&client, subject("anna", false)).await
            }));
        }
        for (id, name) in [(&anna, "anna"), (&bert, "bert")] {
            let message = input::text_message(id, visitor(name), PURPOSE, format!("{name} streams {number}"));
            acks.push((name, stream.send(message).await.unwrap()));
        }
    }
    erasing.unwrap().await.unwrap();
    let (mut stored, mut refused) = (BTreeMap::new(), 0);
    for (name, ack) in acks {
        match ack.await {
            Ok(_) => *stored.entry(name).or_insert(MESSAGES) += 1,
            Err(error) => {
                assert_eq!(name, "anna", "the other conversation was refused: {error}");
                refused += 1;
            }
        }
    }
    assert_eq!(stored["bert"], MESSAGES + 600);
    assert_eq!(stored["anna"] + refused, MESSAGES + 600);
    let again = say(&of_node, &anna, "anna", "too late").await.unwrap_err();
    assert_eq!(reason(&again), "ERASED");
    for node in cluster.nodes() {
        let of_node = cluster.client_of(node, TENANT).await;
        assert_eq!(shown(&of_node, &anna).await, (Vec::new(), stored["anna"]));
        let (texts, erased) = shown(&of_node, &bert).await;
        assert_eq!((texts.len() as u64, erased), (stored["bert"], 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn e14_a_tail_is_reset_by_a_fence_and_told_of_it() {
    let cluster = start(PATIENT).await;
    let client = cluster.client(TENANT).await;
    let (anna, bert) = (talk(&client, "anna").await, talk(&client, "bert").await);
    for node in cluster.nodes() {
        let of_node = cluster.client_of(node, TENANT).await;
        let name = format!("carl-{node}");
        let carl = talk(&client, &name).await;
        let (mut tail, mut other) = (
            of_node
                .tail(input::by_id(&carl), PURPOSE, TailStart::AfterSeq(0))
                .await
                .unwrap(),
            of_node
                .tail(input::by_id(&bert), PURPOSE, TailStart::AfterSeq(0))
                .await
                .unwrap(),
        );
        for _ in 0..MESSAGES {
            assert!(matches!(
                tail.next().await.unwrap().unwrap(),
                TailEvent::Message(_)
            ));
            assert!(matches!(
                other.next().await.unwrap().unwrap(),
                TailEvent::Message(_)
            ));
        }
        erase(&client, subject(&name, false)).await;
        let told = tokio::time::timeout(PATIENCE, tail.next()).await.unwrap();
        assert!(matches!(told.unwrap().unwrap(), TailEvent::Erased));
        say(&client, &bert, "bert", "one more").await.unwrap();
        let told = tokio::time::timeout(PATIENCE, other.next()).await.unwrap();
        assert!(
            matches!(told.unwrap().unwrap(), TailEvent::Message(_)),
            "another tail was disturbed"
        );
    }
    assert_intact(&client, &anna).await;
}
