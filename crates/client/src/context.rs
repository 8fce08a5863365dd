//! Where a cluster is and who the caller is. Key material given here never shows itself.

use std::fmt;
use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use crate::ClientError;

/// The most that a node takes.
const TOKEN_BYTES_MAX: usize = 12_288;

/// PEM text, by path or as bytes.
#[derive(Clone)]
pub enum Pem {
    /// Read when connecting, and again while the client is used.
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

/// A certificate chain of the caller and its private key.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// The chain, the caller's own certificate first.
    pub cert: Pem,
    /// The private key.
    pub key: Pem,
}

/// A signed JWT of the cluster's issuer that says who calls.
#[derive(Clone)]
pub enum Token {
    /// A file with the token alone, at most 12288 bytes. Read when connecting, and again while the client is used.
    Path(PathBuf),
    /// The text itself.
    Text(String),
}

impl Token {
    /// The text without white space around it.
    pub(crate) fn read(&self) -> Result<String, ClientError> {
        let text = match self {
            Token::Text(text) => text.clone(),
            Token::Path(path) => {
                let mut text = String::new();
                std::fs::File::open(path)
                    .and_then(|file| file.take(TOKEN_BYTES_MAX as u64 + 1).read_to_string(&mut text))
                    .map_err(|error| {
                        ClientError::bad_context(format!("cannot read the token {}: {error}", path.display()))
                    })?;
                text
            }
        };
        if text.len() > TOKEN_BYTES_MAX {
            return Err(ClientError::bad_context(format!(
                "the token is longer than {TOKEN_BYTES_MAX} bytes"
            )));
        }
        match text.trim() {
            "" => Err(ClientError::bad_context("the token is empty")),
            token if token.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(token.to_owned()),
            _ => Err(ClientError::bad_context("the token is not printable ASCII")),
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Token::Path(path) => write!(f, "Token({})", path.display()),
            Token::Text(_) => f.write_str("Token(…)"),
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
    /// The caller's certificate. It can be left out when there is a token, and must cover the token otherwise.
    pub certificate: Option<ClientCertificate>,
    /// The caller's token, sent with every call.
    pub token: Option<Token>,
    /// The controller that calls are made for.
    pub tenant: String,
    /// The name that every node's certificate must hold.
    pub server_name: String,
    /// Time limits.
    pub timeouts: Timeouts,
}

impl Context {
    /// A caller with a certificate, the server name `localhost` and the default time limits.
    pub fn new(
        endpoints: impl IntoIterator<Item = impl Into<String>>,
        ca: Pem,
        cert: Pem,
        key: Pem,
        tenant: impl Into<String>,
    ) -> Self {
        let certificate = Some(ClientCertificate { cert, key });
        Self {
            endpoints: endpoints.into_iter().map(Into::into).collect(),
            ca,
            certificate,
            token: None,
            tenant: tenant.into(),
            server_name: "localhost".to_owned(),
            timeouts: Timeouts::default(),
        }
    }
    /// A caller with a token and no certificate; otherwise as [`Context::new`].
    pub fn with_token(
        endpoints: impl IntoIterator<Item = impl Into<String>>,
        ca: Pem,
        token: Token,
        tenant: impl Into<String>,
    ) -> Self {
        Self {
            endpoints: endpoints.into_iter().map(Into::into).collect(),
            ca,
            certificate: None,
            token: Some(token),
            tenant: tenant.into(),
            server_name: "localhost".to_owned(),
            timeouts: Timeouts::default(),
        }
    }
}
