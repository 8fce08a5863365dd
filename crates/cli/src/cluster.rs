//! `eunoe cluster …`: what operators see and change.

use clap::{Args, Subcommand};
use eunoe_client::cluster_types::{AddNodeRequest, GetStatusResponse, Group, Node, Root};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::args::Global;
use crate::context::operator_client;
use crate::failure::Failure;
use crate::output::{self, list, printable};

/// The commands.
#[derive(Subcommand)]
pub(crate) enum ClusterCommand {
    /// Show nodes, groups and versions as one node sees them
    Status,
    /// Admit a new node as a learner of every group
    Add(AddArgs),
    /// Make a caught-up learner a voter
    Promote {
        /// Which node
        id: u64,
    },
    /// Take a node out of every group for good, after it destroyed its keys
    Remove {
        /// Which node
        id: u64,
        /// It does not come back: remove it without its word that it destroyed its share of the root. What is erased of its
        /// time is destroyed by the others' word, and names it until it is decommissioned
        #[arg(long)]
        lost: bool,
    },
    /// Record evidence that vault and memory of a removed node are gone for good
    Decommission {
        /// Which node
        id: u64,
        /// A file that shows it, which you keep: its SHA-256 goes into the log
        #[arg(long, value_name = "FILE")]
        evidence: std::path::PathBuf,
    },
    /// Make every node forget the root key, until `unseal`: nothing is lost, nobody can read or write
    Seal,
    /// Let nodes put the root key together again from the shares in their vaults
    Unseal,
    /// Move all leaderships off a node
    Drain {
        /// Which node
        id: u64,
    },
    /// Move the leadership of one group
    TransferLeader {
        /// Which group; 0 is the control group
        group: u32,
        /// The voter that should lead
        to: u64,
    },
}

/// `eunoe cluster add`
#[derive(Args)]
pub(crate) struct AddArgs {
    /// An id that was never used
    #[arg(long)]
    id: u64,
    /// host:port of its client service
    #[arg(long, value_name = "HOST:PORT")]
    client: String,
    /// host:port that peers use
    #[arg(long, value_name = "HOST:PORT")]
    peer: String,
    /// SHA-256 of its public key (SPKI), 64 hex digits
    #[arg(long, value_name = "HEX")]
    spki: String,
    /// Where it stands, for example de/fra/fra1
    #[arg(long)]
    site: String,
}

/// Does what was asked.
pub(crate) async fn run(global: &Global, command: ClusterCommand) -> Result<(), Failure> {
    let client = operator_client(global).await?;
    let cluster = client.cluster();
    match command {
        ClusterCommand::Status => {
            let status = cluster.status().await?;
            output::result(global.output, &status_json(&status), || status_text(&status))
        }
        ClusterCommand::Add(node) => print_node(global, &cluster.add_node(node.into()).await?),
        ClusterCommand::Promote { id } => print_node(global, &cluster.promote_node(id).await?),
        ClusterCommand::Remove { id, lost } => {
            let removed = if lost {
                cluster.remove_lost_node(id).await?
            } else {
                cluster.remove_node(id).await?
            };
            print_node(global, &removed)
        }
        ClusterCommand::Decommission { id, evidence } => {
            let evidence = digest_of(&evidence)?;
            print_node(global, &cluster.decommission_node(id, evidence).await?)
        }
        ClusterCommand::Seal => {
            cluster.seal().await?;
            output::result(global.output, &json!({"sealed": true}), || {
                "sealed: every node forgets the root key; `eunoe cluster unseal` ends it".to_owned()
            })
        }
        ClusterCommand::Unseal => {
            cluster.unseal().await?;
            output::result(global.output, &json!({"sealed": false}), || {
                "unsealed: nodes put the root key together again".to_owned()
            })
        }
        ClusterCommand::Drain { id } => {
            let left = cluster.drain_node(id).await?;
            let json = json!({"id": id, "leader_of": left});
            output::result(global.output, &json, || match left.as_slice() {
                [] => format!("node {id} leads nothing"),
                left => format!("node {id} still leads {}", list(left)),
            })?;
            if left.is_empty() {
                Ok(())
            } else {
                Err(Failure::local(format!("node {id} still leads {}", list(&left))))
            }
        }
        ClusterCommand::TransferLeader { group, to } => {
            let leader = cluster.transfer_leader(group, to).await?;
            let json = json!({"group": group, "leader": leader});
            output::result(global.output, &json, || {
                format!("group {group} is led by {}", or_nobody(leader))
            })?;
            if leader == Some(to) {
                Ok(())
            } else {
                let now = or_nobody(leader);
                Err(Failure::local(format!(
                    "group {group} is led by {now}, not by {to}"
                )))
            }
        }
    }
}

