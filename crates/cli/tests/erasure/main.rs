//! `eunoe subject|conversation|tenant erase` and `eunoe erasure …` against a node in the test's own process.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../../../client/tests/it/support/tls.rs"]
mod authority;
#[path = "../../../client/tests/it/support/erasure.rs"]
mod service;

use std::fs;
use std::process::{Command, Output};
use std::sync::Arc;

use eunoe_client::Pem;
use eunoe_proto::erasure::erasure_service_server::ErasureServiceServer;
use eunoe_proto::erasure::request_erasure_request::Target;
use eunoe_proto::erasure::{Erasure, ErasureKind, ErasureReason, ErasureState};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use authority::Authority;
use service::{Erasures, Ladder, Step, at, to};

/// The id that the pretended node gives first.
const FIRST: &str = "00000000000000000000000000000001";

/// A node that serves, and a folder with contexts for it: `context.toml` has certificates for platform and dpo,
/// `platform.toml` and `dpo.toml` for one of them.
struct Cluster {
    ladder: Arc<Ladder>,
    folder: TempDir,
    _runtime: Runtime,
}

impl Cluster {
    fn start() -> Self {
        let (runtime, ladder) = (Runtime::new().unwrap(), Arc::new(Ladder::default()));
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        let (address, incoming) = runtime.block_on(authority.listen());
        runtime.spawn(
            tonic::transport::Server::builder()
                .add_service(ErasureServiceServer::new(Erasures(Arc::clone(&ladder))))
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
        for (file, roles) in [
            ("context.toml", ["platform", "dpo"].as_slice()),
            ("platform.toml", &["platform"]),
            ("dpo.toml", &["dpo"]),
        ] {
            let roles = roles
                .iter()
                .map(|role| format!("[roles.{role}]\ncert = \"cert\"\nkey = \"key\"\n"));
            let roles: String = roles.collect();
            let text = format!("endpoints = [\"{address}\"]\nca = \"ca\"\n{roles}");
            fs::write(folder.path().join(file), text).unwrap();
        }
        Self {
            ladder,
            folder,
            _runtime: runtime,
        }
    }

    fn run(&self, context: &str, output: &str, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_eunoe"))
            .args(["--output", output, "--tenant", "acme"])
            .args(arguments)
            .env("EUNOE_CONTEXT", self.folder.path().join(context))
            .output()
            .unwrap()
    }

    /// The lines that a command printed, which must have succeeded without a word on standard error.
    fn lines(&self, context: &str, arguments: &[&str]) -> Vec<Value> {
        let output = self.run(context, "json", arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && errors.is_empty(), "{errors}");
        lines(&output)
    }

    fn targets(&self) -> Vec<Target> {
        let requests = self.ladder.requests.lock().unwrap();
        requests
            .iter()
            .map(|request| request.target.clone().unwrap())
            .collect()
    }
}

fn lines(output: &Output) -> Vec<Value> {
    let lines = std::str::from_utf8(&output.stdout).unwrap().lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn first(state: ErasureState) -> Erasure {
    at(FIRST, state, ErasureKind::Subject)
}

#[test]
fn a_person_is_erased_by_the_platform_and_fenced_when_the_command_returns() {
    let cluster = Cluster::start();
    let printed = cluster.lines("platform.toml", &["subject", "erase", "visitor/1"]);
    assert_eq!(
        printed,
        [json!({"request": FIRST, "status": "FENCED", "fenced_at_ms": 1_001_000})]
    );
    assert_eq!(*cluster.ladder.watches.lock().unwrap(), 0);
    let requests = cluster.ladder.requests.lock().unwrap();
    let [request] = requests.as_slice() else {
        panic!("one request")
    };
    assert!(request.target == Some(Target::Subject("visitor/1".to_owned())));
    assert!(request.reason() == ErasureReason::SubjectRequest && !request.urgent);
    assert!(!request.request_id.is_empty());
}

#[test]
fn waiting_for_destruction_outlives_broken_streams() {
    let cluster = Cluster::start();
    cluster.ladder.climb([
        Step::Break,
        to(first(ErasureState::Rekeyed)),
        Step::End,
        to(first(ErasureState::Destroyed)),
    ]);
    let erase = ["subject", "erase", "v", "--wait", "destroyed", "--urgent"];
    let printed = cluster.lines("platform.toml", &erase);
    assert_eq!(
        printed,
        [json!({"request": FIRST, "status": "DESTROYED", "fenced_at_ms": 1_001_000})]
    );
    assert!(cluster.ladder.requests.lock().unwrap()[0].urgent);
}

#[test]
fn when_the_time_is_over_the_command_fails_and_names_the_missing_nodes() {
    let cluster = Cluster::start();
    cluster.ladder.climb([to(first(ErasureState::Rekeyed))]);
    let erase = ["subject", "erase", "v", "--wait", "destroyed", "--timeout", "3"];
    let output = cluster.run("platform.toml", "json", &erase);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        lines(&output),
        [json!({"request": FIRST, "status": "REKEYED", "fenced_at_ms": 1_001_000})]
    );
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(
        error["error"]["message"].as_str().unwrap(),
        format!(
            "the time is over and the erasure is REKEYED, not DESTROYED, missing nodes 2 3; `eunoe erasure watch {FIRST}` follows it"
        )
    );
}

#[test]
fn a_conversation_is_erased_by_its_id_or_its_reference() {
    let cluster = Cluster::start();
    for which in [["--id", "0a"], ["--ref", "t-1"]] {
        let erase = [&["conversation", "erase"], which.as_slice()].concat();
        assert_eq!(cluster.lines("platform.toml", &erase)[0]["status"], "FENCED");
    }
    assert!(
        cluster.targets()
            == [
                Target::ConversationId("0a".to_owned()),
                Target::ConversationExternalRef("t-1".to_owned())
            ]
    );
}

#[test]
fn a_tenant_is_requested_by_the_dpo_and_fenced_by_a_second_person() {
    let cluster = Cluster::start();
    let erase = ["tenant", "erase", "--request-id", "r 1"];
    let printed = cluster.lines("dpo.toml", &erase);
    assert_eq!(
        printed,
        [json!({"request": FIRST, "status": "REQUESTED", "request_id": "r 1"})]
    );
    let second = [erase.as_slice(), &["--role", "platform"]].concat();
    let printed = cluster.lines("context.toml", &second);
    assert_eq!(
        printed,
        [json!({"request": FIRST, "status": "FENCED", "fenced_at_ms": 1_001_000})]
    );
    assert!(cluster.targets() == [Target::WholeTenant(true), Target::WholeTenant(true)]);
    let requests = cluster.ladder.requests.lock().unwrap();
    assert!(
        requests
            .iter()
            .all(|request| request.reason() == ErasureReason::ContractEnded)
    );
}

#[test]
fn the_first_person_is_told_what_the_second_has_to_do() {
    let cluster = Cluster::start();
    let erase = [
        "tenant",
        "erase",
        "--request-id",
        "r-1",
        "--reason",
        "unlawful",
        "--urgent",
    ];
    let output = cluster.run("context.toml", "text", &erase);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        text.lines().nth(1).unwrap(),
        "a second person has to ask for the same: eunoe tenant erase --tenant acme --role platform --reason unlawful --urgent --request-id 'r-1'"
    );
}

