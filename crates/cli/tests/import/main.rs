//! `eunoe import` against a cluster in the test's own process: nothing twice, nothing out of order, bad lines named.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../../../client/tests/it/support/tls.rs"]
mod authority;
mod service;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use eunoe_client::Pem;
use eunoe_proto::chat::chat_service_server::ChatServiceServer;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use authority::Authority;
use service::{Chat, Store};

/// A node that serves, and a folder with a context for it.
struct Cluster {
    store: Arc<Store>,
    folder: TempDir,
    _runtime: Runtime,
}

impl Cluster {
    fn start() -> Self {
        let (runtime, store) = (Runtime::new().unwrap(), Arc::new(Store::default()));
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        let (address, incoming) = runtime.block_on(authority.listen());
        let service =
            ChatServiceServer::new(Chat(Arc::clone(&store))).max_decoding_message_size(8 * 1024 * 1024);
        runtime.spawn(
            tonic::transport::Server::builder()
                .add_service(service)
                .serve_with_incoming(incoming),
        );
        let context = authority.context(std::slice::from_ref(&address));
        let own = context.certificate.unwrap();
        for (name, pem) in [("ca", context.ca), ("cert", own.cert), ("key", own.key)] {
            let Pem::Bytes(bytes) = pem else {
                panic!("the context names files")
            };
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        let file = format!(
            "endpoints = [\"{address}\"]\nca = \"ca\"\n[roles.platform]\ncert = \"cert\"\nkey = \"key\"\n"
        );
        fs::write(folder.path().join("context.toml"), file).unwrap();
        Self {
            store,
            folder,
            _runtime: runtime,
        }
    }

    fn file(&self, content: &str) -> PathBuf {
        let path = self.folder.path().join("chats.jsonl");
        fs::write(&path, content).unwrap();
        path
    }

    fn import(&self, file: &Path, extra: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_eunoe"))
            .args(["--output", "json", "--tenant", "acme", "import"])
            .arg(file)
            .args(extra)
            .env("EUNOE_CONTEXT", self.folder.path().join("context.toml"))
            .output()
            .unwrap()
    }

    /// Conversations, messages, those stored already, and lines skipped.
    fn counts(&self, file: &Path, extra: &[&str]) -> [u64; 4] {
        let output = self.import(file, extra);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        assert!(errors.is_empty(), "no progress bar without a terminal: {errors}");
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(summary["seconds"].as_f64().is_some());
        ["conversations", "messages", "already_stored", "skipped"].map(|name| summary[name].as_u64().unwrap())
    }
}

fn chat(id: &str, turns: usize) -> String {
    let turns = (1..=turns).map(|turn| format!(r#"{{"from":"visitor","text":"{id} {turn}"}}"#));
    let turns = turns.collect::<Vec<_>>().join(",");
    format!("{{\"id\":\"{id}\",\"turns\":[{turns}]}}\n")
}

/// 150 conversations, one of them larger than a batch; 3,692 messages.
fn many() -> String {
    let sizes = (0..150).map(|n| if n == 70 { 2_500 } else { 8 });
    let chats = sizes.enumerate().map(|(n, turns)| chat(&format!("c{n}"), turns));
    chats.collect()
}

#[test]
fn every_conversation_keeps_its_order_and_a_second_import_adds_nothing() {
    let cluster = Cluster::start();
    let file = cluster.file(&many());
    assert_eq!(cluster.counts(&file, &[]), [150, 3_692, 0, 0]);
    cluster.store.assert_in_order(3_692);
    assert_eq!(cluster.counts(&file, &[]), [0, 0, 3_692, 0]);
    cluster.store.assert_in_order(3_692);
}

#[test]
fn lost_answers_neither_repeat_nor_reorder() {
    let cluster = Cluster::start();
    cluster.store.lose_answers(2);
    let file = cluster.file(&many());
    let [conversations, messages, already, skipped] = cluster.counts(&file, &[]);
    assert_eq!((conversations, messages + already, skipped), (150, 3_692, 0));
    assert!(
        already > 0,
        "what was stored without an answer is acknowledged as stored already"
    );
    cluster.store.assert_in_order(3_692);
}

#[test]
fn a_malformed_line_stops_the_import_after_what_stands_before_it() {
    let cluster = Cluster::start();
    let text = format!(
        "{}{{\"id\":\"x\",\"turns\":[{{\"from\":\"me\"}}]}}\n{}",
        chat("a", 3),
        chat("b", 2)
    );
    let file = cluster.file(&text);
    let output = cluster.import(&file, &[]);
    assert_eq!(output.status.code(), Some(1));
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(
        error.to_string(),
        r#"{"error":{"code":"MALFORMED_LINE","field":"turns[0].from","line":2,"message":"is neither visitor nor agent"}}"#
    );
    cluster.store.assert_in_order(3);
    assert_eq!(cluster.counts(&file, &["--skip-bad"]), [1, 2, 3, 1]);
    cluster.store.assert_in_order(5);
}

#[test]
fn a_refusal_names_the_line_and_the_reason() {
    let cluster = Cluster::start();
    cluster.store.refuse("b 1");
    let file = cluster.file(&format!("{}{}", chat("a", 3), chat("b", 2)));
    let output = cluster.import(&file, &[]);
    assert_eq!(output.status.code(), Some(1));
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    let error = &error["error"];
    assert_eq!(error["code"], "FAILED_PRECONDITION");
    assert_eq!(error["reason"], "CONVERSATION_CLOSED");
    assert_eq!(error["outcome"], "no_effect");
    assert_eq!(error["message"], "line 2: said by the node");
    cluster.store.assert_in_order(3);
}

#[test]
fn the_sample_is_well_formed() {
    let cluster = Cluster::start();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/sample-chats.jsonl");
    assert_eq!(cluster.counts(&sample, &[]), [30, 246, 0, 0]);
    assert_eq!(cluster.counts(&sample, &["--conversations", "3"])[2], 27);
}
