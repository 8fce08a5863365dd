//! Getting the root: put together from the shares in holders' vaults, after the control group's log names this process
//! for it (erasure.md §4.6). Nobody has the whole root but in memory, and no memory without a lease.

use std::sync::Arc;
use std::time::Duration;

use eunoe_core::control::{self, Command, EpochRow, Rejection, Reply, RootRow};
use eunoe_crypto::{RootKey, SecretBytes};
use eunoe_custody::{Gathering, KeyringError};
use eunoe_types::sabotage::{self, Sabotage};
use eunoe_types::{BootId, Fault, NodeId};
use eunoe_vault::{Slot, VaultError};
use futures::stream::{FuturesUnordered, StreamExt as _};

use super::custodian::{pending_slot, slot_of};
use super::epochs::may_be_given;
use super::{NodeError, Shared};
use crate::failpoint::{self, Failpoint};
use crate::groups::news;
use crate::peer::{GivenRoot, RefusedGrant, RootPart};

const PAUSE: Duration = Duration::from_millis(200);
/// Each attempt that came to nothing doubles the pause, up to this one: each is a command in the log.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How long the root of the next epoch waits for the beginning of its attempt to be applied here.
const PENDING_TIMEOUT: Duration = Duration::from_secs(3);
/// How long holders may take for their shares, if the lease lasts that long.
const GATHER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a holder may take to learn how the control group is, before it gives a share away.
const BARRIER_TIMEOUT: Duration = Duration::from_secs(3);

