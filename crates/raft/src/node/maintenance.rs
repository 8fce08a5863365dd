//! Keeps the log small: snapshots and purges, triggered by bytes.
//!
//! A group is snapshotted when enough was logged since its last snapshot, or when its old entries keep the oldest
//! part of a too large log from being freed. Behind a snapshot the log is purged, but for a tail that lets a
//! follower that was briefly away catch up without a snapshot.

use std::collections::BTreeMap;
use std::sync::Weak;

use eunoe_store::LogEngine;
use eunoe_types::GroupId;
use tokio::time::MissedTickBehavior;

use super::Inner;
use crate::types::Metrics;
use crate::{GroupHandle, RaftConfig};

/// The index that a snapshot under way will hold at least, per group.
type Pending = BTreeMap<GroupId, u64>;

/// Looks after the log until the node is gone.
pub(super) async fn run<L: LogEngine>(node: Weak<Inner>, log: L, config: RaftConfig) {
    let mut pending = Pending::new();
    let mut ticks = tokio::time::interval(config.maintenance_interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(node) = node.upgrade() else { return };
        let groups = node.handles();
        // Not held over the calls below: a node must be droppable while its groups are busy.
        drop(node);
        let pinning = if log.disk_bytes() > config.log_disk_bytes_max {
            log.pinning_group()
        } else {
            None
        };
        for group in groups {
            let pins = pinning == Some(group.id());
            look_after(&group, pins, &config, &mut pending).await;
        }
    }
}

async fn look_after(group: &GroupHandle, pins: bool, config: &RaftConfig, pending: &mut Pending) {
    let metrics = group.metrics();
    let snapshot = metrics.snapshot.as_ref().map(|id| id.index);
    if pending
        .get(&group.id())
        .is_some_and(|goal| snapshot >= Some(*goal))
    {
        pending.remove(&group.id());
    }
    if !pending.contains_key(&group.id()) && wants_snapshot(group, &metrics, pins, config) {
        begin_snapshot(group, &metrics, pending).await;
    }
    let tail = if pins { 0 } else { config.log_tail_bytes };
    let purged = metrics.purged.as_ref().map(|id| id.index);
    // The newest entry of all may be no mark yet; a group that pins must let go of everything it can.
    let purgeable = if pins {
        snapshot
    } else {
        group.inner.meter.purgeable(tail).min(snapshot)
    };
    if let Some(upto) = purgeable.filter(|upto| Some(*upto) > purged) {
        // An error means that the group stopped, which is noticed elsewhere.
        let _ = group.trigger_purge(upto).await;
    }
}

fn wants_snapshot(group: &GroupHandle, metrics: &Metrics, pins: bool, config: &RaftConfig) -> bool {
    let is_news = metrics.last_applied > metrics.snapshot;
    is_news && (pins || group.inner.meter.since_snapshot() >= config.snapshot_log_bytes)
}

async fn begin_snapshot(group: &GroupHandle, metrics: &Metrics, pending: &mut Pending) {
    let Some(applied) = metrics.last_applied.as_ref() else {
        return;
    };
    group.inner.meter.snapshot_begun();
    if group.trigger_snapshot().await.is_ok() {
        pending.insert(group.id(), applied.index);
    }
}
