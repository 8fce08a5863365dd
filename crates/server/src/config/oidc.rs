//! `[identity]`: whose tokens are taken beside certificates.

use std::path::PathBuf;

use serde::Deserialize;

use super::{ConfigError, is_text, require};

/// Seconds that clocks may differ.
const LEEWAY_SECONDS_MAX: u64 = 300;
/// A token and the other headers of a request share 16 KiB.
const TOKEN_BYTES: std::ops::RangeInclusive<usize> = 256..=12_288;

/// An OpenID Connect issuer whose tokens name callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oidc {
    /// What the `iss` of a token must be, to the letter.
    pub issuer: String,
    /// What the `aud` of a token must include.
    pub audience: String,
    /// The issuer's public keys, as a JSON Web Key Set; read again when it changes.
    pub jwks_file: PathBuf,
    /// The claim that names the tenant.
    pub tenant_claim: String,
    /// The claim that names the role.
    pub role_claim: String,
    /// The claim that names the person, by the tenant's reference.
    pub subject_claim: String,
    /// Seconds by which the issuer's clock may differ; 0 to 300.
    pub leeway_seconds: u64,
    /// Bytes of a token; 256 to 12,288.
    pub token_bytes_max: usize,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct IdentityFile {
    oidc: Option<OidcFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OidcFile {
    issuer: String,
    audience: String,
    jwks_file: PathBuf,
    tenant_claim: Option<String>,
    role_claim: Option<String>,
    subject_claim: Option<String>,
    leeway_seconds: Option<u64>,
    token_bytes_max: Option<usize>,
}

impl IdentityFile {
    pub(super) fn read(self) -> Option<Oidc> {
        let file = self.oidc?;
        let claim = |given: Option<String>, default: &str| given.unwrap_or_else(|| default.to_owned());
        Some(Oidc {
            issuer: file.issuer,
            audience: file.audience,
            jwks_file: file.jwks_file,
            tenant_claim: claim(file.tenant_claim, "tenant"),
            role_claim: claim(file.role_claim, "role"),
            subject_claim: claim(file.subject_claim, "sub"),
            leeway_seconds: file.leeway_seconds.unwrap_or(30),
            token_bytes_max: file.token_bytes_max.unwrap_or(8_192),
        })
    }
}

impl Oidc {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (name, text) in [
            ("issuer", &self.issuer),
            ("audience", &self.audience),
            ("tenant_claim", &self.tenant_claim),
            ("role_claim", &self.role_claim),
            ("subject_claim", &self.subject_claim),
        ] {
            let field = format!("identity.oidc.{name}");
            require(is_text(text), &field, "must be 1 to 256 printable characters")?;
        }
        let claims = [&self.tenant_claim, &self.role_claim, &self.subject_claim];
        require(
            claims[0] != claims[1] && claims[1] != claims[2] && claims[0] != claims[2],
            "identity.oidc.role_claim",
            "must differ from the other claims, and they from each other",
        )?;
        require(
            !self.jwks_file.as_os_str().is_empty(),
            "identity.oidc.jwks_file",
            "must not be empty",
        )?;
        require(
            self.leeway_seconds <= LEEWAY_SECONDS_MAX,
            "identity.oidc.leeway_seconds",
            "is out of range",
        )?;
        require(
            TOKEN_BYTES.contains(&self.token_bytes_max),
            "identity.oidc.token_bytes_max",
            "is out of range",
        )
    }
}
