//! Who the caller is and whom it trusts. Files are read again while they are used, and what cannot be used of
//! them changes nothing.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;
use tonic::metadata::AsciiMetadataValue;
use tonic::service::Interceptor;
use tonic::{Request, Status};

use crate::context::{ClientCertificate, Token};
use crate::{ClientError, Context, Pem, tls};

/// How old what was read may be when a call is made.
pub(crate) const CALL_AGE: Duration = Duration::from_secs(5);

/// How old it may be when a connection is made, or a token has been refused.
pub(crate) const NOW: Duration = Duration::ZERO;

/// What all connections and calls of a client share.
pub(crate) struct Credentials {
    sources: Arc<Sources>,
    present: watch::Sender<Present>,
    read_at: Mutex<Instant>,
}

struct Sources {
    ca: Pem,
    certificate: Option<ClientCertificate>,
    token: Option<Token>,
}

struct Present {
    files: tls::Files,
    config: Arc<ClientConfig>,
    generation: u64,
    bearer: Bearer,
}

impl Sources {
    fn tls(&self) -> Result<tls::Files, ClientError> {
        tls::Files::read(&self.ca, self.certificate.as_ref())
    }

    fn bearer(&self) -> Result<Bearer, ClientError> {
        let Some(token) = &self.token else {
            return Ok(Bearer(None));
        };
        let unusable = |_| ClientError::bad_context("the token is no header value");
        let mut value =
            AsciiMetadataValue::try_from(format!("Bearer {}", token.read()?)).map_err(unusable)?;
        value.set_sensitive(true);
        Ok(Bearer(Some(value)))
    }
}

impl Credentials {
    /// Reads everything; anything that cannot be used is an error.
    pub(crate) fn new(context: &Context) -> Result<Arc<Self>, ClientError> {
        if context.certificate.is_none() && context.token.is_none() {
            return Err(ClientError::bad_context(
                "the context has neither a client certificate nor a token",
            ));
        }
        let sources = Sources {
            ca: context.ca.clone(),
            certificate: context.certificate.clone(),
            token: context.token.clone(),
        };
        let (files, bearer) = (sources.tls()?, sources.bearer()?);
        let present = Present {
            config: files.config()?,
            files,
            generation: 0,
            bearer,
        };
        Ok(Arc::new(Self {
            sources: Arc::new(sources),
            present: watch::Sender::new(present),
            read_at: Mutex::new(Instant::now()),
        }))
    }

    /// Reads the files again if that was done longer than `age` ago. A certificate without its key, as between two
    /// writes, is as unusable as a broken one: the old ones stay until the files fit.
    pub(crate) async fn refresh(&self, age: Duration) {
        let mut read_at = self.read_at.lock().await;
        if read_at.elapsed() < age {
            return;
        }
        let sources = Arc::clone(&self.sources);
        let read = tokio::task::spawn_blocking(move || (sources.tls(), sources.bearer()));
        // It fails only when the runtime ends.
        let Ok((files, bearer)) = read.await else {
            return;
        };
        *read_at = Instant::now();
        self.present.send_modify(|present| {
            if let Ok(files) = files
                && files != present.files
                && let Ok(config) = files.config()
            {
                present.files = files;
                present.config = config;
                present.generation += 1;
            }
            if let Ok(bearer) = bearer {
                present.bearer = bearer;
            }
        });
    }

    /// For the next handshake.
    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.present.borrow().config)
    }

    /// Another number whenever the next handshake differs from the ones before.
    pub(crate) fn generation(&self) -> u64 {
        self.present.borrow().generation
    }

    /// For the next call.
    pub(crate) fn bearer(&self) -> Bearer {
        self.present.borrow().bearer.clone()
    }
}

/// Adds the token to every call. Its value is sensitive: it shows in no `Debug`, and HTTP/2 does not index it.
#[derive(Clone, PartialEq)]
pub(crate) struct Bearer(Option<AsciiMetadataValue>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}
