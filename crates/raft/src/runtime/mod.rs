//! openraft's runtime: tokio as it is, but for what it leaves to chance.
//!
//! openraft draws its election timeouts and the phases of its ticks. Whoever runs nodes on one thread can seed
//! these draws, so that the same seed gives the same elections. What waits for a watched value wakes in order (`watch`).

mod watched;

use std::cell::RefCell;
use std::future::Future;
use std::time::Duration;

use openraft::impls::TokioRuntime;
use openraft::{AsyncRuntime, OptionalSend};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use watched::Watched;

thread_local! {
    /// Where the draws of this thread come from, once it was seeded.
    static SEEDED: RefCell<Option<SmallRng>> = const { RefCell::new(None) };
}

/// From now on, the groups that run on this thread draw their election timeouts from `seed`, in the order in which
/// they ask. Without it the operating system seeds them.
///
/// It is for runtimes of one thread: the threads of a pool would each need it.
pub fn seed_elections(seed: u64) {
    SEEDED.set(Some(SmallRng::seed_from_u64(seed)));
}

/// tokio, with draws that can be seeded.
pub(crate) struct Runtime(TokioRuntime);

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Runtime")
    }
}

impl AsyncRuntime for Runtime {
    type JoinError = <TokioRuntime as AsyncRuntime>::JoinError;
    type JoinHandle<T: OptionalSend + 'static> = <TokioRuntime as AsyncRuntime>::JoinHandle<T>;
    type Sleep = <TokioRuntime as AsyncRuntime>::Sleep;
    type Instant = <TokioRuntime as AsyncRuntime>::Instant;
    type TimeoutError = <TokioRuntime as AsyncRuntime>::TimeoutError;
    type Timeout<R, T: Future<Output = R> + OptionalSend> = <TokioRuntime as AsyncRuntime>::Timeout<R, T>;
    type ThreadLocalRng = SmallRng;
    type Mpsc = <TokioRuntime as AsyncRuntime>::Mpsc;
    type Watch = Watched;
    type Oneshot = <TokioRuntime as AsyncRuntime>::Oneshot;
    type Mutex<T: OptionalSend + 'static> = <TokioRuntime as AsyncRuntime>::Mutex<T>;

    #[track_caller]
    fn spawn<T>(future: T) -> Self::JoinHandle<T::Output>
    where
        T: Future + OptionalSend + 'static,
        T::Output: OptionalSend + 'static,
    {
        TokioRuntime::spawn(future)
    }

    #[track_caller]
    fn sleep(duration: Duration) -> Self::Sleep {
        TokioRuntime::sleep(duration)
    }

    #[track_caller]
    fn sleep_until(deadline: Self::Instant) -> Self::Sleep {
        TokioRuntime::sleep_until(deadline)
    }

    #[track_caller]
    fn timeout<R, F: Future<Output = R> + OptionalSend>(
        duration: Duration,
        future: F,
    ) -> Self::Timeout<R, F> {
        TokioRuntime::timeout(duration, future)
    }

    #[track_caller]
    fn timeout_at<R, F: Future<Output = R> + OptionalSend>(
        deadline: Self::Instant,
        future: F,
    ) -> Self::Timeout<R, F> {
        TokioRuntime::timeout_at(deadline, future)
    }

    fn is_panic(join_error: &Self::JoinError) -> bool {
        TokioRuntime::is_panic(join_error)
    }

    /// A generator for the few draws of one call.
    fn thread_rng() -> SmallRng {
        SEEDED.with_borrow_mut(|seeded| match seeded {
            Some(seeded) => SmallRng::from_rng(seeded),
            None => SmallRng::from_rng(&mut rand::rng()),
        })
    }

    fn new(threads: usize) -> Self {
        Self(TokioRuntime::new(threads))
    }

    fn block_on<F, T>(&mut self, future: F) -> T
    where
        F: Future<Output = T>,
    {
        self.0.block_on(future)
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;

    /// What three calls of openraft would draw.
    fn draws() -> [u64; 3] {
        std::array::from_fn(|_| Runtime::thread_rng().random_range(0..u64::MAX))
    }

    #[test]
    fn a_seed_gives_the_same_draws_and_none_gives_others() {
        let unseeded = draws();
        seed_elections(7);
        let seeded = draws();
        assert_eq!(seeded.iter().collect::<std::collections::BTreeSet<_>>().len(), 3);
        assert_ne!(seeded, draws(), "they go on");
        seed_elections(7);
        assert_eq!(seeded, draws());
        seed_elections(8);
        assert_ne!(seeded, draws());
        let elsewhere = std::thread::spawn(draws).join().unwrap();
        assert!(
            ![seeded, unseeded].contains(&elsewhere),
            "only this thread is seeded"
        );
    }
}
