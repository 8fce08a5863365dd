//! StreamAppend and TailConversation over connections that break.

use std::time::Duration;

use crate::support::{Cluster, Fault, message, status};
use eunoe_client::types::Ack;
use eunoe_client::{ClientError, StreamOptions, TailEvent, TailStart, input};
use tonic::Code;

/// Sends all texts with conversation names, and waits for all results.
async fn send_all(cluster: &Cluster, window: usize, all: &[(&str, String)]) -> Vec<Result<Ack, ClientError>> {
    let client = cluster.client().await;
    let mut appender = client.stream_append(StreamOptions {
        window,
        ..Default::default()
    });
    let mut pending = Vec::new();
    for (conversation, text) in all {
        pending.push(appender.send(message(conversation, text)).await.unwrap());
    }
    appender.finish().await;
    futures::future::join_all(pending).await
}

#[tokio::test]
async fn a_broken_stream_is_sent_again_in_order_and_nothing_twice() {
    let cluster = Cluster::start(3).await;
    for breaks_after in [3, 0, 17, 1] {
        (0..breaks_after).for_each(|_| cluster.state.fault(Fault::None));
        cluster.state.fault(Fault::StoreThenBreak);
    }
    let all: Vec<_> = (0..200).map(|n| ("c", format!("text {n}"))).collect();
    let results = send_all(&cluster, 16, &all).await;
    let seqs: Vec<_> = results.into_iter().map(|result| result.unwrap().seq).collect();
    assert_eq!(seqs, (1..=200).collect::<Vec<_>>());
    assert_eq!(
        cluster.state.stored_texts(),
        all.iter().map(|(_, text)| text.clone()).collect::<Vec<_>>()
    );

    // Every stream began with the first message that was not acknowledged, and went on in order.
    let stored: Vec<_> = cluster
        .state
        .stored
        .lock()
        .unwrap()
        .iter()
        .map(|m| m.request_id.clone())
        .collect();
    let seen = cluster.state.seen.lock().unwrap().clone();
    for streams in seen.chunk_by(|a, b| a.0 == b.0) {
        let places: Vec<_> = streams
            .iter()
            .map(|(_, id)| stored.iter().position(|s| s == id).unwrap())
            .collect();
        assert!(places.windows(2).all(|pair| pair[1] == pair[0] + 1), "{places:?}");
    }
    assert_eq!(seen.chunk_by(|a, b| a.0 == b.0).count(), 5);
}

#[tokio::test]
async fn a_message_with_an_unknown_outcome_is_sent_again_before_those_behind_it() {
    let cluster = Cluster::start(1).await;
    cluster.state.fault(Fault::None);
    cluster.state.fault(Fault::Refuse(status(
        Code::Unavailable,
        "NO_LEADER",
        "unknown",
        None,
    )));
    cluster.state.fault(Fault::None);
    let full = status(
        Code::ResourceExhausted,
        "FULL",
        "no_effect",
        Some(Duration::from_millis(5)),
    );
    cluster.state.fault(Fault::Refuse(full));
    let all: Vec<_> = (0..50).map(|n| ("c", format!("text {n}"))).collect();
    let results = send_all(&cluster, 50, &all).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(
        cluster.state.stored_texts(),
        all.iter().map(|(_, text)| text.clone()).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_refused_message_refuses_the_later_ones_of_its_conversation_only() {
    let cluster = Cluster::start(1).await;
    cluster.state.fault(Fault::None);
    cluster.state.fault(Fault::Refuse(status(
        Code::FailedPrecondition,
        "CLOSED",
        "no_effect",
        None,
    )));
    cluster.state.fault(Fault::None);
    cluster.state.fault(Fault::StoreThenBreak);
    let all = ["a", "b", "a", "a", "b", "a", "b"].map(|conversation| (conversation, conversation.to_owned()));
    let results = send_all(&cluster, 100, &all).await;
    let reasons: Vec<_> = results
        .iter()
        .map(|result| result.as_ref().err().map(|e| e.reason.as_ref()))
        .collect();
    let later = Some("EARLIER_REFUSED");
    assert_eq!(reasons, [None, Some("CLOSED"), None, None, later, None, later]);
    assert_eq!(cluster.state.stored_texts(), ["a"; 4]);
}

#[tokio::test]
async fn a_stream_that_cannot_go_on_says_so_to_everybody() {
    let cluster = Cluster::start(1).await;
    let mut context = cluster.context();
    context.timeouts.call = Duration::from_millis(200);
    let client = eunoe_client::Client::connect(context).await.unwrap();
    (0..1_000).for_each(|_| {
        cluster.state.fault(Fault::Refuse(status(
            Code::Unavailable,
            "NO_LEADER",
            "unknown",
            None,
        )));
    });
    let mut appender = client.stream_append(StreamOptions::default());
    let first = appender.send(message("c", "one")).await.unwrap();
    let second = appender.send(message("c", "two")).await.unwrap();
    assert_eq!(first.await.err().unwrap().reason, "NO_LEADER");
    assert!(second.await.is_err());
    appender.finish().await;
    assert!(cluster.state.stored_texts().is_empty());
}

/// Follows the conversation to its end.
async fn follow(cluster: &Cluster, start: TailStart) -> Vec<u64> {
    let client = cluster.client().await;
    let mut tail = client.tail(input::by_ref("r"), "support", start).await.unwrap();
    let mut seqs = Vec::new();
    while let Some(event) = tail.next().await {
        match event.unwrap() {
            TailEvent::Message(message) => seqs.push(message.seq),
            TailEvent::Closed(_) => assert_eq!(tail.position(), Some("end")),
            TailEvent::Erased => seqs.push(0),
            TailEvent::Typing(_) => panic!("nobody typed"),
        }
    }
    seqs
}

#[tokio::test]
async fn a_tail_resumes_elsewhere_without_gap_or_repeat() {
    let cluster = Cluster::start(2).await;
    // The second node repeats a message, the third leaves one out and has to be asked again.
    *cluster.state.tails.lock().unwrap() = [vec![1, 2, 3], vec![3, 4], vec![6, 7], vec![], vec![5, 6, 7]]
        .into_iter()
        .collect();
    assert_eq!(
        follow(&cluster, TailStart::AfterSeq(0)).await,
        [1, 2, 3, 4, 5, 6, 7]
    );
    let starts = cluster.state.tail_starts.lock().unwrap().clone();
    assert_eq!(
        starts,
        [
            "seq:0",
            "position:3",
            "position:4",
            "position:4",
            "position:4",
            "position:7"
        ]
    );
}

#[tokio::test]
async fn a_tail_tells_of_an_erasure_in_its_place_and_resumes_after_it() {
    let cluster = Cluster::start(2).await;
    *cluster.state.tails.lock().unwrap() = [vec![1, 0], vec![2]].into_iter().collect();
    assert_eq!(follow(&cluster, TailStart::AfterSeq(0)).await, [1, 0, 2]);
    assert_eq!(
        *cluster.state.tail_starts.lock().unwrap(),
        ["seq:0", "position:0", "position:2"]
    );
}

#[tokio::test]
async fn a_tail_from_now_stays_there_when_its_first_connection_breaks() {
    let cluster = Cluster::start(2).await;
    let client = cluster.client().await;
    client
        .append_many(vec![message("c", "one"), message("c", "two")])
        .await;
    *cluster.state.tails.lock().unwrap() = [vec![], vec![3]].into_iter().collect();
    assert_eq!(follow(&cluster, TailStart::Now).await, [3]);
    assert_eq!(cluster.state.tail_starts.lock().unwrap()[..2], ["seq:2", "seq:2"]);
}
