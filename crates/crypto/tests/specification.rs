//! The envelope and the tree, written a second time from the specification with other libraries, must agree
//! byte for byte: BLAKE3 by hand, ChaCha20-Poly1305 of RustCrypto instead of aws-lc.

mod common;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce, XChaCha20Poly1305, XNonce};
use common::*;
use eunoe_crypto::{
    Entropy, IndexKind, LeafName, LocatorKey, LookupKey, PageId, PageKeys, RowHeader, Tree, key_commitment,
    open, seal, subject_commitment,
};
use eunoe_types::{Kid, MessageId, TenantId};
use proptest::prelude::*;

fn content_key_by_hand() -> [u8; 32] {
    let mut material = Vec::new();
    for (key_ref, secret) in refs().iter().zip([11u8, 12, 13, 14, 15]) {
        let part = [
            &[key_ref.kind.tag()][..],
            &key_ref.kid.0,
            &key_ref.generation.to_le_bytes(),
            &[secret; 32],
        ]
        .concat();
        material.push(part.len() as u8);
        material.extend(part);
    }
    blake3::derive_key("eunoe v1 content key", &material)
}

fn aad_by_hand() -> Vec<u8> {
    let mut refs_encoded = vec![5];
    for key_ref in refs() {
        refs_encoded.push(key_ref.kind.tag());
        refs_encoded.extend(key_ref.kid.0);
        refs_encoded.extend(match key_ref.generation {
            300 => vec![0xac, 0x02],
            small => vec![small as u8],
        });
    }
    let place = place();
    let mut aad = vec![12, 0];
    aad.extend(b"eunoe/msg/v1");
    aad.extend([place.realm.0, place.conversation.0, place.message.0].concat());
    aad.push(place.envelope);
    aad.extend((refs_encoded.len() as u16).to_le_bytes());
    aad.extend(refs_encoded);
    aad.extend(place.day.0.to_le_bytes());
    aad.push(1);
    aad
}

fn seal_by_hand(content: &[u8], padded_len: usize, seed: u64) -> Vec<u8> {
    let (content_key, aad) = (content_key_by_hand(), aad_by_hand());
    let aad_hash = blake3::hash(&aad);
    let mut padded = [content, &[0x80]].concat();
    padded.resize(padded_len, 0);

    let mut hedge = [0; 32];
    Seeded::new(seed).fill(&mut hedge).expect("seeded");
    let nonce_key = blake3::derive_key("eunoe v1 nonce", &content_key);
    let hedged = [&hedge[..], aad_hash.as_bytes(), &padded].concat();
    let hash = blake3::keyed_hash(&nonce_key, &hedged);
    let nonce = &hash.as_bytes()[..24];

    let mut expanded = [0; 64];
    let mut hasher = blake3::Hasher::new_keyed(&content_key);
    hasher.update(&[b"msg", nonce, aad_hash.as_bytes()].concat());
    hasher.finalize_xof().fill(&mut expanded);
    let cipher = ChaCha20Poly1305::new_from_slice(&expanded[..32]).expect("32 bytes");
    let sealed = cipher
        .encrypt(
            &Nonce::default(),
            Payload {
                msg: &padded,
                aad: &aad,
            },
        )
        .expect("encrypts");
    [&[1, 1][..], nonce, &expanded[32..], &sealed].concat()
}

proptest! {
    #[test]
    fn both_implementations_seal_the_same_bytes(content in prop::collection::vec(any::<u8>(), 0..600), seed in any::<u64>()) {
        let sealed = seal(&content_key(), &place(), &content, &mut Seeded::new(seed)).expect("seals");
        let by_hand = seal_by_hand(&content, sealed.len() - 74, seed);
        prop_assert_eq!(&sealed, &by_hand);
        let opened = open(&content_key(), &place(), &by_hand).expect("opens");
        prop_assert_eq!(opened.expose(), &content[..]);
    }
}

