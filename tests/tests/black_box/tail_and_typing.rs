//! Tails reach across nodes and outlive them; typing is told and never kept.

use std::fs;

use eunoe_client::types::{Message, Participant, ParticipantKind};
use eunoe_client::{Client, Tail, TailEvent, TailStart, input};
use eunoe_tests::cluster::Cluster;
use eunoe_tests::scan::files_below;
use eunoe_tests::wait::{PATIENCE, until};

const TENANT: &str = "demo";
const PURPOSE: &str = "support";

fn visitor() -> Participant {
    input::participant(ParticipantKind::Visitor, "visitor/1")
}

async fn create(client: &Client, reference: &str) -> String {
    let request = input::support(reference, visitor(), PURPOSE);
    client.create_conversation(request).await.unwrap().conversation.id
}

async fn append(client: &Client, conversation: &str, text: &str) -> u64 {
    let message = input::text_message(conversation, visitor(), PURPOSE, text);
    client.append(message).await.unwrap().seq
}

async fn tail(client: &Client, conversation: &str, start: TailStart) -> Tail {
    client
        .tail(input::by_id(conversation), PURPOSE, start)
        .await
        .unwrap()
}

/// The next message; typing is passed over.
async fn next_message(tail: &mut Tail) -> Message {
    let next = async {
        loop {
            match tail
                .next()
                .await
                .expect("the conversation is open")
                .expect("the tail goes on")
            {
                TailEvent::Message(message) => return *message,
                TailEvent::Typing(_) => {}
                TailEvent::Closed(_) | TailEvent::Erased => {
                    panic!("nobody closed or erased the conversation")
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, next)
        .await
        .expect("a message comes")
}

#[tokio::test(flavor = "multi_thread")]
async fn typing_is_told_on_every_node_and_kept_on_none() {
    let cluster = Cluster::start().await;
    let writer = cluster.client_of(1, TENANT).await;
    let conversation = create(&writer, "talk").await;
    append(&writer, &conversation, "first").await;
    for node in cluster.nodes() {
        let reader = cluster.client_of(node, TENANT).await;
        let mut tail = tail(&reader, &conversation, TailStart::AfterSeq(0)).await;
        assert_eq!(next_message(&mut tail).await.seq, 1);
        for active in [true, false] {
            // A notice may be lost, so it is given until it is heard.
            let notice = until("a notice of typing is told", async || {
                writer.typing(&conversation, visitor(), active).await.unwrap();
                let brief = std::time::Duration::from_millis(500);
                match tokio::time::timeout(brief, tail.next()).await {
                    Ok(Some(Ok(TailEvent::Typing(notice)))) if notice.active == active => Some(notice),
                    Ok(Some(Ok(TailEvent::Typing(_)))) | Err(_) => None,
                    Ok(_) => panic!("the tail tells something else"),
                }
            })
            .await;
            assert!(
                notice.participant
                    == Some(Participant {
                        state: 1,
                        ..visitor()
                    })
            );
        }
    }

    let logged = async || {
        let groups = cluster.status_of(1).await.groups;
        let data = groups.into_iter().filter(|group| group.kind == "data");
        data.map(|group| group.last_log).collect::<Vec<_>>()
    };
    // Notices are given until a read that came after them is answered: had they been proposed, the log would show.
    let before = logged().await;
    for _ in 0..100 {
        writer.typing(&conversation, visitor(), true).await.unwrap();
    }
    let page = writer
        .get_conversation(input::by_id(&conversation), PURPOSE)
        .await
        .unwrap();
    assert_eq!(page.head_seq, 1);
    assert_eq!(logged().await, before, "typing was written to the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_goes_on_elsewhere_when_its_node_is_asked_to_end() {
    let mut cluster = Cluster::start().await;
    let client = cluster.client(TENANT).await;
    let conversation = create(&client, "talk").await;
    append(&client, &conversation, "1").await;
    // A tail of every start, so that each node serves some of them.
    let mut tails = Vec::new();
    for _ in 0..6 {
        let mut tail = tail(&client, &conversation, TailStart::AfterSeq(0)).await;
        assert_eq!(next_message(&mut tail).await.seq, 1);
        tails.push(tail);
    }
    let mut seq = 1;
    for node in cluster.nodes() {
        cluster.terminate(node).await;
        for _ in 0..5 {
            seq += 1;
            assert_eq!(append(&client, &conversation, &seq.to_string()).await, seq);
        }
        for tail in &mut tails {
            for expected in seq - 4..=seq {
                assert_eq!(next_message(tail).await.seq, expected);
            }
        }
        cluster.restart(&[node]).await;
    }

    // A caller of its own keeps the position, and goes on with it on another node.
    let position = tails[0]
        .position()
        .expect("a tail that told something has a position")
        .to_owned();
    drop(tails);
    append(&client, &conversation, "last").await;
    for node in cluster.nodes() {
        let reader = cluster.client_of(node, TENANT).await;
        let mut tail = tail(&reader, &conversation, TailStart::Position(position.clone())).await;
        assert_eq!(next_message(&mut tail).await.seq, seq + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn removing_the_state_of_one_group_touches_no_other() {
    let mut cluster = Cluster::start().await;
    let client = cluster.client(TENANT).await;
    let mut conversations = Vec::new();
    for number in 0..16 {
        let conversation = create(&client, &format!("talk-{number}")).await;
        append(&client, &conversation, "kept").await;
        conversations.push(conversation);
    }
    cluster.stop().await;
    let groups = cluster.node_dir(3).join("state");
    let of_group = |group: &str| files_below(&groups.join(group));
    assert!(!of_group("group-1").is_empty() && !of_group("group-2").is_empty());
    fs::remove_dir_all(groups.join("group-1")).unwrap();
    cluster.start_again().await;
    for node in [1, 2, 3] {
        let reader = cluster.client_of(node, TENANT).await;
        for conversation in &conversations {
            let name = input::by_id(conversation);
            assert_eq!(reader.get_message_by_seq(name, 1, PURPOSE).await.unwrap().seq, 1);
        }
    }
}
