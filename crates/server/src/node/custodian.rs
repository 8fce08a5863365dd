//! Keeps what this node holds of keys in step with the control group's applied state (erasure.md R4): caches, the
//! root in memory, the shares in the vault, and its word for what it destroyed. Nothing here acts on having seen an
//! entry.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use eunoe_core::Effect;
use eunoe_core::control::{self, Command, EpochRow, VaultRolledBack};
use eunoe_custody::Reconciled;
use eunoe_raft::StateObserver;
use eunoe_raft::watch;
use eunoe_types::GroupId;
use eunoe_types::sabotage::{self, Sabotage};
use eunoe_vault::{Destroyed, Slot, VaultError};
use tokio::time::Instant;

use super::{NodeError, Shared, signing};
use crate::failpoint::{self, Failpoint};
use crate::groups::news;
use crate::telemetry::metrics;

/// Work under way with keys of a former root has so long before it is looked at again.
const DRAIN_PAUSE: Duration = Duration::from_millis(20);
/// How often the vault is looked at although nothing seems to have changed: a copy put back must not live.
const INTERVAL: Duration = Duration::from_secs(2);
/// How often the share of the current root is read: one that cannot be read is none, and the root is shared anew.
const READ_INTERVAL: Duration = Duration::from_secs(60);

/// Hears what is applied on this node.
#[derive(Default)]
pub(super) struct Custodian {
    shared: OnceLock<Weak<Shared>>,
    /// Counts changes of the control group's state.
    changed: watch::Sender<u64>,
}

impl Custodian {
    /// Names the node; what is applied before is nothing that a key could have been used for.
    pub(super) fn serve(&self, shared: &Arc<Shared>) {
        // Called once, when the node is put together.
        let _first = self.shared.set(Arc::downgrade(shared));
    }

    fn node(&self) -> Option<Arc<Shared>> {
        self.shared.get().and_then(Weak::upgrade)
    }

    /// Says that keys may be used again.
    pub(super) fn lease_renewed(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    /// Changes of the control group's state, or of whether keys may be used.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn reconcile(&self, shared: &Shared) {
        if let Some(control) = shared.group(GroupId::CONTROL) {
            let _turn = shared.keyring.turn();
            let reconciled = control.with_view(|view| shared.keyring.reconcile(view));
            match reconciled {
                Ok(Ok(Reconciled::Unchanged)) => {}
                Ok(Ok(change)) => {
                    tracing::info!(?change, "keys follow the control group");
                    shared.hub.keys_changed();
                }
                Ok(Err(error)) => {
                    // Without a right view of what is fenced no key may be used.
                    shared.keyring.seal();
                    shared.fail(error.into());
                }
                Err(fault) => {
                    shared.keyring.seal();
                    shared.fail(fault.into());
                }
            }
        }
        self.changed.send_modify(|count| *count += 1);
    }
}

impl StateObserver for Custodian {
    fn applied(&self, group: GroupId, effects: &[Effect]) {
        let Some(shared) = self.node() else { return };
        if group.is_control() && effects.contains(&Effect::ControlChanged) {
            self.reconcile(&shared);
        }
        shared.hub.applied(group, effects);
    }

    fn replacing(&self, group: GroupId) {
        if let Some(shared) = self.node()
            && group.is_control()
        {
            // What it fenced is not known before it is there: nothing may be opened until then.
            shared.keyring.seal();
            shared.hub.keys_changed();
        }
    }

    fn replaced(&self, group: GroupId) {
        let Some(shared) = self.node() else { return };
        if group.is_control() {
            self.reconcile(&shared);
            // What it fenced was learned by nobody yet: the keyring is sealed.
            shared.hub.keys_changed();
        }
        shared.hub.replaced(group);
    }
}

/// Where the vault keeps its share of a root.
pub(super) fn slot_of(epoch: &EpochRow) -> Result<Slot, eunoe_types::Fault> {
    let attempt = u32::try_from(epoch.attempt)
        .map_err(|_| eunoe_types::Fault::broken("the attempt of the epoch is malformed"))?;
    Ok(Slot {
        epoch: epoch.epoch,
        attempt,
    })
}

