//! Where a cluster is and who the caller is. Key material given here never shows itself.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::ClientError;

/// PEM text, by path or as bytes.
#[derive(Clone)]
pub enum Pem {
    /// Read when connecting.
    Path(PathBuf),
    /// The text itself.
    Bytes(Vec<u8>),
}

impl Pem {
    /// The text. `what` names it in the error.
    pub(crate) fn read(&self, what: &str) -> Result<Vec<u8>, ClientError> {
        match self {
            Pem::Bytes(bytes) => Ok(bytes.clone()),
            Pem::Path(path) => std::fs::read(path).map_err(|error| {
                ClientError::bad_context(format!("cannot read {what} {}: {error}", path.display()))
            }),
        }
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pem::Path(path) => write!(f, "Pem({})", path.display()),
            Pem::Bytes(_) => f.write_str("Pem(…)"),
        }
    }
}

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// TCP and TLS to one node.
    pub connect: Duration,
    /// One attempt of a call; sent to the server as its deadline.
    pub attempt: Duration,
    /// A call with all its attempts and pauses; for streams, the time without any progress.
    pub call: Duration,
    /// Silence on a tail (heartbeats count) after which it is resumed elsewhere.
    pub tail_silence: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            attempt: Duration::from_secs(10),
            call: Duration::from_secs(30),
            tail_silence: Duration::from_secs(30),
        }
    }
}

/// What [`crate::Client::connect`] needs.
#[derive(Clone, Debug)]
pub struct Context {
    /// `host:port` of the nodes' client services (an `https://` in front is accepted).
    pub endpoints: Vec<String>,
    /// Certificates that vouch for the nodes.
    pub ca: Pem,
    /// The caller's certificate chain.
    pub cert: Pem,
    /// The caller's private key.
    pub key: Pem,
    /// The controller that calls are made for.
    pub tenant: String,
    /// The name that every node's certificate must hold.
    pub server_name: String,
    /// Time limits.
    pub timeouts: Timeouts,
}

impl Context {
    /// A context with the server name `localhost` and the default time limits.
    pub fn new(
        endpoints: impl IntoIterator<Item = impl Into<String>>,
        ca: Pem,
        cert: Pem,
        key: Pem,
        tenant: impl Into<String>,
    ) -> Self {
        Self {
            endpoints: endpoints.into_iter().map(Into::into).collect(),
            ca,
            cert,
            key,
            tenant: tenant.into(),
            server_name: "localhost".to_owned(),
            timeouts: Timeouts::default(),
        }
    }
}
