//! No bytes make a reader panic, and what it reads it writes the same.

use std::fmt::Display;

use eunoe_evidence::{
    AddCheckpoint, Note, Object, Policy, Proof, SignedCheckpoint, TileId, VerifierKey, WitnessAnswer,
};
use proptest::prelude::*;

use crate::world::{log_key, policy_text, proof, request, signed};

fn is_canonical<T: Display, E>(bytes: &[u8], parsed: Result<T, E>) -> bool {
    parsed.is_ok_and(|value| {
        assert_eq!(value.to_string().as_bytes(), bytes);
        true
    })
}

/// Gives bytes to every reader.
fn read_all(bytes: &[u8]) {
    is_canonical(bytes, Note::parse(bytes));
    is_canonical(bytes, SignedCheckpoint::parse(bytes));
    is_canonical(bytes, Proof::parse(bytes));
    is_canonical(bytes, AddCheckpoint::parse(bytes));
    is_canonical(bytes, Object::parse(bytes));
    if let Ok(text) = std::str::from_utf8(bytes) {
        is_canonical(bytes, VerifierKey::parse(text));
        is_canonical(bytes, TileId::parse(text));
    }
    let _ = Policy::parse(bytes);
    for status in [200, 409, 422] {
        let _ = WitnessAnswer::parse(status, bytes);
    }
}

#[test]
fn every_prefix_is_read_without_panic() {
    for text in [
        signed().to_string(),
        proof().to_string(),
        request().to_string(),
        policy_text(),
        log_key().verifier().to_string(),
    ] {
        (0..=text.len()).for_each(|end| read_all(&text.as_bytes()[..end]));
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        read_all(&bytes);
    }

    #[test]
    fn changed_texts_are_refused_or_canonical(at in 0..600_usize, cut in 0..50_usize, put in "[ \n=+A-Za-z0-9—#]{0,20}") {
        for text in [signed().to_string(), proof().to_string(), request().to_string(), policy_text()] {
            let mut bytes = text.into_bytes();
            let at = at.min(bytes.len());
            let end = (at + cut).min(bytes.len());
            bytes.splice(at..end, put.bytes());
            read_all(&bytes);
        }
    }
}
