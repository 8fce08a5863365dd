//! Nothing secret shows itself through `Debug` or an error.

mod common;

use common::*;
use eunoe_crypto::{
    ChildKeys, IndexKind, IndexRecord, KeyGeneration, KeyKind, KeyRecord, LocatorKey, LookupKey, MetaPage,
    PageKeys, SealingKey, Sharing, open, seal,
};
use eunoe_types::{Kid, TenantId, TimeMs};

const BYTE: u8 = 0xd7;

fn shows_no_secret(debug: &str) {
    for form in ["d7d7", "D7D7", "215, 215", "0xd7"] {
        assert!(!debug.contains(form), "{debug}");
    }
}

#[test]
fn what_is_looked_for_would_be_found() {
    let shown = std::panic::catch_unwind(|| shows_no_secret(&format!("{:?}", [BYTE; 2])));
    assert!(shown.is_err());
}

#[test]
fn debug_hides_keys_records_and_names() {
    let (arena, secret_key) = (arena(), key(BYTE));
    let content_key =
        eunoe_crypto::ContentKey::derive(&arena, &[(refs()[0], &secret_key), (refs()[2], &secret_key)]);
    let record = KeyRecord {
        kind: KeyKind::Conv,
        kid: Kid([BYTE; 16]),
        created_epoch: 1,
        generations: vec![KeyGeneration {
            generation: 1,
            key: key(BYTE),
            created: TimeMs(1),
        }],
        flags: 0,
        locator: None,
        blind: Some(key(BYTE)),
    };
    let locators = LocatorKey::root(&arena, &secret_key).expect("memory");
    let tenant = TenantId::new("acme").expect("valid");
    let index = IndexRecord {
        kid: Kid([BYTE; 16]),
        blind: Some(key(BYTE)),
        locator: locators.locate(IndexKind::Tenant, &tenant, &[BYTE; 8], 0),
        payload: secret(&[BYTE; 8]),
    };
    let stored = arena.store(&secret_key).expect("room");
    let lookup = LookupKey::derive(&arena, &secret_key).expect("memory");
    let mut source = Fixed;
    let sharing = Sharing::new(3, 2).expect("a size");
    let dealt = sharing.deal(&arena, &mut source).expect("deals");
    let share = dealt.share(0).expect("a holder");
    let children = ChildKeys::generate(&mut source).expect("generates");
    let meta = MetaPage::generate(&mut source).expect("generates");
    let opened = PageKeys::derive(&secret_key);
    for debug in [
        format!("{secret_key:?}"),
        format!("{:?}", SealingKey::new(key(BYTE))),
        format!("{:?}", secret(&[BYTE; 9])),
        format!("{content_key:?}"),
        format!("{record:?}"),
        format!("{index:?}"),
        format!("{locators:?}"),
        format!("{stored:?}"),
        format!("{arena:?}"),
        format!("{lookup:?}"),
        format!("{:?}", dealt.root()),
        format!("{dealt:?}"),
        format!("{share:?}"),
        format!("{:?}", share.encode()),
        format!("{children:?}"),
        format!("{meta:?}"),
        format!("{opened:?}"),
    ] {
        shows_no_secret(&debug);
    }
}

#[test]
fn errors_hide_contents() {
    let mut envelope = seal(&content_key(), &place(), &[BYTE; 40], &mut Seeded::new(1)).expect("seals");
    let last = envelope.len() - 1;
    envelope[last] ^= 1;
    let error = open(&content_key(), &place(), &envelope).expect_err("changed");
    shows_no_secret(&format!("{error:?} {error}"));
}

/// Every key is made of the byte that is looked for.
struct Fixed;

impl eunoe_crypto::Entropy for Fixed {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), eunoe_crypto::EntropyError> {
        out.fill(BYTE);
        Ok(())
    }
}
