//! What an envelope promises: it opens at its place under its keys, and is refused everywhere else.

mod common;

use std::collections::HashMap;

use common::*;
use eunoe_crypto::{
    ContentKey, ConversationRowAad, ENVELOPE_OVERHEAD, KeyKind, MessageAad, OpenError, SealError, open, seal,
    seal_into,
};
use eunoe_types::{ConversationId, Day, MessageId, Realm};
use proptest::prelude::*;

fn sealed(content: &[u8]) -> Vec<u8> {
    seal(&content_key(), &place(), content, &mut Seeded::new(1)).expect("seals")
}

fn row() -> ConversationRowAad {
    ConversationRowAad {
        realm: REALM,
        conversation: ConversationId([3; 16]),
        row: 1,
        item: 4,
        version: 9,
    }
}

#[test]
fn the_overhead_is_what_it_is_said_to_be() {
    // 300 + 1 bytes are padded to 304.
    assert_eq!(sealed(&[7; 300]).len(), ENVELOPE_OVERHEAD + 304);
}

#[test]
fn sealing_appends_and_a_failure_leaves_nothing_behind() {
    let mut out = b"before".to_vec();
    assert_eq!(
        seal_into(&content_key(), &place(), b"text", &mut Empty, &mut out),
        Err(SealError::Entropy(eunoe_crypto::EntropyError))
    );
    assert_eq!(out, b"before");
    seal_into(&content_key(), &place(), b"text", &mut Seeded::new(1), &mut out).expect("seals");
    assert_eq!(
        open(&content_key(), &place(), &out[6..]).expect("opens").expose(),
        b"text"
    );
}

/// E16: with a source of randomness that repeats itself, two contents or two places never share key and nonce.
#[test]
fn a_frozen_source_of_randomness_repeats_a_nonce_only_for_the_same_content_at_the_same_place() {
    let key = content_key();
    let mut seen = HashMap::new();
    for content in 0..200u32 {
        for message in 0..50u8 {
            let at = MessageAad {
                message: MessageId([message; 16]),
                ..place()
            };
            let envelope = seal(&key, &at, &content.to_le_bytes(), &mut Frozen).expect("seals");
            assert_eq!(seen.insert(envelope[2..26].to_vec(), (content, message)), None);
        }
    }
    let (one, two) = (sealed_frozen(b"same"), sealed_frozen(b"same"));
    assert_eq!(one, two);
    assert_ne!(sealed_frozen(b"same")[2..26], sealed_frozen(b"samf")[2..26]);
}

fn sealed_frozen(content: &[u8]) -> Vec<u8> {
    seal(&content_key(), &place(), content, &mut Frozen).expect("seals")
}

#[test]
fn e17_a_moved_envelope_is_refused() {
    let envelope = sealed(b"text");
    let moved = [
        MessageAad {
            realm: Realm([1; 16]),
            ..place()
        },
        MessageAad {
            conversation: ConversationId([4; 16]),
            ..place()
        },
        MessageAad {
            message: MessageId([8; 16]),
            ..place()
        },
        MessageAad {
            envelope: 1,
            ..place()
        },
        MessageAad {
            day: Day(20_001),
            ..place()
        },
    ];
    for place in moved {
        assert_eq!(
            open(&content_key(), &place, &envelope).expect_err("moved"),
            OpenError::WrongKey
        );
    }
    assert_eq!(
        open(&content_key(), &row(), &envelope).expect_err("moved"),
        OpenError::WrongKey
    );
}

#[test]
fn e17_a_moved_or_outdated_row_of_a_conversation_is_refused() {
    let envelope = seal(&content_key(), &row(), b"title", &mut Seeded::new(1)).expect("seals");
    assert_eq!(
        open(&content_key(), &row(), &envelope).expect("opens").expose(),
        b"title"
    );
    let moved = [
        ConversationRowAad {
            realm: Realm([1; 16]),
            ..row()
        },
        ConversationRowAad {
            conversation: ConversationId([4; 16]),
            ..row()
        },
        ConversationRowAad { row: 2, ..row() },
        ConversationRowAad { item: 5, ..row() },
        ConversationRowAad { version: 10, ..row() },
    ];
    for row in moved {
        assert_eq!(
            open(&content_key(), &row, &envelope).expect_err("moved"),
            OpenError::WrongKey
        );
    }
}

