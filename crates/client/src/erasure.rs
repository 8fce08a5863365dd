//! The calls of `ErasureService`: asking for an erasure, looking at it, waiting until it has come so far.

use std::time::Duration;

use eunoe_proto::erasure::erasure_service_client::ErasureServiceClient;
use eunoe_proto::erasure::{
    CancelErasureRequest, Erasure, ErasureState, GetErasureRequest, GetReceiptRequest, ListErasuresRequest,
    RequestErasureRequest,
};
use futures::stream::{self, Stream, StreamExt as _, TryStreamExt as _};

use crate::channels::Connection;
use crate::chat::present;
use crate::erasure_watch::ErasureWatch;
use crate::retry::Repeat;
use crate::{Client, ClientError, request_id};

/// What may be erased and seen of it; see [`Client::erasures`].
pub struct Erasures<'a> {
    client: &'a Client,
}

/// What [`Erasures::request`] returns.
#[derive(Clone)]
pub struct RequestedErasure {
    /// As it was when the call was answered: at least FENCED, for a tenant at least REQUESTED.
    pub erasure: Erasure,
    /// False when it was there before.
    pub created: bool,
    /// What opens the receipt's commitment. Personal data: it is the caller's to keep, or nobody can show later whom the
    /// receipt is of. None for a conversation that was named by the server's id, and once its key is REKEYED.
    pub ticket: Option<String>,
    /// The id that the request was made with. A second person repeats the request for a tenant with it.
    pub request_id: String,
}

/// What [`Erasures::wait_for`] returns.
#[derive(Clone)]
pub enum Waited {
    /// The erasure, as far as was asked for or farther.
    Reached(Erasure),
    /// It was taken back before it came so far: CANCELLING or CANCELLED.
    Cancelled(Erasure),
    /// The time was over; how far the erasure was then, if any node said so.
    TimeOver(Option<Erasure>),
}

pub(crate) fn stub(channel: Connection) -> ErasureServiceClient<Connection> {
    ErasureServiceClient::new(channel)
}

impl<'a> Erasures<'a> {
    pub(crate) fn new(client: &'a Client) -> Self {
        Self { client }
    }

    /// Asks for an erasure; the tenant is the client's, and an empty request id becomes a random one, so that an
    /// attempt whose outcome is unknown is repeated and gives the same erasure.
    pub async fn request(&self, mut request: RequestErasureRequest) -> Result<RequestedErasure, ClientError> {
        request.tenant = self.client.tenant().to_owned();
        request_id::ensure(&mut request.request_id);
        let request_id = request.request_id.clone();
        let rpc = |channel, request| async move { stub(channel).request_erasure(request).await };
        let reply = self.client.call(Repeat::Safe, request, rpc).await?;
        Ok(RequestedErasure {
            erasure: present(reply.erasure)?,
            created: reply.created,
            ticket: Some(reply.ticket).filter(|ticket| !ticket.is_empty()),
            request_id,
        })
    }

    /// Takes an erasure back that is REQUESTED or FENCED; returns it as CANCELLING or CANCELLED. Again is no error.
    pub async fn cancel(&self, erasure_id: &str) -> Result<Erasure, ClientError> {
        let request = CancelErasureRequest {
            tenant: self.client.tenant().to_owned(),
            erasure_id: erasure_id.to_owned(),
        };
        let rpc = |channel, request| async move { stub(channel).cancel_erasure(request).await };
        present(self.client.call(Repeat::Safe, request, rpc).await?.erasure)
    }

    /// Returns one erasure.
    pub async fn get(&self, erasure_id: &str) -> Result<Erasure, ClientError> {
        let request = GetErasureRequest {
            tenant: self.client.tenant().to_owned(),
            erasure_id: erasure_id.to_owned(),
        };
        let rpc = |channel, request| async move { stub(channel).get_erasure(request).await };
        present(self.client.call(Repeat::Safe, request, rpc).await?.erasure)
    }

    /// Returns a receipt of an erasure that is DESTROYED, as it is to be kept.
    pub async fn receipt(&self, erasure_id: &str) -> Result<String, ClientError> {
        let request = GetReceiptRequest {
            tenant: self.client.tenant().to_owned(),
            erasure_id: erasure_id.to_owned(),
        };
        let rpc = |channel, request| async move { stub(channel).get_receipt(request).await };
        Ok(self.client.call(Repeat::Safe, request, rpc).await?.receipt)
    }

    /// The pages of the tenant's erasures, newest first; `page_size` is at most 1,000, and 0 leaves it to the
    /// server. Nothing is asked for before the first page is taken.
    pub fn list(&self, page_size: i32) -> ErasurePages {
        let request = ListErasuresRequest {
            tenant: self.client.tenant().to_owned(),
            page_size,
            page_token: String::new(),
        };
        ErasurePages {
            client: self.client.clone(),
            request: Some(request),
        }
    }

    /// Follows one erasure; nothing is asked for before the first step is taken.
    pub fn watch(&self, erasure_id: &str) -> ErasureWatch {
        ErasureWatch::new(self.client.clone(), erasure_id)
    }

    /// Waits until an erasure has come to `state` or farther, at most `within`. That the time is over is an
    /// answer and no error: the erasure goes on without the caller. So is that it was taken back.
    pub async fn wait_for(
        &self,
        erasure_id: &str,
        state: ErasureState,
        within: Duration,
    ) -> Result<Waited, ClientError> {
        let (mut watch, mut last) = (self.watch(erasure_id), None);
        let reached = tokio::time::timeout(within, async {
            while let Some(erasure) = watch.next().await.transpose()? {
                if matches!(
                    erasure.state(),
                    ErasureState::Cancelling | ErasureState::Cancelled
                ) {
                    return Ok(Some(Waited::Cancelled(erasure)));
                }
                if erasure.state() >= state {
                    return Ok(Some(Waited::Reached(erasure)));
                }
                last = Some(erasure);
            }
            Ok::<_, ClientError>(None)
        });
        match reached.await {
            Ok(Ok(Some(waited))) => Ok(waited),
            // A watch ends only at the end of the ladder.
            Ok(Ok(None)) => Err(ClientError::contract("the erasure ended before its last state")),
            Ok(Err(error)) => Err(error),
            Err(_) => Ok(Waited::TimeOver(last)),
        }
    }
}

/// Pages of erasures; see [`Erasures::list`].
pub struct ErasurePages {
    client: Client,
    request: Option<ListErasuresRequest>,
}

impl ErasurePages {
    /// The next page; nothing after the last. After an error the same page is asked for again.
    pub async fn next_page(&mut self) -> Result<Option<Vec<Erasure>>, ClientError> {
        let Some(request) = &mut self.request else {
            return Ok(None);
        };
        let rpc = |channel, request| async move { stub(channel).list_erasures(request).await };
        let page = self.client.call(Repeat::Safe, request.clone(), rpc).await?;
        if page.next_page_token.is_empty() {
            self.request = None;
        } else {
            request.page_token = page.next_page_token;
        }
        Ok(Some(page.erasures))
    }

    /// The erasures of all pages. Ends after the first error.
    pub fn into_stream(self) -> impl Stream<Item = Result<Erasure, ClientError>> + Send {
        stream::try_unfold(self, |mut pages| async move {
            Ok::<_, ClientError>(pages.next_page().await?.map(|page| (page, pages)))
        })
        .map_ok(|erasures| stream::iter(erasures).map(Ok))
        .try_flatten()
    }
}
