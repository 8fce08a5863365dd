//! What nodes say about themselves: a client's trace goes through the nodes that served it, metrics arrive at a
//! collector and at Prometheus, all of them as documented; and a collector that is gone stalls nothing.

use std::collections::BTreeSet;
use std::fs;

use eunoe_client::types::{Participant, ParticipantKind};
use eunoe_client::{Client, ErrorCode, input};
use eunoe_tests::chats;
use eunoe_tests::cluster::{Cluster, Setup};
use eunoe_tests::collector::{Collector, SentSpan, hex, text};
use eunoe_tests::exposition;
use eunoe_tests::wait::{until, until_true};

const TENANT: &str = "demo";
const PURPOSE: &str = "support";
const APPEND: &str = "eunoe.chat.v1.ChatService/AppendMessage";
const CLIENT_SPAN: &str = "b7ad6b7169203331";

fn visitor() -> Participant {
    input::participant(ParticipantKind::Visitor, "visitor-7")
}

async fn conversation(client: &Client) -> String {
    let request = input::support("reference-7", visitor(), PURPOSE);
    client.create_conversation(request).await.unwrap().conversation.id
}

async fn append(client: &Client, conversation: &str) {
    let message = input::text_message(conversation, visitor(), PURPOSE, "hello");
    client.append(message).await.unwrap();
}

/// A trace id for a node, which its client makes up.
fn trace_id(node: u64) -> String {
    format!("0af7651916cd43dd8448eb211c8031{node:02x}")
}

