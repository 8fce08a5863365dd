//! The node's certificate, its key, and the authority that it trusts; read again when the files change.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use eunoe_core::placement::Site;
use eunoe_types::{NodeId, Realm};
use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use super::verifier::verify_server;
use super::{IdentityError, PeerIdentity, identity};
use crate::config::{Config, TlsPaths};
use crate::reload::Look;

/// Bytes of one PEM file.
const FILE_BYTES_MAX: u64 = 1 << 20;

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
    /// The authority does not vouch for the node's own certificate today.
    #[error("the node's own certificate does not pass the check that peers make: {0}")]
    NotVouchedFor(rustls::Error),
    /// The node's own key is not the one that the members expect.
    #[error("the node's own key is not the one in `members`")]
    OtherKey,
}

/// The node's TLS identity. Clones share it, and what [`TlsMaterial::reload`] reads; the key is never shown.
#[derive(Clone)]
pub struct TlsMaterial {
    inner: Arc<Inner>,
}

struct Inner {
    realm: Realm,
    own: PeerIdentity,
    provider: Arc<CryptoProvider>,
    paths: TlsPaths,
    current: watch::Sender<Arc<Loaded>>,
    /// The files as they were looked at last: bad ones are told once.
    seen: Mutex<Seen>,
}

struct Seen {
    fingerprint: [u8; 32],
    good: bool,
}

/// What the files held when they were last good.
pub(super) struct Loaded {
    pub(super) roots: RootCertStore,
    /// The check of a client's chain to those roots.
    pub(super) clients: Arc<dyn ClientCertVerifier>,
    pub(super) certified: Arc<CertifiedKey>,
    /// When the first certificate of the node's own chain ends.
    ends: SystemTime,
}

