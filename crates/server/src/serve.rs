//! gRPC servers over the TLS listeners: their HTTP/2 limits, and how they stop.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::Router;
use tower::layer::util::{Identity, Stack};
use tower::{Layer, Service};

use crate::grpc::Gate;
use crate::peer::{CONNECTION_WINDOW_BYTES, KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, STREAM_WINDOW_BYTES};
use crate::telemetry::Calls;
use crate::tls::{Acceptor, Proof};

/// Bytes of one request of a client: a batch, and what protobuf adds. Set on each service with
/// `max_decoding_message_size`.
pub const REQUEST_BYTES_MAX: usize = 5 << 20;
/// Bytes of a request's headers.
const HEADER_BYTES_MAX: u32 = 16 << 10;
/// Streams that a client may reset before the server has looked at them; more is an attack (rapid reset).
const PENDING_RESETS_MAX: usize = 64;
/// Requests and streams of one peer's connection at once; one group has one append stream.
const PEER_STREAMS_MAX: u32 = 4_096;
/// A client may send so much of one stream before it is read, and so much together.
const CLIENT_STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CLIENT_CONNECTION_WINDOW_BYTES: u32 = 8 << 20;
/// A client that is silent is asked so often whether it is alive.
const CLIENT_KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);

/// Why a server ended early.
#[derive(Debug, thiserror::Error)]
#[error("the gRPC server failed")]
pub struct ServerFailed(#[from] tonic::transport::Error);

/// A builder for the client listener, behind its gate, whose calls are counted and traced: add services, then
/// [`serve`] the router.
pub fn client_server(streams_per_connection: u32, gate: Gate) -> Server<Stack<Gate, Stack<Calls, Identity>>> {
    Server::builder()
        .layer(Calls)
        .layer(gate)
        .max_concurrent_streams(streams_per_connection)
        .initial_stream_window_size(CLIENT_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CLIENT_CONNECTION_WINDOW_BYTES)
        .http2_keepalive_interval(Some(CLIENT_KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .http2_max_pending_accept_reset_streams(Some(PENDING_RESETS_MAX))
}

/// A builder for the peer listener: add the [`PeerServer`](crate::peer::PeerServer), then [`serve`] the router.
pub fn peer_server() -> Server {
    Server::builder()
        .max_concurrent_streams(PEER_STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .http2_max_header_list_size(HEADER_BYTES_MAX)
}

/// Serves `router` on `listener` until `shutdown` ends. Then it takes no connection, lets requests finish for
/// `grace`, and breaks what is still open: tails and append streams never end by themselves.
pub async fn serve<I, L, B>(
    listener: TcpListener,
    acceptor: Acceptor<I>,
    router: Router<L>,
    grace: Duration,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServerFailed>
where
    I: Proof + Clone + Sync + Unpin,
    L: Layer<Routes>,
    L::Service: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    <L::Service as Service<Request<Body>>>::Future: Send,
    <L::Service as Service<Request<Body>>>::Error: Into<Box<dyn Error + Send + Sync>> + Send,
    B: tonic::codegen::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (close, stopping) = (CancellationToken::new(), CancellationToken::new());
    let incoming = acceptor.incoming(listener, close.clone());
    // However this ends, even by being dropped: no connection outlives it.
    let _close = close.clone().drop_guard();
    let announced = stopping.clone();
    let signal = async move {
        shutdown.await;
        announced.cancel();
    };
    let overdue = async {
        stopping.cancelled().await;
        tokio::time::sleep(grace).await;
    };
    let served = Box::pin(router.serve_with_incoming_shutdown(incoming, signal));
    match select(served, Box::pin(overdue)).await {
        Either::Left((result, _)) => Ok(result?),
        Either::Right(((), served)) => {
            close.cancel();
            Ok(served.await?)
        }
    }
}
