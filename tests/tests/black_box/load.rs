//! Writers and subscribers that remember what they were told, and the comparison of all that with what is stored.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use eunoe_client::types::{Ack, Message, MessageInput, Participant, ParticipantKind, part};
use eunoe_client::{
    Client, ClientError, MessageQuery, Outcome, StreamOptions, Tail, TailEvent, TailStart, input,
};
use eunoe_tests::cluster::Cluster;
use eunoe_tests::wait::until_true;
use tokio::sync::watch;
use tokio::task::JoinHandle;

const PURPOSE: &str = "support";
const TENANT: &str = "demo";
/// Messages of a batch.
const BATCH: usize = 20;
/// Messages of a stream without an ack: enough that a crash finds some.
const WINDOW: usize = 32;

/// How a writer writes.
#[derive(Clone, Copy, Debug)]
enum Way {
    Unary,
    Stream,
    Batch,
}

const WRITERS: &[Way] = &[
    Way::Unary,
    Way::Unary,
    Way::Unary,
    Way::Stream,
    Way::Stream,
    Way::Batch,
    Way::Batch,
];

/// What a writer sent and was told.
struct Sent {
    conversation: String,
    text: String,
    result: Result<Ack, ClientError>,
}

impl Sent {
    fn key(&self) -> (&str, String) {
        (&self.conversation, self.text.clone())
    }
}

/// Load that runs until it is told to end.
pub(crate) struct Load {
    progress: Progress,
    writers: Vec<JoinHandle<Vec<Sent>>>,
    subscribers: Vec<(String, JoinHandle<Vec<Message>>)>,
    heads: watch::Sender<Option<BTreeMap<String, u64>>>,
}

/// How far the load is.
#[derive(Clone, Default)]
pub(crate) struct Progress {
    acks: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
}

impl Progress {
    /// Messages acknowledged so far.
    pub(crate) fn acks(&self) -> u64 {
        self.acks.load(Ordering::Relaxed)
    }

    /// Returns when `more` messages were acknowledged after this call.
    pub(crate) async fn advance(&self, more: u64) {
        let goal = self.acks() + more;
        until_true("messages are acknowledged", async || self.acks() >= goal).await;
    }

    fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Ends the writers; answers what they sent.
    async fn end(&self, writers: Vec<JoinHandle<Vec<Sent>>>) -> Vec<Sent> {
        self.ended.store(true, Ordering::Relaxed);
        let mut sent = Vec::new();
        for writer in writers {
            sent.extend(writer.await.expect("a writer ends"));
        }
        sent
    }
}

impl Load {
    /// Begins: each writer has a conversation of its own and all share one; each conversation has a subscriber.
    pub(crate) async fn begin(client: &Client) -> Self {
        let progress = Progress::default();
        let shared = create(client, "shared").await;
        let (mut writers, mut conversations) = (Vec::new(), vec![shared.clone()]);
        for (number, way) in WRITERS.iter().enumerate() {
            let own = create(client, &format!("own-{number}")).await;
            conversations.push(own.clone());
            let writer = Writer {
                client: client.clone(),
                progress: progress.clone(),
                name: format!("{way:?}-{number}"),
                conversations: [own, shared.clone()],
                next: 0,
                sent: Vec::new(),
            };
            writers.push(tokio::spawn(writer.run(*way)));
        }
        let (heads, _) = watch::channel(None);
        let mut subscribers = Vec::new();
        for conversation in conversations {
            let name = input::by_id(&conversation);
            let tail = client.tail(name, PURPOSE, TailStart::AfterSeq(0)).await.unwrap();
            let subscriber = tokio::spawn(subscribe(tail, conversation.clone(), heads.subscribe()));
            subscribers.push((conversation, subscriber));
        }
        Self {
            progress,
            writers,
            subscribers,
            heads,
        }
    }

