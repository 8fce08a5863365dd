//! StreamAppend: messages go out without waiting for the acks of those before them, and never change order.

mod driver;
mod queue;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use eunoe_proto::chat::{Ack, MessageInput};
use eunoe_types::limits;
use prost::Message as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::{Client, ClientError, request_id};
use driver::Driver;
use queue::Entry;

/// How much may be unacknowledged.
#[derive(Clone, Copy, Debug)]
pub struct StreamOptions {
    /// Messages, 1 to 1,024.
    pub window: usize,
    /// Bytes; a single larger message waits until it is alone.
    pub window_bytes: usize,
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self {
            window: 256,
            window_bytes: 8 * 1024 * 1024,
        }
    }
}

/// Sends messages in order over one stream; see [`Client::stream_append`].
///
/// When the connection breaks, everything that is not acknowledged is sent again in order, with the same request
/// ids. A message that is refused refuses the later ones of its conversation for the life of the appender.
pub struct StreamAppender {
    entries: Option<mpsc::Sender<Entry>>,
    window: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    bytes_max: usize,
    driver: JoinHandle<()>,
}

/// The ack to come. Dropping it does not take the message back.
pub struct PendingAck {
    answer: oneshot::Receiver<Result<Ack, ClientError>>,
}

/// The room that an unacknowledged message takes.
pub(crate) struct Room {
    _message: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

impl Client {
    /// Begins a stream; it connects with the first message. Must be called within a Tokio runtime.
    pub fn stream_append(&self, options: StreamOptions) -> StreamAppender {
        let window = options.window.clamp(1, limits::STREAM_IN_FLIGHT_MAX);
        let bytes_max = options.window_bytes.clamp(1, u32::MAX as usize);
        let (sender, receiver) = mpsc::channel(window);
        let driver = tokio::spawn(Driver::new(self.clone(), receiver, window).run());
        StreamAppender {
            entries: Some(sender),
            window: Arc::new(Semaphore::new(window)),
            bytes: Arc::new(Semaphore::new(bytes_max)),
            bytes_max,
            driver,
        }
    }
}

impl StreamAppender {
    /// Queues a message once the window has room for it. An empty request id becomes a random one.
    pub async fn send(&mut self, mut message: MessageInput) -> Result<PendingAck, ClientError> {
        request_id::ensure(&mut message.request_id);
        let size = u32::try_from(message.encoded_len().clamp(1, self.bytes_max)).unwrap_or(u32::MAX);
        let closed = "nobody closes the window while the appender lives";
        let room = Room {
            _message: Arc::clone(&self.window).acquire_owned().await.expect(closed),
            _bytes: Arc::clone(&self.bytes)
                .acquire_many_owned(size)
                .await
                .expect(closed),
        };
        let (answer, pending) = oneshot::channel();
        let entry = Entry::new(message, answer, room);
        let entries = self
            .entries
            .as_ref()
            .expect("only finish takes the sender, and it consumes the appender");
        entries
            .send(entry)
            .await
            .map_err(|_| ClientError::stream_given_up())?;
        Ok(PendingAck { answer: pending })
    }

    /// Waits until every message has its answer, and ends the stream.
    pub async fn finish(mut self) {
        self.entries = None;
        // A driver that panicked has dropped its answers, which is what callers see.
        let _ = (&mut self.driver).await;
    }
}

impl Drop for StreamAppender {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Future for PendingAck {
    type Output = Result<Ack, ClientError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.answer)
            .poll(context)
            .map(|answer| answer.unwrap_or_else(|_| Err(ClientError::interrupted("the stream was dropped"))))
    }
}
