//! No word that a person typed or is named by, and no key, is in any file of any node: not in the state, not in the
//! Raft log, not in a program's log, not in the traces and metrics that it sends away or shows, not after failing calls, a snapshot or a crash. Not even the vault holds a key
//! as it is: the root in it is sealed.

use std::fs;
use std::path::Path;

use eunoe_client::types::{
    CreateConversationRequest, Data, MessageInput, Part, Participant, ParticipantKind, part,
};
use eunoe_client::{Client, ClientError, ErrorCode, StreamOptions, TailStart, input};
use eunoe_tests::cluster::{Cluster, Setup, connect, instrumented, keys};
use eunoe_tests::collector::{self, Collector};
use eunoe_tests::random::Random;
use eunoe_tests::scan::{Finding, Words, files_below};
use eunoe_tests::wait::until_true;

const TENANT: &str = "demo";
const PURPOSE: &str = "support";
/// The least that a node takes, so that snapshots are made of little.
const LIMITS: &str = "snapshot_log_bytes = 1048576";
/// Bytes of text that are more than some snapshots.
const TEXT_BYTES: usize = 8 << 20;

/// Makes words that are nowhere else, and remembers them.
struct Canaries {
    random: Random,
    words: Vec<String>,
}

impl Canaries {
    fn word(&mut self, kind: &str) -> String {
        let word = format!("{kind}{}", self.random.letters(16));
        self.words.push(word.clone());
        word
    }

    fn visitor(&mut self) -> Participant {
        input::participant(ParticipantKind::Visitor, self.word("visitor"))
    }

    fn message(&mut self, conversation: &str, author: &Participant) -> MessageInput {
        let text = self.word("text");
        let mut message = input::text_message(conversation, author.clone(), PURPOSE, text);
        message.request_id = self.word("request");
        message.parts[0].about = vec![self.word("about")];
        let data = Data {
            content_type: "text/plain".to_owned(),
            value: self.word("data").into_bytes().into(),
        };
        message.parts.push(Part {
            content: Some(part::Content::Data(data)),
            ..Part::default()
        });
        message
    }

