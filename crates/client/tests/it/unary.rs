//! Unary calls against nodes that misbehave: what is repeated, what is not, and with which request id.

use std::time::Duration;

use crate::support::{Authority, Cluster, Fault, message, status};
use eunoe_client::{Client, ErrorCode, MessageQuery, Outcome, Pem, Retry, input};
use futures::TryStreamExt as _;
use tonic::Code;

#[tokio::test]
async fn unavailable_then_ok() {
    let cluster = Cluster::start(1).await;
    cluster.state.fault(Fault::Refuse(status(
        Code::Unavailable,
        "NO_LEADER",
        "no_effect",
        None,
    )));
    let ack = cluster.client().await.append(message("c", "one")).await.unwrap();
    assert_eq!((ack.seq, ack.replayed), (1, false));
    assert_eq!(cluster.state.seen_ids().len(), 2);
}

#[tokio::test]
async fn an_unknown_outcome_is_repeated_with_the_same_request_id_and_a_deadline() {
    let cluster = Cluster::start(2).await;
    cluster.state.fault(Fault::StoreThenFail(status(
        Code::DeadlineExceeded,
        "TIMEOUT",
        "unknown",
        None,
    )));
    let ack = cluster.client().await.append(message("c", "one")).await.unwrap();
    assert!(ack.replayed);
    let seen = cluster.state.seen_ids();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0], seen[1]);
    assert!(!seen[0].is_empty());
    assert_eq!(cluster.state.stored_texts(), ["one"]);
    assert_eq!(*cluster.state.deadlines.lock().unwrap(), [true, true]);
}

#[tokio::test]
async fn a_refusal_is_final() {
    let cluster = Cluster::start(1).await;
    cluster.state.fault(Fault::Refuse(status(
        Code::FailedPrecondition,
        "CLOSED",
        "no_effect",
        None,
    )));
    let error = cluster
        .client()
        .await
        .append(message("c", "one"))
        .await
        .err()
        .unwrap();
    assert_eq!(error.code, ErrorCode::FailedPrecondition);
    assert_eq!(
        (error.reason.as_ref(), error.retry, error.outcome),
        ("CLOSED", Retry::Never, Outcome::NoEffect)
    );
    assert_eq!(cluster.state.seen_ids().len(), 1);
}

#[tokio::test]
async fn the_pause_that_a_full_node_asks_for_is_kept_or_the_call_ends() {
    let cluster = Cluster::start(1).await;
    let full = |pause| Fault::Refuse(status(Code::ResourceExhausted, "QUOTA", "no_effect", Some(pause)));
    let client = cluster.client().await;
    cluster.state.fault(full(Duration::from_millis(5)));
    client.append(message("c", "one")).await.unwrap();
    assert_eq!(cluster.state.seen_ids().len(), 2);

    // Longer than the call may take: no attempt can come after the pause, so there is none.
    cluster.state.fault(full(Duration::from_secs(3_600)));
    let error = client.append(message("c", "two")).await.err().unwrap();
    assert_eq!(
        (error.code, error.retry),
        (ErrorCode::ResourceExhausted, Retry::AfterMs(3_600_000))
    );
    assert_eq!(cluster.state.seen_ids().len(), 3);
}

#[tokio::test]
async fn a_node_that_is_gone_is_passed_over() {
    let cluster = Cluster::start(1).await;
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let mut context = cluster.context();
    context.endpoints = vec![gone, format!("https://{}", cluster.endpoints[0])];
    let client = Client::connect(context).await.unwrap();
    for text in ["one", "two", "three"] {
        client.append(message("c", text)).await.unwrap();
    }
    assert_eq!(cluster.state.stored_texts(), ["one", "two", "three"]);
}

#[tokio::test]
async fn a_node_of_another_authority_is_not_trusted() {
    let cluster = Cluster::start(1).await;
    let mut context = Authority::new().context(&cluster.endpoints);
    context.timeouts.connect = Duration::from_millis(300);
    let error = Client::connect(context).await.err().unwrap();
    assert_eq!(
        (error.reason.as_ref(), error.outcome),
        ("CONNECT_FAILED", Outcome::NoEffect)
    );
}

#[tokio::test]
async fn useless_certificates_are_named_before_anything_is_sent() {
    let authority = Authority::new();
    let mut context = authority.context(&["127.0.0.1:1".to_owned()]);
    context.certificate.as_mut().unwrap().key = Pem::Bytes(b"not a key".to_vec());
    let error = Client::connect(context).await.err().unwrap();
    assert_eq!(error.reason, "BAD_CONTEXT");
    assert!(error.to_string().contains("client key"), "{error}");
    let error = Client::connect(authority.context(&[])).await.err().unwrap();
    assert_eq!(error.reason, "BAD_CONTEXT");
}

#[tokio::test]
async fn a_batch_repeats_only_what_may_be_repeated_and_keeps_the_order() {
    let cluster = Cluster::start(1).await;
    cluster.state.fault(Fault::None);
    cluster.state.fault(Fault::StoreThenFail(status(
        Code::Unavailable,
        "LEADER_LOST",
        "unknown",
        None,
    )));
    cluster.state.fault(Fault::Refuse(status(
        Code::FailedPrecondition,
        "CLOSED",
        "no_effect",
        None,
    )));
    let input = [
        ("a", "a1"),
        ("a", "a2"),
        ("b", "b1"),
        ("a", "a3"),
        ("b", "b2"),
        ("a", "a4"),
    ];
    let messages = input
        .iter()
        .map(|(conversation, text)| message(conversation, text))
        .collect();
    let results = cluster.client().await.append_many(messages).await;
    assert_eq!(cluster.state.stored_texts(), ["a1", "a2", "a3", "a4"]);
    let reasons: Vec<_> = results
        .iter()
        .map(|result| result.as_ref().err().map(|e| e.reason.as_ref()))
        .collect();
    assert_eq!(
        reasons,
        [None, None, Some("CLOSED"), None, Some("EARLIER_REFUSED"), None]
    );
}

#[tokio::test]
async fn a_batch_larger_than_a_call_is_split() {
    let cluster = Cluster::start(1).await;
    let messages: Vec<_> = (0..2_345).map(|n| message("c", &format!("{n}"))).collect();
    let results = cluster.client().await.append_many(messages).await;
    let seqs: Vec<_> = results.into_iter().map(|result| result.unwrap().seq).collect();
    assert_eq!(seqs, (1..=2_345).collect::<Vec<_>>());
    assert_eq!(*cluster.state.calls.lock().unwrap(), 3);
}

#[tokio::test]
async fn all_pages_come_as_one_stream() {
    let cluster = Cluster::start(2).await;
    let client = cluster.client().await;
    client
        .append_many((0..25).map(|n| message("c", &format!("{n}"))).collect())
        .await;
    let mut query = MessageQuery::all(input::by_ref("r"), "support");
    query.page_size = 10;
    let messages: Vec<_> = client
        .list_messages(query)
        .into_stream()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(
        messages.iter().map(|message| message.seq).collect::<Vec<_>>(),
        (1..=25).collect::<Vec<_>>()
    );
}
