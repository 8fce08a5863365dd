//! What nodes hold at the end: rules that hold in every state, and the same state behind the same position.

use std::collections::BTreeMap;

use eunoe_core::StateView;
use eunoe_core::invariant::{Pass, digest};
use eunoe_raft::GroupHandle;
use eunoe_types::{Fault, GroupId, LogPosition, NodeId};

use super::node::Node;

/// What is wrong with the states of the nodes that run.
pub(super) fn check(nodes: &[Node]) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen: BTreeMap<(GroupId, LogPosition), (NodeId, [u8; 32])> = BTreeMap::new();
    for node in nodes {
        let groups = node.core().map(|core| core.raft().groups()).unwrap_or_default();
        for group in groups {
            let broken = group.with_view(|view| look(&group, view));
            let (broken, digest) = match broken {
                Ok(Ok(looked)) => looked,
                Ok(Err(fault)) | Err(fault) => {
                    found.push(format!("node {}: {fault}", node.id));
                    continue;
                }
            };
            found.extend(
                broken
                    .into_iter()
                    .map(|rule| format!("node {} group {}: the state breaks {rule}", node.id, group.id())),
            );
            let Some(applied) = group.applied() else { continue };
            let (other, theirs) = *seen.entry((group.id(), applied)).or_insert((node.id, digest));
            if theirs != digest {
                found.push(format!(
                    "nodes {other} and {} have other states of group {} behind the same entry",
                    node.id,
                    group.id()
                ));
            }
        }
    }
    found
}

fn look(group: &GroupHandle, view: &dyn StateView) -> Result<(Vec<String>, [u8; 32]), Fault> {
    let broken = Pass::new(group.id()).finish(view)?;
    let broken = broken.iter().map(ToString::to_string).collect();
    Ok((broken, digest(view)?))
}
