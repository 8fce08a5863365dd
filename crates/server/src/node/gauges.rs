//! What a node says about itself when its metrics are read.

use std::sync::{Arc, Weak};

use eunoe_core::StateView;
use eunoe_core::control::{self, Stage};
use eunoe_raft::GroupStatus;
use eunoe_store::{LogStats, SegmentLog};
use eunoe_types::{Fault, GroupId, TimeMs};
use tokio::time::Instant;

use super::Shared;
use crate::admin::HealthState;
use crate::surroundings;
use crate::telemetry::metrics::{self, Definition, Observed};
use crate::telemetry::{Attribute, observe};

/// Metrics are read from `shared` for as long as it lives.
pub(super) fn observe_all(shared: &Arc<Shared>, log: &SegmentLog) {
    of_node(shared, &metrics::UNSEALED, |shared, observed| {
        observed.set(f64::from(u8::from(shared.keyring.unsealed().is_ok())), &[]);
    });
    of_node(shared, &metrics::EPOCH, |shared, observed| {
        if let Ok(keys) = shared.keyring.unsealed() {
            observed.set(keys.epoch() as f64, &[]);
        }
    });
    of_node(shared, &metrics::LEASE_LEFT, |shared, observed| {
        observed.set(shared.keyring.lease().left_ms() as f64 / 1e3, &[]);
    });
    of_control(shared, &metrics::OLDEST_FENCE, |view, observed| {
        let age = oldest_fence(view)?.map_or(0, |fenced| surroundings::now().0.saturating_sub(fenced.0));
        observed.set(age as f64 / 1e3, &[]);
        Ok(())
    });
    of_control(shared, &metrics::OLDEST_ROOT, |view, observed| {
        for (node, holder) in control::holders(view)? {
            observed.set(holder.oldest() as f64, &[Attribute::Node(node)]);
        }
        Ok(())
    });
    of_node(shared, &metrics::SHARE_KEPT, |shared, observed| {
        observed.set(f64::from(u8::from(shared.keeps_share())), &[]);
    });
    of_control(shared, &metrics::ROOT_THRESHOLD, |view, observed| {
        if let Some(root) = control::root(view)? {
            observed.set(root.sharing.threshold.into(), &[]);
        }
        Ok(())
    });
    of_control(shared, &metrics::ROOT_HOLDERS, |view, observed| {
        if let Some(made) = control::root(view)?.and_then(|root| root.made) {
            observed.set(made.kept.len() as f64, &[]);
        }
        Ok(())
    });
    of_node(shared, &metrics::DRAINING, |shared, observed| {
        let draining = shared.is_draining() || shared.health.get() == HealthState::Draining;
        observed.set(f64::from(u8::from(draining)), &[]);
    });
    of_node(shared, &metrics::SERVING, |shared, observed| {
        let serving = shared.health.get() == HealthState::Serving && shared.health.impaired().is_none();
        observed.set(f64::from(u8::from(serving)), &[]);
    });
    of_node(shared, &metrics::KEYS, |shared, observed| {
        observed.set(shared.keyring.arena().used() as f64, &[]);
    });
    observe_log(log);
    observe_groups(shared);
}

fn observe_log(log: &SegmentLog) {
    of_log(log, &metrics::LOG_SYNCS, |log| log.syncs as f64);
    of_log(log, &metrics::LOG_BATCHES, |log| log.batches as f64);
    of_log(log, &metrics::LOG_RECORDS, |log| log.records as f64);
    of_log(log, &metrics::LOG_BYTES, |log| log.bytes as f64);
    of_log(log, &metrics::LOG_STALLED, |log| log.stalled_us as f64 / 1e6);
}

fn observe_groups(shared: &Arc<Shared>) {
    of_groups(shared, &metrics::GROUP_LEADER, |group| {
        Some(u64::from(group.leadership.is_leader))
    });
    of_groups(shared, &metrics::GROUP_HAS_LEADER, |group| {
        Some(u64::from(group.leadership.leader.is_some()))
    });
    of_groups(shared, &metrics::GROUP_TERM, |group| Some(group.leadership.term));
    of_groups(shared, &metrics::GROUP_LAST_LOG, |group| group.last_log);
    of_groups(shared, &metrics::GROUP_APPLIED, |group| {
        Some(group.applied?.index)
    });
    of_groups(shared, &metrics::GROUP_SNAPSHOT, |group| {
        Some(group.snapshot?.index)
    });
    of_groups(shared, &metrics::GROUP_LOG_BYTES, |group| {
        Some(group.live_log_bytes)
    });
    of_node(shared, &metrics::QUORUM_SILENCE, |shared, observed| {
        for (group, silence) in shared.quorums.silences(Instant::now()) {
            observed.set(silence.as_secs_f64(), &[Attribute::Group(group)]);
        }
    });
    of_node(shared, &metrics::GROUP_LAG, |shared, observed| {
        for group in statuses(shared) {
            for follower in &group.replication {
                let labels = [Attribute::Group(group.group), Attribute::Node(follower.node)];
                observed.set(follower.lag as f64, &labels);
            }
        }
    });
}

fn of_node(
    shared: &Arc<Shared>,
    definition: &'static Definition,
    values: impl Fn(&Shared, &Observed<'_>) + Send + Sync + 'static,
) {
    let shared: Weak<Shared> = Arc::downgrade(shared);
    observe(definition, move |observed| {
        if let Some(shared) = shared.upgrade() {
            values(&shared, observed);
        }
    });
}

/// A state that cannot be read says nothing here: whoever needs it ends the node.
fn of_control(
    shared: &Arc<Shared>,
    definition: &'static Definition,
    values: fn(&dyn StateView, &Observed<'_>) -> Result<(), Fault>,
) {
    of_node(shared, definition, move |shared, observed| {
        if let Some(control) = shared.group(GroupId::CONTROL) {
            let _read_or_not = control.with_view(|view| values(view, observed));
        }
    });
}

/// When the oldest fence was, of those without a hold whose keys the current root still leads to.
fn oldest_fence(view: &dyn StateView) -> Result<Option<TimeMs>, Fault> {
    let Some((_, erasure)) = control::under_way(view, Stage::Due, None, 1)?.pop() else {
        return Ok(None);
    };
    Ok(control::erasure(view, &erasure)?.map(|row| row.fenced.0))
}

fn of_log(log: &SegmentLog, definition: &'static Definition, value: fn(LogStats) -> f64) {
    let log = log.clone();
    observe(definition, move |observed| {
        observed.set(value(log.stats()), &[]);
    });
}

fn of_groups(shared: &Arc<Shared>, definition: &'static Definition, value: fn(&GroupStatus) -> Option<u64>) {
    of_node(shared, definition, move |shared, observed| {
        for group in statuses(shared) {
            if let Some(value) = value(&group) {
                observed.set(value as f64, &[Attribute::Group(group.group)]);
            }
        }
    });
}

fn statuses(shared: &Shared) -> Vec<GroupStatus> {
    let groups = shared.groups().ok();
    groups
        .iter()
        .flat_map(|groups| groups.all().map(|group| group.status()))
        .collect()
}
