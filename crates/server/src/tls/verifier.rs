//! Who may pass a handshake: rustls's checks of the chain, then ours of the identity. Both look at the material as
//! it is now, so that what was reloaded counts from the next handshake on.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use super::material::Loaded;
use super::{PeerIdentity, TlsMaterial};

/// Reads who a certificate (none, when none was shown) names, or refuses it.
pub(super) type Admit<I> = Arc<dyn Fn(Option<&[u8]>) -> Option<I> + Send + Sync>;

/// The peer gets `access_denied`, and no reason: it knows its own certificate.
fn denied() -> Error {
    Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
}

/// The certificate that this node shows, as server and as client.
#[derive(Debug)]
pub(super) struct OwnCertificate(pub(super) TlsMaterial);

impl ResolvesServerCert for OwnCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.current().certified))
    }
}

impl ResolvesClientCert for OwnCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.current().certified))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// The server's side: a chain to the authority, and an identity that is admitted.
pub(super) struct AdmittedClients<I> {
    pub(super) material: TlsMaterial,
    pub(super) admit: Admit<I>,
    /// Whether a connection without a certificate is refused; a bad certificate always is.
    pub(super) mandatory: bool,
}

impl<I> fmt::Debug for AdmittedClients<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdmittedClients")
    }
}

impl<I> ClientCertVerifier for AdmittedClients<I> {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    /// No hints: a caller has one certificate, and the authority may change while this is in use.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let current = self.material.current();
        let verified = current
            .clients
            .verify_client_cert(end_entity, intermediates, now)?;
        (self.admit)(Some(end_entity))
            .map(|_| verified)
            .ok_or_else(denied)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(denied())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = self.material.provider().signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = self.material.provider().signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

/// The connecting side: a chain to the authority, and exactly this node with this key at this site.
///
/// The host name is not looked at: the pinned key says more, and addresses may change.
pub(super) struct PinnedServer {
    pub(super) material: TlsMaterial,
    pub(super) expected: PeerIdentity,
    pub(super) admit: Admit<PeerIdentity>,
}

impl PinnedServer {
    fn algorithms(&self) -> WebPkiSupportedAlgorithms {
        self.material.provider().signature_verification_algorithms
    }
}

impl fmt::Debug for PinnedServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PinnedServer({})", self.expected.node)
    }
}

/// Whether the authority vouches for a server's chain.
pub(super) fn verify_server(
    loaded: &Loaded,
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    now: UnixTime,
    algorithms: WebPkiSupportedAlgorithms,
) -> Result<(), Error> {
    let parsed = ParsedCertificate::try_from(end_entity)?;
    verify_server_cert_signed_by_trust_anchor(&parsed, &loaded.roots, intermediates, now, algorithms.all)
}

impl ServerCertVerifier for PinnedServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let current = self.material.current();
        verify_server(&current, end_entity, intermediates, now, self.algorithms())?;
        if (self.admit)(Some(end_entity)) == Some(self.expected) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(denied())
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(denied())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms().supported_schemes()
    }
}
