//! What follows from the end of a lease: the memory of a process that has none holds no key. Whoever grants leases says so
//! of a node that stands in the way of an erasure and does not speak itself (erasure.md §4.6, R3).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use eunoe_core::StateView;
use eunoe_core::control::{self, LeaseOver, Standing};
use eunoe_types::{Fault, NodeId};

use super::Shared;
use crate::surroundings;

/// How much slower than this clock another one may be: a hundredth (erasure.md §4.12, A5).
const RATE_PART: u64 = 100;
/// How long a process may take to wipe what it has once its lease is over; one that cannot ends itself.
const WIPE_MS: u64 = 2_000;

/// The leases that this node granted while it led the control group.
#[derive(Default)]
pub(super) struct Granted(Mutex<State>);

#[derive(Default)]
struct State {
    /// The term in which this node led last, and when it first knew.
    leads: Option<(u64, u64)>,
    /// When each node was granted its last lease.
    last: BTreeMap<NodeId, u64>,
}

impl Granted {
    /// Notes that a lease is about to be granted, before it is.
    pub(super) fn note(&self, node: NodeId, now_ms: u64) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.last.insert(node, now_ms);
    }

    /// For how long `node` was surely granted none, in a term that this node leads: leaders before it may have granted one
    /// until it led.
    fn silent_ms(&self, node: NodeId, term: u64, now_ms: u64) -> u64 {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = match state.leads {
            Some((known, since)) if known == term => since,
            Some(_) | None => {
                state.leads = Some((term, now_ms));
                now_ms
            }
        };
        let last = state.last.get(&node).copied().unwrap_or_default().max(since);
        now_ms.saturating_sub(last)
    }
}

/// A node whose memory stands in the way of an erasure, and whose lease is over.
pub(super) fn to_say(view: &dyn StateView, shared: &Shared) -> Result<Option<LeaseOver>, Fault> {
    let Some(epoch) = control::epoch(view)? else {
        return Ok(None);
    };
    let Some(group) = shared.group(eunoe_types::GroupId::CONTROL) else {
        return Ok(None);
    };
    let (term, now_ms) = (group.leadership().term, shared.keyring.lease().now_ms());
    let ttl_ms = u64::from(shared.config.erasure.lease_s) * 1_000;
    let over_ms = ttl_ms + ttl_ms / RATE_PART + WIPE_MS;
    // Asked of every node, so that the term is known from its beginning on.
    let silent = |node: NodeId| shared.granted.silent_ms(node, term, now_ms);
    let held = control::holders(view)?.into_iter();
    let others = held.filter(|(node, _)| *node != shared.config.node_id);
    let silent = others.map(|(node, holder)| (node, holder, silent(node)));
    let over: Vec<_> = silent
        .filter(|(_, holder, waited_ms)| *waited_ms >= over_ms && holder.in_memory() < epoch.epoch)
        .collect();
    if over.is_empty() || !is_waited_for(view, epoch.epoch)? {
        return Ok(None);
    }
    Ok(over.first().map(|(node, holder, waited_ms)| LeaseOver {
        node: *node,
        boot: holder.boot,
        epoch: epoch.epoch,
        waited_ms: *waited_ms,
        time: surroundings::now(),
    }))
}

/// Whether an erasure waits for old roots to be gone.
fn is_waited_for(view: &dyn StateView, epoch: u64) -> Result<bool, Fault> {
    Ok(Standing::read(view)?.destroyed_before() < epoch)
}
