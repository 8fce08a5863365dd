//! What FENCED, REKEYED and DESTROYED mean, asked of every node.

mod cancel;
mod crowds;
mod fences;
mod ladder;
mod members;
mod races;
mod reach;
mod replay;
mod shares;

use eunoe_client::erasure_types::{
    Erasure, ErasureGrade, ErasureReason, ErasureState, RequestErasureRequest, Target,
};
use eunoe_client::types::{ContentState, Participant, ParticipantKind, part};
use eunoe_client::{Client, ClientError, MessageQuery, Waited, input};
use eunoe_tests::cluster::{Cluster, Setup};
use eunoe_tests::wait::{PATIENCE, until_true};

pub(crate) const TENANT: &str = "demo";
pub(crate) const PURPOSE: &str = "support";
pub(crate) const MESSAGES: u64 = 12;
/// Epochs begin only when somebody is in a hurry.
pub(crate) const PATIENT: &[&str] = &["--epoch-period", "86400"];
/// The shortest lease.
pub(crate) const SHORT_LEASE: &[&str] = &["--epoch-period", "86400", "--lease", "5"];

pub(crate) fn visitor(name: &str) -> Participant {
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
        Waited::Cancelled(_) => panic!("the erasure was taken back"),
        Waited::TimeOver(_) => panic!("the erasure does not come to {}", state.as_str_name()),
    }
}

/// Three nodes.
pub(crate) async fn start(arguments: &'static [&'static str]) -> Cluster {
    Cluster::start_with(Setup {
        arguments,
        ..Setup::default()
    })
    .await
}

/// Waits until every node has said that it has nothing left of what was erased.
pub(crate) async fn in_full(client: &Client, id: &str) {
    until_true("an erasure is destroyed by everybody's word", async || {
        let erasure = client.erasures().get(id).await.unwrap();
        erasure.grade() == ErasureGrade::Full && erasure.missing_nodes.is_empty()
    })
    .await;
}