    /// How far it is.
    pub(crate) fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Ends the load, lets something happen, and answers the acknowledged messages that the client does not find then.
    pub(crate) async fn end_and_find_lost(self, happen: impl AsyncFnOnce() -> Client) -> Vec<String> {
        let sent = self.progress.end(self.writers).await;
        for (_, subscriber) in &self.subscribers {
            subscriber.abort();
        }
        let client = happen().await;
        let mut stored = BTreeMap::new();
        for (conversation, _) in &self.subscribers {
            stored.insert(conversation.clone(), read(&client, conversation).await);
        }
        let mut places = places(&stored);
        let told = sent.iter().filter(|sent| sent.result.is_ok());
        let lost = told.filter(|sent| places.remove(&sent.key()).is_none());
        lost.map(|sent| sent.text.clone()).collect()
    }

    /// Ends the load, and compares what every writer and subscriber was told with what every node has.
    pub(crate) async fn end_and_check(self, cluster: &Cluster) {
        let sent = self.progress.end(self.writers).await;
        let mut stored = BTreeMap::new();
        for (conversation, _) in &self.subscribers {
            let mut first: Option<Vec<Message>> = None;
            for node in cluster.nodes() {
                let client = cluster.client_of(node, TENANT).await;
                let messages = read(&client, conversation).await;
                let same = first.get_or_insert_with(|| messages.clone());
                assert!(*same == messages, "two nodes have different messages");
            }
            stored.insert(conversation.clone(), first.expect("a cluster has nodes"));
        }
        check_places(&stored);
        check_acks(&sent, &stored);
        let heads = stored
            .iter()
            .map(|(id, messages)| (id.clone(), messages.len() as u64));
        self.heads.send_replace(Some(heads.collect()));
        for (conversation, subscriber) in self.subscribers {
            let seen = subscriber.await.expect("a subscriber ends");
            assert!(seen == stored[&conversation], "a subscriber saw something else");
        }
        let unclear = sent.iter().filter(|sent| sent.result.is_err()).count();
        let replayed = sent
            .iter()
            .filter(|sent| sent.result.as_ref().is_ok_and(|ack| ack.replayed));
        eprintln!(
            "{} messages sent, {} answered from a first attempt that was lost, {unclear} not acknowledged",
            sent.len(),
            replayed.count(),
        );
        // A majority was back within a call's patience each time, so that every call had to succeed.
        let failed = sent.iter().find_map(|sent| sent.result.as_ref().err());
        assert!(
            failed.is_none(),
            "a call failed: {}",
            failed.expect("it is there")
        );
    }
}

struct Writer {
    client: Client,
    progress: Progress,
    name: String,
    conversations: [String; 2],
    next: usize,
    sent: Vec<Sent>,
}

impl Writer {
    async fn run(mut self, way: Way) -> Vec<Sent> {
        match way {
            Way::Unary => self.unary().await,
            Way::Stream => self.stream().await,
            Way::Batch => self.batch().await,
        }
        self.sent
    }

    /// The next message, to one conversation and the other in turn.
    fn message(&mut self) -> MessageInput {
        let conversation = &self.conversations[self.next % 2];
        let text = format!("{}:{}", self.name, self.next);
        self.next += 1;
        input::text_message(conversation, visitor(), PURPOSE, text)
    }

    fn told(&mut self, message: &MessageInput, result: Result<Ack, ClientError>) {
        if result.is_ok() {
            self.progress.acks.fetch_add(1, Ordering::Relaxed);
        }
        let text = text_of(&message.parts);
        self.sent.push(Sent {
            conversation: message.conversation_id.clone(),
            text,
            result,
        });
    }

    async fn unary(&mut self) {
        while !self.progress.is_ended() {
            let message = self.message();
            let result = self.client.append(message.clone()).await;
            self.told(&message, result);
        }
    }

    async fn batch(&mut self) {
        while !self.progress.is_ended() {
            let messages: Vec<_> = (0..BATCH).map(|_| self.message()).collect();
            let results = self.client.append_many(messages.clone()).await;
            for (message, result) in messages.iter().zip(results) {
                self.told(message, result);
            }
        }
    }

    async fn stream(&mut self) {
        let options = StreamOptions {
            window: WINDOW,
            ..StreamOptions::default()
        };
        let mut stream = self.client.stream_append(options);
        let mut waiting = std::collections::VecDeque::new();
        while !self.progress.is_ended() {
            let message = self.message();
            let pending = stream.send(message.clone()).await.expect("a stream goes on");
            waiting.push_back((message, pending));
            if waiting.len() == WINDOW
                && let Some((message, pending)) = waiting.pop_front()
            {
                let result = pending.await;
                self.told(&message, result);
            }
        }
        for (message, pending) in waiting {
            let result = pending.await;
            self.told(&message, result);
        }
        stream.finish().await;
    }
}

