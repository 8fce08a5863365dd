//! Getting the root: from this node's vault, or from a peer after the grant is in the control group's log.

use std::sync::Arc;
use std::time::Duration;

use eunoe_core::control::{self, Command, GenesisRow, Reply};
use eunoe_crypto::{RootKey, SecretBytes};
use eunoe_types::{BootId, Fault, NodeId};
use eunoe_vault::{Slot, VaultError};

use super::founding::blocking;
use super::{NodeError, Shared};
use crate::peer::{GrantedRoot, RefusedGrant};

const PAUSE: Duration = Duration::from_millis(200);

/// Ends when the keyring is unsealed with the current root.
pub(super) async fn unseal(shared: Arc<Shared>) -> Result<(), NodeError> {
    let control = shared.groups()?.control().clone();
    let mut applied = control.watch_applied();
    loop {
        applied.mark_unchanged();
        if let Some(genesis) = control.with_view(control::genesis)?? {
            let slot = slot_of(&genesis)?;
            match root(&shared, slot).await? {
                Some(secret) => {
                    forget_others(&shared, slot).await?;
                    return unseal_with(&shared, secret);
                }
                None => tokio::time::sleep(PAUSE).await,
            }
        } else {
            let _applied_or_not = tokio::time::timeout(PAUSE * 5, applied.changed()).await;
        }
    }
}

fn unseal_with(shared: &Shared, secret: SecretBytes) -> Result<(), NodeError> {
    let root = RootKey::decode(shared.keyring.arena(), &secret)
        .map_err(|_| Fault::broken("the vault's root is malformed"))?;
    let control = shared.groups()?.control().clone();
    control.with_view(|view| shared.keyring.unseal(view, &root))??;
    tracing::info!("the node is unsealed");
    Ok(())
}

/// Where the vault keeps the current root.
fn slot_of(genesis: &GenesisRow) -> Result<Slot, Fault> {
    let attempt =
        u32::try_from(genesis.attempt).map_err(|_| Fault::broken("the attempt of the epoch is malformed"))?;
    Ok(Slot {
        epoch: genesis.epoch,
        attempt,
    })
}

/// The root of `slot`, if it can be had now.
async fn root(shared: &Arc<Shared>, slot: Slot) -> Result<Option<SecretBytes>, NodeError> {
    let vault = Arc::clone(&shared.vault);
    match blocking(move || vault.get(slot)).await? {
        Ok(secret) => return Ok(Some(secret)),
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
                return Ok(Some(
                    blocking(move || vault.put(slot, &secret).map(|()| secret)).await??,
                ));
            }
            // A root of another epoch than this node knows: one of the two is behind.
            Ok(_) => {}
            Err(error) => tracing::debug!(%peer, %error, "the peer did not give the root"),
        }
    }
    Ok(None)
}

/// Destroys roots of attempts that came to nothing.
async fn forget_others(shared: &Arc<Shared>, current: Slot) -> Result<(), NodeError> {
    let vault = Arc::clone(&shared.vault);
    blocking(move || {
        let mut stale = vault.list()?.into_iter().filter(|slot| *slot != current);
        stale.try_for_each(|slot| vault.destroy(slot).map(drop))
    })
    .await??;
    Ok(())
}

/// Gives the root to an admitted node, after the grant is in the control group's log.
pub(super) async fn grant(
    shared: &Arc<Shared>,
    node: NodeId,
    boot: BootId,
) -> Result<GrantedRoot, RefusedGrant> {
    let not_recorded = |_| RefusedGrant::NotRecorded;
    let groups = shared.groups().map_err(not_recorded)?;
    let genesis = groups
        .control()
        .with_view(control::genesis)
        .ok()
        .and_then(Result::ok)
        .flatten();
    let (Some(genesis), true) = (genesis, shared.keyring.unsealed().is_ok()) else {
        return Err(RefusedGrant::Sealed);
    };
    let slot = slot_of(&genesis).map_err(|_| RefusedGrant::Sealed)?;
    let command = Command::GrantRoot {
        node,
        boot,
        epoch: genesis.epoch,
    }
    .encode();
    let reply = groups
        .propose_control(command.into())
        .await
        .map_err(|_| RefusedGrant::NotRecorded)?;
    match Reply::decode(&reply) {
        Ok(Reply::Done) => {}
        Ok(Reply::Rejected(_)) => return Err(RefusedGrant::NotAdmitted),
        Ok(Reply::Keys(_)) | Err(_) => return Err(RefusedGrant::NotRecorded),
    }
    let vault = Arc::clone(&shared.vault);
    let kept = blocking(move || vault.get(slot)).await.map_err(not_recorded)?;
    let root = kept.map_err(|_| RefusedGrant::Sealed)?;
    tracing::info!(%node, "the root is given to a node");
    Ok(GrantedRoot {
        epoch: slot.epoch,
        attempt: u64::from(slot.attempt),
        root,
    })
}
