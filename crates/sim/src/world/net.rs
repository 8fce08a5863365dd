//! The network between hosts: parcels that take their time, links that are cut one way or both, clogged, slow or lossy.
//!
//! A parcel is what happens at the other end. What is lost is kept until the world ends: the sender hears nothing of it
//! and gives up by itself, as behind a dead cable. What waits behind a clog comes later, in its order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use eunoe_server::node::Core;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::coverage::{Coverage, Event};

/// A host: a node, or where the clients are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Host(pub u64);

/// Where all clients are.
pub(super) const CLIENTS: Host = Host(0);

/// Microseconds of the world's clock.
pub(super) type Micros = u64;

/// A process that runs on a host, as a parcel meets it.
#[derive(Clone)]
pub(super) struct Process {
    /// Its runtime.
    pub(super) runtime: tokio::runtime::Handle,
    /// The node in it; none where the clients are.
    pub(super) core: Option<Core>,
    /// What serves clients, once it does.
    pub(super) edge: Arc<Mutex<Option<eunoe_server::edge::Edge>>>,
}

impl Process {
    /// What serves clients here, once it does.
    pub(super) fn edge(&self) -> Option<eunoe_server::edge::Edge> {
        self.edge.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What happens where a parcel arrives. `None`: nobody runs there.
type Arrival = Box<dyn FnOnce(Option<&Process>) + Send>;

/// How a link is, in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// Parcels arrive.
    Open,
    /// Parcels are lost; streams stand still.
    Cut,
    /// Everything waits until it opens.
    Clogged,
}

/// What parcels suffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weather {
    /// The shortest way, in µs.
    pub(super) delay_min: Micros,
    /// The longest way of most, in µs.
    pub(super) delay_max: Micros,
    /// One in so many takes up to a hundred times as long; 0: none.
    pub(super) late_one_in: u32,
    /// One in so many is lost; 0: none.
    pub(super) lost_one_in: u32,
}

/// Everything is quick and nothing is lost.
pub(super) const FAIR: Weather = Weather {
    delay_min: 100,
    delay_max: 900,
    late_one_in: 0,
    lost_one_in: 0,
};

struct Parcel {
    from: Host,
    to: Host,
    /// Whether it belongs to a stream, whose parcels are never lost one by one.
    streamed: bool,
    arrival: Arrival,
}

struct State {
    now: Micros,
    random: SmallRng,
    weather: Weather,
    links: BTreeMap<(Host, Host), Link>,
    processes: BTreeMap<Host, Process>,
    /// By time of arrival and number.
    under_way: BTreeMap<(Micros, u64), Parcel>,
    /// Behind a clog, or in a stream behind a cut.
    held: Vec<Parcel>,
    lost: Vec<Parcel>,
    sent: u64,
    coverage: Coverage,
}

/// The network. Clones are the same.
#[derive(Clone)]
pub(super) struct Net(Arc<Mutex<State>>);

