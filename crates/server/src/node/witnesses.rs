//! Signatures of witnesses under a checkpoint: somebody else who remembers what this log was (erasure.md §6.2).

use std::sync::Arc;

use eunoe_core::control::LogTree;
use eunoe_evidence::{SignatureLine, SignedCheckpoint, prove_consistency};
use eunoe_types::{Fault, GroupId};
use eunoe_witness::WitnessClient;
use futures::future::join_all;

use super::{NodeError, Shared};
use crate::config::WitnessConfig;

/// The witnesses of this cluster's log.
pub(super) struct Witnesses {
    clients: Vec<Arc<WitnessClient>>,
}

impl Witnesses {
    /// Those of the configuration. Nobody is asked yet.
    pub(super) fn new(configured: &[WitnessConfig]) -> Result<Self, NodeError> {
        let client = |witness: &WitnessConfig| {
            let client = WitnessClient::new(&witness.url, witness.key.clone(), witness.ca.as_deref());
            client.map(Arc::new).map_err(NodeError::Witness)
        };
        Ok(Self {
            clients: configured.iter().map(client).collect::<Result<_, _>>()?,
        })
    }

    /// Adds the signatures of all witnesses that give one now.
    pub(super) async fn gather(
        &self,
        shared: &Arc<Shared>,
        signed: &mut SignedCheckpoint,
    ) -> Result<(), Fault> {
        let asked = self.clients.iter().map(|client| ask(shared, client, signed));
        for line in join_all(asked).await.into_iter().flatten() {
            signed
                .add(line)
                .map_err(|_| Fault::broken("a checkpoint takes no more signatures"))?;
        }
        Ok(())
    }
}

async fn ask(
    shared: &Arc<Shared>,
    client: &Arc<WitnessClient>,
    signed: &SignedCheckpoint,
) -> Option<SignatureLine> {
    let control = shared.group(GroupId::CONTROL)?;
    let (asked, signed) = (Arc::clone(client), signed.clone());
    let prove = move |old, new| match control.with_view(|view| prove_consistency(&LogTree(view), old, new)) {
        Ok(Ok(proof)) => Ok(proof),
        Ok(Err(_)) => Err(Fault::broken("the transparency log has a gap")),
        Err(fault) => Err(fault),
    };
    let answer = shared.blocking(move || asked.ask(&signed, prove)).await.ok()?;
    match answer {
        Ok(cosignature) => Some(cosignature.line),
        Err(error) => {
            let witness = client.key().name();
            tracing::warn!(%witness, %error, "a witness did not sign a checkpoint of the transparency log");
            None
        }
    }
}
