//! What a node takes from the world around it: the time of day, the clock of leases, randomness. The only place that
//! reads any of them, so that a simulator can stand in for all of it.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use eunoe_crypto::{Entropy, EntropyError, OsEntropy};
use eunoe_types::TimeMs;

/// A made-up world for the nodes of one thread.
pub trait Surroundings {
    /// The time of day, UTC. It may jump.
    fn time_of_day(&self) -> TimeMs;

    /// Milliseconds that never go back, and count while the machine sleeps.
    fn boot_ms(&self) -> u64;

    /// Bytes that look random.
    fn fill(&self, out: &mut [u8]);
}

thread_local! {
    static SIMULATED: RefCell<Option<Rc<dyn Surroundings>>> = const { RefCell::new(None) };
}

/// Puts the nodes of this thread into a made-up world, or back into the real one. For simulators: nothing in a server
/// calls it.
pub fn simulate(surroundings: Option<Rc<dyn Surroundings>>) {
    SIMULATED.set(surroundings);
}

fn simulated() -> Option<Rc<dyn Surroundings>> {
    SIMULATED.with_borrow(Clone::clone)
}

/// The time of day, UTC. It may jump; whatever must not go back is made monotone where it is applied.
pub fn now() -> TimeMs {
    if let Some(world) = simulated() {
        return world.time_of_day();
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimeMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The clock of leases: it never goes back, and counts while the machine sleeps.
#[derive(Clone, Copy, Debug, Default)]
pub struct BootClock;

impl eunoe_custody::LeaseClock for BootClock {
    fn now_ms(&self) -> u64 {
        if let Some(world) = simulated() {
            return world.boot_ms();
        }
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        // Neither part is negative on this clock.
        let (seconds, nanos) = (now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs());
        seconds * 1_000 + nanos / 1_000_000
    }
}

/// The system's source of randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        match simulated() {
            Some(world) => {
                world.fill(out);
                Ok(())
            }
            None => OsEntropy.fill(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use eunoe_custody::LeaseClock as _;

    use super::*;

    struct Still;

    impl Surroundings for Still {
        fn time_of_day(&self) -> TimeMs {
            TimeMs(7)
        }

        fn boot_ms(&self) -> u64 {
            9
        }

        fn fill(&self, out: &mut [u8]) {
            out.fill(3);
        }
    }

    #[test]
    fn a_made_up_world_holds_for_its_thread_until_it_ends() {
        simulate(Some(Rc::new(Still)));
        let mut bytes = [0; 4];
        SystemEntropy.fill(&mut bytes).unwrap();
        assert_eq!((now(), BootClock.now_ms(), bytes), (TimeMs(7), 9, [3; 4]));
        assert_ne!(std::thread::spawn(now).join().unwrap(), TimeMs(7));
        simulate(None);
        assert_ne!(now(), TimeMs(7));
    }
}