async fn in_trace(cluster: &Cluster, node: u64, id: &str, flags: &str) -> Client {
    let client = cluster.client_of(node, TENANT).await;
    client
        .in_trace(&format!("00-{id}-{CLIENT_SPAN}-{flags}"))
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_cross_nodes_and_metrics_are_as_documented() {
    let collector = Collector::start();
    let cluster = Cluster::start_with(Setup {
        tables: format!("\n[telemetry]\n{}", collector.telemetry(0.0)),
        ..Setup::default()
    })
    .await;
    let file = chats::file();
    let file = file.to_str().unwrap();
    let imported = cluster.cli(&["import", file, "--tenant", TENANT]).await.remove(0);
    let conversation = conversation(&cluster.client(TENANT).await).await;
    let (quiet, mut appended) = (
        "ffffffffffffffffffffffffffffff01",
        imported["messages"].as_f64().unwrap(),
    );
    for node in cluster.nodes() {
        append(&in_trace(&cluster, node, quiet, "00").await, &conversation).await;
        append(
            &in_trace(&cluster, node, &trace_id(node), "01").await,
            &conversation,
        )
        .await;
        appended += 2.0;
    }
    let client = in_trace(&cluster, 1, &trace_id(99), "01").await;
    let bad = input::text_message(&conversation, visitor(), "no-such-purpose", "hello");
    let error = client.append(bad).await.err().unwrap();
    client
        .get_message_by_seq(input::by_id(&conversation), 1, PURPOSE)
        .await
        .unwrap();

    let mut forwarded = 0;
    for node in cluster.nodes() {
        forwarded += usize::from(the_trace_is_whole(&collector, node).await);
    }
    assert!(
        forwarded >= 2,
        "one node of three leads the group, the others forward"
    );
    the_error_is_traced(&collector, error.code).await;
    assert!(
        collector.trace(quiet).is_empty(),
        "a trace that its caller does not keep"
    );
    assert!(
        collector
            .spans()
            .iter()
            .all(|sent| hex(&sent.span.trace_id).starts_with("0af765")),
        "a trace that nobody asked for"
    );

    for node in cluster.nodes() {
        all_metrics_arrive(&collector, &documented(), node).await;
    }
    prometheus_reads_the_same(&cluster, appended).await;
    drop(client);
    cluster.stop().await;
}

/// The spans of an append through `node`; whether another node led.
async fn the_trace_is_whole(collector: &Collector, node: u64) -> bool {
    let id = trace_id(node);
    let find = |spans: &[SentSpan], name: &str| spans.iter().find(|sent| sent.span.name == name).cloned();
    let (spans, call, propose) = until("the spans of an append arrive", async || {
        let spans = collector.trace(&id);
        let (call, propose) = (find(&spans, APPEND)?, find(&spans, "eunoe.propose")?);
        Some((spans, call, propose))
    })
    .await;
    assert_eq!(
        (&call.node, &propose.node),
        (&node.to_string(), &node.to_string())
    );
    assert_eq!(hex(&call.span.parent_span_id), CLIENT_SPAN);
    assert_eq!(propose.span.parent_span_id, call.span.span_id);
    let labels = text(&call.span.attributes);
    let expected = [("role", "platform"), ("code", "OK")];
    assert_eq!(
        labels,
        expected.map(|(key, value)| (key.to_owned(), value.to_owned()))
    );
    assert!(
        spans
            .iter()
            .all(|sent| sent.span.events.is_empty() && sent.span.trace_state.is_empty())
    );
    // The forwarded span ends before the one that waits for it, but comes from another node.
    let leads = leader_of_traced_group(collector, &propose).await;
    let Some(leader) = leads.filter(|leader| *leader != node.to_string()) else {
        return false;
    };
    let forwarded = until("the leader's span arrives", async || {
        find(&collector.trace(&id), "eunoe.propose_forwarded")
    })
    .await;
    assert_eq!(forwarded.node, leader);
    assert_eq!(forwarded.span.parent_span_id, propose.span.span_id);
    true
}

/// The node that the other nodes' appends to the same group were forwarded to.
async fn leader_of_traced_group(collector: &Collector, propose: &SentSpan) -> Option<String> {
    let group = text(&propose.span.attributes);
    until("some append was forwarded to the leader", async || {
        let spans = collector.spans();
        let mut forwarded = spans.iter().filter(|sent| {
            sent.span.name == "eunoe.propose_forwarded" && text(&sent.span.attributes) == group
        });
        forwarded.next().map(|sent| Some(sent.node.clone()))
    })
    .await
}

async fn the_error_is_traced(collector: &Collector, code: ErrorCode) {
    assert_eq!(code, ErrorCode::InvalidArgument);
    let id = trace_id(99);
    until_true("the span of a refused call arrives", async || {
        let spans = collector.trace(&id);
        let code = ("code".to_owned(), "INVALID_ARGUMENT".to_owned());
        spans
            .iter()
            .any(|sent| sent.span.name == APPEND && text(&sent.span.attributes).contains(&code))
    })
    .await;
    until_true("the span of a read's barrier arrives", async || {
        collector
            .trace(&id)
            .iter()
            .any(|sent| sent.span.name == "eunoe.read_barrier")
    })
    .await;
}

/// A row of the documentation.
struct Documented {
    name: String,
    kind: String,
    labels: BTreeSet<String>,
}

fn documented() -> Vec<Documented> {
    let file = eunoe_tests::workspace_root().join("docs/operations/metrics.md");
    let text = fs::read_to_string(file).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `eunoe_"));
    let rows: Vec<_> = rows
        .map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let words = |cell: &str| {
                cell.split([',', ' ', '`'])
                    .filter(|word| !word.is_empty())
                    .map(str::to_owned)
                    .collect()
            };
            Documented {
                name: cells[0].trim_matches('`').to_owned(),
                kind: cells[1].to_owned(),
                labels: words(cells[3]),
            }
        })
        .collect();
    assert!(rows.len() > 20, "the table is not read");
    rows
}

/// A collector that loses nothing is told of no lost span, where nobody is erased no fence takes time, a sound state
/// breaks no rule, good files are read, nobody puts a vault back, and all nodes sign the transparency log.
const ONLY_IF_IT_HAPPENS: [&str; 6] = [
    "eunoe_invariant_violations_total",
    "eunoe_reload_failures_total",
    "eunoe_vault_rollbacks_total",
    "eunoe_log_cosignatures_missed_total",
    "eunoe_telemetry_spans_dropped_total",
    "eunoe_fence_duration_seconds",
];
/// What only some node has: who leads, who refused.
const ONLY_ON_SOME: [&str; 3] = [
    "eunoe_group_follower_lag_entries",
    "eunoe_refusals_total",
    "eunoe_read_barrier_duration_seconds",
];

