//! How many proposals, and how many bytes of them, may be on their way at once.
//!
//! The permits travel with openraft's responder, not with the caller's future: a caller who gives up does not
//! take his command out of the queues, so his place must stay taken until the command has its outcome.

use std::sync::Arc;

use openraft::OptionalSend;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::types::TypeConfig;

/// The room for proposals.
pub(crate) struct Admission {
    count: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
}

/// The place that one proposal takes.
pub(crate) struct Permit {
    _count: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

impl Admission {
    pub(crate) fn new(count_max: usize, bytes_max: usize) -> Self {
        let semaphore = |permits: usize| Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)));
        Self {
            count: semaphore(count_max),
            bytes: semaphore(bytes_max),
        }
    }

    /// Takes a place for a command of `bytes`, if there is one now.
    pub(crate) fn enter(&self, bytes: usize) -> Option<Permit> {
        let bytes = u32::try_from(bytes.max(1)).ok()?;
        Some(Permit {
            _count: Arc::clone(&self.count).try_acquire_owned().ok()?,
            _bytes: Arc::clone(&self.bytes).try_acquire_many_owned(bytes).ok()?,
        })
    }
}

/// Takes a proposal's outcome from openraft to the caller.
pub(crate) struct Responder<T> {
    tx: oneshot::Sender<T>,
    _permit: Permit,
}

impl<T> Responder<T> {
    pub(crate) fn new(permit: Permit) -> (Self, oneshot::Receiver<T>) {
        let (tx, rx) = oneshot::channel();
        (Self { tx, _permit: permit }, rx)
    }
}

impl<T: OptionalSend + 'static> openraft::raft::responder::Responder<TypeConfig, T> for Responder<T> {
    fn on_complete(self, result: T) {
        // The caller may have given up; the outcome is in the log either way.
        drop(self.tx.send(result));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_taken_until_the_responder_is_gone_not_until_the_caller_is() {
        let admission = Admission::new(1, 100);
        let permit = admission.enter(10).expect("there is room");
        let (responder, reply) = Responder::<u8>::new(permit);
        drop(reply);
        assert!(admission.enter(1).is_none());
        drop(responder);
        assert!(admission.enter(100).is_some());
    }

    #[test]
    fn bytes_are_counted_as_well() {
        let admission = Admission::new(10, 100);
        let taken = admission.enter(60).expect("there is room");
        assert!(admission.enter(60).is_none());
        drop(taken);
        assert!(admission.enter(60).is_some());
    }
}
