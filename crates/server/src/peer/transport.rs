//! Raft's messages over the peer links.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use eunoe_proto::peer::{RaftAppendRequest, RaftCallRequest, RaftSnapshotRequest};
use eunoe_raft::{CallKind, PeerTransport, Target, TransportError};
use eunoe_types::GroupId;
use futures::future::{BoxFuture, FutureExt as _, ready};
use futures::stream::{self, BoxStream, Stream, StreamExt as _, TryStreamExt as _};
use tonic::Request;

use super::links::{Lane, Link};
use super::{PeerLinks, status};

type Answers = BoxStream<'static, Result<Bytes, TransportError>>;

/// Moves Raft's messages. Each of Raft's channels has a connection of its own.
///
/// The address is the directory's; the key is the target's, and must be the directory's as well.
#[derive(Clone, Debug)]
pub struct GrpcTransport {
    links: PeerLinks,
}

impl GrpcTransport {
    /// A transport over these links.
    pub fn new(links: PeerLinks) -> Self {
        Self { links }
    }

    fn link(&self, to: &Target, lane: Lane) -> Result<Link, TransportError> {
        self.links.link(to.id, lane, Some(&to.node.spki_sha256))
    }
}

impl PeerTransport for GrpcTransport {
    fn call(
        &self,
        to: Target,
        group: GroupId,
        kind: CallKind,
        body: Bytes,
        timeout: Duration,
    ) -> BoxFuture<'static, Result<Bytes, TransportError>> {
        let link = self.link(&to, Lane::Control);
        let links = self.links.clone();
        async move {
            let message = RaftCallRequest {
                group: group.0,
                kind: u32::from(kind.number()),
                body,
            };
            let mut request = Request::new(message);
            request.set_timeout(timeout);
            let mut client = link?.client;
            let answer = within(timeout, client.raft_call(request)).await;
            // Heartbeats come this way.
            links.note(to.id, &answer);
            answer.map(|response| response.into_inner().body)
        }
        .boxed()
    }

    fn open_append_stream(
        &self,
        to: Target,
        group: GroupId,
        requests: BoxStream<'static, Bytes>,
        connect_timeout: Duration,
    ) -> BoxFuture<'static, Result<Answers, TransportError>> {
        let link = self.link(&to, Lane::Append);
        let directory = self.links.directory().clone();
        async move {
            let Link { mut client, entry } = link?;
            let requests = requests.map(move |body| RaftAppendRequest { group: group.0, body });
            let requests = Messages(requests.boxed());
            let response = within(connect_timeout, client.raft_append(requests)).await?;
            let answers = response.into_inner().map(|answer| match answer {
                Ok(answer) => Ok(answer.body),
                Err(status) => Err(status::transport_error(&status)),
            });
            // A node that was removed, or has moved, gets nothing more through the stream that is open.
            let replaced = directory.changed(to.id, entry);
            let last = stream::once(ready(Err(TransportError::Refused)));
            Ok(until(answers.boxed(), replaced, last.boxed()))
        }
        .boxed()
    }

    fn send_snapshot(
        &self,
        to: Target,
        group: GroupId,
        header: Bytes,
        chunks: BoxStream<'static, Result<Bytes, io::Error>>,
        timeout: Duration,
    ) -> BoxFuture<'static, Result<Bytes, TransportError>> {
        let link = self.link(&to, Lane::Bulk);
        let directory = self.links.directory().clone();
        async move {
            let Link { mut client, entry } = link?;
            let pieces = pieces(group, header, chunks);
            tokio::select! {
                biased;
                answer = within(timeout, client.raft_snapshot(pieces)) => {
                    answer.map(|response| response.into_inner().body)
                }
                () = directory.changed(to.id, entry) => Err(TransportError::Refused),
            }
        }
        .boxed()
    }
}

/// The header, the chunks and the end as requests. At a chunk that cannot be read they stop without the end.
fn pieces(
    group: GroupId,
    header: Bytes,
    chunks: BoxStream<'static, Result<Bytes, io::Error>>,
) -> Messages<RaftSnapshotRequest> {
    let piece = move |body: Bytes, last: bool| RaftSnapshotRequest {
        group: group.0,
        body,
        last,
    };
    let bodies = stream::once(ready(Ok(header))).chain(chunks);
    let pieces = bodies
        .map_ok(move |body| piece(body, false))
        .chain(stream::once(ready(Ok(piece(Bytes::new(), true)))));
    let readable = pieces.scan((), |(), piece| {
        let piece = piece.inspect_err(|error| {
            tracing::error!(kind = ?error.kind(), "a snapshot that is being sent cannot be read");
        });
        ready(piece.ok())
    });
    Messages(readable.boxed())
}

/// A boxed stream under a name: the compiler cannot show that a generic call that holds the bare one is `Send`.
struct Messages<T>(BoxStream<'static, T>);

impl<T> Stream for Messages<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll_next_unpin(cx)
    }
}

/// `answers` until `end`, then `last`.
fn until(answers: Answers, end: BoxFuture<'static, ()>, last: Answers) -> Answers {
    let state = (answers, Some((end, last)));
    stream::unfold(state, |(mut answers, mut end)| async move {
        if let Some((ended, _)) = &mut end {
            tokio::select! {
                biased;
                () = ended => {}
                answer = answers.next() => return answer.map(|answer| (answer, (answers, end))),
            }
            answers = end.take()?.1;
        }
        let answer = answers.next().await?;
        Some((answer, (answers, None)))
    })
    .boxed()
}

/// A call's answer, or why there is none in time. The bound also holds for the wait for a connection.
pub(super) async fn within<T>(
    timeout: Duration,
    call: impl Future<Output = Result<T, tonic::Status>>,
) -> Result<T, TransportError> {
    match tokio::time::timeout(timeout, call).await {
        Ok(answer) => answer.map_err(|status| status::transport_error(&status)),
        Err(_) => Err(TransportError::Timeout),
    }
}
