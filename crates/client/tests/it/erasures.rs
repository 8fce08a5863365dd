//! Erasures: what is repeated and with which request id, and how a watch goes on when its node does not.

use std::time::Duration;

use eunoe_client::erasure_types::{
    Erasure, ErasureGrade, ErasureKind, ErasureReason, ErasureState, RequestErasureRequest, Target,
};
use eunoe_client::{Client, ErrorCode, Waited};
use futures::TryStreamExt as _;
use tonic::Code;

use crate::support::erasure::{Step, at, cancelled, to};
use crate::support::{Cluster, status};

fn request(target: Target, request_id: &str) -> RequestErasureRequest {
    RequestErasureRequest {
        target: Some(target),
        request_id: request_id.to_owned(),
        reason: ErasureReason::SubjectRequest.into(),
        ..Default::default()
    }
}

fn subject(state: ErasureState) -> Erasure {
    at("e", state, ErasureKind::Subject)
}

/// Destroyed by so many that nobody can put a root together, while node 3 is silent.
fn destroyed_but_for_node_3() -> Erasure {
    let mut erasure = subject(ErasureState::Destroyed);
    erasure.set_grade(ErasureGrade::Threshold);
    erasure.missing_nodes = vec![3];
    erasure
}

/// Names, for the messages have no `Debug`.
fn state(erasure: &Erasure) -> &'static str {
    let name = erasure.state().as_str_name();
    name.strip_prefix("ERASURE_STATE_").unwrap()
}

