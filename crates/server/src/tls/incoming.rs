//! Accepts connections and runs their handshakes side by side.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use futures::future::{FutureExt as _, select};
use rustls::ServerConfig;
use rustls::server::NoServerSessionStorage;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::verifier::{Admit, AdmittedClients, OwnCertificate};
use super::{
    ClientConnection, PeerDirectory, PeerIdentity, TlsConnection, TlsError, TlsMaterial, cover, identity,
};

/// Connections whose handshake is done and that the server has not taken yet.
const READY_MAX: usize = 64;
/// A connection that showed no certificate must bring a good token in this time, or it gives its place back.
const PROOF_DEADLINE: Duration = Duration::from_secs(10);
/// The pause after the system refused to accept (for want of file descriptors, mostly).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How much a listener takes before it has to wait.
#[derive(Clone, Copy, Debug)]
pub struct HandshakeLimits {
    /// Handshakes at once. When all are taken, accepting waits, at most `deadline`.
    pub handshakes_max: usize,
    /// A handshake may take so long.
    pub deadline: Duration,
    /// Connections at once, handshakes included. When all are open, accepting waits until one closes.
    pub connections_max: usize,
}

impl Default for HandshakeLimits {
    fn default() -> Self {
        Self {
            handshakes_max: 256,
            deadline: Duration::from_secs(5),
            connections_max: 4_096,
        }
    }
}

/// The TLS side of a listener. `I` is whom a handshake proves.
pub struct Acceptor<I> {
    config: Arc<ServerConfig>,
    material: TlsMaterial,
    admit: Admit<I>,
    limits: HandshakeLimits,
}

/// What a handshake may prove.
pub trait Proof: Send + 'static {
    /// Something that has to be cancelled soon, or the connection is closed; nothing for whoever is known.
    fn awaited(&self) -> Option<CancellationToken>;
}

impl Proof for PeerIdentity {
    fn awaited(&self) -> Option<CancellationToken> {
        None
    }
}

impl Proof for ClientConnection {
    fn awaited(&self) -> Option<CancellationToken> {
        self.certified.is_none().then(|| self.proved.clone())
    }
}

impl Acceptor<ClientConnection> {
    /// For the client listener: clients of the realm. With `tokens`, also connections that show no certificate;
    /// their requests then need a token. A bad certificate is refused either way.
    pub fn clients(material: &TlsMaterial, tokens: bool, limits: HandshakeLimits) -> Result<Self, TlsError> {
        let realm = material.realm();
        let admit = move |certificate: Option<&[u8]>| match certificate {
            Some(certificate) => {
                let identity = identity::client(certificate, realm).ok()?;
                Some(ClientConnection::new(Some(identity)))
            }
            None => tokens.then(|| ClientConnection::new(None)),
        };
        Self::new(material, limits, !tokens, Arc::new(admit))
    }
}

impl Acceptor<PeerIdentity> {
    /// For the peer listener: nodes that the directory admits with the key that they show.
    pub fn peers(
        material: &TlsMaterial,
        directory: PeerDirectory,
        limits: HandshakeLimits,
    ) -> Result<Self, TlsError> {
        let realm = material.realm();
        let admit = move |certificate: Option<&[u8]>| {
            let peer = identity::peer(certificate?, realm).ok()?;
            directory.admits(&peer).then_some(peer)
        };
        Self::new(material, limits, true, Arc::new(admit))
    }
}

impl<I: Proof> Acceptor<I> {
    fn new(
        material: &TlsMaterial,
        limits: HandshakeLimits,
        mandatory: bool,
        admit: Admit<I>,
    ) -> Result<Self, TlsError> {
        let verifier = AdmittedClients {
            material: material.clone(),
            admit: Arc::clone(&admit),
            mandatory,
        };
        let mut config = ServerConfig::builder_with_provider(Arc::clone(material.provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(Arc::new(verifier))
            .with_cert_resolver(Arc::new(OwnCertificate(material.clone())));
        config.alpn_protocols = vec![b"h2".to_vec()];
        // A resumed session would not show its certificate, which may be expired or refused by now.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self {
            config: Arc::new(config),
            material: material.clone(),
            admit,
            limits,
        })
    }

