//! Tokens of an OpenID Connect issuer: who a bearer token names.
//!
//! The issuer's keys come from a file that the platform keeps fresh; a node calls nobody to check a token.

#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod keys;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, UNIX_EPOCH};

use eunoe_types::{ErrorCode, Role, TenantId, limits};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Validation, decode, decode_header};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

pub use keys::KeySetError;
use keys::{Key, KeySet};

use crate::config::Oidc;
use crate::edge::ApiError;
use crate::tls::{ClientIdentity, TenantScope};

const FILE_BYTES_MAX: u64 = 256 << 10;

/// The issuer's keys cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the issuer's keys in {path}: {error}", path = path.display())]
pub struct IssuerError {
    path: PathBuf,
    error: KeySetError,
}

/// Why a token names nobody. Nothing of the token is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// It is no signed JSON Web Token with the id of a key, or too long.
    Malformed,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// It was not signed by a key of the issuer, with an algorithm of that key.
    Signature,
    /// Another issuer made it, or no issuer is trusted here.
    Issuer,
    /// It was made for somebody else.
    Audience,
    /// A claim is missing, or says nothing that is known.
    Claims,
}

impl TokenError {
    /// What programs compare.
    pub fn reason(self) -> &'static str {
        match self {
            TokenError::Malformed => "TOKEN_MALFORMED",
            TokenError::Expired => "TOKEN_EXPIRED",
            TokenError::NotYetValid => "TOKEN_NOT_YET_VALID",
            TokenError::Signature => "TOKEN_SIGNATURE",
            TokenError::Issuer => "TOKEN_ISSUER",
            TokenError::Audience => "TOKEN_AUDIENCE",
            TokenError::Claims => "TOKEN_CLAIMS",
        }
    }

    fn message(self) -> &'static str {
        match self {
            TokenError::Malformed => "the authorization must be one bearer token: a signed JWT with a key id",
            TokenError::Expired => "the token has expired",
            TokenError::NotYetValid => "the token is not valid yet",
            TokenError::Signature => "the token is not signed by a key of the issuer",
            TokenError::Issuer => "the token is not of an issuer that is trusted here",
            TokenError::Audience => "the token was made for another audience",
            TokenError::Claims => {
                "the token must have exp, iss, aud, a tenant, a role, and the person's reference"
            }
        }
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        ApiError::new(ErrorCode::Unauthenticated, error.reason(), error.message())
    }
}

/// The issuer that is trusted. Clones share its keys.
#[derive(Clone)]
pub struct Issuer {
    inner: Arc<Inner>,
}

struct Inner {
    config: Oidc,
    keys: RwLock<Arc<KeySet>>,
    /// The file as it was looked at last, good or bad: a bad one is told once.
    seen: Mutex<Option<[u8; 32]>>,
}

impl Issuer {
    /// Reads the issuer's keys.
    pub fn load(config: &Oidc) -> Result<Self, IssuerError> {
        let file = read(&config.jwks_file);
        let keys = parse(file.as_deref(), &config.jwks_file)?;
        let inner = Inner {
            config: config.clone(),
            keys: RwLock::new(Arc::new(keys)),
            seen: Mutex::new(file.map(|bytes| Sha256::digest(bytes).into())),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Reads the keys again if the file changed since it was last looked at; says whether there is something new.
    /// When it cannot be used the keys from before stay, and the error comes once. It blocks on the disk.
    pub fn reload(&self) -> Result<bool, IssuerError> {
        let path = &self.inner.config.jwks_file;
        let file = read(path);
        let now = file.as_ref().map(|bytes| Sha256::digest(bytes).into());
        let mut seen = self.inner.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == now {
            return Ok(false);
        }
        *seen = now;
        let keys = Arc::new(parse(file.as_deref(), path)?);
        *self.inner.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(true)
    }

    /// Who a token names, now.
    pub fn verify(&self, token: &str) -> Result<ClientIdentity, TokenError> {
        let config = &self.inner.config;
        if token.len() > config.token_bytes_max {
            return Err(TokenError::Malformed);
        }
        let header = decode_header(token).map_err(|_| TokenError::Malformed)?;
        // Who writes `crit` means: refuse it if you do not understand this. Nothing of the kind is understood.
        if header.crit.is_some() {
            return Err(TokenError::Malformed);
        }
        let id = header.kid.ok_or(TokenError::Malformed)?;
        let Key { algorithms, key } = self.keys().get(&id).cloned().ok_or(TokenError::Signature)?;
        let mut validation = Validation::new(header.alg);
        validation.algorithms = algorithms;
        validation.leeway = config.leeway_seconds;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&[&config.issuer]);
        validation.set_audience(&[&config.audience]);
        let token = decode(token, &key, &validation).map_err(|error| refusal(&error))?;
        self.identity(&token.claims)
    }

    fn keys(&self) -> Arc<KeySet> {
        Arc::clone(&self.inner.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn identity(&self, claims: &Map<String, Value>) -> Result<ClientIdentity, TokenError> {
        let config = &self.inner.config;
        let text = |name: &str| claims.get(name).and_then(Value::as_str).ok_or(TokenError::Claims);
        let role = Role::from_name(text(&config.role_claim)?).ok_or(TokenError::Claims)?;
        let tenant = match (text(&config.tenant_claim)?, role) {
            // Whoever runs the cluster runs it for all tenants; nobody else's token is for all.
            ("*", Role::Operator) => TenantScope::Any,
            (name, _) => TenantScope::Name(TenantId::new(name).map_err(|_| TokenError::Claims)?),
        };
        let subject = text(&config.subject_claim).ok().map(str::to_owned);
        let fits = |subject: &String| (1..=limits::REFERENCE_BYTES_MAX).contains(&subject.len());
        let needs_person = matches!(role, Role::Subject | Role::Agent);
        if subject.as_ref().map_or(needs_person, |subject| !fits(subject)) {
            return Err(TokenError::Claims);
        }
        let expires = claims.get("exp").and_then(Value::as_f64);
        let seconds = expires.ok_or(TokenError::Claims)? + config.leeway_seconds as f64;
        // A time beyond what the clock can say is no end.
        let until = Duration::try_from_secs_f64(seconds)
            .ok()
            .and_then(|after| UNIX_EPOCH.checked_add(after));
        Ok(ClientIdentity {
            tenant,
            role,
            subject,
            until,
        })
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library may add kinds")]
fn refusal(error: &Error) -> TokenError {
    match error.kind() {
        ErrorKind::ExpiredSignature => TokenError::Expired,
        ErrorKind::ImmatureSignature => TokenError::NotYetValid,
        ErrorKind::InvalidIssuer => TokenError::Issuer,
        ErrorKind::InvalidAudience => TokenError::Audience,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) => TokenError::Claims,
        ErrorKind::Base64(_) | ErrorKind::Json(_) | ErrorKind::Utf8(_) | ErrorKind::InvalidToken => {
            TokenError::Malformed
        }
        _ => TokenError::Signature,
    }
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= FILE_BYTES_MAX).then_some(bytes)
}

fn parse(file: Option<&[u8]>, path: &Path) -> Result<KeySet, IssuerError> {
    let keys = file.ok_or(KeySetError::Unreadable).and_then(keys::parse);
    keys.map_err(|error| IssuerError {
        path: path.to_owned(),
        error,
    })
}

#[cfg(test)]
mod tests;
