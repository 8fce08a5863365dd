//! Erasures while one node is cut off from the others, or comes back from an older state.

use std::time::Duration;

use eunoe_client::types::ContentState;
use eunoe_client::{
    Client, ClientError, ErrorCode, MessagePages, MessageQuery, Tail, TailEvent, TailStart, input,
};
use eunoe_tests::cluster::{Cluster, Setup, connect};
use eunoe_tests::forensics::Carried;
use eunoe_tests::wait::{PATIENCE, until_true};
use futures::future::join_all;

use crate::erasure::{
    MESSAGES, PURPOSE, SHORT_LEASE, TENANT, assert_erased, assert_intact, erase, reason, say, subject, talk,
};
use crate::forensics::kid;

/// A call to a node that cannot answer is over after so long.
const CALL_TIME: Duration = Duration::from_secs(4);
const CONTROL: u32 = 0;

/// A client of one node that gives up soon.
pub(crate) async fn impatient(cluster: &Cluster, node: u64) -> Client {
    let mut context = cluster.context("platform", TENANT, Some(node));
    context.timeouts.call = CALL_TIME;
    connect(context).await
}

/// Reads a conversation: whether the node answered. What it answers must show nothing of an erased one.
pub(crate) async fn shows_nothing(client: &Client, id: &str) -> Result<(), ClientError> {
    let mut pages = client.list_messages(MessageQuery::all(input::by_id(id), PURPOSE));
    loop {
        match pages.next_page().await {
            Ok(Some(page)) => {
                for message in page.messages {
                    assert!(message.state() == ContentState::Erased, "a message is readable");
                    assert!(message.parts.iter().all(|part| part.content.is_none()));
                }
            }
            Ok(None) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Reads the first of several pages.
async fn begin_reading(client: &Client, id: &str) -> MessagePages {
    let mut pages = client.list_messages(MessageQuery {
        page_size: 5,
        ..MessageQuery::all(input::by_id(id), PURPOSE)
    });
    assert_eq!(pages.next_page().await.unwrap().unwrap().messages.len(), 5);
    pages
}

/// Follows a conversation and has all messages that it holds.
async fn begin_tail(client: &Client, id: &str) -> Tail {
    let begun = client.tail(input::by_id(id), PURPOSE, TailStart::AfterSeq(0));
    let mut tail = begun.await.unwrap();
    for _ in 0..MESSAGES {
        assert!(matches!(
            tail.next().await.unwrap().unwrap(),
            TailEvent::Message(_)
        ));
    }
    tail
}

/// The lease of a node that is cut off ends whatever it believes, and with it the keys in its memory.
pub(crate) async fn until_it_holds_no_keys(cluster: &Cluster, node: u64, client: &Client, id: &str) {
    until_true("the node that is cut off holds no keys", async || {
        // Some are always under way, in the moment that the lease ends, too.
        let reads = (0..4).map(async |turn| {
            tokio::time::sleep(turn * Duration::from_millis(400)).await;
            assert_does_not_answer(client, id).await;
        });
        join_all(reads).await;
        let nodes = cluster.status_of(node).await.nodes;
        let itself = nodes.into_iter().find(|row| row.id == node).unwrap();
        itself.unsealed == Some(false)
    })
    .await;
}

/// A node that cannot know what was fenced says that it cannot answer, or says nothing until the call is over.
pub(crate) async fn assert_does_not_answer(client: &Client, id: &str) {
    let refused = shows_nothing(client, id).await.unwrap_err();
    let unanswered = [ErrorCode::Unavailable, ErrorCode::DeadlineExceeded];
    assert!(unanswered.contains(&refused.code), "{refused}");
}

/// The leader of the control group, as a node sees it.
pub(crate) async fn leader(cluster: &Cluster, node: u64) -> Option<u64> {
    let groups = cluster.status_of(node).await.groups;
    let control = groups.into_iter().find(|group| group.id == CONTROL);
    control.unwrap().leader
}

/// Cuts off a node (the control group's leader, or another) and erases meanwhile.
async fn erase_behind_the_back_of(is_cut: impl Fn(u64, u64) -> bool) {
    let cluster = Cluster::start_with(Setup {
        arguments: SHORT_LEASE,
        cuttable: true,
        ..Setup::default()
    })
    .await;
    let client = cluster.client(TENANT).await;
    let (anna, bert) = (talk(&client, "anna").await, talk(&client, "bert").await);
    let leads = leader(&cluster, 1).await.unwrap();
    let mut nodes = cluster.nodes();
    let at = nodes.iter().position(|node| is_cut(*node, leads)).unwrap();
    let cut = nodes.remove(at);
    let of_cut = impatient(&cluster, cut).await;
    // Whatever it could keep in memory of them it has now.
    for id in [&anna, &bert] {
        assert_intact(&of_cut, id).await;
    }
    let mut begun = [
        begin_reading(&of_cut, &anna).await,
        begin_reading(&of_cut, &anna).await,
    ];
    let mut tail = begin_tail(&cluster.client_of(cut, TENANT).await, &anna).await;

    cluster.cut_off(cut);
    let mut others = Vec::new();
    for node in &nodes {
        others.push(cluster.client_of(*node, TENANT).await);
    }
    erase(&others[0], subject("anna", false)).await;
    for of_node in &others {
        assert_erased(of_node, &anna).await;
        assert_intact(of_node, &bert).await;
    }
    assert_does_not_answer(&of_cut, &anna).await;
    until_it_holds_no_keys(&cluster, cut, &of_cut, &anna).await;
    for id in [&anna, &bert] {
        assert_does_not_answer(&of_cut, id).await;
    }
    assert!(
        begun[0].next_page().await.is_err(),
        "a page token is good for more than a call"
    );

    cluster.heal();
    until_true("the node answers again", async || {
        shows_nothing(&of_cut, &anna).await.is_ok()
    })
    .await;
    let page = begun[1].next_page().await.unwrap().unwrap();
    assert!(
        page.messages
            .iter()
            .all(|message| message.state() == ContentState::Erased)
    );
    let told = tokio::time::timeout(PATIENCE, tail.next()).await.unwrap();
    assert!(matches!(told.unwrap().unwrap(), TailEvent::Erased));
    let back = cluster.client_of(cut, TENANT).await;
    assert_erased(&back, &anna).await;
    assert_intact(&back, &bert).await;
    let refused = say(&back, &anna, "anna", "too late").await.unwrap_err();
    assert_eq!(reason(&refused), "ERASED");
    say(&back, &bert, "bert", "in time").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_cut_off_shows_nothing_that_was_erased_meanwhile() {
    erase_behind_the_back_of(|node, leader| node != leader).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_cut_off_shows_nothing_that_was_erased_meanwhile() {
    erase_behind_the_back_of(|node, leader| node == leader).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_falls_back_to_an_older_state_shows_nothing_that_was_erased_since() {
    let mut cluster = Cluster::start_with(Setup {
        arguments: SHORT_LEASE,
        ..Setup::default()
    })
    .await;
    let client = cluster.client(TENANT).await;
    // What comes before this restart is flushed, what comes after it is in the log alone.
    let kept = talk(&client, "bert").await;
    cluster.stop().await;
    cluster.start_again().await;
    let client = cluster.client(TENANT).await;
    let (anna, carl) = (talk(&client, "anna").await, talk(&client, "carl").await);
    let killed = 3;
    let of_killed = impatient(&cluster, killed).await;
    for id in [&anna, &carl, &kept] {
        assert_intact(&of_killed, id).await;
    }
    // One fence that it knew and has not flushed, one that it never heard of.
    erase(&client, subject("anna", false)).await;
    assert_erased(&of_killed, &anna).await;
    cluster.kill(killed).await;
    let fallen = Carried::from(&cluster.node_dir(killed));
    assert!(
        !fallen.keys().contains_key(&kid(&anna)),
        "all that happened was flushed"
    );
    drop(fallen);
    let awake = cluster.client_of(1, TENANT).await;
    erase(&awake, subject("carl", false)).await;

    let read = |id| shows_nothing_from_the_first(&of_killed, id);
    let alone = [killed];
    tokio::join!(
        cluster.restart(&alone),
        read(&anna),
        read(&carl),
        read(&anna),
        read(&carl)
    );
    let back = cluster.client_of(killed, TENANT).await;
    for id in [&anna, &carl] {
        assert_erased(&back, id).await;
    }
    assert_intact(&back, &kept).await;
}

/// Reads from before a node is up until it answers.
pub(crate) async fn shows_nothing_from_the_first(client: &Client, id: &str) {
    until_true("the node answers", async || {
        shows_nothing(client, id).await.is_ok()
    })
    .await;
}
