//! A watch that outlives its node: asks again elsewhere, and tells each step once.

use eunoe_proto::erasure::{Erasure, ErasureGrade, ErasureState, WatchErasureRequest, WatchErasureResponse};
use futures::stream::{self, Stream};

use crate::chat::present;
use crate::erasure::stub;
use crate::resumed::Resumed;
use crate::{Client, ClientError};

/// See [`crate::Erasures::watch`].
pub struct ErasureWatch {
    stream: Resumed<WatchErasureResponse>,
    request: WatchErasureRequest,
    last: Option<Erasure>,
    ended: bool,
}

impl ErasureWatch {
    pub(crate) fn new(client: Client, erasure_id: &str) -> Self {
        let request = WatchErasureRequest {
            tenant: client.tenant().to_owned(),
            erasure_id: erasure_id.to_owned(),
        };
        Self {
            stream: Resumed::new(client),
            request,
            last: None,
            ended: false,
        }
    }

    /// The erasure as it is, then after each step; nothing after it was DESTROYED with grade FULL, was CANCELLED, or an
    /// error was returned. Steps between two connections may be told as one. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<Erasure, ClientError>> {
        while !self.ended {
            match self.step().await {
                Ok(Some(erasure)) => {
                    self.ended = is_final(&erasure);
                    self.last = Some(erasure.clone());
                    return Some(Ok(erasure));
                }
                Ok(None) => {}
                Err(error) => {
                    if let Err(error) = self.stream.recover(error).await {
                        self.ended = true;
                        return Some(Err(error));
                    }
                }
            }
        }
        None
    }

    /// The steps as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Result<Erasure, ClientError>> + Send {
        stream::unfold(self, |mut watch| async move {
            watch.next().await.map(|step| (step, watch))
        })
    }

    /// Takes one response; nothing when it was no step for the caller.
    async fn step(&mut self) -> Result<Option<Erasure>, ClientError> {
        // A watch has no heartbeat, and steps are minutes apart: a node that fell silent is not known to be at
        // fault, but another one is asked all the same.
        let rpc = |connection, request| async move { stub(connection).watch_erasure(request).await };
        let response = self.stream.receive(&self.request, rpc).await?;
        self.accept(response)
    }

    fn accept(&mut self, response: WatchErasureResponse) -> Result<Option<Erasure>, ClientError> {
        let erasure = present(response.erasure)?;
        self.stream.goes_on();
        // A new connection begins with the present state, and its node may be behind the one before.
        let known = self
            .last
            .as_ref()
            .is_some_and(|last| *last == erasure || rank(&erasure) < rank(last));
        Ok((!known).then_some(erasure))
    }
}

/// Where an erasure is on the ladder; taken back is later than all that it can be taken back from.
fn rank(erasure: &Erasure) -> (ErasureState, ErasureGrade) {
    (erasure.state(), erasure.grade())
}

fn is_final(erasure: &Erasure) -> bool {
    match erasure.state() {
        ErasureState::Destroyed => erasure.grade() >= ErasureGrade::Full,
        ErasureState::Cancelled => true,
        ErasureState::Unspecified
        | ErasureState::Requested
        | ErasureState::Fenced
        | ErasureState::Rekeyed
        | ErasureState::Cancelling => false,
    }
}
