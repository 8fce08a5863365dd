//! A thread of its own for calls into a library that may hang.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::VaultError;

type Job<T> = Box<dyn FnOnce(&mut T) + Send>;

/// Runs one call at a time on its thread and waits for each so long and no longer.
pub(super) struct Worker<T> {
    jobs: Option<SyncSender<Job<T>>>,
    /// Whether the call that was waited for last has ended, if it was given up.
    given_up: Mutex<Option<Arc<AtomicBool>>>,
    patience: Duration,
    thread: Option<JoinHandle<()>>,
}

impl<T: 'static> Worker<T> {
    /// A thread that makes its own `T`; fails as that does.
    pub(super) fn start(
        patience: Duration,
        what: &'static str,
        make: impl FnOnce() -> Result<T, VaultError> + Send + 'static,
    ) -> Result<Self, VaultError> {
        let (jobs, incoming) = sync_channel::<Job<T>>(1);
        let (made, is_made) = sync_channel(1);
        let has_ended = Arc::new(AtomicBool::new(false));
        let made_ended = Arc::clone(&has_ended);
        let thread = std::thread::Builder::new()
            .name("vault".to_owned())
            .spawn(move || {
                let result = make();
                made_ended.store(true, Ordering::Release);
                let (mut state, told) = match result {
                    Ok(state) => (state, made.send(Ok(()))),
                    Err(error) => return drop(made.send(Err(error))),
                };
                // Whoever started this may have left, and then nothing is asked either.
                while told.is_ok()
                    && let Ok(job) = incoming.recv()
                {
                    job(&mut state);
                }
            })
            .map_err(VaultError::io("starting the vault's thread"))?;
        let worker = Self {
            jobs: Some(jobs),
            given_up: Mutex::new(None),
            patience,
            thread: Some(thread),
        };
        worker.wait(what, &is_made, has_ended)?;
        Ok(worker)
    }

    /// Runs `call`. One that takes too long is left alone, and no other is begun before it ended.
    pub(super) fn call<R: Send + 'static>(
        &self,
        what: &'static str,
        call: impl FnOnce(&mut T) -> Result<R, VaultError> + Send + 'static,
    ) -> Result<R, VaultError> {
        if self.is_stuck() {
            return Err(VaultError::TimedOut { what });
        }
        let (answer, answered) = sync_channel(1);
        let has_ended = Arc::new(AtomicBool::new(false));
        let call_ended = Arc::clone(&has_ended);
        let job: Job<T> = Box::new(move |state| {
            let result = call(state);
            call_ended.store(true, Ordering::Release);
            // Nobody may wait any more.
            drop(answer.send(result));
        });
        let jobs = self.jobs.as_ref().ok_or_else(|| ended(what))?;
        jobs.try_send(job).map_err(|_| ended(what))?;
        self.wait(what, &answered, has_ended)
    }

    fn wait<R>(
        &self,
        what: &'static str,
        answered: &Receiver<Result<R, VaultError>>,
        has_ended: Arc<AtomicBool>,
    ) -> Result<R, VaultError> {
        match answered.recv_timeout(self.patience) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Disconnected) => Err(ended(what)),
            Err(RecvTimeoutError::Timeout) => {
                *self.lock() = Some(has_ended);
                Err(VaultError::TimedOut { what })
            }
        }
    }
}

impl<T> Worker<T> {
    fn is_stuck(&self) -> bool {
        self.lock()
            .as_ref()
            .is_some_and(|has_ended| !has_ended.load(Ordering::Acquire))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<AtomicBool>>> {
        self.given_up.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Drop for Worker<T> {
    fn drop(&mut self) {
        self.jobs = None;
        // The library is left in order, unless it hangs.
        if !self.is_stuck()
            && let Some(thread) = self.thread.take()
        {
            // If it panicked, whoever called then was told.
            drop(thread.join());
        }
    }
}

fn ended(what: &'static str) -> VaultError {
    VaultError::Token {
        what,
        problem: "the vault's thread ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn worker(patience: Duration) -> Worker<u32> {
        Worker::start(patience, "starting", || Ok(0)).expect("starts")
    }

    #[test]
    fn calls_run_in_order_on_what_was_made() {
        let worker = worker(LONG);
        for expected in 1..=3 {
            let counted = worker.call("counting", |count| {
                *count += 1;
                Ok(*count)
            });
            assert_eq!(counted.expect("counts"), expected);
        }
    }

    #[test]
    fn what_cannot_be_made_is_told() {
        let failed = Worker::<u32>::start(LONG, "starting", || Err(VaultError::Pin));
        assert!(matches!(failed, Err(VaultError::Pin)));
    }

    #[test]
    fn a_call_that_hangs_is_given_up_and_none_is_begun_until_it_ends() {
        let mut worker = worker(LONG);
        worker.patience = Duration::from_millis(1);
        let (release, released) = sync_channel::<()>(1);
        let (ending, has_ended) = sync_channel::<()>(1);
        let hung = worker.call("hanging", move |_| {
            released.recv().expect("released");
            ending.send(()).expect("the test waits");
            Ok(())
        });
        assert!(matches!(hung, Err(VaultError::TimedOut { what: "hanging" })));
        let refused = worker.call("asking", |_| -> Result<(), _> { panic!("begun") });
        assert!(matches!(refused, Err(VaultError::TimedOut { what: "asking" })));
        release.send(()).expect("it waits");
        has_ended.recv().expect("ends");
        // Joins the thread: a worker that still thought it stuck would leave it.
        drop(worker);
    }

    #[test]
    fn a_call_that_panics_ends_the_worker_and_not_the_caller() {
        let worker = worker(LONG);
        let failed = worker.call("failing", |_| -> Result<(), _> { panic!("on purpose") });
        assert!(matches!(failed, Err(VaultError::Token { .. })));
        assert!(worker.call("asking", |_| Ok(())).is_err());
    }
}