impl From<AddArgs> for AddNodeRequest {
    fn from(node: AddArgs) -> Self {
        Self {
            node_id: node.id,
            client_address: node.client,
            peer_address: node.peer,
            spki_sha256: node.spki,
            site: node.site,
        }
    }
}

fn print_node(global: &Global, node: &Node) -> Result<(), Failure> {
    output::result(global.output, &node_json(node), || node_text(node))
}

fn state_name(node: &Node) -> &'static str {
    let name = node.state().as_str_name();
    name.strip_prefix("NODE_STATE_").unwrap_or(name)
}

fn node_json(node: &Node) -> Value {
    let mut object = Map::new();
    let mut insert = |name: &str, value: Value| object.insert(name.to_owned(), value);
    insert("id", node.id.into());
    insert("site", node.site.clone().into());
    insert("state", state_name(node).into());
    insert("client", node.client_address.clone().into());
    insert("peer", node.peer_address.clone().into());
    insert("reachable", node.reachable.into());
    if let Some(unsealed) = node.unsealed {
        insert("unsealed", unsealed.into());
    }
    if let Some(kept) = node.share_kept {
        insert("share_kept", kept.into());
    }
    if !node.vault_class.is_empty() {
        insert("vault_class", node.vault_class.clone().into());
    }
    if let Some(left_ms) = node.lease_left_ms {
        // A node that is out of its lease answers, and uses no key.
        let lease = if left_ms > 0 { "HELD" } else { "OVER" };
        insert("lease", lease.into());
        insert("lease_left_ms", left_ms.into());
    }
    insert("leader_of", node.leader_of.clone().into());
    object.into()
}

fn group_json(group: &Group) -> Value {
    json!({
        "id": group.id,
        "kind": group.kind,
        "leader": group.leader,
        "voters": group.voters,
        "learners": group.learners,
        "term": group.term,
        "last_log": group.last_log,
        "applied": group.applied,
        "snapshot": group.snapshot,
        "purged": group.purged,
        "log_bytes": group.log_bytes,
        "state_bytes": group.state_bytes,
    })
}

fn root_json(root: &Root) -> Value {
    json!({
        "epoch": root.epoch,
        "holders": root.holders,
        "threshold": root.threshold,
        "present": root.present,
        "losses_left": root.losses_left,
        "sealed": root.sealed,
    })
}

/// How safe the root key is, in a line.
fn root_text(root: &Root) -> String {
    let safe = match root.losses_left {
        None => {
            "TOO FEW SHARES ANSWER: if the others are lost, a restart of all nodes loses all data".to_owned()
        }
        Some(0) => "NO SHARE MAY BE LOST: one more, and a restart of all nodes loses all data".to_owned(),
        Some(left) => format!("{left} shares may be lost"),
    };
    let sealed = if root.sealed {
        ", SEALED by an operator"
    } else {
        ""
    };
    let (present, holders) = (root.present.len(), root.holders.len());
    format!(
        "root of epoch {}: {present} of {holders} shares answer, {} are needed; {safe}{sealed}",
        root.epoch, root.threshold
    )
}

/// SHA-256 of a file.
fn digest_of(path: &std::path::Path) -> Result<[u8; 32], Failure> {
    let content =
        std::fs::read(path).map_err(|error| Failure::local(format!("{}: {error}", path.display())))?;
    Ok(Sha256::digest(content).into())
}

fn status_json(status: &GetStatusResponse) -> Value {
    let limits = status.limits.iter();
    let limits: Map<String, Value> = limits
        .map(|limit| (limit.name.clone(), limit.value.into()))
        .collect();
    json!({
        "node_id": status.node_id,
        "nodes": status.nodes.iter().map(node_json).collect::<Vec<_>>(),
        "groups": status.groups.iter().map(group_json).collect::<Vec<_>>(),
        "epoch": status.epoch,
        "root": status.root.as_ref().map(root_json),
        "realm": status.realm,
        "placement_policy": status.placement_policy,
        "cluster_version": status.cluster_version,
        "program_version": status.program_version,
        "log_disk_bytes": status.log_disk_bytes,
        "limits": limits,
    })
}

