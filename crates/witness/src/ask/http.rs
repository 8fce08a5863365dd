//! One request to a witness and its answer: bounded in time and size, to that address and no other.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use eunoe_evidence::{AddCheckpoint, NOTE_BYTES_MAX, WitnessAnswer};
use ureq::Agent;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::{AskError, ClientError, WitnessUrl};

/// For a whole exchange, from the witness's name to the last byte.
const PATIENCE: Duration = Duration::from_secs(10);
/// Some hundred certificates; a system has half as many.
const AUTHORITIES_BYTES_MAX: u64 = 1 << 20;

pub(super) struct Http {
    agent: Agent,
    url: String,
}

impl Http {
    pub(super) fn new(url: &WitnessUrl, authorities: Option<&Path>) -> Result<Self, ClientError> {
        let roots = match authorities {
            Some(path) => certificates(path)?,
            None if url.is_https() => return Err(ClientError::NoAuthorities),
            None => Vec::new(),
        };
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .root_certs(RootCerts::from(roots))
            .build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .https_only(url.is_https())
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            // A redirection is another witness's word at best; it comes back as a status that no witness answers with.
            .max_redirects(0)
            .proxy(None)
            // A log asks every some seconds: a connection that idled so long is mostly dead, and nothing here asks twice.
            .max_idle_connections(0)
            .max_idle_connections_per_host(0)
            .build()
            .into();
        Ok(Self {
            agent,
            url: url.add_checkpoint(),
        })
    }

    pub(super) fn exchange<E: std::error::Error + 'static>(
        &self,
        request: &AddCheckpoint,
    ) -> Result<WitnessAnswer, AskError<E>> {
        let answered = self
            .agent
            .post(&self.url)
            .content_type("text/plain; charset=utf-8")
            .send(request.to_string());
        let answer = answered.map_err(failed)?;
        let status = answer.status().as_u16();
        // One byte more than an answer may have, so that a longer one is seen.
        let mut body = Vec::new();
        answer
            .into_body()
            .into_reader()
            .take(NOTE_BYTES_MAX as u64 + 1)
            .read_to_end(&mut body)
            .map_err(|error| failed(ureq::Error::from(error)))?;
        Ok(WitnessAnswer::parse(status, &body)?)
    }
}

fn failed<E: std::error::Error + 'static>(error: ureq::Error) -> AskError<E> {
    if matches!(error, ureq::Error::Timeout(_)) {
        return AskError::TimedOut;
    }
    AskError::Unreachable(error.into_io())
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, ClientError> {
    let io = |source: io::Error| ClientError::Io {
        path: path.to_owned(),
        source,
    };
    let none = || ClientError::NoCertificate {
        path: path.to_owned(),
    };
    let mut pem = Vec::new();
    let file = File::open(path).map_err(io)?;
    file.take(AUTHORITIES_BYTES_MAX)
        .read_to_end(&mut pem)
        .map_err(io)?;
    let items: Result<Vec<PemItem<'static>>, _> = parse_pem(&pem).collect();
    let mut certificates = Vec::new();
    for item in items.map_err(|_| none())? {
        if let PemItem::Certificate(certificate) = item {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(none());
    }
    Ok(certificates)
}
