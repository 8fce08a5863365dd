//! A witness behind a proxy that shows a certificate.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use eunoe_witness::{AskError, WitnessClient, WitnessUrl};
use rcgen::CertifiedKey;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

use crate::world::{Log, ORIGIN, Witness};

/// What is in front of a witness, as long as the runtime is.
async fn proxy(certified: &CertifiedKey<rcgen::KeyPair>, witness: SocketAddr) -> SocketAddr {
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            // Who does not like the certificate is gone.
            let Ok(mut tls) = acceptor.accept(tcp).await else {
                continue;
            };
            let mut behind = TcpStream::connect(witness).await.unwrap();
            let _ = copy_bidirectional(&mut tls, &mut behind).await;
        }
    });
    address
}

fn client(witness: &Witness, proxy: SocketAddr, authorities: &Path) -> WitnessClient {
    let url = WitnessUrl::new(&format!("https://localhost:{}", proxy.port())).unwrap();
    WitnessClient::new(&url, witness.key.clone(), Some(authorities)).unwrap()
}

#[test]
fn a_witness_over_https_is_asked_if_its_certificate_leads_to_an_authority() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::new(ORIGIN);
    let witness = Witness::start(&folder.path().join("w"), &[&log]);
    let [certified, stranger] =
        [(); 2].map(|()| rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap());
    let runtime = Runtime::new().unwrap();
    let proxy = runtime.block_on(proxy(&certified, witness.address));
    let file = |name: &str, pem: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path
    };
    let known = file("known.pem", certified.cert.pem());
    log.ask(&client(&witness, proxy, &known), 5).unwrap();
    let unknown = file("unknown.pem", stranger.cert.pem());
    let refused = log.ask(&client(&witness, proxy, &unknown), 6).unwrap_err();
    assert!(matches!(refused, AskError::Unreachable(_)), "{refused}");
}
