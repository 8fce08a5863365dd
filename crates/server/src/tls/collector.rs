//! Connects to a collector of telemetry: TLS with the node's certificate, to a name that the cluster's authority
//! has certified. A collector gets the node's metrics and traces, so it is held to the same authority as a peer.

use std::sync::Arc;
use std::task::{Context, Poll};

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

use super::connector::CONNECT_DEADLINE;
use super::verifier::OwnCertificate;
use super::{ConnectError, TlsError, TlsMaterial};
use crate::config::Collector;

/// A connector to the collector, for tonic. It ignores the URI: it knows where to go.
#[derive(Clone)]
pub(crate) struct CollectorConnector {
    address: (Arc<str>, u16),
    name: ServerName<'static>,
    material: TlsMaterial,
}

impl CollectorConnector {
    pub(crate) fn new(material: &TlsMaterial, collector: &Collector) -> Result<Self, TlsError> {
        let name = ServerName::try_from(collector.host.clone()).map_err(|_| {
            rustls::Error::General("the collector's name is neither a host nor an address".into())
        })?;
        Ok(Self {
            address: (collector.host.as_str().into(), collector.port),
            name,
            material: material.clone(),
        })
    }

    /// With the certificates as they are now: a connection is rare, and they may have been renewed.
    fn tls(&self) -> Result<TlsConnector, rustls::Error> {
        let mut config = ClientConfig::builder_with_provider(Arc::clone(self.material.provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(self.material.current().roots.clone())
            .with_client_cert_resolver(Arc::new(OwnCertificate(self.material.clone())));
        config.alpn_protocols = vec![b"h2".to_vec()];
        config.resumption = Resumption::disabled();
        Ok(TlsConnector::from(Arc::new(config)))
    }

    async fn connect(self) -> Result<TokioIo<TlsStream<TcpStream>>, ConnectError> {
        let (host, port) = &self.address;
        let tcp = TcpStream::connect((&**host, *port))
            .await
            .map_err(ConnectError::Tcp)?;
        let unusable = |error| ConnectError::Tls(std::io::Error::other(error));
        let stream = self
            .tls()
            .map_err(unusable)?
            .connect(self.name, tcp)
            .await
            .map_err(ConnectError::Tls)?;
        Ok(TokioIo::new(stream))
    }
}

impl Service<Uri> for CollectorConnector {
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
