//! Each bit of what a verifier is given either counts, or is in a line that says nothing (README, *What a flipped bit
//! does*).

use std::ops::Range;

use eunoe_evidence::{
    AddCheckpoint, Agreement, Object, Policy, Proof, Refused, SignedCheckpoint, TreeHead, Unproved, Witness,
};

use crate::world::{
    INDEX, OLD_SIZE, SIZE, TIME_S, checkpoint, cosigner, leaf, log_key, policy, policy_text, proof, request,
    signed, signed_by,
};

/// `bytes` with each bit flipped in turn, and which bit it was.
fn flips(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    (0..bytes.len() * 8).map(|bit| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        (bit, flipped)
    })
}

/// Where a line of a checkpoint that begins so has its name, its blank and its key id: a flip there makes it an
/// unknown key's. The id is five and a third characters of base64; the sixth has bits of the signature too.
fn named_by(text: &str, name: &str) -> Range<usize> {
    let start = text.find(&format!("\u{2014} {name} ")).unwrap() + "\u{2014} ".len();
    start..start + name.len() + 1 + 6
}

/// The verdict on a checkpoint without some lines.
fn verdict_of(cosigners: &[&str]) -> Result<Agreement, Refused> {
    policy().verify(&signed_by(&checkpoint(SIZE), cosigners))
}

#[test]
fn every_bit_of_a_checkpoint_counts() {
    let (policy, text) = (policy(), signed().to_string());
    for (bit, flipped) in flips(text.as_bytes()) {
        let verdict = SignedCheckpoint::parse(&flipped).map(|flipped| policy.verify(&flipped));
        // With two of three nodes and the only witness there is nobody too many.
        assert!(!matches!(verdict, Ok(Ok(_))), "bit {bit}: {verdict:?}");
    }
}

#[test]
fn bits_that_count_for_nothing_make_a_line_unknown() {
    // One node too many, and a witness that the policy does not know.
    let mut spare = signed_by(&checkpoint(SIZE), &["n1", "n2", "n3", "w"]);
    let unknown =
        eunoe_evidence::Cosigner::from_seed(crate::world::name("unknown.example"), &[9; 32]).unwrap();
    spare
        .add(unknown.cosign(&checkpoint(SIZE), TIME_S).unwrap())
        .unwrap();
    let (policy, text) = (policy(), spare.to_string());
    let whole = policy.verify(&spare).unwrap();
    let unknown_line = text.find("\u{2014} unknown").unwrap();
    let nodes = ["n1", "n2", "n3"];
    let mut without_effect = [0; 4];
    for (bit, flipped) in flips(text.as_bytes()) {
        let Ok(Ok(agreement)) = SignedCheckpoint::parse(&flipped).map(|flipped| policy.verify(&flipped))
        else {
            continue;
        };
        let at = bit / 8;
        let node = nodes
            .iter()
            .position(|node| named_by(&text, &format!("{node}.eunoe.example")).contains(&at));
        if let Some(node) = node {
            let others: Vec<&str> = nodes
                .iter()
                .copied()
                .filter(|name| *name != nodes[node])
                .collect();
            let expected = verdict_of(&[others[0], others[1], "w"]).unwrap();
            assert_eq!(agreement, expected, "bit {bit}");
            without_effect[node] += 1;
        } else {
            assert!(at > unknown_line, "bit {bit}");
            assert_eq!(agreement, whole, "bit {bit}");
            without_effect[3] += 1;
        }
    }
    assert!(
        without_effect.iter().all(|count| *count > 50),
        "{without_effect:?}"
    );
}

#[test]
fn every_bit_of_a_proof_counts() {
    let (policy, text, leaf) = (policy(), proof().to_string(), leaf(INDEX));
    assert!(proof().verify(&policy, &leaf).is_ok());
    for (bit, flipped) in flips(text.as_bytes()) {
        let verdict = Proof::parse(&flipped).map(|flipped| flipped.verify(&policy, &leaf));
        assert!(!matches!(verdict, Ok(Ok(_))), "bit {bit}");
    }
}

#[test]
fn every_bit_of_a_leaf_counts() {
    let (policy, proof) = (policy(), proof());
    for (bit, flipped) in flips(&leaf(INDEX)) {
        let verdict = proof.verify(&policy, &flipped);
        assert!(matches!(verdict, Err(Unproved::Inclusion(_))), "bit {bit}");
        // And where it is a document, it is another one.
        if let Ok(object) = Object::parse(&flipped) {
            assert_eq!(object.to_string().into_bytes(), flipped, "bit {bit}");
        }
    }
}

#[test]
fn every_bit_of_a_policy_counts() {
    let (policy, text) = (policy(), policy_text());
    // The newline is the comment's too: without it the next line is part of it.
    let comment = 0..=text.find('\n').unwrap();
    for (bit, flipped) in flips(text.as_bytes()) {
        let Ok(flipped) = Policy::parse(&flipped) else {
            continue;
        };
        assert_ne!(flipped.sha256(), policy.sha256(), "bit {bit}");
        let at = bit / 8;
        let threshold = text.find("nodes 2").unwrap() + "nodes ".len();
        // All that parses: a comment, a threshold from 1 to 3.
        assert!(comment.contains(&at) || at == threshold, "bit {bit}: {flipped:?}");
    }
}

#[test]
fn every_bit_of_a_request_counts() {
    let witness = Witness::new(vec![log_key().verifier().clone()], cosigner("w")).unwrap();
    let head = TreeHead {
        size: OLD_SIZE,
        root: *checkpoint(OLD_SIZE).root(),
    };
    let text = request().to_string();
    assert!(witness.decide(&request(), &head, TIME_S).is_ok());
    for (bit, flipped) in flips(text.as_bytes()) {
        let verdict = AddCheckpoint::parse(&flipped).map(|flipped| witness.decide(&flipped, &head, TIME_S));
        assert!(!matches!(verdict, Ok(Ok(_))), "bit {bit}");
    }
}
