//! Bytes that other teams can test with, and that no release may write differently. Ed25519 draws nothing, so seeds
//! (`world.rs`) and times give every byte.

use eunoe_evidence::{AddCheckpoint, Object, Policy, Proof, Receipt, SignedCheckpoint, Ticket, verify};

use crate::story::{self, Story};
use crate::world::{
    INDEX, checkpoint, leaf, log_key, policy, policy_text, proof, request, signed, signed_by,
};

#[test]
fn formats_are_written_as_ever() {
    for (written, golden) in [
        (
            log_key().verifier().to_string() + "\n",
            include_str!("golden/log.vkey"),
        ),
        (signed().to_string(), include_str!("golden/checkpoint")),
        (
            signed_by(&checkpoint(0), &[]).to_string(),
            include_str!("golden/checkpoint-empty"),
        ),
        (proof().to_string(), include_str!("golden/leaf-257.tlog-proof")),
        (request().to_string(), include_str!("golden/add-checkpoint")),
        (policy_text(), include_str!("golden/policy")),
        (
            Story::at_threshold().receipt("threshold"),
            include_str!("golden/threshold.eunoe-receipt"),
        ),
        (story::policy_text(), include_str!("golden/receipt-policy")),
        (story::ticket_text(), include_str!("golden/erasure-ticket")),
        (
            String::from_utf8(leaf(INDEX)).unwrap(),
            include_str!("golden/leaf-257.json"),
        ),
    ] {
        assert_eq!(written, golden);
    }
}

#[test]
fn what_is_written_is_read() {
    assert_eq!(
        SignedCheckpoint::parse(include_bytes!("golden/checkpoint")).unwrap(),
        signed()
    );
    assert_eq!(
        Proof::parse(include_bytes!("golden/leaf-257.tlog-proof")).unwrap(),
        proof()
    );
    assert_eq!(
        AddCheckpoint::parse(include_bytes!("golden/add-checkpoint")).unwrap(),
        request()
    );
    assert_eq!(Policy::parse(include_bytes!("golden/policy")).unwrap(), policy());
    let leaf = Object::parse(include_bytes!("golden/leaf-257.json")).unwrap();
    assert_eq!(leaf.number("epoch").unwrap(), INDEX);
}

#[test]
fn the_golden_proof_proves_its_leaf_to_the_golden_policy() {
    let agreement = proof()
        .verify(&policy(), include_bytes!("golden/leaf-257.json"))
        .unwrap();
    let cosigners: Vec<_> = agreement.cosigners.iter().map(|one| &*one.name).collect();
    assert_eq!(cosigners, ["n1", "n3", "w"]);
}

#[test]
fn the_golden_receipt_holds() {
    let receipt = Receipt::parse(include_bytes!("golden/threshold.eunoe-receipt")).unwrap();
    let policy = Policy::parse(include_bytes!("golden/receipt-policy")).unwrap();
    let ticket = Ticket::parse(include_bytes!("golden/erasure-ticket")).unwrap();
    assert!(verify(&receipt, &policy, Some(&ticket)).unwrap().is_opened);
}
