//! An OpenID Connect issuer with one key, and tokens of all kinds.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData as _};
use serde_json::{Value, json};

use super::TENANT;

const ISSUER: &str = "https://login.example.eu";
const KEY: &str = "one";

/// What is wrong with a token, the token, and the reason of its refusal.
type BadToken = (&'static str, String, &'static str);

pub(super) struct Issuer {
    key: KeyPair,
    foreign: KeyPair,
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn claims(role: &str, person: &str) -> Value {
    json!({
        "iss": ISSUER, "aud": "eunoe", "exp": now() + 3_600, "nbf": now() - 3_600,
        "tenant": TENANT, "role": role, "sub": person
    })
}

fn sign(key: &KeyPair, id: &str, claims: &Value) -> String {
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some(id.to_owned());
    encode(&header, claims, &EncodingKey::from_ed_der(&key.serialize_der())).unwrap()
}

impl Issuer {
    /// An issuer whose keys are in a file; the lines of a node's configuration that name it.
    pub(super) fn publish(file: &Path) -> (Self, String) {
        let pair = || KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let issuer = Self {
            key: pair(),
            foreign: pair(),
        };
        let x = URL_SAFE_NO_PAD.encode(issuer.key.der_bytes());
        let keys = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x, "kid": KEY, "use": "sig"}]});
        fs::write(file, keys.to_string()).unwrap();
        let table = format!(
            "[identity.oidc]\nissuer = \"{ISSUER}\"\naudience = \"eunoe\"\njwks_file = \"{}\"\n",
            file.display()
        );
        (issuer, table)
    }

    /// A good token.
    pub(super) fn token(&self, role: &str, person: &str) -> String {
        sign(&self.key, KEY, &claims(role, person))
    }

    /// A platform's token, good but for one claim; without the claim where the value is null.
    pub(super) fn wrong(&self, claim: &str, value: Value) -> String {
        let mut claims = claims("platform", "clerk");
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(claim);
        } else {
            claims[claim] = value;
        }
        sign(&self.key, KEY, &claims)
    }

    /// Tokens that name nobody.
    pub(super) fn bad_tokens(&self) -> Vec<BadToken> {
        [self.forged(), self.ill_worded()].concat()
    }

    fn forged(&self) -> Vec<BadToken> {
        let good = claims("platform", "clerk");
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        // The public key is no secret: whoever takes it for one of a MAC accepts everybody's tokens.
        let mut mac = Header::new(Algorithm::HS256);
        mac.kid = Some(KEY.to_owned());
        let secret = EncodingKey::from_secret(self.key.der_bytes());
        let unsigned = [
            part(&json!({"alg": "none", "kid": KEY})),
            part(&good),
            String::new(),
        ]
        .join(".");
        let token = self.token("platform", "clerk");
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let officer = self.token("dpo", "clerk");
        let (other_signed, _) = officer.rsplit_once('.').unwrap();
        let foreign = sign(&self.foreign, KEY, &good);
        let mut critical = Header::new(Algorithm::EdDSA);
        critical.kid = Some(KEY.to_owned());
        critical.crit = Some(vec!["exp".to_owned()]);
        let own = EncodingKey::from_ed_der(&self.key.serialize_der());
        vec![
            ("no token at all", "no.token".into(), "TOKEN_MALFORMED"),
            ("half a token", signed.into(), "TOKEN_MALFORMED"),
            ("a token of 9,000 bytes", "x".repeat(9_000), "TOKEN_MALFORMED"),
            ("alg none", unsigned, "TOKEN_MALFORMED"),
            ("a MAC", encode(&mac, &good, &secret).unwrap(), "TOKEN_SIGNATURE"),
            ("a foreign key", foreign, "TOKEN_SIGNATURE"),
            (
                "an unknown key id",
                sign(&self.key, "two", &good),
                "TOKEN_SIGNATURE",
            ),
            (
                "another token's signature",
                format!("{other_signed}.{signature}"),
                "TOKEN_SIGNATURE",
            ),
            (
                "what nobody understands",
                encode(&critical, &good, &own).unwrap(),
                "TOKEN_MALFORMED",
            ),
        ]
    }

    /// Signed as they should be.
    fn ill_worded(&self) -> Vec<BadToken> {
        vec![
            ("expired", self.wrong("exp", json!(now() - 600)), "TOKEN_EXPIRED"),
            (
                "not yet valid",
                self.wrong("nbf", json!(now() + 600)),
                "TOKEN_NOT_YET_VALID",
            ),
            ("without an end", self.wrong("exp", Value::Null), "TOKEN_CLAIMS"),
            (
                "a foreign issuer",
                self.wrong("iss", json!("https://login.example.com")),
                "TOKEN_ISSUER",
            ),
            (
                "a foreign audience",
                self.wrong("aud", json!("shop")),
                "TOKEN_AUDIENCE",
            ),
            (
                "an unknown role",
                self.wrong("role", json!("root")),
                "TOKEN_CLAIMS",
            ),
            ("all tenants", self.wrong("tenant", json!("*")), "TOKEN_CLAIMS"),
            (
                "a subject without a name",
                self.token("subject", ""),
                "TOKEN_CLAIMS",
            ),
        ]
    }
}
