//! Connects to a peer: TCP, then TLS to exactly that node.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::Uri;
use tower::Service;

use super::verifier::{OwnCertificate, PinnedServer};
use super::{PeerDirectory, PeerEntry, PeerIdentity, TlsConnection, TlsError, TlsMaterial, cover, identity};
use eunoe_types::NodeId;

/// Name and connection may take so long together.
pub(super) const CONNECT_DEADLINE: Duration = Duration::from_secs(2);
/// In the handshake, in the place of a host name: the peer has one certificate only.
const SERVER_NAME: &str = "peer";

/// Why there is no connection. Nothing was sent that a peer could have acted on.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address does not answer.
    #[error("the peer's address does not answer")]
    Tcp(#[source] std::io::Error),
    /// It answers, but is not the node with the pinned key, or refuses this one.
    #[error("the handshake with the peer failed")]
    Tls(#[source] std::io::Error),
    /// It took too long.
    #[error("the peer did not connect in time")]
    Deadline,
}

/// A connection to a peer.
type Connection = TlsConnection<PeerIdentity, TlsStream<TcpStream>>;

/// A connector to one peer, for tonic. It ignores the URI: it knows where to go.
#[derive(Clone)]
pub(crate) struct PeerConnector {
    address: Arc<str>,
    peer: PeerIdentity,
    material: TlsMaterial,
    tls: TlsConnector,
}

impl PeerConnector {
    /// A connector to `node` as `entry` describes it.
    pub(crate) fn new(
        material: &TlsMaterial,
        directory: PeerDirectory,
        node: NodeId,
        entry: &PeerEntry,
    ) -> Result<Self, TlsError> {
        let realm = material.realm();
        let expected = PeerIdentity {
            node,
            spki_sha256: entry.spki_sha256,
            site: entry.site,
        };
        let verifier = PinnedServer {
            material: material.clone(),
            expected,
            admit: Arc::new(move |certificate| {
                let peer = identity::peer(certificate?, realm).ok()?;
                directory.admits(&peer).then_some(peer)
            }),
        };
        let mut config = ClientConfig::builder_with_provider(Arc::clone(material.provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(Arc::new(OwnCertificate(material.clone())));
        config.alpn_protocols = vec![b"h2".to_vec()];
        config.resumption = Resumption::disabled();
        Ok(Self {
            address: entry.address.as_str().into(),
            peer: expected,
            material: material.clone(),
            tls: TlsConnector::from(Arc::new(config)),
        })
    }

    async fn connect(self) -> Result<TokioIo<Connection>, ConnectError> {
        let tcp = TcpStream::connect(&*self.address)
            .await
            .map_err(ConnectError::Tcp)?;
        tcp.set_nodelay(true).map_err(ConnectError::Tcp)?;
        let name = ServerName::try_from(SERVER_NAME)
            .map_err(|_| ConnectError::Tls(std::io::ErrorKind::InvalidInput.into()))?;
        let stream = self.tls.connect(name, tcp).await.map_err(ConnectError::Tls)?;
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let chain = chain.iter().map(|certificate| certificate.clone().into_owned());
        let close = cover::server_uncovered(self.material, chain.collect()).boxed();
        Ok(TokioIo::new(TlsConnection::new(stream, self.peer, close, None)))
    }
}

impl Service<Uri> for PeerConnector {
    type Response = TokioIo<Connection>;
    type Error = ConnectError;
    type Future = BoxFuture<'static, Result<Self::Response, ConnectError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let connect = self.clone().connect();
        async move {
            tokio::time::timeout(CONNECT_DEADLINE, connect)
                .await
                .unwrap_or(Err(ConnectError::Deadline))
        }
        .boxed()
    }
}
