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

use super::verifier::PinnedServer;
use super::{PeerEntry, PeerIdentity, TlsError, TlsMaterial, identity};
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

/// A connector to one peer, for tonic. It ignores the URI: it knows where to go.
#[derive(Clone)]
pub(crate) struct PeerConnector {
    address: Arc<str>,
    tls: TlsConnector,
}

impl PeerConnector {
    /// A connector to `node` as `entry` describes it.
    pub(crate) fn new(material: &TlsMaterial, node: NodeId, entry: &PeerEntry) -> Result<Self, TlsError> {
        let (provider, realm) = (Arc::clone(material.provider()), material.realm());
        let verifier = PinnedServer {
            roots: Arc::clone(material.roots()),
            algorithms: provider.signature_verification_algorithms,
            expected: PeerIdentity {
                node,
                spki_sha256: entry.spki_sha256,
            },
            admit: Arc::new(move |certificate| identity::peer(certificate, realm).ok()),
        };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_auth_cert(material.chain(), material.key())?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        config.resumption = Resumption::disabled();
        Ok(Self {
            address: entry.address.as_str().into(),
            tls: TlsConnector::from(Arc::new(config)),
        })
    }

    async fn connect(self) -> Result<TokioIo<TlsStream<TcpStream>>, ConnectError> {
        let tcp = TcpStream::connect(&*self.address)
            .await
            .map_err(ConnectError::Tcp)?;
        tcp.set_nodelay(true).map_err(ConnectError::Tcp)?;
        let name = ServerName::try_from(SERVER_NAME)
            .map_err(|_| ConnectError::Tls(std::io::ErrorKind::InvalidInput.into()))?;
        let stream = self.tls.connect(name, tcp).await.map_err(ConnectError::Tls)?;
        Ok(TokioIo::new(stream))
    }
}

impl Service<Uri> for PeerConnector {
    type Response = TokioIo<TlsStream<TcpStream>>;
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
