//! A watch that outlives its node: asks again elsewhere, and tells each step once.

use eunoe_proto::erasure::{Erasure, ErasureGrade, ErasureState, WatchErasureRequest, WatchErasureResponse};
use futures::stream::{self, Stream};
use tonic::Streaming;

use crate::channels::Leased;
use crate::chat::present;
use crate::erasure::stub;
use crate::retry::{Attempts, Repeat};
use crate::{Client, ClientError};

/// See [`crate::Erasures::watch`].
pub struct ErasureWatch {
    client: Client,
    request: WatchErasureRequest,
    last: Option<Erasure>,
    open: Option<(Leased, Streaming<WatchErasureResponse>)>,
    attempts: Option<Attempts>,
    avoid: Option<usize>,
    ended: bool,
}

impl ErasureWatch {
    pub(crate) fn new(client: Client, erasure_id: &str) -> Self {
        let request = WatchErasureRequest {
            tenant: client.tenant().to_owned(),
            erasure_id: erasure_id.to_owned(),
        };
        Self {
            client,
            request,
            last: None,
            open: None,
            attempts: None,
            avoid: None,
            ended: false,
        }
    }

    /// The erasure as it is, then after each step; nothing after it was DESTROYED with grade FULL or an error was
    /// returned. Steps between two connections may be told as one. Dropping the future loses nothing.
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
                    self.avoid = self.open.take().map(|(leased, _)| leased.node).or(self.avoid);
                    let attempts = self
                        .attempts
                        .get_or_insert_with(|| Attempts::within(self.client.timeouts().call));
                    let Some(pause) = attempts.pause_after(&error, Repeat::Safe) else {
                        self.ended = true;
                        return Some(Err(error));
                    };
                    tokio::time::sleep(pause).await;
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
        if self.open.is_none() {
            self.open = Some(self.connect().await?);
        }
        let Some((leased, stream)) = &mut self.open else {
            return Ok(None);
        };
        // A watch has no heartbeat, and steps are minutes apart: a node that fell silent is not known to be at
        // fault, but another one is asked all the same.
        let silence = self.client.timeouts().tail_silence;
        match tokio::time::timeout(silence, stream.message()).await {
            Ok(Ok(Some(response))) => self.accept(response),
            Ok(Ok(None)) => Err(ClientError::interrupted("the node ended the stream")),
            Ok(Err(status)) => Err(self.client.judge(leased, status).await),
            Err(_) => Err(ClientError::interrupted("the node fell silent")),
        }
    }

    async fn connect(&self) -> Result<(Leased, Streaming<WatchErasureResponse>), ClientError> {
        let limit = self.client.timeouts().attempt;
        let leased = self.client.lease(&Attempts::within(limit), self.avoid).await?;
        // No deadline is sent: the stream has none; silence is what ends it.
        let mut stub = stub(leased.channel.clone());
        let request = self.client.request(self.request.clone());
        let opened = tokio::time::timeout(limit, stub.watch_erasure(request)).await;
        match opened {
            Ok(Ok(response)) => Ok((leased, response.into_inner())),
            Ok(Err(status)) => Err(self.client.judge(&leased, status).await),
            Err(_) => {
                self.client.channels().broken(&leased).await;
                Err(ClientError::attempt_timed_out())
            }
        }
    }

    fn accept(&mut self, response: WatchErasureResponse) -> Result<Option<Erasure>, ClientError> {
        let erasure = present(response.erasure)?;
        self.attempts = None;
        // A new connection begins with the present state, and its node may be behind the one before.
        let known = self
            .last
            .as_ref()
            .is_some_and(|last| *last == erasure || rank(&erasure) < rank(last));
        Ok((!known).then_some(erasure))
    }
}

/// Where an erasure is on the ladder.
fn rank(erasure: &Erasure) -> (ErasureState, ErasureGrade) {
    (erasure.state(), erasure.grade())
}

fn is_final(erasure: &Erasure) -> bool {
    rank(erasure) >= (ErasureState::Destroyed, ErasureGrade::Full)
}
