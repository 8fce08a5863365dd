//! What FENCED, REKEYED and DESTROYED mean, asked of every node.

use std::collections::BTreeMap;
use std::time::Duration;

use eunoe_client::erasure_types::{
    Erasure, ErasureGrade, ErasureReason, ErasureState, RequestErasureRequest, Target,
};
use eunoe_client::types::{ContentState, Participant, ParticipantKind, part};
use eunoe_client::{Client, ClientError, MessageQuery, StreamOptions, TailEvent, TailStart, Waited, input};
use eunoe_tests::cluster::{Cluster, Setup, connect};
use eunoe_tests::wait::{PATIENCE, until_true};
use rustix::process::Signal;

pub(crate) const TENANT: &str = "demo";
pub(crate) const PURPOSE: &str = "support";
pub(crate) const MESSAGES: u64 = 12;
/// Epochs begin only when somebody is in a hurry.
pub(crate) const PATIENT: &[&str] = &["--epoch-period", "86400"];
/// The shortest lease.
pub(crate) const SHORT_LEASE: &[&str] = &["--epoch-period", "86400", "--lease", "5"];

fn visitor(name: &str) -> Participant {
    input::participant(ParticipantKind::Visitor, format!("visitor/{name}"))
}

/// A conversation with some messages; its id.
pub(crate) async fn talk(client: &Client, name: &str) -> String {
    let request = input::support(name, visitor(name), PURPOSE);
    let id = client.create_conversation(request).await.unwrap().conversation.id;
    for number in 0..MESSAGES {
        say(client, &id, name, &format!("{name} says {number}"))
            .await
            .unwrap();
    }
    id
}

pub(crate) async fn say(client: &Client, id: &str, name: &str, text: &str) -> Result<u64, ClientError> {
    let message = input::text_message(id, visitor(name), PURPOSE, text);
    Ok(client.append(message).await?.seq)
}

pub(crate) fn subject(name: &str, urgent: bool) -> RequestErasureRequest {
    RequestErasureRequest {
        target: Some(Target::Subject(format!("visitor/{name}"))),
        reason: ErasureReason::SubjectRequest.into(),
        urgent,
        ..RequestErasureRequest::default()
    }
}

pub(crate) async fn erase(client: &Client, request: RequestErasureRequest) -> Erasure {
    let requested = client.erasures().request(request).await.unwrap();
    assert!(requested.erasure.state() >= ErasureState::Fenced);
    requested.erasure
}

/// What one node shows of a conversation: readable texts, and how many messages show nothing.
pub(crate) async fn shown(client: &Client, id: &str) -> (Vec<String>, u64) {
    let mut pages = client.list_messages(MessageQuery::all(input::by_id(id), PURPOSE));
    let (mut texts, mut erased) = (Vec::new(), 0);
    while let Some(page) = pages.next_page().await.unwrap() {
        for message in page.messages {
            match message.state() {
                ContentState::Erased => {
                    assert!(message.parts.iter().all(|part| part.content.is_none()));
                    erased += 1;
                }
                ContentState::Ok => {
                    texts.extend(message.parts.into_iter().filter_map(|part| match part.content {
                        Some(part::Content::Text(text)) => Some(text),
                        Some(_) | None => None,
                    }))
                }
                ContentState::Unspecified | ContentState::PartlyErased => {
                    panic!("a message of one owner is readable or erased")
                }
            }
        }
    }
    (texts, erased)
}

pub(crate) async fn assert_erased(client: &Client, id: &str) {
    assert_eq!(shown(client, id).await, (Vec::new(), MESSAGES));
}

pub(crate) async fn assert_intact(client: &Client, id: &str) {
    let (texts, erased) = shown(client, id).await;
    assert_eq!((texts.len() as u64, erased), (MESSAGES, 0));
}

pub(crate) fn reason(error: &ClientError) -> &str {
    &error.reason
}

fn state(erasure: &Erasure) -> &'static str {
    erasure.state().as_str_name()
}

pub(crate) async fn wait_for(client: &Client, id: &str, state: ErasureState) -> Erasure {
    match client.erasures().wait_for(id, state, PATIENCE).await.unwrap() {
        Waited::Reached(erasure) => erasure,
        Waited::TimeOver(_) => panic!("the erasure does not come to {}", state.as_str_name()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fence_holds_for_every_read_on_every_node_and_for_nobody_else() {
    let cluster = Cluster::start_with(Setup {
        arguments: PATIENT,
        ..Setup::default()
    })
    .await;
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
async fn destruction_names_the_silent_node_and_ends_when_it_spoke() {
    let mut cluster = Cluster::start_with(Setup {
        arguments: PATIENT,
        ..Setup::default()
    })
    .await;
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
    until_true("only the silent node is missing", async || {
        let erasure = client.erasures().get(&erasure.id).await.unwrap();
        assert_ne!(state(&erasure), "ERASURE_STATE_DESTROYED", "node 3 said nothing");
        erasure.missing_nodes == [3] && erasure.state() == ErasureState::Rekeyed
    })
    .await;
    assert_erased(&client, &bert).await;
    cluster.restart(&[3]).await;
    let erasure = wait_for(&client, &erasure.id, ErasureState::Destroyed).await;
    assert!(erasure.missing_nodes.is_empty());
    let back = cluster.client_of(3, TENANT).await;
    assert_erased(&back, &anna).await;
    assert_erased(&back, &bert).await;
    assert_intact(&back, &carl).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_slept_through_a_fence_wakes_to_it() {
    let cluster = Cluster::start_with(Setup {
        arguments: SHORT_LEASE,
        ..Setup::default()
    })
    .await;
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
    erase(&awake, subject("anna", false)).await;
    assert_erased(&awake, &anna).await;
    // Longer than its lease.
    tokio::time::sleep(Duration::from_secs(6)).await;
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
    let refused = say(&of_sleeper, &anna, "anna", "too late").await.unwrap_err();
    assert_eq!(reason(&refused), "ERASED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fence_survives_every_kill() {
    let mut cluster = Cluster::start_with(Setup {
        arguments: PATIENT,
        ..Setup::default()
    })
    .await;
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

#[tokio::test(flavor = "multi_thread")]
async fn appends_that_race_with_a_fence_are_erased_or_refused() {
    let cluster = Cluster::start_with(Setup {
        arguments: PATIENT,
        ..Setup::default()
    })
    .await;
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
async fn a_stream_that_races_with_a_fence_ends_in_refusals() {
    let cluster = Cluster::start_with(Setup {
        arguments: PATIENT,
        ..Setup::default()
    })
    .await;
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
async fn a_tail_is_reset_by_a_fence_and_told_of_it() {
    let cluster = Cluster::start_with(Setup {
        arguments: PATIENT,
        ..Setup::default()
    })
    .await;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_is_erased_alone() {
    let cluster = Cluster::start_with(Setup {
        arguments: PATIENT,
        ..Setup::default()
    })
    .await;
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
    let cluster = Cluster::start_with(Setup {
        arguments: PATIENT,
        ..Setup::default()
    })
    .await;
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
