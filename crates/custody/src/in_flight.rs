//! Roots on their way to this node's memory and vault. A node that says that it holds none of before must not have one
//! in hand, nor take one afterwards that it asked for earlier.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Roots that are expected or in hand.
#[derive(Default)]
pub(crate) struct InFlight(Arc<Mutex<Flights>>);

#[derive(Default)]
struct Flights {
    /// Roots that lead to keys of an epoch before this are not taken any more.
    first: u64,
    /// How many lead to keys of an epoch.
    counts: BTreeMap<u64, usize>,
}

/// A root that is expected or in hand: to be had before it is asked for, and to be dropped after its last copy that is
/// neither in the vault nor in the keyring.
#[derive(Debug)]
pub struct RootInFlight {
    flights: Arc<Mutex<Flights>>,
    leads_to: u64,
}

impl std::fmt::Debug for Flights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} epochs from {} on", self.counts.len(), self.first)
    }
}

fn locked(flights: &Mutex<Flights>) -> MutexGuard<'_, Flights> {
    flights.lock().unwrap_or_else(PoisonError::into_inner)
}

impl InFlight {
    /// Counts a root; none if it is not taken any more.
    pub(crate) fn expect(&self, leads_to: u64) -> Option<RootInFlight> {
        let mut flights = locked(&self.0);
        if leads_to < flights.first {
            return None;
        }
        *flights.counts.entry(leads_to).or_default() += 1;
        Some(RootInFlight {
            flights: Arc::clone(&self.0),
            leads_to,
        })
    }

    /// Takes none from now on that leads to keys of an epoch before `epoch`.
    pub(crate) fn refuse_before(&self, epoch: u64) {
        let mut flights = locked(&self.0);
        flights.first = flights.first.max(epoch);
    }

    /// Whether there is one that leads to keys of an epoch before `epoch`.
    pub(crate) fn any_before(&self, epoch: u64) -> bool {
        locked(&self.0).counts.range(..epoch).next().is_some()
    }
}

impl RootInFlight {
    /// The oldest epoch whose keys the root leads to.
    pub(crate) fn leads_to(&self) -> u64 {
        self.leads_to
    }
}

impl Drop for RootInFlight {
    fn drop(&mut self) {
        let mut flights = locked(&self.flights);
        if let Some(count) = flights.counts.get_mut(&self.leads_to) {
            *count -= 1;
            if *count == 0 {
                flights.counts.remove(&self.leads_to);
            }
        }
    }
}
