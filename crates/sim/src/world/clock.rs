//! Clocks and randomness of the world's nodes.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use eunoe_server::surroundings::{Surroundings, simulate};
use eunoe_types::TimeMs;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};

use super::net::{Host, Micros};

/// When worlds begin: 2026-03-01, a minute before midnight, so that a day ends early.
const BEGINNING_MS: u64 = 1_772_409_540_000;
/// What the clock of leases shows when a world begins.
const BOOT_MS: u64 = 1_000_000;

/// How a host's clocks differ from the world's.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Skew {
    /// The time of day is off by so much, in ms.
    pub(super) day_ms: i64,
    /// The clock of leases is faster (or slower) by so many millionths.
    pub(super) drift_millionths: i64,
}

/// The clocks of all hosts. Which one counts is said before a host runs.
pub(super) struct Clocks {
    now: Cell<Micros>,
    current: Cell<Host>,
    skews: RefCell<BTreeMap<Host, Skew>>,
    random: RefCell<SmallRng>,
}

impl Clocks {
    /// Clocks that nodes of this thread read from now on, until the value is dropped.
    pub(super) fn begin(seed: u64) -> Installed {
        let clocks = Rc::new(Self {
            now: Cell::new(0),
            current: Cell::new(super::net::CLIENTS),
            skews: RefCell::default(),
            random: RefCell::new(SmallRng::seed_from_u64(seed)),
        });
        simulate(Some(Rc::clone(&clocks) as Rc<dyn Surroundings>));
        Installed(clocks)
    }

    /// What runs next, and the world's time.
    pub(super) fn turn(&self, host: Host, now: Micros) {
        self.current.set(host);
        self.now.set(now);
    }

    /// Changes a host's clocks.
    pub(super) fn change(&self, host: Host, change: impl FnOnce(&mut Skew)) {
        change(self.skews.borrow_mut().entry(host).or_default());
    }

    fn skew(&self) -> Skew {
        let current = self.current.get();
        self.skews.borrow().get(&current).copied().unwrap_or_default()
    }
}

/// Clocks in use.
pub(super) struct Installed(Rc<Clocks>);

impl std::ops::Deref for Installed {
    type Target = Clocks;

    fn deref(&self) -> &Clocks {
        &self.0
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        simulate(None);
    }
}

impl Surroundings for Clocks {
    fn time_of_day(&self) -> TimeMs {
        let passed = self.now.get() / 1_000;
        TimeMs((BEGINNING_MS + passed).saturating_add_signed(self.skew().day_ms))
    }

    fn boot_ms(&self) -> u64 {
        let passed = self.now.get() / 1_000;
        let drift = i64::try_from(passed).unwrap_or(i64::MAX) / 1_000 * self.skew().drift_millionths / 1_000;
        (BOOT_MS + passed).saturating_add_signed(drift)
    }

    fn fill(&self, out: &mut [u8]) {
        self.random.borrow_mut().fill_bytes(out);
    }
}
