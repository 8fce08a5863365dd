//! E13: people come, come back and go on talking while epochs leave many others out and freeze the pages that new keys
//! would be filed in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use eunoe_client::erasure_types::ErasureState;
use eunoe_client::{Client, input};
use eunoe_tests::cluster::Cluster;
use tokio::task::{JoinHandle, JoinSet};

use super::{PATIENT, PURPOSE, TENANT, erase, reason, say, shown, start, subject, talk, visitor, wait_for};
use crate::load::Load;

/// Epochs, each of so many people: they lock a good part of the 1,024 pages that a tree of these nodes has.
const ROUNDS: usize = 2;
const CROWD: usize = 120;
/// People of a crowd that are worked on at a time.
const LANES: usize = 8;

/// Somebody and what was said, in order.
struct Talk {
    conversation: String,
    texts: Vec<String>,
}

/// Two messages of somebody in a new conversation.
async fn visit(client: &Client, name: &str, reference: &str) -> Talk {
    let request = input::support(reference, visitor(name), PURPOSE);
    let conversation = client.create_conversation(request).await.unwrap().conversation.id;
    let texts: Vec<String> = (0..2)
        .map(|number| format!("{reference} says {number}"))
        .collect();
    for text in &texts {
        say(client, &conversation, name, text).await.unwrap();
    }
    Talk { conversation, texts }
}

/// Strangers who arrive until they are told to stop.
fn newcomers(client: Client, ended: Arc<AtomicBool>, lane: usize) -> JoinHandle<Vec<Talk>> {
    tokio::spawn(async move {
        let mut talks = Vec::new();
        while !ended.load(Ordering::Relaxed) {
            let name = format!("new-{lane}-{}", talks.len());
            talks.push(visit(&client, &name, &name).await);
        }
        talks
    })
}

/// Somebody who is erased in the middle of talking, and comes back at once: the talk that dies with how many messages it
/// has, and the one that lives.
async fn erased_while_talking(client: Client, name: String) -> ((String, u64), Talk) {
    let first = visit(&client, &name, &format!("{name} once")).await;
    let (talking, conversation, speaker) = (client.clone(), first.conversation.clone(), name.clone());
    let going_on = tokio::spawn(async move {
        for number in 0u64.. {
            if let Err(error) = say(&talking, &conversation, &speaker, &format!("goes on {number}")).await {
                assert_eq!(reason(&error), "ERASED");
                return number;
            }
        }
        unreachable!("an endless loop ended")
    });
    erase(&client, subject(&name, false)).await;
    let back = visit(&client, &name, &format!("{name} again")).await;
    let stored = first.texts.len() as u64 + going_on.await.unwrap();
    ((first.conversation, stored), back)
}

#[tokio::test(flavor = "multi_thread")]
async fn e13_nothing_that_is_made_or_said_during_epochs_is_lost_or_goes_to_an_erased_person() {
    let cluster = start(PATIENT).await;
    let client = cluster.client(TENANT).await;
    let load = Load::begin(&client).await;
    let ended = Arc::new(AtomicBool::new(false));
    let arriving: Vec<_> = (0..3)
        .map(|lane| newcomers(client.clone(), Arc::clone(&ended), lane))
        .collect();
    let (mut dead, mut living) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (mut lanes, mut next) = (JoinSet::new(), 0);
        while next < CROWD || !lanes.is_empty() {
            if next < CROWD && lanes.len() < LANES {
                lanes.spawn(erased_while_talking(
                    client.clone(),
                    format!("crowd-{round}-{next}"),
                ));
                next += 1;
                continue;
            }
            let (erased, back) = lanes.join_next().await.unwrap().unwrap();
            dead.push(erased);
            living.push(back);
        }
        // One in a hurry takes the whole crowd along.
        let last = format!("last-{round}");
        talk(&client, &last).await;
        let erasure = erase(&client, subject(&last, true)).await;
        let before = load.progress().acks();
        wait_for(&client, &erasure.id, ErasureState::Destroyed).await;
        assert!(
            load.progress().acks() > before,
            "nobody said anything during the epoch"
        );
    }
    ended.store(true, Ordering::Relaxed);
    for lane in arriving {
        living.extend(lane.await.unwrap());
    }
    eprintln!("{} talks live, {} were erased", living.len(), dead.len());
    assert!(living.len() > ROUNDS * CROWD, "nobody came during epochs");
    crowds_are_gone(&client).await;
    for node in cluster.nodes() {
        are_right(&cluster, node, &living, &dead).await;
    }
    load.end_and_check(&cluster).await;
}

/// Every erasure of the test is destroyed with all of its keys.
async fn crowds_are_gone(client: &Client) {
    let (mut all, mut destroyed) = (client.erasures().list(0), 0);
    while let Some(page) = all.next_page().await.unwrap() {
        for erasure in page {
            wait_for(client, &erasure.id, ErasureState::Destroyed).await;
            destroyed += 1;
        }
    }
    assert_eq!(destroyed, ROUNDS * (CROWD + 1));
}

/// What one node shows of everybody.
async fn are_right(cluster: &Cluster, node: u64, living: &[Talk], dead: &[(String, u64)]) {
    let client = cluster.client_of(node, TENANT).await;
    for talk in living {
        let (texts, erased) = shown(&client, &talk.conversation).await;
        assert!(
            erased == 0 && texts == talk.texts,
            "node {node} shows {texts:?} and {erased} erased"
        );
    }
    for (conversation, stored) in dead {
        assert_eq!(
            shown(&client, conversation).await,
            (Vec::new(), *stored),
            "on node {node}"
        );
    }
}
