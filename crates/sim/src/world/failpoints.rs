//! Nodes that end at a step of the protocol: one after the other is waited for, on the leader and on another node. Only
//! with the feature `failpoints`; without it no node reaches a step.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use eunoe_server::failpoint::Failpoint;
use eunoe_types::GroupId;
use rand::RngExt as _;

use super::World;
use super::disk::Crash;
use super::nemesis::MS;
use super::net::Micros;

/// A step that nobody reaches is waited for so long, and then the next one is.
const WAIT: Micros = 4_000 * MS;
/// Pauses between the end of a node and the next step that is waited for.
const PAUSE: std::ops::Range<Micros> = 500 * MS..2_000 * MS;

/// A step, and whether a node reaches it that leads the control group.
pub type Place = (Failpoint, bool);

/// Steps as whom: none is reached only by others, and some by the leader alone.
pub fn places() -> Vec<Place> {
    let roles = |step: &Failpoint| {
        let other = (!step.is_of_leader()).then_some((*step, false));
        [Some((*step, true)), other].into_iter().flatten()
    };
    Failpoint::ALL.iter().flat_map(roles).collect()
}

/// What is waited for, and what came of it.
#[derive(Default)]
pub(super) struct Armed {
    place: Option<Place>,
    /// Whether the node that runs now leads the control group.
    leads: bool,
    has_ended: bool,
    next: usize,
    at: Micros,
    ended: BTreeMap<Place, u64>,
}

/// Shared with the hook that nodes ask.
pub(super) type Shared = Rc<RefCell<Armed>>;

/// Lets the nodes of this thread end at steps, from a place that the seed says.
#[cfg(feature = "failpoints")]
pub(super) fn install(first: usize) -> Shared {
    let armed = Shared::default();
    armed.borrow_mut().next = first;
    let asked = Rc::clone(&armed);
    let hook = move |step| {
        let mut armed = asked.borrow_mut();
        let ends = !armed.has_ended && armed.place == Some((step, armed.leads));
        armed.has_ended |= ends;
        ends
    };
    eunoe_server::failpoint::simulate(Some(Rc::new(hook)));
    armed
}

impl World {
    /// Says who runs next.
    pub(super) fn turn_failpoints(&mut self, at: usize) {
        let Some(armed) = &self.failpoints else { return };
        let group = self.nodes[at]
            .core()
            .and_then(|core| core.raft().group(GroupId::CONTROL));
        armed.borrow_mut().leads = group.is_some_and(|control| control.leadership().is_leader);
    }

    /// Ends the node that reached its step, and the next step is waited for.
    pub(super) fn look_at_failpoints(&mut self, at: usize) {
        let Some(armed) = self.failpoints.clone() else {
            return;
        };
        let mut armed = armed.borrow_mut();
        if armed.has_ended {
            let how = match self.random.random_range(0..2) {
                0 => Crash::Killed,
                _ => Crash::Power,
            };
            let place = armed.place.take().expect("a node ends at a place");
            *armed.ended.entry(place).or_default() += 1;
            armed.has_ended = false;
            armed.at = self.now + self.random.random_range(PAUSE);
            self.trace.note(
                self.now,
                format_args!("at {place:?} of node {}", self.nodes[at].id),
            );
            self.crash(at, how);
            self.restart_soon(at);
        }
    }

    /// Waits for the next step while things go wrong; for none later.
    pub(super) fn arm_failpoints(&mut self, until: Option<Micros>) {
        let Some(armed) = &self.failpoints else { return };
        let mut armed = armed.borrow_mut();
        let Some(end) = until.filter(|end| self.now < *end) else {
            armed.place = None;
            return;
        };
        if self.now >= armed.at {
            let places = places();
            armed.place = Some(places[armed.next % places.len()]);
            armed.next += 1;
            armed.at = end.min(self.now + WAIT);
        }
    }

    /// Where nodes ended.
    pub(super) fn ended_at(&self) -> BTreeMap<Place, u64> {
        let armed = self.failpoints.as_ref();
        armed
            .map(|armed| armed.borrow().ended.clone())
            .unwrap_or_default()
    }
}
