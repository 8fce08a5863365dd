//! Drives erasures from FENCED to REKEYED: whoever leads the control group fences what is left below fenced keys, makes
//! the next epoch when it is due, and has old rows deleted. Each step is a command that apply checks; a leader that
//! dies leaves an attempt that its successor gives up (erasure.md R16).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eunoe_core::StateView;
use eunoe_core::control::{
    self, AttestDestroyed, BeginEpoch, Command, EpochRow, MadeRoot, NodeRow, NodeState, Rejection, Reply,
    ShareEpoch, SwitchEpoch,
};
use eunoe_crypto::DealtRoot;
use eunoe_custody::{EpochPlan, KeyringError, PreparedEpoch, dealing, made_root, share_among};
use eunoe_types::{BootId, Fault, Kid, NodeId};
use eunoe_vault::Slot;
use futures::future::{join, join_all};
use tokio::time::Instant;

use super::due::due;
use super::waiting::Waiting;
use super::{NodeError, Shared, dark, refreshing};
use crate::failpoint::{self, Failpoint};
use crate::groups::news;
use crate::peer::GivenRoot;
use crate::surroundings::{self, SystemEntropy};

/// How often a leader looks for work although nothing seems to have changed.
const INTERVAL: Duration = Duration::from_millis(500);
/// Keys are made often and erased rarely: not every entry is worth a look.
const LOOK_PAUSE: Duration = Duration::from_millis(50);
/// How long holders may take to look at an attempt.
const VERIFY_TIMEOUT: Duration = Duration::from_secs(30);
/// The pause after an attempt that came to nothing.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Why an attempt at an epoch came to nothing. Nothing is lost by that: the next one begins anew.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("this node holds no keys")]
    Sealed,
    #[error("the control group took a step not in time")]
    NotTaken,
    #[error("the control group refused a step: {0:?}")]
    Refused(Rejection),
    #[error("{0} nodes keep shares of the new root, which is too few")]
    TooFewHolders(usize),
    #[error("the attempt was not found right by enough nodes in time")]
    NotVerified,
    #[error(transparent)]
    Unfit(#[from] NodeError),
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self::Unfit(fault.into())
    }
}

impl From<KeyringError> for Failed {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Sealed
            | KeyringError::LeaseOver
            | KeyringError::StaleRoot
            | KeyringError::Behind => Self::Sealed,
            KeyringError::WrongRoot
            | KeyringError::NameTaken
            | KeyringError::Key(_)
            | KeyringError::Seal(_)
            | KeyringError::Fault(_) => Self::Unfit(error.into()),
        }
    }
}