#[test]
fn erasures_are_shown_listed_and_followed() {
    let cluster = Cluster::start();
    for id in ["a", "b", "c"] {
        cluster
            .ladder
            .put(at(id, ErasureState::Rekeyed, ErasureKind::Conversation));
    }
    let shown = cluster.lines("platform.toml", &["erasure", "show", "b"]);
    assert_eq!(
        (&shown[0]["request"], &shown[0]["kind"], &shown[0]["missing"]),
        (&json!("b"), &json!("CONVERSATION"), &json!([2, 3]))
    );
    for (limit, expected) in [
        (&[] as &[&str], &["c", "b", "a"] as &[&str]),
        (&["--limit", "2"], &["c", "b"]),
    ] {
        let listed = cluster.lines("platform.toml", &[&["erasure", "list"], limit].concat());
        let ids: Vec<_> = listed.iter().map(|line| &line["request"]).collect();
        assert_eq!(ids, expected);
    }
    let destroyed = at("b", ErasureState::Destroyed, ErasureKind::Conversation);
    cluster.ladder.climb([to(destroyed)]);
    let watched = cluster.lines("platform.toml", &["erasure", "watch", "b"]);
    let steps: Vec<_> = watched.iter().map(|line| &line["status"]).collect();
    assert_eq!(steps, ["REKEYED", "DESTROYED"]);
}

#[test]
fn an_erasure_that_is_not_there_is_a_failure() {
    let cluster = Cluster::start();
    for look in ["show", "watch"] {
        let output = cluster.run("platform.toml", "json", &["erasure", look, "d"]);
        assert_eq!(output.status.code(), Some(1));
        let error: Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(error["error"]["code"], "NOT_FOUND");
    }
}
