//! Probes over plain HTTP: whether the process runs, has started, and serves; the metrics; and the transparency log, which
//! is public.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Sleep, sleep};

use crate::telemetry;

/// Connections at once; more wait.
const CONNECTIONS_MAX: usize = 32;
/// A connection is closed after this time, whatever it does: probes are short.
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(15);
/// Prometheus' text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// After the end was announced, probes in flight have so long.
const GRACE: Duration = Duration::from_secs(2);

/// Where the node is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthState {
    /// It does not serve yet, for this reason.
    Starting(&'static str),
    /// It serves.
    Serving,
    /// It takes nothing new and will end.
    Draining,
    /// It is unfit, for this reason, for good.
    Faulted(&'static str),
}

/// The node's health, as the probes show it. Clones share it.
#[derive(Clone, Debug)]
pub struct Health {
    state: Arc<watch::Sender<HealthState>>,
    impaired: Arc<Mutex<Option<&'static str>>>,
}

impl Default for Health {
    fn default() -> Self {
        let begun = HealthState::Starting("the process has begun");
        Self {
            state: Arc::new(watch::Sender::new(begun)),
            impaired: Arc::default(),
        }
    }
}

impl Health {
    /// Sets the state. After [`HealthState::Faulted`] nothing else counts.
    pub fn set(&self, state: HealthState) {
        self.state.send_if_modified(|current| {
            let changes = *current != state && !matches!(current, HealthState::Faulted(_));
            if changes {
                *current = state;
            }
            changes
        });
    }

    /// The state now.
    pub fn get(&self) -> HealthState {
        *self.state.borrow()
    }

    /// The state, to be waited on.
    pub fn watch(&self) -> watch::Receiver<HealthState> {
        self.state.subscribe()
    }

    /// Says what keeps a node that serves from being of use, until it is said again; says whether that is something new. It
    /// answers all the same, so that callers learn more than that it is gone.
    pub fn impair(&self, why: Option<&'static str>) -> bool {
        let mut impaired = self.impaired.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *impaired, why) != why
    }

    /// What keeps it from being of use.
    pub fn impaired(&self) -> Option<&'static str> {
        *self.impaired.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves `/livez`, `/startupz`, `/readyz` and `/metrics`, and what is public of the node, until `shutdown` ends.
pub async fn serve(
    listener: TcpListener,
    health: Health,
    public: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let router = Router::new()
        .route("/livez", get(livez))
        .route("/startupz", get(startupz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(health)
        .merge(public);
    let (announce, announced) = tokio::sync::oneshot::channel();
    let signal = async move {
        shutdown.await;
        let _ = announce.send(());
    };
    let listener = Bounded {
        listener,
        places: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
    };
    let served = axum::serve(listener, router).with_graceful_shutdown(signal);
    tokio::select! {
        result = served.into_future() => result,
        () = async { let _ = announced.await; sleep(GRACE).await } => Ok(()),
    }
}

type Answer = (StatusCode, &'static str);

fn no(reason: &'static str) -> Answer {
    (StatusCode::SERVICE_UNAVAILABLE, reason)
}

async fn livez(State(health): State<Health>) -> Answer {
    match health.get() {
        HealthState::Faulted(reason) => no(reason),
        HealthState::Starting(_) | HealthState::Serving | HealthState::Draining => (StatusCode::OK, "lives"),
    }
}

async fn startupz(State(health): State<Health>) -> Answer {
    match health.get() {
        HealthState::Starting(reason) | HealthState::Faulted(reason) => no(reason),
        HealthState::Serving | HealthState::Draining => (StatusCode::OK, "started"),
    }
}

async fn readyz(State(health): State<Health>) -> Answer {
    match health.get() {
        HealthState::Starting(reason) | HealthState::Faulted(reason) => no(reason),
        HealthState::Draining => no("draining"),
        HealthState::Serving => health.impaired().map_or((StatusCode::OK, "ready"), no),
    }
}

async fn metrics() -> Response {
    match telemetry::text() {
        Some(text) => ([(CONTENT_TYPE, METRICS_TYPE)], text).into_response(),
        None => (StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written").into_response(),
    }
}

/// A listener with a limited number of connections.
struct Bounded {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

/// A connection with a place and a time to end.
struct BoundedStream {
    tcp: TcpStream,
    end: Pin<Box<Sleep>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Listener for Bounded {
    type Io = BoundedStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (BoundedStream, SocketAddr) {
        // The semaphore is never closed, so there is always a place some time.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let (tcp, address) = Listener::accept(&mut self.listener).await;
        (
            BoundedStream {
                tcp,
                end: Box::pin(sleep(CONNECTION_AGE_MAX)),
                _place: place,
            },
            address,
        )
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl AsyncRead for BoundedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.end.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.tcp).poll_read(cx, buf)
    }
}

impl AsyncWrite for BoundedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
