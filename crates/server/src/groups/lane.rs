//! A lane: gathers operations while a command is under way, and makes the next command of them.

use std::sync::Arc;

use eunoe_core::data;
use eunoe_raft::GroupHandle;
use eunoe_types::limits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::{PROPOSE_TIMEOUT, SubmitError, Submitted, proposing};
use crate::peer::Peers;
use crate::telemetry::{self, Attribute, Stage, metrics};

/// Operations that may wait in one lane.
const QUEUE_OPERATIONS: usize = 4_096;
/// Bytes of operations that may wait in one lane, or be under way.
const QUEUE_BYTES: usize = 8 << 20;
/// Bytes of operations after which a command takes no more; one operation is never larger.
const COMMAND_BYTES: usize = 512 << 10;

struct Pending {
    operation: Vec<u8>,
    reply: oneshot::Sender<Result<data::Reply, SubmitError>>,
    /// The span that waits for the reply, if it is recorded.
    span: Option<telemetry::Context>,
    /// Room in the queue, given back when the reply is sent.
    _room: OwnedSemaphorePermit,
}

/// The way into one lane.
pub(super) struct Lane {
    queue: mpsc::Sender<Pending>,
    bytes: Arc<Semaphore>,
}

impl Lane {
    /// Starts a lane's task. It ends when the lane is dropped.
    pub(super) fn start(group: GroupHandle, peers: Peers, tasks: &TaskTracker) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE_OPERATIONS);
        tasks.spawn(run(group, peers, waiting));
        Self {
            queue,
            bytes: Arc::new(Semaphore::new(QUEUE_BYTES)),
        }
    }

    pub(super) async fn submit(
        &self,
        operation: Vec<u8>,
        deadline: Instant,
    ) -> Result<Submitted, SubmitError> {
        let handing_in = async {
            let room = Arc::clone(&self.bytes)
                .acquire_many_owned(room_of(&operation)?)
                .await;
            let (pending, submitted) = pending(operation, room.map_err(|_| SubmitError::Stopped)?);
            self.queue.send(pending).await.map_err(|_| SubmitError::Stopped)?;
            Ok(submitted)
        };
        match tokio::time::timeout_at(deadline, handing_in).await {
            Ok(submitted) => submitted,
            Err(_) => Err(SubmitError::Overloaded),
        }
    }

    pub(super) fn try_submit(&self, operation: Vec<u8>) -> Result<Submitted, SubmitError> {
        let room = Arc::clone(&self.bytes).try_acquire_many_owned(room_of(&operation)?);
        let (pending, submitted) = pending(operation, room.map_err(|_| SubmitError::Overloaded)?);
        match self.queue.try_send(pending) {
            Ok(()) => Ok(submitted),
            Err(mpsc::error::TrySendError::Full(_)) => Err(SubmitError::Overloaded),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(SubmitError::Stopped),
        }
    }
}

fn room_of(operation: &[u8]) -> Result<u32, SubmitError> {
    match u32::try_from(operation.len()) {
        Ok(room) if operation.len() <= COMMAND_BYTES => Ok(room),
        // The limits on messages keep operations far below this.
        _ => Err(SubmitError::Overloaded),
    }
}

fn pending(operation: Vec<u8>, room: OwnedSemaphorePermit) -> (Pending, Submitted) {
    let (reply, submitted) = oneshot::channel();
    (
        Pending {
            operation,
            reply,
            span: telemetry::present(),
            _room: room,
        },
        submitted,
    )
}

async fn run(group: GroupHandle, peers: Peers, mut waiting: mpsc::Receiver<Pending>) {
    let mut first = None;
    loop {
        let Some(next) = (match first.take() {
            Some(kept) => Some(kept),
            None => waiting.recv().await,
        }) else {
            return;
        };
        let mut batch = Vec::with_capacity(16);
        first = gather(next, &mut waiting, &mut batch);
        send(&group, &peers, batch).await;
    }
}

/// Fills `batch` with what waits, and returns the one that did not fit.
fn gather(
    first: Pending,
    waiting: &mut mpsc::Receiver<Pending>,
    batch: &mut Vec<Pending>,
) -> Option<Pending> {
    let mut bytes = 0;
    let mut next = Some(first);
    while let Some(pending) = next {
        // Whoever asked for it is gone, and was told so: it is not worth a place in the log.
        if !pending.reply.is_closed() {
            if !batch.is_empty() && bytes + pending.operation.len() > COMMAND_BYTES {
                return Some(pending);
            }
            bytes += pending.operation.len();
            batch.push(pending);
            if batch.len() == limits::COMMAND_OPERATIONS_MAX {
                return None;
            }
        }
        next = waiting.try_recv().ok();
    }
    None
}

async fn send(group: &GroupHandle, peers: &Peers, batch: Vec<Pending>) {
    if batch.is_empty() {
        return;
    }
    let command = data::encode_command(batch.iter().map(|pending| pending.operation.as_slice()));
    let deadline = Instant::now() + PROPOSE_TIMEOUT;
    // Commands serve many calls; one trace at most tells of each.
    let span = batch.iter().find_map(|pending| pending.span.clone());
    telemetry::values(&metrics::BATCH, batch.len() as f64, &[]);
    let (begun, labels) = (Instant::now(), [Attribute::Group(group.id())]);
    let proposed = proposing::propose(group, peers, command.into(), deadline);
    let answer = telemetry::under(span, Stage::Propose, &labels, proposed).await;
    telemetry::took(&metrics::PROPOSE, begun.elapsed(), &[]);
    let replies = answer.and_then(|bytes| match data::decode_replies(&bytes) {
        Ok(replies) if replies.len() == batch.len() => Ok(replies),
        // The command took effect, but what it answered is not to be understood.
        Ok(_) | Err(_) => Err(SubmitError::Unknown),
    });
    match replies {
        Ok(replies) => batch.into_iter().zip(replies).for_each(|(pending, reply)| {
            // A caller that is gone needs no answer.
            let _gone = pending.reply.send(Ok(reply));
        }),
        Err(error) => batch.into_iter().for_each(|pending| {
            let _gone = pending.reply.send(Err(error));
        }),
    }
}
