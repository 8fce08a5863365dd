//! Getting the root: from this node's vault, or from a peer after the grant is in the control group's log.

use std::sync::Arc;
use std::time::Duration;

use eunoe_core::control::{self, Command, EpochRow, Rejection, Reply};
use eunoe_crypto::{RootKey, SecretBytes};
use eunoe_custody::{KeyringError, RootInFlight};
use eunoe_types::{BootId, Fault, NodeId};
use eunoe_vault::{Slot, VaultError};

use super::custodian::slot_of;
use super::{NodeError, Shared};
use crate::groups::news;
use crate::peer::{GrantedRoot, RefusedGrant};

const PAUSE: Duration = Duration::from_millis(200);
/// How long the root of the next epoch waits for the beginning of its attempt to be applied here.
const PENDING_TIMEOUT: Duration = Duration::from_secs(3);

/// Keeps the keyring unsealed with the current root, as long as the lease lasts.
pub(super) async fn keep_unsealed(shared: Arc<Shared>) -> Result<(), NodeError> {
    let control = shared.groups()?.control().clone();
    let mut changed = shared.custodian.watch();
    loop {
        changed.mark_unchanged();
        if !shared.keyring.holds_root()
            && shared.keyring.lease().left_ms() > 0
            && let Some(epoch) = control.with_view(control::epoch)??
            && !unseal(&shared, &epoch).await?
        {
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        news(&mut changed, PAUSE * 5).await;
    }
}

/// Ends when the keyring was unsealed for the first time.
pub(super) async fn first_time(shared: &Shared) {
    let mut keys = shared.hub.watch_keys();
    while shared.keyring.unsealed().is_err() && keys.changed().await.is_ok() {}
}

/// Says whether it is unsealed now.
async fn unseal(shared: &Arc<Shared>, epoch: &EpochRow) -> Result<bool, NodeError> {
    let slot = slot_of(epoch)?;
    let Some((secret, held)) = root(shared, slot).await? else {
        return Ok(false);
    };
    let root = RootKey::decode(shared.keyring.arena(), &secret)
        .map_err(|_| Fault::broken("the vault's root is malformed"))?;
    drop(secret);
    let control = shared.groups()?.control().clone();
    let unsealed = {
        let _turn = shared.keyring.turn();
        control.with_view(|view| shared.keyring.unseal(view, &root))?
    };
    match unsealed {
        Ok(()) => {}
        // The epoch is over already.
        Err(KeyringError::WrongRoot) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    drop((root, held));
    tracing::info!("the node is unsealed");
    shared.hub.keys_changed();
    Ok(true)
}

/// The root of `slot`, if it can be had now. It is counted from before it is looked for until it is dropped: this node
/// says nothing about its epoch meanwhile.
async fn root(shared: &Arc<Shared>, slot: Slot) -> Result<Option<(SecretBytes, RootInFlight)>, NodeError> {
    let Ok(held) = shared.keyring.expect_root(slot.epoch) else {
        return Ok(None);
    };
    let vault = Arc::clone(&shared.vault);
    match shared.blocking(move || vault.get(slot)).await? {
        Ok(secret) => {
            // Its own process is in the log's list of those that ever had the root, too.
            return Ok(
                record_grant(shared, shared.config.node_id, shared.boot, slot.epoch)
                    .await
                    .is_ok()
                    .then_some((secret, held)),
            );
        }
        Err(VaultError::NotFound(_)) => {}
        Err(error) => return Err(error.into()),
    }
    for peer in shared.directory.nodes() {
        if peer == shared.config.node_id {
            continue;
        }
        match shared.peers.grant_root(peer, shared.boot).await {
            Ok(granted) if (granted.epoch, granted.attempt) == (slot.epoch, u64::from(slot.attempt)) => {
                let (vault, secret) = (Arc::clone(&shared.vault), granted.root);
                let kept = shared.blocking(move || vault.put(slot, &secret).map(|()| (secret, held)));
                return Ok(Some(kept.await??));
            }
            // A root of another epoch than this node knows: one of the two is behind.
            Ok(_) => {}
            Err(error) => tracing::debug!(%peer, %error, "the peer did not give the root"),
        }
    }
    Ok(None)
}

/// Gives the root to an admitted node, after the grant is in the control group's log.
pub(super) async fn grant(
    shared: &Arc<Shared>,
    node: NodeId,
    boot: BootId,
) -> Result<GrantedRoot, RefusedGrant> {
    let not_recorded = |_| RefusedGrant::NotRecorded;
    let groups = shared.groups().map_err(not_recorded)?;
    let epoch = groups
        .control()
        .with_view(control::epoch)
        .ok()
        .and_then(Result::ok)
        .flatten();
    let (Some(epoch), true) = (epoch, shared.keyring.unsealed().is_ok()) else {
        return Err(RefusedGrant::Sealed);
    };
    let slot = slot_of(&epoch).map_err(|_| RefusedGrant::Sealed)?;
    record_grant(shared, node, boot, slot.epoch).await?;
    // Until it is handed to the transport, which wipes its copy when that is sent.
    let _held = shared
        .keyring
        .expect_root(slot.epoch)
        .map_err(|_| RefusedGrant::Sealed)?;
    let vault = Arc::clone(&shared.vault);
    let kept = shared
        .blocking(move || vault.get(slot))
        .await
        .map_err(not_recorded)?;
    let root = kept.map_err(|_| RefusedGrant::Sealed)?;
    tracing::info!(%node, "the root is given to a node");
    Ok(GrantedRoot {
        epoch: slot.epoch,
        attempt: u64::from(slot.attempt),
        root,
    })
}

/// Writes into the control group's log that a process is about to have the root of the current epoch.
async fn record_grant(
    shared: &Arc<Shared>,
    node: NodeId,
    boot: BootId,
    epoch: u64,
) -> Result<(), RefusedGrant> {
    let groups = shared.groups().map_err(|_| RefusedGrant::NotRecorded)?;
    let command = Command::GrantRoot { node, boot, epoch }.encode();
    let reply = groups.propose_control(command.into()).await;
    match reply.map(|reply| Reply::decode(&reply)) {
        Ok(Ok(Reply::Done)) => Ok(()),
        Ok(Ok(Reply::Rejected(Rejection::NoSuchNode))) => Err(RefusedGrant::NotAdmitted),
        Ok(Ok(Reply::Rejected(_) | Reply::Keys(_) | Reply::Erasure { .. }) | Err(_)) | Err(_) => {
            Err(RefusedGrant::NotRecorded)
        }
    }
}

/// Keeps the root that the epoch under preparation will have.
pub(super) async fn install_next(
    shared: &Arc<Shared>,
    from: NodeId,
    next: GrantedRoot,
) -> Result<(), RefusedGrant> {
    // What an attempt makes leads to all that is alive before it: it is here now, and counts until the keyring drops it.
    let held = shared.keyring.expect_root(next.epoch.saturating_sub(1));
    let held = held.map_err(|_| RefusedGrant::NotRecorded)?;
    let groups = shared.groups().map_err(|_| RefusedGrant::NotRecorded)?;
    let control = groups.control();
    if control.leadership().leader != Some(from) {
        return Err(RefusedGrant::NotAdmitted);
    }
    if shared.keyring.lease().left_ms() == 0 {
        // What is applied here may be older than what an earlier run of this process said of its vault.
        return Err(RefusedGrant::Sealed);
    }
    let attempt = u32::try_from(next.attempt).map_err(|_| RefusedGrant::NotRecorded)?;
    let slot = Slot {
        epoch: next.epoch,
        attempt,
    };
    // The beginning of the attempt lists this process; until it is applied here the slot would not be kept either.
    wait_pending(shared, slot).await?;
    let root = RootKey::decode(shared.keyring.arena(), &next.root).map_err(|_| RefusedGrant::NotRecorded)?;
    let vault = Arc::clone(&shared.vault);
    // It counts while the vault writes, even if whoever sent it does not wait for that.
    let kept = shared
        .blocking(move || vault.put(slot, &next.root).map(|()| held))
        .await;
    let held = kept.map_err(|_| RefusedGrant::NotRecorded)?.map_err(|error| {
        tracing::error!(%error, "the vault did not keep the root of the next epoch");
        RefusedGrant::NotRecorded
    })?;
    shared.keyring.keep_next(root, held);
    Ok(())
}

/// Waits until the attempt of `slot` is the one under preparation here.
async fn wait_pending(shared: &Arc<Shared>, slot: Slot) -> Result<(), RefusedGrant> {
    let mut changed = shared.custodian.watch();
    let is_pending = || {
        let groups = shared.groups().ok()?;
        let epoch = groups.control().with_view(control::epoch).ok()?.ok()??;
        let pending = epoch.pending.is_some() && epoch.last_attempt == slot.attempt;
        Some(pending && epoch.epoch + 1 == slot.epoch)
    };
    let waiting = async {
        while is_pending() != Some(true) {
            if changed.changed().await.is_err() {
                return;
            }
        }
    };
    let waited = tokio::time::timeout(PENDING_TIMEOUT, waiting).await;
    waited.map_err(|_| RefusedGrant::NotRecorded)
}
