//! A node outside the placement policy does not start, does not join and gets no byte; it says which rule stopped it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use eunoe_tests::cluster::{Cluster, Setup, programs};
use eunoe_tests::wait::until;
use serde_json::Value;
use tokio::process::Command;

/// Sites that policy EU27 refuses, and what is said of each.
const OUTSIDE: &[(&str, &str)] = &[
    (
        "ch/zrh/zrh1",
        "country CH) is not allowed by placement policy EU27: the country is outside (rule COUNTRY_OUTSIDE)",
    ),
    (
        "gb/lon/lon1",
        "country GB) is not allowed by placement policy EU27: the country is outside since 2021-01-01 (rule NO_LONGER)",
    ),
    (
        "us/iad/iad1",
        "country US) is not allowed by placement policy EU27: the country is outside (rule COUNTRY_OUTSIDE)",
    ),
    (
        "no/osl/osl1",
        "country NO) is not allowed by placement policy EU27: the country is outside (rule COUNTRY_OUTSIDE)",
    ),
    (
        "de/eu-central-2/az1",
        "the region that it names is in CH (rule REGION_ELSEWHERE)",
    ),
];
/// A region's name is no site.
const REGION: &str = "eu-central-2";

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_of_eu27_refuses_what_is_outside_and_takes_its_territories() {
    let cluster = Cluster::start_with(Setup {
        nodes: 2,
        sites: &["gp/bt/bt1", "ax/mhq/mhq1"],
        ..Setup::default()
    })
    .await;
    let status = cluster.status_of(1).await;
    assert_eq!(status.placement_policy, "EU27");
    let sites: Vec<_> = status.nodes.iter().map(|node| node.site.as_str()).collect();
    assert_eq!(sites, ["gp/bt/bt1", "ax/mhq/mhq1"]);

    let mut id = 3;
    for (site, expected) in OUTSIDE {
        does_not_start(&cluster, id, site, expected).await;
        let error = add(&cluster, id, &"0".repeat(64), site).await;
        assert_eq!(error["code"], "FAILED_PRECONDITION", "{error}");
        assert_eq!(
            (&error["reason"], &error["field"]),
            (&"PLACEMENT".into(), &"site".into())
        );
        assert!(message(&error).contains(expected), "{error}");
        id += 1;
    }
    does_not_start(&cluster, id, REGION, "site must be <country>/<place>/<facility>").await;
    let error = add(&cluster, id, &"0".repeat(64), REGION).await;
    assert_eq!(
        (&error["code"], &error["field"]),
        (&"INVALID_ARGUMENT".into(), &"site".into())
    );

    let joined = cluster.dev(&["add-node", "--site", "mq/fdf/fdf1"]).await["id"].clone();
    assert_eq!(joined, id + 1);
    let status = cluster.status_of(1).await;
    let ids: Vec<_> = status.nodes.iter().map(|node| node.id).collect();
    assert_eq!(ids, [1, 2, id + 1], "of those refused none is known");

    // The one in Norway.
    a_false_site_gets_no_byte(&cluster, 6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_of_the_eea_takes_norway_and_still_not_switzerland() {
    let cluster = Cluster::start_with(Setup {
        nodes: 1,
        sites: &["no/osl/osl1"],
        policy: "EEA",
        ..Setup::default()
    })
    .await;
    assert_eq!(cluster.status_of(1).await.placement_policy, "EEA");
    let expected = "country CH) is not allowed by placement policy EEA";
    does_not_start(&cluster, 2, "ch/zrh/zrh1", expected).await;
    let error = add(&cluster, 2, &"0".repeat(64), "ch/zrh/zrh1").await;
    assert_eq!(error["reason"], "PLACEMENT", "{error}");
    let joined = cluster.dev(&["add-node", "--site", "is/kef/kef1"]).await;
    assert_eq!(joined["id"], 3);
}

/// A node `id` at `site`, with a good certificate, ends at once and says why; so does the check of its configuration.
async fn does_not_start(cluster: &Cluster, id: u64, site: &str, expected: &str) {
    let error = cluster.dev_refused(&["add-node", "--site", site]).await;
    let said = message(&error);
    assert!(
        said.contains(&format!("node {id} ")) && said.contains("exit status: 1"),
        "{error}"
    );
    assert!(said.contains(expected), "{site}: {error}");
    assert!(
        !cluster.node_dir(id).join("node").exists(),
        "its disk is not claimed"
    );
    let checked = eunoed(&["check-config"], &config(cluster, id))
        .output()
        .await
        .unwrap();
    assert_eq!(checked.status.code(), Some(1), "{site}");
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(said.contains(expected), "{site}: {said}");
}

/// A node that would be refused says itself that all of the EEA will do, and its operator that it is in Frankfurt.
/// What its certificate says counts.
async fn a_false_site_gets_no_byte(cluster: &Cluster, id: u64) {
    let path = config(cluster, id);
    let text = fs::read_to_string(&path).unwrap();
    let bold = text.replace("policy = \"EU27\"", "policy = \"EEA\"");
    assert_ne!(bold, text);
    fs::write(&path, &bold).unwrap();
    let mut child = eunoed(&[], &path).stderr(Stdio::null()).spawn().unwrap();

    let table: toml::Table = bold.parse().unwrap();
    let members = table["members"].as_array().unwrap();
    let own = members
        .iter()
        .find(|member| member["node_id"].as_integer() == i64::try_from(id).ok())
        .unwrap();
    let text_of = |field: &str| own[field].as_str().unwrap().to_owned();
    let (client, peer, spki) = (text_of("client"), text_of("peer"), text_of("spki_sha256"));
    let id_text = id.to_string();
    let lie = [
        "cluster",
        "add",
        "--role",
        "operator",
        "--id",
        &id_text,
        "--client",
        &client,
        "--peer",
        &peer,
        "--spki",
        &spki,
        "--site",
        "de/fra/fra1",
    ];
    let added = cluster.cli(&lie).await;
    assert_eq!(added[0]["site"], "de/fra/fra1", "{added:?}");
    // It calls the others, and they look at its certificate.
    until("a node refuses the one that is outside", async || {
        let logs = [1, 2].map(|node| cluster.log(node));
        let refused = logs.iter().flat_map(|log| log.lines());
        let mut refused = refused.filter(|line| line.contains("refused for where it stands"));
        refused.any(|line| line.contains("no/osl/osl1")).then_some(())
    })
    .await;
    assert!(
        child.try_wait().unwrap().is_none(),
        "it runs, and waits for an answer"
    );
    assert!(
        !cluster.node_dir(id).join("node").exists(),
        "its disk is not claimed"
    );
    assert!(!cluster.node_dir(id).join("state/group-0").exists());
    let status = cluster.status_of(1).await;
    let known = status.nodes.iter().find(|node| node.id == id).unwrap();
    assert!(!known.reachable, "nobody reaches it");
    child.kill().await.unwrap();
}

async fn add(cluster: &Cluster, id: u64, spki: &str, site: &str) -> Value {
    let id = id.to_string();
    let node = [
        "--id",
        &id,
        "--client",
        "127.0.0.1:1",
        "--peer",
        "127.0.0.1:2",
        "--spki",
        spki,
        "--site",
        site,
    ];
    let arguments = [&["cluster", "add", "--role", "operator"], &node[..]].concat();
    cluster.cli_refused(&arguments).await
}

fn message(error: &Value) -> &str {
    error["message"].as_str().unwrap()
}

fn config(cluster: &Cluster, id: u64) -> PathBuf {
    cluster.dir().join(format!("conf/node-{id}.toml"))
}

fn eunoed(arguments: &[&str], config: &Path) -> Command {
    let mut command = Command::new(programs::eunoed());
    command.args(arguments).arg("--config").arg(config);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::piped()).kill_on_drop(true);
    command
}
