//! The configuration of one `eunoed`, in the form that it reads.

use std::path::PathBuf;

use serde::Serialize;

use super::authority::{ca_name, cert_name, key_name};
use super::issuer::{self, AUDIENCE, ISSUER};
use super::layout::{Cluster, Layout, Node, Pace};
use crate::failure::Failure;
use crate::files;

#[derive(Serialize)]
struct Config<'a> {
    node_id: u64,
    realm: &'a str,
    site: &'a str,
    data_dir: PathBuf,
    data_groups: u32,
    development: bool,
    join: bool,
    placement: Placement<'a>,
    listen: Listen<'a>,
    tls: Tls,
    identity: Identity,
    members: Vec<Member<'a>>,
    log: Log,
    erasure: Pace,
}

#[derive(Serialize)]
struct Listen<'a> {
    client: &'a str,
    peer: &'a str,
    admin: &'a str,
}

#[derive(Serialize)]
struct Placement<'a> {
    policy: &'a str,
}

#[derive(Serialize)]
struct Tls {
    ca: PathBuf,
    cert: PathBuf,
    key: PathBuf,
}

#[derive(Serialize)]
struct Identity {
    oidc: Oidc,
}

#[derive(Serialize)]
struct Oidc {
    issuer: &'static str,
    audience: &'static str,
    jwks_file: PathBuf,
}

#[derive(Serialize)]
struct Member<'a> {
    node_id: u64,
    client: &'a str,
    peer: &'a str,
    spki_sha256: &'a str,
    site: &'a str,
}

#[derive(Serialize)]
struct Log {
    level: &'static str,
}

/// Writes a node's configuration, and before the first one the issuer's keys that it names. The same node gets the same one at every start.
pub(super) fn write(layout: &Layout, cluster: &Cluster, node: &Node) -> Result<(), Failure> {
    issuer::make_once(layout)?;
    let path = layout.config_file(node.id);
    if let Some(folder) = path.parent() {
        files::make_folder(folder)?;
    }
    let text = toml::to_string(&config(layout, cluster, node))
        .map_err(|error| Failure::file("write", &path, &error))?;
    files::write(&path, &text, files::Access::Public)
}

fn config<'a>(layout: &Layout, cluster: &'a Cluster, node: &'a Node) -> Config<'a> {
    let (tls, name) = (layout.tls(), format!("node-{}", node.id));
    let members = cluster
        .nodes
        .iter()
        .filter(|other| node.knows.contains(&other.id));
    Config {
        node_id: node.id,
        realm: &cluster.realm,
        site: &node.site,
        data_dir: layout.data_dir(node.id),
        data_groups: cluster.data_groups,
        development: true,
        join: node.join,
        placement: Placement {
            policy: &cluster.policy,
        },
        listen: Listen {
            client: &node.client,
            peer: &node.peer,
            admin: &node.admin,
        },
        tls: Tls {
            ca: tls.join(ca_name()),
            cert: tls.join(cert_name(&name)),
            key: tls.join(key_name(&name)),
        },
        identity: Identity {
            oidc: Oidc {
                issuer: ISSUER,
                audience: AUDIENCE,
                jwks_file: issuer::key_set(layout),
            },
        },
        members: members.map(member).collect(),
        log: Log { level: "info" },
        erasure: cluster.erasure,
    }
}

fn member(node: &Node) -> Member<'_> {
    Member {
        node_id: node.id,
        client: &node.client,
        peer: &node.peer,
        spki_sha256: &node.spki_sha256,
        site: &node.site,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_what_eunoed_reads() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::at(folder.path()).unwrap();
        let node = |id: u64, join: bool, knows: &[u64]| Node {
            id,
            client: format!("127.0.0.1:{id}1"),
            peer: format!("127.0.0.1:{id}2"),
            admin: format!("127.0.0.1:{id}3"),
            site: format!("de/dev/dev-{id}"),
            spki_sha256: id.to_string().repeat(64),
            join,
            admitted: !join,
            knows: knows.to_vec(),
        };
        let cluster = Cluster {
            realm: "0f".repeat(16),
            data_groups: 4,
            policy: "EU27".to_owned(),
            erasure: Pace {
                epoch_period_s: 60,
                lease_s: 30,
            },
            nodes: vec![node(1, false, &[1]), node(2, true, &[1, 2])],
        };
        cluster
            .nodes
            .iter()
            .for_each(|node| write(&layout, &cluster, node).unwrap());
        let root = layout.root().display();
        let expected = format!(
            r#"node_id = 1
realm = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
site = "de/dev/dev-1"
data_dir = "{root}/node-1"
data_groups = 4
development = true
join = false

[placement]
policy = "EU27"

[listen]
client = "127.0.0.1:11"
peer = "127.0.0.1:12"
admin = "127.0.0.1:13"

[tls]
ca = "{root}/tls/ca.pem"
cert = "{root}/tls/node-1.pem"
key = "{root}/tls/node-1.key"

[identity.oidc]
issuer = "https://issuer.eunoe.invalid"
audience = "eunoe"
jwks_file = "{root}/oidc/jwks.json"

[[members]]
node_id = 1
client = "127.0.0.1:11"
peer = "127.0.0.1:12"
spki_sha256 = "{pin}"
site = "de/dev/dev-1"

[log]
level = "info"

[erasure]
epoch_period_s = 60
lease_s = 30
"#,
            pin = "1".repeat(64)
        );
        assert_eq!(std::fs::read_to_string(layout.config_file(1)).unwrap(), expected);
        let joining = std::fs::read_to_string(layout.config_file(2)).unwrap();
        assert!(joining.contains("join = true"));
        assert_eq!(joining.matches("[[members]]").count(), 2);
    }
}