/// What a watch told, in order: state, grade, missing nodes.
async fn told(client: &Client) -> Vec<(&'static str, &'static str, Vec<u64>)> {
    let steps = client.erasures().watch("e").into_stream();
    let steps = steps.map_ok(|erasure| {
        let grade = erasure.grade().as_str_name();
        let grade = grade.strip_prefix("ERASURE_GRADE_").unwrap();
        (state(&erasure), grade, erasure.missing_nodes)
    });
    steps.try_collect().await.unwrap()
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_with_the_same_request_id() {
    let cluster = Cluster::start(2).await;
    let lost = status(Code::DeadlineExceeded, "TIMEOUT", "unknown", None);
    cluster.ladder.lost.lock().unwrap().push_back(lost);
    let client = cluster.client().await;
    let target = Target::Subject("visitor/1".to_owned());
    let answer = client.erasures().request(request(target, "")).await.unwrap();
    assert!(!answer.created, "the attempt before had recorded it");
    assert_eq!(state(&answer.erasure), "FENCED");
    let seen = cluster.ladder.requests.lock().unwrap();
    let ids: Vec<_> = seen.iter().map(|request| request.request_id.as_str()).collect();
    assert_eq!(ids, [&answer.request_id; 2]);
    assert!(!answer.request_id.is_empty());
    assert!(seen.iter().all(|request| request.tenant == "acme"));
}

#[tokio::test]
async fn a_tenant_is_fenced_when_the_second_person_repeats_the_request_id() {
    let cluster = Cluster::start(1).await;
    let client = cluster.client().await;
    let ask = async |request_id: &str| {
        let request = request(Target::WholeTenant(true), request_id);
        client.erasures().request(request).await.unwrap()
    };
    let first = ask("").await;
    assert_eq!(state(&first.erasure), "REQUESTED");
    let second = ask(&first.request_id).await;
    assert_eq!((state(&second.erasure), second.created), ("FENCED", false));
    assert_eq!(second.erasure.id, first.erasure.id);
}

#[tokio::test]
async fn an_erasure_is_found_by_its_id_and_in_the_pages_newest_first() {
    let cluster = Cluster::start(1).await;
    for id in ["a", "b", "c"] {
        cluster
            .ladder
            .put(at(id, ErasureState::Fenced, ErasureKind::Conversation));
    }
    let client = cluster.client().await;
    assert_eq!(client.erasures().get("b").await.unwrap().id, "b");
    let unknown = client.erasures().get("d").await.err().unwrap();
    assert_eq!(unknown.code, ErrorCode::NotFound);
    for page_size in [0, 1, 3] {
        let all: Vec<_> = client
            .erasures()
            .list(page_size)
            .into_stream()
            .map_ok(|erasure| erasure.id)
            .try_collect()
            .await
            .unwrap();
        assert_eq!(all, ["c", "b", "a"]);
    }
}

#[tokio::test]
async fn a_watch_tells_each_step_once_whatever_its_nodes_do() {
    let cluster = Cluster::start(2).await;
    cluster.ladder.put(subject(ErasureState::Fenced));
    cluster.ladder.climb([
        Step::Break,
        to(subject(ErasureState::Rekeyed)),
        Step::End,
        // This node is behind the one before.
        to(subject(ErasureState::Fenced)),
        to(destroyed_but_for_node_3()),
        Step::Break,
        to(subject(ErasureState::Destroyed)),
    ]);
    assert_eq!(
        told(&cluster.client().await).await,
        [
            ("FENCED", "UNSPECIFIED", vec![]),
            ("REKEYED", "UNSPECIFIED", vec![2, 3]),
            ("DESTROYED", "THRESHOLD", vec![3]),
            ("DESTROYED", "FULL", vec![]),
        ]
    );
    assert_eq!(*cluster.ladder.watches.lock().unwrap(), 4);
}

#[tokio::test]
async fn a_silent_watch_is_asked_for_again() {
    let cluster = Cluster::start(2).await;
    cluster.ladder.put(subject(ErasureState::Fenced));
    let mut context = cluster.context();
    context.timeouts.tail_silence = Duration::from_millis(50);
    let client = Client::connect(context).await.unwrap();
    let mut watch = client.erasures().watch("e");
    let first = watch.next().await.unwrap().unwrap();
    assert_eq!(state(&first), "FENCED");
    // No stream that is open tells of this.
    cluster.ladder.replace(subject(ErasureState::Destroyed));
    let next = watch.next().await.unwrap().unwrap();
    assert_eq!(state(&next), "DESTROYED");
    assert!(watch.next().await.is_none());
}

#[tokio::test]
async fn a_watch_of_nothing_ends_with_the_reason() {
    let cluster = Cluster::start(1).await;
    let client = cluster.client().await;
    let mut watch = client.erasures().watch("e");
    assert_eq!(
        watch.next().await.unwrap().err().unwrap().code,
        ErrorCode::NotFound
    );
    assert!(watch.next().await.is_none());
}

#[tokio::test]
async fn waiting_ends_at_the_state_that_was_asked_for_or_beyond_it() {
    let cluster = Cluster::start(1).await;
    cluster.ladder.put(subject(ErasureState::Requested));
    cluster
        .ladder
        .climb([to(subject(ErasureState::Rekeyed)), to(destroyed_but_for_node_3())]);
    let client = cluster.client().await;
    let wait = async |state, within| client.erasures().wait_for("e", state, within).await.unwrap();
    let long = Duration::from_secs(3_600);
    for (wanted, reached) in [
        (ErasureState::Fenced, "REKEYED"),
        (ErasureState::Destroyed, "DESTROYED"),
    ] {
        let Waited::Reached(erasure) = wait(wanted, long).await else {
            panic!("the time was not over")
        };
        assert_eq!(state(&erasure), reached);
    }
}

#[tokio::test]
async fn when_the_time_is_over_the_last_known_step_is_told() {
    let cluster = Cluster::start(1).await;
    cluster.ladder.put(subject(ErasureState::Rekeyed));
    let client = cluster.client().await;
    let erasures = client.erasures();
    // The watch stays silent after its first step, however much time there is.
    let waited = erasures
        .wait_for("e", ErasureState::Destroyed, Duration::from_secs(3))
        .await;
    let Waited::TimeOver(Some(erasure)) = waited.unwrap() else {
        panic!("it is not destroyed, and a node said how far it is")
    };
    assert_eq!(erasure.missing_nodes, [2, 3]);
    let unknown = erasures
        .wait_for("x", ErasureState::Destroyed, Duration::from_secs(60))
        .await;
    assert_eq!(unknown.err().unwrap().code, ErrorCode::NotFound);
}

#[tokio::test]
async fn taking_back_is_repeated_after_a_lost_answer_and_ends_watches_and_waits() {
    let cluster = Cluster::start(2).await;
    cluster.ladder.put(subject(ErasureState::Fenced));
    let lost = status(Code::Unavailable, "OUTCOME_UNKNOWN", "unknown", None);
    cluster.ladder.lost.lock().unwrap().push_back(lost);
    let client = cluster.client().await;
    let erasure = client.erasures().cancel("e").await.unwrap();
    assert_eq!((state(&erasure), erasure.keys_left), ("CANCELLED", 0));
    // As the last step, told to those who wait for more.
    cluster.ladder.replace(subject(ErasureState::Fenced));
    cluster
        .ladder
        .climb([to(cancelled(&subject(ErasureState::Fenced)))]);
    let waited = client
        .erasures()
        .wait_for("e", ErasureState::Destroyed, Duration::from_secs(60))
        .await;
    assert!(
        matches!(waited, Ok(Waited::Cancelled(_))),
        "it is no end of the ladder"
    );
    let steps: Vec<_> = told(&client).await.into_iter().map(|step| step.0).collect();
    assert_eq!(steps, ["CANCELLED"]);

    cluster.ladder.replace(subject(ErasureState::Rekeyed));
    let refused = client.erasures().cancel("e").await.err().unwrap();
    assert_eq!(refused.code, ErrorCode::FailedPrecondition);
}
