//! Leaving in order: a node that is out of the control group destroys every root that it has, and says so before its
//! admission ends. What it said is final: nobody gives it a root any more.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eunoe_core::control::{Command, HOLDS_NONE, Reply};
use eunoe_types::{GroupId, NodeId};
use eunoe_vault::VaultError;
use tokio::time::{Instant, sleep, timeout};

use super::{NodeError, Shared};
use crate::peer::ProposeOutcome;

/// How long work under way has to end: longer than a peer may take to answer for a root.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(12);
const DRAIN_PAUSE: Duration = Duration::from_millis(20);
/// How long a leader is looked for.
const SAY_TIMEOUT: Duration = Duration::from_secs(8);
const SAY_PAUSE: Duration = Duration::from_millis(100);

/// Destroys every root and says so; `by` knows who leads. False if that was not possible in time: it can be asked again.
/// The node is sealed from here on until it is started anew.
pub(super) async fn retire(shared: &Arc<Shared>, by: NodeId) -> bool {
    tracing::info!(%by, "the node destroys all roots that it has, because it is removed");
    match empty(shared).await {
        Ok(true) => say(shared, by).await,
        Ok(false) => {
            tracing::warn!("the node holds keys still");
            false
        }
        Err(error) => {
            tracing::error!(%error, "the node could not destroy its roots");
            false
        }
    }
}

/// Whether nothing of any root is left on this node.
async fn empty(shared: &Arc<Shared>) -> Result<bool, NodeError> {
    let drained = async {
        loop {
            // A root that was on its way may have come into use meanwhile.
            shared.keyring.retire();
            shared.hub.keys_changed();
            if shared.keyring.is_empty() {
                return;
            }
            sleep(DRAIN_PAUSE).await;
        }
    };
    if timeout(DRAIN_TIMEOUT, drained).await.is_err() {
        return Ok(false);
    }
    // Nothing is on its way from here on: what the vault lists is all there is.
    let vault = Arc::clone(&shared.vault);
    let forgotten = shared.blocking(move || {
        for slot in vault.list()? {
            vault.destroy(slot)?;
        }
        Ok::<_, VaultError>(vault.list()?.is_empty())
    });
    Ok(forgotten.await??)
}

/// Says in the log that this node holds none. It does not hear any more who leads: it asks who may know.
async fn say(shared: &Arc<Shared>, by: NodeId) -> bool {
    let word = shared.signer.word(shared.boot, HOLDS_NONE);
    let command = Bytes::from(Command::AttestDestroyed(word).encode());
    let (deadline, mut to) = (Instant::now() + SAY_TIMEOUT, by);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        let proposed = shared
            .peers
            .propose(to, GroupId::CONTROL, command.clone(), left)
            .await;
        to = match proposed {
            ProposeOutcome::Reply(reply) => return Reply::decode(&reply) == Ok(Reply::Done),
            ProposeOutcome::NotLeader(Some(leader)) if leader != shared.config.node_id => leader,
            ProposeOutcome::NotLeader(_)
            | ProposeOutcome::Overloaded
            | ProposeOutcome::Unreachable
            | ProposeOutcome::Unknown => by,
        };
        sleep(SAY_PAUSE).await;
    }
}
