//! Leaving without an election, and keeping leaders spread.

use std::sync::Arc;
use std::time::Duration;

use eunoe_raft::GroupHandle;
use eunoe_types::{GroupId, NodeId};
use tokio::time::Instant;

use super::Shared;
use crate::groups::hand_over;

/// How often the spread of leaders is looked at.
const INTERVAL: Duration = Duration::from_secs(2);
/// A leader that was just elected keeps its group for so long: leaderships must not chase each other.
const SETTLED: Duration = Duration::from_secs(6);
/// A preferred leader that lags more than so many entries is left alone.
const LAG_MAX: u64 = 10_000;

/// Hands over all leaderships of this node, which takes none back until it is restarted. Says which groups it
/// still leads.
pub(super) async fn drain(shared: &Arc<Shared>) -> Vec<GroupId> {
    shared.set_draining();
    let Ok(groups) = shared.groups() else {
        return Vec::new();
    };
    let led: Vec<GroupHandle> = groups
        .all()
        .filter(|group| group.leadership().is_leader)
        .cloned()
        .collect();
    let handed = led.iter().map(async |group| match hand_over(group).await {
        Some(to) => {
            tracing::info!(group = %group.id(), %to, "leadership handed over");
            None
        }
        None => Some(group.id()),
    });
    futures::future::join_all(handed)
        .await
        .into_iter()
        .flatten()
        .collect()
}

/// Moves leaderships to their preferred nodes for as long as the node runs. Group `g` prefers voter `g` modulo
/// their number, so that every node computes the same without talking.
pub(super) async fn spread_leaders(shared: Arc<Shared>) {
    let mut since: Vec<(GroupId, Instant)> = Vec::new();
    loop {
        tokio::time::sleep(INTERVAL).await;
        let Ok(groups) = shared.groups() else { continue };
        if shared.is_draining() {
            continue;
        }
        since.retain(|(id, _)| groups.get(*id).is_some_and(|group| group.leadership().is_leader));
        for group in groups.all().filter(|group| group.leadership().is_leader) {
            let led_since = match since.iter().find(|(id, _)| *id == group.id()) {
                Some((_, led_since)) => *led_since,
                None => {
                    since.push((group.id(), Instant::now()));
                    continue;
                }
            };
            if led_since.elapsed() >= SETTLED
                && let Some(preferred) = preferred(group)
            {
                offer(&shared, group, preferred).await;
            }
        }
    }
}

/// The node that should lead a group in place of this one.
fn preferred(group: &GroupHandle) -> Option<NodeId> {
    let members = group.leadership().members;
    let mut voters = members.voters;
    voters.sort_unstable();
    let place = (group.id().0 as usize).checked_rem(voters.len())?;
    Some(voters[place]).filter(|preferred| *preferred != group.node_id() && !members.changing)
}

async fn offer(shared: &Shared, group: &GroupHandle, to: NodeId) {
    let caught_up = |replica: &eunoe_raft::Replication| replica.node == to && replica.lag <= LAG_MAX;
    if !group.status().replication.iter().any(caught_up) {
        return;
    }
    match shared.peers.ping(to).await {
        Ok(state) if state.unsealed && !state.draining => {}
        Ok(_) | Err(_) => return,
    }
    match group.transfer_leader(to, Duration::from_secs(5)).await {
        Ok(()) => tracing::info!(group = %group.id(), %to, "leadership moved to spread the load"),
        Err(error) => tracing::debug!(group = %group.id(), %to, %error, "leadership stays"),
    }
}
