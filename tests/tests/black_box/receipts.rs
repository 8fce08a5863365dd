//! Receipts of real erasures, checked by a program that asks no server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use eunoe_client::erasure_types::{Erasure, ErasureState, RequestErasureRequest, Target};
use eunoe_client::{Client, ErrorCode};
use eunoe_core::{Changes, StateView as _};
use eunoe_store::{RocksOptions, RocksStates, StateEngine as _, StateFactory as _};
use eunoe_tests::cluster::{Cluster, Setup, programs};

use eunoe_tests::scan::{Words, files_below};
use eunoe_tests::wait::until_true;
use eunoe_types::GroupId;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::erasure::{PATIENT, TENANT, erase, reason, start, subject, talk, wait_for};
use crate::partition::impatient;

/// What an auditor and a requester keep.
struct Desk {
    place: TempDir,
    policy: PathBuf,
}

impl Desk {
    async fn of(cluster: &Cluster) -> Self {
        let place = tempfile::tempdir().unwrap();
        let policy = place.path().join("policy");
        // It names a node once the node has registered its keys.
        until_true("the policy names all nodes", async || {
            cluster.cli(&["audit", "policy", "-o", path(&policy)]).await;
            let text = fs::read_to_string(&policy).unwrap();
            let named = |node: &u64| text.contains(&format!("witness node-{node} "));
            cluster.nodes().iter().all(named)
        })
        .await;
        Self { place, policy }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// What `eunoe verify receipt` says, with its exit code. It must not need a cluster.
    async fn verify(
        &self,
        cluster: &Cluster,
        receipt: &Path,
        ticket: Option<&Path>,
    ) -> (Option<i32>, String) {
        let mut command =
            cluster.eunoe(&["verify", "receipt", path(receipt), "--policy", path(&self.policy)]);
        if let Some(ticket) = ticket {
            command.arg("--ticket").arg(ticket);
        }
        command.env("EUNOE_CONTEXT", "/nonexistent");
        let output = command.output().await.unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

async fn destroyed(client: &Client, erasure: &Erasure) {
    wait_for(client, &erasure.id, ErasureState::Destroyed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_of_a_person_a_conversation_and_a_tenant_outlive_the_cluster() {
    let cluster = start(PATIENT).await;
    let client = cluster.client(TENANT).await;
    for person in ["anna", "bert"] {
        talk(&client, person).await;
    }
    let desk = Desk::of(&cluster).await;
    // Before it is destroyed there is none, whatever else is true already.
    let held = erase(&client, subject("bert", false)).await;
    let refused = client.erasures().receipt(&held.id).await.unwrap_err();
    assert_eq!(
        (refused.code, reason(&refused)),
        (ErrorCode::FailedPrecondition, "NOT_DESTROYED")
    );

    let ticket = desk.file("anna.ticket");
    let erase_anna = [
        "--tenant",
        TENANT,
        "subject",
        "erase",
        "visitor/anna",
        "--urgent",
        "--wait",
        "destroyed",
    ];
    let said = cluster
        .cli(&[&erase_anna[..], &["--ticket", path(&ticket)]].concat())
        .await;
    let anna = said[0]["request"].as_str().unwrap().to_owned();
    let mut kept = Vec::new();
    for node in cluster.nodes() {
        let receipt = desk.file(&format!("anna-{node}.eunoe-receipt"));
        let node = node.to_string();
        cluster
            .cli(&["--node", &node, "erasure", "receipt", &anna, "-o", path(&receipt)])
            .await;
        kept.push((receipt, "SUBJECT"));
    }
    let target = Target::ConversationId(talk(&client, "carl").await);
    let conversation = RequestErasureRequest {
        target: Some(target),
        ..subject("", true)
    };
    let conversation = erase(&client, conversation).await;
    let tenant = erase_tenant(&cluster).await;
    for (erasure, kind) in [(&conversation.id, "CONV"), (&tenant, "TENANT")] {
        wait_for(&client, erasure, ErasureState::Destroyed).await;
        let receipt = desk.file(kind);
        cluster
            .cli(&["erasure", "receipt", erasure, "-o", path(&receipt)])
            .await;
        kept.push((receipt, kind));
    }
    destroyed(&client, &held).await;
    cluster.stop().await;
    // They name nobody.
    let names = Words::new(&["visitor/anna", "anna says"]);
    for (receipt, _) in &kept {
        assert!(names.find_in(receipt, &fs::read(receipt).unwrap()).is_empty());
    }

    for (receipt, kind) in &kept {
        let (code, said) = desk.verify(&cluster, receipt, None).await;
        assert_eq!(code, Some(0), "{kind}: {said}");
        assert!(said.contains(kind), "{said}");
    }
    // The ticket says whom it was about; that of nobody else does.
    let (code, said) = desk.verify(&cluster, &kept[0].0, Some(&ticket)).await;
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = desk.verify(&cluster, &kept[3].0, Some(&ticket)).await;
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("V6"), "{said}");
}

/// Two people ask.
async fn erase_tenant(cluster: &Cluster) -> String {
    let ask = [
        "--tenant",
        TENANT,
        "tenant",
        "erase",
        "--urgent",
        "--request-id",
        "all",
    ];
    cluster.cli(&[&ask[..], &["--role", "dpo"]].concat()).await;
    let said = cluster.cli(&[&ask[..], &["--role", "platform"]].concat()).await;
    said[0]["request"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_down_is_named_and_all_that_is_left_out_is_said() {
    let mut cluster = start(PATIENT).await;
    let client = cluster.client_of(1, TENANT).await;
    talk(&client, "anna").await;
    let desk = Desk::of(&cluster).await;
    cluster.kill(3).await;
    let erasure = erase(&client, subject("anna", true)).await;
    destroyed(&client, &erasure).await;
    let receipt = desk.file("receipt");
    let fetch = ["--node", "1", "erasure", "receipt", &erasure.id, "-o"];
    cluster.cli(&[&fetch[..], &[path(&receipt)]].concat()).await;
    let (code, said) = desk.verify(&cluster, &receipt, None).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("threshold"), "{said}");

    cluster.restart(&[3]).await;
    crate::erasure::in_full(&client, &erasure.id).await;
    let full = desk.file("full");
    cluster
        .cli(&["erasure", "receipt", &erasure.id, "-o", path(&full)])
        .await;
    let (code, said) = desk.verify(&cluster, &full, None).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("full"), "{said}");
    cluster.stop().await;
}

/// A node whose tree is another one: one entry of its log was changed on its disk.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_another_tree_signs_nothing_and_is_named() {
    let mut cluster = start(PATIENT).await;
    let client = cluster.client(TENANT).await;
    talk(&client, "anna").await;
    let desk = Desk::of(&cluster).await;
    cluster.stop().await;
    change_an_entry(&cluster, 3);
    cluster.start_again().await;

    let client = cluster.client_of(1, TENANT).await;
    let erasure = erase(&client, subject("anna", true)).await;
    destroyed(&client, &erasure).await;
    let receipt = desk.file("receipt");
    let fetch = ["--node", "1", "erasure", "receipt", &erasure.id, "-o"];
    cluster.cli(&[&fetch[..], &[path(&receipt)]].concat()).await;
    let (code, said) = desk.verify(&cluster, &receipt, None).await;
    assert_eq!(code, Some(0), "{said}");
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["cosigners"], serde_json::json!(["node-1", "node-2"]));
    let missed = r#"eunoe_log_cosignatures_missed_total{node="3""#;
    assert!(cluster.metrics(1).await.contains(missed), "nobody names it");
    cluster.stop().await;
}

/// Changes a byte of the transparency log's first entry in the state of a node that is not running.
fn change_an_entry(cluster: &Cluster, node: u64) {
    const FIRST: [u8; 9] = [0x27, 0, 0, 0, 0, 0, 0, 0, 0];
    let states = RocksStates::new(&cluster.node_dir(node).join("state"), &RocksOptions::default()).unwrap();
    let state = states.open(GroupId::CONTROL).unwrap();
    let mut entry = state.view().get(&FIRST).unwrap().unwrap();
    let last = entry.len() - 3;
    entry[last] ^= 1;
    let applied = state.applied().unwrap().unwrap();
    state
        .commit(Changes::from([(FIRST.to_vec(), Some(entry))]), &applied)
        .unwrap();
    state.flush().unwrap();
}

/// Somebody else who remembers what the log was, as a real process.
struct Witness {
    key: String,
    address: String,
    process: Child,
}

impl Witness {
    /// Starts it with the log that it witnesses.
    async fn start(folder: &Path, address: &str, log: &str) -> Self {
        let mut command = Command::new(programs::eunoe());
        command
            .args(["--output", "json", "witness", "--name", "witness.example/w1"])
            .args(["--dir", path(folder), "--listen", address, "--log", log])
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let ready = lines.next_line().await.unwrap().unwrap();
        let ready: serde_json::Value = serde_json::from_str(&ready).unwrap();
        Self {
            key: ready["key"].as_str().unwrap().to_owned(),
            address: ready["listen"].as_str().unwrap().to_owned(),
            process,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_given_once_a_witness_that_must_sign_has_signed() {
    // The nodes have to know its key, and it theirs: it is started once to make it, with a log that nobody asks for.
    const OTHER_LOG: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("witness");
    let mut witness = Witness::start(&folder, "127.0.0.1:0", OTHER_LOG).await;
    witness.process.kill().await.unwrap();
    let (key, address) = (&witness.key, &witness.address);
    let cluster = Cluster::start_with(Setup {
        arguments: PATIENT,
        tables: format!("[[audit.witnesses]]\nkey = \"{key}\"\nurl = \"http://{address}\"\n"),
        ..Setup::default()
    })
    .await;
    let client = cluster.client(TENANT).await;
    for person in ["anna", "bert"] {
        talk(&client, person).await;
    }
    let desk = Desk::of(&cluster).await;
    let policy = fs::read_to_string(&desk.policy).unwrap();
    let log = policy.lines().next().unwrap().strip_prefix("log ").unwrap();
    let witness = Witness::start(&folder, address, log).await;

    let client = cluster.client_of(1, TENANT).await;
    let erasure = erase(&client, subject("anna", true)).await;
    destroyed(&client, &erasure).await;
    let receipt = desk.file("receipt");
    cluster
        .cli(&["erasure", "receipt", &erasure.id, "-o", path(&receipt)])
        .await;
    let (code, said) = desk.verify(&cluster, &receipt, None).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("witness-1"), "{said}");

    // Without it there is none that its policy would take.
    drop(witness);
    let erasure = erase(&client, subject("bert", true)).await;
    destroyed(&client, &erasure).await;
    let impatient = impatient(&cluster, 1).await;
    let refused = impatient.erasures().receipt(&erasure.id).await.unwrap_err();
    assert_eq!(
        (refused.code, reason(&refused)),
        (ErrorCode::Unavailable, "NOT_COSIGNED")
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p5_no_file_links_to_an_erased_person_and_p7_nobody_gives_the_opening_again() {
    let cluster = start(PATIENT).await;
    let client = cluster.client(TENANT).await;
    talk(&client, "anna").await;
    let request = RequestErasureRequest {
        request_id: "anna's".to_owned(),
        ..subject("anna", true)
    };
    let requested = client.erasures().request(request.clone()).await.unwrap();
    let ticket: serde_json::Value = serde_json::from_str(&requested.ticket.unwrap()).unwrap();
    destroyed(&client, &requested.erasure).await;
    let again = client.erasures().request(request).await.unwrap();
    assert_eq!((again.ticket, again.created), (None, false));

    let log = tempfile::tempdir().unwrap();
    cluster.cli(&["audit", "fetch", path(log.path())]).await;
    cluster.stop().await;
    let decoded = |field: &str| STANDARD.decode(ticket[field].as_str().unwrap()).unwrap();
    let (kid, blind) = (decoded("kid"), decoded("blind"));
    assert_eq!((kid.len(), blind.len()), (16, 32));
    // The key's random name is in the log in no form; the blind, which would open its commitment, is nowhere.
    let of_log = files_below(log.path());
    let of_nodes = cluster
        .nodes()
        .into_iter()
        .flat_map(|node| files_below(&cluster.node_dir(node)));
    let all: Vec<_> = of_log.iter().cloned().chain(of_nodes).collect();
    assert!(!of_log.is_empty() && all.len() > of_log.len());
    for file in &of_log {
        assert!(!has(file, &kid), "{} names a key", file.display());
    }
    for file in &all {
        assert!(!has(file, &blind), "{} has the blind", file.display());
    }
    let names = Words::new(&["visitor/anna", "anna says"]);
    let places = cluster.nodes().into_iter().map(|node| cluster.node_dir(node));
    for place in places.chain([log.path().to_owned()]) {
        assert!(names.find_below(&place).0.is_empty());
    }
}

/// Whether a file has some bytes as they are, in hexadecimal or in base64.
fn has(file: &Path, bytes: &[u8]) -> bool {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let content = fs::read(file).unwrap();
    let forms = [
        bytes.to_vec(),
        hex.into_bytes(),
        STANDARD.encode(bytes).into_bytes(),
    ];
    let mut forms = forms.iter();
    forms.any(|form| content.windows(form.len()).any(|window| window == form))
}
