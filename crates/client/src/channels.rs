//! One connection per node, used in turn; a node that failed is left out for a moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint, Uri};

use crate::credentials::{Bearer, CALL_AGE, Credentials, NOW};
use crate::{ClientError, Context};

const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);
const LEFT_OUT_MS: u64 = 1_000;
const STREAM_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 16 * 1024 * 1024;

/// A connection that sends the caller's token along, if there is one.
pub(crate) type Connection = InterceptedService<Channel, Bearer>;

/// The nodes that a client talks to.
pub(crate) struct Channels {
    credentials: Arc<Credentials>,
    nodes: Vec<Node>,
    next: AtomicUsize,
    started: Instant,
}

struct Node {
    address: String,
    endpoint: Endpoint,
    tls: Dialer,
    connected: Mutex<Option<Connected>>,
    left_out_until_ms: AtomicU64,
    connections: AtomicU64,
}

/// The present connection to a node.
#[derive(Clone)]
struct Connected {
    number: u64,
    generation: u64,
    channel: Channel,
}

/// A connection on loan, with what is needed to report that it failed.
#[derive(Clone)]
pub(crate) struct Leased {
    pub(crate) channel: Connection,
    pub(crate) node: usize,
    bearer: Bearer,
    number: u64,
}

impl Channels {
    pub(crate) fn new(context: &Context) -> Result<Self, ClientError> {
        if context.endpoints.is_empty() {
            return Err(ClientError::bad_context("the context names no endpoint"));
        }
        let credentials = Credentials::new(context)?;
        let nodes = context
            .endpoints
            .iter()
            .map(|text| Node::new(text, context, &credentials))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            credentials,
            nodes,
            next: AtomicUsize::new(0),
            started: Instant::now(),
        })
    }

    /// A connection to the next node that can be reached, `avoid` last.
    pub(crate) async fn lease(&self, avoid: Option<usize>) -> Result<Leased, ClientError> {
        self.credentials.refresh(CALL_AGE).await;
        let count = self.nodes.len();
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let mut order: Vec<usize> = (0..count).map(|step| (first + step) % count).collect();
        let now_ms = self.now_ms();
        order.sort_by_key(|&node| {
            (
                Some(node) == avoid,
                self.nodes[node].left_out_until_ms.load(Ordering::Relaxed) > now_ms,
            )
        });
        let mut failure = None;
        for node in order {
            match self.nodes[node].connection().await {
                Ok(connected) => {
                    let bearer = self.credentials.bearer();
                    return Ok(Leased {
                        channel: InterceptedService::new(connected.channel, bearer.clone()),
                        node,
                        bearer,
                        number: connected.number,
                    });
                }
                Err(error) => failure = Some(error),
            }
            self.leave_out(node);
        }
        Err(failure.expect("there is at least one endpoint, and it failed"))
    }

    /// Drops a connection that broke, unless somebody has replaced it already.
    pub(crate) async fn broken(&self, leased: &Leased) {
        let mut connected = self.nodes[leased.node].connected.lock().await;
        if connected
            .as_ref()
            .is_some_and(|present| present.number == leased.number)
        {
            *connected = None;
        }
        drop(connected);
        self.leave_out(leased.node);
    }

    /// Reads the token again after one was refused, and says whether there is another one by now.
    pub(crate) async fn token_renewed(&self, leased: &Leased) -> bool {
        self.credentials.refresh(NOW).await;
        self.credentials.bearer() != leased.bearer
    }

    fn leave_out(&self, node: usize) {
        self.nodes[node]
            .left_out_until_ms
            .store(self.now_ms() + LEFT_OUT_MS, Ordering::Relaxed);
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Node {
    fn new(text: &str, context: &Context, credentials: &Arc<Credentials>) -> Result<Self, ClientError> {
        let address = text
            .trim_start_matches("https://")
            .trim_end_matches('/')
            .to_owned();
        let bad = || ClientError::bad_context(format!("'{text}' is not host:port"));
        let uri: Uri = format!("http://{address}").parse().map_err(|_| bad())?;
        let port = uri.port_u16().ok_or_else(bad)?;
        let name = ServerName::try_from(context.server_name.clone())
            .map_err(|_| ClientError::bad_context("the server name is neither a host name nor an address"))?;
        let origin = format!("https://{}:{port}", context.server_name)
            .parse()
            .map_err(|_| bad())?;
        let endpoint = Endpoint::from(uri)
            .origin(origin)
            .connect_timeout(context.timeouts.connect)
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES);
        let tls = Dialer {
            address: address.clone(),
            credentials: Arc::clone(credentials),
            name,
        };
        let (connected, left_out_until_ms) = (Mutex::new(None), AtomicU64::new(0));
        Ok(Self {
            address,
            endpoint,
            tls,
            connected,
            left_out_until_ms,
            connections: AtomicU64::new(0),
        })
    }

    /// The present connection, or a new one if there is none or the caller's files changed (calls under way end on
    /// the old one). Connecting here, not lazily inside the channel, is what makes a
    /// failure to connect known to have had no effect.
    async fn connection(&self) -> Result<Connected, ClientError> {
        let mut connected = self.connected.lock().await;
        let credentials = &self.tls.credentials;
        if let Some(present) = connected.as_ref()
            && present.generation == credentials.generation()
        {
            return Ok(present.clone());
        }
        *connected = None;
        credentials.refresh(NOW).await;
        let generation = credentials.generation();
        let dialer = self.tls.clone();
        let connector = tower::service_fn(move |_: Uri| dialer.clone().dial());
        let channel = self
            .endpoint
            .connect_with_connector(connector)
            .await
            .map_err(|error| self.not_connected(&error))?;
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        let present = Connected {
            number,
            generation,
            channel,
        };
        Ok(connected.insert(present).clone())
    }

    fn not_connected(&self, error: &tonic::transport::Error) -> ClientError {
        let mut cause: &dyn std::error::Error = error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        ClientError::connect_failed(format!("cannot connect to {}: {cause}", self.address))
    }
}

#[derive(Clone)]
struct Dialer {
    address: String,
    credentials: Arc<Credentials>,
    name: ServerName<'static>,
}

impl Dialer {
    async fn dial(self) -> std::io::Result<TokioIo<TlsStream<TcpStream>>> {
        let tcp = TcpStream::connect(&self.address).await?;
        tcp.set_nodelay(true)?;
        // Asked for here, because a channel dials again by itself when an idle connection was closed.
        let connector = TlsConnector::from(self.credentials.config());
        Ok(TokioIo::new(connector.connect(self.name, tcp).await?))
    }
}