/// Where the vault keeps its share of the root that is being prepared, if one is.
pub(super) fn pending_slot(epoch: &EpochRow) -> Option<Slot> {
    let (epoch, attempt) = epoch.preparing()?;
    Some(Slot { epoch, attempt })
}

/// Whether a root may still be needed: the current one, and one whose switch may be committed and not yet applied
/// here (erasure.md §4.5).
fn is_needed(slot: Slot, epoch: &EpochRow, current: Slot) -> bool {
    let is_later = slot.epoch == epoch.epoch + 1 && slot.attempt > epoch.last_attempt;
    slot == current || pending_slot(epoch) == Some(slot) || is_later
}

/// Destroys roots that are not needed, and says so in the log. Ends with the node.
pub(super) async fn destroy_old_roots(shared: Arc<Shared>) -> Result<(), NodeError> {
    let mut changed = shared.custodian.watch();
    let (mut done, mut look_again) = (None, Instant::now());
    let mut reading = Reading::default();
    loop {
        changed.mark_unchanged();
        let epoch = shared.groups()?.control().with_view(control::epoch)??;
        // Keys are made often and epochs rarely: only what decides which roots are needed is worth a look at the vault.
        if let Some(epoch) = epoch
            && (done.as_ref() != Some(&needs(&epoch)) || Instant::now() >= look_again)
        {
            let left = forget(&shared, &epoch, &mut reading).await?;
            let is_said = left == Left::Nothing && attest(&shared, &epoch).await?;
            done = is_said.then(|| needs(&epoch));
            if !is_said {
                let pause = if left == Left::InVault {
                    INTERVAL
                } else {
                    DRAIN_PAUSE
                };
                tokio::time::sleep(pause).await;
                continue;
            }
        }
        let now = Instant::now();
        // Also while the realm has not begun: a time that has passed would be waited for without a pause.
        if now >= look_again {
            look_again = now + INTERVAL;
        }
        news(&mut changed, look_again - now).await;
    }
}

/// What decides which roots are needed.
fn needs(epoch: &EpochRow) -> (u64, u64, u32, bool) {
    (
        epoch.epoch,
        epoch.attempt,
        epoch.last_attempt,
        epoch.pending.is_some(),
    )
}

/// What came of reading the share of the current root.
#[derive(Default)]
struct Reading {
    last: Option<(Slot, Instant)>,
    is_readable: bool,
}

impl Reading {
    fn is_due(&self, current: Slot) -> bool {
        let was_read = |(slot, at): (Slot, Instant)| slot == current && Instant::now() < at + READ_INTERVAL;
        !self.last.is_some_and(was_read)
    }

    fn note(&mut self, current: Slot, read: Result<(), VaultError>) {
        self.last = Some((current, Instant::now()));
        self.is_readable = read.is_ok();
        if let Err(error) = read {
            tracing::error!(
                %error,
                "the share of the root in this node's vault cannot be read: it counts as lost"
            );
        }
    }
}

/// What this node may still have of roots before the current one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Nothing, and nothing can come.
    Nothing,
    /// Work under way holds keys.
    InMemory,
    /// The vault deletes later, or does not answer now.
    InVault,
}

