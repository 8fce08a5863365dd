//! A value that many watch: tokio's `watch`, whose receivers wake in the order in which they began to wait.
//!
//! tokio spreads those who wait over several lists and takes one by chance, so that nobody who runs the same nodes
//! again can have them wake in the same order.

use std::sync::Arc;

pub use tokio::sync::watch::Ref;
use tokio::sync::{Notify, watch};

/// All senders are gone, and what they sent last was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nobody can change the value any more")]
pub struct Closed;

/// Changes the value. Clones change the same one.
#[derive(Debug)]
pub struct Sender<T> {
    // Dropped before `waiting`, which then wakes those who have to notice it.
    value: watch::Sender<T>,
    waiting: Waiting,
}

/// Sees the value and its changes. Clones have seen what the original had.
#[derive(Debug)]
pub struct Receiver<T> {
    value: watch::Receiver<T>,
    waiting: Arc<Notify>,
}

/// Those who wait for a change; woken when it is dropped.
#[derive(Clone, Debug, Default)]
struct Waiting(Arc<Notify>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.notify_waiters();
    }
}

/// A watched value, which the receiver has seen.
pub fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let sender = Sender::new(value);
    let receiver = sender.subscribe();
    (sender, receiver)
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self {
            value: self.value.clone(),
            waiting: self.waiting.clone(),
        }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self {
            value: self.value.clone(),
            waiting: Arc::clone(&self.waiting),
        }
    }
}

impl<T: Default> Default for Sender<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> Sender<T> {
    /// A value that nobody watches yet.
    pub fn new(value: T) -> Self {
        Self {
            value: watch::Sender::new(value),
            waiting: Waiting::default(),
        }
    }

    /// A receiver that has seen the value as it is now.
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver {
            value: self.value.subscribe(),
            waiting: Arc::clone(&self.waiting.0),
        }
    }

    /// Replaces the value, whether somebody watches or not, and answers the old one.
    pub fn send_replace(&self, value: T) -> T {
        let old = self.value.send_replace(value);
        self.waiting.0.notify_waiters();
        old
    }

    /// Changes the value.
    pub fn send_modify(&self, change: impl FnOnce(&mut T)) {
        self.value.send_modify(change);
        self.waiting.0.notify_waiters();
    }

    /// Changes the value; receivers hear of it only if `change` says that there was something to change.
    pub fn send_if_modified(&self, change: impl FnOnce(&mut T) -> bool) -> bool {
        let changed = self.value.send_if_modified(change);
        if changed {
            self.waiting.0.notify_waiters();
        }
        changed
    }

    /// The value. It cannot change while this is held, so hold it shortly and over no await.
    pub fn borrow(&self) -> Ref<'_, T> {
        self.value.borrow()
    }

    /// Whether nobody watches.
    pub fn is_closed(&self) -> bool {
        self.value.is_closed()
    }
}

impl<T> Receiver<T> {
    /// The value. It cannot change while this is held, so hold it shortly and over no await.
    pub fn borrow(&self) -> Ref<'_, T> {
        self.value.borrow()
    }

    /// The value, which counts as seen from now on.
    pub fn borrow_and_update(&mut self) -> Ref<'_, T> {
        self.value.borrow_and_update()
    }

    /// Whether there is a value that was not seen.
    pub fn has_changed(&self) -> Result<bool, Closed> {
        self.value.has_changed().map_err(|_| Closed)
    }

    /// What there is now counts as seen.
    pub fn mark_unchanged(&mut self) {
        self.value.mark_unchanged();
    }

    /// Waits for a value that was not seen, and counts it as seen. May be dropped at any time.
    pub async fn changed(&mut self) -> Result<(), Closed> {
        loop {
            let mut woken = std::pin::pin!(self.waiting.notified());
            // From here on no change is missed.
            woken.as_mut().enable();
            if self.value.borrow_and_update().has_changed() {
                return Ok(());
            }
            if self.value.has_changed().is_err() {
                // It may have been sent right before the last sender went.
                let last = self.value.borrow_and_update().has_changed();
                return if last { Ok(()) } else { Err(Closed) };
            }
            woken.await;
        }
    }

    /// Waits until the value is as `wanted`, which it may be already, and answers it.
    pub async fn wait_for(&mut self, mut wanted: impl FnMut(&T) -> bool) -> Result<T, Closed>
    where
        T: Clone,
    {
        loop {
            {
                let value = self.value.borrow_and_update();
                if wanted(&value) {
                    return Ok(value.clone());
                }
            }
            self.changed().await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn receivers_wake_in_the_order_in_which_they_began_to_wait() {
        for _ in 0..20 {
            let (sender, receiver) = channel(0);
            let woken = Arc::new(Mutex::new(Vec::new()));
            let tasks = [3, 1, 2, 5, 4].map(|name| {
                let (mut receiver, woken) = (receiver.clone(), Arc::clone(&woken));
                tokio::spawn(async move {
                    receiver.changed().await.unwrap();
                    woken.lock().unwrap().push(name);
                })
            });
            tokio::task::yield_now().await;
            sender.send_replace(1);
            for task in tasks {
                task.await.unwrap();
            }
            assert_eq!(*woken.lock().unwrap(), [3, 1, 2, 5, 4]);
        }
    }

    #[tokio::test]
    async fn the_last_value_is_seen_and_then_the_end() {
        let (sender, mut receiver) = channel(0);
        let waiting = tokio::spawn(async move {
            receiver.changed().await?;
            let value = *receiver.borrow();
            assert_eq!(receiver.changed().await, Err(Closed));
            Ok::<_, Closed>(value)
        });
        tokio::task::yield_now().await;
        let other = sender.clone();
        drop(sender);
        other.send_replace(7);
        drop(other);
        assert_eq!(waiting.await.unwrap(), Ok(7));
    }

    #[tokio::test]
    async fn the_end_wakes_who_waits() {
        let (sender, mut receiver) = channel(0);
        let waiting = tokio::spawn(async move { receiver.wait_for(|value| *value > 0).await });
        tokio::task::yield_now().await;
        drop(sender);
        assert_eq!(waiting.await.unwrap(), Err(Closed));
    }

    #[tokio::test]
    async fn what_was_not_changed_wakes_nobody_and_what_was_seen_is_no_change() {
        let (sender, mut receiver) = channel(0);
        assert!(!sender.send_if_modified(|_| false));
        let waited = tokio::time::timeout(std::time::Duration::from_millis(1), receiver.changed()).await;
        assert!(waited.is_err());
        assert!(sender.send_if_modified(|value| {
            *value = 1;
            true
        }));
        receiver.mark_unchanged();
        let waited = tokio::time::timeout(std::time::Duration::from_millis(1), receiver.changed()).await;
        assert!(waited.is_err());
        assert_eq!(receiver.wait_for(|value| *value == 1).await, Ok(1));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_is_missed_between_threads() {
        let (sender, mut receiver) = channel(0u32);
        let seen = tokio::spawn(async move {
            let mut last = 0;
            while receiver.changed().await.is_ok() {
                // Seen with the look: what `borrow` reads may be newer than what `changed` saw.
                let now = *receiver.borrow_and_update();
                assert!(now > last);
                last = now;
            }
            last
        });
        for value in 1..=10_000 {
            sender.send_replace(value);
        }
        drop(sender);
        assert_eq!(seen.await.unwrap(), 10_000);
    }
}
