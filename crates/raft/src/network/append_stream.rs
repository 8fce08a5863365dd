//! The pipelined stream of append requests.
//!
//! Many requests are in flight at once. The peer answers in their order; each answer frees a place. A peer that
//! does not answer the oldest request in time is given up: a black hole must not hold replication for ever, nor
//! the log from being purged.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::stream::{self, BoxStream, Stream, StreamExt};
use openraft::errors::{NetworkError, RPCError};
use openraft::raft::{AppendEntriesRequest, StreamAppendError, StreamAppendResult};
use openraft::{OptionalSend, RPCTypes};
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use super::Peer;
use crate::TransportError;
use crate::codec::{decode_append_result, encode_append};
use crate::types::{TypeConfig, Vote};

/// Requests in flight. With 1 MiB each at most, it also bounds their memory.
const IN_FLIGHT_MAX: usize = 32;
type Results<'s> = BoxStream<'s, Result<StreamAppendResult<TypeConfig>, RPCError<TypeConfig>>>;

/// Requests that have no answer yet.
struct InFlight {
    places: Semaphore,
    sent_at: Mutex<VecDeque<Instant>>,
    sent: Notify,
}

impl InFlight {
    fn new() -> Self {
        Self {
            places: Semaphore::new(IN_FLIGHT_MAX),
            sent_at: Mutex::default(),
            sent: Notify::new(),
        }
    }

    async fn send(&self) {
        if let Ok(place) = self.places.acquire().await {
            place.forget();
        }
        self.times(|times| times.push_back(Instant::now()));
        self.sent.notify_one();
    }

    fn answered(&self) {
        if self.times(|times| times.pop_front()).is_some() {
            self.places.add_permits(1);
        }
    }

    /// Ends when the oldest request has waited longer than `patience`.
    async fn stalled(&self, patience: Duration) {
        loop {
            let Some(oldest) = self.times(|times| times.front().copied()) else {
                self.sent.notified().await;
                continue;
            };
            let deadline = oldest + patience;
            if Instant::now() >= deadline {
                return;
            }
            tokio::time::sleep_until(deadline).await;
        }
    }

    fn times<T>(&self, with: impl FnOnce(&mut VecDeque<Instant>) -> T) -> T {
        // Nothing panics while it is held.
        with(&mut self.sent_at.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Opens the stream and sends `input` through it.
///
/// Nothing is opened before there is a request: openraft pauses after a failed attempt, and it does so in `input`.
pub(super) async fn open<S>(peer: &Peer, mut input: S) -> Result<Results<'_>, RPCError<TypeConfig>>
where
    S: Stream<Item = AppendEntriesRequest<TypeConfig>> + OptionalSend + Unpin + 'static,
{
    let Some(first) = input.next().await else {
        return Ok(stream::empty().boxed());
    };
    let vote = first.vote;
    let input = stream::iter([first]).chain(input);
    // Not openraft's limit, which is made for one heartbeat: a follower answers only after its disk has synced.
    let patience = peer.append_timeout;
    let in_flight = Arc::new(InFlight::new());
    let sending = Arc::clone(&in_flight);
    let requests = input.then(move |request| {
        let sending = Arc::clone(&sending);
        async move {
            sending.send().await;
            encode_append(&request)
        }
    });
    let opening =
        peer.transport
            .open_append_stream(peer.target.clone(), peer.group, requests.boxed(), patience);
    let opened = tokio::time::timeout(patience, opening)
        .await
        .unwrap_or(Err(TransportError::Timeout));
    let answers = opened.map_err(|error| peer.rpc_error(error, RPCTypes::AppendEntries, patience))?;
    Ok(results(peer, vote, answers, in_flight, patience))
}

fn results<'a>(
    peer: &'a Peer,
    vote: Vote,
    answers: BoxStream<'static, Result<bytes::Bytes, TransportError>>,
    in_flight: Arc<InFlight>,
    patience: Duration,
) -> Results<'a> {
    let stream = stream::unfold(Some((answers, in_flight)), move |state| async move {
        let (mut answers, in_flight) = state?;
        let answer = tokio::select! {
            biased;
            answer = answers.next() => answer?,
            () = in_flight.stalled(patience) => Err(TransportError::Timeout),
        };
        let result = match answer {
            Ok(bytes) => decode_append_result(&bytes)
                .map_err(|error| RPCError::Network(NetworkError::new(&error)))
                .and_then(|result| checked(peer, &vote, result, patience)),
            Err(error) => Err(peer.rpc_error(error, RPCTypes::AppendEntries, patience)),
        };
        in_flight.answered();
        // After an error or a refusal nothing that follows means anything.
        let goes_on = matches!(result, Ok(Ok(_)));
        Some((result, goes_on.then_some((answers, in_flight))))
    });
    stream.boxed()
}

/// What a peer answers, unless it has lost what it acknowledged.
fn checked(
    peer: &Peer,
    vote: &Vote,
    result: StreamAppendResult<TypeConfig>,
    patience: Duration,
) -> Result<StreamAppendResult<TypeConfig>, RPCError<TypeConfig>> {
    let id = peer.target.id;
    match &result {
        Ok(last) => peer.acknowledged.note(id, vote, *last),
        Err(StreamAppendError::Conflict(missing)) => {
            if peer.has_lost(vote, missing) {
                let lost = TransportError::Unreachable;
                return Err(peer.rpc_error(lost, RPCTypes::AppendEntries, patience));
            }
        }
        Err(StreamAppendError::HigherVote(_)) => {}
    }
    Ok(result)
}
