//! An authority, certificates of all kinds, and nodes' material made of them.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use eunoe_core::placement::Site;
use eunoe_server::config::Config;
use eunoe_server::tls::{PeerEntry, TlsMaterial, spki_sha256};
use eunoe_types::NodeId;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType, date_time_ymd};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};

pub(crate) const REALM: &str = "000102030405060708090a0b0c0d0e0f";

pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key.
pub(crate) struct Issued {
    pub(crate) cert: String,
    pub(crate) key: String,
    pub(crate) der: Vec<u8>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self {
            issuer: CertifiedIssuer::self_signed(params, key).unwrap(),
        }
    }

    pub(crate) fn issue(&self, uris: &[String]) -> Issued {
        self.issue_until(uris, 4096)
    }

    /// A certificate that ends with the year before `year`.
    pub(crate) fn issue_until(&self, uris: &[String], year: i32) -> Issued {
        self.issue_for(KeyPair::generate().unwrap(), uris, 1975..year)
    }

    fn issue_for(&self, key: KeyPair, uris: &[String], years: Range<i32>) -> Issued {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let uris = uris
            .iter()
            .map(|uri| SanType::URI(uri.as_str().try_into().unwrap()));
        params.subject_alt_names.extend(uris);
        params.not_before = date_time_ymd(years.start, 1, 1);
        params.not_after = date_time_ymd(years.end, 1, 1);
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        Issued {
            cert: cert.pem(),
            key: key.serialize_pem(),
            der: cert.der().to_vec(),
        }
    }

    /// A new certificate for a node's old key, until the year before `year`.
    pub(crate) fn renew(&self, node: &Node, year: i32) -> Issued {
        self.renew_as(node, node.site.as_str(), 1975..year)
    }

    /// A new certificate for a node's old key that names this site and is good in these years.
    pub(crate) fn renew_as(&self, node: &Node, site: &str, years: Range<i32>) -> Issued {
        let key = KeyPair::from_pem(&node.issued.key).unwrap();
        let uri = format!("spiffe://{REALM}/site/{site}/node/{}", node.id);
        self.issue_for(key, &[uri], years)
    }

    pub(crate) fn client(&self, path: &str) -> Issued {
        self.issue(&[format!("spiffe://{REALM}/{path}")])
    }

    /// The TLS of a caller who holds `issued` and trusts this authority.
    pub(crate) fn tls(
        &self,
        issued: &Issued,
        versions: &[&'static SupportedProtocolVersion],
    ) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let chain = vec![CertificateDer::from(issued.der.clone())];
        let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        TlsConnector::from(Arc::new(config))
    }

    /// The certificate that the server at `address` shows to the holder of `issued`.
    pub(crate) async fn shown(&self, address: SocketAddr, issued: &Issued) -> Vec<u8> {
        let tcp = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = self.tls(issued, &[&TLS13]).connect(name, tcp).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    }

    /// A channel to `address` as the holder of `issued`, connected when it is first used.
    pub(crate) fn channel(
        &self,
        address: SocketAddr,
        issued: &Issued,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Channel {
        let tls = self.tls(issued, versions);
        let connector = tower::service_fn(move |_: Uri| {
            let tls = tls.clone();
            async move {
                let tcp = TcpStream::connect(address).await?;
                let name = ServerName::try_from("localhost").unwrap();
                Ok::<_, std::io::Error>(TokioIo::new(tls.connect(name, tcp).await?))
            }
        });
        Endpoint::from_static("http://localhost").connect_with_connector_lazy(connector)
    }
}

/// A node's certificate and where it listens.
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) site: Site,
    pub(crate) listener: Option<TcpListener>,
    pub(crate) address: SocketAddr,
    pub(crate) issued: Issued,
}

impl Node {
    pub(crate) async fn new(authority: &Authority, id: u64) -> Self {
        Self::at(authority, id, "de/fra/fra1").await
    }

    /// A node whose certificate names this site.
    pub(crate) async fn at(authority: &Authority, id: u64, site: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let issued = authority.issue(&[format!("spiffe://{REALM}/site/{site}/node/{id}")]);
        Self {
            site: Site::parse(site).unwrap(),
            id: NodeId(id),
            listener: Some(listener),
            address,
            issued,
        }
    }

    pub(crate) fn entry(&self) -> (NodeId, PeerEntry) {
        let spki_sha256 = spki_sha256(&self.issued.der).unwrap();
        (
            self.id,
            PeerEntry {
                address: self.address.to_string(),
                spki_sha256,
                site: self.site,
            },
        )
    }

    /// The node's material, read from files as the program reads it.
    pub(crate) fn material(&self, authority: &Authority) -> TlsMaterial {
        let dir = tempfile::tempdir().unwrap();
        self.write(dir.path(), &authority.issuer.pem());
        TlsMaterial::load(&self.config(dir.path(), self.id.0)).unwrap()
    }

    pub(crate) fn write(&self, dir: &Path, ca: &str) {
        for (name, text) in [
            ("ca.pem", ca),
            ("cert.pem", &self.issued.cert),
            ("key.pem", &self.issued.key),
        ] {
            std::fs::write(dir.join(name), text).unwrap();
        }
    }

    /// A configuration for node `id` with this node's files.
    pub(crate) fn config(&self, dir: &Path, id: u64) -> Config {
        let dir = dir.display();
        let spki = self.entry().1.spki_sha256;
        let spki: String = spki.iter().map(|byte| format!("{byte:02x}")).collect();
        let text = format!(
            r#"
            node_id = {id}
            realm = "{REALM}"
            site = "{site}"
            data_dir = "{dir}"
            listen = {{ client = "127.0.0.1:0", peer = "127.0.0.1:0", admin = "127.0.0.1:0" }}
            tls = {{ ca = "{dir}/ca.pem", cert = "{dir}/cert.pem", key = "{dir}/key.pem" }}
            [[members]]
            node_id = {id}
            client = "localhost:1"
            peer = "{}"
            spki_sha256 = "{spki}"
            site = "{site}"
            "#,
            self.address,
            site = self.site
        );
        Config::parse(&text).unwrap()
    }

    pub(crate) fn ca(authority: &Authority) -> String {
        authority.issuer.pem()
    }
}
