//! Calls without any help of the SDK: a connection of its own for each, bytes out and bytes back.

use std::fs;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf as _, BufMut as _, Bytes};
use eunoe_tests::wait::PATIENCE;
use futures::StreamExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::Uri;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Request, Status};
use tower::util::BoxCloneSyncService;

/// A certificate and its key, in PEM.
#[derive(Clone)]
pub(super) struct Identity {
    pub(super) cert: Vec<u8>,
    pub(super) key: Vec<u8>,
}

impl Identity {
    /// The development cluster's, for a role or a node.
    pub(super) fn of_cluster(tls: &Path, name: &str) -> Self {
        let read = |extension: &str| fs::read(tls.join(format!("{name}.{extension}"))).unwrap();
        Self {
            cert: read("pem"),
            key: read("key"),
        }
    }
}

/// A connection to a node, opened by the first call. Unlike tonic's own it knows no deadlines: what comes of one is
/// the server's answer.
pub(super) type Http = Client<Connector, Body>;
type Connector = BoxCloneSyncService<Uri, TokioIo<Io>, io::Error>;

/// Where a node is, and whom it is certified by.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) endpoint: String,
    pub(super) ca: Vec<u8>,
}

/// Who calls, and how.
#[derive(Clone, Default)]
pub(super) struct Caller {
    pub(super) identity: Option<Identity>,
    /// Of the header `authorization`.
    pub(super) authorization: Option<String>,
    /// Of the header `grpc-timeout`.
    pub(super) timeout: Option<&'static str>,
}

/// Bytes as they are.
#[derive(Clone, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// A connection as the HTTP client needs it.
pub(super) struct Io(TlsStream<TcpStream>);

impl Connection for Io {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

fn tls(ca: &[u8], identity: Option<&Identity>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        None => config.with_no_client_auth(),
        Some(identity) => {
            let chain = vec![CertificateDer::from_pem_slice(&identity.cert).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(&identity.key).unwrap();
            config.with_client_auth_cert(chain, key).unwrap()
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsConnector::from(Arc::new(config))
}

impl Caller {
    /// A connection of this caller.
    pub(super) fn connect(&self, to: &Address) -> Http {
        let tls = tls(&to.ca, self.identity.as_ref());
        let address = to.endpoint.trim_start_matches("https://").to_owned();
        let connector = tower::service_fn(move |_: Uri| {
            let (tls, address) = (tls.clone(), address.clone());
            async move {
                let tcp = TcpStream::connect(address).await?;
                let name = ServerName::try_from("localhost").unwrap();
                Ok::<_, io::Error>(TokioIo::new(Io(tls.connect(name, tcp).await?)))
            }
        });
        Client::builder(TokioExecutor::new())
            .http2_only(true)
            .build(BoxCloneSyncService::new(connector))
    }

    /// Opens a connection and waits for the first word of the server, which is its refusal if it refuses.
    pub(super) async fn handshake(&self, to: &Address) -> io::Result<()> {
        let word = async {
            let tcp = TcpStream::connect(to.endpoint.trim_start_matches("https://")).await?;
            let name = ServerName::try_from("localhost").unwrap();
            let mut tls = tls(&to.ca, self.identity.as_ref()).connect(name, tcp).await?;
            tls.read_u8().await.map(|_| ())
        };
        tokio::time::timeout(PATIENCE, word).await?
    }

    /// Calls a method of any kind with one message; all messages of the answer, or the error that it ends with.
    pub(super) async fn call(
        &self,
        to: &Address,
        path: &'static str,
        message: Vec<u8>,
    ) -> Result<Vec<Bytes>, Status> {
        let mut client = Grpc::with_origin(self.connect(to), Uri::from_static("https://localhost"));
        let unready = |error: hyper_util::client::legacy::Error| Status::from_error(Box::new(error));
        client.ready().await.map_err(unready)?;
        let messages = futures::stream::iter([Bytes::from(message)]);
        let request = self.request(messages);
        let answers = async {
            let answer = client
                .streaming(request, PathAndQuery::from_static(path), Raw)
                .await?;
            let answers: Vec<_> = answer.into_inner().collect().await;
            answers.into_iter().collect()
        };
        // A tail that was taken never ends.
        let ended = tokio::time::timeout(PATIENCE, answers).await;
        ended.unwrap_or_else(|_| Err(Status::unknown("the call does not end")))
    }

    /// A request with this caller's headers.
    fn request<M>(&self, message: M) -> Request<M> {
        let mut request = Request::new(message);
        if let Some(text) = &self.authorization {
            request
                .metadata_mut()
                .insert("authorization", text.parse().unwrap());
        }
        if let Some(text) = self.timeout {
            request
                .metadata_mut()
                .insert("grpc-timeout", text.parse().unwrap());
        }
        request
    }
}