impl TlsMaterial {
    /// Reads the files that the configuration names and checks that they are this node's and good today: peers would
    /// refuse them otherwise, each with a message that only its own log has.
    pub fn load(config: &Config) -> Result<Self, TlsError> {
        let files = Files::read(&config.tls);
        let provider = Arc::new(aws_lc_rs::default_provider());
        let (loaded, own) = files.parse(&config.tls, config.realm, &provider)?;
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
        let inner = Inner {
            realm: config.realm,
            own,
            provider,
            paths: config.tls.clone(),
            current: watch::Sender::new(Arc::new(loaded)),
            seen: Mutex::new(Seen {
                fingerprint: files.fingerprint(),
                good: true,
            }),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Reads the files again, if they changed since they were last looked at.
    ///
    /// Handshakes that begin later use them. A certificate that is renewed must be this node's, at its site, keep its key,
    /// which its peers have pinned, be good today and lead to an authority in the same files. When the files cannot be used,
    /// what was read before stays in use, and the error comes once for these contents; they are tried again, because a
    /// certificate may not be good yet. It blocks on the disk.
    pub fn reload(&self) -> Result<Look, TlsError> {
        let files = Files::read(&self.inner.paths);
        let fingerprint = files.fingerprint();
        let mut seen = self.inner.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let same = seen.fingerprint == fingerprint;
        if same && seen.good {
            return Ok(Look::Same);
        }
        let parsed = self.renewed(&files);
        *seen = Seen {
            fingerprint,
            good: parsed.is_ok(),
        };
        match parsed {
            Ok(loaded) => {
                self.inner.current.send_replace(Arc::new(loaded));
                Ok(Look::New)
            }
            Err(_) if same => Ok(Look::StillBad),
            Err(error) => Err(error),
        }
    }

    fn renewed(&self, files: &Files) -> Result<Loaded, TlsError> {
        let Inner {
            paths, realm, own, ..
        } = &*self.inner;
        let (loaded, new) = files.parse(paths, *realm, &self.inner.provider)?;
        if new.node != own.node {
            return Err(TlsError::OtherNode(new.node));
        }
        if new.site != own.site {
            return Err(TlsError::OtherSite(new.site));
        }
        if new.spki_sha256 != own.spki_sha256 {
            return Err(TlsError::OtherKey);
        }
        Ok(loaded)
    }

    /// Seconds until the certificate that is in use, or one between it and the authority, ends; negative when it is over.
    pub fn seconds_left(&self, now: SystemTime) -> f64 {
        let ends = self.current().ends;
        match ends.duration_since(now) {
            Ok(left) => left.as_secs_f64(),
            Err(over) => -over.duration().as_secs_f64(),
        }
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

    pub(super) fn current(&self) -> Arc<Loaded> {
        Arc::clone(&self.inner.current.borrow())
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Arc<Loaded>> {
        self.inner.current.subscribe()
    }
}

impl fmt::Debug for TlsMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsMaterial")
            .field("own", &self.inner.own.node)
            .finish_non_exhaustive()
    }
}

/// The files' bytes; none for one that cannot be read or is too long.
struct Files {
    ca: Option<Vec<u8>>,
    cert: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
}

impl Files {
    fn read(paths: &TlsPaths) -> Self {
        Self {
            ca: read(&paths.ca),
            cert: read(&paths.cert),
            key: read(&paths.key),
        }
    }

    fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for file in [&self.ca, &self.cert, &self.key] {
            let length = file.as_ref().map_or(u64::MAX, |bytes| bytes.len() as u64);
            hash.update(length.to_be_bytes());
            hash.update(file.as_deref().unwrap_or_default());
        }
        hash.finalize().into()
    }

    fn parse(
        &self,
        paths: &TlsPaths,
        realm: Realm,
        provider: &Arc<CryptoProvider>,
    ) -> Result<(Loaded, PeerIdentity), TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(self.ca.as_deref(), &paths.ca)? {
            roots.add(certificate)?;
        }
        let chain = certificates(self.cert.as_deref(), &paths.cert)?;
        let own = identity::peer(chain.first().map(AsRef::as_ref).unwrap_or_default(), realm)?;
        let key = self
            .key
            .as_deref()
            .and_then(|pem| PrivateKeyDer::from_pem_slice(pem).ok());
        let key = key.ok_or_else(|| TlsError::Pem {
            path: paths.key.clone(),
            what: "private key",
        })?;
        let clients =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots.clone()), Arc::clone(provider))
                .build()
                .map_err(|error| rustls::Error::General(error.to_string()))?;
        let certified = Arc::new(CertifiedKey::from_der(chain, key, provider)?);
        let loaded = Loaded {
            roots,
            clients,
            ends: end(&certified.cert)?,
            certified,
        };
        loaded.check_own(provider).map_err(TlsError::NotVouchedFor)?;
        Ok((loaded, own))
    }
}

impl Loaded {
    /// The checks of the chain that peers make when this node calls them, and when they call it.
    fn check_own(&self, provider: &CryptoProvider) -> Result<(), rustls::Error> {
        let now = UnixTime::now();
        let (own, intermediates) = self
            .certified
            .cert
            .split_first()
            .ok_or(rustls::Error::NoCertificatesPresented)?;
        self.clients.verify_client_cert(own, intermediates, now)?;
        let algorithms = provider.signature_verification_algorithms;
        verify_server(self, own, intermediates, now, algorithms)
    }
}

/// When the first of these certificates ends.
fn end(chain: &[CertificateDer<'_>]) -> Result<SystemTime, IdentityError> {
    let ends = chain.iter().map(|certificate| identity::end(certificate));
    let ends = ends.collect::<Result<Vec<_>, _>>()?;
    ends.into_iter().min().ok_or(IdentityError::Malformed)
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= FILE_BYTES_MAX).then_some(bytes)
}

fn certificates(pem: Option<&[u8]>, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = pem.map(|pem| CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>());
    match found {
        Some(Ok(found)) if !found.is_empty() => Ok(found),
        Some(_) | None => Err(TlsError::Pem {
            path: path.to_owned(),
            what: "certificate",
        }),
    }
}