    /// Connections of `listener` whose handshake succeeded. They break once `close` is cancelled. Dropping the
    /// stream closes the listener and ends the handshakes.
    pub fn incoming(self, listener: TcpListener, close: CancellationToken) -> Incoming<I> {
        let (sender, ready) = mpsc::channel(READY_MAX);
        let task = AbortOnDropHandle::new(tokio::spawn(accept(self, listener, close, sender)));
        Incoming { ready, _task: task }
    }
}

/// A stream of connections; see [`Acceptor::incoming`]. It ends only with the listener's task.
pub struct Incoming<I> {
    ready: mpsc::Receiver<TlsConnection<I>>,
    _task: AbortOnDropHandle<()>,
}

impl<I> Stream for Incoming<I> {
    type Item = io::Result<TlsConnection<I>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.ready.poll_recv(cx).map(|connection| connection.map(Ok))
    }
}

async fn accept<I: Proof>(
    acceptor: Acceptor<I>,
    listener: TcpListener,
    close: CancellationToken,
    ready: mpsc::Sender<TlsConnection<I>>,
) {
    let limits = acceptor.limits;
    let connections = Arc::new(Semaphore::new(limits.connections_max));
    let acceptor = Arc::new(acceptor);
    let mut handshakes = JoinSet::new();
    loop {
        while handshakes.try_join_next().is_some() {}
        if handshakes.len() >= limits.handshakes_max {
            handshakes.join_next().await;
            continue;
        }
        let Ok(place) = Arc::clone(&connections).acquire_owned().await else {
            return;
        };
        let tcp = match listener.accept().await {
            Ok((tcp, _)) => tcp,
            Err(error) => {
                tracing::warn!(kind = ?error.kind(), "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (acceptor, close, ready) = (Arc::clone(&acceptor), close.clone(), ready.clone());
        handshakes.spawn(async move {
            let handshake = acceptor.handshake(tcp, close, place);
            match tokio::time::timeout(limits.deadline, handshake).await {
                // The server takes connections as they come; if it is gone, so is this task.
                Ok(Ok(connection)) => drop(ready.send(connection).await),
                Ok(Err(error)) => tracing::debug!(%error, "a handshake was refused"),
                Err(_) => tracing::debug!("a handshake was not done in time"),
            }
        });
    }
}

impl<I: Proof> Acceptor<I> {
    async fn handshake(
        &self,
        tcp: TcpStream,
        close: CancellationToken,
        place: OwnedSemaphorePermit,
    ) -> io::Result<TlsConnection<I>> {
        tcp.set_nodelay(true)?;
        let stream = TlsAcceptor::from(Arc::clone(&self.config)).accept(tcp).await?;
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let chain: Vec<_> = chain
            .iter()
            .map(|certificate| certificate.clone().into_owned())
            .collect();
        // The verifier has said yes already; this also holds what changed since.
        let identity = (self.admit)(chain.first().map(AsRef::as_ref));
        let identity = identity.ok_or(io::ErrorKind::PermissionDenied)?;
        let material = self.material.clone();
        let awaited = identity.awaited();
        let ended = async move {
            match awaited {
                Some(proof) => unproved(proof).await,
                None => cover::client_uncovered(material, chain).await,
            }
        };
        let close = select(Box::pin(ended), Box::pin(close.cancelled_owned()));
        Ok(TlsConnection::new(
            stream,
            identity,
            close.map(drop).boxed(),
            Some(place),
        ))
    }
}

/// Ends when nothing was proved in time; never afterwards.
async fn unproved(proof: CancellationToken) {
    let proved = tokio::time::timeout(PROOF_DEADLINE, proof.cancelled()).await;
    if proved.is_ok() {
        std::future::pending::<()>().await;
    }
}