/// Keeps the keyring unsealed with the current root, as long as the lease lasts.
pub(super) async fn keep_unsealed(shared: Arc<Shared>) -> Result<(), NodeError> {
    let control = shared.groups()?.control().clone();
    let (mut changed, mut pause) = (shared.custodian.watch(), PAUSE);
    loop {
        changed.mark_unchanged();
        if !shared.keyring.holds_root()
            && shared.keyring.lease().left_ms() > 0
            && let Some(epoch) = control.with_view(control::epoch)??
            && !control.with_view(control::is_sealed)??
            && !unseal(&shared, &epoch).await?
        {
            tokio::time::sleep(pause).await;
            pause = PAUSE_MAX.min(pause * 2);
            continue;
        }
        pause = PAUSE;
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
    let control = shared.groups()?.control().clone();
    let root = control.with_view(|view| control::current_root(view, epoch))??;
    let root = root.ok_or_else(|| Fault::broken("the current root has no row"))?;
    let slot = slot_of(epoch)?;
    // It is counted from before it is looked for until it is dropped: this node says nothing about its epoch meanwhile.
    let Ok(_held) = shared.keyring.expect_root(slot.epoch) else {
        return Ok(false);
    };
    if !record_grant(shared, slot.epoch).await {
        return Ok(false);
    }
    let gathered = match gather(shared, slot, &root).await? {
        None => from_memory(shared, slot, &root).await?,
        gathered => gathered,
    };
    let Some(root) = gathered else {
        return Ok(false);
    };
    let unsealed = {
        let _turn = shared.keyring.turn();
        if shared.keyring.lease().left_ms() == 0 {
            return Ok(false);
        }
        control.with_view(|view| shared.keyring.unseal(view, &root))?
    };
    match unsealed {
        Ok(()) => {}
        // The epoch is over already, or an operator was faster.
        Err(KeyringError::WrongRoot | KeyringError::Sealed) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    tracing::info!("the node is unsealed");
    shared.hub.keys_changed();
    Ok(true)
}

/// Puts a root together from the shares of its holders, this node's own among them; none if too few of them answer while
/// the lease lasts. Whoever calls expects the root, and is named for it in the log.
pub(super) async fn gather(
    shared: &Arc<Shared>,
    slot: Slot,
    root: &RootRow,
) -> Result<Option<RootKey>, NodeError> {
    let Some(mut gathering) = Gathering::new(root)? else {
        return Ok(None);
    };
    let own = shared.config.node_id;
    if let Some(share) = own_share(shared, slot).await? {
        take(&mut gathering, own, &share);
    }
    let patience = patience(shared);
    let others = root.sharing.holders.iter().filter(|holder| **holder != own);
    let mut asked: FuturesUnordered<_> = others
        .map(async |holder| {
            let released = shared
                .peers
                .release_root(*holder, RootPart::Share, slot, shared.boot, patience)
                .await;
            (*holder, released)
        })
        .collect();
    loop {
        if let Some(root) = gathering.root(shared.keyring.arena())? {
            return Ok(Some(root));
        }
        match asked.next().await {
            Some((holder, Ok(share))) => take(&mut gathering, holder, &share),
            Some((node, Err(error))) => tracing::debug!(%node, %error, "the holder gave no share"),
            None => return Ok(None),
        }
    }
}

/// How long others may take. What arrives after the lease would be a key in the memory of a node that must have none.
fn patience(shared: &Shared) -> Duration {
    GATHER_TIMEOUT.min(Duration::from_millis(shared.keyring.lease().left_ms()))
}

/// The current root from the memory of a node that has it, when too few vaults give their shares: they are lost, or their
/// nodes cannot be reached. As long as one node is unsealed the root can be shared anew, which takes a second one.
async fn from_memory(shared: &Arc<Shared>, slot: Slot, root: &RootRow) -> Result<Option<RootKey>, NodeError> {
    let Some(made) = &root.made else { return Ok(None) };
    let others = shared.groups()?.control().with_view(may_be_given)??;
    for node in others.into_iter().filter(|node| *node != shared.config.node_id) {
        let asked = shared
            .peers
            .release_root(node, RootPart::Whole, slot, shared.boot, patience(shared));
        let Ok(whole) = asked.await else { continue };
        match RootKey::decode(shared.keyring.arena(), &whole) {
            Ok(whole) if whole.commitment() == made.root_commit => {
                tracing::warn!(%node, "too few vaults give their shares of the root: it came from a node's memory");
                return Ok(Some(whole));
            }
            Ok(_) | Err(_) => tracing::error!(%node, "a node gave a root that is another one"),
        }
    }
    Ok(None)
}

/// A share that is false, or of another root, counts for nothing, and whoever gave it is named.
fn take(gathering: &mut Gathering, node: NodeId, share: &SecretBytes) {
    if let Err(error) = gathering.add(node, share) {
        tracing::error!(%node, %error, "a holder gave a share that is none of the root");
    }
}

async fn own_share(shared: &Arc<Shared>, slot: Slot) -> Result<Option<SecretBytes>, NodeError> {
    let vault = Arc::clone(&shared.vault);
    match shared.blocking(move || vault.get(slot)).await? {
        Ok(share) => Ok(Some(share)),
        // A dead one is as good as none: the others' shares may be enough, and then there is a new one.
        Err(VaultError::NotFound(_) | VaultError::Dead(_)) => Ok(None),
        Err(error) if error.is_passing() => {
            tracing::warn!(%error, "the vault does not answer");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// The root of `slot` from memory, if it is the current one and this node has it now.
fn own_root(shared: &Shared, slot: Slot) -> Result<Option<SecretBytes>, NodeError> {
    let Ok(keys) = shared.keyring.unsealed() else {
        return Ok(None);
    };
    let (root, commitment) = keys.root();
    let epoch = shared.groups()?.control().with_view(control::epoch)??;
    let is_current = |epoch: &EpochRow| epoch.root_commit == commitment && slot_of(epoch).ok() == Some(slot);
    Ok(epoch.as_ref().is_some_and(is_current).then_some(root))
}

/// Writes into the control group's log that this process is about to have the root of the current epoch; false if that was
/// not possible now.
async fn record_grant(shared: &Arc<Shared>, epoch: u64) -> bool {
    let Ok(groups) = shared.groups() else { return false };
    let command = Command::GrantRoot {
        node: shared.config.node_id,
        boot: shared.boot,
        epoch,
    };
    let reply = groups.propose_control(command.encode().into()).await;
    match reply.map(|reply| Reply::decode(&reply)) {
        Ok(Ok(Reply::Done)) => true,
        Ok(Ok(Reply::Rejected(Rejection::NoSuchNode))) => {
            tracing::warn!(
                "the cluster names this node for no root: it is not admitted, or said that it holds none for good"
            );
            false
        }
        Ok(Ok(Reply::Rejected(_) | Reply::Keys(_) | Reply::Erasure { .. }) | Err(_)) | Err(_) => false,
    }
}

/// Gives this node's part of a root to a process that the log names for it, as the log is now: a holder that is cut off
/// gives none.
pub(super) async fn release(
    shared: &Arc<Shared>,
    node: NodeId,
    part: RootPart,
    (slot, boot): (Slot, BootId),
) -> Result<SecretBytes, RefusedGrant> {
    let groups = shared.groups().map_err(|_| RefusedGrant::NotRecorded)?;
    let confirmed = groups.control().read_barrier(BARRIER_TIMEOUT).await;
    confirmed.map_err(|_| RefusedGrant::NotRecorded)?;
    // It leads to keys that live now, also if its attempt comes to nothing; counted until it is handed to the transport,
    // which wipes its copy when that is sent.
    let _held = shared.keyring.expect_root(slot.epoch.saturating_sub(1));
    let may_have = groups.control().with_view(|view| {
        let Some(epoch) = control::epoch(view)? else {
            return Ok(false);
        };
        let is_of_now = pending_slot(&epoch) == Some(slot) || slot == slot_of(&epoch)?;
        let is_named = control::was_granted(view, slot.epoch, (node, &boot))?;
        let may_have = is_of_now && is_named && control::is_admitted(view, node)?;
        Ok::<_, Fault>(may_have && !control::is_sealed(view)?)
    });
    match may_have {
        Ok(Ok(true)) => {}
        Ok(Ok(false)) => return Err(RefusedGrant::NotAdmitted),
        Ok(Err(_)) | Err(_) => return Err(RefusedGrant::NotRecorded),
    }
    let own = match part {
        RootPart::Share => own_share(shared, slot).await,
        RootPart::Whole => own_root(shared, slot),
    };
    match own {
        Ok(Some(share)) => {
            tracing::info!(%node, ?part, "a part of the root is given to a node");
            Ok(share)
        }
        Ok(None) => Err(RefusedGrant::Sealed),
        Err(error) => {
            tracing::error!(%error, "the part of the root cannot be given");
            Err(RefusedGrant::NotRecorded)
        }
    }
}

/// Keeps what the leader of the control group gives of a root: the share in the vault, the root that the next epoch will
/// have in memory.
pub(super) async fn install(
    shared: &Arc<Shared>,
    from: NodeId,
    given: GivenRoot,
) -> Result<(), RefusedGrant> {
    let groups = shared.groups().map_err(|_| RefusedGrant::NotRecorded)?;
    let control = groups.control();
    if control.leadership().leader != Some(from) {
        return Err(RefusedGrant::NotAdmitted);
    }
    // What an attempt makes leads to all that is alive before it: it is here now, and counts until the keyring drops it.
    let held = shared.keyring.expect_root(given.slot.epoch.saturating_sub(1));
    let held = held.map_err(|_| RefusedGrant::NotRecorded)?;
    if given.slot.epoch > 0 {
        if shared.keyring.lease().left_ms() == 0 {
            // What is applied here may be older than what an earlier run of this process said of its vault.
            return Err(RefusedGrant::Sealed);
        }
        // The beginning of the attempt lists this process; until it is applied here the slot would not be kept either.
        wait_pending(shared, given.slot).await?;
    } else if shared.has_genesis() {
        // The share of a realm's first root comes before the realm is there, or never.
        return Err(RefusedGrant::NotAdmitted);
    }
    let root = given
        .root
        .map(|root| RootKey::decode(shared.keyring.arena(), &root));
    let root = root.transpose().map_err(|_| RefusedGrant::NotRecorded)?;
    let held = match given.share {
        None => held,
        Some(_) if sabotage::is(Sabotage::UnkeptShareCounts) => held,
        Some(share) => {
            let (vault, slot) = (Arc::clone(&shared.vault), given.slot);
            failpoint::reached(Failpoint::ShareArrived);
            // It counts while the vault writes, even if whoever sent it does not wait for that.
            let kept = shared
                .blocking(move || vault.put(slot, &share).map(|()| held))
                .await;
            let held = kept.map_err(|_| RefusedGrant::NotRecorded)?.map_err(|error| {
                tracing::error!(%error, "the vault did not keep its share of a root");
                RefusedGrant::NotRecorded
            })?;
            failpoint::reached(Failpoint::ShareKept);
            held
        }
    };
    if let Some(root) = root {
        shared.keyring.keep_next(root, held);
    }
    Ok(())
}

/// Waits until the attempt of `slot` is the one under preparation here.
async fn wait_pending(shared: &Arc<Shared>, slot: Slot) -> Result<(), RefusedGrant> {
    let mut changed = shared.custodian.watch();
    let is_pending = || {
        let groups = shared.groups().ok()?;
        let epoch = groups.control().with_view(control::epoch).ok()?.ok()??;
        Some(pending_slot(&epoch) == Some(slot))
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
