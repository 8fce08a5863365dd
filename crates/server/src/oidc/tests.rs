use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData as _, SignatureAlgorithm};
use serde_json::json;
use tempfile::TempDir;

use super::*;

const ISSUER: &str = "https://login.example.eu";

/// An issuer with a key `e` for EdDSA and a key `p` for ES256, and the file that names them.
struct World {
    ed: KeyPair,
    ec: KeyPair,
    folder: TempDir,
}

fn pair(algorithm: &'static SignatureAlgorithm) -> KeyPair {
    KeyPair::generate_for(algorithm).unwrap()
}

fn ed_jwk(id: &str, key: &KeyPair) -> Value {
    let x = URL_SAFE_NO_PAD.encode(key.der_bytes());
    json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": id, "use": "sig"})
}

fn ec_jwk(id: &str, key: &KeyPair) -> Value {
    let point = key.der_bytes();
    let part = |range: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(&point[range]);
    json!({"kty": "EC", "crv": "P-256", "x": part(1..33), "y": part(33..65), "kid": id, "alg": "ES256"})
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn good_claims() -> Value {
    json!({
        "iss": ISSUER, "aud": ["other", "eunoe"], "exp": now() + 600, "nbf": now() - 600,
        "tenant": "acme", "role": "subject", "sub": "visitor/anna"
    })
}

fn signed(key: &EncodingKey, algorithm: Algorithm, id: Option<&str>, claims: &Value) -> String {
    let mut header = Header::new(algorithm);
    header.kid = id.map(str::to_owned);
    encode(&header, claims, key).unwrap()
}

impl World {
    fn new() -> Self {
        let world = Self {
            ed: pair(&PKCS_ED25519),
            ec: pair(&PKCS_ECDSA_P256_SHA256),
            folder: tempfile::tempdir().unwrap(),
        };
        world.publish(&[ed_jwk("e", &world.ed), ec_jwk("p", &world.ec)]);
        world
    }

    fn publish(&self, keys: &[Value]) {
        std::fs::write(self.path(), json!({"keys": keys}).to_string()).unwrap();
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("jwks.json")
    }

    fn issuer(&self) -> Issuer {
        Issuer::load(&Oidc {
            issuer: ISSUER.to_owned(),
            audience: "eunoe".to_owned(),
            jwks_file: self.path(),
            tenant_claim: "tenant".to_owned(),
            role_claim: "role".to_owned(),
            subject_claim: "sub".to_owned(),
            leeway_seconds: 30,
            token_bytes_max: 2_048,
        })
        .unwrap()
    }

    fn ed_key(&self) -> EncodingKey {
        EncodingKey::from_ed_der(&self.ed.serialize_der())
    }

    fn token(&self, claims: &Value) -> String {
        signed(&self.ed_key(), Algorithm::EdDSA, Some("e"), claims)
    }

    /// The refusal of the good claims with one of them replaced, or left out.
    fn refusal(&self, claim: &str, value: Value) -> Option<TokenError> {
        let mut claims = good_claims();
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(claim);
        } else {
            claims[claim] = value;
        }
        self.issuer().verify(&self.token(&claims)).err()
    }
}

#[test]
fn a_token_names_tenant_role_and_person() {
    let world = World::new();
    let claims = good_claims();
    let ec = EncodingKey::from_ec_der(&world.ec.serialize_der());
    for token in [
        world.token(&claims),
        signed(&ec, Algorithm::ES256, Some("p"), &claims),
    ] {
        let named = world.issuer().verify(&token).unwrap();
        assert_eq!(named.tenant, TenantScope::Name(TenantId::new("acme").unwrap()));
        assert_eq!(named.role, Role::Subject);
        assert_eq!(named.subject.as_deref(), Some("visitor/anna"));
        let until = named.until.unwrap().duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert_eq!(until, claims["exp"].as_u64().unwrap() + 30);
    }
}

