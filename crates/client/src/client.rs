//! The handle: makes a call on one node after another until it is answered, refused or out of time.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use eunoe_proto::chat::chat_service_client::ChatServiceClient;
use eunoe_types::{ErrorCode, Outcome, Retry};
use tonic::metadata::AsciiMetadataValue;
use tonic::{Response, Status};

use crate::channels::{Channels, Connection, Leased};
use crate::retry::{Attempts, Repeat};
use crate::{Audit, ClientError, Cluster, Context, Erasures, Timeouts};

/// A page ends at 4 MiB of sealed content; names, times and framing come on top of it.
const RESPONSE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A client of one cluster in one role. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
    traceparent: Option<AsciiMetadataValue>,
}

struct Inner {
    channels: Channels,
    tenant: String,
    timeouts: Timeouts,
}

pub(crate) type ChatClient = ChatServiceClient<Connection>;

/// The generated client with the limits that all calls share.
pub(crate) fn chat(channel: Connection) -> ChatClient {
    ChatServiceClient::new(channel).max_decoding_message_size(RESPONSE_BYTES_MAX)
}

impl Client {
    /// Reads certificates, key and token, and connects to the first node that can be reached.
    pub async fn connect(context: Context) -> Result<Self, ClientError> {
        let channels = Channels::new(&context)?;
        let (tenant, timeouts) = (context.tenant, context.timeouts);
        let client = Self {
            inner: Arc::new(Inner {
                channels,
                tenant,
                timeouts,
            }),
            traceparent: None,
        };
        let mut attempts = Attempts::within(timeouts.connect);
        loop {
            let Err(error) = client.channels().lease(None).await else {
                return Ok(client);
            };
            let Some(pause) = attempts.pause_after(&error, Repeat::Safe) else {
                return Err(error);
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// The tenant that calls are made for.
    pub fn tenant(&self) -> &str {
        &self.inner.tenant
    }

    /// The same client, whose calls belong to the caller's trace: `traceparent` is W3C's header of version 00
    /// (`00-<32 hex digits>-<16 hex digits>-<2 hex digits>`) and is sent as it is. What it names ends up with whoever
    /// collects the cluster's traces, so that its ids must be random.
    ///
    /// # Errors
    ///
    /// `BAD_CONTEXT` if it is not such a header.
    pub fn in_trace(&self, traceparent: &str) -> Result<Self, ClientError> {
        let lengths = traceparent.split('-').map(str::len);
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-');
        let well_formed =
            traceparent.starts_with("00-") && lengths.eq([2, 32, 16, 2]) && traceparent.bytes().all(is_hex);
        let value = well_formed.then(|| AsciiMetadataValue::try_from(traceparent));
        let Some(Ok(value)) = value else {
            return Err(ClientError::bad_context(
                "traceparent is not a W3C trace context of version 00",
            ));
        };
        Ok(Self {
            inner: Arc::clone(&self.inner),
            traceparent: Some(value),
        })
    }

    /// A request that says which trace it belongs to, if it belongs to one.
    pub(crate) fn request<Message>(&self, message: Message) -> tonic::Request<Message> {
        let mut request = tonic::Request::new(message);
        if let Some(traceparent) = &self.traceparent {
            request.metadata_mut().insert("traceparent", traceparent.clone());
        }
        request
    }

    /// The calls for auditors.
    pub fn audit(&self) -> Audit<'_> {
        Audit::new(self)
    }

    /// The calls for operators.
    pub fn cluster(&self) -> Cluster<'_> {
        Cluster::new(self)
    }

    /// The calls that erase.
    pub fn erasures(&self) -> Erasures<'_> {
        Erasures::new(self)
    }

    pub(crate) fn timeouts(&self) -> Timeouts {
        self.inner.timeouts
    }

    pub(crate) fn channels(&self) -> &Channels {
        &self.inner.channels
    }

    /// Makes a unary call, again and elsewhere where that is safe. `request` is cloned for every attempt, so
    /// the request id in it stays the same.
    pub(crate) async fn call<Request, Reply, Rpc, Answer>(
        &self,
        repeat: Repeat,
        request: Request,
        rpc: Rpc,
    ) -> Result<Reply, ClientError>
    where
        Request: Clone,
        Rpc: Fn(Connection, tonic::Request<Request>) -> Answer,
        Answer: Future<Output = Result<Response<Reply>, Status>>,
    {
        let mut attempts = Attempts::within(self.timeouts().call);
        let (mut avoid, mut earlier_unknown) = (None, false);
        loop {
            let failure = match self.attempt(&attempts, avoid, &request, &rpc).await {
                Ok(reply) => return Ok(reply),
                Err((node, error)) => {
                    avoid = node;
                    error
                }
            };
            let Some(pause) = attempts.pause_after(&failure, repeat) else {
                return Err(if earlier_unknown {
                    failure.with_outcome(Outcome::Unknown)
                } else {
                    failure
                });
            };
            earlier_unknown |= failure.outcome == Outcome::Unknown;
            tokio::time::sleep(pause).await;
        }
    }

    /// One attempt; a failure says which node it is better not to ask next.
    async fn attempt<Request, Reply, Rpc, Answer>(
        &self,
        attempts: &Attempts,
        avoid: Option<usize>,
        request: &Request,
        rpc: &Rpc,
    ) -> Result<Reply, (Option<usize>, ClientError)>
    where
        Request: Clone,
        Rpc: Fn(Connection, tonic::Request<Request>) -> Answer,
        Answer: Future<Output = Result<Response<Reply>, Status>>,
    {
        let leased = self.lease(attempts, avoid).await.map_err(|error| (None, error))?;
        let time = attempts.attempt_time(self.timeouts().attempt);
        let mut message = self.request(request.clone());
        message.set_timeout(time);
        let answer = tokio::time::timeout(time, rpc(leased.channel.clone(), message)).await;
        let error = match answer {
            Ok(Ok(response)) => return Ok(response.into_inner()),
            Ok(Err(status)) => self.judge(&leased, status).await,
            Err(_) => ClientError::attempt_timed_out(),
        };
        Err((Some(leased.node), error))
    }

    /// A connection, within the time that is left.
    pub(crate) async fn lease(
        &self,
        attempts: &Attempts,
        avoid: Option<usize>,
    ) -> Result<Leased, ClientError> {
        tokio::time::timeout(attempts.attempt_time(Duration::MAX), self.channels().lease(avoid))
            .await
            .unwrap_or_else(|_| {
                Err(ClientError::connect_failed(
                    "no node could be reached in time".to_owned(),
                ))
            })
    }

    /// Reads a failed call's status, and drops the connection if it is the one that failed. A refused token is worth
    /// another attempt only if it has been renewed since: this is how streams outlive the token that opened them.
    pub(crate) async fn judge(&self, leased: &Leased, status: Status) -> ClientError {
        let transport = std::error::Error::source(&status).is_some();
        let mut error = ClientError::from(status);
        if transport && error.is_retryable() {
            self.channels().broken(leased).await;
        }
        if error.code == ErrorCode::Unauthenticated && self.channels().token_renewed(leased).await {
            error.retry = Retry::SameRequestId;
        }
        error
    }
}
