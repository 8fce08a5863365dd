//! A second look at each attempt at an epoch: every holder puts the new root together from the vaults, as it would have to
//! after a loss of power, and finds under it what it should, before the attempt can count (erasure.md §4.5, step 6).

use std::sync::Arc;
use std::time::Duration;

use eunoe_core::control::{self, Command, EpochRow, RootRow, VerifyEpoch};
use eunoe_custody::{KeyringError, VerifyError};
use eunoe_types::Fault;

use super::custodian::pending_slot;
use super::{NodeError, Shared, unsealing};
use crate::failpoint::{self, Failpoint};
use crate::groups::news;

const INTERVAL: Duration = Duration::from_secs(1);
/// The pause after a look that came to nothing.
const RETRY_PAUSE: Duration = Duration::from_millis(300);

/// Looks at each attempt that this node is a holder of. Ends with the node.
pub(super) async fn verify_attempts(shared: Arc<Shared>) -> Result<(), NodeError> {
    let control = shared.groups()?.control().clone();
    let mut changed = shared.custodian.watch();
    loop {
        changed.mark_unchanged();
        let found = control.with_view(|view| due(view, &shared))??;
        if let Some((epoch, root)) = found
            && !look(&shared, &epoch, &root).await?
        {
            tokio::time::sleep(RETRY_PAUSE).await;
            continue;
        }
        news(&mut changed, INTERVAL).await;
    }
}

/// The attempt under way, if it waits for this node's word, which this process may give.
fn due(view: &dyn eunoe_core::StateView, shared: &Shared) -> Result<Option<(EpochRow, RootRow)>, Fault> {
    let own = shared.config.node_id;
    let Some(epoch) = control::epoch(view)?.filter(|epoch| epoch.pending.is_some()) else {
        return Ok(None);
    };
    let Some(root) = control::pending_root(view, &epoch)? else {
        return Ok(None);
    };
    let waits = root.made.is_some() && root.sharing.holders.contains(&own) && !root.verified.contains(&own);
    let named = control::was_granted(view, epoch.epoch + 1, (own, &shared.boot))?;
    Ok((waits && named).then_some((epoch, root)))
}

/// Looks at an attempt and says what it found; false if that was not possible now.
async fn look(shared: &Arc<Shared>, epoch: &EpochRow, root: &RootRow) -> Result<bool, NodeError> {
    let attempt = epoch.pending.zip(pending_slot(epoch));
    let (Ok(keys), Some((pending, slot))) = (shared.keyring.unsealed(), attempt) else {
        return Ok(false);
    };
    // What an attempt makes leads to all that is alive before it.
    let Ok(held) = shared.keyring.expect_root(epoch.epoch) else {
        return Ok(false);
    };
    let Some(rebuilt) = unsealing::gather(shared, slot, root).await? else {
        return Ok(false);
    };
    let (control, looked_at, root_commit) = (
        shared.groups()?.control().clone(),
        epoch.clone(),
        rebuilt.commitment(),
    );
    let found = shared.blocking(move || {
        let found = control.with_view(|view| keys.verify_epoch(view, &looked_at, &rebuilt));
        drop((rebuilt, held));
        found
    });
    let command = match found.await?? {
        Ok(()) => {
            failpoint::reached(Failpoint::Verified);
            Command::VerifyEpoch(VerifyEpoch {
                attempt: slot.attempt,
                node: shared.config.node_id,
                digest: pending.digest,
                root_commit,
            })
        }
        Err(VerifyError::Wrong(what)) => {
            tracing::error!(
                epoch = slot.epoch,
                attempt = slot.attempt,
                what,
                "an attempt at an epoch is given up: it is wrong"
            );
            Command::AbortEpoch {
                attempt: slot.attempt,
            }
        }
        Err(VerifyError::Keyring(
            KeyringError::Sealed | KeyringError::LeaseOver | KeyringError::StaleRoot | KeyringError::Behind,
        )) => {
            return Ok(false);
        }
        Err(VerifyError::Keyring(error)) => return Err(error.into()),
    };
    let said = shared.groups()?.propose_control(command.encode().into()).await;
    Ok(said.is_ok())
}