#[test]
fn each_claim_that_is_wrong_is_refused_by_name() {
    let world = World::new();
    for (claim, value, expected) in [
        ("exp", json!(now() - 60), TokenError::Expired),
        ("exp", Value::Null, TokenError::Claims),
        ("exp", json!("tomorrow"), TokenError::Claims),
        ("nbf", json!(now() + 60), TokenError::NotYetValid),
        ("nbf", json!("now"), TokenError::Claims),
        ("iss", json!("https://login.example.com"), TokenError::Issuer),
        ("iss", Value::Null, TokenError::Claims),
        ("aud", json!("eunoe2"), TokenError::Audience),
        ("aud", json!(["a", "b"]), TokenError::Audience),
        ("aud", Value::Null, TokenError::Claims),
        ("role", json!("root"), TokenError::Claims),
        ("role", json!(["subject"]), TokenError::Claims),
        ("role", Value::Null, TokenError::Claims),
        ("tenant", json!("ACME"), TokenError::Claims),
        ("tenant", json!("*"), TokenError::Claims),
        ("tenant", Value::Null, TokenError::Claims),
        ("sub", json!(""), TokenError::Claims),
        ("sub", json!("x".repeat(129)), TokenError::Claims),
        ("sub", Value::Null, TokenError::Claims),
    ] {
        assert_eq!(
            world.refusal(claim, value.clone()),
            Some(expected),
            "{claim} {value}"
        );
    }
    // Within the leeway, and what is optional.
    assert_eq!(world.refusal("exp", json!(now() - 5)), None);
    assert_eq!(world.refusal("nbf", Value::Null), None);
}

#[test]
fn an_operator_is_for_all_tenants_and_needs_no_person() {
    let world = World::new();
    let claims = json!({"iss": ISSUER, "aud": "eunoe", "exp": now() + 60, "tenant": "*", "role": "operator"});
    let named = world.issuer().verify(&world.token(&claims)).unwrap();
    assert_eq!(
        (named.tenant, named.role, named.subject),
        (TenantScope::Any, Role::Operator, None)
    );
}

#[test]
fn only_the_issuers_keys_sign_and_only_with_their_algorithm() {
    let world = World::new();
    let (issuer, claims) = (world.issuer(), good_claims());
    let foreign = EncodingKey::from_ed_der(&pair(&PKCS_ED25519).serialize_der());
    let ec = EncodingKey::from_ec_der(&world.ec.serialize_der());
    // A public key is no secret: whoever takes it for one lets anybody sign.
    let mac = EncodingKey::from_secret(world.ed.der_bytes());
    for (what, token) in [
        (
            "foreign key",
            signed(&foreign, Algorithm::EdDSA, Some("e"), &claims),
        ),
        (
            "unknown id",
            signed(&world.ed_key(), Algorithm::EdDSA, Some("x"), &claims),
        ),
        (
            "another key's id",
            signed(&ec, Algorithm::ES256, Some("e"), &claims),
        ),
        ("a MAC", signed(&mac, Algorithm::HS256, Some("e"), &claims)),
    ] {
        assert_eq!(issuer.verify(&token).err(), Some(TokenError::Signature), "{what}");
    }
    // Claims of one token under the signature of another.
    let (good, mut other) = (world.token(&claims), claims.clone());
    other["role"] = json!("platform");
    let other = world.token(&other);
    let (good, other): (Vec<_>, Vec<_>) = (good.split('.').collect(), other.split('.').collect());
    let mixed = [good[0], other[1], good[2]].join(".");
    assert_eq!(issuer.verify(&mixed).err(), Some(TokenError::Signature));
}