#[test]
fn a_row_and_its_tag_are_what_the_specification_says() {
    let mut derived = [0; 64];
    let mut hasher = blake3::Hasher::new_derive_key("eunoe v1 page");
    hasher.update(&[6; 32]);
    hasher.finalize_xof().fill(&mut derived);
    let naming: [u8; 32] = derived[32..].try_into().expect("32 bytes");

    let keys = PageKeys::derive(&key(6));
    let tag = keys.tag(&LeafName::Key(Kid([0xee; 16])));
    assert_eq!(tag.0, blake3::keyed_hash(&naming, &[0xee; 16]).as_bytes()[..16]);

    let page = PageId {
        tree: Tree::Key,
        level: 3,
        index: 0x0102,
    };
    let header = RowHeader {
        generation: 5,
        version: 2,
    };
    let sealed = keys
        .seal_row(REALM, page, tag, header, &secret(b"record"), &mut Seeded::new(3))
        .expect("seals");
    let mut nonce = [0; 24];
    Seeded::new(3).fill(&mut nonce).expect("seeded");
    let aad = [
        b"eunoe/row/v1",
        &REALM.0[..],
        &[2, 3, 2, 1, 0, 0, 5, 0, 0, 0],
        &tag.0,
        &[2, 0, 0, 0],
    ]
    .concat();
    let cipher = XChaCha20Poly1305::new_from_slice(&derived[..32]).expect("32 bytes");
    let ciphertext = cipher
        .encrypt(
            &XNonce::from(nonce),
            Payload {
                msg: b"record",
                aad: &aad,
            },
        )
        .expect("encrypts");
    assert_eq!(
        sealed,
        [&[2, 5, 0, 0, 0, 2, 0, 0, 0][..], &nonce, &ciphertext].concat()
    );
}

#[test]
fn locators_and_ids_are_what_the_specification_says() {
    let tenant = TenantId::new("acme").expect("valid");
    let locators = LocatorKey::tenant(&arena(), &key(1), &key(2)).expect("memory");
    let located = locators.locate(IndexKind::Subject, &tenant, b"user-1", 3);
    let locator_key = blake3::derive_key("eunoe v1 tenant locator key", &[[1; 32], [2; 32]].concat());
    let expected = blake3::keyed_hash(&locator_key, b"\x02\x04acme\x06user-1\x03\x00\x00\x00");
    // A locator shows itself only through what is filed under it.
    let keys = PageKeys::derive(&key(6));
    let mut derived = [0; 64];
    let mut hasher = blake3::Hasher::new_derive_key("eunoe v1 page");
    hasher.update(&[6; 32]);
    hasher.finalize_xof().fill(&mut derived);
    let naming: [u8; 32] = derived[32..].try_into().expect("32 bytes");
    let filed_under = keys.tag(&LeafName::Index(located));
    assert_eq!(
        filed_under.0,
        blake3::keyed_hash(&naming, expected.as_bytes()).as_bytes()[..16]
    );

    let mut derived = [0; 64];
    let mut hasher = blake3::Hasher::new_derive_key("eunoe v1 lookup key");
    hasher.update(&[4; 32]);
    hasher.finalize_xof().fill(&mut derived);
    let ids: [u8; 32] = derived[..32].try_into().expect("32 bytes");
    let lookup = LookupKey::derive(&arena(), &key(4)).expect("memory");
    assert_eq!(
        lookup.message_id(b"request").0,
        blake3::keyed_hash(&ids, b"request").as_bytes()[..16]
    );
}

#[test]
fn commitments_are_sha_256_as_published() {
    use aws_lc_rs::digest::{SHA256, digest};
    let named = digest(&SHA256, b"acme\0user-1");
    let input = [
        b"eunoe/subject-commit/v1\0",
        &REALM.0[..],
        &[7; 16],
        &[8; 32],
        named.as_ref(),
    ]
    .concat();
    let commitment = subject_commitment(REALM, Kid([7; 16]), &key(8), "acme", b"user-1");
    assert_eq!(commitment, digest(&SHA256, &input).as_ref());
    let input = [&b"eunoe/key-commit/v1\0"[..], &[8; 32]].concat();
    assert_eq!(key_commitment(&key(8)), digest(&SHA256, &input).as_ref());
}

#[test]
fn the_body_mac_tells_requests_apart() {
    let lookup = LookupKey::derive(&arena(), &key(4)).expect("memory");
    let message = MessageId([1; 16]);
    let mac = |message, parts: &[&[u8]]| lookup.body_mac(message, parts.iter().copied()).0;
    assert_eq!(mac(message, &[b"ab", b"c"]), mac(message, &[b"ab", b"c"]));
    assert_ne!(mac(message, &[b"ab", b"c"]), mac(message, &[b"a", b"bc"]));
    assert_ne!(mac(message, &[b"ab", b"c"]), mac(message, &[b"abc"]));
    assert_ne!(mac(message, &[b"abc"]), mac(MessageId([2; 16]), &[b"abc"]));
}
