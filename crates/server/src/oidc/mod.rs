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
use std::time::{Duration, Instant, UNIX_EPOCH};

use eunoe_types::{ErrorCode, Role, TenantId, limits};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Validation, decode, decode_header};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

pub use keys::KeySetError;
use keys::{Key, KeySet};

use crate::config::Oidc;
use crate::edge::ApiError;
use crate::reload::Look;
use crate::tls::{ClientIdentity, TenantScope};

const FILE_BYTES_MAX: u64 = 256 << 10;
/// So long keys are trusted after their file was last seen good: a file that is missing or torn is a fault of the platform, and
/// people need time to see the alarm and repair it before everybody is locked out; a file that was deleted because a key was
/// stolen must come to an end all the same. Whoever wants that end at once writes a set without keys.
const KEEP: Duration = Duration::from_secs(3_600);

/// The issuer's keys cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the issuer's keys in {path}: {error}", path = path.display())]
pub struct IssuerError {
    path: PathBuf,
    error: KeySetError,
}

impl IssuerError {
    fn of(config: &Oidc, error: KeySetError) -> Self {
        Self {
            path: config.jwks_file.clone(),
            error,
        }
    }
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
    trusted: RwLock<Trusted>,
    /// The file as it was looked at last: a bad one is told once.
    seen: Mutex<Seen>,
}

struct Trusted {
    keys: Arc<KeySet>,
    /// When the file was last seen good.
    seen: Instant,
}

impl Trusted {
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.seen) > KEEP
    }
}

struct Seen {
    digest: Option<[u8; 32]>,
    good: bool,
}

impl Issuer {
    /// Reads the issuer's keys. A set without keys is taken: nobody is trusted then.
    pub fn load(config: &Oidc) -> Result<Self, IssuerError> {
        Self::load_at(config, Instant::now())
    }

    fn load_at(config: &Oidc, now: Instant) -> Result<Self, IssuerError> {
        let file = read(&config.jwks_file);
        let keys = parse(file.as_deref()).map_err(|error| IssuerError::of(config, error))?;
        if keys.is_empty() {
            tracing::warn!("the issuer's key set is empty: no token is taken");
        }
        Ok(Self::of(config.clone(), keys, digest(file.as_deref()), now))
    }

    /// An issuer with keys whose file was seen good `now`.
    fn of(config: Oidc, keys: KeySet, digest: Option<[u8; 32]>, now: Instant) -> Self {
        let trusted = Trusted {
            keys: Arc::new(keys),
            seen: now,
        };
        let inner = Inner {
            config,
            trusted: RwLock::new(trusted),
            seen: Mutex::new(Seen { digest, good: true }),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Reads the keys again if the file changed since it was last looked at. It blocks on the disk.
    ///
    /// What a well-formed set does not name is not trusted from now on, even if it names nothing that can be used. When
    /// there is no such set, the keys from before count for another hour at most. The error comes once for the same contents,
    /// and once more when that hour is over.
    pub fn reload(&self) -> Result<Look, IssuerError> {
        self.reload_at(Instant::now())
    }

    fn reload_at(&self, now: Instant) -> Result<Look, IssuerError> {
        let refused = |error| Err(IssuerError::of(&self.inner.config, error));
        let file = read(&self.inner.config.jwks_file);
        let mut seen = self.inner.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut trusted = self.inner.trusted.write().unwrap_or_else(PoisonError::into_inner);
        let digest = digest(file.as_deref());
        if seen.digest == digest && seen.good {
            trusted.seen = now;
            return Ok(Look::Same);
        }
        if seen.digest == digest {
            if trusted.is_over(now) && !trusted.keys.is_empty() {
                trusted.keys = Arc::default();
                return refused(KeySetError::Overdue);
            }
            return Ok(Look::StillBad);
        }
        let parsed = parse(file.as_deref());
        *seen = Seen {
            digest,
            good: parsed.is_ok(),
        };
        match parsed {
            Ok(keys) => {
                if keys.is_empty() {
                    tracing::warn!("the issuer's key set is empty now: no token is taken");
                }
                let keys = Arc::new(keys);
                *trusted = Trusted { keys, seen: now };
                Ok(Look::New)
            }
            Err(error) => {
                if error == KeySetError::NoKey {
                    trusted.keys = Arc::default();
                }
                refused(error)
            }
        }
    }

    /// Who a token names, now.
    pub fn verify(&self, token: &str) -> Result<ClientIdentity, TokenError> {
        self.verify_at(token, Instant::now())
    }

    fn verify_at(&self, token: &str, now: Instant) -> Result<ClientIdentity, TokenError> {
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
        let Key { algorithms, key } = self.keys(now).get(&id).cloned().ok_or(TokenError::Signature)?;
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

    /// The keys that count now. Their age is looked at here too: a disk that hangs keeps `reload` from it.
    fn keys(&self, now: Instant) -> Arc<KeySet> {
        let trusted = self.inner.trusted.read().unwrap_or_else(PoisonError::into_inner);
        if trusted.is_over(now) {
            Arc::default()
        } else {
            Arc::clone(&trusted.keys)
        }
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
            by_token: true,
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

fn digest(file: Option<&[u8]>) -> Option<[u8; 32]> {
    file.map(|bytes| Sha256::digest(bytes).into())
}

fn parse(file: Option<&[u8]>) -> Result<KeySet, KeySetError> {
    file.ok_or(KeySetError::Unreadable).and_then(keys::parse)
}

#[cfg(test)]
mod tests;