/// Does what is due whenever this node leads the control group. Ends with the node.
pub(super) async fn drive(shared: Arc<Shared>) -> Result<(), NodeError> {
    let control = shared.groups()?.control().clone();
    let mut changed = shared.custodian.watch();
    let mut waiting = Waiting::new(Duration::from_secs(shared.config.erasure.epoch_period_s.into()));
    let mut refresh = refreshing::Refresh::default();
    loop {
        changed.mark_unchanged();
        if control.leadership().is_leader && control.with_view(control::epoch)??.is_some() {
            match step(&shared, &mut waiting, &mut refresh).await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(Failed::Unfit(error)) => return Err(error),
                Err(failed) => {
                    tracing::warn!(%failed, "an epoch was not finished; it is tried again");
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        }
        news(&mut changed, INTERVAL).await;
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}

/// Does one thing that is due; says whether there was one.
async fn step(
    shared: &Arc<Shared>,
    waiting: &mut Waiting,
    refresh: &mut refreshing::Refresh,
) -> Result<bool, Failed> {
    let control = shared.groups()?.control().clone();
    if let Some(id) = control.with_view(control::expanding)?? {
        propose(shared, Command::ExpandErasure(id).encode()).await?;
        return Ok(true);
    }
    if let Some(keys) =
        control.with_view(|view| due(view, waiting, (surroundings::now(), Instant::now())))??
    {
        return make_or_give_up(shared, keys).await.map(|()| true);
    }
    let epoch = control.with_view(control::epoch)??;
    if epoch.is_some_and(|epoch| epoch.pending.is_some()) {
        // A leader before this one began it, and nothing is due that would replace it.
        give_up(shared).await;
        return Ok(true);
    }
    if refreshing::is_due(shared, refresh).await? {
        return make_or_give_up(shared, Vec::new()).await.map(|()| true);
    }
    if let Some(said) = control.with_view(|view| dark::to_say(view, shared))?? {
        propose(shared, Command::LeaseOver(said).encode()).await?;
        return Ok(true);
    }
    if let Some(said) = control.with_view(|view| to_repeat(view, shared))?? {
        propose(shared, Command::AttestDestroyed(said).encode()).await?;
        return Ok(true);
    }
    if control.with_view(control::sweep_is_due)?? {
        propose(shared, Command::Sweep.encode()).await?;
        return Ok(true);
    }
    Ok(false)
}

/// What this node said of its vault, to be said again: an attestation moves only so many erasures on, and nobody else may
/// have anything new to say.
fn to_repeat(view: &dyn StateView, shared: &Shared) -> Result<Option<AttestDestroyed>, Fault> {
    if !control::destruction_is_due(view)? {
        return Ok(None);
    }
    let node = shared.config.node_id;
    Ok(control::holder(view, node)?.map(|holder| shared.signer.word(holder.boot, holder.oldest())))
}

async fn propose(shared: &Arc<Shared>, command: Vec<u8>) -> Result<(), Failed> {
    let reply = shared.groups()?.propose_control(Bytes::from(command)).await;
    match Reply::decode(&reply.map_err(|_| Failed::NotTaken)?).map_err(Fault::from)? {
        Reply::Done => Ok(()),
        Reply::Rejected(rejection) => Err(Failed::Refused(rejection)),
        Reply::Keys(_) | Reply::Erasure { .. } => Err(Failed::NotTaken),
    }
}

/// Thaws the pages of an attempt that will not be finished.
async fn give_up(shared: &Arc<Shared>) {
    let Ok(groups) = shared.groups() else { return };
    let epoch = groups.control().with_view(control::epoch);
    if let Ok(Ok(Some(epoch))) = epoch
        && epoch.pending.is_some()
    {
        let command = Command::AbortEpoch {
            attempt: epoch.last_attempt,
        };
        if let Err(failed) = propose(shared, command.encode()).await {
            tracing::warn!(%failed, "an attempt at an epoch was not given up");
        }
    }
}

/// Who gets the new root, and how it is shared among those of them that vote.
struct Recipients {
    processes: Vec<(NodeId, BootId)>,
    sharing: control::Sharing,
}

/// All admitted nodes that answer, have bound their ids to their disks, and have not said that they hold none for good.
///
/// Whoever is named here counts as a holder, and does not begin on an empty disk: a node that has not started may still
/// have to.
async fn recipients(shared: &Arc<Shared>) -> Result<Recipients, Failed> {
    let control = shared.groups()?.control().clone();
    let members = control.leadership().members;
    let (own, sharers) = (shared.config.node_id, control.with_view(may_keep_share)??);
    let voters = members.voters.into_iter();
    let voters: Vec<NodeId> = voters.filter(|id| sharers.contains(id)).collect();
    // One that is out of the group would not learn that there is an attempt.
    let given = control.with_view(may_be_given)??.into_iter();
    let given = given.filter(|id| members.nodes.contains_key(id));
    let others: Vec<NodeId> = given.filter(|id| *id != own).collect();
    let states = join_all(others.iter().map(|id| shared.peers.ping(*id))).await;
    let mut processes = vec![(own, shared.boot)];
    let started = states.into_iter().flatten().filter(|state| state.started);
    processes.extend(started.map(|state| (state.node, state.boot)));
    let holders = processes
        .iter()
        .map(|(id, _)| *id)
        .filter(|id| voters.contains(id));
    let sharing = share_among(holders, voters.len());
    if sharing.holders.len() < usize::from(sharing.threshold) {
        return Err(Failed::TooFewHolders(sharing.holders.len()));
    }
    Ok(Recipients { processes, sharing })
}

/// Nodes that a root may be given to.
pub(super) fn may_be_given(view: &dyn StateView) -> Result<Vec<NodeId>, Fault> {
    Ok(recipients_in(view)?.map(|node| node.id).collect())
}

/// Nodes that a share of a root that is made now may be given to.
pub(super) fn may_keep_share(view: &dyn StateView) -> Result<Vec<NodeId>, Fault> {
    let staying = recipients_in(view)?.filter(|node| node.state != NodeState::Leaving);
    Ok(staying.map(|node| node.id).collect())
}

fn recipients_in(view: &dyn StateView) -> Result<impl Iterator<Item = NodeRow>, Fault> {
    let holders = control::holders(view)?;
    let is_retired = move |id: NodeId| holders.iter().any(|(holder, row)| *holder == id && row.retired);
    let nodes = control::nodes(view)?.into_iter();
    Ok(nodes.filter(move |node| node.state.is_admitted() && !is_retired(node.id)))
}

async fn make_or_give_up(shared: &Arc<Shared>, keys: Vec<Kid>) -> Result<(), Failed> {
    let made = make_epoch(shared, keys).await;
    if made.is_err() {
        give_up(shared).await;
    }
    made
}

/// Makes the next epoch, without these keys. None of them: the trees stay, the root and its holders change.
async fn make_epoch(shared: &Arc<Shared>, keys: Vec<Kid>) -> Result<(), Failed> {
    let control = shared.groups()?.control().clone();
    let count = keys.len();
    let before: EpochRow = control
        .with_view(control::epoch)??
        .ok_or_else(|| Fault::broken("a fenced key is older than the first epoch"))?;
    let (epoch, attempt) = (before.epoch + 1, before.last_attempt + 1);
    let plan = plan(shared, keys).await?;
    let recipients = recipients(shared).await?;
    let begin = BeginEpoch {
        epoch,
        attempt,
        keys: plan.keys.clone(),
        pages: plan.pages.clone(),
        recipients: recipients.processes.clone(),
        sharing: recipients.sharing.clone(),
    };
    propose(shared, Command::BeginEpoch(begin).encode()).await?;
    failpoint::reached(Failpoint::EpochBegun);
    // If the attempt comes to nothing, its root leads to all that is alive now.
    let held = shared.keyring.expect_root(before.epoch)?;
    let sharing = dealing(&recipients.sharing)?;
    let PreparedEpoch {
        dealt,
        chunks,
        digest,
    } = prepare(shared, plan, attempt, sharing).await?;
    for chunk in chunks {
        propose(shared, chunk).await?;
        failpoint::reached(Failpoint::ChunkProposed);
    }
    let made = install(shared, Slot { epoch, attempt }, dealt, &recipients).await?;
    drop(held);
    propose(shared, Command::ShareEpoch(ShareEpoch { attempt, made }).encode()).await?;
    failpoint::reached(Failpoint::SharesProposed);
    await_verified(shared, attempt).await?;
    let switch = SwitchEpoch {
        attempt,
        digest,
        time: surroundings::now(),
    };
    let handed_in = async { failpoint::reached(Failpoint::SwitchProposed) };
    // In this order: the first is begun before the second.
    let (switched, ()) = join(propose(shared, Command::SwitchEpoch(switch).encode()), handed_in).await;
    switched?;
    tracing::info!(epoch, attempt, keys = count, "an epoch begins");
    Ok(())
}

async fn plan(shared: &Arc<Shared>, keys: Vec<Kid>) -> Result<EpochPlan, Failed> {
    let unsealed = shared.keyring.unsealed().map_err(|_| Failed::Sealed)?;
    let control = shared.groups()?.control().clone();
    let planned = shared
        .blocking(move || control.with_view(|view| unsealed.plan_epoch(view, keys)))
        .await??;
    planned.map_err(Failed::from)
}

async fn prepare(
    shared: &Arc<Shared>,
    plan: EpochPlan,
    attempt: u32,
    sharing: eunoe_crypto::Sharing,
) -> Result<PreparedEpoch, Failed> {
    let unsealed = shared.keyring.unsealed().map_err(|_| Failed::Sealed)?;
    let (control, arena) = (shared.groups()?.control().clone(), shared.keyring.arena().clone());
    let make = move || {
        control.with_view(|view| {
            unsealed.prepare_epoch(view, &plan, attempt, sharing, &arena, &mut SystemEntropy)
        })
    };
    let prepared = shared.blocking(make).await??;
    prepared.map_err(Failed::from)
}

/// Brings the new root to the memories of all who were named to get it, and its shares to the vaults of its holders. Says
/// what is public of it, with those whose vaults keep their shares.
async fn install(
    shared: &Arc<Shared>,
    slot: Slot,
    dealt: DealtRoot,
    recipients: &Recipients,
) -> Result<MadeRoot, Failed> {
    let (own, sharing) = (shared.config.node_id, &recipients.sharing);
    let share_of = |node: NodeId| {
        let position = sharing.holders.binary_search(&node).ok()?;
        dealt.share(position).map(|share| share.encode())
    };
    let mut kept = Vec::new();
    if let Some(share) = share_of(own) {
        let vault = Arc::clone(&shared.vault);
        failpoint::reached(Failpoint::ShareArrived);
        match shared.blocking(move || vault.put(slot, &share)).await? {
            Ok(()) => {
                failpoint::reached(Failpoint::ShareKept);
                kept.push(own);
            }
            Err(error) if error.is_passing() => {
                tracing::warn!(%error, "the vault does not take its share of a new root");
            }
            Err(error) => return Err(NodeError::from(error).into()),
        }
    }
    let others = recipients.processes.iter().filter(|(id, _)| *id != own);
    let installs = others.map(async |(id, _)| {
        let given = GivenRoot {
            slot,
            root: Some(dealt.root().encode()),
            share: share_of(*id),
        };
        let is_holder = given.share.is_some();
        let installed = shared.peers.install_root(*id, given).await;
        (installed.is_ok() && is_holder).then_some(*id)
    });
    kept.extend(join_all(installs).await.into_iter().flatten());
    if kept.len() < usize::from(sharing.threshold) {
        return Err(Failed::TooFewHolders(kept.len()));
    }
    let made = made_root(&dealt, kept);
    let held = shared.keyring.expect_root(slot.epoch.saturating_sub(1))?;
    shared.keyring.keep_next(dealt.into_root(), held);
    Ok(made)
}

/// Waits until enough nodes have looked at the attempt.
async fn await_verified(shared: &Arc<Shared>, attempt: u32) -> Result<(), Failed> {
    let control = shared.groups()?.control().clone();
    let mut changed = shared.custodian.watch();
    let deadline = Instant::now() + VERIFY_TIMEOUT;
    loop {
        changed.mark_unchanged();
        let verified = control.with_view(|view| {
            let epoch = control::epoch(view)?.filter(|epoch| epoch.last_attempt == attempt);
            let root = epoch
                .map(|epoch| control::pending_root(view, &epoch))
                .transpose()?;
            Ok::<_, Fault>(root.flatten().map(|root| root.is_verified()))
        })??;
        match verified {
            // A verifier gave it up.
            None => return Err(Failed::NotVerified),
            Some(true) => return Ok(()),
            Some(false) => {}
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Failed::NotVerified);
        }
        news(&mut changed, left).await;
    }
}
