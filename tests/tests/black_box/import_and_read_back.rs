//! A file of conversations comes back as it went in: every byte, in order, both ways, through every node, also after
//! all nodes were killed at once; and a second import adds nothing.

use std::sync::Arc;

use eunoe_client::types::{Message, Order, part};
use eunoe_client::{Client, MessageQuery, MessageStart, input};
use eunoe_tests::chats::{self, Chat};
use eunoe_tests::cluster::Cluster;
use serde_json::Value;
use tokio::task::JoinSet;

const TENANT: &str = "demo";
const PURPOSE: &str = "support";
/// Conversations read at the same time.
const READERS: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_file_comes_back_byte_for_byte_in_order_both_ways_through_every_node() {
    let file = chats::file();
    let chats = Arc::new(chats::read(&file));
    let messages: usize = chats.iter().map(|chat| chat.turns.len()).sum();
    assert!(messages > 0, "an empty file proves nothing");
    let mut cluster = Cluster::start().await;
    let import = [
        "import",
        file.to_str().expect("a path is text"),
        "--tenant",
        TENANT,
    ];

    let first = cluster.cli(&import).await.remove(0);
    eprintln!("imported: {first}");
    assert_eq!(count(&first, "conversations"), chats.len());
    assert_eq!(count(&first, "messages"), messages);
    read_through_every_node(&cluster, &chats).await;

    for node in cluster.nodes() {
        cluster.process(node).signal(rustix::process::Signal::KILL);
    }
    for node in cluster.nodes() {
        cluster.kill(node).await;
    }
    assert!(cluster.alive().is_empty());
    cluster.restart(&cluster.nodes()).await;
    read_through_every_node(&cluster, &chats).await;

    let second = cluster.cli(&import).await.remove(0);
    eprintln!("imported again: {second}");
    assert_eq!(count(&second, "conversations"), 0);
    assert_eq!(count(&second, "messages"), 0);
    assert_eq!(count(&second, "already_stored"), messages);
    read_through_every_node(&cluster, &chats).await;
    the_command_line_reads_the_same(&cluster, &chats[0]).await;
}

fn count(printed: &Value, name: &str) -> usize {
    let count = printed[name].as_u64().expect("a count is printed");
    usize::try_from(count).expect("a count is small")
}

async fn read_through_every_node(cluster: &Cluster, chats: &Arc<Vec<Chat>>) {
    let begun = std::time::Instant::now();
    for node in cluster.nodes() {
        let client = cluster.client_of(node, TENANT).await;
        let mut readers = JoinSet::new();
        for reader in 0..READERS {
            let (client, chats) = (client.clone(), Arc::clone(chats));
            readers.spawn(async move {
                for chat in chats.iter().skip(reader).step_by(READERS) {
                    check(&client, chat).await;
                }
            });
        }
        while let Some(read) = readers.join_next().await {
            read.expect("a reader finds what was imported");
        }
    }
    eprintln!(
        "read everything twice through every node in {:.1?}",
        begun.elapsed()
    );
}

async fn check(client: &Client, chat: &Chat) {
    let expected = chat.turns.iter().zip(1..);
    let expected: Vec<_> = expected
        .map(|(turn, seq)| (seq, turn.from.clone(), turn.text.clone()))
        .collect();
    let forward = read(client, chat, Order::Forward).await;
    assert_eq!(forward, expected, "{}", chat.id);
    let mut backward = read(client, chat, Order::Backward).await;
    backward.reverse();
    assert_eq!(backward, expected, "{}", chat.id);
}

/// Sequence number, role and text of every message, in the order of the pages.
async fn read(client: &Client, chat: &Chat, order: Order) -> Vec<(u64, String, String)> {
    let mut pages = client.list_messages(MessageQuery {
        conversation: input::by_ref(&chat.id),
        purpose: PURPOSE.to_owned(),
        order,
        start: MessageStart::End,
        // Several pages for most conversations.
        page_size: 7,
    });
    let mut messages = Vec::new();
    while let Some(page) = pages.next_page().await.expect("a page is read") {
        messages.extend(page.messages.into_iter().map(what_it_says));
    }
    messages
}

fn what_it_says(message: Message) -> (u64, String, String) {
    let author = message.author.expect("a message has an author");
    let kind = author.kind().as_str_name().to_lowercase();
    let from = kind.trim_start_matches("participant_kind_").to_owned();
    let text: String = message
        .parts
        .into_iter()
        .map(|part| match part.content {
            Some(part::Content::Text(text)) => text,
            _ => panic!("an imported part is text"),
        })
        .collect();
    (message.seq, from, text)
}

async fn the_command_line_reads_the_same(cluster: &Cluster, chat: &Chat) {
    for node in cluster.nodes() {
        let node = node.to_string();
        let read = ["read", "--tenant", TENANT, "--ref", &chat.id, "--node", &node];
        let lines = cluster.cli(&read).await;
        let texts: Vec<_> = lines.iter().map(|line| line["text"].as_str()).collect();
        let expected: Vec<_> = chat.turns.iter().map(|turn| Some(turn.text.as_str())).collect();
        assert_eq!(texts, expected);
        assert!(lines.iter().all(|line| line["state"] == "OK"));
    }
}
