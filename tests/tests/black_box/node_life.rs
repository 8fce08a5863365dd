//! A node alone; a node that is asked to end; a node that is asked for too much.

use eunoe_client::types::{MessageInput, ParticipantKind};
use eunoe_client::{Client, ClientError, ErrorCode, Retry, Tail, TailStart, input};
use eunoe_tests::cluster::{Cluster, Setup, connect};
use eunoe_tests::wait::{PATIENCE, until, until_true};
use rustix::process::Signal;

use crate::load::Load;

const TENANT: &str = "demo";
const PURPOSE: &str = "support";

fn message(conversation: &str, text: &str) -> MessageInput {
    let visitor = input::participant(ParticipantKind::Visitor, "visitor/1");
    input::text_message(conversation, visitor, PURPOSE, text)
}

async fn create(cluster: &Cluster) -> String {
    let visitor = input::participant(ParticipantKind::Visitor, "visitor/1");
    let request = input::support("talk", visitor, PURPOSE);
    let client = cluster.client(TENANT).await;
    client.create_conversation(request).await.unwrap().conversation.id
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_is_a_whole_cluster_and_survives_a_kill() {
    let mut cluster = Cluster::start_with(Setup {
        nodes: 1,
        ..Setup::default()
    })
    .await;
    let conversation = create(&cluster).await;
    let client = cluster.client(TENANT).await;
    for seq in 1..=100 {
        assert_eq!(
            client.append(message(&conversation, "text")).await.unwrap().seq,
            seq
        );
    }
    cluster.kill(1).await;
    cluster.restart(&[1]).await;
    let ack = client.append(message(&conversation, "after")).await.unwrap();
    assert_eq!(ack.seq, 101);
    let name = input::by_id(&conversation);
    assert_eq!(
        client.get_message_by_seq(name, 100, PURPOSE).await.unwrap().seq,
        100
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_asked_to_end_hands_over_its_groups_and_exits_with_0() {
    let mut cluster = Cluster::start().await;
    let client = cluster.client(TENANT).await;
    let load = Load::begin(&client).await;
    for node in cluster.nodes() {
        cluster.terminate(node).await;
        let (mut child, process) = cluster.start_here(node).await;
        let led = until("a node leads a group", async || {
            let leads = leads(&cluster, node).await;
            (!leads.is_empty()).then_some(leads)
        })
        .await;
        load.progress().advance(100).await;

        process.signal(Signal::TERM);
        let ended = tokio::time::timeout(PATIENCE, child.wait()).await;
        let status = ended.expect("a node ends when it is asked to").unwrap();
        assert_eq!(status.code(), Some(0), "{status}");
        let other = cluster.alive()[0];
        let groups = cluster.status_of(other).await.groups;
        for group in groups.iter().filter(|group| led.contains(&group.id)) {
            assert!(
                group.leader.is_some_and(|leader| leader != node),
                "group {} has no new leader",
                group.id
            );
        }
        load.progress().advance(100).await;
        cluster.restart(&[node]).await;
    }
    load.end_and_check(&cluster).await;
}

/// Groups that the node leads, as it sees it; none while it does not answer.
async fn leads(cluster: &Cluster, node: u64) -> Vec<u32> {
    let operator = connect(cluster.context("operator", "", Some(node))).await;
    let Ok(status) = operator.cluster().status().await else {
        return Vec::new();
    };
    let led = status.groups.iter().filter(|group| group.leader == Some(node));
    led.map(|group| group.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_knows_no_majority_is_not_ready_until_it_does() {
    let mut cluster = Cluster::start().await;
    assert!(cluster.readiness(1).await.0);
    for node in [2, 3] {
        cluster.kill(node).await;
    }
    let why = until("a node alone is not ready", async || {
        let (ready, why) = cluster.readiness(1).await;
        (!ready).then_some(why)
    })
    .await;
    assert!(why.contains("quorum") || why.contains("lease"), "{why}");
    let metrics = cluster.metrics(1).await;
    assert!(
        metrics
            .lines()
            .any(|line| line.starts_with("eunoe_serving") && line.ends_with(" 0"))
    );
    cluster.restart(&[2, 3]).await;
    until_true("it is ready again", async || cluster.readiness(1).await.0).await;
}

/// A tail from the first message on, once that came.
async fn tail(client: &Client, conversation: &str) -> Result<Tail, ClientError> {
    let name = input::by_id(conversation);
    let mut tail = client.tail(name, PURPOSE, TailStart::AfterSeq(0)).await?;
    let first = tokio::time::timeout(PATIENCE, tail.next()).await;
    first.expect("a tail tells").expect("it goes on")?;
    Ok(tail)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_has_so_many_tails_and_gives_their_places_back() {
    let cluster = Cluster::start_with(Setup {
        nodes: 1,
        limits: "tails_per_tenant = 2",
        ..Setup::default()
    })
    .await;
    let conversation = create(&cluster).await;
    let patient = cluster.client_of(1, TENANT).await;
    patient.append(message(&conversation, "text")).await.unwrap();
    let mut open = Vec::new();
    for _ in 0..2 {
        open.push(tail(&patient, &conversation).await.unwrap());
    }
    let mut context = cluster.context("platform", TENANT, Some(1));
    // Shorter than the server asks to wait: the refusal is returned rather than waited out.
    context.timeouts.call = std::time::Duration::from_millis(250);
    let impatient = connect(context).await;
    let refusal = tail(&impatient, &conversation).await.err().unwrap();
    assert_eq!(
        (refusal.code, &*refusal.reason),
        (ErrorCode::ResourceExhausted, "CALLER_TAILS")
    );
    assert!(
        matches!(refusal.retry, Retry::AfterMs(ms) if ms > 0),
        "{refusal:?}"
    );
    // Another tenant's places are its own: it is told that there is no such conversation, and not that there is no place.
    let other = cluster.client_of(1, "other").await;
    assert_ne!(
        tail(&other, &conversation).await.err().unwrap().reason,
        "CALLER_TAILS"
    );
    open.pop();
    tail(&patient, &conversation).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_the_quota_is_refused_with_a_time_to_come_back() {
    let cluster = Cluster::start_with(Setup {
        limits: "tenant_messages_per_second = 2",
        ..Setup::default()
    })
    .await;
    let conversation = create(&cluster).await;
    let mut context = cluster.context("platform", TENANT, Some(1));
    // Shorter than the server asks to wait: the refusal is returned rather than waited out.
    context.timeouts.call = std::time::Duration::from_millis(250);
    let impatient = connect(context).await;
    let refusal = until("the quota is used up", async || {
        let sent = impatient.append(message(&conversation, "one of many")).await;
        sent.err()
            .filter(|error| error.code == ErrorCode::ResourceExhausted)
    })
    .await;
    assert_eq!(refusal.reason, "TENANT_QUOTA");
    assert!(
        matches!(refusal.retry, Retry::AfterMs(ms) if ms > 0),
        "{refusal:?}"
    );
    // Another tenant is not concerned, and whoever waits as long as he is told gets through.
    let other = cluster.client_of(1, "other").await;
    let visitor = input::participant(ParticipantKind::Visitor, "visitor/1");
    let request = input::support("talk", visitor, PURPOSE);
    let theirs = other.create_conversation(request).await.unwrap().conversation.id;
    assert_eq!(other.append(message(&theirs, "text")).await.unwrap().seq, 1);
    let patient = cluster.client_of(1, TENANT).await;
    for _ in 0..5 {
        patient
            .append(message(&conversation, "waits its turn"))
            .await
            .unwrap();
    }
}
