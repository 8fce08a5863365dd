//! The control group's placement policy, as this node obeys it.

use std::sync::Arc;
use std::time::Duration;

use eunoe_core::control::{self, NodeRow};
use eunoe_core::placement::{Policy, Site};
use eunoe_types::{Fault, NodeId};

use super::{NodeError, Shared};
use crate::placement::allowed;
use crate::tls::PeerEntry;

/// Keeps the directory of peers and the placement policy as the control group has them.
pub(super) async fn follow_members(shared: Arc<Shared>) -> Result<(), NodeError> {
    let control = shared.groups()?.control().clone();
    let mut applied = control.watch_applied();
    loop {
        applied.mark_unchanged();
        let (policy, nodes) = control
            .with_view(|view| Ok::<_, Fault>((control::placement_policy(view)?, control::nodes(view)?)))??;
        follow(&shared, policy)?;
        if !nodes.is_empty() {
            shared.directory.replace(entries(nodes)?);
        }
        if applied.changed().await.is_err() {
            return Ok(());
        }
        // Members change rarely and keys often: not every entry is worth a scan.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Makes the cluster's policy the one that handshakes are judged by, from the moment on when it is known.
///
/// # Errors
///
/// If it does not allow this node's own site: the node must not go on.
fn follow(shared: &Shared, policy: Option<Policy>) -> Result<(), NodeError> {
    let Some(policy) = policy else {
        return Ok(());
    };
    allowed(policy, &shared.config.site).map_err(|refusal| NodeError::Misplaced(refusal.into()))?;
    shared.directory.allow(policy);
    Ok(())
}

/// The admitted nodes as the directory of peers holds them.
///
/// # Errors
///
/// If a row has a site that is none, which `apply` lets nobody write.
fn entries(nodes: Vec<NodeRow>) -> Result<Vec<(NodeId, PeerEntry)>, Fault> {
    let admitted = nodes.into_iter().filter(|node| node.state.is_admitted());
    let entry = |node: NodeRow| {
        let site = Site::parse(&node.site).map_err(|_| Fault::broken("the site of a node is malformed"))?;
        let entry = PeerEntry {
            address: node.peer_address,
            spki_sha256: node.spki_sha256,
            site,
        };
        Ok((node.id, entry))
    };
    admitted.map(entry).collect()
}