/// Destroys the shares that are not needed, and says what is left: from the moment when it is clear that no root is on its
/// way, nothing but what the vault lists.
async fn forget(shared: &Arc<Shared>, epoch: &EpochRow, reading: &mut Reading) -> Result<Left, NodeError> {
    if sabotage::is(Sabotage::WordBeforeDeed) && attest(shared, epoch).await? {
        tokio::time::sleep(INTERVAL).await;
    }
    let is_new = || owes_word(shared, epoch).unwrap_or_default();
    failpoint::reached_if(Failpoint::SwitchApplied, is_new);
    shared.keyring.refuse_before(epoch);
    // Another epoch may begin while this one's keys drain: the caller looks at the state again.
    let is_drained = shared.keyring.former_is_gone(epoch);
    failpoint::reached_if(Failpoint::RootWiped, || is_drained && is_new());
    let (current, now, vault) = (slot_of(epoch)?, epoch.clone(), Arc::clone(&shared.vault));
    let read_due = reading.is_due(current);
    let looked = shared.blocking(move || {
        let is_old = |slot: &Slot| !is_needed(*slot, &now, current);
        let (mut left, mut destroyed) = (vault.list()?, Vec::new());
        if left.iter().any(is_old) {
            for slot in left.into_iter().filter(is_old) {
                if vault.destroy(slot)? == Destroyed::Now {
                    destroyed.push(slot);
                }
            }
            // Its own list is what a vault is believed: what is destroyed later is in it still.
            left = vault.list()?;
        }
        let (is_clean, is_listed) = (!left.iter().any(is_old), left.contains(&current));
        let read = match (is_listed && read_due).then(|| vault.get(current).map(drop)) {
            Some(Err(error)) if error.is_passing() => return Err(error),
            read => read,
        };
        Ok((destroyed, is_clean, is_listed, read))
    });
    let (destroyed, is_clean, is_listed, read) = match looked.await? {
        Ok(looked) => looked,
        Err(error) if error.is_passing() => {
            tracing::warn!(%error, "the vault does not answer; it is asked again");
            return Ok(Left::InVault);
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(read) = read {
        reading.note(current, read);
    }
    shared.set_keeps_share(is_listed && reading.is_readable);
    if !destroyed.is_empty() {
        tracing::info!(
            shares = destroyed.len(),
            "shares of old roots were destroyed in the vault"
        );
    }
    for slot in destroyed {
        report_return(shared, slot).await?;
    }
    Ok(match (is_clean, is_drained) {
        (true, true) => Left::Nothing,
        (true, false) => Left::InMemory,
        (false, _) => Left::InVault,
    })
}

/// Says in the log that a share was in the vault of which this node had said that it is destroyed: somebody put the vault
/// back from a copy.
async fn report_return(shared: &Arc<Shared>, slot: Slot) -> Result<(), NodeError> {
    let (groups, own) = (shared.groups()?, shared.config.node_id);
    let said = groups.control().with_view(|view| control::holder(view, own))??;
    if said.is_none_or(|said| slot.epoch >= said.share) {
        return Ok(());
    }
    metrics::count(&metrics::VAULT_ROLLBACKS, 1, &[]);
    tracing::error!(
        epoch = slot.epoch,
        attempt = slot.attempt,
        "a share that was destroyed is in the vault again, and was destroyed again: the vault was put back from a copy"
    );
    let command = Command::VaultRolledBack(VaultRolledBack {
        node: own,
        boot: shared.boot,
        epoch: slot.epoch,
        attempt: slot.attempt,
    });
    if let Err(error) = groups.propose_control(command.encode().into()).await {
        tracing::warn!(%error, "that the vault was put back is not recorded");
    }
    Ok(())
}

/// Says that this node holds no root older than the current one, unless the log says it already. To be called when that is
/// so; false if the log did not take it.
async fn attest(shared: &Arc<Shared>, epoch: &EpochRow) -> Result<bool, NodeError> {
    if !owes_word(shared, epoch)? {
        return Ok(true);
    }
    failpoint::reached(Failpoint::ShareDestroyed);
    // Its word is worth nothing to an auditor who does not know the key first.
    if !signing::ensure_registered(shared).await? {
        return Ok(false);
    }
    let command = Command::AttestDestroyed(shared.signer.word(shared.boot, epoch.epoch));
    let said = shared.groups()?.propose_control(command.encode().into()).await;
    if let Err(error) = &said {
        tracing::warn!(%error, "the destruction of old roots is not recorded yet");
    } else {
        failpoint::reached(Failpoint::Attested);
    }
    Ok(said.is_ok())
}

/// Whether the log does not have this node's word yet that it holds no root older than the current one.
fn owes_word(shared: &Shared, epoch: &EpochRow) -> Result<bool, NodeError> {
    let (groups, own) = (shared.groups()?, shared.config.node_id);
    let held = groups.control().with_view(|view| control::holder(view, own))??;
    Ok(held.is_some_and(|holder| holder.oldest() < epoch.epoch))
}
