//! A server's stream that outlives its node: opened again elsewhere when it breaks. What a response means, and where
//! to go on, is its owner's affair.

use tonic::{Response, Status, Streaming};

use crate::channels::{Connection, Leased};
use crate::retry::{Attempts, Repeat};
use crate::{Client, ClientError};

pub(crate) struct Resumed<Item> {
    client: Client,
    open: Option<(Leased, Streaming<Item>)>,
    attempts: Option<Attempts>,
    avoid: Option<usize>,
}

impl<Item> Resumed<Item> {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            open: None,
            attempts: None,
            avoid: None,
        }
    }

    /// The next response; the stream is opened with `request` if it is not. Dropping the future loses nothing.
    pub(crate) async fn receive<Request, Rpc, Answer>(
        &mut self,
        request: &Request,
        rpc: Rpc,
    ) -> Result<Item, ClientError>
    where
        Request: Clone,
        Rpc: FnOnce(Connection, tonic::Request<Request>) -> Answer,
        Answer: Future<Output = Result<Response<Streaming<Item>>, Status>>,
    {
        let (leased, stream) = match &mut self.open {
            Some(open) => open,
            None => {
                let opened = connect(&self.client, self.avoid, request, rpc).await?;
                self.open.insert(opened)
            }
        };
        let silence = self.client.timeouts().tail_silence;
        match tokio::time::timeout(silence, stream.message()).await {
            Ok(Ok(Some(item))) => Ok(item),
            Ok(Ok(None)) => Err(ClientError::interrupted("the node ended the stream")),
            Ok(Err(status)) => Err(self.client.judge(leased, status).await),
            Err(_) => Err(ClientError::interrupted("the node fell silent")),
        }
    }

    /// The stream goes on: a failure after this is the first one.
    pub(crate) fn goes_on(&mut self) {
        self.attempts = None;
    }

    /// Lets go of the stream after `error`, and waits until another attempt is due; gives the error back if none is.
    pub(crate) async fn recover(&mut self, error: ClientError) -> Result<(), ClientError> {
        self.avoid = self.open.take().map(|(leased, _)| leased.node).or(self.avoid);
        let limit = self.client.timeouts().call;
        let attempts = self.attempts.get_or_insert_with(|| Attempts::within(limit));
        match attempts.pause_after(&error, Repeat::Safe) {
            Some(pause) => {
                tokio::time::sleep(pause).await;
                Ok(())
            }
            None => Err(error),
        }
    }
}

async fn connect<Item, Request, Rpc, Answer>(
    client: &Client,
    avoid: Option<usize>,
    request: &Request,
    rpc: Rpc,
) -> Result<(Leased, Streaming<Item>), ClientError>
where
    Request: Clone,
    Rpc: FnOnce(Connection, tonic::Request<Request>) -> Answer,
    Answer: Future<Output = Result<Response<Streaming<Item>>, Status>>,
{
    let limit = client.timeouts().attempt;
    let leased = client.lease(&Attempts::within(limit), avoid).await?;
    // No deadline is sent: the stream has none; silence is what ends it.
    let opening = rpc(leased.channel.clone(), client.request(request.clone()));
    match tokio::time::timeout(limit, opening).await {
        Ok(Ok(response)) => Ok((leased, response.into_inner())),
        Ok(Err(status)) => Err(client.judge(&leased, status).await),
        Err(_) => {
            client.channels().broken(&leased).await;
            Err(ClientError::attempt_timed_out())
        }
    }
}
