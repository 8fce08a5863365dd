//! Calls that append many messages: a result for each, in the order of the requests.

use eunoe_proto::chat::{
    AppendResult, MessageInput, StreamAppendRequest, StreamAppendResponse, append_result,
};
use eunoe_types::{TenantId, limits};
use futures::future::BoxFuture;
use futures::stream::FuturesOrdered;
use futures::{FutureExt, StreamExt, TryFutureExt};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::answer::unreadable;
use super::status::{Faults, to_rpc_status, to_status};
use super::{auth, convert, input};
use crate::edge::{Ack, ApiError, ApiResult, Edge, Sequencer};
use crate::tls::ClientIdentity;

/// Results that wait for a slow caller.
const BUFFER: usize = 64;

type Stored = BoxFuture<'static, ApiResult<Ack>>;

/// One message's result.
pub(super) fn result(stored: ApiResult<Ack>, faults: &Faults) -> AppendResult {
    let result = match stored {
        Ok(ack) => append_result::Result::Ack(convert::ack(&ack)),
        Err(error) => append_result::Result::Error(to_rpc_status(&error, faults)),
    };
    AppendResult { result: Some(result) }
}

/// Hands in one message. One that is malformed refuses the later ones of its conversation.
async fn hand_in(sequencer: &mut Sequencer, message: Option<MessageInput>) -> Stored {
    let Some(message) = message else {
        return std::future::ready(Err(ApiError::invalid("message", "must be set"))).boxed();
    };
    let conversation = input::conversation_id("conversation_id", &message.conversation_id);
    match input::message(message) {
        Ok(message) => {
            let stored = sequencer.append(message).await;
            stored.map_err(|error| error.within("message")).boxed()
        }
        Err(error) => {
            if let Ok(conversation) = conversation {
                sequencer.refuse(conversation);
            }
            std::future::ready(Err(error.within("message"))).boxed()
        }
    }
}

/// Appends a batch.
pub(super) async fn batch(
    edge: &Edge,
    tenant: &TenantId,
    messages: Vec<MessageInput>,
    faults: &Faults,
) -> ApiResult<Vec<AppendResult>> {
    if !(1..=limits::BATCH_MESSAGES_MAX).contains(&messages.len()) {
        let rule = format!("must be 1 to {}", limits::BATCH_MESSAGES_MAX);
        return Err(ApiError::invalid("messages", rule));
    }
    let mut sequencer = edge.sequencer(tenant).await?;
    let mut stored = FuturesOrdered::new();
    for message in messages {
        stored.push_back(hand_in(&mut sequencer, Some(message)).await);
    }
    Ok(stored.map(|stored| result(stored, faults)).collect().await)
}

/// A stream of appends on one connection.
pub(super) struct AppendStream {
    pub(super) edge: Edge,
    pub(super) identity: ClientIdentity,
    pub(super) faults: Faults,
    pub(super) requests: Streaming<StreamAppendRequest>,
}

type Answer = Result<StreamAppendResponse, Status>;

impl AppendStream {
    /// Serves the stream in a task of its own.
    pub(super) fn serve(self) -> ReceiverStream<Answer> {
        let (out, answers) = mpsc::channel(BUFFER);
        tokio::spawn(async move {
            let faults = self.faults.clone();
            let identity = self.identity.clone();
            let served = tokio::select! {
                served = self.run(&out) => served,
                // What was handed in goes on; its acks are lost with the stream, as they may be.
                error = auth::expired(identity) => Err(error),
            };
            if let Err(error) = served {
                // A caller that is gone needs no reason.
                let _gone = out.send(Err(to_status(&error, &faults))).await;
            }
        });
        ReceiverStream::new(answers)
    }

    async fn run(mut self, out: &mpsc::Sender<Answer>) -> ApiResult<()> {
        let Some(first) = next(&mut self.requests).await? else {
            return Ok(());
        };
        let tenant = auth::tenant(&self.identity, &first.tenant)?;
        let mut sequencer = self.edge.sequencer(&tenant).await?;
        let mut stored = FuturesOrdered::new();
        let mut pending = Some(first);
        let (mut ended, mut failed) = (false, None);
        loop {
            if let Some(request) = pending.take() {
                if !request.tenant.is_empty() && request.tenant != tenant.as_str() {
                    return Err(ApiError::invalid("tenant", "must stay the same in a stream"));
                }
                if sequencer.is_full() {
                    let message = "the stream has too many conversations with refused messages";
                    return Err(ApiError::exhausted("STREAM_CONVERSATIONS", message, 0));
                }
                stored.push_back(hand_in(&mut sequencer, request.message).await);
            }
            let room = stored.len() < limits::STREAM_IN_FLIGHT_MAX;
            tokio::select! {
                biased;
                Some(stored) = stored.next(), if !stored.is_empty() => {
                    let result = Some(result(stored, &self.faults));
                    if out.send(Ok(StreamAppendResponse { result })).await.is_err() {
                        return Ok(());
                    }
                }
                request = next(&mut self.requests), if room && !ended => match request {
                    Ok(Some(request)) => pending = Some(request),
                    Ok(None) => ended = true,
                    // What came before it is answered first.
                    Err(error) => (ended, failed) = (true, Some(error)),
                },
                else => return failed.map_or(Ok(()), Err),
            }
        }
    }
}

/// The next request; an error for one that cannot be read. A broken connection ends a stream like its end does: what
/// was handed in goes on.
async fn next(requests: &mut Streaming<StreamAppendRequest>) -> ApiResult<Option<StreamAppendRequest>> {
    match requests.message().await {
        Ok(request) => Ok(request),
        Err(status) => unreadable(&status).map_or(Ok(None), Err),
    }
}
