//! How long a connection's certificate is good: an authority that no longer vouches for it ends the connection.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};
use tokio::sync::watch;

use super::TlsMaterial;
use super::material::Loaded;
use super::verifier::verify_server;

/// Certificates of open connections are checked whenever the material changes, and so often otherwise: that is how
/// long one that expired is still served.
const CHECK_INTERVAL: Duration = Duration::from_secs(60);

type Chain = Vec<CertificateDer<'static>>;

/// Ends when the authority no longer vouches for a client's chain.
pub(super) async fn client_uncovered(material: TlsMaterial, chain: Chain) {
    uncovered(material.subscribe(), |loaded| {
        let (end_entity, intermediates) = chain.split_first()?;
        let verified = loaded
            .clients
            .verify_client_cert(end_entity, intermediates, UnixTime::now());
        verified.ok().map(drop)
    })
    .await;
}

/// Ends when the authority no longer vouches for a server's chain.
pub(super) async fn server_uncovered(material: TlsMaterial, chain: Chain) {
    let algorithms = material.provider().signature_verification_algorithms;
    uncovered(material.subscribe(), |loaded| {
        let (end_entity, intermediates) = chain.split_first()?;
        verify_server(loaded, end_entity, intermediates, UnixTime::now(), algorithms).ok()
    })
    .await;
}

async fn uncovered(
    mut material: watch::Receiver<Arc<Loaded>>,
    is_covered: impl Fn(&Loaded) -> Option<()> + Send,
) {
    loop {
        // First of all: it may have changed since the handshake.
        let loaded = Arc::clone(&material.borrow_and_update());
        if is_covered(&loaded).is_none() {
            return;
        }
        if let Ok(Err(_)) = tokio::time::timeout(CHECK_INTERVAL, material.changed()).await {
            // Nobody reads the files any more: the node stops, and its listeners close what is open.
            return std::future::pending().await;
        }
    }
}