impl Net {
    /// A network in fair weather, without hosts.
    pub(super) fn new(seed: u64, coverage: Coverage) -> Self {
        Self(Arc::new(Mutex::new(State {
            now: 0,
            random: SmallRng::seed_from_u64(seed),
            weather: FAIR,
            links: BTreeMap::new(),
            processes: BTreeMap::new(),
            under_way: BTreeMap::new(),
            held: Vec::new(),
            lost: Vec::new(),
            sent: 0,
            coverage,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something happened.
    pub(super) fn count(&self, event: Event) {
        self.lock().coverage.count(event);
    }

    /// The world's clock.
    pub(super) fn now(&self) -> Micros {
        self.lock().now
    }

    /// A process runs on `host` from now on, or none does.
    pub(super) fn set_process(&self, host: Host, process: Option<Process>) {
        let mut state = self.lock();
        match process {
            Some(process) => state.processes.insert(host, process),
            None => state.processes.remove(&host),
        };
    }

    /// Whether no call of `host` to any of `others` comes there and back.
    pub(super) fn is_isolated(&self, host: Host, mut others: impl Iterator<Item = Host>) -> bool {
        let state = self.lock();
        let is_shut = |from, to| state.links.contains_key(&(from, to));
        others.all(|other| other == host || is_shut(host, other) || is_shut(other, host))
    }

    /// Makes the weather of all links.
    pub(super) fn set_weather(&self, weather: Weather) {
        self.lock().weather = weather;
    }

    /// Sets a link in one direction.
    pub(super) fn set_link(&self, from: Host, to: Host, link: Link) {
        let mut state = self.lock();
        if link == Link::Open {
            state.links.remove(&(from, to));
            let held = std::mem::take(&mut state.held);
            for parcel in held {
                if (parcel.from, parcel.to) == (from, to) {
                    let at = state.now;
                    state.enqueue(at, parcel);
                } else {
                    state.held.push(parcel);
                }
            }
        } else {
            state.links.insert((from, to), link);
        }
    }

    /// Opens all links.
    pub(super) fn open_all(&self) {
        let shut: BTreeSet<(Host, Host)> = self.lock().links.keys().copied().collect();
        for (from, to) in shut {
            self.set_link(from, to, Link::Open);
        }
    }

    /// Sends a parcel.
    pub(super) fn send(&self, from: Host, to: Host, arrival: impl FnOnce(Option<&Process>) + Send + 'static) {
        let mut state = self.lock();
        let delay = state.delay();
        let at = state.now + delay;
        let lost_one_in = state.weather.lost_one_in;
        let parcel = Parcel {
            from,
            to,
            streamed: false,
            arrival: Box::new(arrival),
        };
        if from != to && lost_one_in > 0 && state.random.random_ratio(1, lost_one_in) {
            state.coverage.count(Event::ParcelLost);
            state.lost.push(parcel);
            return;
        }
        state.enqueue(at, parcel);
    }

    /// Sends a parcel that must not overtake the one that was sent before with the same `last`.
    pub(super) fn send_after(
        &self,
        from: Host,
        to: Host,
        last: &mut Micros,
        arrival: impl FnOnce(Option<&Process>) + Send + 'static,
    ) {
        let mut state = self.lock();
        *last = (state.now + state.delay()).max(*last);
        let at = *last;
        let parcel = Parcel {
            from,
            to,
            streamed: true,
            arrival: Box::new(arrival),
        };
        state.enqueue(at, parcel);
    }

    /// Moves the clock to `now`, and lets everything arrive that is due.
    pub(super) fn advance(&self, now: Micros) {
        self.lock().now = now;
        loop {
            let mut state = self.lock();
            let Some(next) = state.under_way.first_entry().filter(|next| next.key().0 <= now) else {
                return;
            };
            let parcel = next.remove();
            let link = state.links.get(&(parcel.from, parcel.to)).copied();
            match link.unwrap_or(Link::Open) {
                Link::Open => {
                    let process = state.processes.get(&parcel.to).cloned();
                    drop(state);
                    let _within = process.as_ref().map(|process| process.runtime.enter());
                    (parcel.arrival)(process.as_ref());
                }
                Link::Cut if !parcel.streamed => state.lost.push(parcel),
                Link::Cut | Link::Clogged => state.held.push(parcel),
            }
        }
    }
}

impl State {
    fn enqueue(&mut self, at: Micros, parcel: Parcel) {
        self.sent += 1;
        self.under_way.insert((at, self.sent), parcel);
    }

    fn delay(&mut self) -> Micros {
        let Weather {
            delay_min,
            delay_max,
            late_one_in,
            ..
        } = self.weather;
        let usual = self.random.random_range(delay_min..=delay_max);
        if late_one_in > 0 && self.random.random_ratio(1, late_one_in) {
            self.coverage.count(Event::ParcelLate);
            return usual * self.random.random_range(2..=100);
        }
        usual
    }
}
