//! Signatures of the nodes under a checkpoint: each signs if its own tree is the one that is said (erasure.md §6.2).

use std::sync::Arc;
use std::time::Duration;

use eunoe_core::control::{self, NodeKeys};
use eunoe_evidence::{SignatureLine, SignedCheckpoint};
use eunoe_types::{Fault, GroupId};
use futures::future::join_all;

use super::{Shared, signing};
use crate::telemetry::{self, Attribute, metrics};

/// A node that says nothing for so long does not cosign.
const PATIENCE: Duration = Duration::from_secs(1);

/// Adds the signatures of all nodes that give one now. Those that do not are counted by their names.
pub(super) async fn gather(shared: &Arc<Shared>, signed: &mut SignedCheckpoint) -> Result<(), Fault> {
    let signers = signers(shared)?;
    let text = signed.to_string();
    let asked = signers.iter().map(|keys| ask(shared, keys, &text, signed));
    let lines = join_all(asked).await;
    for (keys, line) in signers.iter().zip(lines) {
        let key = signing::cosigner(shared.config.realm, keys)?;
        let added = match line {
            Some(line) => signed.add_verified(&[line], &key).unwrap_or(false),
            None => false,
        };
        if !added {
            telemetry::count(&metrics::COSIGNATURES_MISSED, 1, &[Attribute::Node(keys.node)]);
            tracing::warn!(node = %keys.node, "a node did not sign a checkpoint of the transparency log");
        }
    }
    Ok(())
}

/// What nodes that are admitted sign with.
pub(super) fn signers(shared: &Shared) -> Result<Vec<NodeKeys>, Fault> {
    match shared.group(GroupId::CONTROL) {
        Some(control) => control.with_view(control::signers)?,
        None => Ok(Vec::new()),
    }
}

async fn ask(
    shared: &Arc<Shared>,
    keys: &NodeKeys,
    text: &str,
    signed: &SignedCheckpoint,
) -> Option<SignatureLine> {
    let line = if keys.node == shared.config.node_id {
        let (own, control) = (Arc::clone(shared), shared.group(GroupId::CONTROL)?);
        let signed = signed.clone();
        let cosigned = shared.blocking(move || control.with_view(|view| own.signer.cosign(view, &signed)));
        cosigned.await.ok()?.ok()?.ok()??
    } else {
        let asked = shared.peers.cosign(keys.node, text.to_owned(), PATIENCE).await;
        asked.ok()??
    };
    SignatureLine::parse(&line).ok()
}