#[test]
fn what_is_no_token_is_malformed() {
    let world = World::new();
    let (issuer, claims) = (world.issuer(), good_claims());
    let good = world.token(&claims);
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let body = good.split('.').nth(1).unwrap();
    let none = format!("{}.{body}.", part(r#"{"alg":"none","kid":"e"}"#));
    let mut critical = Header::new(Algorithm::EdDSA);
    critical.kid = Some("e".to_owned());
    critical.crit = Some(vec!["b64".to_owned()]);
    let critical = encode(&critical, &claims, &world.ed_key()).unwrap();
    let mut huge = claims.clone();
    huge["more"] = json!("x".repeat(2_048));
    for token in [
        String::new(),
        "a.b.c".to_owned(),
        good.replace('.', ""),
        format!("{good}.{good}"),
        none,
        critical,
        signed(&world.ed_key(), Algorithm::EdDSA, None, &claims),
        world.token(&huge),
    ] {
        assert_eq!(
            issuer.verify(&token).err(),
            Some(TokenError::Malformed),
            "{token}"
        );
    }
}

#[test]
fn keys_are_read_again_and_a_broken_file_changes_nothing() {
    let world = World::new();
    let issuer = world.issuer();
    assert_eq!(issuer.reload().unwrap(), Look::Same);
    let token = world.token(&good_claims());
    std::fs::write(world.path(), "{").unwrap();
    let error = issuer.reload().unwrap_err();
    assert!(error.to_string().contains("jwks.json"), "{error}");
    assert_eq!(
        issuer.reload().unwrap(),
        Look::StillBad,
        "the same contents are told once"
    );
    assert!(issuer.verify(&token).is_ok());
    let new = pair(&PKCS_ED25519);
    world.publish(&[ed_jwk("n", &new)]);
    assert_eq!(issuer.reload().unwrap(), Look::New);
    assert_eq!(issuer.verify(&token).err(), Some(TokenError::Signature));
    let new = EncodingKey::from_ed_der(&new.serialize_der());
    let token = signed(&new, Algorithm::EdDSA, Some("n"), &good_claims());
    assert!(issuer.verify(&token).is_ok());
}

#[test]
fn a_well_formed_set_without_the_key_ends_its_trust_at_once() {
    let world = World::new();
    let issuer = world.issuer();
    let token = world.token(&good_claims());
    world.publish(&[]);
    assert_eq!(issuer.reload().unwrap(), Look::New);
    assert_eq!(issuer.verify(&token).err(), Some(TokenError::Signature));
    assert_eq!(
        world.issuer().verify(&token).err(),
        Some(TokenError::Signature),
        "a node starts with such a set, too"
    );
    world.publish(&[ed_jwk("e", &world.ed)]);
    assert_eq!(issuer.reload().unwrap(), Look::New);
    assert!(issuer.verify(&token).is_ok());
    // Keys of a kind that is not known here: told as an error, and the old ones are not in it either.
    world.publish(&[json!({"kty": "new"})]);
    assert!(issuer.reload().is_err());
    assert_eq!(issuer.verify(&token).err(), Some(TokenError::Signature));
}

#[test]
fn keys_whose_file_is_gone_or_torn_count_for_another_hour() {
    let later = |minutes: u64| Instant::now() + Duration::from_secs(60 * minutes);
    let world = World::new();
    let token = world.token(&good_claims());
    for contents in [None, Some("{")] {
        world.publish(&[ed_jwk("e", &world.ed)]);
        let issuer = world.issuer();
        // The hour begins when the file was last seen good, not when it was read.
        assert_eq!(issuer.reload_at(later(30)).unwrap(), Look::Same);
        match contents {
            None => std::fs::remove_file(world.path()).unwrap(),
            Some(contents) => std::fs::write(world.path(), contents).unwrap(),
        }
        assert!(issuer.reload_at(later(31)).is_err());
        assert_eq!(issuer.reload_at(later(89)).unwrap(), Look::StillBad);
        assert!(issuer.verify_at(&token, later(89)).is_ok());
        // A disk that hangs keeps the file from being looked at, and no key alive.
        assert_eq!(
            issuer.verify_at(&token, later(91)).err(),
            Some(TokenError::Signature)
        );
        assert!(issuer.reload_at(later(91)).is_err(), "the end is told");
        assert_eq!(issuer.reload_at(later(92)).unwrap(), Look::StillBad);
        world.publish(&[ed_jwk("e", &world.ed)]);
        assert_eq!(issuer.reload_at(later(93)).unwrap(), Look::New);
        assert!(issuer.verify_at(&token, later(93)).is_ok());
    }
}

#[test]
fn sets_that_leave_a_question_are_refused() {
    let key = pair(&PKCS_ED25519);
    let parse =
        |keys: &[Value]| keys::parse(json!({"keys": keys}).to_string().as_bytes()).map(|set| set.len());
    let good = ed_jwk("a", &key);
    let (mut encrypts, mut nameless, mut other) = (good.clone(), good.clone(), good.clone());
    encrypts["use"] = json!("enc");
    nameless.as_object_mut().unwrap().remove("kid");
    other["alg"] = json!("HS256");
    let secret = json!({"kty": "oct", "k": "c2VjcmV0", "kid": "s"});
    assert_eq!(
        parse(&[good.clone(), secret.clone(), json!({"kty": "new"})]),
        Ok(1)
    );
    assert_eq!(
        parse(&[encrypts, nameless, other, secret]),
        Err(KeySetError::NoKey)
    );
    assert_eq!(parse(&[]), Ok(0));
    assert_eq!(parse(&[good.clone(), good]), Err(KeySetError::SameId));
    let many: Vec<_> = (0..65).map(|id| ed_jwk(&id.to_string(), &key)).collect();
    assert_eq!(parse(&many), Err(KeySetError::TooMany));
    assert_eq!(keys::parse(b"[]").err(), Some(KeySetError::Malformed));
}
