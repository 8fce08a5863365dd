//! The task behind a [`super::StreamAppender`]: keeps one stream open while there is something to answer.

use eunoe_proto::chat::{StreamAppendRequest, StreamAppendResponse};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::queue::{Entry, Queue};
use crate::channels::Leased;
use crate::client::chat;
use crate::retry::{Attempts, Repeat};
use crate::{Client, ClientError};

pub(super) struct Driver {
    client: Client,
    incoming: mpsc::Receiver<Entry>,
    window: usize,
    queue: Queue,
    attempts: Option<Attempts>,
    avoid: Option<usize>,
    /// When the present connection last answered, or got its first message.
    heard: Instant,
}

/// The stream that is open.
struct Connection {
    leased: Leased,
    outgoing: Option<mpsc::Sender<StreamAppendRequest>>,
    responses: Streaming<StreamAppendResponse>,
}

impl Driver {
    pub(super) fn new(client: Client, incoming: mpsc::Receiver<Entry>, window: usize) -> Self {
        let (queue, attempts, avoid) = (Queue::default(), None, None);
        Self {
            client,
            incoming,
            window,
            queue,
            attempts,
            avoid,
            heard: Instant::now(),
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            while self.queue.is_empty() {
                let Some(entry) = self.incoming.recv().await else {
                    return;
                };
                self.queue.admit(entry);
            }
            let Err(error) = self.serve_connection().await else {
                continue;
            };
            let limit = self.client.timeouts().call;
            let attempts = self.attempts.get_or_insert_with(|| Attempts::within(limit));
            match attempts.pause_after(&error, Repeat::Safe) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return self.give_up(&error).await,
            }
        }
    }

    /// Opens a stream and serves it until nothing is left to answer (`Ok`) or it breaks.
    async fn serve_connection(&mut self) -> Result<(), ClientError> {
        let Some(mut connection) = self.open().await? else {
            return Ok(());
        };
        self.heard = Instant::now();
        let served = self.serve(&mut connection).await;
        if served.is_err() {
            self.avoid = Some(connection.leased.node);
        }
        served
    }

    /// Nothing when no message is left to send.
    async fn open(&mut self) -> Result<Option<Connection>, ClientError> {
        let limit = self.client.timeouts().attempt;
        let leased = self.client.lease(&Attempts::within(limit), self.avoid).await?;
        // As many as can be unanswered: sending never has to wait.
        let (outgoing, requests) = mpsc::channel(self.window);
        let mut resent = self.queue.resend();
        let Some(first) = resent.first_mut() else {
            return Ok(None);
        };
        self.client.tenant().clone_into(&mut first.tenant);
        for request in resent {
            send(&outgoing, request)?;
        }
        let mut stub = chat(leased.channel.clone());
        let requests = self.client.request(ReceiverStream::new(requests));
        match tokio::time::timeout(limit, stub.stream_append(requests)).await {
            Ok(Ok(response)) => {
                let (outgoing, responses) = (Some(outgoing), response.into_inner());
                Ok(Some(Connection {
                    leased,
                    outgoing,
                    responses,
                }))
            }
            Ok(Err(status)) => {
                self.avoid = Some(leased.node);
                Err(self.client.judge(&leased, status).await)
            }
            Err(_) => {
                self.avoid = Some(leased.node);
                self.client.channels().broken(&leased).await;
                Err(ClientError::attempt_timed_out())
            }
        }
    }

    async fn serve(&mut self, connection: &mut Connection) -> Result<(), ClientError> {
        loop {
            if connection.outgoing.is_none() && self.queue.is_empty() {
                return Ok(());
            }
            let deadline = self.heard + self.client.timeouts().attempt;
            tokio::select! {
                response = connection.responses.message() => match response {
                    Ok(Some(response)) => self.answer(response)?,
                    Ok(None) if self.queue.is_empty() => return Ok(()),
                    Ok(None) => return Err(ClientError::interrupted("the node ended the stream")),
                    Err(status) => {
                        let error = self.client.judge(&connection.leased, status).await;
                        // Nobody waits: the next message opens a new stream.
                        return if self.queue.is_empty() { Ok(()) } else { Err(error) };
                    }
                },
                entry = self.incoming.recv(), if connection.outgoing.is_some() => match entry {
                    Some(entry) => self.forward(entry, connection)?,
                    None => connection.outgoing = None,
                },
                () = tokio::time::sleep_until(deadline), if !self.queue.is_empty() => {
                    self.client.channels().broken(&connection.leased).await;
                    return Err(ClientError::attempt_timed_out());
                }
            }
        }
    }

    fn answer(&mut self, response: StreamAppendResponse) -> Result<(), ClientError> {
        let result = response
            .result
            .ok_or_else(|| ClientError::interrupted("an answer has no result"))?;
        self.queue.settle(result)?;
        self.heard = Instant::now();
        self.attempts = None;
        Ok(())
    }

    fn forward(&mut self, entry: Entry, connection: &Connection) -> Result<(), ClientError> {
        if self.queue.is_empty() {
            self.heard = Instant::now();
        }
        if self.queue.admit(entry)
            && let (Some(request), Some(outgoing)) = (self.queue.newest(), &connection.outgoing)
        {
            send(outgoing, request)?;
        }
        Ok(())
    }

    async fn give_up(&mut self, error: &ClientError) {
        self.queue.fail_all(error);
        self.incoming.close();
        while let Some(entry) = self.incoming.recv().await {
            self.queue.admit(entry);
        }
        self.queue.fail_all(error);
    }
}

fn send(
    outgoing: &mpsc::Sender<StreamAppendRequest>,
    request: StreamAppendRequest,
) -> Result<(), ClientError> {
    outgoing
        .try_send(request)
        .map_err(|_| ClientError::interrupted("the node stopped reading"))
}
