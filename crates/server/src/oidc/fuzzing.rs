//! Key sets, tokens and claims, as fuzzers write them. Claims come without a signature, which no fuzzer finds.

use std::path::PathBuf;
use std::time::Instant;

use eunoe_types::fuzzing::{Reader, text};

use super::{Issuer, keys};
use crate::config::Oidc;
use crate::tls::TenantScope;

/// An Ed25519 key of RFC 8037 (appendix A).
const KEYS: &str =
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"e","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// What comes from an issuer, or from whoever says so.
pub(crate) const READERS: &[Reader] = &[
    ("key set", |json| keys::parse(json).is_ok()),
    ("token", |bytes| {
        text(bytes).is_ok_and(|token| issuer().verify(token).is_ok())
    }),
    ("claims", |json| {
        let claims = serde_json::from_slice(json);
        claims.is_ok_and(|claims| {
            issuer().identity(&claims).is_ok_and(|caller| {
                let whole = caller.tenant == TenantScope::Any;
                assert!(
                    !whole || caller.role == eunoe_types::Role::Operator,
                    "a token is for all"
                );
                true
            })
        })
    }),
];

fn issuer() -> Issuer {
    let claim = str::to_owned;
    let config = Oidc {
        issuer: claim("https://login.example.eu"),
        audience: claim("eunoe"),
        jwks_file: PathBuf::new(),
        tenant_claim: claim("tenant"),
        role_claim: claim("role"),
        subject_claim: claim("sub"),
        leeway_seconds: 60,
        token_bytes_max: 4_096,
    };
    let keys = keys::parse(KEYS.as_bytes()).unwrap_or_default();
    Issuer::of(config, keys, None, Instant::now())
}
