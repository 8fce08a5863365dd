//! Changes of the cluster that must not happen.

use eunoe_proto::cluster::{
    AddNodeRequest, DrainNodeRequest, GetStatusRequest, ListNodesRequest, ListShardsRequest,
    PromoteNodeRequest, RemoveNodeRequest, TransferLeaderRequest,
};
use tonic::Code;

use super::table::{Row, Rows};
use super::world::World;

pub(super) const GET_STATUS: &str = "/eunoe.cluster.v1.ClusterService/GetStatus";
const LIST_NODES: &str = "/eunoe.cluster.v1.ClusterService/ListNodes";
const LIST_SHARDS: &str = "/eunoe.cluster.v1.ClusterService/ListShards";
const ADD: &str = "/eunoe.cluster.v1.ClusterService/AddNode";
const PROMOTE: &str = "/eunoe.cluster.v1.ClusterService/PromoteNode";
const REMOVE: &str = "/eunoe.cluster.v1.ClusterService/RemoveNode";
const DRAIN: &str = "/eunoe.cluster.v1.ClusterService/DrainNode";
const TRANSFER: &str = "/eunoe.cluster.v1.ClusterService/TransferLeader";

/// An id that no node has.
const NO_NODE: u64 = 77;

/// A node that would be admitted if it were sent as it is.
fn node() -> AddNodeRequest {
    AddNodeRequest {
        node_id: NO_NODE,
        client_address: "127.0.0.1:1".into(),
        peer_address: "127.0.0.1:2".into(),
        spki_sha256: "0".repeat(64),
        site: "de/fra/fra1".into(),
    }
}

pub(super) fn changes(world: &World) -> Vec<Row> {
    let mut rows = Rows::of(world.certified("operator"));
    #[rustfmt::skip]
    let calls = [
        ("id 0", AddNodeRequest { node_id: 0, ..node() }, "node_id"),
        ("no client address", AddNodeRequest { client_address: String::new(), ..node() }, "client_address"),
        ("a client address of 257 bytes", AddNodeRequest { client_address: "x".repeat(257), ..node() }, "client_address"),
        ("no peer address", AddNodeRequest { peer_address: String::new(), ..node() }, "peer_address"),
        ("no key", AddNodeRequest { spki_sha256: String::new(), ..node() }, "spki_sha256"),
        ("half a key", AddNodeRequest { spki_sha256: "0".repeat(32), ..node() }, "spki_sha256"),
        ("a key of other digits", AddNodeRequest { spki_sha256: "g".repeat(64), ..node() }, "spki_sha256"),
        ("no site", AddNodeRequest { site: String::new(), ..node() }, "site"),
        ("a region for a site", AddNodeRequest { site: "eu-central-1".into(), ..node() }, "site"),
        ("a country that is none", AddNodeRequest { site: "germany/fra/fra1".into(), ..node() }, "site"),
    ];
    for (name, call, field) in calls {
        rows.invalid(name, ADD, &call, field);
    }
    let outside = (Code::FailedPrecondition, "PLACEMENT", "site");
    for site in ["us/iad/iad1", "ch/zrh/zrh1", "de/eu-central-2/az1"] {
        let call = AddNodeRequest {
            site: site.into(),
            ..node()
        };
        rows.refused(site, ADD, &call, outside);
    }
    let used = AddNodeRequest { node_id: 1, ..node() };
    rows.refused(
        "an id in use",
        ADD,
        &used,
        (Code::AlreadyExists, "NODE_ID_USED", "node_id"),
    );
    for node_id in [0, NO_NODE] {
        let name = format!("node {node_id}");
        rows.absent(&name, PROMOTE, &PromoteNodeRequest { node_id }, "node_id");
        rows.absent(
            &name,
            REMOVE,
            &RemoveNodeRequest { node_id, lost: false },
            "node_id",
        );
        rows.absent(&name, DRAIN, &DrainNodeRequest { node_id }, "node_id");
    }
    let transfer = |group, to_node_id| TransferLeaderRequest { group, to_node_id };
    rows.absent("an unknown group", TRANSFER, &transfer(999, 1), "group");
    rows.invalid(
        "to a node that is none",
        TRANSFER,
        &transfer(0, NO_NODE),
        "to_node_id",
    );
    rows.finish()
}

pub(super) fn strangers(world: &World) -> Vec<Row> {
    let mut rows = Rows::of(world.certified("platform"));
    let refused = (Code::PermissionDenied, "ROLE", "");
    let node_id = 1;
    for role in ["platform", "dpo", "auditor", "agent", "subject"] {
        rows.caller = world.certified(role);
        rows.refused(role, ADD, &node(), refused);
        rows.refused(role, REMOVE, &RemoveNodeRequest { node_id, lost: false }, refused);
    }
    rows.refused("subject", PROMOTE, &PromoteNodeRequest { node_id }, refused);
    rows.refused("subject", DRAIN, &DrainNodeRequest { node_id }, refused);
    rows.refused("subject", GET_STATUS, &GetStatusRequest {}, refused);
    rows.refused("subject", LIST_NODES, &ListNodesRequest {}, refused);
    rows.refused("subject", LIST_SHARDS, &ListShardsRequest {}, refused);
    let call = TransferLeaderRequest {
        group: 0,
        to_node_id: node_id,
    };
    rows.refused("subject", TRANSFER, &call, refused);
    rows.finish()
}
