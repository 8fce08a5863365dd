//! The key lease of this node, and the leases that it grants while it leads the control group (erasure.md §4.6, R3).

use std::sync::Arc;
use std::time::Duration;

use eunoe_core::control;
use eunoe_types::sabotage::{self, Sabotage};
use eunoe_types::{Fault, NodeId};
use tokio::time::Instant;

use super::{NodeError, Shared};
use crate::groups::news;
use crate::peer::{GrantedLease, RefusedGrant};

/// How long the leader may take to prove that it leads.
const ROUND_TIMEOUT: Duration = Duration::from_secs(2);
/// A renewal is asked for after this part of the lease.
const RENEW_PART: u32 = 4;
/// A leader that says nothing for this part of the lease is asked again, or another one: the rest must suffice.
const PATIENCE_PART: u32 = 8;
/// How long work under way may hold on to keys after the lease. Others wait for two seconds.
const WIPE_TIMEOUT: Duration = Duration::from_millis(1_500);
const WIPE_PAUSE: Duration = Duration::from_millis(20);
/// How often a node without a lease looks whether it has one.
const IDLE_PAUSE: Duration = Duration::from_secs(1);
/// The pause after a renewal that failed.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// Renews the lease for as long as the node runs. How long a lease is says who grants it; until the first one it is as long
/// as this node would make it.
pub(super) async fn keep(shared: Arc<Shared>) -> Result<(), NodeError> {
    let mut lasts = Duration::from_secs(shared.config.erasure.lease_s.into());
    loop {
        let renewed = renew(&shared, lasts).await?;
        lasts = renewed.unwrap_or(lasts);
        tokio::time::sleep(renewed.map_or(RETRY_PAUSE, pause_after)).await;
    }
}

/// Forgets all keys the moment that the lease is over, and ends the node if work under way holds on to one: others count on
/// it that nothing is left (erasure.md §4.6).
pub(super) async fn watch(shared: Arc<Shared>) -> Result<(), NodeError> {
    let mut changed = shared.custodian.watch();
    loop {
        changed.mark_unchanged();
        let left_ms = shared.keyring.lease().left_ms();
        if left_ms > 0 {
            tokio::time::sleep(Duration::from_millis(left_ms)).await;
            continue;
        }
        if shared.keyring.holds_root() {
            shared.keyring.seal();
            shared.hub.keys_changed();
            tracing::warn!("the key lease is over: the node holds no keys until the cluster renews it");
        }
        let deadline = Instant::now() + WIPE_TIMEOUT;
        while !shared.keyring.is_wiped() && shared.keyring.lease().left_ms() == 0 {
            if Instant::now() >= deadline {
                return Err(NodeError::KeysInUse);
            }
            tokio::time::sleep(WIPE_PAUSE).await;
        }
        news(&mut changed, IDLE_PAUSE).await;
    }
}

/// When a lease that lasts so long is renewed.
fn pause_after(lasts: Duration) -> Duration {
    (lasts / RENEW_PART).max(RETRY_PAUSE)
}

/// How long its renewal may take.
fn patience(lasts: Duration) -> Duration {
    ROUND_TIMEOUT.min(lasts / PATIENCE_PART)
}

/// Renews a lease that lasts so long; says how long the next one does, if it was granted.
async fn renew(shared: &Arc<Shared>, lasts: Duration) -> Result<Option<Duration>, NodeError> {
    let control = shared.groups()?.control().clone();
    let asked_ms = shared.keyring.lease().now_ms();
    let now = control.leadership();
    let granted = match now.leader {
        _ if now.is_leader => grant(shared, shared.config.node_id).await.ok(),
        Some(leader) => shared.peers.renew_lease(leader, patience(lasts)).await.ok(),
        None => None,
    };
    let Some(granted) = granted else {
        return Ok(None);
    };
    if control
        .wait_applied(granted.control_index, ROUND_TIMEOUT)
        .await
        .is_err()
    {
        return Ok(None);
    }
    shared.keyring.lease().renew(asked_ms, granted.ttl_ms);
    shared.custodian.lease_renewed();
    Ok(Some(Duration::from_millis(granted.ttl_ms)))
}

/// Grants a lease, if this node leads the control group now: a majority confirms it after the request came, so that
/// the lease begins before the round that bounds it ends. It names the position of that round, which includes every
/// fence and switch that was answered.
pub(super) async fn grant(shared: &Arc<Shared>, node: NodeId) -> Result<GrantedLease, RefusedGrant> {
    let groups = shared.groups().map_err(|_| RefusedGrant::NotRecorded)?;
    let control = groups.control();
    if !control.leadership().is_leader {
        return Err(RefusedGrant::NotRecorded);
    }
    // Before the round: nobody may think that the node has none while the answer is on its way.
    shared.granted.note(node, shared.keyring.lease().now_ms());
    let position = if sabotage::is(Sabotage::LeaseWithoutRound) {
        control.applied().ok_or(RefusedGrant::NotRecorded)?
    } else {
        let confirmed = control.read_barrier(ROUND_TIMEOUT).await;
        confirmed.map_err(|_| RefusedGrant::NotRecorded)?
    };
    let may = control
        .with_view(|view| Ok::<_, Fault>(control::is_admitted(view, node)? && !control::is_sealed(view)?));
    match may {
        Ok(Ok(true)) => Ok(GrantedLease {
            ttl_ms: u64::from(shared.config.erasure.lease_s) * 1_000,
            control_index: position.index,
        }),
        Ok(Ok(false)) => Err(RefusedGrant::NotAdmitted),
        Ok(Err(_)) | Err(_) => Err(RefusedGrant::NotRecorded),
    }
}