async fn create(client: &Client, reference: &str) -> String {
    let created = client
        .create_conversation(input::support(reference, visitor(), PURPOSE))
        .await;
    created.unwrap().conversation.id
}

fn visitor() -> Participant {
    input::participant(ParticipantKind::Visitor, "visitor/1")
}

fn text_of(parts: &[eunoe_client::types::Part]) -> String {
    match &parts[0].content {
        Some(part::Content::Text(text)) => text.clone(),
        _ => panic!("a message of this test is text"),
    }
}

/// Every message that a tail tells, until the head of the conversation is known and told.
async fn subscribe(
    mut tail: Tail,
    conversation: String,
    mut heads: watch::Receiver<Option<BTreeMap<String, u64>>>,
) -> Vec<Message> {
    let mut seen = Vec::new();
    loop {
        let head = heads
            .borrow_and_update()
            .as_ref()
            .map(|heads| heads[&conversation]);
        if head.is_some_and(|head| seen.len() as u64 >= head) {
            return seen;
        }
        tokio::select! {
            event = tail.next() => match event.expect("an open conversation's tail goes on") {
                Ok(TailEvent::Message(message)) => seen.push(*message),
                Ok(TailEvent::Typing(_)) => {}
                Ok(TailEvent::Closed(_) | TailEvent::Erased) => panic!("nobody closed or erased the conversation"),
                Err(error) => panic!("a tail failed: {error}"),
            },
            changed = heads.changed() => if changed.is_err() {
                // The test has failed, and says why elsewhere.
                return seen;
            },
        }
    }
}

async fn read(client: &Client, conversation: &str) -> Vec<Message> {
    let mut query = MessageQuery::all(input::by_id(conversation), PURPOSE);
    query.page_size = 1_000;
    let mut pages = client.list_messages(query);
    let mut messages = Vec::new();
    while let Some(page) = pages.next_page().await.expect("a page is read") {
        messages.extend(page.messages);
    }
    messages
}

/// No gap, nothing twice, and what one writer sent first stands first.
fn check_places(stored: &BTreeMap<String, Vec<Message>>) {
    for messages in stored.values() {
        let mut last: BTreeMap<String, u64> = BTreeMap::new();
        for (message, seq) in messages.iter().zip(1..) {
            assert_eq!(message.seq, seq, "the sequence has a gap");
            let text = text_of(&message.parts);
            let (writer, number) = text.rsplit_once(':').expect("a text of this test");
            let number: u64 = number.parse().expect("a text of this test");
            let before = last.insert(writer.to_owned(), number);
            assert!(before < Some(number), "{writer} sent {number} after {before:?}");
        }
    }
}

/// What is stored, by conversation and text.
fn places(stored: &BTreeMap<String, Vec<Message>>) -> BTreeMap<(&str, String), &Message> {
    let mut places = BTreeMap::new();
    for (conversation, messages) in stored {
        for message in messages {
            let key = (conversation.as_str(), text_of(&message.parts));
            assert!(places.insert(key, message).is_none(), "a message is stored twice");
        }
    }
    places
}

/// Acknowledged is stored, in the place that was told; refused without effect is not stored.
fn check_acks(sent: &[Sent], stored: &BTreeMap<String, Vec<Message>>) {
    let mut places = places(stored);
    for sent in sent {
        let place = places.remove(&sent.key());
        match (&sent.result, place) {
            (Ok(ack), Some(message)) => {
                assert_eq!((ack.seq, &ack.message_id), (message.seq, &message.id));
                assert!(
                    ack.time == message.time,
                    "a message has another time than its ack"
                );
            }
            (Ok(_), None) => panic!("the acknowledged message {} is lost", sent.text),
            (Err(error), Some(_)) => assert_eq!(error.outcome, Outcome::Unknown, "{error}"),
            (Err(_), None) => {}
        }
    }
    assert!(places.is_empty(), "something is stored that nobody sent");
}
