//! The node's certificate, its key, and the authority that it trusts.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eunoe_core::placement::Site;
use eunoe_types::{NodeId, Realm};
use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{IdentityError, PeerIdentity, identity};
use crate::config::Config;

/// Why the TLS material cannot be used. It names files, never what is in them.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is not PEM.
    #[error("{path} is not a readable PEM file with a {what}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// rustls refuses what the files hold.
    #[error("the certificate or its key cannot be used")]
    Unusable(#[from] rustls::Error),
    /// The node's own certificate names no node of the realm.
    #[error("the node's own certificate: {0}")]
    Identity(#[from] IdentityError),
    /// The node's own certificate names another node.
    #[error("the node's own certificate is for node {0}")]
    OtherNode(NodeId),
    /// The node's own certificate names another site.
    #[error("the node's own certificate is for site {0}, not for the one in `site`")]
    OtherSite(Site),
    /// The node's own key is not the one that the members expect.
    #[error("the node's own key is not the one in `members`")]
    OtherKey,
}

/// The node's TLS identity. Clones share it; the key is never shown.
#[derive(Clone)]
pub struct TlsMaterial {
    inner: Arc<Inner>,
}

struct Inner {
    realm: Realm,
    own: PeerIdentity,
    provider: Arc<CryptoProvider>,
    roots: Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl TlsMaterial {
    /// Reads the files that the configuration names and checks that they are this node's: peers would refuse
    /// them otherwise, each with a message that only its own log has.
    pub fn load(config: &Config) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&config.tls.ca)? {
            roots.add(certificate)?;
        }
        let chain = certificates(&config.tls.cert)?;
        let key = PrivateKeyDer::from_pem_file(&config.tls.key).map_err(|_| TlsError::Pem {
            path: config.tls.key.clone(),
            what: "private key",
        })?;
        let own = identity::peer(chain.first().map(AsRef::as_ref).unwrap_or_default(), config.realm)?;
        if own.node != config.node_id {
            return Err(TlsError::OtherNode(own.node));
        }
        if own.site != config.site {
            return Err(TlsError::OtherSite(own.site));
        }
        if config
            .member(own.node)
            .is_none_or(|member| member.spki_sha256 != own.spki_sha256)
        {
            return Err(TlsError::OtherKey);
        }
        let (provider, roots) = (Arc::new(aws_lc_rs::default_provider()), Arc::new(roots));
        let inner = Inner {
            realm: config.realm,
            own,
            provider,
            roots,
            chain,
            key,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// This node, as its certificate names it.
    pub fn own(&self) -> PeerIdentity {
        self.inner.own
    }

    pub(super) fn realm(&self) -> Realm {
        self.inner.realm
    }

    pub(super) fn provider(&self) -> &Arc<CryptoProvider> {
        &self.inner.provider
    }

    pub(super) fn roots(&self) -> &Arc<RootCertStore> {
        &self.inner.roots
    }

    pub(super) fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.inner.chain.clone()
    }

    pub(super) fn key(&self) -> PrivateKeyDer<'static> {
        self.inner.key.clone_key()
    }
}

impl fmt::Debug for TlsMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsMaterial")
            .field("own", &self.inner.own.node)
            .finish_non_exhaustive()
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable = || TlsError::Pem {
        path: path.to_owned(),
        what: "certificate",
    };
    let found = CertificateDer::pem_file_iter(path).map_err(|_| unreadable())?;
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(|_| unreadable())?;
    if found.is_empty() {
        Err(unreadable())
    } else {
        Ok(found)
    }
}
