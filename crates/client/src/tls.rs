//! TLS 1.3 with the caller's certificate. Which key exchange comes first (X25519MLKEM768) is set by a feature of rustls.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::ClientError;
use crate::context::{ClientCertificate, Pem};

/// PEM texts as they were read, to tell whether they changed.
#[derive(PartialEq)]
pub(crate) struct Files {
    ca: Vec<u8>,
    /// Chain and key.
    certificate: Option<(Vec<u8>, Vec<u8>)>,
}

impl Files {
    pub(crate) fn read(ca: &Pem, certificate: Option<&ClientCertificate>) -> Result<Self, ClientError> {
        let certificate = match certificate {
            None => None,
            Some(own) => Some((
                own.cert.read("the client certificate")?,
                own.key.read("the client key")?,
            )),
        };
        Ok(Self {
            ca: ca.read("the CA certificate")?,
            certificate,
        })
    }

    /// Builds the configuration that connections share.
    pub(crate) fn config(&self) -> Result<Arc<ClientConfig>, ClientError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.ca, "the CA certificate")? {
            roots
                .add(certificate)
                .map_err(|error| unusable("the CA certificate", &error))?;
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| unusable("TLS 1.3", &error))?
            .with_root_certificates(roots);
        let mut config = match &self.certificate {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = certificates(chain, "the client certificate")?;
                let key = PrivateKeyDer::from_pem_slice(key)
                    .map_err(|_| ClientError::bad_context("the client key is not a PEM private key"))?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| unusable("the client certificate", &error))?
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Arc::new(config))
    }
}

fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|_| ClientError::bad_context(format!("{what} is not PEM")))?;
    if found.is_empty() {
        return Err(ClientError::bad_context(format!("{what} holds no certificate")));
    }
    Ok(found)
}

fn unusable(what: &str, error: &rustls::Error) -> ClientError {
    ClientError::bad_context(format!("{what} cannot be used: {error}"))
}
