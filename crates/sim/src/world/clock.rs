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

/// The clocks of all hosts. Which one counts is said before a host runs.
pub(super) struct Clocks {
    now: Cell<Micros>,
    current: Cell<Host>,
    /// By how many ms the time of day of a host is off.
    off_ms: RefCell<BTreeMap<Host, i64>>,
    random: RefCell<SmallRng>,
}

impl Clocks {
    /// Clocks that nodes of this thread read from now on, until the value is dropped.
    pub(super) fn begin(seed: u64) -> Installed {
        let clocks = Rc::new(Self {
            now: Cell::new(0),
            current: Cell::new(super::net::CLIENTS),
            off_ms: RefCell::default(),
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

    /// Lets a host's time of day jump.
    pub(super) fn jump(&self, host: Host, by_ms: i64) {
        *self.off_ms.borrow_mut().entry(host).or_default() += by_ms;
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
        let off_ms = self.off_ms.borrow().get(&self.current.get()).copied();
        TimeMs((BEGINNING_MS + self.now.get() / 1_000).saturating_add_signed(off_ms.unwrap_or_default()))
    }

    fn boot_ms(&self) -> u64 {
        BOOT_MS + self.now.get() / 1_000
    }

    fn fill(&self, out: &mut [u8]) {
        self.random.borrow_mut().fill_bytes(out);
    }
}
