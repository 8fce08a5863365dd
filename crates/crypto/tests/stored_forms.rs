//! Golden bytes of what this crate stores beside envelopes, rows and tags (those are in `specification.rs`): a form that
//! changes without a new version makes stored keys unreadable.

mod common;

use common::{REALM, Seeded, arena, key, key_ref};
use eunoe_crypto::{
    ChildKeys, IndexKind, IndexRecord, KeyGeneration, KeyKind, KeyRecord, KeyRefs, LocatorKey, MetaPage,
    PageId, PageKeys, RootKey, SecretBytes, Tree,
};
use eunoe_types::{Encoder, Kid, TenantId, TimeMs};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_key_record_keeps_its_form() {
    let generation = |generation, byte| KeyGeneration {
        generation,
        key: key(byte),
        created: TimeMs(300),
    };
    let mut record = KeyRecord {
        kind: KeyKind::Conv,
        kid: Kid([0x0b; 16]),
        created_epoch: 2,
        generations: vec![generation(1, 0x11), generation(3, 0x33)],
        flags: 0,
        locator: None,
        blind: Some(key(0x77)),
    };
    let expected = [
        "01".to_owned(),
        "02".to_owned(),
        "0b".repeat(16),
        "02".to_owned(),
        "00".to_owned(),
        "02".to_owned(),
        format!("01{}ac02", "11".repeat(32)),
        format!("03{}ac02", "33".repeat(32)),
        format!("01{}", "77".repeat(32)),
    ];
    assert_eq!(hex(record.encode().expose()), format!("{}00", expected.concat()));

    let locators = LocatorKey::root(&arena(), &key(1)).expect("memory");
    let tenant = TenantId::new("acme").expect("a name");
    let locator = locators.locate(IndexKind::ConvRef, &tenant, b"ticket-1", 0);
    record.locator = Some(locator);
    let encoded = record.encode();
    let (before, filed) = encoded.expose().split_at(encoded.len() - 33);
    assert_eq!(hex(before), expected.concat());
    assert_eq!(filed[0], 1, "the locator's own test pins its bytes");
    let decoded = KeyRecord::decode(&encoded).expect("its own form");
    assert_eq!(
        decoded.locator,
        Some(locator),
        "a record's index row is found again"
    );
}

#[test]
fn a_key_record_in_any_other_form_is_refused() {
    let record = KeyRecord {
        kind: KeyKind::Subject,
        kid: Kid([0x0b; 16]),
        created_epoch: 2,
        generations: vec![KeyGeneration {
            generation: 1,
            key: key(0x11),
            created: TimeMs(300),
        }],
        flags: 0,
        locator: None,
        blind: None,
    };
    let encoded = record.encode();
    let bytes = encoded.expose();
    assert!(KeyRecord::decode(&encoded).is_ok());
    for length in 0..bytes.len() {
        assert!(
            KeyRecord::decode(&SecretBytes::from(&bytes[..length])).is_err(),
            "a record cut at {length} was taken"
        );
    }
    let (body, locator) = bytes.split_at(bytes.len() - 1);
    assert_eq!(locator, [0]);
    for tail in [&[2][..], &[1], &[0, 0], &[1, 7, 7]] {
        let bytes = SecretBytes::new([body, tail].concat());
        assert!(
            KeyRecord::decode(&bytes).is_err(),
            "{tail:?} was taken for a locator"
        );
    }
}

#[test]
fn an_index_record_keeps_its_form() {
    let locators = LocatorKey::root(&arena(), &key(1)).expect("memory");
    let tenant = TenantId::new("acme").expect("a name");
    let record = IndexRecord {
        kid: Kid([0x0c; 16]),
        blind: None,
        locator: locators.locate(IndexKind::Tenant, &tenant, b"", 0),
        payload: SecretBytes::new(vec![0xee, 0xff]),
    };
    let encoded = record.encode();
    let bytes = encoded.expose();
    // Version, kid, locator (its own test pins it), no blind, payload with its length.
    assert_eq!(hex(&bytes[..17]), format!("01{}", "0c".repeat(16)));
    assert_eq!(hex(&bytes[17 + 32..]), "0002eeff");
}

#[test]
fn lists_of_keys_and_roots_keep_their_forms() {
    let refs = vec![key_ref(KeyKind::Tenant, 4, 1), key_ref(KeyKind::Subject, 1, 200)];
    let mut e = Encoder::new();
    KeyRefs::new(refs).expect("a list").encode(&mut e);
    let expected = format!("0201{}c80104{}01", "01".repeat(16), "04".repeat(16));
    assert_eq!(hex(e.as_slice()), expected);

    let root = format!("0100{}", "5a".repeat(32));
    let bytes = SecretBytes::new([&[1, 0][..], &[0x5a; 32]].concat());
    let decoded = RootKey::decode(&arena(), &bytes).expect("a root");
    assert_eq!(hex(decoded.encode().expose()), root);
}

/// Sealed pages depend on their nonce; with a known source of it they are always the same.
#[test]
fn sealed_pages_keep_their_forms() {
    let keys = PageKeys::derive(&key(9));
    let children = ChildKeys::generate(&mut Seeded::new(1)).expect("randomness");
    let page = PageId::top(Tree::Key);
    let sealed = keys
        .seal_page(REALM, page, 7, &children, &mut Seeded::new(2))
        .expect("sealed");
    assert_eq!(fingerprint(&sealed), "1069 4b1d32957a17f900bae6961e539631a3");
    let meta = MetaPage {
        locator_root: key(3),
        log_key: key(5),
    };
    let sealed = meta.seal(&keys, REALM, 7, &mut Seeded::new(4)).expect("sealed");
    assert_eq!(fingerprint(&sealed), "110 284d2fafdef957b2fab288a3ef391fbe");
}

/// Length and hash, for bytes that are too many to show.
fn fingerprint(bytes: &[u8]) -> String {
    format!("{} {}", bytes.len(), &blake3::hash(bytes).to_hex()[..32])
}