fn status_text(status: &GetStatusResponse) -> String {
    let mut lines = vec![format!(
        "realm {}, epoch {}, placement {}, version {} (cluster version {}), as node {} sees it",
        status.realm,
        status.epoch,
        printable(&status.placement_policy),
        status.program_version,
        status.cluster_version,
        status.node_id
    )];
    lines.extend(status.root.as_ref().map(root_text));
    lines.extend(status.nodes.iter().map(node_text));
    lines.extend(status.groups.iter().map(group_text));
    lines.join("\n")
}

fn node_text(node: &Node) -> String {
    let reach = if node.reachable {
        "reachable"
    } else {
        "not reached"
    };
    let seal = match node.unsealed {
        Some(true) => "unsealed",
        Some(false) => "sealed",
        None => "seal unknown",
    };
    let leads = match node.leader_of.as_slice() {
        [] => "leads nothing".to_owned(),
        groups => format!("leads {}", list(groups)),
    };
    let vault = match node.vault_class.as_str() {
        "" => "vault unknown".to_owned(),
        class => format!("vault {}", printable(class)),
    };
    let (site, state) = (printable(&node.site), state_name(node));
    format!(
        "node {}  {site}  {}  {state}  {reach}, {seal}, {vault}, {leads}",
        node.id, node.client_address
    )
}

fn group_text(group: &Group) -> String {
    let learners = match group.learners.as_slice() {
        [] => String::new(),
        learners => format!(", learners {}", list(learners)),
    };
    format!(
        "group {} ({})  leader {}, voters {}{learners}, term {}, applied {} of {}, log {} bytes, state {} bytes",
        group.id,
        group.kind,
        or_nobody(group.leader),
        list(&group.voters),
        group.term,
        group.applied,
        group.last_log,
        group.log_bytes,
        group.state_bytes
    )
}

fn or_nobody(leader: Option<u64>) -> String {
    leader.map_or_else(|| "nobody".to_owned(), |leader| leader.to_string())
}

#[cfg(test)]
mod tests {
    use eunoe_client::cluster_types::NodeState;

    use super::*;

    fn status() -> GetStatusResponse {
        let node = Node {
            id: 1,
            client_address: "127.0.0.1:1".to_owned(),
            peer_address: "127.0.0.1:2".to_owned(),
            site: "de/dev/dev-1".to_owned(),
            state: NodeState::Voter.into(),
            reachable: true,
            unsealed: Some(true),
            lease_left_ms: Some(4_000),
            vault_class: "hsm".to_owned(),
            leader_of: vec![0, 2],
            ..Default::default()
        };
        let group = Group {
            id: 0,
            kind: "control".to_owned(),
            leader: Some(1),
            voters: vec![1, 2, 3],
            applied: 9,
            last_log: 9,
            term: 2,
            log_bytes: 700,
            ..Default::default()
        };
        GetStatusResponse {
            node_id: 1,
            nodes: vec![node],
            groups: vec![group],
            epoch: 1,
            ..Default::default()
        }
    }

    #[test]
    fn scripts_find_nodes_groups_and_epoch() {
        let json = status_json(&status());
        assert_eq!(
            json["nodes"][0].to_string(),
            r#"{"client":"127.0.0.1:1","id":1,"leader_of":[0,2],"lease":"HELD","lease_left_ms":4000,"peer":"127.0.0.1:2","reachable":true,"site":"de/dev/dev-1","state":"VOTER","unsealed":true,"vault_class":"hsm"}"#
        );
        assert_eq!(
            json["groups"][0].to_string(),
            r#"{"applied":9,"id":0,"kind":"control","last_log":9,"leader":1,"learners":[],"log_bytes":700,"purged":0,"snapshot":0,"state_bytes":0,"term":2,"voters":[1,2,3]}"#
        );
        assert_eq!(json["epoch"], 1);
    }

    #[test]
    fn people_read_a_line_a_thing() {
        let text = status_text(&status());
        let lines: Vec<_> = text.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "node 1  de/dev/dev-1  127.0.0.1:1  VOTER  reachable, unsealed, vault hsm, leads 0 2",
                "group 0 (control)  leader 1, voters 1 2 3, term 2, applied 9 of 9, log 700 bytes, state 0 bytes",
            ]
        );
    }
}