    fn conversation(&mut self, principal: &Participant) -> CreateConversationRequest {
        let mut request = input::support(self.word("reference"), principal.clone(), PURPOSE);
        request.title = self.word("title");
        request.request_id = self.word("request");
        let agent = self.word("agent");
        request
            .participants
            .push(input::participant(ParticipantKind::Agent, agent));
        request
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn e1_no_word_and_no_key_is_in_any_file() {
    let exported = tempfile::tempdir().unwrap();
    let exported = exported.path().join("keys");
    let collector = Collector::start();
    let mut cluster = Cluster::start_with(Setup {
        limits: LIMITS,
        tables: format!("\n[telemetry]\n{}", collector.telemetry(1.0)),
        eunoed: instrumented::eunoed(),
        environment: vec![(keys::EXPORT, exported.clone())],
        ..Setup::default()
    })
    .await;
    let mut canaries = Canaries {
        random: Random::new(),
        words: Vec::new(),
    };
    let client = cluster.client(TENANT).await;
    let visitor = canaries.visitor();
    let request = canaries.conversation(&visitor);
    let reference = request.external_ref.clone();
    let conversation = client.create_conversation(request).await.unwrap().conversation.id;
    write_in_every_way(&client, &mut canaries, &conversation, &visitor).await;
    fail_in_every_way(&cluster, &client, &mut canaries, &conversation, &visitor).await;

    cluster.kill(2).await;
    fill(&client, &mut canaries, &conversation, &visitor).await;
    cluster.restart(&[2]).await;
    write_in_every_way(&client, &mut canaries, &conversation, &visitor).await;
    until_true("a snapshot is taken on every node", async || {
        let mut taken = true;
        for node in cluster.nodes() {
            let groups = cluster.status_of(node).await.groups;
            taken &= groups
                .iter()
                .any(|group| group.kind == "data" && group.snapshot > 0);
        }
        taken
    })
    .await;
    for node in cluster.nodes() {
        the_words_are_stored(&cluster.client_of(node, TENANT).await, &reference, &canaries).await;
    }
    let told = told(&cluster, &collector).await;
    drop(client);
    cluster.stop().await;
    nothing_is_found(&cluster, &canaries.words, "word");
    let keys = keys::read(&exported);
    let folders: Vec<_> = cluster
        .nodes()
        .into_iter()
        .map(|node| cluster.node_dir(node))
        .collect();
    let folders: Vec<_> = folders.iter().map(AsRef::as_ref).collect();
    assert!(keys.contains(&keys::root(&folders)), "the root was not exported");
    nothing_is_found(&cluster, &keys, "key");
    nothing_is_told(
        [told, collector.bytes()].concat(),
        &canaries.words,
        &keys,
        &conversation,
    );
    what_is_there_is_found(&cluster, &canaries.words, &keys);
}

async fn write_in_every_way(
    client: &Client,
    canaries: &mut Canaries,
    conversation: &str,
    visitor: &Participant,
) {
    let other = canaries.visitor();
    client
        .append(canaries.message(conversation, visitor))
        .await
        .unwrap();
    client
        .append(canaries.message(conversation, &other))
        .await
        .unwrap();
    let batch = (0..5).map(|_| canaries.message(conversation, visitor)).collect();
    for result in client.append_many(batch).await {
        result.unwrap();
    }
    let mut stream = client.stream_append(StreamOptions::default());
    for _ in 0..5 {
        let pending = stream.send(canaries.message(conversation, &other)).await.unwrap();
        pending.await.unwrap();
    }
    stream.finish().await;
    client.typing(conversation, other.clone(), true).await.unwrap();
    let mut found = client.list_conversations(&other.subject, PURPOSE, 10);
    assert_eq!(found.next_page().await.unwrap().unwrap().conversations.len(), 1);
}

/// Calls with words in them that are refused: what is refused must not be logged either.
async fn fail_in_every_way(
    cluster: &Cluster,
    client: &Client,
    canaries: &mut Canaries,
    conversation: &str,
    visitor: &Participant,
) {
    let mut message = canaries.message(conversation, visitor);
    client.append(message.clone()).await.unwrap();
    message.parts = vec![input::text(canaries.word("text"))];
    refused(client.append(message).await, ErrorCode::AlreadyExists);

    let mut message = canaries.message(conversation, visitor);
    message.author = Some(Participant {
        subject: canaries.word("visitor").repeat(20),
        ..visitor.clone()
    });
    refused(client.append(message).await, ErrorCode::InvalidArgument);
    let mut message = canaries.message(conversation, visitor);
    message.parts = vec![input::text(canaries.word("text").repeat(20_000))];
    refused(client.append(message).await, ErrorCode::InvalidArgument);
    let mut message = canaries.message(conversation, visitor);
    message.purpose = canaries.word("purpose");
    let error = client
        .append(message)
        .await
        .err()
        .expect("a foreign purpose is refused");
    assert!(!error.is_retryable(), "{error}");

    let unknown = canaries.word("conversation");
    let unknown = canaries.message(&unknown, visitor);
    refused(client.append(unknown).await, ErrorCode::InvalidArgument);
    let unknown = canaries.message(&"0f".repeat(16), visitor);
    refused(client.append(unknown).await, ErrorCode::NotFound);
    let unknown = input::by_ref(canaries.word("reference"));
    refused(
        client.get_conversation(unknown, PURPOSE).await,
        ErrorCode::NotFound,
    );
    let position = TailStart::Position(canaries.word("position"));
    let tail = client.tail(input::by_id(conversation), PURPOSE, position).await;
    let first = tail.unwrap().next().await.expect("a tail answers");
    refused(first, ErrorCode::InvalidArgument);

    let stranger = cluster.client(&canaries.word("tenant")).await;
    let error = stranger.append(canaries.message(conversation, visitor)).await;
    refused(error, ErrorCode::NotFound);
    let auditor = connect(cluster.context("auditor", TENANT, None)).await;
    refused(
        auditor.append(canaries.message(conversation, visitor)).await,
        ErrorCode::PermissionDenied,
    );
    let stranger = input::participant(ParticipantKind::Visitor, canaries.word("visitor"));
    refused(
        client.typing(conversation, stranger, true).await,
        ErrorCode::InvalidArgument,
    );
}

fn refused<T>(result: Result<T, ClientError>, code: ErrorCode) {
    let error = result.err().expect("a bad call is refused");
    assert_eq!(error.code, code, "{error}");
}

/// Writes so much that state reaches the disk and snapshots are taken, all of it with a word in it.
async fn fill(client: &Client, canaries: &mut Canaries, conversation: &str, visitor: &Participant) {
    let text = canaries.word("text").repeat(2_000);
    let messages = (0..TEXT_BYTES / text.len())
        .map(|_| input::text_message(conversation, visitor.clone(), PURPOSE, &text))
        .collect();
    for result in client.append_many(messages).await {
        result.unwrap();
    }
}

/// Without this, a store that keeps nothing would pass.
async fn the_words_are_stored(client: &Client, reference: &str, canaries: &Canaries) {
    let name = || input::by_ref(reference);
    let conversation = client.get_conversation(name(), PURPOSE).await.unwrap();
    assert!(canaries.words.contains(&conversation.title));
    let message = client.get_message_by_seq(name(), 1, PURPOSE).await.unwrap();
    let Some(part::Content::Text(text)) = &message.parts[0].content else {
        panic!("the first part is text");
    };
    assert!(canaries.words.contains(text));
}

/// What nodes show to Prometheus, when the collector has spans and metrics of all of them, of refused calls too.
async fn told(cluster: &Cluster, collector: &Collector) -> Vec<u8> {
    let refused = ("code".to_owned(), "INVALID_ARGUMENT".to_owned());
    until_true("spans of refused calls arrive", async || {
        let spans = collector.spans();
        spans
            .iter()
            .any(|sent| collector::text(&sent.span.attributes).contains(&refused))
    })
    .await;
    until_true("metrics of refused calls arrive", async || {
        let series = collector.series();
        series.iter().any(|series| series.labels.contains(&refused))
    })
    .await;
    let mut shown = Vec::new();
    for node in cluster.nodes() {
        let text = cluster.metrics(node).await;
        until_true("a node's spans and metrics arrive", async || {
            let node = node.to_string();
            collector.spans().iter().any(|sent| sent.node == node)
                && collector.series().iter().any(|series| series.node == node)
        })
        .await;
        shown.extend(text.into_bytes());
    }
    shown
}

/// Nor is an id of a conversation, which stands for all ids here; and the search finds what is there.
fn nothing_is_told(mut told: Vec<u8>, words: &[String], keys: &[[u8; keys::KEY_BYTES]], conversation: &str) {
    let id: Vec<u8> = (0..conversation.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&conversation[at..at + 2], 16).unwrap())
        .collect();
    let (words, keys, ids) = (Words::new(words), Words::new(keys), Words::new(&[id.as_slice()]));
    let names = Words::new(&["ChatService/AppendMessage"]);
    let find = |looked_for: &Words, told: &[u8]| looked_for.find_in(Path::new("telemetry"), told);
    eprintln!("{} bytes of traces and metrics are searched", told.len());
    for looked_for in [&words, &keys, &ids] {
        let found = find(looked_for, &told);
        assert!(found.is_empty(), "it is told to a collector: {found:?}");
    }
    assert!(!find(&names, &told).is_empty(), "the search finds what is told");
    told.extend_from_slice(conversation.as_bytes());
    assert_eq!(find(&ids, &told).len(), 1);
}

/// What is found below a folder, but for the one secret that a node keeps as it is: what it signs with opens nothing.
fn find_below(words: &Words, folder: &Path) -> (Vec<Finding>, usize) {
    let (mut found, bytes) = words.find_below(folder);
    found.retain(|finding| !finding.path.ends_with("signing.key"));
    (found, bytes)
}

fn nothing_is_found<Word: AsRef<[u8]>>(cluster: &Cluster, words: &[Word], what: &str) {
    let looked_for = Words::new(words);
    for node in cluster.nodes() {
        let (found, bytes) = find_below(&looked_for, &cluster.node_dir(node));
        eprintln!(
            "node {node}: {} {what}s looked for in {bytes} bytes of {} files",
            words.len(),
            files_below(&cluster.node_dir(node)).len()
        );
        assert!(bytes > TEXT_BYTES, "the text is somewhere");
        assert!(found.is_empty(), "a {what} is stored: {found:?}");
    }
}

/// The negative control: the same search finds a word and a key that are in a file.
fn what_is_there_is_found(cluster: &Cluster, words: &[String], keys: &[[u8; keys::KEY_BYTES]]) {
    let folder = cluster.node_dir(1);
    let plant = |path: &str, text: &[u8]| {
        fs::write(
            folder.join(path),
            [b"before ".as_slice(), text, b" after"].concat(),
        )
        .unwrap();
    };
    plant("state/group-1/planted", words[0].as_bytes());
    let (found, _) = Words::new(words).find_below(&folder);
    assert_eq!(found.len(), 1);
    plant("log/planted", &keys[keys.len() - 1]);
    let (found, _) = find_below(&Words::new(keys), &folder);
    assert_eq!(found.len(), 1);
}
