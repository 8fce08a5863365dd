//! The issuer of a development cluster's tokens. Not for production: its key lies beside the data.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use eunoe_types::{Role, TenantId};
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::KeyPair;
use serde::Serialize;
use serde_json::json;

use super::layout::Layout;
use crate::args::{Global, seconds};
use crate::failure::Failure;
use crate::files::{self, Access};
use crate::output;

/// What the tokens name as their issuer.
pub(super) const ISSUER: &str = "https://issuer.eunoe.invalid";
/// Whom they are for.
pub(super) const AUDIENCE: &str = "eunoe";
const KEY_ID: &str = "dev-1";
const ALGORITHM: Algorithm = Algorithm::ES256;

/// `eunoe dev token`; tenant and role are --tenant and --role.
#[derive(Args)]
pub(super) struct TokenArgs {
    /// The tenant's reference for the person; roles agent and subject need one
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
    /// Seconds until the token ends
    #[arg(long, value_name = "SECONDS", default_value = "600", value_parser = seconds)]
    ttl: Duration,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'static str,
    aud: &'static str,
    exp: u64,
    tenant: &'a str,
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
}

/// The file with the issuer's public keys.
pub(super) fn key_set(layout: &Layout) -> PathBuf {
    layout.oidc().join("jwks.json")
}

fn private_key(layout: &Layout) -> PathBuf {
    layout.oidc().join("issuer.pem")
}

/// Makes the issuer's key and publishes its public half, unless that was done before.
pub(super) fn make_once(layout: &Layout) -> Result<(), Failure> {
    let published = key_set(layout);
    if published.is_file() {
        return Ok(());
    }
    files::make_folder(&layout.oidc())?;
    let key = KeyPair::generate().map_err(|error| unmade(&error))?;
    let signing = EncodingKey::from_ec_der(key.serialized_der());
    let mut public = Jwk::from_encoding_key(&signing, ALGORITHM).map_err(|error| unmade(&error))?;
    public.common.key_id = Some(KEY_ID.to_owned());
    let text = serde_json::to_string(&JwkSet { keys: vec![public] }).map_err(|error| unmade(&error))?;
    files::write(&private_key(layout), &key.serialize_pem(), Access::Private)?;
    // Last: with it, the issuer is complete.
    files::write(&published, &text, Access::Public)
}

/// Prints a token.
pub(super) fn run(global: &Global, dir: &Path, arguments: &TokenArgs) -> Result<(), Failure> {
    let (layout, _) = Layout::existing(dir)?;
    let token = token(&layout, global, arguments)?;
    output::result(global.output, &json!({"token": token}), || token.clone())
}

fn token(layout: &Layout, global: &Global, arguments: &TokenArgs) -> Result<String, Failure> {
    let role = global.role.ok_or_else(|| Failure::usage("--role is missing"))?;
    let tenant = global
        .tenant
        .as_deref()
        .ok_or_else(|| Failure::usage("--tenant is missing"))?;
    if tenant != "*" || role != Role::Operator {
        TenantId::new(tenant).map_err(|error| Failure::usage(format!("--tenant: {error}")))?;
    }
    let subject = arguments.subject.as_deref();
    if matches!(role, Role::Agent | Role::Subject) && subject.is_none() {
        let role = role.name();
        return Err(Failure::usage(format!(
            "--subject is missing: role {role} names a person"
        )));
    }
    let ends = SystemTime::now() + arguments.ttl;
    let claims = Claims {
        iss: ISSUER,
        aud: AUDIENCE,
        exp: ends.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
        tenant,
        role: role.name(),
        sub: subject,
    };
    let key = KeyPair::from_pem(&files::read(&private_key(layout))?).map_err(|error| unmade(&error))?;
    let mut header = Header::new(ALGORITHM);
    header.kid = Some(KEY_ID.to_owned());
    let signing = EncodingKey::from_ec_der(key.serialized_der());
    jsonwebtoken::encode(&header, &claims, &signing).map_err(|error| unmade(&error))
}

fn unmade(error: &dyn std::fmt::Display) -> Failure {
    Failure::io("make tokens", error)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use jsonwebtoken::{DecodingKey, Validation};

    use super::*;
    use crate::args::Arguments;

    fn global(extra: &[&str]) -> Global {
        let base = ["eunoe", "dev", "stop"];
        Arguments::try_parse_from(base.iter().chain(extra))
            .unwrap()
            .global
    }

    fn person(subject: Option<&str>) -> TokenArgs {
        TokenArgs {
            subject: subject.map(str::to_owned),
            ttl: Duration::from_secs(600),
        }
    }

    #[test]
    fn a_token_says_who_calls_and_is_signed_by_the_published_key() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::at(folder.path()).unwrap();
        make_once(&layout).unwrap();
        let published = files::read(&key_set(&layout)).unwrap();
        make_once(&layout).unwrap();
        assert_eq!(files::read(&key_set(&layout)).unwrap(), published);

        let global = global(&["--tenant", "acme", "--role", "subject"]);
        let token = token(&layout, &global, &person(Some("visitor/anna"))).unwrap();
        let keys: JwkSet = serde_json::from_str(&published).unwrap();
        let key = DecodingKey::from_jwk(keys.find(KEY_ID).unwrap()).unwrap();
        let mut validation = Validation::new(ALGORITHM);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        let claims = jsonwebtoken::decode::<serde_json::Value>(&token, &key, &validation)
            .unwrap()
            .claims;
        assert_eq!(
            [&claims["tenant"], &claims["role"], &claims["sub"]],
            ["acme", "subject", "visitor/anna"]
        );
    }

    #[test]
    fn a_token_that_would_name_nobody_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::at(folder.path()).unwrap();
        make_once(&layout).unwrap();
        for (arguments, field) in [
            (["--tenant", "acme"].as_slice(), "--role"),
            (&["--role", "dpo"], "--tenant"),
            (&["--role", "dpo", "--tenant", "*"], "--tenant"),
            (&["--role", "agent", "--tenant", "acme"], "--subject"),
        ] {
            let error = token(&layout, &global(arguments), &person(None)).unwrap_err();
            assert!(error.to_string().starts_with(field), "{error}");
        }
        let operator = global(&["--role", "operator", "--tenant", "*"]);
        token(&layout, &operator, &person(None)).unwrap();
    }
}
