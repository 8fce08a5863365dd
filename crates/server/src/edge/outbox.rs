//! What waits for a slow caller of a tail: bounded in bytes, because a few of the largest messages of many tails that nobody
//! reads would take a node's memory.

use std::sync::Arc;

use futures::stream::{Stream, StreamExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;

/// Events that wait; then the tail waits as well.
const EVENTS_MAX: usize = 64;
/// Bytes of content that wait: two of the largest messages. What is larger waits alone.
const BYTES_MAX: u32 = 512 * 1024;

/// The caller is gone.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gone;

/// Where events are put.
pub(super) struct Outbox<T> {
    events: mpsc::Sender<(T, Option<OwnedSemaphorePermit>)>,
    room: Arc<Semaphore>,
}

/// An outbox, and the stream of what is put into it.
pub(super) fn outbox<T>() -> (Outbox<T>, impl Stream<Item = T>) {
    let (events, waiting) = mpsc::channel(EVENTS_MAX);
    let room = Arc::new(Semaphore::new(BYTES_MAX as usize));
    // Its bytes make room for others when an event is taken.
    let taken = ReceiverStream::new(waiting).map(|(event, _room)| event);
    (Outbox { events, room }, taken)
}

impl<T> Outbox<T> {
    /// Waits until there is room for an event with so many bytes of content, and puts it there.
    pub(super) async fn send(&self, event: T, bytes: usize) -> Result<(), Gone> {
        let bytes = u32::try_from(bytes).unwrap_or(BYTES_MAX).min(BYTES_MAX);
        let room = match bytes {
            0 => None,
            bytes => tokio::select! {
                biased;
                () = self.events.closed() => return Err(Gone),
                // It is closed by nobody.
                room = Arc::clone(&self.room).acquire_many_owned(bytes) => Some(room.map_err(|_| Gone)?),
            },
        };
        self.events.send((event, room)).await.map_err(|_| Gone)
    }

    /// Ends when the caller is gone.
    pub(super) async fn closed(&self) {
        self.events.closed().await;
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn half_a_mebibyte_waits_and_no_more() {
        let (out, events) = outbox();
        let mut events = pin!(events);
        assert_eq!(out.send(1, 256 * 1024).now_or_never(), Some(Ok(())));
        assert_eq!(out.send(2, 256 * 1024).now_or_never(), Some(Ok(())));
        let third = out.send(3, 1);
        let mut third = pin!(third);
        assert!(third.as_mut().now_or_never().is_none());
        assert_eq!(
            out.send(4, 0).now_or_never(),
            Some(Ok(())),
            "what has no content takes no room"
        );
        assert_eq!(events.next().await, Some(1));
        assert_eq!(third.await, Ok(()));
    }

    #[tokio::test]
    async fn what_is_larger_than_all_room_waits_alone() {
        let (out, events) = outbox();
        let mut events = pin!(events);
        assert_eq!(out.send(1, usize::MAX).now_or_never(), Some(Ok(())));
        assert!(out.send(2, 1).now_or_never().is_none());
        assert_eq!(events.next().await, Some(1));
        assert_eq!(out.send(2, 1).now_or_never(), Some(Ok(())));
    }

    #[tokio::test]
    async fn who_waits_for_room_learns_that_the_caller_is_gone() {
        let (out, events) = outbox();
        assert_eq!(out.send(1, usize::MAX).await, Ok(()));
        let waiting = tokio::spawn(async move { out.send(2, 1).await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(events);
        assert_eq!(waiting.await.unwrap(), Err(Gone));
    }
}