/// Each part of each key's name counts.
#[test]
fn e17_an_envelope_opens_under_no_other_keys() {
    let envelope = sealed(b"text");
    let mut others = Vec::new();
    for changed in 0..5 {
        let mut keys = [11, 12, 13, 14, 15];
        keys[changed] += 100;
        others.push(content_key_of(&refs(), keys));
        let mut renamed = refs();
        renamed[changed].generation += 1;
        others.push(content_key_of(&renamed, [11, 12, 13, 14, 15]));
    }
    let mut renamed = refs();
    renamed[1].kid = eunoe_types::Kid([9; 16]);
    others.push(content_key_of(&renamed, [11, 12, 13, 14, 15]));
    // The same records in swapped roles, and one owner fewer.
    others.push(content_key_of(&refs(), [12, 11, 13, 14, 15]));
    others.push(content_key_of(&refs()[1..], [12, 13, 14, 15]));
    let mut rekinded = refs();
    rekinded[4].kind = KeyKind::Purpose;
    others.push(content_key_of(&rekinded, [11, 12, 13, 14, 15]));
    for other in &others {
        assert_eq!(
            open(other, &place(), &envelope).expect_err("another key"),
            OpenError::WrongKey
        );
    }
    assert!(open(&content_key(), &place(), &envelope).is_ok());
}

#[test]
fn the_order_in_which_keys_are_named_does_not_matter() {
    let envelope = sealed(b"text");
    let mut reversed = refs();
    reversed.reverse();
    let key = content_key_of(&reversed, [15, 14, 13, 12, 11]);
    assert_eq!(open(&key, &place(), &envelope).expect("opens").expose(), b"text");
}

#[test]
fn a_list_that_breaks_a_rule_makes_no_key() {
    let (secret, refs) = (key(1), refs());
    assert!(ContentKey::derive(&arena(), &[(refs[0], &secret)]).is_err());
    assert!(ContentKey::derive(&arena(), &[(refs[0], &secret), (refs[0], &secret)]).is_err());
}

#[test]
fn e18_every_flipped_bit_cut_and_extension_of_an_envelope_is_refused() {
    let envelope = sealed(b"a message");
    let key = content_key();
    for bit in 0..envelope.len() * 8 {
        let mut changed = envelope.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&key, &place(), &changed).is_err(), "bit {bit}");
    }
    for len in 0..envelope.len() {
        assert!(open(&key, &place(), &envelope[..len]).is_err(), "cut to {len}");
    }
    for more in [2, 16, 64] {
        let longer = [&envelope[..], &vec![0; more]].concat();
        assert!(open(&key, &place(), &longer).is_err(), "{more} more");
    }
    let longer = [&envelope[..], &[0]].concat();
    assert_eq!(
        open(&key, &place(), &longer).expect_err("longer"),
        OpenError::Forged
    );
}

#[test]
fn unknown_versions_and_suites_are_named() {
    let mut envelope = sealed(b"text");
    envelope[1] = 2;
    assert_eq!(
        open(&content_key(), &place(), &envelope).expect_err("suite"),
        OpenError::UnknownSuite(2)
    );
    envelope[0] = 2;
    assert_eq!(
        open(&content_key(), &place(), &envelope).expect_err("version"),
        OpenError::UnknownVersion(2)
    );
}

#[test]
fn lengths_of_short_answers_do_not_show() {
    assert_eq!(sealed(b"no").len(), sealed(b"yes, tomorrow").len());
}

proptest! {
    #[test]
    fn whatever_was_sealed_comes_back(content in prop::collection::vec(any::<u8>(), 0..3000), seed in any::<u64>()) {
        let key = content_key();
        let envelope = seal(&key, &place(), &content, &mut Seeded::new(seed)).expect("seals");
        let opened = open(&key, &place(), &envelope).expect("opens");
        prop_assert_eq!(opened.expose(), &content[..]);
    }

    #[test]
    fn nothing_but_an_envelope_opens(mut bytes in prop::collection::vec(any::<u8>(), 0..300), as_known in any::<bool>()) {
        if as_known && bytes.len() >= 2 {
            bytes[..2].copy_from_slice(&[1, 1]);
        }
        prop_assert!(open(&content_key(), &place(), &bytes).is_err());
    }
}