async fn all_metrics_arrive(collector: &Collector, documented: &[Documented], node: u64) {
    let node = node.to_string();
    let expected = documented.iter().map(|row| row.name.as_str());
    let expected: BTreeSet<&str> = expected
        .filter(|name| !ONLY_IF_IT_HAPPENS.contains(name) && !ONLY_ON_SOME.contains(name))
        .filter(|name| !name.contains("_snapshot_index"))
        .collect();
    until_true("all metrics arrive", async || {
        let series = collector.series();
        let arrived: BTreeSet<&str> = series
            .iter()
            .filter(|series| series.node == node)
            .map(|series| series.name.as_str())
            .collect();
        expected.is_subset(&arrived)
    })
    .await;
    for series in collector.series() {
        let row = documented.iter().find(|row| row.name == series.name);
        let row = row.unwrap_or_else(|| panic!("{} is not documented", series.name));
        let labels: BTreeSet<String> = series.labels.iter().map(|(label, _)| label.clone()).collect();
        assert_eq!(labels, row.labels, "{}", series.name);
    }
}

async fn prometheus_reads_the_same(cluster: &Cluster, appended: f64) {
    let documented = documented();
    let (mut leaders, mut messages, mut calls, mut refusals, mut barriers) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for node in cluster.nodes() {
        let families = exposition::parse(&cluster.metrics(node).await).unwrap();
        for (name, family) in families.iter().filter(|(name, _)| *name != "target_info") {
            let row = documented.iter().find(|row| row.name == *name);
            let row = row.unwrap_or_else(|| panic!("{name} is not documented"));
            assert_eq!(row.kind, family.kind, "{name}");
        }
        let sum = |name: &str, labels: &[(&str, &str)]| {
            families
                .get(name.trim_end_matches("_count"))
                .map_or(0.0, |family| family.sum(name, labels))
        };
        assert_eq!(sum("eunoe_unsealed", &[]), 1.0);
        assert_eq!(sum("eunoe_serving", &[]), 1.0);
        assert_eq!(sum("eunoe_draining", &[]), 0.0);
        assert_eq!(sum("eunoe_group_has_leader", &[]), 5.0);
        for counted in [
            "eunoe_log_syncs_total",
            "eunoe_keys_in_memory",
            "eunoe_process_cpu_seconds_total",
        ] {
            assert!(sum(counted, &[]) > 0.0, "{counted}");
        }
        leaders += sum("eunoe_group_leader", &[]);
        messages += sum("eunoe_appended_messages_total", &[]);
        calls += sum(
            "eunoe_call_duration_seconds_count",
            &[("method", APPEND), ("code", "OK")],
        );
        refusals += sum("eunoe_refusals_total", &[]);
        barriers += sum("eunoe_read_barrier_duration_seconds_count", &[]);
    }
    assert_eq!(leaders, 5.0, "each group has one leader");
    assert_eq!(messages, appended);
    assert!(calls >= 6.0, "{calls}");
    assert!(refusals >= 1.0, "{refusals}");
    assert!(barriers >= 1.0, "{barriers}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_gone_stalls_nothing() {
    let collector = Collector::start();
    let cluster = Cluster::start_with(Setup {
        nodes: 1,
        tables: format!("\n[telemetry]\n{}", collector.telemetry(1.0)),
        ..Setup::default()
    })
    .await;
    let client = cluster.client(TENANT).await;
    let conversation = conversation(&client).await;
    append(&client, &conversation).await;
    until_true("a span arrives", async || !collector.spans().is_empty()).await;
    collector.stop();
    until_true("lost spans are counted, and appends go on", async || {
        append(&client, &conversation).await;
        let families = exposition::parse(&cluster.metrics(1).await).unwrap();
        let dropped = families.get("eunoe_telemetry_spans_dropped_total");
        dropped.is_some_and(|family| family.sum("eunoe_telemetry_spans_dropped_total", &[]) > 0.0)
    })
    .await;
    cluster.terminate(1).await;
    assert!(
        cluster.log(1).contains("the node ends"),
        "it ends as it was asked to"
    );
}
