//! The few calls of the transit engine's HTTP API that a vault needs.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use ureq::http::HeaderValue;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};
use zeroize::Zeroizing;

use super::TransitAddress;
use crate::{VaultError, secret_file};

/// For a whole call, from the server's name to the last byte.
const PATIENCE: Duration = Duration::from_secs(10);
/// The names of some thousand keys.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
const CA_BYTES_MAX: u64 = 1 << 20;

/// What is asked.
#[derive(Clone, Copy)]
pub(super) enum Request<'a> {
    Get,
    Post(&'a [u8]),
    Delete,
}

/// A server's answer, whatever its status.
pub(super) struct Answer {
    what: &'static str,
    status: u16,
    // It may be a key.
    body: Zeroizing<Vec<u8>>,
}

impl Answer {
    /// Whether it did what it was asked.
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether the request made no sense to the server, as with a key that there is not.
    pub(super) fn is_bad_request(&self) -> bool {
        self.status == 400
    }

    /// Whether the engine has nothing of that name. An engine that is not mounted, or another server's page, says 404 too,
    /// but not in these words.
    pub(super) fn is_missing(&self) -> bool {
        #[derive(serde::Deserialize)]
        struct Missing {
            errors: Vec<serde_json::Value>,
        }
        let errors = || serde_json::from_slice::<Missing>(&self.body).map(|missing| missing.errors);
        self.status == 404 && errors().is_ok_and(|errors| errors.is_empty())
    }

    /// The data of a success.
    pub(super) fn data<T: DeserializeOwned>(&self) -> Result<T, VaultError> {
        #[derive(serde::Deserialize)]
        struct Success<T> {
            data: T,
        }
        if !self.is_success() {
            return Err(self.refused());
        }
        serde_json::from_slice::<Success<T>>(&self.body)
            .map(|success| success.data)
            .map_err(|_| VaultError::Malformed { what: self.what })
    }

    /// The error that this is. The server's own words stay here: they may repeat what it was sent.
    pub(super) fn refused(&self) -> VaultError {
        VaultError::Refused {
            what: self.what,
            status: self.status,
        }
    }
}

/// A transit engine at the other end of a network.
pub(super) struct Client {
    agent: Agent,
    address: TransitAddress,
    token_file: PathBuf,
}

impl Client {
    /// Reads the authority's certificates and asks the server nothing.
    pub(super) fn new(
        address: TransitAddress,
        ca_file: Option<&Path>,
        token_file: PathBuf,
    ) -> Result<Self, VaultError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let roots = match ca_file {
            Some(path) => certificates(path)?,
            None if address.is_https() => {
                return Err(VaultError::BadFile {
                    file: "the CA file",
                    problem: "is needed for https",
                });
            }
            None => Vec::new(),
        };
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(provider)
            .root_certs(RootCerts::from(roots))
            .build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .https_only(address.is_https())
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            // The token is for this server alone, and directly.
            .max_redirects(0)
            .proxy(None)
            // One that idled through an epoch is mostly dead, and nothing here asks twice.
            .max_idle_connections(0)
            .max_idle_connections_per_host(0)
            .build()
            .into();
        Ok(Self {
            agent,
            address,
            token_file,
        })
    }

    /// Asks for `path` below the mount. The token is read anew: whoever renews it writes another into the file.
    pub(super) fn ask(
        &self,
        what: &'static str,
        path: &str,
        request: Request<'_>,
    ) -> Result<Answer, VaultError> {
        let url = self.address.url(path);
        let token = secret_file::read_line(&self.token_file, "the token file")?;
        let mut token = HeaderValue::from_bytes(token.expose()).map_err(|_| VaultError::BadFile {
            file: "the token file",
            problem: "holds no token",
        })?;
        token.set_sensitive(true);
        const TOKEN: &str = "X-Vault-Token";
        let answered = match request {
            Request::Get => self.agent.get(url).header(TOKEN, token).call(),
            Request::Delete => self.agent.delete(url).header(TOKEN, token).call(),
            Request::Post(body) => self
                .agent
                .post(url)
                .header(TOKEN, token)
                .content_type("application/json")
                .send(body),
        };
        let answer = answered.map_err(|error| failed(what, error))?;
        Ok(Answer {
            what,
            status: answer.status().as_u16(),
            body: read(answer.into_body()).map_err(|error| failed(what, error.into()))?,
        })
    }
}

fn read(body: Body) -> io::Result<Zeroizing<Vec<u8>>> {
    // As large as it may get, so that it never moves and leaves a copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(ANSWER_BYTES_MAX));
    let limit = ANSWER_BYTES_MAX as u64;
    body.into_with_config()
        .limit(limit)
        .reader()
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn failed(what: &'static str, error: ureq::Error) -> VaultError {
    if matches!(error, ureq::Error::Timeout(_)) {
        return VaultError::TimedOut { what };
    }
    VaultError::Unreachable {
        what,
        source: error.into_io(),
    }
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, VaultError> {
    let bad = |problem| VaultError::BadFile {
        file: "the CA file",
        problem,
    };
    let mut pem = Vec::new();
    File::open(path)
        .and_then(|file| file.take(CA_BYTES_MAX).read_to_end(&mut pem))
        .map_err(VaultError::io("reading the CA file"))?;
    let items: Result<Vec<PemItem<'static>>, _> = parse_pem(&pem).collect();
    let mut certificates = Vec::new();
    for item in items.map_err(|_| bad("is no PEM"))? {
        if let PemItem::Certificate(certificate) = item {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(bad("holds no certificate"));
    }
    Ok(certificates)
}
