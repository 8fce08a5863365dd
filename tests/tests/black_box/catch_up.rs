//! A node that was away while the log was purged catches up by snapshot; a lost node is replaced under a new id; a
//! node that lost its disk is refused under its old id. The Raft log stays bounded meanwhile.

use std::fs;
use std::sync::Arc;

use eunoe_client::types::{Message, ParticipantKind, part};
use eunoe_client::{Client, MessageQuery, input};
use eunoe_tests::cluster::{Cluster, Setup};
use eunoe_tests::wait::until_true;
use tokio::task::JoinSet;

const TENANT: &str = "demo";
const PURPOSE: &str = "support";
/// Messages that arrive while a node is away, when `EUNOE_CATCH_UP_MESSAGES` does not say how many.
const MESSAGES_DEFAULT: usize = 20_000;
/// Small, so that the log is purged behind the node that is away.
const LIMITS: &str = "snapshot_log_bytes = 1048576";
/// One segment is written and one is prepared; another one or two wait to be freed.
const LOG_DISK_BYTES_MAX: u64 = 5 * (32 << 20);
/// Conversations that the messages go to, enough to use every group.
const CONVERSATIONS: usize = 16;
const BATCH: usize = 500;
/// Bytes of a message: with these the default makes each group's log several times as long as its limit.
const TEXT_BYTES: usize = 512;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_catches_up_by_snapshot_and_a_lost_one_is_replaced() {
    let wanted = std::env::var("EUNOE_CATCH_UP_MESSAGES");
    let messages = wanted.map_or(MESSAGES_DEFAULT, |count| count.parse().unwrap());
    let mut cluster = Cluster::start_with(Setup {
        limits: LIMITS,
        ..Setup::default()
    })
    .await;
    let client = cluster.client(TENANT).await;
    let conversations = create(&client).await;
    let mut written = Written::default();
    written.write(&client, &conversations, CONVERSATIONS).await;

    let applied_before = applied(&cluster, 3).await;
    cluster.kill(3).await;
    written.write(&client, &conversations, messages).await;
    wait_until_purged_behind(&cluster, &applied_before).await;
    cluster.restart(&[3]).await;
    wait_until_caught_up(&cluster, 3, 1).await;
    came_by_snapshot(&cluster, 3, &applied_before).await;
    the_log_is_bounded(&cluster).await;
    written.is_complete_on(&cluster, 3, &conversations).await;

    cluster.kill(2).await;
    fs::remove_dir_all(cluster.node_dir(2)).unwrap();
    a_blank_disk_is_refused(&cluster, 2).await;
    let new = cluster.add_node().await;
    assert_eq!(new, 4);
    let removal = ["cluster", "remove", "2", "--role", "operator"];
    let refused = cluster.cli_refused(&removal).await;
    assert_eq!(refused["reason"], "NODE_SILENT", "{refused:?}");
    let removed = cluster.cli(&[&removal[..], &["--lost"]].concat()).await;
    assert_eq!(removed[0]["state"], "REMOVED", "{removed:?}");
    wait_until_caught_up(&cluster, new, 1).await;
    written.is_complete_on(&cluster, new, &conversations).await;
    let groups = cluster.status_of(1).await.groups;
    assert!(
        groups
            .iter()
            .all(|group| group.voters == [1, 3, new] && group.learners.is_empty())
    );

    // The new one bears its share: with it a majority stands without another old node.
    cluster.kill(3).await;
    written.write(&client, &conversations, CONVERSATIONS).await;
    written.is_complete_on(&cluster, new, &conversations).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_joined_later_is_bound_to_its_disk_like_the_first_ones() {
    let mut cluster = Cluster::start().await;
    let new = cluster.add_node().await;
    cluster.kill(new).await;
    fs::remove_dir_all(cluster.node_dir(new)).unwrap();
    a_blank_disk_is_refused(&cluster, new).await;
}

/// How many messages went to each conversation.
#[derive(Default)]
struct Written {
    total: usize,
}

impl Written {
    fn text(number: usize) -> String {
        format!("message number {number:>TEXT_BYTES$}")
    }

    /// Writes to all conversations in turn; `count` is a multiple of their number or made one.
    async fn write(&mut self, client: &Client, conversations: &Arc<Vec<String>>, count: usize) {
        let rounds = count.div_ceil(CONVERSATIONS);
        let first = self.total;
        self.total += rounds * CONVERSATIONS;
        let mut writers = JoinSet::new();
        for index in 0..CONVERSATIONS {
            let (client, conversation) = (client.clone(), conversations[index].clone());
            let numbers: Vec<usize> = (0..rounds)
                .map(|round| first + round * CONVERSATIONS + index)
                .collect();
            writers.spawn(async move {
                for batch in numbers.chunks(BATCH) {
                    let visitor = input::participant(ParticipantKind::Visitor, format!("visitor/{index}"));
                    let messages = batch.iter().map(|number| {
                        input::text_message(&conversation, visitor.clone(), PURPOSE, Self::text(*number))
                    });
                    for result in client.append_many(messages.collect()).await {
                        result.expect("a message is taken");
                    }
                }
            });
        }
        while let Some(writer) = writers.join_next().await {
            writer.expect("a writer ends");
        }
    }

    async fn is_complete_on(&self, cluster: &Cluster, node: u64, conversations: &Arc<Vec<String>>) {
        let client = cluster.client_of(node, TENANT).await;
        for (index, conversation) in conversations.iter().enumerate() {
            let mut query = MessageQuery::all(input::by_id(conversation), PURPOSE);
            query.page_size = 1_000;
            let mut pages = client.list_messages(query);
            let mut texts = Vec::new();
            while let Some(page) = pages.next_page().await.expect("a page is read") {
                texts.extend(page.messages.iter().map(text));
            }
            let expected: Vec<String> = (index..self.total)
                .step_by(CONVERSATIONS)
                .map(Self::text)
                .collect();
            assert!(texts == expected, "node {node} has other messages");
        }
    }
}

fn text(message: &Message) -> String {
    match &message.parts[0].content {
        Some(part::Content::Text(text)) => text.clone(),
        _ => panic!("a message of this test is text"),
    }
}

async fn create(client: &Client) -> Arc<Vec<String>> {
    let mut ids = Vec::new();
    for index in 0..CONVERSATIONS {
        let visitor = input::participant(ParticipantKind::Visitor, format!("visitor/{index}"));
        let request = input::support(format!("talk-{index}"), visitor, PURPOSE);
        ids.push(client.create_conversation(request).await.unwrap().conversation.id);
    }
    Arc::new(ids)
}

/// Applied index of each data group on a node.
async fn applied(cluster: &Cluster, node: u64) -> Vec<(u32, u64)> {
    let groups = cluster.status_of(node).await.groups;
    let data = groups.iter().filter(|group| group.kind == "data");
    data.map(|group| (group.id, group.applied)).collect()
}

/// Waits until what a node needs next is gone from the logs of the others, in some group.
async fn wait_until_purged_behind(cluster: &Cluster, applied: &[(u32, u64)]) {
    until_true("the log is purged behind a node that is away", async || {
        for node in cluster.alive() {
            let groups = cluster.status_of(node).await.groups;
            let gone = |(id, applied): &(u32, u64)| {
                groups
                    .iter()
                    .any(|group| group.id == *id && group.purged > *applied)
            };
            if !applied.iter().any(gone) {
                return false;
            }
        }
        true
    })
    .await;
}

async fn wait_until_caught_up(cluster: &Cluster, node: u64, other: u64) {
    until_true("a node has applied what another one has", async || {
        let (mine, others) = (applied(cluster, node).await, applied(cluster, other).await);
        mine.iter().zip(&others).all(|(mine, other)| mine.1 >= other.1)
    })
    .await;
}

/// A node that took part by entries alone has purged no more than it had snapshotted by itself: it begins behind
/// what was purged elsewhere, so its log begins with a snapshot from somebody else.
async fn came_by_snapshot(cluster: &Cluster, node: u64, applied_before: &[(u32, u64)]) {
    let groups = cluster.status_of(node).await.groups;
    let jumped = applied_before.iter().filter(|(id, applied)| {
        groups
            .iter()
            .any(|group| group.id == *id && group.snapshot > *applied && group.purged > *applied)
    });
    let jumped = jumped.count();
    eprintln!("node {node} took {jumped} groups by snapshot");
    assert!(jumped > 0, "no group came by snapshot");
}

async fn the_log_is_bounded(cluster: &Cluster) {
    for node in cluster.alive() {
        let bytes = cluster.status_of(node).await.log_disk_bytes;
        eprintln!("node {node}: the Raft log takes {bytes} bytes");
        assert!(bytes <= LOG_DISK_BYTES_MAX, "the log grows without bound");
    }
}

/// Starting a node without its data fails with an error that says why, and leaves nothing running.
async fn a_blank_disk_is_refused(cluster: &Cluster, node: u64) {
    let id = node.to_string();
    let mut command = cluster.eunoe(&["dev", "start-node", &id, "--timeout", "60", "--dir"]);
    let output = command.arg(cluster.dir()).output().await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "a blank node was started");
    let expected =
        format!("node {node} is a member of a realm that has begun, but its data directory is empty");
    assert!(errors.contains(&expected), "{errors}");
}
